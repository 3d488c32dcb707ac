"""A plugin as a class that checkers hold to the specifications; read by type checkers, never run."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from typing_extensions import assert_type

from inferencesh import Inference, inference
from inferencesh_core.http.messages import Request, Response
from inferencesh_core.plugins import CallInfo, ClientHooks, Namespace, hookimpl

if TYPE_CHECKING:
    from collections.abc import Generator

    from inferencesh_core.config import ClientConfig
    from inferencesh_core.http.auth import Auth
    from inferencesh_core.http.transport import ResponseStream, Transport


class Canned:
    """A transport, by its shape alone."""

    def send(self, request: Request) -> Response:
        return Response(200, {}, request.method.encode())

    def open(self, request: Request) -> ResponseStream:
        raise NotImplementedError

    def close(self) -> None: ...


class Signing:
    """An auth, by its shape alone."""

    def sign(self, request: Request) -> Generator[Request, Response, None]:
        response = yield request
        assert_type(response, Response)


class TracesAPI:
    def __init__(self, client: Inference) -> None:
        self._client = client


class Plugin(ClientHooks):
    @hookimpl
    def inferencesh_transport(self, config: ClientConfig) -> Transport | None:
        return Canned()

    @hookimpl
    def inferencesh_auth(self, config: ClientConfig) -> Auth | None:
        return Signing() if config.api_key else None

    @hookimpl
    def inferencesh_namespaces(self) -> list[Namespace]:
        return [Namespace("traces", TracesAPI)]

    @hookimpl
    def inferencesh_call(self, info: CallInfo) -> AbstractContextManager[Any]:
        return nullcontext(info.path)


client = inference(plugins=[Plugin()], transport=Canned(), auth=Signing())
assert_type(client.namespace(TracesAPI), TracesAPI)
