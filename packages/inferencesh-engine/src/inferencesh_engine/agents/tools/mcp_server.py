"""One MCP server as its tools see it: connected when needed, and anew when it has gone."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from .mcp_transport import Stderr, open_transport
from .runner import ToolError
from .secrets import scrubbed

if TYPE_CHECKING:
    from mcp.client import Client
    from mcp.types import CallToolResult
    from mcp.types import Tool as McpTool

    from ...settings import McpServerRule

Listing = Mapping[str, "McpTool"]

_CONNECT_SECONDS = 30.0
_CHECK_SECONDS = 10.0
_CLOSE_SECONDS = 8.0
_LISTING_SECONDS = 1.0
_RETRY_SECONDS = 10.0
_MAX_PAGES = 100

_LOST = "was lost during the call, which may have had its effect or not"

_log = logging.getLogger("inferencesh.engine")


class Connection:
    """Keeps one connection, made when it is first needed and once more when the server has gone.

    Args:
        identifier: What tools call the server.
        rule: How it is reached.
        secrets: What `${{secrets.NAME}}` in the rule means.
        seconds: How long a call may take.
    """

    def __init__(
        self, identifier: str, rule: McpServerRule, secrets: Mapping[str, str], seconds: float
    ) -> None:
        self.name = f"MCP server {identifier}"
        self._rule = rule
        self._secrets = secrets
        self._seconds = seconds
        self._lock = asyncio.Lock()
        self._used: dict[str, str] = {}
        self._link: _Link | None = None
        self._failure: tuple[float, ToolError] | None = None
        self._closing: set[asyncio.Task[None]] = set()

    async def tools(self) -> Listing:
        """The server's tools by name, at most a second old. Raises ToolError.

        A server that could not be reached a moment ago is not tried again, so that many tools of a server
        that hangs cost a turn no more than one.
        """
        if self._failure is not None and time.monotonic() - self._failure[0] < _RETRY_SECONDS:
            raise ToolError(str(self._failure[1]))
        return (await self._alive(max_age=_LISTING_SECONDS)).listing

    async def call(self, tool_name: str, arguments: dict[str, object]) -> CallToolResult:
        """Call a tool once; what goes wrong is a ToolError, and does not concern other calls."""
        link = await self._alive()
        from mcp import MCPError  # noqa: PLC0415  # optional, and there if the server is
        from mcp.types import CONNECTION_CLOSED  # noqa: PLC0415  # the same

        link.calls += 1
        try:
            return await asyncio.wait_for(link.client.call_tool(tool_name, arguments), self._seconds)
        except (asyncio.TimeoutError, TimeoutError):
            raise self._error(f"did not answer within {self._seconds:g} s (tool_timeout_seconds)") from None
        except MCPError as error:
            if error.code != CONNECTION_CLOSED:
                raise self._error(f"answered: {error.message}") from None
            raise self._error(_LOST) from None
        except Exception as error:  # noqa: BLE001  # transports fail in many ways, and each means the same here
            raise self._error(f"{_LOST}: {error}") from None
        finally:
            link.calls -= 1

    def scrubbed(self, text: str) -> str:
        """The text without the secrets that the server was given."""
        return scrubbed(text, self._used)

    async def close(self) -> None:
        """Close the connection, and end the server if it was started for it."""
        self._drop()
        if self._closing:
            await asyncio.wait(self._closing)

    async def _alive(self, *, max_age: float = 0.0) -> _Link:
        """A connection over which the server has just answered, or answers another call."""
        async with self._lock:
            if self._link is not None and (self._link.calls or self._link.age() <= max_age):
                return self._link
            if self._link is not None and not await self._link.answers():
                _log.info("%s has gone; connecting again", self.name)
                self._drop()
            if self._link is None:
                self._link = await self._connected()
            return self._link

    async def _connected(self) -> _Link:
        link = _Link(self._rule, self._secrets, self._used, self.name)
        self._failure = None
        try:
            await self._open(link)
        except ToolError as error:
            self._failure = (time.monotonic(), error)
            raise
        return link

    async def _open(self, link: _Link) -> None:
        opened = False
        try:
            await link.open()
            opened = True
        except ToolError:
            raise
        except Exception as error:  # noqa: BLE001  # as in a call
            raise self._error(f"cannot be reached: {link.reason(error)}") from None
        finally:
            if not opened:
                self._put_away(link)

    def _drop(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            self._put_away(link)

    def _put_away(self, link: _Link) -> None:
        # A server that hangs is given seconds to leave, which nobody has to wait for.
        closing = asyncio.ensure_future(link.close())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    def _error(self, what: str) -> ToolError:
        return ToolError(self.scrubbed(f"{self.name} {what}"))


class _Link:
    """One connection, held open by a task of its own: who opened it has to close it.

    Attributes:
        client: There once it is open.
        listing: The tools as the server told them last.
        calls: How many calls are on their way.
    """

    client: Client
    listing: Listing

    def __init__(
        self, rule: McpServerRule, secrets: Mapping[str, str], used: dict[str, str], name: str
    ) -> None:
        self.calls = 0
        self._rule = rule
        self._secrets = secrets
        self._used = used
        self._stderr = Stderr(name, used)
        self._loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._over = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._listed_at = 0.0

    async def open(self) -> None:
        """Connect, and ask for the tools."""
        self._keeper = asyncio.ensure_future(self._keep())
        await asyncio.wait_for(asyncio.shield(self._opened), _CONNECT_SECONDS)
        await asyncio.wait_for(self._list(), _CHECK_SECONDS)

    async def answers(self) -> bool:
        """Whether the server answers; its tools are known anew then."""
        try:
            await asyncio.wait_for(self._list(), _CHECK_SECONDS)
        except Exception as error:  # noqa: BLE001  # as in a call
            _log.debug("no answer: %s", error)
            return False
        return True

    def age(self) -> float:
        """Seconds since the tools were listed."""
        return self._loop.time() - self._listed_at

    def reason(self, error: BaseException) -> str:
        """Why it is not open, with what the server printed last."""
        while (inner := getattr(error, "exceptions", None)) is not None:
            error = inner[0]
        said = f"; it printed: {self._stderr.last}" if self._stderr.last else ""
        return f"{str(error) or type(error).__name__}{said}"

    async def close(self) -> None:
        """Close it; a server that was started for it has ended when this returns."""
        self._over.set()
        if self._keeper is None:
            return
        if self._opened.cancel():
            self._keeper.cancel()
        done, _ = await asyncio.wait([self._keeper], timeout=_CLOSE_SECONDS)
        if not done:
            self._keeper.cancel()

    async def _keep(self) -> None:
        try:
            async with AsyncExitStack() as stack:
                transport = await open_transport(self._rule, self._secrets, self._used, self._stderr, stack)
                self.client = await stack.enter_async_context(transport)
                self._opened.set_result(None)
                await self._over.wait()
        except Exception as error:  # noqa: BLE001  # told to whoever waits for it
            if self._opened.done():
                _log.debug("connection has ended: %s", error)
            else:
                self._opened.set_exception(error)

    async def _list(self) -> None:
        tools: dict[str, McpTool] = {}
        cursor: str | None = None
        for _ in range(_MAX_PAGES):
            page = await self.client.list_tools(cursor=cursor, cache_mode="bypass")
            tools.update((tool.name, tool) for tool in page.tools)
            cursor = page.next_cursor
            if cursor is None:
                break
        self.listing, self._listed_at = tools, self._loop.time()
