"""What an agent is made of, as callers write it and as it travels."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from inferencesh_core.json_codec import dumps, loads
from inferencesh_core.types import ContextField, CoreAppConfigInput, SkillConfig  # noqa: TC001 - looked at

from .tools.toolbox import Toolbox

if TYPE_CHECKING:
    from .outputs import OutputType


class AgentConfig(TypedDict, total=False):
    """An ad-hoc agent: the fields of `inferencesh_core.types.AgentConfigInput`, its tools as Python has them.

    ``tools`` takes what the tool builders give, with or without a handler, builders themselves, and plain
    typed functions; ``internal_tools`` takes a builder too; ``core_app`` given as text is its ``ref``.
    """

    name: str
    description: str
    system_prompt: str
    example_prompts: list[str]
    core_app: CoreAppConfigInput | str | None
    tools: Sequence[Any]
    skills: list[SkillConfig]
    context: list[ContextField]
    internal_tools: Any
    output_schema: Any


_TOLERATED = {
    "core_app_ref",
    "enable_autocomplete",
    "hooks",
    "max_tokens",
    "max_tool_iterations",
    "temperature",
}
"""What documents of other ages have beside the fields of `AgentConfig`; servers take it."""


class AgentSpec:
    """Who answers: a template by its reference, or a configuration of the caller's own.

    Args:
        who: What `client.agent` was given; it is copied, not kept.

    Raises:
        TypeError: it is neither, something in it has no JSON form, or a tool is none.
        ValueError: it is empty, or two tools have one name.
    """

    def __init__(self, who: str | AgentConfig | Mapping[str, Any]) -> None:
        if isinstance(who, str):
            if not who.strip():
                raise ValueError("an agent's reference is namespace/name@version, not an empty text")
            self.toolbox = Toolbox.of(())
            self._who: dict[str, Any] = {"agent": who}
        elif isinstance(who, Mapping):
            _warn_of_unknown(who)
            self.toolbox = Toolbox.of(who.get("tools") or ())
            self._who = _ad_hoc({**who}, self.toolbox)
        else:
            raise TypeError(f"an agent is a reference or a configuration, not {type(who).__name__}")

    def body(self, output: OutputType | None = None) -> dict[str, Any]:
        """Give what says who is asked.

        Args:
            output: What the agent is to finish with, where it does not say itself.
        """
        config = self._who.get("agent_config")
        if output is None or config is None or config.get("output_schema") is not None:
            return {**self._who}
        tools = {**(config.get("internal_tools") or {}), "finish": True}
        asked = {**config, "output_schema": output.schema, "internal_tools": tools}
        return {**self._who, "agent_config": asked}

    def __str__(self) -> str:
        return str(self._who.get("agent") or self._who.get("agent_name") or "ad hoc")


def _warn_of_unknown(config: Mapping[str, Any]) -> None:
    known = {*AgentConfig.__annotations__, *_TOLERATED}
    for name in map(str, config.keys() - known):
        from difflib import get_close_matches  # noqa: PLC0415 - a mistake is worth its import

        (nearest,) = get_close_matches(name, sorted(known), n=1, cutoff=0)
        warnings.warn(
            f"an agent's configuration has no {name!r}, so servers ignore it. Did you mean {nearest!r}?",
            UserWarning,
            # The line that makes the agent, by `client.agents.create` or `client.agent`.
            stacklevel=6,
        )


def _ad_hoc(config: dict[str, Any], toolbox: Toolbox) -> dict[str, Any]:
    if isinstance(config.get("core_app"), str):
        config["core_app"] = {"ref": config["core_app"]}
    if "tools" in config:
        config["tools"] = toolbox.schemas
    internal = config.get("internal_tools")
    if internal is not None and not isinstance(internal, Mapping) and hasattr(internal, "build"):
        config["internal_tools"] = internal.build()
    frozen = {name: _frozen(name, value) for name, value in config.items()}
    named = {"agent_name": frozen["name"]} if frozen.get("name") else {}
    return {"agent_config": frozen, **named}


def _frozen(name: str, value: Any) -> Any:
    """Give a copy nobody else holds, which has a JSON form."""
    try:
        return loads(dumps(value))
    except (TypeError, ValueError) as error:
        raise TypeError(f"the agent's {name} has no JSON form: {error}") from error


def chat_context(context: Mapping[str, str] | None) -> dict[str, str] | None:
    """Give a copy of a chat's context variables.

    Raises:
        TypeError: a name or a value is no text.
    """
    if context is None:
        return None
    if not isinstance(context, Mapping):
        raise TypeError(f"context is a dictionary of texts, not {type(context).__name__}")
    wrong = [name for name, value in context.items() if not {type(name), type(value)} <= {str}]
    if wrong:
        raise TypeError(f"context[{wrong[0]!r}] is {context[wrong[0]]!r:.80}; names and values are texts")
    return dict(context)
