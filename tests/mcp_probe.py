"""An MCP server to be tried: `python mcp_probe.py stdio`, or `http`, which says the URL it serves.

`add` adds, `fail` fails, `die` ends the process, `hang` never answers, `environment` tells the process's
environment, `headers` the request's headers, `pid` its process id. With `MCP_PROBE_DEAF` it stays when its
input ends.
"""

import asyncio
import json
import os
import signal
import socket
import sys

import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("probe")


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
def fail(reason: str) -> str:
    raise ToolError(reason)


@server.tool()
def die() -> str:
    os.kill(os.getpid(), signal.SIGKILL)


@server.tool()
async def hang() -> str:
    await asyncio.Event().wait()


@server.tool()
def environment() -> str:
    return json.dumps(dict(os.environ))


@server.tool()
def headers(context: Context) -> str:
    return json.dumps(dict(context.request_context.request.headers))


@server.tool()
def pid() -> str:
    return str(os.getpid())


def serve_http():
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", int(os.environ.get("MCP_PROBE_PORT", "0"))))
    listening.listen()
    sys.stdout.write(f"http://127.0.0.1:{listening.getsockname()[1]}/mcp\n")
    sys.stdout.flush()
    config = uvicorn.Config(server.streamable_http_app(), log_level="error")
    asyncio.run(uvicorn.Server(config).serve(sockets=[listening]))


def serve_stdio():
    sys.stderr.write(f"the probe is up, with {os.environ.get('PROBE_KEY')}\n")
    sys.stderr.flush()
    server.run("stdio")
    if os.environ.get("MCP_PROBE_DEAF"):
        signal.pause()


if __name__ == "__main__":
    serve_http() if sys.argv[1] == "http" else serve_stdio()
