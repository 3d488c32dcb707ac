"""The README of 0.7.8, its code blocks by name, and how one is run."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .markdown import blocks_of

if TYPE_CHECKING:
    from types import CodeType

HERE = Path(__file__).parent
BLOCKS = {block.name: block for block in blocks_of(HERE / "published.md")}


def execute(name: str, scope: dict[str, Any], *replacements: tuple[str, str]) -> dict[str, Any]:
    """Run a block as it stands in the document, but for the given texts."""
    code = BLOCKS[name].code
    for text, replacement in replacements:
        assert text in code
        code = code.replace(text, replacement)
    exec(_compiled(name, code), scope)
    return scope


async def execute_awaiting(name: str, scope: dict[str, Any]) -> dict[str, Any]:
    """Run a block that awaits outside of any function, as in a notebook."""
    await _run(name, BLOCKS[name].code, scope)
    return scope


async def execute_asynchronously(name: str, scope: dict[str, Any]) -> dict[str, Any]:
    """Run a block about agents with the asynchronous client in place of the other."""
    code = re.sub(r"\binference\b(?=[,(])", "async_inference", BLOCKS[name].code)
    code = re.sub(r"agent\.(send_message|run|upload_file)\(", r"await agent.\1(", code)
    code = re.sub(r"\bfor(?= \w+ in agent\.)", "async for", code)
    await _run(name, code, scope)
    return scope


async def _run(name: str, code: str, scope: dict[str, Any]) -> None:
    awaiting = eval(_compiled(name, code, ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), scope)
    if awaiting is not None:
        await awaiting


def _compiled(name: str, code: str, flags: int = 0) -> CodeType:
    return compile("\n" * (BLOCKS[name].line - 1) + code, "published.md", "exec", flags)
