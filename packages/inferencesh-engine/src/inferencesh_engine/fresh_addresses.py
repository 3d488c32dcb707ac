"""Stored tasks, shown with addresses of files that work now: an engine moves, and addresses expire."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .domain.encoded import Encoded
from .domain.views import SpecView, TaskEvent
from .signing import READ_PATH

if TYPE_CHECKING:
    from .domain.task import TaskSpec, TaskState
    from .files import Files


class FreshAddresses:
    """Renews the addresses this engine has signed wherever they stand in inputs and outputs."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def event(self, spec: TaskSpec, state: TaskState) -> TaskEvent:
        """A task as the store has it, to be shown."""
        return TaskEvent(SpecView(replace(spec, input=self._fresh(spec.input))), self.state(state))

    def state(self, state: TaskState) -> TaskState:
        """The same for a state alone."""
        fresh = self._fresh(state.output)
        return state if fresh is state.output else replace(state, output=fresh)

    def value(self, value: Any) -> Any:
        """A value that holds addresses, with those that work now."""
        try:
            return self._renewed(value)
        except RecursionError:
            return value  # nobody puts a file that deep

    def _fresh(self, encoded: Encoded) -> Encoded:
        if READ_PATH not in encoded.text:
            return encoded
        value = self.value(encoded.value)
        return encoded if value == encoded.value else Encoded.of(value)

    def _renewed(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._files.current_address(value) if READ_PATH in value else value
        if isinstance(value, dict):
            return {key: self._renewed(item) for key, item in value.items()}
        return [self._renewed(item) for item in value] if isinstance(value, list) else value
