"""From the raw text of a model to an output: special tokens removed, reasoning told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .models import BaseLLMOutput, LLMOutput, LLMUsage

if TYPE_CHECKING:
    from .timing import Timing

SPECIAL_TOKENS = ("<|im_start|>", "<|im_end|>", "<start_of_turn>", "<end_of_turn>", "<eos>")

# Models that mark their reasoning do not count it; four characters a token is the usual estimate.
CHARACTERS_PER_TOKEN = 4


class ResponseState:
    """What has been found in an answer so far.

    Attributes:
        buffer: The whole text, reasoning included.
        response: The text without reasoning.
        state_changes: Which parts of an answer have begun and ended.
    """

    def __init__(self) -> None:
        self.buffer = ""
        self.response = ""
        self.reasoning: str | None = None
        self.function_calls: list[dict[str, Any]] | None = None
        self.tool_calls: list[dict[str, Any]] | None = None
        self.current_tool_call: dict[str, Any] | None = None
        self.usage: LLMUsage | None = None
        self.state_changes = {
            "reasoning_started": False,
            "reasoning_ended": False,
            "function_call_started": False,
            "function_call_ended": False,
            "tool_call_started": False,
            "tool_call_ended": False,
        }


class ResponseTransformer:
    """Makes outputs of the text of one answer, chunk by chunk; derive from it for a model's own format.

    Attributes:
        state: What has been found so far; `stream_generate` begins a new one for each answer.
        output_cls: Class of the outputs; fields it does not have are left out.
        timing: Stopwatch that is told when reasoning begins and ends; None when nobody measures.
    """

    def __init__(self, output_cls: type[BaseLLMOutput] = LLMOutput) -> None:
        self.state = ResponseState()
        self.output_cls = output_cls
        self.timing: Timing | None = None

    def clean_text(self, text: str) -> str:
        """The text without special tokens."""
        for token in SPECIAL_TOKENS:
            text = text.replace(token, "")
        return self.additional_cleaning(text)

    def additional_cleaning(self, text: str) -> str:
        """Override to remove what is special to a model; the common tokens are gone already."""
        return text

    def handle_reasoning(self, text: str) -> None:  # noqa: ARG002 - overrides may want the new text alone
        """Tell reasoning and response apart in `state.buffer`.

        Reasoning is what stands between `<think>` and `</think>`. What comes before it is dropped: chat
        templates leave the name of a role there.
        """
        _, opened, rest = self.state.buffer.partition("<think>")
        if not opened:
            self.state.response = self.state.buffer
            return
        reasoning, closed, response = rest.partition("</think>")
        self.state.reasoning = reasoning.strip() or None
        self.state.response = response.strip()
        self._note_reasoning(len(reasoning), ended=bool(closed))

    def handle_function_calls(self, text: str) -> None:
        """Override to find function calls in the new, cleaned text and keep them in `state`."""

    def handle_tool_calls(self, text: str) -> None:
        """Override to find tool calls in the new, cleaned text and keep them in `state`."""

    def transform_chunk(self, chunk: str) -> None:
        """Take in a chunk of raw text: clean it, append it to `state.buffer`, run the handlers."""
        text = self.clean_text(chunk)
        self.state.buffer += text
        self.handle_reasoning(text)
        self.handle_function_calls(text)
        self.handle_tool_calls(text)

    def build_output(self) -> tuple[str, BaseLLMOutput, dict[str, bool]]:
        """The buffer, the output for everything so far, and `state.state_changes`."""
        state = self.state
        found: dict[str, Any] = {
            "usage": state.usage,
            "reasoning": state.reasoning,
            "function_calls": state.function_calls,
            "tool_calls": state.tool_calls,
        }
        known = {name: value for name, value in found.items() if name in self.output_cls.model_fields}
        output = self.output_cls(response=state.response.strip(), **known)
        return state.buffer, output, state.state_changes

    def __call__(
        self, piece: str, buffer: str, usage: LLMUsage | None = None
    ) -> tuple[str, BaseLLMOutput, dict[str, bool]]:
        """Put a piece of raw text behind `buffer` and give what `build_output` does; None keeps the usage."""
        self.state.buffer = buffer
        self.state.usage = usage or self.state.usage
        self.transform_chunk(piece)
        return self.build_output()

    def _note_reasoning(self, characters: int, *, ended: bool) -> None:
        changes = self.state.state_changes
        if not changes["reasoning_started"]:
            changes["reasoning_started"] = True
            if self.timing:
                self.timing.start_reasoning()
        if ended and not changes["reasoning_ended"]:
            changes["reasoning_ended"] = True
            if self.timing:
                self.timing.end_reasoning(characters // CHARACTERS_PER_TOKEN)
