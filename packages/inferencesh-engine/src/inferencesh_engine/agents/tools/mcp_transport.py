"""How an MCP server is reached: as a process of ours that speaks over its pipes, or at a URL."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..placeholders import SECRETS, fill_header
from . import mortal
from .runner import ToolError
from .secrets import scrubbed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AsyncExitStack
    from typing import TextIO

    from mcp.client import Client

    from ...settings import McpServerRule

_MAX_LINE_CHARS = 2000
_CONNECT_SECONDS = 30.0

_log = logging.getLogger("inferencesh.engine")


class Stderr(asyncio.Protocol):
    """Puts what a server prints into the engine's log, without the secrets it was given.

    Attributes:
        last: The last line.
    """

    def __init__(self, name: str, secrets: Mapping[str, str]) -> None:
        self.last = ""
        self._name = name
        self._secrets = secrets
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        """Log the lines that are complete; an endless one is cut."""
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[:_MAX_LINE_CHARS]
        for line in lines:
            text = scrubbed(line.decode("utf-8", "replace").strip(), self._secrets)[:_MAX_LINE_CHARS]
            if text:
                self.last = text
                _log.info("%s: %s", self._name, text)


async def open_transport(
    rule: McpServerRule,
    secrets: Mapping[str, str],
    used: dict[str, str],
    stderr: Stderr,
    stack: AsyncExitStack,
) -> Client:
    """Give a client that is not connected yet; the stack holds what it needs.

    `used` is told the secrets that the server gets.

    Raises:
        ToolError: the package `mcp` is missing, or the command, or a secret.
    """
    try:
        import mcp  # noqa: F401, PLC0415  # optional, and brings a web server
    except ImportError:
        raise ToolError(
            "MCP tools need the package mcp: pip install 'inferencesh-engine[mcp]' and start the engine again"
        ) from None
    if rule.command is None:
        return await _at_url(rule, _filled(rule.headers, secrets, used), stack)
    return await _as_process(rule, _filled(rule.env, secrets, used), stderr, stack)


def _filled(texts: Mapping[str, str], secrets: Mapping[str, str], used: dict[str, str]) -> dict[str, str]:
    def value(name: str) -> str:
        if not secrets.get(name):
            raise ToolError(f"secret {name} is not set: set it in the engine's environment")
        used[name] = secrets[name]
        return secrets[name]

    return {name: fill_header(text, {SECRETS: value}) for name, text in texts.items()}


async def _at_url(rule: McpServerRule, headers: dict[str, str], stack: AsyncExitStack) -> Client:
    from httpx2 import AsyncClient, Timeout  # noqa: PLC0415  # optional
    from mcp.client import Client  # noqa: PLC0415  # the same
    from mcp.client.streamable_http import streamable_http_client  # noqa: PLC0415  # the same

    # A server may keep a stream open without a word; calls have a time-out of their own.
    http = AsyncClient(headers=headers, timeout=Timeout(_CONNECT_SECONDS, read=None))
    await stack.enter_async_context(http)
    return Client(streamable_http_client(rule.url or "", http_client=http))


async def _as_process(
    rule: McpServerRule, environment: dict[str, str], stderr: Stderr, stack: AsyncExitStack
) -> Client:
    from mcp import StdioServerParameters  # noqa: PLC0415  # optional
    from mcp.client import Client  # noqa: PLC0415  # the same
    from mcp.client.stdio import stdio_client  # noqa: PLC0415  # the same

    command = shutil.which(rule.command or "", path=environment.get("PATH"))
    if command is None:
        raise ToolError(f"there is no program {rule.command}; install it, or correct command in engine.yml")
    script = str(Path(mortal.__file__))
    arguments = ["-I", "-S", script, command, *rule.args]
    server = StdioServerParameters(command=sys.executable, args=arguments, env=environment)
    return Client(stdio_client(server, errlog=await _pipe_to(stderr, stack)))


async def _pipe_to(stderr: Stderr, stack: AsyncExitStack) -> TextIO:
    read_fd, write_fd = os.pipe()
    written = stack.enter_context(os.fdopen(write_fd, "w"))
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: stderr, os.fdopen(read_fd, "rb", 0))
    stack.callback(transport.close)
    return written
