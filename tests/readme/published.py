"""The README of 0.7.8, its code blocks by name, and how one is run."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .markdown import blocks_of

if TYPE_CHECKING:
    from types import CodeType

    from .markdown import Block

HERE = Path(__file__).parent
BLOCKS = {block.name: block for block in blocks_of(HERE / "published.md")}


def execute(name: str, scope: dict[str, Any], *replacements: tuple[str, str]) -> dict[str, Any]:
    """Run a block as it stands in the document, but for the given texts."""
    exec(_compiled(name, replacements), scope)
    return scope


async def execute_awaiting(name: str, scope: dict[str, Any]) -> dict[str, Any]:
    """Run a block that awaits outside of any function, as in a notebook."""
    await eval(_compiled(name, (), ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), scope)
    return scope


def _compiled(name: str, replacements: tuple[tuple[str, str], ...], flags: int = 0) -> CodeType:
    block: Block = BLOCKS[name]
    code = block.code
    for text, replacement in replacements:
        assert text in code
        code = code.replace(text, replacement)
    return compile("\n" * (block.line - 1) + code, "published.md", "exec", flags)
