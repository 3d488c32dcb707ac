"""What went wrong in an app, in words: one line for the task, the app's traceback for its logs."""

from __future__ import annotations

import asyncio
import concurrent.futures
import importlib
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from pydantic import ValidationError

    from .protocol import FailureKind

MAX_ERROR_CHARS = 2000
MAX_FIELDS_NAMED = 5

_MACHINERY = tuple(
    str(Path(file).parent)
    for file in (
        str(Path(__file__).parent),
        asyncio.__file__,
        concurrent.futures.__file__,
        importlib.__file__,
    )
)


class CallFailed(Exception):  # noqa: N818 - it is an outcome, sent to the engine
    """A call without a result: the kind of failure, one line about it, and the app's traceback if any."""

    def __init__(self, kind: FailureKind, error: str, trace: str = "") -> None:
        super().__init__(error)
        self.kind: FailureKind = kind
        self.error, self.trace = one_line(error), trace


def one_line(text: str) -> str:
    """The text without line breaks and lone surrogates, cut to a bounded length."""
    line = " ".join(text.encode("utf-8", "replace").decode().split())
    return line if len(line) <= MAX_ERROR_CHARS else f"{line[: MAX_ERROR_CHARS - 1]}…"


def error_line(error: BaseException, doing: str) -> str:
    """The message an app raised. Exceptions that speak only by their name are named; `doing` says where."""
    if isinstance(error, SystemExit):
        return f"{doing} called sys.exit({'' if error.code is None else error.code})"
    message = str(error)
    named = not message or isinstance(error, LookupError)
    return one_line(
        f"{type(error).__name__}: {message}" if named and message else message or type(error).__name__
    )


def app_traceback(error: BaseException) -> str:
    """The traceback from the app's first frame on."""
    lines = traceback.format_exception(type(error), error, _app_frames(error.__traceback__))
    return "".join(lines).encode("utf-8", "replace").decode()


def field_errors(error: ValidationError) -> str:
    """The fields at fault, each with what is wrong. Values are left out: they may be secret or long."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    named = [
        f"{'.'.join(map(str, each['loc'])) or 'value'}: {each['msg']}" for each in found[:MAX_FIELDS_NAMED]
    ]
    more = len(found) - len(named)
    return "; ".join(named) + (f"; and {more} more" if more else "")


def _app_frames(trace: TracebackType | None) -> TracebackType | None:
    while trace and _is_machinery(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    return trace


def _is_machinery(filename: str) -> bool:
    return filename.startswith((*_MACHINERY, "<frozen importlib"))
