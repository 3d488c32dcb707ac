"""MCP tools call real servers, over pipes and over HTTP; one that dies or hangs fails its call only."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from inferencesh_engine.agents.tools.runner import ToolError
from inferencesh_engine.settings import McpServerRule, Settings
from tool_bench import bench, tool_of

PROBE = str(Path(__file__).parents[1] / "mcp_probe.py")
STDIO = McpServerRule(
    command=sys.executable, args=(PROBE, "stdio"), env={"PROBE_KEY": "${{secrets.PROBE_KEY}}"}
)
SECRETS = {"PROBE_KEY": "s3cret-value", "OTHER_KEY": "not yours"}

KILLED_ENGINE = """
import asyncio, sys
from pathlib import Path
from tool_bench import bench, tool_of
from inferencesh_engine.settings import McpServerRule, Settings

async def main(probe, root):
    rule = McpServerRule(command=sys.executable, args=(probe, "stdio"), env={"MCP_PROBE_DEAF": "1"})
    async with bench(Path(root), settings=Settings(mcp_servers={"deaf": rule})) as tried:
        print((await tried.run(tool_of("mcp", integration_id="deaf", tool_name="pid"))).text, flush=True)
        await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
"""


def mcp(tool_name, server="int-abc123"):
    return tool_of("mcp", integration_id=server, tool_name=tool_name)


def trying(scenario, tmp_path, rule=STDIO):
    async def main():
        settings = Settings(mcp_servers={"int-abc123": rule, "other": STDIO})
        async with bench(tmp_path, settings=settings, secrets=SECRETS, tool_timeout_seconds=2) as tried:
            return await scenario(tried)

    return asyncio.run(main())


@contextmanager
def http_server(port=0):
    """A probe over HTTP: its URL, and its process."""
    environment = {**os.environ, "MCP_PROBE_PORT": str(port)}
    command = [sys.executable, PROBE, "http"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            yield process.stdout.readline().strip(), process
        finally:
            process.kill()


async def ended(pid):
    """Return when there is no such process, or fail after ten seconds."""
    deadline = time.monotonic() + 10
    while is_running(pid):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        await asyncio.sleep(0.02)


def is_running(pid):
    try:
        return "(zombie)" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_a_server_that_is_a_program_is_asked_and_called(tmp_path, caplog):
    caplog.set_level(logging.INFO, "inferencesh.engine")

    async def scenario(tried):
        offered = await tried.offered(mcp("add"))
        assert offered.description == "Add two numbers."
        assert offered.parameters["required"] == ["a", "b"]
        assert (await tried.run(mcp("add"), {"a": 2, "b": 3})).text == "5"
        failed = await tried.run(mcp("fail"), {"reason": "no such page"})
        assert failed.failed
        assert "no such page" in failed.text
        with pytest.raises(ToolError, match="has no tool sub; it has: add, die"):
            await tried.offered(mcp("sub"))
        environment = json.loads((await tried.run(mcp("environment"))).text)
        assert environment["PROBE_KEY"] == "[secret PROBE_KEY]"
        assert "OTHER_KEY" not in environment
        assert set(environment) <= {
            "PROBE_KEY",
            "HOME",
            "LOGNAME",
            "PATH",
            "SHELL",
            "TERM",
            "USER",
            "LC_CTYPE",
        }
        return int((await tried.run(mcp("pid"))).text)

    pid = trying(scenario, tmp_path)
    asyncio.run(ended(pid))
    assert "MCP server int-abc123: the probe is up, with [secret PROBE_KEY]" in caplog.text
    assert SECRETS["PROBE_KEY"] not in caplog.text


def test_a_server_that_dies_fails_its_call_and_is_there_for_the_next(tmp_path):
    async def scenario(tried):
        said = await tried.refusal(mcp("die"))
        assert said == "MCP server int-abc123 was lost during the call, which may have had its effect or not"
        assert (await tried.run(mcp("add"), {"a": 1, "b": 1})).text == "2"
        pid = int((await tried.run(mcp("pid"))).text)
        os.kill(pid, signal.SIGKILL)
        await ended(pid)
        assert (await tried.run(mcp("add"), {"a": 1, "b": 2})).text == "3"

    trying(scenario, tmp_path)


def test_a_call_that_hangs_or_is_stopped_concerns_no_other(tmp_path):
    async def scenario(tried):
        pid = (await tried.run(mcp("pid"))).text
        hanging = asyncio.ensure_future(tried.refusal(mcp("hang")))
        stopped = asyncio.ensure_future(tried.run(mcp("hang")))
        beside = [tried.run(mcp("add"), {"a": n, "b": n}) for n in range(3)]
        assert [outcome.text for outcome in await asyncio.gather(*beside)] == ["0", "2", "4"]
        stopped.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stopped
        assert await hanging == "MCP server int-abc123 did not answer within 2 s (tool_timeout_seconds)"
        assert (await tried.run(mcp("pid"))).text == pid

    trying(scenario, tmp_path)


def test_a_server_over_http_is_called_with_its_headers_and_found_again(tmp_path):
    with http_server() as (url, process):
        rule = McpServerRule(url=url, headers={"X-Probe": "key ${{secrets.PROBE_KEY}}"})

        async def scenario(tried):
            assert (await tried.offered(mcp("add"))).parameters["required"] == ["a", "b"]
            assert json.loads((await tried.run(mcp("headers"))).text)["x-probe"] == "key [secret PROBE_KEY]"
            process.kill()
            process.wait()
            assert "MCP server int-abc123 cannot be reached" in await tried.refusal(
                mcp("add"), {"a": 1, "b": 1}
            )
            port = int(url.split(":")[2].split("/")[0])
            with http_server(port):
                assert (await tried.run(mcp("add"), {"a": 1, "b": 1})).text == "2"

        trying(scenario, tmp_path, rule)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (McpServerRule(command="no-such-program"), "there is no program no-such-program"),
        (McpServerRule(command=sys.executable, args=("-c", "print('hello')")), "cannot be reached"),
        (
            McpServerRule(command=sys.executable, args=("-c", "raise SystemExit('no licence')")),
            "it printed: no licence",
        ),
        (McpServerRule(url="http://127.0.0.1:1/mcp"), "cannot be reached"),
        (McpServerRule(command=sys.executable, env={"K": "${{secrets.NOPE}}"}), "secret NOPE is not set"),
        (McpServerRule(url="http://127.0.0.1:1/", headers={"K": "${{env.NOPE}}"}), "${{env.NOPE}}"),
    ],
)
def test_a_server_that_cannot_be_reached_is_an_error_that_says_why(tmp_path, rule, said):
    async def scenario(tried):
        assert said in await tried.refusal(mcp("add"))
        with pytest.raises(ToolError, match=re.escape(said)):
            await tried.offered(mcp("add"))

    trying(scenario, tmp_path, rule)


def test_without_the_package_the_error_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mcp", None)

    async def scenario(tried):
        assert "pip install 'inferencesh-engine[mcp]'" in await tried.refusal(mcp("add"))

    trying(scenario, tmp_path)


def test_a_server_that_cannot_be_reached_is_not_tried_for_each_of_its_tools(tmp_path):
    started = tmp_path / "started"
    program = f"open({str(started)!r}, 'a').write('x')"

    async def scenario(tried):
        for name in ("add", "fail", "pid"):
            with pytest.raises(ToolError, match="cannot be reached"):
                await tried.offered(mcp(name))
        assert started.read_text() == "x"
        assert "cannot be reached" in await tried.refusal(mcp("add"))
        assert started.read_text() == "xx"

    trying(scenario, tmp_path, McpServerRule(command=sys.executable, args=("-c", program)))


def test_a_server_nobody_declared_is_an_error_that_shows_how(tmp_path):
    async def scenario(tried):
        said = await tried.refusal(mcp("add", "int-zzz"))
        assert "mcp_servers: {int-zzz:" in said
        assert "(there are: int-abc123, other)" in said

    trying(scenario, tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills children so")
def test_a_server_that_ignores_its_input_dies_with_a_killed_engine(tmp_path):
    script = tmp_path / "killed_engine.py"
    script.write_text(KILLED_ENGINE)
    command = [sys.executable, str(script), PROBE, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(Path(PROBE).parent)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        pid = int(process.stdout.readline())
        process.kill()
    asyncio.run(ended(pid))
