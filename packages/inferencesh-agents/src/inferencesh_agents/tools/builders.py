"""The fluent way to write a tool.

    search = tool("search").describe("Search files").param("pattern", string("Glob pattern"))
    search_here = search.param("folder", string("Where")).handler(find)

A builder never changes: every verb gives a new one, so a shared beginning can be used again. In ``tools`` it
may stand without `build`.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any, ClassVar, cast

from .auth import auth_config
from .changes import changed
from .client_tool import client_tool
from .schema import parameters

if TYPE_CHECKING:
    from typing_extensions import Self

    from inferencesh_core.types import AgentTool, ToolAuthConfig

    from .client_tool import ClientTool, ClientToolHandler
    from .schema import Schema

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class ToolBuilder:
    """What the builders of all tools have in common.

    Args:
        name: What the model calls the tool by; unique among the tools of an agent.
    """

    _type: ClassVar[str]

    def __init__(self, name: str) -> None:
        self._name = name
        self._display_name = name
        self._description = ""
        self._require_approval = False
        self._parameters: dict[str, Schema] = {}

    def describe(self, text: str) -> Self:
        """Say what the tool does; the model reads it."""
        return changed(self, _description=text)

    def display_name(self, name: str) -> Self:
        """Say what people call the tool; its name when not said."""
        return changed(self, _display_name=name)

    def require_approval(self, required: bool = True) -> Self:
        """Let a person agree to each call before it runs."""
        return changed(self, _require_approval=required)

    def param(self, name: str, schema: Schema) -> Self:
        """Add a parameter, required unless its schema is `optional`; the later of two with one name counts.

        Raises:
            TypeError: The schema is none.
        """
        if not isinstance(schema, Mapping):
            raise TypeError(
                f"tool {self._name!r}: parameter {name!r} needs a schema like string(), not {schema!r:.100}"
            )
        return changed(self, _parameters={**self._parameters, name: dict(schema)})

    def build(self) -> AgentTool:
        """Give the tool as it is sent."""
        built = {
            "name": self._name,
            "display_name": self._display_name,
            "description": self._description,
            "type": self._type,
            "require_approval": self._require_approval,
            self._type: deepcopy(self._spec()),
        }
        return cast("AgentTool", built)

    def _spec(self) -> dict[str, Any]:
        raise NotImplementedError

    def _input_schema(self) -> Schema:
        return parameters(self._parameters)


class _ForeignSchemaBuilder(ToolBuilder):
    """A tool whose parameters are read elsewhere: from its app, its agent or its server."""

    def param(self, name: str, schema: Schema) -> Self:
        """Take a parameter, for code that describes it; what the tool runs decides its parameters."""
        warnings.warn(
            f"tool {self._name!r}: the parameters of {self._type} tools come from what they run, "
            f"so {name!r} is not sent",
            UserWarning,
            stacklevel=2,
        )
        return super().param(name, schema)


class ClientToolBuilder(ToolBuilder):
    """A tool that runs in the caller's program."""

    _type = "client"

    def handler(self, fn: ClientToolHandler, timeout: float | None = None) -> ClientTool:
        """Give the tool with the function that runs it, ready for ``tools``.

        Args:
            fn: Called with the arguments, a dictionary, for each call of the model; sync or async.
            timeout: Seconds after which a call is given up; 300 when ``None``, no limit when ``math.inf``.

        Raises:
            TypeError: It cannot be called.
            ValueError: The time-out is not more than zero.
        """
        return client_tool(self.build(), fn, timeout)

    def _spec(self) -> dict[str, Any]:
        return {"input_schema": self._input_schema()}


class AppToolBuilder(_ForeignSchemaBuilder):
    """A tool that runs an app."""

    _type = "app"

    def __init__(self, name: str, app_ref: str) -> None:
        super().__init__(name)
        self._options: dict[str, Any] = {"ref": app_ref}

    def setup(self, values: dict[str, Any]) -> Self:
        """Set the app up with these values; the model does not see them."""
        return self._with("setup", values)

    def input(self, values: dict[str, Any]) -> Self:
        """Give defaults for the app's input, which the model may override."""
        return self._with("input", values)

    def function(self, name: str) -> Self:
        """Call this function of the app instead of its default one."""
        return self._with("function", name)

    def session_enabled(self) -> Self:
        """Let the model keep the app's worker from call to call."""
        return self._with("session_enabled", True)

    def _with(self, option: str, value: Any) -> Self:
        return changed(self, _options={**self._options, option: deepcopy(value)})

    def _spec(self) -> dict[str, Any]:
        return {option: value for option, value in self._options.items() if value != {}}


