"""`POST /apps/run`: the body, checked and typed (wire protocol 2.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timezone
from types import NoneType
from typing import Any
from urllib.parse import urlsplit

from .encoded import Encoded
from .problems import Problem
from .session import MAX_TIMEOUT_SECONDS, NEW
from .values import value

MAX_URL_CHARS = 2048
INFRAS = ("private", "cloud", "private_first")

_FRACTION = re.compile(r"\.(\d+)", re.ASCII)


@value(frozen=True, kw_only=True)
class RunRequest:
    """What a caller asks to run; unknown members of the body are ignored.

    Attributes:
        app, app_id, version_id: One of them names the app.
        run_at: Unix time before which the task does not start.
        variant: A word older clients send; kept, without effect.
        session: `new`, or the id of the session to call; None for a task without one.
        session_timeout: The idle time-out of the new session in seconds; None is the default.
    """

    app: str | None
    app_id: str | None
    version_id: str | None
    input: Encoded
    setup: Encoded
    metadata: Encoded
    function: str | None
    infra: str
    workers: tuple[str, ...] | None
    webhook: str | None
    run_at: float | None
    variant: str
    session: str | None
    session_timeout: int | None


def parse_run(body: Mapping[str, Any]) -> RunRequest:
    """The request in the body; raises Problem 422 naming the member that is wrong."""
    app, app_id, version_id = (_text(body, name) for name in ("app", "app_id", "version_id"))
    if not (app or app_id or version_id):
        raise _wrong("app", "a reference like namespace/name", body.get("app"))
    for name in ("wait", "stream"):
        if not isinstance(body.get(name), (bool, NoneType)):
            raise _wrong(name, "true, false or null", body[name])
    session, run_at = _text(body, "session") or None, _time(body, "run_at")
    if session is not None and run_at is not None:
        raise Problem(422, "invalid_request", "a call of a session has no run_at: calls run in order")
    return RunRequest(
        app=app,
        app_id=app_id,
        version_id=version_id,
        input=_encoded(body, "input"),
        setup=_object(body, "setup"),
        metadata=_encoded(body, "metadata"),
        function=_text(body, "function") or None,
        infra=_infra(body),
        workers=_workers(body),
        webhook=_webhook(body),
        run_at=run_at,
        variant=_text(body, "variant") or "",
        session=session,
        session_timeout=_session_timeout(body, session),
    )


def _wrong(name: str, expected: str, value: Any) -> Problem:
    return Problem(422, "invalid_request", f"{name} must be {expected}, not {value!r:.100}", field=name)


def _text(body: Mapping[str, Any], name: str) -> str | None:
    value = body.get(name)
    if value is not None and not (isinstance(value, str) and _is_unicode(value)):
        raise _wrong(name, "a text or null", value)
    return value


def _infra(body: Mapping[str, Any]) -> str:
    infra = _text(body, "infra") or "private"
    if infra not in INFRAS:
        raise _wrong("infra", f"one of {', '.join(INFRAS)}", infra)
    return infra


def _webhook(body: Mapping[str, Any]) -> str | None:
    url = _text(body, "webhook") or None
    if url is not None and not _is_web_address(url):
        raise _wrong("webhook", f"an http or https URL of at most {MAX_URL_CHARS} characters", url)
    return url


def _is_web_address(url: str) -> bool:
    if len(url) > MAX_URL_CHARS or any(char.isspace() or not char.isprintable() for char in url):
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _is_unicode(value: str) -> bool:
    """JSON can say half a surrogate pair, which no database or file name can."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _encoded(body: Mapping[str, Any], name: str) -> Encoded:
    try:
        return Encoded.of(body.get(name))
    except ValueError as error:
        raise Problem(422, "invalid_request", f"{name} is not plain JSON: {error}", field=name) from error


def _object(body: Mapping[str, Any], name: str) -> Encoded:
    if not isinstance(body.get(name), (dict, NoneType)):
        raise _wrong(name, "an object or null", body[name])
    return _encoded(body, name)


def _workers(body: Mapping[str, Any]) -> tuple[str, ...] | None:
    value = body.get("workers")
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(name, str) and _is_unicode(name) for name in value):
        raise _wrong("workers", "a list of worker ids or null", value)
    return tuple(value)


def _session_timeout(body: Mapping[str, Any], session: str | None) -> int | None:
    value = body.get("session_timeout")
    if value is None:
        return None
    if type(value) is not int or not 1 <= value <= MAX_TIMEOUT_SECONDS:
        raise _wrong("session_timeout", f"a whole number of seconds from 1 to {MAX_TIMEOUT_SECONDS}", value)
    if session != NEW:
        detail = f"session_timeout goes with session: {NEW!r} only; a session keeps the one it began with"
        raise Problem(422, "invalid_request", detail, field="session_timeout")
    return value


def _time(body: Mapping[str, Any], name: str) -> float | None:
    value = _text(body, name)
    if not value:
        return None
    try:
        at = datetime.fromisoformat(_FRACTION.sub(_microseconds, value.replace("Z", "+00:00")))
        return (at if at.tzinfo else at.replace(tzinfo=timezone.utc)).astimezone(timezone.utc).timestamp()
    except (ValueError, OverflowError):
        raise _wrong(name, "an RFC 3339 time like 2026-03-01T09:00:00Z", value) from None


def _microseconds(fraction: re.Match[str]) -> str:
    """Six digits: Python 3.10 takes no other number of them but three."""
    return f".{fraction[1]:0<6.6}"
