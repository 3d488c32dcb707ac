"""`python -m inferencesh_engine serve` says what is needed, and stops when told."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from contextlib import closing, contextmanager
from importlib.metadata import version
from urllib.parse import urlsplit

import pytest

from inferencesh_core import inference
from serving import Api, write_apps


def command(*arguments):
    return [sys.executable, "-m", "inferencesh_engine", *map(str, arguments)]


def finished(*arguments):
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=60, check=False)


@contextmanager
def served(*arguments):
    process = subprocess.Popen(
        command("serve", *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        lines = []
        while not lines or not lines[-1].startswith("Ctrl-C"):
            line = process.stdout.readline()
            assert line, process.stderr.read()
            lines.append(line)
        yield process, "".join(lines)
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def folder(tmp_path):
    return write_apps(tmp_path / "apps")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_is_and_what_it_found_and_stops_cleanly(folder, number):
    (folder / "broken").mkdir()
    (folder / "broken" / "inf.yml").write_text("name: [")
    with served(folder) as (process, said):
        base_url = said.split()[3]
        token_file = folder / ".inferencesh" / "token"
        assert str(token_file) in said
        assert token_file.read_text() not in said
        assert "test/echo" in said
        assert "broken" in said
        api = Api(base_url, token_file.read_text(), folder)
        assert api.run("echo", {"text": "x"}, wait=True).json["output"]["text"] == "x"
        process.send_signal(number)
        rest, errors = process.communicate(timeout=30)
        assert (process.returncode, errors) == (0, "")
        assert "stopping" in rest
    assert not (folder / ".inferencesh" / "engine.json").exists()


ENGINE_YML = """
aliases: {far/away: test/echo, far/off: acme/nothing}
tool_secrets: {UNSET_FOR_THIS_TEST: {hosts: [example.com]}}
mcp_servers:
  notes: {command: notes-server, args: [--key, k3y]}
  search: {url: "https://mcp.example.com/mcp?key=k3y"}
"""


def test_it_lists_what_engine_yml_declares_and_warns_of_what_is_not_there(folder):
    (folder / "engine.yml").write_text(ENGINE_YML)
    with served(folder) as (_, said):
        words = [line.split() for line in said.splitlines()]
        assert ["far/away", "test/echo"] in words
        assert ["notes", "notes-server"] in words
        assert ["search", "https://mcp.example.com/mcp"] in words
        assert "k3y" not in said
        warned = [line.strip() for line in said.splitlines() if line.startswith("  ! ")]
        assert [line[:40] for line in warned] == [
            "! secret UNSET_FOR_THIS_TEST is not set,",
            "! alias far/off stands for acme/nothing ",
        ]


def test_the_state_can_be_kept_elsewhere_and_the_token_given(folder, tmp_path):
    state = tmp_path / "state"
    with served(folder, "--state", state, "--token", "mine") as (process, said):
        assert str(state / "token") in said
        assert Api(said.split()[3], "mine", folder).call("POST", "/apps/list", {}).status == 200
        with closing(inference(base_url=f"local:{folder}")) as joined:
            assert joined.context.config.base_url == said.split()[3]
        (signpost,) = (folder / ".inferencesh").iterdir()
        assert (signpost.stat().st_mode & 0o777, "mine" in signpost.read_text()) == (0o600, False)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    assert not (folder / ".inferencesh").exists()


def test_an_engine_whose_apps_folder_cannot_be_written_says_so_and_serves(folder, tmp_path):
    (folder / ".inferencesh").touch()
    with served(folder, "--state", tmp_path / "state", "--token", "mine") as (process, said):
        assert Api(said.split()[3], "mine", folder).call("POST", "/apps/list", {}).status == 200
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
    assert f"programs that use local:{folder} will not find this engine" in errors
    assert len(errors.splitlines()) == 1


def test_a_port_in_use_is_one_clear_line(folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = finished("serve", folder, "--port", port)
    assert done.returncode == 2
    assert f"port {port}" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--port", "70000"], "'70000' is no port: use a number from 1 to 65535"),
        (["--port", "x"], "'x' is no port: use a number from 1 to 65535"),
        (["--port", "-1"], "'-1' is no port"),
        (["--nonsense"], "--nonsense"),
        (["--token", "   "], "visible ASCII"),
        (["--token", "a b"], "visible ASCII"),
        (["--token", "é"], "visible ASCII"),
        (["--token", ""], "visible ASCII"),
        (["--allow-host", "http://foo"], "'http://foo' is no name: write it as it stands"),
        (["--allow-host", "*.local"], "no patterns"),
        (["--allow-host", ""], "is no name"),
        (
            ["--allow-origin", "*"],
            "'*' is no origin: write scheme, host and port, like http://localhost:3000",
        ),
        (["--allow-origin", "null"], "is no origin"),
        (["--allow-origin", "localhost:3000"], "is no origin"),
        (["--allow-origin", "http://localhost:3000/app"], "is no origin"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_option_is_named_with_what_is_right(folder, arguments, told):
    done = finished("serve", folder, *arguments)
    assert done.returncode == 2
    assert told in done.stderr


def test_names_and_origins_are_taken_as_requests_have_them(folder):
    options = ["--allow-host", "box.local", "--allow-host", "box.example:80", "--allow-origin", "http://a:1"]
    with served(folder, *options) as (_, said):
        api = Api(said.split()[3], (folder / ".inferencesh" / "token").read_text(), folder)
        for host, status in [("box.local:9", 200), ("box.example:80", 200), ("other", 421)]:
            assert api.call("POST", "/apps/list", {}, headers={"Host": host}).status == status
        assert api.call("POST", "/apps/list", {}, headers={"Origin": "http://a:1"}).status == 200


def test_it_serves_on_and_stops_cleanly_when_nobody_reads_what_it_says(folder):
    with served(folder) as (process, said):
        process.stdout.close()
        process.send_signal(signal.SIGTERM)
        errors = process.stderr.read()
        assert (process.wait(timeout=30), errors) == (0, "")
        assert said.startswith("inferencesh engine at")
        process.stdout = None


MALFORMED = {
    "no host": b"GET /health HTTP/1.1\r\n\r\n",
    "garbage": b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
    "no version": b"GET / nonsense\r\n\r\n",
    "bad header": b"GET /health HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
    "two lengths": b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "after one": b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\nGET /health HTTP/1.1\r\nno colon\r\n\r\n",
}


def test_what_is_no_http_is_refused_without_a_word_on_the_terminal(folder):
    with served(folder) as (process, said):
        where = urlsplit(said.split()[3])
        for request in MALFORMED.values():
            with socket.create_connection((where.hostname, where.port), timeout=10) as connection:
                connection.sendall(request)
                answers = b"".join(iter(lambda: connection.recv(65536), b""))
                assert b"HTTP/1.1 4" in answers or b"HTTP/1.0 4" in answers, request
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=30)[1] == ""


def test_it_tells_its_version():
    done = finished("--version")
    assert (done.returncode, done.stdout) == (0, f"inferencesh-engine {version('inferencesh-engine')}\n")


def test_a_folder_that_is_missing_is_named(tmp_path):
    done = finished("serve", tmp_path / "missing")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert str(tmp_path / "missing") in done.stderr


def test_help_is_enough():
    text = finished("serve", "--help").stdout
    assert "inf.yml" in text
    assert "local:APPS_DIR" in text
    assert "SIGTERM" in text
