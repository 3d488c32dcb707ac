"""Responses, however the network cuts them."""

import contextlib
import gzip
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferencesh_async.response_parser import LONGEST_HEAD_BYTES, ResponseError, ResponseParser

BODIES = st.binary(max_size=400)
PLACES = st.lists(st.integers(min_value=0), max_size=6)
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"


def with_length(body):
    return b"Content-Length: %d\r\n" % len(body), body


def in_chunks(body):
    pieces = [body[start : start + 90] for start in range(0, len(body), 90)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return b"Transfer-Encoding: chunked\r\n", chunks + b"0\r\n\r\n"


def until_the_end(body):
    return b"", body


def packed(body):
    content = gzip.compress(body)
    return b"Content-Encoding: gzip\r\nContent-Length: %d\r\n" % len(content), content


FRAMINGS = [with_length, in_chunks, until_the_end, packed]


def wire_of(framing, body, status=b"200 OK", version=b"1.1", headers=b""):
    framed_by, content = framing(body)
    return b"HTTP/%b %b\r\n%b%b\r\n%b" % (version, status, framed_by, headers, content)


def feed(parser, wire, places=()):
    """Feed bytes cut at some places, each piece at the beginning of a buffer that has had other contents."""
    edges = [0, *sorted(place % (len(wire) + 1) for place in places), len(wire)]
    content = b""
    for start, end in pairwise(edges):
        piece = wire[start:end]
        content += parser.feed(bytearray(piece + b"\r\n\r\nstale"), len(piece))
    return content


@given(
    framing=st.sampled_from(FRAMINGS),
    body=BODIES,
    hints=st.integers(0, 2),
    line_end=st.sampled_from([b"\r\n", b"\n"]),
    places=PLACES,
)
def test_any_cut_of_a_response_gives_all_of_it(framing, body, hints, line_end, places):
    head, _, content = wire_of(framing, body, b"201 Created", headers=b"X-Some: a \r\n").partition(
        b"\r\n\r\n"
    )
    heads = (HINTS * hints + head + b"\r\n\r\n").replace(b"\r\n", line_end)
    parser = ResponseParser()
    assert feed(parser, heads + content, places) == body
    assert (parser.status, parser.headers["x-some"]) == (201, "a")
    assert parser.is_finished is (framing is not until_the_end)
    assert parser.leaves_connection_open is (framing is not until_the_end)
    parser.end()
    assert parser.is_finished


@given(framing=st.sampled_from([with_length, in_chunks, packed]), body=BODIES, data=st.data())
def test_a_response_that_breaks_off_is_none(framing, body, data):
    wire = wire_of(framing, body)
    parser = ResponseParser()
    heard = feed(parser, wire[: data.draw(st.integers(0, len(wire) - 1))])
    assert body.startswith(heard)
    assert not parser.is_finished
    with pytest.raises(ResponseError, match=r"closed it|within the response"):
        parser.end()


@given(framing=st.sampled_from([with_length, in_chunks]), body=BODIES, places=PLACES)
def test_what_comes_after_a_response_is_not_part_of_it_and_costs_the_connection(framing, body, places):
    parser = ResponseParser()
    assert feed(parser, wire_of(framing, body) + b"more", places) == body
    assert parser.is_finished
    assert not parser.leaves_connection_open


@given(junk=st.binary(max_size=300), places=PLACES)
def test_whatever_comes_is_a_response_or_an_error(junk, places):
    parser = ResponseParser()
    with contextlib.suppress(ResponseError):
        feed(parser, b"HTTP/1.1 200 OK\r\n" + junk, places)
        parser.end()
        assert parser.is_finished


@pytest.mark.parametrize(
    ("version", "headers", "kept"),
    [
        (b"1.1", b"", True),
        (b"1.1", b"Connection: Close\r\n", False),
        (b"1.1", b"Connection: x, close\r\n", False),
        (b"1.0", b"", False),
        (b"1.0", b"Connection: Keep-Alive\r\n", True),
        (b"1.1", b"Transfer-Encoding: chunked\r\n", False),
    ],
    ids=["1.1", "close", "close among others", "1.0", "1.0 kept", "framed twice"],
)
def test_whether_another_request_may_follow(version, headers, kept):
    parser = ResponseParser()
    framing = with_length if b"chunked" not in headers else lambda _: (b"Content-Length: 9\r\n", b"0\r\n\r\n")
    feed(parser, wire_of(framing, b"", version=version, headers=headers))
    assert parser.is_finished
    assert parser.leaves_connection_open is kept


@pytest.mark.parametrize(
    ("method", "status"), [("GET", b"204 No Content"), ("GET", b"304 Not Modified"), ("HEAD", b"200 OK")]
)
def test_some_responses_have_no_body_whatever_they_say(method, status):
    parser = ResponseParser(method)
    assert feed(parser, b"HTTP/1.1 %b\r\nContent-Length: 100\r\n\r\n" % status) == b""
    assert parser.leaves_connection_open


def test_a_server_that_changes_the_protocol_unasked_is_asked_no_more():
    parser = ResponseParser()
    feed(parser, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n")
    assert parser.is_finished
    assert not parser.leaves_connection_open


def test_headers_of_one_name_are_joined_and_folded_ones_unfolded():
    parser = ResponseParser()
    feed(parser, b"HTTP/1.1 200\r\nX: a\r\n  b\r\nx: c\r\nEmpty:\r\nContent-Length: 0, 0\r\n\r\n")
    assert parser.headers == {"x": "a b, c", "empty": "", "content-length": "0, 0"}
    assert parser.is_finished


@pytest.mark.parametrize(
    "wire",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno header\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n: none\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX : a\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n folded: first\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: \xa05\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: ²\r\n\r\n".encode("latin-1"),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno size\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * (LONGEST_HEAD_BYTES // 6 + 1),
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * (LONGEST_HEAD_BYTES // 6 + 1) + b"\r\n",
    ],
)
def test_what_is_no_response_is_an_error(wire):
    with pytest.raises(ResponseError):
        feed(ResponseParser(), wire)
