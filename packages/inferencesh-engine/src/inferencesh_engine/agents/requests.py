"""What a caller says: the body of `POST /agents/run` and of its relatives, read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..domain.problems import Problem

if TYPE_CHECKING:
    from ..domain.chat import Part

_SETTINGS = (
    "model",
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "frequency_penalty",
    "presence_penalty",
    "repetition_penalty",
    "seed",
    "stop",
    "max_tokens",
    "context_size",
    "tool_choice",
    "response_format",
    "reasoning",
    "reasoning_effort",
    "reasoning_max_tokens",
    "system_prompt",
    "context",
)
_MAX_DEPTH = 100
_ROLES = ("user", "system")


@dataclass(frozen=True, kw_only=True)
class NewMessage:
    """A user's message.

    Attributes:
        parts: `ChatMessageContent`s: the text, then images and files.
        settings: What goes to the core app besides.
    """

    role: str = "user"
    parts: tuple[Part, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class AgentChoice:
    """Which agent is meant: a template by reference or ids, or a configuration."""

    ref: str | None = None
    agent_id: str | None = None
    version_id: str | None = None
    config: Mapping[str, Any] | None = None
    name: str = ""

    @property
    def given(self) -> bool:
        """Whether any is."""
        return bool(self.ref or self.agent_id or self.version_id or self.config is not None)


@dataclass(frozen=True, kw_only=True)
class AgentRun:
    """A message for a chat that exists (`chat_id`), or for a new one with this agent and context."""

    chat_id: str | None
    agent: AgentChoice
    context: Mapping[str, Any] | None
    message: NewMessage


def check_depth(body: Any) -> None:
    """Raise Problem 422 for what is nested deeper than any agent, schema or message needs to be."""
    level = [body]
    for _ in range(_MAX_DEPTH):
        containers = [one.values() if isinstance(one, dict) else one for one in level]
        level = [each for values in containers for each in values if isinstance(each, (dict, list))]
        if not level:
            return
    raise Problem(422, "invalid_request", f"the body is nested deeper than {_MAX_DEPTH} levels")


def parse_agent_run(body: Mapping[str, Any]) -> AgentRun:
    """The request in the body; raises Problem 422 naming the member that is wrong."""
    run = AgentRun(
        chat_id=_text(body, "chat_id") or None,
        agent=parse_choice(body),
        context=_typed(body, "context", dict, "an object of texts"),
        message=parse_message(body.get("input")),
    )
    if run.chat_id is None and not run.agent.given:
        detail = "a new chat needs agent, a reference like namespace/name, or agent_config"
        raise Problem(422, "invalid_request", detail, field="agent")
    return run


def parse_choice(body: Mapping[str, Any]) -> AgentChoice:
    """The agent that a body names; `agent` may also be an object with those names."""
    agent = body.get("agent")
    if isinstance(agent, dict):
        return _choice_object(agent)
    return AgentChoice(
        ref=_text(body, "agent") or None,
        agent_id=_text(body, "agent_id") or None,
        version_id=_text(body, "agent_version_id") or None,
        config=_typed(body, "agent_config", dict, "an object"),
        name=_text(body, "agent_name") or "",
    )


def _choice_object(agent: Mapping[str, Any]) -> AgentChoice:
    if "core_app" in agent:
        return AgentChoice(config=agent)
    ref, agent_id, version_id = (_text(agent, name) or None for name in ("ref", "id", "version_id"))
    return AgentChoice(ref=ref, agent_id=agent_id, version_id=version_id)


def parse_message(given: Any) -> NewMessage:
    """The message, which comes as a text or as a `ChatTaskInput`."""
    if isinstance(given, str):
        given = {"text": given}
    if not isinstance(given, dict):
        raise _wrong("input", "an object with a text", given)
    role = _text(given, "role") or "user"
    if role not in _ROLES:
        raise _wrong("input.role", " or ".join(_ROLES), role)
    parts = (*_said(_text(given, "text") or ""), *_attached(given))
    if not parts:
        raise _wrong("input.text", "something to say, or files", None)
    return NewMessage(role=role, parts=parts, settings=_settings(given))


def _said(text: str) -> tuple[Part, ...]:
    return ({"type": "text", "text": text},) if text else ()


def _attached(given: Mapping[str, Any]) -> list[Part]:
    """Files in each of the three ways clients give them (wire protocol 5.2)."""
    parts = [_part(one, "") for one in _list(given, "attachments")]
    parts += [_part(one, "image") for one in _list(given, "images")]
    return parts + [_part(one, "file") for one in _list(given, "files")]


def _part(file: Any, kind: str) -> Part:
    uri = file.get("uri") if isinstance(file, dict) else file
    if not (isinstance(uri, str) and uri):
        raise _wrong("input.attachments", "files with a uri", file)
    content_type = str(file.get("content_type") or "") if isinstance(file, dict) else ""
    kind = kind or ("image" if content_type.startswith("image/") else "file")
    return {"type": kind, kind: uri}


def _settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """What is set: an empty text, zero or nothing means that it is not (wire protocol 5.2)."""
    said = {name: given.get(name) for name in _SETTINGS}
    kept_zero = ("temperature", "seed", "top_p")
    return {
        name: value
        for name, value in said.items()
        if value or (value is not None and name in kept_zero and value is not False)
    }


def _text(body: Mapping[str, Any], name: str) -> str | None:
    value: str | None = _typed(body, name, str, "a text")
    if value is not None and any("\ud800" <= char <= "\udfff" for char in value):
        raise _wrong(name, "a text", value)
    return value


def _list(body: Mapping[str, Any], name: str) -> list[Any]:
    return _typed(body, name, list, "a list") or []


def _typed(body: Mapping[str, Any], name: str, kind: type, expected: str) -> Any:
    value = body.get(name)
    if value is not None and not isinstance(value, kind):
        raise _wrong(name, expected, value)
    return value


def _wrong(name: str, expected: str, value: Any) -> Problem:
    return Problem(422, "invalid_request", f"{name} must be {expected}, not {value!r:.100}", field=name)
