"""The app: a conversation in, an answer out, streamed as a model would."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from pydantic import Field

from inferencesh_app import BaseApp, BaseAppSetup, OutputMeta, TextMeta
from inferencesh_app.llm import (
    FileCapabilityMixin,
    ImageCapabilityMixin,
    LLMInput,
    LLMOutput,
    LLMUsage,
    ReasoningCapabilityMixin,
    ReasoningMixin,
    ToolCallsMixin,
    ToolsCapabilityMixin,
)

from .choice import Tool, arguments_for, chosen_reply
from .conversation import conversation_of
from .script import Step, reply_of, script_in, scripted_step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conversation import Conversation
    from .reply import Reply

_WHAT_IT_IS = {"model": "inferencesh/scripted", "note": "answers by a script or by plain rules, not a model"}


class AppSetup(BaseAppSetup):
    """What to answer."""

    script: list[Step] = Field(
        default=[], description="the answers, in order; after the last, plain rules answer"
    )


class AppInput(
    ToolsCapabilityMixin, ReasoningCapabilityMixin, ImageCapabilityMixin, FileCapabilityMixin, LLMInput
):
    """A conversation, and the tools that may be called."""


class AppOutput(ToolCallsMixin, ReasoningMixin, LLMOutput):
    """The answer so far."""


class App(BaseApp):
    """Answers by a script, else calls the tool that fits the message, else repeats the message."""

    async def setup(self, config: AppSetup) -> None:
        """Keep the script."""
        self.script = config.script

    async def run(self, app_input: AppInput) -> AsyncGenerator[AppOutput, None]:
        """Stream the answer; each output is the whole of it so far."""
        conversation = conversation_of(app_input)
        tools = [Tool.of(definition) for definition in app_input.tools or []]
        step = scripted_step(script_in(app_input.system_prompt) or self.script, conversation.answers)
        if step is None:
            reply = chosen_reply(conversation, tools)
        else:
            reply = reply_of(step, conversation, lambda name: arguments_for(name, conversation, tools))
        for text in _pieces(reply):
            await asyncio.sleep(reply.pause_seconds)
            yield AppOutput(response=text, reasoning=reply.reasoning)
        if reply.failure is not None:
            raise RuntimeError(reply.failure)
        yield _whole(reply, app_input, conversation)


def _pieces(reply: Reply) -> Iterator[str]:
    """The text as it grows, cut between words while there are enough of them."""
    words = reply.text.split(" ")
    count = min(reply.chunks, len(words)) if reply.text or reply.pause_seconds else 0
    for piece in range(1, count + 1):
        yield " ".join(words[: len(words) * piece // count])


def _whole(reply: Reply, app_input: AppInput, conversation: Conversation) -> AppOutput:
    calls = [
        {
            "id": f"call_{number}",
            "type": "function",
            "function": {
                "name": use.tool,
                "arguments": use.arguments if isinstance(use.arguments, str) else json.dumps(use.arguments),
            },
        }
        for number, use in enumerate(reply.calls, conversation.calls + 1)
    ]
    usage = _usage(reply, app_input)
    meta = OutputMeta(
        inputs=[TextMeta(tokens=usage.prompt_tokens, extra=_WHAT_IT_IS)],
        outputs=[TextMeta(tokens=usage.completion_tokens, extra=_WHAT_IT_IS)],
    )
    return AppOutput(
        response=reply.text,
        reasoning=reply.reasoning,
        tool_calls=calls or None,
        usage=usage,
        output_meta=meta,
    )


def _usage(reply: Reply, app_input: AppInput) -> LLMUsage:
    """Tokens are words here."""
    read = [app_input.system_prompt, *(message.text for message in app_input.context), app_input.text]
    written = [reply.text, *(str(use.arguments) for use in reply.calls)]
    thought = len((reply.reasoning or "").split())
    prompt, completion = _count(read), _count(written) + thought
    return LLMUsage(
        stop_reason="tool_calls" if reply.calls else "stop",
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=prompt + completion,
        reasoning_tokens=thought,
    )


def _count(texts: list[str]) -> int:
    return sum(len(text.split()) for text in texts)
