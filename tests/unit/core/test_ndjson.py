import json
import logging
import random
import time

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


class Heard:
    """A decoder's values and problems, from whole chunks."""

    def __init__(self, chunks, **options):
        self.problems = []
        decoder = LineDecoder(on_problem=self.problems.append, **options)
        self.values = [value for chunk in chunks for value in decoder.feed(chunk)]
        self.values += decoder.close()


def cut(stream, rng):
    """The stream in chunks, cut at up to eight random places or, one time in eight, at every byte."""
    if rng.randrange(8) == 0:
        return [stream[at : at + 1] for at in range(len(stream))]
    places = sorted(rng.randint(0, len(stream)) for _ in range(rng.randint(0, 8)))
    return [stream[start:end] for start, end in zip([0, *places], [*places, len(stream)], strict=True)]


def test_no_framing_of_ten_thousand_loses_or_changes_a_value():
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
            heard = Heard(cut(stream, rng))
            assert heard.values == values
            assert heard.problems == []

    nothing_is_lost()
    assert framings >= 10_000


@settings(max_examples=100, deadline=None)
@given(noise=st.binary(max_size=60), rng=st.randoms(use_true_random=False))
def test_garbage_around_good_lines_costs_only_itself(noise, rng):
    stream = b'{"n": 1}\n' + noise.replace(b"\n", b"") + b'x\n{"n": 2}\n'
    heard = Heard(cut(stream, rng))
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
def test_odd_streams(stream, values, problems):
    heard = Heard([stream])
    assert (heard.values, heard.problems) == (values, problems)


def test_a_value_is_given_as_soon_as_its_line_is_whole():
    decoder = LineDecoder()
    assert list(decoder.feed(b'{"a":')) == []
    assert list(decoder.feed(b" 1}")) == []
    assert list(decoder.feed(b"\n2\n3")) == [{"a": 1}, 2]
    assert list(decoder.close()) == [3]


def test_the_limit_counts_the_line_without_its_end():
    assert Heard([b"12345\n"], max_line_bytes=5).values == [12345]
    with pytest.raises(LineTooLongError, match=r"line 1 .* longer than 4 bytes"):
        Heard([b"12345\n"], max_line_bytes=4)


@pytest.mark.parametrize("chunks", [[b"1\n2\n123456\n3\n"], [b"1\n2\n123", b"456"], [b"1\n2\n123456"]])
def test_lines_before_a_long_one_are_given_first(chunks):
    decoder, values = LineDecoder(max_line_bytes=5), []
    with pytest.raises(LineTooLongError, match="line 3"):
        values.extend(value for chunk in chunks for value in decoder.feed(chunk))
    assert values == [1, 2]


def test_an_endless_line_is_refused_before_it_is_whole():
    decoder = LineDecoder(max_line_bytes=1000)
    for _ in range(10):
        assert list(decoder.feed(b"x" * 100)) == []
    with pytest.raises(ValueError, match="longer than 1000 bytes"):
        list(decoder.feed(b"x"))


def test_the_loader_can_be_another():
    heard = Heard([b"a\n!b\nc\n"], loads=lambda line: line.decode() if line.isalpha() else json.loads(line))
    assert heard.values == ["a", "c"]
    assert heard.problems == [LineProblem(2, "not JSON", "!b")]


def test_problems_are_logged_unless_somebody_listens(caplog):
    with caplog.at_level(logging.WARNING, "inferencesh"):
        assert list(LineDecoder().feed(b"oops\n")) == []
    assert [record.getMessage() for record in caplog.records] == ["stream line 1 is not JSON: 'oops'"]


def test_a_long_line_in_many_chunks_costs_no_more_than_linear_time():
    def seconds(size):
        line = b'"' + b"x" * size + b'"\n'
        chunks = [line[at : at + 64] for at in range(0, len(line), 64)]
        start = time.process_time()
        assert len(Heard(chunks).values[0]) == size
        return time.process_time() - start

    small = min(seconds(250_000) for _ in range(3))
    # Eight times the size: linear is 8, quadratic is 64.
    assert min(seconds(2_000_000) for _ in range(3)) < 24 * small


def test_the_random_cuts_include_every_byte_apart():
    assert any(len(cut(b"abcdefghijkl", random.Random(seed))) == 12 for seed in range(50))


@settings(max_examples=50, deadline=None)
@given(
    lengths=st.lists(st.sampled_from([0, 1, 50, 9000, 40_000]), max_size=8),
    rng=st.randoms(use_true_random=False),
)
def test_lines_long_and_short_in_turn_come_whole(lengths, rng):
    texts = [str(number) + "x" * length for number, length in enumerate(lengths)]
    stream = b"".join(json.dumps({"text": text}).encode() + b"\n" for text in texts)
    heard = Heard(cut(stream, rng))
    assert heard.values == [{"text": text} for text in texts]
    assert heard.problems == []
