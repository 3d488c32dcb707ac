"""What a caller put into ``tools``: schemas, which travel, and handlers, which never do."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from logging import getLogger
from typing import TYPE_CHECKING, Any

from inferencesh_core.flow.effects import CallTimeoutError, call_apart

from .arguments import ArgumentRules, InvalidArgumentsError
from .entries import entries_of
from .failures import exc_info_of
from .results import MAX_RESULT_BYTES, ResultError, error_text, failure_text, result_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inferencesh_core.flow.effects import Flow
    from inferencesh_core.types import AgentTool

    from .call import ToolCallInfo
    from .client_tool import ClientToolHandler

HANDLER_SECONDS = 300.0
"""How long a handler may take when its tool does not say."""

_log = getLogger("inferencesh")


@dataclass(frozen=True)
class ToolAnswer:
    """What a tool's call came to: the text for the model, and whether it tells of a failure."""

    text: str
    failed: bool


@dataclass(frozen=True)
class _Handled:
    """A tool that its caller runs."""

    handler: ClientToolHandler
    rules: ArgumentRules
    timeout: float


class Toolbox:
    """The tools of an agent, those with handlers ready to run."""

    def __init__(self, schemas: list[AgentTool], handled: dict[str, _Handled], max_result_bytes: int) -> None:
        self.schemas = schemas
        """What the engine is told, pure JSON, in the caller's order."""
        self._handled = handled
        self._max_result_bytes = max_result_bytes

    @classmethod
    def of(
        cls,
        tools: Iterable[Any],
        *,
        timeout: float = HANDLER_SECONDS,
        max_result_bytes: int = MAX_RESULT_BYTES,
    ) -> Toolbox:
        """Take tools as callers write them: schemas, client tools, builders and plain typed functions.

        Args:
            tools: They are copied, not kept.
            timeout: Seconds a handler may take whose tool does not say; ``math.inf`` waits for ever.
            max_result_bytes: How long a result may be, in UTF-8; a longer one is an error for the model.

        Raises:
            TypeError: Something is no tool, has no JSON form, or its handler cannot be called.
            ValueError: Two tools have one name, a tool has none, or its schema is broken.
        """
        entries = entries_of(tools)
        handled = {
            name: _Handled(entry.handler, ArgumentRules(name, entry.schema), entry.timeout or timeout)
            for name, entry in entries.items()
            if entry.handler is not None
        }
        return cls([entry.schema for entry in entries.values()], handled, max_result_bytes)

    def handles(self, name: str) -> bool:
        """Tell whether a tool of this name has a handler."""
        return name in self._handled

    def run(self, call: ToolCallInfo) -> Flow[ToolAnswer]:
        """Run the handler of the tool called, and give what the model is to be told.

        Whatever goes wrong is an answer too: wrong arguments, an exception, a handler that takes too long (it
        is left behind), a result that is not JSON or too long. Interrupts and cancellation pass.

        Raises:
            KeyError: `handles` is false.
        """
        tool = self._handled[call.name]
        try:
            tool.rules.check(call.args)
            result = yield from call_apart(tool.handler, deepcopy(call.args), timeout=tool.timeout)
            return ToolAnswer(result_text(result, self._max_result_bytes), failed=False)
        except InvalidArgumentsError as error:
            _log.info("tool %s, call %s: wrong arguments: %s", call.name, call.id, error)
            return ToolAnswer(error_text(error), failed=True)
        except CallTimeoutError as error:
            text = f"the tool {call.name} was given up: {error}"
            _log.error("%s (call %s)", text, call.id)
            return ToolAnswer(failure_text(text), failed=True)
        except ResultError as error:
            _log.error("tool %s, call %s: %s", call.name, call.id, error)
            return ToolAnswer(error_text(error), failed=True)
        except Exception as error:  # noqa: BLE001 - the model is told, and may do better
            _log.error("tool %s, call %s failed", call.name, call.id, exc_info=exc_info_of(error))
            return ToolAnswer(error_text(error), failed=True)
