"""What `engine.yml` may say, and what an operator is told who got it wrong."""

import asyncio
import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

from inferencesh_core.refs import Ref
from inferencesh_engine.config import EngineConfig
from inferencesh_engine.config_values import with_values
from inferencesh_engine.domain.problems import EngineStartError
from inferencesh_engine.engine import Engine
from inferencesh_engine.settings import (
    Alias,
    IntegrationRule,
    McpServerRule,
    SecretRule,
    Settings,
    load_settings,
)
from inline_engine import InlineWorkers

EVERYTHING = """
aliases:
  infsh/claude-sonnet-4: inferencesh/scripted
  infsh/claude-sonnet-4@v2:
    app: acme/model@k3v9:chat
    setup: {size: small}
    input: {temperature: 0.2}
tool_secrets:
  NOTES_KEY: {hosts: [api.example.com, "*.Example.org"]}
  TOKEN:
integrations:
  google: {token_secret: TOKEN}
mcp_servers:
  int-abc123: {command: server, args: [--port, 80], env: {KEY: "${{secrets.TOKEN}}"}}
  int-def456: {url: https://mcp.example.com/mcp, headers: {Authorization: x}}
"""


def settings_of(folder, text):
    (folder / "engine.yml").write_text(text)
    return load_settings(folder)


def test_a_folder_without_the_file_has_no_settings(tmp_path):
    assert load_settings(tmp_path) == Settings()


def test_a_file_of_which_everything_is_commented_out_has_no_settings(tmp_path):
    assert settings_of(tmp_path, "# aliases:\n  # a/b: c\n\n") == settings_of(tmp_path, "") == Settings()


def test_everything_that_can_be_said_is_read(tmp_path):
    settings = settings_of(tmp_path, EVERYTHING)
    assert settings.tool_secrets == {
        "NOTES_KEY": SecretRule(("api.example.com", "*.example.org")),
        "TOKEN": SecretRule(),
    }
    assert settings.integrations == {"google": IntegrationRule("TOKEN")}
    assert settings.mcp_servers == {
        "int-abc123": McpServerRule("server", ("--port", "80"), {"KEY": "${{secrets.TOKEN}}"}),
        "int-def456": McpServerRule(url="https://mcp.example.com/mcp", headers={"Authorization": "x"}),
    }


@pytest.mark.parametrize(
    ("reference", "meant"),
    [
        ("infsh/claude-sonnet-4", "inferencesh/scripted"),
        ("infsh/claude-sonnet-4@abc123", "inferencesh/scripted"),
        ("infsh/claude-sonnet-4@abc123:run", "inferencesh/scripted"),
        ("infsh/claude-sonnet-4@v2", "acme/model@k3v9:chat"),
        ("claude-sonnet-4", None),
        ("acme/claude-sonnet-4", None),
    ],
)
def test_an_alias_is_meant_by_every_version_unless_one_has_its_own(tmp_path, reference, meant):
    alias = settings_of(tmp_path, EVERYTHING).alias(Ref.parse(reference))
    assert (alias.target if alias else None) == meant


def test_an_alias_may_bring_setup_and_input(tmp_path):
    alias = settings_of(tmp_path, EVERYTHING).alias(Ref.parse("infsh/claude-sonnet-4@v2"))
    assert alias == Alias("acme/model@k3v9:chat", {"size": "small"}, {"temperature": 0.2})


SETTINGS = """
settings:
  allow_private_addresses: true
  max_agent_depth: 0
  max_turn_seconds: 90
  max_turn_tokens: null
  max_workers: 2
"""


def test_settings_are_fields_of_the_configuration_unless_the_program_sets_them(tmp_path):
    values = settings_of(tmp_path, SETTINGS).values
    made = with_values(EngineConfig(apps_dir=tmp_path, max_turn_seconds=5), values)
    assert made == EngineConfig(
        apps_dir=tmp_path, max_turn_seconds=5, allow_private_addresses=True, max_agent_depth=0, max_workers=2
    )


def test_an_engine_goes_by_the_settings_of_its_folder(tmp_path):
    settings_of(tmp_path, SETTINGS)

    async def inside():
        async with Engine(
            EngineConfig(apps_dir=tmp_path, executor="inline"), plugins=[InlineWorkers()]
        ) as engine:
            return engine.config

    assert asyncio.run(inside()).max_turn_seconds == 90


