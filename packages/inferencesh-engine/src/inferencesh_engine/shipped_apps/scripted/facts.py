"""What stands in a text: names, numbers, addresses, dates, quotations, in order."""

from __future__ import annotations

import re

from .words import EMPTY, words

# Each begins where a word does, so that a long word is not tried from each of its letters.
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_URL = re.compile(r"https?://[^\s<>\"']*[^\s<>\"'.,;:!?)]")
_DATE = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?")
_QUOTED = re.compile(r"\"([^\"]+)\"|“([^”]+)”|`([^`]+)`|(?<!\w)'([^']+)'(?!\w)")
_CAPITALISED = re.compile(r"[^\W\d_][\w-]*(?:'(?!s\b)\w+)*")
_PLACED = re.compile(r"\b(?:in|at|to|from|near|for)\s+$")
_VALUE = r"\s*(?:=|:|\bis\b|\bto\b)\s*(?:\"([^\"]+)\"|([^\s,;]+))"
_PAIR = re.compile(rf"(?<![\w-])([\w-]+){_VALUE}")
_MAX_CHARS = 20_000
_LONGEST_PREPOSITION = len(" from  ")


class Facts:
    """The values in the first 20,000 characters of a text, each in the order in which it stands there.

    Attributes:
        text: The whole text.
        names: Runs of capitalised words, without those that only open a sentence.
        places: The names that follow `in`, `at`, `to`, `from`, `near` or `for`.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._read = text = text[:_MAX_CHARS].replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
        self.emails = _EMAIL.findall(text)
        self.urls = _URL.findall(text)
        self.dates = _DATE.findall(text)
        self.quoted = ["".join(groups) for groups in _QUOTED.findall(text)]
        bare = _without(text, _EMAIL, _URL, _DATE)
        self.numbers = [float(number) for number in _NUMBER.findall(bare)]
        runs = _names(bare)
        self.names = [name for name, _ in runs]
        self.places = [
            name for name, start in runs if _PLACED.search(bare, max(0, start - _LONGEST_PREPOSITION), start)
        ]

    def labelled(self, label: str) -> str | None:
        """What the text says a label is, as in `age: 36`, `key=blue` and `the name is "Ada"`."""
        name = r"[\s_-]+".join(map(re.escape, re.split(r"[\s_-]+", label)))
        said = re.search(rf"\b{name}{_VALUE}", self._read, re.IGNORECASE)
        return (said[1] or said[2].rstrip(".!?")) if said else None

    def pair(self) -> tuple[str, str] | None:
        """The first name with a value, as in `colour is blue`."""
        said = _PAIR.search(self._read)
        return (said[1], said[2] or said[3].rstrip(".!?")) if said else None

    def last_word(self) -> str:
        """The last word that means something; the whole text when there is none."""
        return next((word for word in reversed(words(self._read)) if word not in EMPTY), self.text)


def _without(text: str, *patterns: re.Pattern[str]) -> str:
    for pattern in patterns:
        text = pattern.sub(lambda found: " " * len(found[0]), text)
    return text


def _names(text: str) -> list[tuple[str, int]]:
    runs: list[tuple[str, int, int]] = []
    for word in _CAPITALISED.finditer(text):
        if not word[0][0].isupper() or word[0].lower() in EMPTY:
            continue
        if runs and text[runs[-1][2] : word.start()] == " ":
            runs[-1] = (f"{runs[-1][0]} {word[0]}", runs[-1][1], word.end())
        else:
            runs.append((word[0], word.start(), word.end()))
    return [(name, start) for name, start, _ in runs]