class AgentToolBuilder(_ForeignSchemaBuilder):
    """A tool that asks another agent."""

    _type = "agent"

    def __init__(self, name: str, agent_ref: str) -> None:
        super().__init__(name)
        self._agent_ref = agent_ref

    def _spec(self) -> dict[str, Any]:
        return {"ref": self._agent_ref}


class WebhookToolBuilder(ToolBuilder):
    """A tool that posts its arguments to a URL."""

    _type = "hook"

    def __init__(self, name: str, url: str) -> None:
        super().__init__(name)
        self._url = url
        self._secret: str | None = None

    def secret(self, key: str) -> Self:
        """Sign the posts with the secret of this name."""
        return changed(self, _secret=key)

    def _spec(self) -> dict[str, Any]:
        return {"url": self._url, "secret": self._secret, "input_schema": self._input_schema()}


class HTTPToolBuilder(ToolBuilder):
    """A tool that calls an HTTP API.

    The URL may hold ``{{context.KEY}}`` and ``{{args.KEY}}``, header values ``{{context.KEY}}`` and
    ``${{secrets.NAME}}``.
    """

    _type = "http"

    def __init__(self, name: str, url: str) -> None:
        super().__init__(name)
        self._url = url
        self._method: str | None = None
        self._auth: ToolAuthConfig | None = None
        self._headers: dict[str, str] = {}

    def method(self, m: str) -> Self:
        """Call with GET, POST (as when not said), PUT, PATCH or DELETE.

        Raises:
            ValueError: It is another one.
        """
        method = m.upper()
        if method not in METHODS:
            raise ValueError(f"tool {self._name!r}: {m!r} is not one of {', '.join(METHODS)}")
        return changed(self, _method=None if method == "POST" else method)

    def auth(
        self,
        *,
        integration: str | None = None,
        integration_id: str | None = None,
        api_key: str | None = None,
        bearer: str | None = None,
        header: str | None = None,
    ) -> Self:
        """Say how the tool proves who it is; with nothing said, it does not.

        Args:
            integration: The provider of an integration, such as ``"google"``.
            integration_id: Which of its integrations; only with ``integration``.
            api_key: The name of the secret that is sent in a header.
            bearer: The name of the secret that is sent as ``Authorization: Bearer``.
            header: The header of ``api_key``, ``X-API-Key`` when not said; only with it.

        Raises:
            ValueError: Two ways are given, or an argument that belongs to another way.
        """
        config = auth_config(
            self._name,
            integration=integration,
            integration_id=integration_id,
            api_key=api_key,
            bearer=bearer,
            header=header,
        )
        return changed(self, _auth=config)

    def header(self, name: str, value: str) -> Self:
        """Send a header; of two with one name the later counts."""
        return changed(self, _headers={**self._headers, name: value})

    def _spec(self) -> dict[str, Any]:
        return {
            "url": self._url,
            "method": self._method,
            "auth": self._auth,
            "headers": self._headers or None,
            "input_schema": self._input_schema(),
        }


class MCPToolBuilder(_ForeignSchemaBuilder):
    """A tool of a connected MCP server."""

    _type = "mcp"

    def __init__(self, name: str, integration_id: str, tool_name: str) -> None:
        super().__init__(name)
        self._spec_values = {"integration_id": integration_id, "tool_name": tool_name}

    def _spec(self) -> dict[str, Any]:
        return self._spec_values


def tool(name: str) -> ClientToolBuilder:
    """Begin a tool that runs in the caller's program."""
    return ClientToolBuilder(name)


def app_tool(name: str, app_ref: str) -> AppToolBuilder:
    """Begin a tool that runs the app ``namespace/name@version``."""
    return AppToolBuilder(name, app_ref)


def agent_tool(name: str, agent_ref: str) -> AgentToolBuilder:
    """Begin a tool that asks the agent ``namespace/name@version``."""
    return AgentToolBuilder(name, agent_ref)


def webhook_tool(name: str, url: str) -> WebhookToolBuilder:
    """Begin a tool that posts its arguments to ``url``."""
    return WebhookToolBuilder(name, url)


def http_tool(name: str, url: str) -> HTTPToolBuilder:
    """Begin a tool that calls the HTTP API at ``url``."""
    return HTTPToolBuilder(name, url)


call_tool = http_tool
"""The other name of `http_tool`."""


def mcp_tool(name: str, integration_id: str, tool_name: str) -> MCPToolBuilder:
    """Begin a tool that calls ``tool_name`` of the connected MCP server ``integration_id``."""
    return MCPToolBuilder(name, integration_id, tool_name)
