"""The choice of the engine's own tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .changes import changed

if TYPE_CHECKING:
    from typing_extensions import Self

    from inferencesh_core.types import InternalToolsConfig


class InternalToolsBuilder:
    """Which of the engine's own tools an agent has; those not mentioned are as the engine has them."""

    def __init__(self) -> None:
        self._switches: InternalToolsConfig = {}

    def plan(self, enabled: bool = True) -> Self:
        """Steps of a plan that the agent writes and ticks off."""
        return self._switched(plan=enabled)

    def memory(self, enabled: bool = True) -> Self:
        """Values that the agent keeps for the chat."""
        return self._switched(memory=enabled)

    def widget(self, enabled: bool = True) -> Self:
        """Forms and views that the agent shows."""
        return self._switched(widget=enabled)

    def finish(self, enabled: bool = True) -> Self:
        """The end of the work, with a structured result."""
        return self._switched(finish=enabled)

    def all(self) -> Self:
        """All four."""
        return self._switched(plan=True, memory=True, widget=True, finish=True)

    def none(self) -> Self:
        """None of the four."""
        return self._switched(plan=False, memory=False, widget=False, finish=False)

    def build(self) -> InternalToolsConfig:
        """Give the ``internal_tools`` of an agent's configuration."""
        return self._switches.copy()

    def _switched(self, **switches: bool) -> Self:
        return changed(self, _switches={**self._switches, **switches})


def internal_tools() -> InternalToolsBuilder:
    """Begin the choice of the engine's own tools."""
    return InternalToolsBuilder()