def test_the_settings_shown_in_the_document_load(tmp_path):
    document = (Path(__file__).parents[3] / "docs" / "engine.md").read_text()
    (shown,) = re.findall(r"```yaml\n(# engine.yml\n.*?)```", document, re.DOTALL)
    assert settings_of(tmp_path, shown).values == {
        "max_workers": 2,
        "task_timeout_seconds": 600,
        "allow_private_addresses": True,
    }


def test_every_default_is_a_value_that_may_be_set(tmp_path):
    defaults = EngineConfig(apps_dir=tmp_path)
    values = {one.name: getattr(defaults, one.name) for one in fields(EngineConfig)}
    values = {name: value for name, value in values.items() if type(value) in (int, float, bool, type(None))}
    for name in ("port", "token", "state_dir"):
        values.pop(name)
    assert settings_of(tmp_path, json.dumps({"settings": values})).values == values


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("alias: {}", 1, "did you mean aliases"),
        ("aliases: {}\naliases: {}", 2, "'aliases' stands here twice"),
        ("aliases: [a]", 1, "must be names with values"),
        ("aliases:\n  a/b: 'c d'", 2, "'c d' is not of the form"),
        ("aliases:\n  a/b/c: d", 2, "'a/b/c' is not of the form"),
        ("aliases:\n  a/b:run: d", 2, "names a function"),
        ("aliases:\n  a/b: {setup: {}}", 2, "app is missing"),
        ("aliases:\n  a/b: {app: c, setup: [1]}", 2, "setup must be names with values"),
        ("aliases:\n  a/b: c/d@x\n  c/d: e", 2, "an alias itself"),
        ("aliases:\n  a/b: a/b@1", 2, "an alias itself"),
        ("tool_secrets:\n  A-B: {}", 2, "named like an environment variable"),
        ("tool_secrets:\n  KEY: {hosts: ['https://x.org']}", 2, "no scheme, port or path"),
        ("tool_secrets:\n  KEY: {host: x.org}", 2, "did you mean hosts"),
        ("integrations:\n  google: {}", 2, "token_secret is missing"),
        ("integrations:\n  google: {token_secret: T}", 2, "add it there with its hosts"),
        ("mcp_servers:\n  a: {}", 2, "either a command to start or a url"),
        ("mcp_servers:\n  a: {command: x, url: http://y}", 2, "either a command to start or a url"),
        ("mcp_servers:\n  a: {url: http://y, args: [x]}", 2, "args does not go with url"),
        ("mcp_servers:\n  a: {url: ftp://y}", 2, "must begin with http"),
        ("settings:\n  max_turn_step: 3", 2, "did you mean max_turn_steps"),
        ("settings:\n  host: 0.0.0.0", 2, "'host' is not known here"),
        ("settings:\n  secrets: {A: b}", 2, "'secrets' is not known here"),
        ("settings:\n  max_turn_steps: 2.5", 2, "max_turn_steps must be a whole number, not 2.5"),
        ("settings:\n  max_turn_steps: true", 2, "max_turn_steps must be a whole number, not True"),
        ("settings:\n  max_turn_steps: 0", 2, "max_turn_steps must be more than 0"),
        ("settings:\n  max_turn_steps:", 2, "max_turn_steps must be a whole number, not None"),
        ("settings:\n  max_turn_tokens: '9'", 2, "max_turn_tokens must be a whole number or null, not '9'"),
        ("settings:\n  max_agent_depth: -1", 2, "max_agent_depth must be 0 or more"),
        ("settings:\n  tool_timeout_seconds: .inf", 2, "tool_timeout_seconds must be a number, not '.inf'"),
        ("settings:\n  tool_timeout_seconds: 1.0e+300", 2, "9007199254740992 at most"),
        (
            "settings:\n  allow_private_addresses: 1",
            2,
            "must be true or false, not 1",
        ),
        ("a: [", 1, "is not YAML"),
    ],
)
def test_what_is_wrong_stops_the_start_and_names_file_line_and_fix(tmp_path, text, line, told):
    with pytest.raises(EngineStartError) as caught:
        settings_of(tmp_path, text)
    assert f"engine.yml, line {line}" in str(caught.value)
    assert told in str(caught.value)


def test_a_file_that_cannot_be_read_stops_the_start(tmp_path):
    (tmp_path / "engine.yml").mkdir()
    with pytest.raises(EngineStartError, match=r"engine\.yml cannot be read"):
        load_settings(tmp_path)


def test_aliases_of_aliases_and_bombs_are_refused(tmp_path):
    bomb = "a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
        f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]\n"
        for before, name in ["ab", "bc", "cd", "de", "ef"]
    )
    with pytest.raises(EngineStartError, match="values once its aliases are expanded"):
        settings_of(tmp_path, bomb)
