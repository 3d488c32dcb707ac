"""An answer as it comes: chunks of a chat completion in, the whole of it so far out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from inferencesh_app import OutputMeta, TextMeta
from inferencesh_app.llm import LLMUsage, ResponseTransformer, StreamResponse

from .models import AppOutput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inferencesh_app.llm.timing import Timing


class _LeadingThoughts(ResponseTransformer):
    """Tells `<think>` apart only where servers leave it, at the beginning; later it is a subject like any."""

    def handle_reasoning(self, text: str) -> None:
        if self.state.buffer.lstrip().startswith("<think>"):
            super().handle_reasoning(text)
        else:
            self.state.response = self.state.buffer


class Answer:
    """One answer.

    Attributes:
        output: Everything so far.
    """

    def __init__(self, timing: Timing) -> None:
        self.output = AppOutput(response="")
        self._timing = timing
        self._response = StreamResponse()
        self._transformer = _LeadingThoughts(AppOutput)
        self._transformer.timing = timing
        self._buffer = ""
        self._reasoning = ""
        self._reasoning_tokens: int | None = None

    @property
    def is_complete(self) -> bool:
        """Whether the model has said that it has stopped."""
        return bool(self._response.usage_stats["stop_reason"])

    def add(self, chunk: dict[str, Any]) -> None:
        """Take in a chunk."""
        delta = ((chunk.get("choices") or [{}])[0]).get("delta") or {}
        self._think(delta)
        self._count_reasoning(chunk.get("usage") or {})
        self._response.update_from_chunk(chunk, self._timing)
        output, self._buffer = self._response.to_output(self._buffer, self._transformer)
        self.output = cast("AppOutput", output)  # as the transformer was told
        self.output.reasoning = self._reasoning or self.output.reasoning
        if self.output.usage and self._reasoning_tokens is not None:
            self.output.usage.reasoning_tokens = self._reasoning_tokens

    def whole(self) -> AppOutput:
        """The output once nothing more comes: each call has an id and arguments, and tokens are counted."""
        usage = self.output.usage or LLMUsage()
        self.output.tool_calls = [_settled(call) for call in self.output.tool_calls or []] or None
        self.output.output_meta = OutputMeta(
            inputs=[TextMeta(tokens=usage.prompt_tokens)], outputs=[TextMeta(tokens=usage.completion_tokens)]
        )
        return self.output

    def _think(self, delta: Mapping[str, Any]) -> None:
        # Servers disagree on the name; the text means the same.
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        if isinstance(thought, str) and thought:
            self._reasoning += thought
            self._timing.start_reasoning()
        elif delta.get("content") or delta.get("tool_calls"):
            self._timing.end_reasoning()

    def _count_reasoning(self, usage: Mapping[str, Any]) -> None:
        counted = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens")
        self._reasoning_tokens = self._reasoning_tokens if counted is None else counted


def _settled(call: dict[str, Any]) -> dict[str, Any]:
    function = call["function"]
    # Some servers name no call, and send no arguments for a tool that takes none.
    return {
        **call,
        "id": call["id"] or f"call_{uuid4().hex}",
        "function": {**function, "arguments": function["arguments"] or "{}"},
    }
