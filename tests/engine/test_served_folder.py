"""What stands in a served folder besides apps, seen through an engine, and the apps that ship."""

from __future__ import annotations

import asyncio

import pytest

from inferencesh import inference
from inferencesh_engine.domain.problems import EngineStartError, Problem
from inline_engine import InlineWorkers, running

ALIASES = """
aliases:
  infsh/claude-sonnet-4: local/inline
  acme/tuned: {app: inline, setup: {size: 2}, input: {temperature: 0.5, text: default}}
  acme/gone: acme/nothing
"""


def served(root, scenario, **files):
    """What a scenario gives on an engine whose folder holds these files, and the workers it ran on."""
    (root / "apps").mkdir(exist_ok=True)
    for name, text in files.items():
        (root / "apps" / f"{name}.yml").write_text(text)
    workers = InlineWorkers()

    async def run():
        async with running(root, workers) as engine:
            return await scenario(engine)

    return asyncio.run(run()), workers


async def finished(engine, **body):
    outcome = await engine.run(body)
    return await engine.wait(outcome.task["id"])


def test_a_task_under_an_alias_is_one_of_the_app_it_stands_for(tmp_path):
    async def scenario(engine):
        task = await finished(engine, app="infsh/claude-sonnet-4@abc123", input={"text": "hi"})
        return task, engine.catalog.resolve("local/inline").app

    (task, app), _ = served(tmp_path, scenario, engine=ALIASES)
    assert (task["app_id"], task["output"]) == (app.app_id, {"text": "hi"})


def test_an_alias_brings_setup_and_input_that_a_task_may_override(tmp_path):
    async def scenario(engine):
        plain = await finished(engine, app="acme/tuned", input=None)
        own = await finished(engine, app="acme/tuned@v1", input={"text": "mine"}, setup={"size": 3})
        return plain, own

    (plain, own), _ = served(tmp_path, scenario, engine=ALIASES)
    assert (plain["output"], plain["setup"]) == ({"temperature": 0.5, "text": "default"}, {"size": 2})
    assert (own["output"], own["setup"]) == ({"temperature": 0.5, "text": "mine"}, {"size": 3})


def test_a_session_may_be_called_under_the_alias_it_began_with(tmp_path):
    async def scenario(engine):
        first = await finished(engine, app="acme/tuned", input={"do": "remember", "word": "a"}, session="new")
        call = {"do": "remember", "word": "b"}
        return await finished(engine, app="acme/tuned", input=call, session=first["session_id"])

    task, workers = served(tmp_path, scenario, engine=ALIASES)
    assert (task["output"], len(workers.workers)) == ({"memory": ["a", "b"]}, 1)


def test_an_alias_of_nothing_says_what_it_stands_for_and_where_that_is_said(tmp_path):
    async def scenario(engine):
        with pytest.raises(Problem) as caught:
            await engine.run({"app": "acme/gone@x", "input": {}})
        return caught.value

    problem, _ = served(tmp_path, scenario, engine=ALIASES)
    assert (problem.status, problem.code) == (404, "app_not_found")
    assert "acme/gone@x stands for acme/nothing (engine.yml): no app acme/nothing" in problem.detail


def test_settings_that_are_wrong_stop_the_start(tmp_path):
    async def scenario(engine):
        return engine

    with pytest.raises(
        EngineStartError, match=r"engine\.yml, line 1: 'alises' is not known here; did you mean"
    ):
        served(tmp_path, scenario, engine="alises: {}\n")


def test_the_apps_that_ship_are_served_and_give_way_to_the_users_own_by_name_alone(tmp_path):
    own = tmp_path / "apps" / "scripted"
    own.mkdir(parents=True)
    (own / "inf.yml").write_text("name: scripted\nnamespace: acme\n")

    async def scenario(engine):
        resolve = engine.catalog.resolve
        meant = [resolve(name).app.ref for name in ("scripted", "inferencesh/scripted", "openai-compatible")]
        return meant, engine.catalog.issues()

    (meant, issues), _ = served(tmp_path, scenario)
    assert meant == ["acme/scripted", "inferencesh/scripted", "inferencesh/openai-compatible"]
    assert issues == []


def test_agents_are_found_in_their_folder_and_broken_ones_are_issues(tmp_path):
    agents = tmp_path / "apps" / "agents"
    agents.mkdir(parents=True)
    (agents / "assistant.yml").write_text(
        "namespace: my-org\nname: assistant\nversion: abc123\ncore_app: infsh/claude-sonnet-4\n"
    )
    (agents / "bad.yml").write_text("name: bad\n")

    async def scenario(engine):
        template = engine.catalog.agent("my-org/assistant@abc123")
        return template, [one.ref for one in engine.catalog.agents()], engine.catalog.issues()

    (template, refs, issues), _ = served(tmp_path, scenario, engine=ALIASES)
    assert refs == ["my-org/assistant"]
    assert template.config["core_app"] == {"ref": "infsh/claude-sonnet-4"}
    assert ["agent bad cannot be used" in issue and "core_app is missing" in issue for issue in issues] == [
        True
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [("agents/one.yml", "name: one\ncore_app: scripted\n"), ("engine.yml", "aliases: {}\n")],
    ids=["agents", "settings"],
)
def test_a_folder_without_apps_of_its_own_can_be_served_for_its_agents_or_settings(tmp_path, name, text):
    (tmp_path / "agents").mkdir()
    (tmp_path / name).write_text(
        "aliases: {}\n" if name == "engine.yml" else "name: assistant\ncore_app: scripted\n"
    )
    with inference(base_url=f"local:{tmp_path}") as client:
        task = client.tasks.run({"app": "inferencesh/scripted", "input": {"text": "hi"}})
    assert task["output"]["response"] == "You said: hi"
