"""Words of a message, and which of them carry no meaning of their own."""

from __future__ import annotations

import re

_APOSTROPHES = "'\N{RIGHT SINGLE QUOTATION MARK}"
_WORD = re.compile(rf"[^\W_]+(?:[{_APOSTROPHES}][^\W_]+)*")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_]+|\d+")
_ENDINGS = ("ing", "ed", "es", "s", "e")
_SHORTEST_STEM = 3

_FUNCTION_WORDS = """
a about above all an and any are as at be by can could did do does for from had has have he hello hey hi how
i if in into is it its let me my near no not of off on or our please she so some than thank thanks that the
their them then there these they this those to up us was we were what what's when where which who why will
with would yes you your
"""
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())

# Verbs that open a request: capitalised they are no names, and alone they do not say what it is about.
_REQUEST_VERBS = """
add analyze ask book call check compute convert create describe extract fetch find get give list look make
pick read remember run say send set show summarize tell translate use using write
"""
REQUEST_VERBS = frozenset(_REQUEST_VERBS.split())

EMPTY = FUNCTION_WORDS | REQUEST_VERBS


def words(text: str) -> list[str]:
    """The words of a text, in lower case."""
    return [word.lower().replace(_APOSTROPHES[1], "'") for word in _WORD.findall(text)]


def stems(text: str, besides: frozenset[str] = EMPTY) -> set[str]:
    """What the words besides some come from; `getWeather` and `get_weather` are two words each."""
    parts = [*words(text), *(part.lower() for part in _PART.findall(text))]
    return {_stem(word) for word in parts if word not in besides}


def _stem(word: str) -> str:
    word = word.removesuffix("'s")
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM:
            return word.removesuffix(ending)
    return word
