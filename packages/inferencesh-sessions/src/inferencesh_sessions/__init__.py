"""Sessions of the inference.sh SDK: apps whose memory lasts from call to call.

with client.session("namespace/name", input={}) as session:
    session.call("step", {"x": 1})

Installing the package is enough: clients find it and have ``client.session`` and ``client.sessions``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferencesh_core.lazy import lazy_names

if TYPE_CHECKING:
    from inferencesh_core.errors import SessionEndedError as SessionEndedError
    from inferencesh_core.errors import SessionError as SessionError
    from inferencesh_core.errors import SessionExpiredError as SessionExpiredError
    from inferencesh_core.errors import SessionNotFoundError as SessionNotFoundError
    from inferencesh_core.errors import WorkerLostError as WorkerLostError

    from .handles import AsyncSessionHandle as AsyncSessionHandle
    from .handles import SessionHandle as SessionHandle
    from .opening import AsyncOpenSession as AsyncOpenSession
    from .opening import OpenSession as OpenSession
    from .sessions import AsyncSessionsAPI as AsyncSessionsAPI
    from .sessions import SessionsAPI as SessionsAPI

else:
    __getattr__ = lazy_names(
        __name__,
        {
            "inferencesh_core.errors": (
                "SessionEndedError SessionError SessionExpiredError SessionNotFoundError WorkerLostError"
            ),
            ".handles": "AsyncSessionHandle SessionHandle",
            ".opening": "AsyncOpenSession OpenSession",
            ".sessions": "AsyncSessionsAPI SessionsAPI",
        },
    )

__all__ = [
    "AsyncOpenSession",
    "AsyncSessionHandle",
    "AsyncSessionsAPI",
    "OpenSession",
    "SessionEndedError",
    "SessionError",
    "SessionExpiredError",
    "SessionHandle",
    "SessionNotFoundError",
    "SessionsAPI",
    "WorkerLostError",
]


def __dir__() -> list[str]:
    return __all__
