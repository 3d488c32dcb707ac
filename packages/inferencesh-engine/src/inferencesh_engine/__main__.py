"""`python -m inferencesh_engine serve APPS_DIR`: the engine as a command."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import shlex
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .config import EngineConfig
from .domain.problems import EngineStartError, Problem
from .options import host_name, origin, port, token
from .serving import serving

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator, Mapping, Sequence

    from .engine import Engine

DESCRIPTION = "Serve a folder of apps as the inference.sh API on this machine."
EPILOG = """\
APPS_DIR holds one folder per app, each with an inf.yml and an inference.py; agents, as agents/NAME.yml; and
an engine.yml, if there is something to set. Programs reach the engine with
  inference(base_url=URL, api_key=TOKEN)      or simply      inference(base_url="local:APPS_DIR")
Files, tasks and the token are kept in the state folder. Ctrl-C or SIGTERM stops the engine; tasks that were
running are taken up again when it starts the next time.
"""

# Requests leave no cycles behind, so looking for some after every few hundred objects finds none.
_OBJECTS_BETWEEN_COLLECTIONS = 10_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; gives the exit status: 0 after a stop, 2 when the engine cannot start."""
    options = _parser().parse_args(arguments)
    gc.disable()  # until it serves: what imports make stays, and to look through it is a tenth of a start
    try:
        _run(_serve(_config(options), options.allow_origin))
    except EngineStartError as error:
        print(f"inferencesh engine: {error}", file=sys.stderr)  # noqa: T201 - a command speaks to its terminal
        return 2
    finally:
        gc.enable()
    return 0


def _run(program: Coroutine[Any, Any, None]) -> None:
    """Run on the quicker event loop, where there is one for this system: a fifth more tasks a second."""
    try:
        import uvloop  # noqa: PLC0415 - not to be had everywhere
    except ImportError:
        asyncio.run(program)
    else:
        uvloop.run(program)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m inferencesh_engine", description=DESCRIPTION)
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and leave")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve = commands.add_parser(
        "serve",
        help="serve a folder of apps",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    serve.add_argument(
        "apps_dir", metavar="APPS_DIR", type=Path, help="the folder that holds the app folders"
    )
    serve.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (%(default)s: this machine only)"
    )
    serve.add_argument("--port", type=port, default=0, help="port to listen on (default: a free one)")
    serve.add_argument(
        "--token", type=token, help="key that callers must send (default: a random one, kept in DIR/token)"
    )
    serve.add_argument(
        "--state", type=Path, metavar="DIR", help="state folder (default: APPS_DIR/.inferencesh)"
    )
    serve.add_argument(
        "--allow-host",
        type=host_name,
        action="append",
        default=[],
        metavar="NAME",
        help="a name callers may use for this machine",
    )
    serve.add_argument(
        "--allow-origin",
        type=origin,
        action="append",
        default=[],
        metavar="ORIGIN",
        help="let web pages of this origin call",
    )
    return parser


class _Version(argparse.Action):
    """Looks the version up when it is asked for, which takes longer than all other options."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version  # noqa: PLC0415 - see above

        _say(f"inferencesh-engine {version('inferencesh-engine')}")
        parser.exit()


def _config(options: argparse.Namespace) -> EngineConfig:
    apps_dir: Path = options.apps_dir
    if not apps_dir.is_dir():
        raise EngineStartError(f"{apps_dir} is no folder; name the folder that holds your app folders")
    return EngineConfig(
        apps_dir=apps_dir.resolve(),
        state_dir=options.state.resolve() if options.state else None,
        host=options.host,
        port=options.port,
        token=options.token,
        allow_hosts=tuple(options.allow_host),
    )


async def _serve(config: EngineConfig, origins: Sequence[str]) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, _stop_once, stopping, number)
    async with serving(config, allow_origins=origins, own_process=True) as (engine, _):
        _make_collections_rare()
        gc.enable()
        _say(_welcome(engine))
        await stopping.wait()
        _say("stopping…")


def _make_collections_rare() -> None:
    """Requests stand still while garbage is looked for, longest where it goes through all that was loaded."""
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, *gc.get_threshold()[1:])


def _stop_once(stopping: asyncio.Event, number: signal.Signals) -> None:
    """The first signal asks; the next one ends the process the usual way."""
    stopping.set()
    asyncio.get_running_loop().remove_signal_handler(number)


def _welcome(engine: Engine) -> str:
    from .presence import TOKEN_FILE  # noqa: PLC0415 - the worker under way must not wait for what it brings

    token_file = engine.config.state_path / TOKEN_FILE
    lines = [f"inferencesh engine at {engine.base_url}", f"token in {token_file}", "", *_served(engine), ""]
    lines += [
        "try it:",
        f"  export INFERENCE_BASE_URL={engine.base_url}",
        f'  export INFERENCE_API_KEY="$(cat {shlex.quote(str(token_file))})"',
        "Ctrl-C stops it.",
    ]
    return "\n".join(lines)


def _served(engine: Engine) -> list[str]:
    """What can be run, and what is wrong in the served folder."""
    catalog, settings = engine.catalog, engine.settings
    lines = [f"serves {engine.config.apps_dir} and the apps that come with the engine:"]
    lines += _listed("apps", {app.ref: app.manifest.description for app in catalog.apps()})
    lines += _listed("agents", {agent.ref: agent.config.get("description", "") for agent in catalog.agents()})
    lines += _listed("aliases", {str(name): each.target for name, each in settings.aliases.items()})
    lines += _listed("MCP servers", {name: each.where for name, each in settings.mcp_servers.items()})
    return [*lines, *(f"  ! {issue}" for issue in (*catalog.issues(), *_lacking(engine)))]


def _lacking(engine: Engine) -> Iterator[str]:
    """What engine.yml counts on and is not there."""
    for name in engine.settings.tool_secrets:
        if not engine.config.secrets.get(name):
            yield f"secret {name} is not set, so that no tool can use it: set it in the engine's environment"
    wrong = (_wrong_with(engine, str(reference)) for reference in engine.settings.aliases)
    yield from (f"alias {detail}" for detail in wrong if detail is not None)


def _wrong_with(engine: Engine, reference: str) -> str | None:
    try:
        engine.catalog.resolve(reference)
    except Problem as problem:
        return problem.detail
    return None


def _listed(kind: str, described: Mapping[str, str]) -> list[str]:
    width = max(map(len, described), default=0)
    lines = [f"    {ref:<{width}}  {description}".rstrip() for ref, description in described.items()]
    return [f"  {kind}:", *lines] if lines else []


def _say(text: str) -> None:
    """Print for the user. Where nobody reads any more, as after `| head -1`, it serves on in silence."""
    try:
        print(text, flush=True)  # noqa: T201 - a command speaks to its terminal
    except BrokenPipeError:
        # What is left in the buffer would break the pipe once more when the interpreter ends.
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
