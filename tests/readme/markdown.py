"""The fenced code blocks of a Markdown document, with the headings they stand under."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


class Block(NamedTuple):
    """One code block; ``number`` counts the blocks under its heading, from 1."""

    heading: str
    number: int
    language: str
    code: str
    line: int

    @property
    def name(self) -> str:
        return f"{self.heading} {self.number}"


def blocks_of(path: Path) -> list[Block]:
    """Give the blocks of a document, in order. Lines inside blocks are no headings."""
    text = path.read_text(encoding="utf-8")
    blocks: list[Block] = []
    heading, end = "", 0
    for fence in _FENCE.finditer(text):
        for found in _HEADING.finditer(text, end, fence.start()):
            heading = found[1]
        end = fence.end()
        number = sum(block.heading == heading for block in blocks) + 1
        line = text.count("\n", 0, fence.start()) + 2
        blocks.append(Block(heading, number, fence[1], fence[2], line))
    return blocks
