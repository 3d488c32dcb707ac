"""The typed front of the client's hooks: the only code that calls pluggy."""

from __future__ import annotations

from contextlib import ExitStack, nullcontext
from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError
from .builtin import BuiltinClientPlugin
from .manager import load_plugins, plugin_name
from .specs import AttemptInfo, CallInfo, ClientHooks, Namespace

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from contextlib import AbstractContextManager

    from ..config import ClientConfig
    from ..http.auth import Auth
    from ..http.messages import Request
    from ..http.problems import Problem
    from ..http.transport import AsyncTransport, Transport
    from ..sources import UploadSource
    from .specs import Endpoint

_NOTHING_TO_WATCH: AbstractContextManager[Any] = nullcontext()


class Hooks:
    """The plugins of one client."""

    def __init__(self, plugins: Sequence[object] = ()) -> None:
        self._manager = load_plugins(ClientHooks, builtins=[BuiltinClientPlugin()], plugins=plugins)
        self._call = self._manager.hook
        # Asked with every request: an absent watcher must cost nothing.
        self._watches_calls = bool(self._call.inferencesh_call.get_hookimpls())
        self._watches_attempts = bool(self._call.inferencesh_attempt.get_hookimpls())

    def endpoint(self, base_url: str) -> Endpoint | None:
        """Give the real address behind a special base URL."""
        return self._call.inferencesh_endpoint(base_url=base_url)  # type: ignore[no-any-return]

    def transport(self, config: ClientConfig) -> Transport:
        """Give the synchronous transport."""
        return self._call.inferencesh_transport(config=config)  # type: ignore[no-any-return]

    def async_transport(self, config: ClientConfig) -> AsyncTransport | None:
        """Give the asynchronous transport; ``None`` when no package brings one."""
        return self._call.inferencesh_async_transport(config=config)  # type: ignore[no-any-return]

    def auth(self, config: ClientConfig) -> Auth | None:
        """Give what signs requests; ``None`` without a credential."""
        return self._call.inferencesh_auth(config=config)  # type: ignore[no-any-return]

    def namespaces(self) -> dict[str, Namespace]:
        """Give the attributes of clients by name.

        Raises:
            ConfigurationError: two plugins give an attribute of one name.
        """
        hook = self._call.inferencesh_namespaces
        found: dict[str, tuple[Namespace, str]] = {}
        for implementation in hook.get_hookimpls():
            contributed: list[Namespace] = implementation.function()  # type: ignore[assignment]
            for namespace in contributed:
                plugin = plugin_name(implementation)
                if namespace.name in found:
                    raise ConfigurationError(
                        f"two plugins add client.{namespace.name}: {found[namespace.name][1]} and {plugin}; "
                        "remove one, or name it in INFERENCESH_DISABLE_PLUGINS"
                    )
                found[namespace.name] = (namespace, plugin)
        return {name: namespace for name, (namespace, _) in found.items()}

    def upload_source(self, value: object) -> UploadSource | None:
        """Say how a value of an unknown kind is uploaded."""
        return self._call.inferencesh_upload_source(value=value)  # type: ignore[no-any-return]

    def error(self, problem: Problem, request: Request) -> Exception:
        """Give the exception for an error the server reported to a request."""
        shown = request.to(request.url.partition("?")[0])  # presigned addresses have their credentials there
        return self._call.inferencesh_error(problem=problem, request=shown)  # type: ignore[no-any-return]

    def watch_call(self, info: CallInfo) -> AbstractContextManager[Any]:
        """Watch a logical call."""
        if not self._watches_calls:
            return _NOTHING_TO_WATCH
        return _entered_together(self._call.inferencesh_call(info=info))

    def watch_attempt(self, info: AttemptInfo) -> AbstractContextManager[Any]:
        """Watch one try."""
        if not self._watches_attempts:
            return _NOTHING_TO_WATCH
        return _entered_together(self._call.inferencesh_attempt(info=info))


def _entered_together(watchers: Iterable[AbstractContextManager[Any]]) -> ExitStack:
    stack = ExitStack()
    for watcher in watchers:
        stack.enter_context(watcher)
    return stack
