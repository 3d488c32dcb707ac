"""Scripts: what the app answers, step by step. The n-th step is the n-th answer of the conversation."""

from __future__ import annotations

import re
from textwrap import indent
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from inferencesh_app.yaml_document import YamlProblem, read_yaml

from .reply import Reply, ToolUse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .conversation import Conversation

FINISH = "finish"

_FENCED = re.compile(r"^[ \t]*```script[ \t]*\n(.*?)^[ \t]*```[ \t]*$", re.DOTALL | re.MULTILINE)
_MAX_CHUNKS = 1000


class ScriptError(ValueError):
    """A script in a system prompt that cannot be read; says in which of its lines and why."""


class ScriptedCall(BaseModel):
    """A call of a tool."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    tool: str = Field(description="the name of the tool, offered or not")
    arguments: dict[str, Any] | str | None = Field(
        default=None,
        alias="with",
        description="its arguments, or text that is sent as it is; without, they are taken from the message",
    )


class Step(BaseModel):
    """One answer. Several of its parts may be given together; `fail` comes after what is said."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    say: str = Field(
        default="", description="the text; {message} is what the user said, {result} the newest tool result"
    )
    reason: str | None = Field(default=None, description="the reasoning before it")
    call: str | None = Field(default=None, description="the tool to call")
    arguments: dict[str, Any] | str | None = Field(
        default=None, alias="with", description="the arguments of `call`, as in `calls`"
    )
    calls: list[ScriptedCall] = Field(default=[], description="several calls at once")
    finish: dict[str, Any] | None = Field(default=None, description="arguments to call `finish` with")
    fail: str | None = Field(default=None, description="the error to fail with")
    chunks: int = Field(default=4, ge=1, le=_MAX_CHUNKS, description="in how many pieces the text comes")
    pause_seconds: float = Field(default=0.0, ge=0.0, description="the time before each piece")
    repeat: bool = Field(default=False, description="answer like this from here on, for ever")


def scripted_step(script: Sequence[Step], answers: int) -> Step | None:
    """The step for a conversation with so many answers; None when the script is over."""
    repeated = next((step for step in script[: answers + 1] if step.repeat), None)
    if repeated is not None or answers >= len(script):
        return repeated
    return script[answers]


def script_in(prompt: str) -> list[Step]:
    """The steps in a system prompt, a YAML list between lines with ```script and ```; empty without one.

    Raises:
        ScriptError: It is no list of steps.
    """
    fenced = _FENCED.search(prompt)
    if fenced is None:
        return []
    try:
        steps = read_yaml(f"steps:\n{indent(fenced[1], '  ')}".encode())["steps"]
        return [_step(item.plain(), place) for place, item in enumerate(steps.items(), 1)]
    except YamlProblem as problem:
        place = f", line {problem.line - 1}" if problem.line else ""
        raise ScriptError(f"the script in the system prompt{place}: {problem.what}") from None


def _step(value: Any, place: int) -> Step:
    try:
        return Step.model_validate(value)
    except ValidationError as error:
        wrong = error.errors()[0]
        where = ".".join(map(str, wrong["loc"]))
        raise ScriptError(
            f"the script in the system prompt, step {place}: {where or 'it'}: {wrong['msg']}"
        ) from None


def reply_of(step: Step, conversation: Conversation, fill: Callable[[str], Mapping[str, Any]]) -> Reply:
    """The answer of a step; `fill` finds arguments for a tool whose call has none."""
    asked = [ScriptedCall(tool=step.call, **{"with": step.arguments})] if step.call else []
    if step.finish is not None:
        asked.append(ScriptedCall(tool=FINISH, **{"with": step.finish}))
    calls = [
        ToolUse(call.tool, fill(call.tool) if call.arguments is None else _told(call.arguments, conversation))
        for call in (*asked, *step.calls)
    ]
    return Reply(
        text=_told(step.say, conversation),
        reasoning=step.reason,
        calls=tuple(calls),
        chunks=step.chunks,
        pause_seconds=step.pause_seconds,
        failure=step.fail,
    )


def _told(value: Any, conversation: Conversation) -> Any:
    """The value with what `{message}` and `{result}` stand for, wherever there is text in it."""
    if isinstance(value, str):
        return value.replace("{message}", conversation.text).replace("{result}", conversation.result)
    if isinstance(value, dict):
        return {key: _told(item, conversation) for key, item in value.items()}
    return [_told(item, conversation) for item in value] if isinstance(value, list) else value
