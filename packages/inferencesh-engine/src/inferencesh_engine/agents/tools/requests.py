"""Tools that are one HTTP request: how it is sent, and what its answer is to the model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from ..placeholders import PlaceholderError
from .outbound import Outbound
from .runner import Offered, ToolError, ToolOutcome

if TYPE_CHECKING:
    from .outbound import Answer, OutboundRequest
    from .runner import Invocation, Started, Tool, ToolServices
    from .secrets import CallSecrets

_MAX_ERROR_CHARS = 4000


class RequestRunner(ABC):
    """Sends the request that a kind of tool makes of an invocation, and gives the body of the answer."""

    def __init__(self, services: ToolServices) -> None:
        self._services = services
        self._outbound = Outbound(services.config)

    @abstractmethod
    def _request(self, invocation: Invocation) -> tuple[OutboundRequest, CallSecrets]:
        """The request, and the secrets in it; raises PlaceholderError or ToolError."""

    async def offered(self, tool: Tool) -> Offered:
        """The schema its configuration gives."""
        return Offered.of(tool, tool.spec.get("input_schema"))

    async def run(self, invocation: Invocation, _started: Started) -> ToolOutcome:
        """Send it; an answer that is an HTTP error is a failed result."""
        try:
            request, secrets = self._request(invocation)
        except PlaceholderError as error:
            raise ToolError(str(error)) from None
        try:
            return _outcome(await self._outbound.send(request), secrets)
        except ToolError as error:
            raise ToolError(secrets.scrub(str(error))) from None

    async def close(self) -> None:
        """Close its connections."""
        await self._outbound.close()


def _outcome(answer: Answer, secrets: CallSecrets) -> ToolOutcome:
    # The reason is the server's to choose as well.
    status = secrets.scrub(f"HTTP {answer.status} {answer.reason}".strip())
    text = secrets.scrub(answer.text)
    if answer.status < 300:
        return ToolOutcome(text=text or status)
    return ToolOutcome(text=f"{status}\n{text[:_MAX_ERROR_CHARS]}".strip(), failed=True)
