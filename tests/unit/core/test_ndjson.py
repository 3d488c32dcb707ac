import json
import logging
import random
import sys
import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inferencesh_core.http.line_problems import LineProblem
from inferencesh_core.http.ndjson import LineDecoder, LineTooLongError

TEXTS = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ["\u2028", "\x85", "\r", "é漢🙂"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(TEXTS, children, max_size=3),
    max_leaves=6,
)
FRAMINGS_PER_EXAMPLE = 50


STALE = b'\n{"stale": 1}\n' * 4
"""What lies in a buffer behind the bytes that were received, as who receives may leave it."""


def fed(decoder, chunk):
    """The values of a chunk that is handed over."""
    return decoder.feed(chunk)


def received(decoder, chunk):
    """The values of a chunk that is put where the decoder has room."""
    while chunk:
        buffer, start = decoder.room()
        size = len(buffer) - start
        assert size >= 64 * 1024
        piece, chunk = chunk[:size], chunk[size:]
        behind = STALE[: size - len(piece)]
        buffer[start : start + len(piece) + len(behind)] = piece + behind
        decoder.received(len(piece))
        yield from decoder.lines()


def in_turn(decoder, chunk):
    """The values of a chunk whose halves come in one way each."""
    yield from received(decoder, chunk[: len(chunk) // 2])
    yield from fed(decoder, chunk[len(chunk) // 2 :])


WAYS = [fed, received, in_turn]


class Heard:
    """A decoder's values and problems, from whole chunks, and what ended it early."""

    def __init__(self, chunks, take=fed, **options):
        self.problems, self.values, self.error = [], [], None
        decoder = LineDecoder(on_problem=self.problems.append, **options)
        try:
            for chunk in chunks:
                self.values.extend(take(decoder, chunk))
            self.values.extend(decoder.close())
        except LineTooLongError as error:
            self.error = error

    @property
    def outcome(self):
        return self.values, self.problems, str(self.error)


@pytest.fixture(params=WAYS)
def take(request):
    """How the decoder gets its bytes."""
    return request.param


def cut(stream, rng):
    """The stream in chunks, cut at up to eight random places or, one time in eight, at every byte."""
    if rng.randrange(8) == 0:
        return [stream[at : at + 1] for at in range(len(stream))]
    places = sorted(rng.randint(0, len(stream)) for _ in range(rng.randint(0, 8)))
    return [stream[start:end] for start, end in zip([0, *places], [*places, len(stream)], strict=True)]


def test_no_framing_of_ten_thousand_loses_or_changes_a_value(take):
    framings = 0

    @settings(max_examples=200, deadline=None)
    @given(
        values=st.lists(VALUES, max_size=6),
        end=st.sampled_from([b"\n", b"\r\n", b"\n\n", b" \r\n\n"]),
        mark=st.sampled_from([b"", b"\xef\xbb\xbf"]),
        last_line_ends=st.booleans(),
        rng=st.randoms(use_true_random=False),
    )
    def nothing_is_lost(values, end, mark, last_line_ends, rng):
        nonlocal framings
        lines = [json.dumps(value, ensure_ascii=rng.random() < 0.5).encode() for value in values]
        stream = mark + end.join(lines) + (end if last_line_ends else b"")
        for _ in range(FRAMINGS_PER_EXAMPLE):
            framings += 1
            heard = Heard(cut(stream, rng), take)
            assert heard.values == values
            assert heard.problems == []

    nothing_is_lost()
    assert framings >= 10_000


@pytest.mark.parametrize("take", WAYS)
@settings(max_examples=100, deadline=None)
@given(noise=st.binary(max_size=60), rng=st.randoms(use_true_random=False))
def test_garbage_around_good_lines_costs_only_itself(take, noise, rng):
    stream = b'{"n": 1}\n' + noise.replace(b"\n", b"") + b'x\n{"n": 2}\n'
    heard = Heard(cut(stream, rng), take)
    assert heard.values == [{"n": 1}, {"n": 2}]
    assert [(problem.number, problem.reason) for problem in heard.problems] == [(2, "not JSON")]


@pytest.mark.parametrize(
    ("stream", "values", "problems"),
    [
        (b"", [], []),
        (b"\n \n\t\r\n", [], []),
        (b"1", [1], []),
        (b"null\n[]", [None, []], []),
        (b' {"a": 1} \n', [{"a": 1}], []),
        ('{"t": "a\u2028b\x85c"}\n'.encode(), [{"t": "a\u2028b\x85c"}], []),
        (
            b'{"t": "caf\xe9"}\n',
            [{"t": "caf\ufffd"}],
            [LineProblem(1, "invalid UTF-8", '{"t": "caf\ufffd"}')],
        ),
        (b'{"a": 1}{"b": 2}\n', [], [LineProblem(1, "not JSON", '{"a": 1}{"b": 2}')]),
        (b"<html>\n7\n", [7], [LineProblem(1, "not JSON", "<html>")]),
        (b"\n\nx\n", [], [LineProblem(3, "not JSON", "x")]),
        (b'{"cut": "of', [], [LineProblem(1, "not JSON", '{"cut": "of')]),
        (b"[" * 100_000 + b"\n7\n", [7], [LineProblem(1, "not JSON", "[" * 200)]),
    ],
)
def test_odd_streams(take, stream, values, problems):
    heard = Heard([stream], take)
    assert (heard.values, heard.problems) == (values, problems)


def test_a_value_is_given_as_soon_as_its_line_is_whole(take):
    decoder = LineDecoder()
    assert list(take(decoder, b'{"a":')) == []
    assert list(take(decoder, b" 1}")) == []
    assert list(take(decoder, b"\n2\n3")) == [{"a": 1}, 2]
    assert list(decoder.close()) == [3]


def test_the_limit_counts_the_line_without_its_end(take):
    assert Heard([b"12345\n"], take, max_line_bytes=5).outcome == ([12345], [], "None")
    heard = Heard([b"12345\n"], take, max_line_bytes=4)
    assert heard.values == []
    assert "line 1 of the stream is longer than 4 bytes" in str(heard.error)


@pytest.mark.parametrize("chunks", [[b"1\n2\n123456\n3\n"], [b"1\n2\n123", b"456"], [b"1\n2\n123456"]])
def test_lines_before_a_long_one_are_given_first(take, chunks):
    heard = Heard(chunks, take, max_line_bytes=5)
    assert heard.values == [1, 2]
    assert "line 3" in str(heard.error)


@pytest.mark.parametrize("limit", [1000, 100_000])
def test_an_endless_line_is_refused_before_it_is_whole(take, limit):
    decoder = LineDecoder(max_line_bytes=limit)
    for _ in range(10):
        assert list(take(decoder, b"x" * (limit // 10))) == []
    with pytest.raises(ValueError, match=f"longer than {limit} bytes"):
        list(take(decoder, b"x"))


@settings(max_examples=200, deadline=None)
@given(
    lengths=st.lists(st.sampled_from([1, 5, 99, 100, 101, 5000, 9999, 10_000, 10_001]), max_size=6),
    limit=st.sampled_from([100, 10_000]),
    ends=st.booleans(),
    rng=st.randoms(use_true_random=False),
)
def test_what_is_too_long_is_the_same_line_however_it_comes(lengths, limit, ends, rng):
    lines = [b"1" if length == 1 else b'"%s"' % (b"x" * (length - 2)) for length in lengths]
    stream = b"\n".join(lines) + (b"\n" if ends else b"")
    first = next((at for at, length in enumerate(lengths) if length > limit), None)
    told = "None" if first is None else str(LineTooLongError(first + 1, limit))
    for take in WAYS:
        heard = Heard(cut(stream, rng), take, max_line_bytes=limit)
        assert heard.outcome == ([json.loads(line) for line in lines[:first]], [], told)


@pytest.mark.parametrize("length", [1, 10_000])
def test_the_loader_can_be_another(take, length):
    chunks = [b"a" * length + b"\n!b\nc\n"]
    heard = Heard(chunks, take, loads=lambda line: line.decode() if line.isalpha() else json.loads(line))
    assert heard.values == ["a" * length, "c"]
    assert heard.problems == [LineProblem(2, "not JSON", "!b")]


def test_problems_are_logged_unless_somebody_listens(caplog):
    with caplog.at_level(logging.WARNING, "inferencesh"):
        assert list(LineDecoder().feed(b"oops\n")) == []
    assert [record.getMessage() for record in caplog.records] == ["stream line 1 is not JSON: 'oops'"]


def test_a_long_line_in_many_chunks_costs_no_more_than_linear_time(take):
    def seconds(size):
        line = b'"' + b"x" * size + b'"\n'
        chunks = [line[at : at + 64] for at in range(0, len(line), 64)]
        start = time.process_time()
        assert len(Heard(chunks, take).values[0]) == size
        return time.process_time() - start

    small = min(seconds(250_000) for _ in range(3))
    # Eight times the size: linear is 8, quadratic is 64.
    assert min(seconds(2_000_000) for _ in range(3)) < 24 * small


def test_the_random_cuts_include_every_byte_apart():
    assert any(len(cut(b"abcdefghijkl", random.Random(seed))) == 12 for seed in range(50))


@pytest.mark.parametrize("take", WAYS)
@settings(max_examples=50, deadline=None)
@given(
    lengths=st.lists(st.sampled_from([0, 1, 50, 9000, 40_000, 300_000]), max_size=8),
    rng=st.randoms(use_true_random=False),
)
def test_lines_long_and_short_in_turn_come_whole(take, lengths, rng):
    texts = [str(number) + "é" * length for number, length in enumerate(lengths)]
    stream = b"".join(json.dumps({"text": text}, ensure_ascii=False).encode() + b"\n" for text in texts)
    places = [rng.randrange(len(stream) + 1) for _ in range(8)] if stream else []
    edges = [0, *sorted(places), len(stream)]
    heard = Heard([stream[start:end] for start, end in pairwise(edges)], take)
    assert heard.values == [{"text": text} for text in texts]
    assert heard.problems == []


LONG_LINES = [
    (b'{"text": "caf\xe9 %s"}\n', "invalid UTF-8"),
    (b'{"text": "%s}\n', "not JSON"),
    (b'{"text": "%s"} {}\n', "not JSON"),
    (b'"\\x" "%s"\n', "not JSON"),
]


@pytest.mark.parametrize(("line", "reason"), LONG_LINES)
def test_a_long_line_that_is_not_clean_costs_only_itself(take, line, reason):
    stream = b"1\n" + line % (b"x" * 20_000) + b"2\n"
    heard = Heard([stream[:15_000], stream[15_000:]], take)
    kept = [value for value in heard.values if not isinstance(value, dict)]
    assert kept == [1, 2]
    assert [(problem.number, problem.reason) for problem in heard.problems] == [(2, reason)]
    assert len(heard.values) == (3 if reason == "invalid UTF-8" else 2)


def test_what_is_received_goes_into_one_buffer_that_grows_with_its_lines_and_no_further():
    decoder = LineDecoder()
    line = b'"' + b"x" * 1_000_000 + b'"\n'
    buffers = []
    for _ in range(5):
        assert [len(value) for value in received(decoder, line)] == [1_000_000]
        buffers.append(decoder.room()[0])
    assert all(buffer is buffers[0] for buffer in buffers)
    assert len(line) < len(buffers[0]) <= 3_000_000


@pytest.mark.parametrize(("at_once", "most"), [(60, 128 * 1024), (30_000, 128 * 1024), (50_000, 1280 * 1024)])
def test_short_lines_need_no_more_room_however_many_come(at_once, most):
    decoder = LineDecoder()
    stream = b'{"n": 123}\n' * (20 * at_once)
    count = 0
    for start in range(0, len(stream), at_once):
        count += sum(1 for _ in received(decoder, stream[start : start + at_once]))
        assert len(decoder.room()[0]) <= most
    assert count == 20 * at_once


def test_what_is_handed_over_whole_is_not_kept():
    decoder = LineDecoder()
    chunk = b'"%s"\n' % (b"x" * 100_000)
    before = sys.getrefcount(chunk)
    assert len(list(decoder.feed(chunk))) == 1
    assert sys.getrefcount(chunk) == before
