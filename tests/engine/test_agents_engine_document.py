"""The files shown in docs/agents-engine.md work as they stand."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from inferencesh_engine.catalog import Catalog
from inferencesh_engine.config import EngineConfig
from inferencesh_engine.settings import load_settings
from inferencesh_engine.shipped_apps.openai_compatible.keys import key_for
from inferencesh_engine.shipped_apps.openai_compatible.models import AppSetup as OpenAISetup
from inferencesh_engine.shipped_apps.scripted.inference import App, AppInput, AppSetup
from inferencesh_engine.shipped_apps.scripted.script import Step, script_in

DOCUMENT = (Path(__file__).parents[2] / "docs" / "agents-engine.md").read_text()
FILES = re.findall(r"```yaml\n# (\S+)\n(.*?)```", DOCUMENT, re.DOTALL)


def test_the_settings_load(tmp_path):
    texts = [text for name, text in FILES if name == "engine.yml"]
    (tmp_path / "engine.yml").write_text("".join(texts))
    settings = load_settings(tmp_path)
    assert len(settings.aliases) == 2
    assert set(settings.mcp_servers) == {"int-abc123", "int-def456"}
    assert settings.values == {"max_turn_steps": 20, "allow_private_addresses": True}
    setups = [alias.setup for alias in settings.aliases.values() if alias.setup]
    assert [OpenAISetup.model_validate(setup).model for setup in setups] == ["llama3.2"]


def test_the_agent_can_be_referenced(tmp_path):
    for name, text in FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    catalog = Catalog(EngineConfig(apps_dir=tmp_path))
    template = catalog.agent("my-org/assistant@abc123")
    assert catalog.issues() == []
    assert [tool["type"] for tool in template.config["tools"]] == ["client", "app", "http"]


def test_the_script_plays_as_described():
    [script] = [text for name, text in FILES if name == "script"]
    steps = script_in(f"```script\n{script}```\n")
    assert [step.repeat for step in steps] == [False] * 5 + [True]
    context = []

    async def last_answer():
        app = App()
        await app.setup(AppSetup(script=steps))
        given = AppInput(text="a cat", context=context)
        return [output async for output in app.run(given)][-1]

    first = asyncio.run(last_answer())
    assert (first.reasoning, first.response) == ("The user wants the weather.", "Let me look.")
    assert first.tool_calls[0]["function"]["arguments"] == '{"city": "Oslo"}'
    context += [{"role": "assistant", "text": ""}] * 2
    third = asyncio.run(last_answer())
    assert [call["function"]["arguments"] for call in third.tool_calls] == [
        '{"prompt": "a cat"}',
        "not {json",
    ]


def test_every_key_of_a_step_is_explained():
    names = {field.alias or name for name, field in Step.model_fields.items()}
    assert {name for name in names if f"`{name}`" not in DOCUMENT} == set()


def test_every_provider_named_gets_its_key():
    named = set(re.findall(r"`([A-Z]+_API_KEY)`", DOCUMENT))
    hosts = ["anthropic.com", "deepseek.com", "groq.com", "mistral.ai", "openai.com", "together.xyz", "x.ai"]
    origins = [f"https://api.{host}" for host in hosts]
    origins += ["https://generativelanguage.googleapis.com", "https://openrouter.ai"]
    environment = {name: name for name in named}
    assert {key_for(origin, environment) for origin in origins} == named
