"""Answers as they are generated: chunks of a chat completion in, cumulative outputs out."""

from __future__ import annotations

import logging
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from .models import BaseLLMOutput, LLMOutput, LLMUsage
from .timing import timing_context
from .tools import ToolCallDeltas
from .transformer import ResponseState, ResponseTransformer

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from .timing import Timing

_LOGGER = logging.getLogger("inferencesh.app")


class StreamResponse:
    """An answer that is being streamed.

    Attributes:
        content: Text of the last chunk alone.
        tool_calls: All tool calls so far, arguments as JSON text; None before the first.
        finish_reason: Why the model stopped, if the last chunk says so.
        timing_stats: Seconds, as in `timing_context`, and `tokens_per_second`.
        usage_stats: Tokens as last reported, and the `stop_reason`.
    """

    def __init__(self) -> None:
        self.content = ""
        self.tool_calls: list[dict[str, Any]] | None = None
        self.finish_reason: str | None = None
        self.timing_stats: dict[str, Any] = {
            "time_to_first_token": None,
            "generation_time": 0.0,
            "reasoning_time": 0.0,
            "reasoning_tokens": 0,
            "tokens_per_second": 0.0,
        }
        self.usage_stats: dict[str, Any] = {
            "prompt_tokens": 0,
            "completion_tokens": 0,
            "total_tokens": 0,
            "stop_reason": "",
        }
        self._deltas = ToolCallDeltas()
        self._calls_or_usage_changed = False

    def update_from_chunk(self, chunk: dict[str, Any], timing: Timing) -> None:
        """Take in a chunk; one without choices brings usage alone."""
        choices = chunk.get("choices") or [{}]
        delta = choices[0].get("delta") or choices[0].get("message") or {}
        calls = delta.get("tool_calls") or []
        self.content = delta.get("content") or ""
        self._add_calls(calls)
        usage_changed = self._update_usage(chunk.get("usage") or {}, choices[0].get("finish_reason"))
        self._calls_or_usage_changed = bool(calls) or usage_changed
        if self.content or calls:
            timing.mark_first_token()
        self._update_timing(timing)

    def has_updates(self) -> bool:
        """Whether the last chunk brought anything that shows in an output."""
        return bool(self.content or self.finish_reason or self._calls_or_usage_changed)

    def to_output(self, buffer: str, transformer: ResponseTransformer) -> tuple[BaseLLMOutput, str]:
        """The output for everything so far, and the buffer to pass on next time."""
        usage = self._usage() if any(self.usage_stats.values()) else None
        buffer, output, _ = transformer(self.content, buffer, usage)
        if self.tool_calls and "tool_calls" in type(output).model_fields:
            # Copied, because later deltas go on writing to these calls.
            setattr(output, "tool_calls", deepcopy(self.tool_calls))  # noqa: B010 - a field of subclasses
        return output, buffer

    def _add_calls(self, calls: list[dict[str, Any]]) -> None:
        for call in calls:
            self._deltas.add(call)
        self.tool_calls = self._deltas.calls or None

    def _update_usage(self, usage: dict[str, Any], finish_reason: str | None) -> bool:
        before = dict(self.usage_stats)
        tokens = ("prompt_tokens", "completion_tokens", "total_tokens")
        self.usage_stats.update({name: usage[name] for name in tokens if usage.get(name) is not None})
        self.finish_reason = finish_reason
        self.usage_stats["stop_reason"] = finish_reason or before["stop_reason"]
        return self.usage_stats != before

    def _update_timing(self, timing: Timing) -> None:
        self.timing_stats.update(timing.stats)
        seconds = self.timing_stats["generation_time"]
        speed = self.usage_stats["completion_tokens"] / seconds if seconds else 0.0
        self.timing_stats["tokens_per_second"] = speed

    def _usage(self) -> LLMUsage:
        known = {**self.usage_stats, **self.timing_stats}
        return LLMUsage(**{name: known[name] for name in LLMUsage.model_fields if name in known})


def stream_generate(
    model: Any,
    messages: list[dict[str, Any]],
    transformer: ResponseTransformer | None = None,
    tools: list[dict[str, Any]] | None = None,
    tool_choice: dict[str, Any] | None = None,
    temperature: float = 0.7,
    top_p: float = 0.95,
    stop: list[str] | None = None,
    verbose: bool = False,
    output_cls: type[BaseLLMOutput] = LLMOutput,
    kwargs: dict[str, Any] | None = None,
) -> Generator[BaseLLMOutput, None, None]:
    """Let a llama.cpp-like model answer; each output is the whole answer so far.

    Chunks are awaited as long as the model takes, and read to the end of its stream: usage often comes
    after the finish reason.

    Args:
        model: Anything with `create_chat_completion(messages=..., stream=True, ...)` that gives chunks in
            the form of OpenAI's API. Its errors pass through.
        messages: The conversation, as from `build_messages`.
        transformer: Makes outputs of text; its state begins anew. None: reasoning in `<think>` tags.
        tools: Definitions, as from `build_tools`.
        tool_choice: Which of the tools to call; None leaves it to the model.
        temperature: Passed to the model.
        top_p: Passed to the model.
        stop: Texts at which the model stops.
        verbose: Log every chunk.
        output_cls: Class of the outputs, if it is not to be the transformer's own.
        kwargs: More arguments for the model; they win over the ones above, `tools` and `tool_choice` aside.
    """
    request = {
        "messages": messages,
        "stream": True,
        "temperature": temperature,
        "top_p": top_p,
        "stop": stop,
        **(kwargs or {}),
    }
    offered = {"tools": tools, "tool_choice": tool_choice}
    request.update({name: value for name, value in offered.items() if value is not None})
    transformer = transformer or ResponseTransformer()
    transformer.state = ResponseState()
    if output_cls is not LLMOutput:
        transformer.output_cls = output_cls
    with timing_context() as timing:
        transformer.timing = timing
        chunks = model.create_chat_completion(**request)
        try:
            yield from _outputs(_logged(chunks) if verbose else chunks, transformer, timing)
        finally:
            # A caller who stops early must not leave the model generating.
            if hasattr(chunks, "close"):
                chunks.close()


def _outputs(
    chunks: Iterable[dict[str, Any]], transformer: ResponseTransformer, timing: Timing
) -> Generator[BaseLLMOutput, None, None]:
    response, buffer = StreamResponse(), ""
    for chunk in chunks:
        response.update_from_chunk(chunk, timing)
        if response.has_updates():
            output, buffer = response.to_output(buffer, transformer)
            yield output


def _logged(chunks: Iterable[dict[str, Any]]) -> Generator[dict[str, Any], None, None]:
    for chunk in chunks:
        _LOGGER.info("%s", chunk)
        yield chunk
