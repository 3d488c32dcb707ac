"""Tools of type `hook`: the arguments are posted, signed, and the answer is the result."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from inferencesh_core.errors import ConfigurationError
from inferencesh_core.webhooks import body_digest, sign

from ..placeholders import CONTEXT, PlaceholderError, context_lookup, fill_arguments, fill_url
from .http import outcome_of
from .outbound import Outbound, OutboundRequest
from .runner import Offered, ToolError
from .secrets import CallSecrets

if TYPE_CHECKING:
    from .runner import Invocation, Started, Tool, ToolOutcome, ToolServices


class WebhookRunner:
    """Posts the arguments of a call as JSON.

    With a secret the request has the three headers of Standard Webhooks, and `X-Webhook-Signature:
    sha256=<hex>`, the HMAC of the body. The message's id is the invocation's. Redirects are not followed.
    """

    def __init__(self, services: ToolServices) -> None:
        self._services = services
        self._outbound = Outbound(services.config)

    async def offered(self, tool: Tool) -> Offered:
        """The schema its configuration gives."""
        return Offered.of(tool, tool.spec.get("input_schema"))

    async def run(self, invocation: Invocation, _started: Started) -> ToolOutcome:
        """Post it; an answer that is an HTTP error is a failed result."""
        request, secrets = self._request(invocation)
        return outcome_of(await self._outbound.send(request), secrets)

    async def close(self) -> None:
        """Close its connections."""
        await self._outbound.close()

    def _request(self, invocation: Invocation) -> tuple[OutboundRequest, CallSecrets]:
        spec, services = invocation.tool.spec, self._services
        try:
            url = fill_url(str(spec.get("url") or ""), {CONTEXT: context_lookup(invocation.context)})
            arguments = fill_arguments(invocation.arguments, invocation.context)
        except PlaceholderError as error:
            raise ToolError(str(error)) from None
        body = json.dumps(arguments, ensure_ascii=False).encode()
        secrets = CallSecrets(services.settings, services.config.secrets, urlsplit(url).hostname or "")
        headers = {"Content-Type": "application/json"}
        if spec.get("secret"):
            headers |= _signatures(secrets.value(spec["secret"]), invocation.id, body)
        return OutboundRequest("POST", url, headers, body, follow=False), secrets


def _signatures(secret: str, message_id: str, body: bytes) -> dict[str, str]:
    try:
        headers = sign(secret, message_id, time.time(), body)
        return {**headers, "X-Webhook-Signature": body_digest(secret, body)}
    except ConfigurationError as error:
        raise ToolError(f"the webhook cannot be signed: {error}") from None
