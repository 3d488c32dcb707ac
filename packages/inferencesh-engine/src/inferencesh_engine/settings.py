"""What the operator says in `engine.yml`, the optional file in the served folder.

aliases:
  infsh/claude-sonnet-4: inferencesh/scripted
tool_secrets:
  NOTES_KEY: {hosts: [api.example.com]}
integrations:
  google: {token_secret: GOOGLE_TOKEN}
mcp_servers:
  int-abc123: {command: my-server, args: [--stdio]}
settings: {max_turn_steps: 20, allow_private_addresses: true}
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from inferencesh_app.yaml_document import YamlProblem, read_yaml
from inferencesh_core.refs import Ref

from .config_values import read_values
from .documents import check_names, content_of, place_of, reference, required_text, texts
from .domain.problems import EngineStartError
from .served_folder import SETTINGS_NAME

if TYPE_CHECKING:
    from pathlib import Path

    from inferencesh_app.yaml_document import Spot

    from .config_values import Value

_HOST = re.compile(r"(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*", re.IGNORECASE)
_SECRET = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Alias:
    """A name that stands for an app.

    Attributes:
        target: A reference to the app.
        setup: The setup of tasks that bring none; None for the app's own.
        input: Members of the input that tasks may leave out.
    """

    target: str
    setup: Mapping[str, Any] | None = None
    input: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SecretRule:
    """A secret that tools may use, sent to these hosts alone; `*.example.com` is all below, empty is none."""

    hosts: tuple[str, ...] = ()


@dataclass(frozen=True)
class IntegrationRule:
    """A provider that is connected: `token_secret` is the secret that holds its access token."""

    token_secret: str


@dataclass(frozen=True)
class McpServerRule:
    """An MCP server: a `command` to start with `args` and `env`, or a `url` to speak to with `headers`."""

    command: str | None = None
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    url: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def where(self) -> str:
        """The program or the address, without what may be secret: arguments and query."""
        from inferencesh_core.pinned import without_query  # noqa: PLC0415 - urllib3, for one line of a listing

        return self.command or without_query(self.url or "")


@dataclass(frozen=True)
class Settings:
    """An `engine.yml`, its parts by name; `settings` are `values` of fields of `EngineConfig`."""

    aliases: Mapping[Ref, Alias] = field(default_factory=dict)
    tool_secrets: Mapping[str, SecretRule] = field(default_factory=dict)
    integrations: Mapping[str, IntegrationRule] = field(default_factory=dict)
    mcp_servers: Mapping[str, McpServerRule] = field(default_factory=dict)
    values: Mapping[str, Value] = field(default_factory=dict)

    def alias(self, reference: Ref) -> Alias | None:
        """What a reference stands for; None for itself.

        An alias without a version is meant by every version of its name that has no alias of its own.
        """
        if not self.aliases:
            return None
        exact = Ref(reference.namespace, reference.name, reference.version)
        return self.aliases.get(exact) or self.aliases.get(Ref(reference.namespace, reference.name))


def load_settings(folder: Path) -> Settings:
    """The settings of a served folder; empty ones when it has no `engine.yml`.

    Raises:
        EngineStartError: The file cannot be read, or something in it is wrong; it names file, line and fix.
    """
    path = folder / SETTINGS_NAME
    try:
        content = content_of(path)
        return _settings(read_yaml(content)) if _says_something(content) else Settings()
    except FileNotFoundError:
        return Settings()
    except OSError as error:
        raise EngineStartError(f"{path} cannot be read: {error.strerror}") from error
    except YamlProblem as problem:
        raise EngineStartError(f"{place_of(path, problem)}: {problem.what}") from None


def _says_something(content: bytes) -> bool:
    """Whether there is more than blank lines and comments, as where everything is commented out."""
    return any(line.strip() and not line.lstrip().startswith(b"#") for line in content.splitlines())


def _settings(top: Spot) -> Settings:
    check_names(top, "aliases", "tool_secrets", "integrations", "mcp_servers", "settings")
    secrets = {name: _secret(name, spot) for name, spot in _members(top["tool_secrets"])}
    return Settings(
        aliases=_aliases(top["aliases"]),
        tool_secrets=secrets,
        integrations={name: _integration(spot, secrets) for name, spot in _members(top["integrations"])},
        mcp_servers={name: _mcp_server(spot) for name, spot in _members(top["mcp_servers"])},
        values=read_values(top["settings"]),
    )


def _members(spot: Spot) -> Iterator[tuple[str, Spot]]:
    check_names(spot, *(name for name, _ in spot.members()))
    return spot.members()


def _aliases(spot: Spot) -> dict[Ref, Alias]:
    aliases = {_alias_name(name, value): _alias(value) for name, value in _members(spot)}
    for name, value in spot.members():
        target = Ref.parse(aliases[Ref.parse(name)].target)
        if Settings(aliases).alias(target) is not None:
            raise value.problem(
                f"alias {name} stands for {target}, an alias itself; name the app it stands for"
            )
    return aliases


def _alias_name(text: str, spot: Spot) -> Ref:
    name = reference(text, spot)
    if name.function is not None:
        raise spot.problem(f"alias {text} names a function; put it behind what the alias stands for")
    return name


def _alias(spot: Spot) -> Alias:
    if isinstance(spot.plain(), str):
        return Alias(str(reference(spot.text(), spot)))
    check_names(spot, "app", "setup", "input")
    target = reference(required_text(spot, "app", "inferencesh/scripted"), spot["app"])
    return Alias(str(target), spot["setup"].mapping() or None, spot["input"].mapping())


def _secret(name: str, spot: Spot) -> SecretRule:
    if not _SECRET.fullmatch(name):
        raise spot.problem(f"secret {name!r} must be named like an environment variable: NOTES_KEY")
    check_names(spot, "hosts")
    return SecretRule(tuple(_host(item) for item in spot["hosts"].items()))


def _host(spot: Spot) -> str:
    host = spot.text()
    if not _HOST.fullmatch(host):
        raise spot.problem(
            f"host {host!r} must be a name alone, like api.example.com or *.example.com: "
            "no scheme, port or path"
        )
    return host.lower()


def _integration(spot: Spot, secrets: Mapping[str, SecretRule]) -> IntegrationRule:
    check_names(spot, "token_secret")
    name = required_text(spot, "token_secret", f"{spot.name.upper()}_TOKEN")
    if name not in secrets:
        raise spot["token_secret"].problem(
            f"secret {name} is not among tool_secrets; add it there with its hosts"
        )
    return IntegrationRule(name)


def _mcp_server(spot: Spot) -> McpServerRule:
    check_names(spot, "command", "args", "env", "url", "headers")
    command, url = spot["command"].text() or None, spot["url"].text() or None
    if (command is None) == (url is None):
        raise spot.problem(f"MCP server {spot.name} needs either a command to start or a url to speak to")
    of_other_kind = ("url", "headers") if command else ("command", "args", "env")
    for name, value in spot.members():
        if name in of_other_kind:
            raise value.problem(
                f"{name} does not go with {'command' if command else 'url'}; take one of them out"
            )
    if url is not None and not url.startswith(("http://", "https://")):
        raise spot["url"].problem(f"url must begin with http:// or https://, not {url!r}")
    return McpServerRule(command, texts(spot["args"]), _texts(spot["env"]), url, _texts(spot["headers"]))


def _texts(spot: Spot) -> dict[str, str]:
    return {name: value.text() for name, value in spot.members()}
