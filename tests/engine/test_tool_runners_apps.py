"""App tools are tasks: one invocation, one task; stopped with it, and found again after a restart."""

from __future__ import annotations

import asyncio
import json

import pytest

from inferencesh_engine.agents.tools.runner import ToolError
from inline_engine import DESCRIPTION, InlineWorkers, running
from tool_bench import bench, tool_of


def app(**spec):
    return tool_of("app", ref="inline", **spec)


def trying(scenario, tmp_path, **settings):
    async def main():
        workers = InlineWorkers()
        async with (
            running(tmp_path, workers, **settings) as engine,
            bench(tmp_path / "apps", engine=engine, **settings) as tried,
        ):
            return await scenario(tried, engine, workers)

    return asyncio.run(main())


async def statuses(engine):
    from inferencesh_engine.domain.listing import ListQuery

    page = await engine.list_tasks(ListQuery())
    return [task["status_text"] for task in page.items]


def test_the_output_of_the_task_is_the_result(tmp_path):
    async def scenario(tried, engine, _workers):
        tool = app(input={"colour": "red", "size": 1})
        outcome = await tried.run(tool, {"size": 2, "name": "Zoë"})
        assert json.loads(outcome.text) == {"colour": "red", "size": 2, "name": "Zoë"}
        task = await engine.task(tried.executions[0])
        assert task["output"] == json.loads(outcome.text)

    trying(scenario, tmp_path)


def test_the_model_sees_the_schema_of_the_app_without_its_setup(tmp_path, monkeypatch):
    schema = {
        "type": "object",
        "properties": {"prompt": {"type": "string"}, "steps": {"type": "integer"}},
        "required": ["prompt", "steps"],
    }
    entry = {"name": "run", "description": "Draws.", "input_schema": schema, "output_schema": None}
    monkeypatch.setitem(DESCRIPTION, "functions", {"run": entry})

    async def scenario(tried, _engine, _workers):
        offered = await tried.offered(app(setup={"model": "small"}, input={"steps": 4}))
        assert offered.description == "Draws."
        assert offered.parameters["properties"] == schema["properties"]
        assert offered.parameters["required"] == ["prompt"]
        with_session = await tried.offered(app(session_enabled=True))
        assert set(with_session.parameters["properties"]) == {"prompt", "steps", "session"}

    trying(scenario, tmp_path)


def test_a_setup_is_given_to_the_app(tmp_path):
    async def scenario(tried, _engine, workers):
        await tried.run(app(setup={"model": "small"}), {"a": 1})
        assert workers.workers[-1].setup == {"model": "small"}

    trying(scenario, tmp_path)


def test_a_session_goes_on_with_the_id_the_result_shows(tmp_path):
    async def scenario(tried, _engine, _workers):
        tool = app(session_enabled=True, setup={"model": "small"})
        first = json.loads((await tried.run(tool, {"do": "remember", "word": "a", "session": "new"})).text)
        again = {"do": "remember", "word": "b", "session": first["session_id"]}
        second = json.loads((await tried.run(tool, again, id="inv2")).text)
        assert second == {"memory": ["a", "b"], "session_id": first["session_id"]}
        alone = json.loads((await tried.run(tool, {"do": "remember", "word": "c"}, id="inv3")).text)
        assert alone == {"memory": ["c"]}

    trying(scenario, tmp_path)


def test_an_argument_called_session_is_the_apps_own_where_sessions_are_off(tmp_path):
    async def scenario(tried, _engine, _workers):
        outcome = await tried.run(app(), {"session": "evening"})
        assert json.loads(outcome.text) == {"session": "evening"}

    trying(scenario, tmp_path)


def test_one_invocation_makes_one_task_however_often_it_begins(tmp_path):
    async def scenario(tried, engine, _workers):
        await tried.run(app(), {"a": 1})
        await tried.run(app(), {"a": 1})
        assert len(await statuses(engine)) == 1
        assert tried.executions[0] == tried.executions[1]
        outcome = await tried.run(app(), {}, execution_id=tried.executions[0])
        assert json.loads(outcome.text) == {"a": 1}
        assert len(await statuses(engine)) == 1

    trying(scenario, tmp_path)


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        (app(), {"do": "fail", "error": "no such city"}, "no such city"),
        (tool_of("app", ref="nowhere/app"), {}, "no app nowhere/app; there are"),
        (tool_of("app", id="nobody"), {}, "no app with id nobody"),
        (tool_of("app"), {}, "must be a reference"),
        (app(function="draw"), {}, "has no function 'draw'; it has run"),
        (app(session_enabled=True), {"session": "sess_gone"}, "sess_gone"),
        (app(), {"file": {"path": "/etc/passwd"}}, "the engine's machine"),
    ],
)
def test_a_task_that_fails_or_cannot_be_made_is_an_error_for_the_model(tmp_path, tool, arguments, said):
    async def scenario(tried, _engine, _workers):
        assert said in await tried.refusal(tool, arguments)

    trying(scenario, tmp_path)


@pytest.mark.parametrize(
    ("tool", "said"),
    [
        (tool_of("app", ref="nowhere/app"), "no app nowhere/app"),
        (app(function="draw"), "has no function draw; it has run"),
    ],
)
def test_an_app_that_is_not_there_cannot_be_offered(tmp_path, tool, said):
    async def scenario(tried, _engine, _workers):
        with pytest.raises(ToolError, match=said):
            await tried.offered(tool)

    trying(scenario, tmp_path)


@pytest.mark.parametrize("stopping", [False, True])
def test_a_stopped_call_cancels_its_task_unless_the_engine_stops(tmp_path, stopping):
    async def scenario(tried, engine, workers):
        calling = asyncio.ensure_future(tried.run(app(), {"do": "hang"}))
        await workers.hanging.wait()
        tried.stopping = stopping
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        assert ("cancelled" in await statuses(engine)) is not stopping

    trying(scenario, tmp_path)
