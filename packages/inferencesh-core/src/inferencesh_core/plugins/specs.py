"""The hooks of a client: what a plugin can add, and when it is asked.

A plugin is a module or an object with functions of these names, marked with `hookimpl`. It reaches a
client through an entry point of the group ``inferencesh`` or through ``inference(plugins=[...])``::

    from inferencesh_core.plugins import hookimpl

    @hookimpl
    def inferencesh_transport(config):
        return MyTransport(config)

Three shapes: *ask* hooks take the first answer that is not ``None``; *list* hooks collect records that
have a name, and two of one name are an error; *watch* hooks get one frozen record and may return a
context manager, entered before and left after. An implementation may take fewer parameters than listed.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NamedTuple

import pluggy

if TYPE_CHECKING:
    from ..config import ClientConfig
    from ..http.auth import Auth
    from ..http.messages import Request
    from ..http.problems import Problem
    from ..http.transport import AsyncTransport, Transport
    from ..sources import UploadSource

PROJECT = "inferencesh"

HOOKS_OF_ENGINES = frozenset({"inferencesh_apps", "inferencesh_executors", "inferencesh_tool_runner"})
"""Hooks whose specifications are not here; a plugin may serve clients and engines."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Endpoint(NamedTuple):
    """A real address found for a special base URL.

    Attributes:
        base_url: Where the API answers.
        token: Its credential.
        close: Called once, when the client that asked closes.
        renew: Gives the endpoint to use when nobody answers there any more; this one is closed then. It is
            called on a thread of its own, and may raise an `InferenceError`. None where there is no other.
    """

    base_url: str
    token: str
    close: Callable[[], None]
    renew: Callable[[], Endpoint] | None = None


class Namespace(NamedTuple):
    """An attribute of clients.

    Attributes:
        name: The attribute.
        create: Makes it for an `Inference`; called at the first access.
        create_async: Makes it for an `AsyncInference`; ``None`` where there is no asynchronous face.
    """

    name: str
    create: Callable[[Any], object]
    create_async: Callable[[Any], object] | None = None


class CallInfo(NamedTuple):
    """One logical call: what the user asked for, with all its tries."""

    method: str
    path: str


class AttemptInfo(NamedTuple):
    """One try on the wire; ``number`` counts from 1."""

    call: CallInfo
    number: int


class ClientHooks:
    """The specifications. A plugin class may derive from this, so that type checkers hold it to them."""

    @hookspec(firstresult=True)
    def inferencesh_endpoint(self, base_url: str) -> Endpoint | None:
        """Turn a base URL that is no ``http(s)`` address, such as ``local:apps``, into a real one (ask).

        Called once, when a client is made.
        """

    @hookspec(firstresult=True)
    def inferencesh_transport(self, config: ClientConfig) -> Transport | None:
        """Give the transport of a synchronous client (ask). Called once, when the client is made."""

    @hookspec(firstresult=True)
    def inferencesh_async_transport(self, config: ClientConfig) -> AsyncTransport | None:
        """Give the transport of an asynchronous client (ask). Called once, when the client is made."""

    @hookspec(firstresult=True)
    def inferencesh_auth(self, config: ClientConfig) -> Auth | None:
        """Give another way to sign requests (ask). The only hook that sees the credential."""

    @hookspec
    def inferencesh_namespaces(self) -> list[Namespace]:  # type: ignore[empty-body]
        """Add attributes to clients (list). Called once, when a client is made."""

    @hookspec(firstresult=True)
    def inferencesh_upload_source(self, value: object) -> UploadSource | None:
        """Say how to upload a value found in a task's input (ask).

        Called for each value that is neither JSON nor one of the kinds the client knows.
        """

    @hookspec(firstresult=True)
    def inferencesh_error(self, problem: Problem, request: Request) -> Exception | None:
        """Give a more precise exception for an error the server reported (ask).

        ``request`` is what was asked, without credentials and without a query. An `InferenceError` whose
        class says ``final`` is raised at once, though other failures of that status are tried again.
        """

    @hookspec
    def inferencesh_call(self, info: CallInfo) -> AbstractContextManager[Any] | None:
        """Watch a logical call (watch)."""

    @hookspec
    def inferencesh_attempt(self, info: AttemptInfo) -> AbstractContextManager[Any] | None:
        """Watch one try on the wire (watch)."""
