"""What a handler raised, as people are shown it in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from types import FrameType, TracebackType

    ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None]

_ON_THE_WAY = frozenset(
    {"asyncio", "concurrent", "inferencesh_agents", "inferencesh_async", "inferencesh_core"}
)
"""The packages whose frames stand between a call and its handler."""


def exc_info_of(error: Exception) -> ExcInfo:
    """Give what `logging` takes as ``exc_info``, its traceback beginning with the handler's first own frame.

    The traceback is whole when there is no such frame: the handler could not even be entered.
    """
    traceback = error.__traceback__
    while traceback is not None and _is_on_the_way(traceback.tb_frame):
        traceback = traceback.tb_next
    return type(error), error, traceback or error.__traceback__


def _is_on_the_way(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).partition(".")[0] in _ON_THE_WAY
