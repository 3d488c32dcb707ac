"""Tools of type `http` and `call`: a request whose URL and headers are templates."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from ..placeholders import (
    ARGS,
    CONTEXT,
    SECRETS,
    argument_lookup,
    argument_names,
    context_lookup,
    fill_arguments,
    fill_header,
    fill_url,
    plain_text,
)
from .outbound import OutboundRequest, host_of
from .requests import RequestRunner
from .runner import ToolError
from .secrets import CallSecrets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ...settings import Settings
    from .runner import Invocation, ToolServices

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

_WITHOUT_BODY = frozenset({"GET", "DELETE"})
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# What HTTP itself decides; set from outside they would make another request of it.
_RESERVED = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer"}
)


class HttpRunner(RequestRunner):
    """Fills in the request that a tool's configuration describes."""

    def _request(self, invocation: Invocation) -> tuple[OutboundRequest, CallSecrets]:
        builder = _RequestBuilder(invocation, self._services)
        return builder.request(), builder.secrets


class _RequestBuilder:
    """Fills in one call.

    Attributes:
        secrets: Those of this call, once its URL is known.
    """

    secrets: CallSecrets

    def __init__(self, invocation: Invocation, services: ToolServices) -> None:
        self._spec = invocation.tool.spec
        self._arguments: Mapping[str, Any] = fill_arguments(invocation.arguments, invocation.context)
        self._context = context_lookup(invocation.context)
        self._settings: Settings = services.settings
        template = _text(self._spec, "url")
        self._url = fill_url(template, {CONTEXT: self._context, ARGS: argument_lookup(self._arguments)})
        in_url = argument_names(template)
        self._rest = {name: value for name, value in self._arguments.items() if name not in in_url}
        self.secrets = CallSecrets(services.settings, services.config.secrets, host_of(self._url))

    def request(self) -> OutboundRequest:
        """The request; raises PlaceholderError or ToolError."""
        method = (self._spec.get("method") or "POST").upper()
        if method not in METHODS:
            raise ToolError(f"method {method} is not one of {', '.join(METHODS)}")
        headers = {**self._headers(), **dict(self._auth())}
        if method in _WITHOUT_BODY:
            return OutboundRequest(method, self._with_query(), headers)
        body = json.dumps(self._rest, ensure_ascii=False).encode()
        return OutboundRequest(method, self._url, {"Content-Type": "application/json", **headers}, body)

    def _with_query(self) -> str:
        pairs = [(name, text) for name, value in self._rest.items() for text in _query_texts(name, value)]
        if not pairs:
            return self._url
        return f"{self._url}{'&' if '?' in self._url else '?'}{urlencode(pairs)}"

    def _headers(self) -> dict[str, str]:
        lookups = {CONTEXT: self._context, SECRETS: self.secrets.value}
        given: Mapping[str, str] = self._spec.get("headers") or {}
        return {_header_name(name): fill_header(str(value), lookups) for name, value in given.items()}

    def _auth(self) -> Iterator[tuple[str, str]]:
        auth: Mapping[str, Any] = self._spec.get("auth") or {}
        kind = auth.get("type") or "none"
        if kind == "api_key":
            yield _header_name(auth.get("header") or "X-API-Key"), self._secret(_text(auth, "secret"))
        elif kind == "bearer":
            yield "Authorization", f"Bearer {self._secret(_text(auth, 'secret'))}"
        elif kind == "integration":
            yield "Authorization", f"Bearer {self._token(_text(auth, 'provider'))}"
        elif kind != "none":
            raise ToolError(f"auth type {kind!r} is not one of api_key, bearer, integration, none")

    def _secret(self, name: str) -> str:
        return fill_header(f"${{{{{SECRETS}.{name}}}}}", {SECRETS: self.secrets.value})

    def _token(self, provider: str) -> str:
        integration = self._settings.integrations.get(provider)
        if integration is None:
            known = ", ".join(sorted(self._settings.integrations)) or "none"
            raise ToolError(
                f"integration {provider} is not connected; declare it in engine.yml: "
                f"integrations: {{{provider}: {{token_secret: NAME}}}} (there are: {known})"
            )
        return self._secret(integration.token_secret)


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    if not isinstance(value, str) or not value:
        raise ToolError(f"the tool's configuration has no {name}")
    return value


def _header_name(name: str) -> str:
    if not _HEADER_NAME.fullmatch(name) or name.lower() in _RESERVED:
        raise ToolError(f"{name!r} cannot be set as a header of a tool")
    return name


def _query_texts(name: str, value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [plain_text(each, name) for each in values if each is not None]
