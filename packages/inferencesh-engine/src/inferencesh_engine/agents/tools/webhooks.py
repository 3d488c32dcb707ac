"""Tools of type `hook`: the arguments are posted, signed, and the answer is the result."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from inferencesh_core.errors import ConfigurationError
from inferencesh_core.webhooks import body_digest, sign

from ..placeholders import CONTEXT, context_lookup, fill_arguments, fill_url
from .outbound import OutboundRequest, host_of
from .requests import RequestRunner
from .runner import ToolError
from .secrets import CallSecrets

if TYPE_CHECKING:
    from .runner import Invocation


class WebhookRunner(RequestRunner):
    """Posts the arguments of a call as JSON.

    With a secret the request has the three headers of Standard Webhooks, and `X-Webhook-Signature:
    sha256=<hex>`, the HMAC of the body. The message's id is the invocation's. Redirects are not followed.
    """

    def _request(self, invocation: Invocation) -> tuple[OutboundRequest, CallSecrets]:
        spec, services = invocation.tool.spec, self._services
        url = fill_url(str(spec.get("url") or ""), {CONTEXT: context_lookup(invocation.context)})
        arguments = fill_arguments(invocation.arguments, invocation.context)
        body = json.dumps(arguments, ensure_ascii=False).encode()
        secrets = CallSecrets(services.settings, services.config.secrets, host_of(url))
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
