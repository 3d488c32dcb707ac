"""What a failing response says, read from every shape the API and the proxies before it answer in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..json_codec import loads

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

_EXCERPT_CHARACTERS = 500


class Problem(NamedTuple):
    """A failing response, understood.

    Attributes:
        status: The HTTP status.
        code: The machine-readable kind in lower case (`not_found`, `session_expired`), None where absent.
        title: The short name of the kind, None where absent.
        detail: What happened, for people; None where the body has no such text.
        body_text: The whole body as text.
        errors: The missing requirements of a 412, None on any other response.
        retry_after: Seconds to wait before the next try, None where the server does not say.
        raw: The body, if it is a JSON object.
    """

    status: int
    code: str | None
    title: str | None
    detail: str | None
    body_text: str
    errors: list[dict[str, Any]] | None
    retry_after: float | None
    raw: dict[str, Any] | None

    @property
    def message(self) -> str:
        """The best text there is: detail, title, the body (shortened unless JSON), or `Request failed`."""
        text = self.body_text if self.raw else self.body_text[:_EXCERPT_CHARACTERS]
        return self.detail or self.title or text.strip() or "Request failed"


def parse_problem(status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> Problem:
    """Read a failing response; `now` (seconds since 1970) stands in where it has no `Date` of its own.

    The body is judged by what it is, not by its label: problem documents arrive as `application/json` too.
    """
    text = body.decode(errors="replace")
    raw = _json_object(body)
    return Problem(
        status=status,
        code=_code(raw or {}),
        title=_text(raw or {}, "title"),
        detail=_detail(raw or {}),
        body_text=text,
        errors=_requirements(raw) if status == 412 and raw is not None else None,
        retry_after=_retry_after({name.lower(): value for name, value in headers.items()}, now),
        raw=raw,
    )


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        value = loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _text(raw: dict[str, Any], name: str) -> str | None:
    value = raw.get(name)
    return value if isinstance(value, str) and value else None


def _error_member(raw: dict[str, Any]) -> dict[str, Any]:
    error = raw.get("error")
    return error if isinstance(error, dict) else {}


def _code(raw: dict[str, Any]) -> str | None:
    code = _text(raw, "code") or _text(_error_member(raw), "code") or _last_segment(_text(raw, "type"))
    return code.lower() if code else None


def _last_segment(problem_type: str | None) -> str | None:
    if problem_type is None or problem_type == "about:blank":
        return None
    return problem_type.rstrip("/").rpartition("/")[2] or None


def _detail(raw: dict[str, Any]) -> str | None:
    return (
        _text(raw, "detail")
        or _text(_error_member(raw), "message")
        or _text(raw, "error")
        or _text(raw, "message")
    )


def _requirements(raw: dict[str, Any]) -> list[dict[str, Any]] | None:
    if "errors" not in raw:
        return None
    errors = raw["errors"]
    return [item for item in errors if isinstance(item, dict)] if isinstance(errors, list) else []


def _retry_after(headers: dict[str, str], now: float) -> float | None:
    value = headers.get("retry-after", "").strip()
    if value.replace(".", "", 1).isdecimal():
        return float(value)
    moment = _http_date(value)
    if moment is None:
        return None
    # The server's own clock is the one its date was made with.
    sent = _http_date(headers.get("date", ""))
    return max(0.0, moment.timestamp() - (sent.timestamp() if sent else now))


def _http_date(value: str) -> datetime | None:
    if not value:
        return None
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - heavy, and dates are rare here

    try:
        return parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
