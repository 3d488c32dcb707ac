"""The engine's own tools: what models see of them, and what they do to a chat."""

from __future__ import annotations

import asyncio
import json

import pytest
from jsonschema import Draft202012Validator

from inferencesh_engine.agents.tools.categories import CATEGORIES, finish_parameters, is_wrapped
from tool_bench import bench, tool_of

SKILLS = [
    {"name": "tone", "description": "how to write", "content": "Write plainly."},
    {"name": "lost", "description": "nowhere"},
]


def internal(name, **spec):
    return tool_of("internal", name, operation=name, **spec)


def trying(scenario, tmp_path):
    async def main():
        async with bench(tmp_path) as tried:
            return await scenario(tried)

    return asyncio.run(main())


def results(tmp_path, *calls):
    """The texts of calls (name, arguments), made one after the other in one chat; and what it remembers."""

    async def scenario(tried):
        texts = [(await tried.run(internal(name), arguments)).text for name, arguments in calls]
        return texts, tried.chats.agent_data("chat1")

    return trying(scenario, tmp_path)


def refusal(tmp_path, name, arguments=None, *, before=(), **spec):
    async def scenario(tried):
        for earlier, given in before:
            await tried.run(internal(earlier), given)
        return await tried.refusal(internal(name, **spec), arguments)

    return trying(scenario, tmp_path)


def offered(tmp_path, tool):
    async def scenario(tried):
        return await tried.offered(tool)

    return trying(scenario, tmp_path)


def test_a_plan_is_written_changed_and_read(tmp_path):
    texts, data = results(
        tmp_path,
        ("plan_create", {"steps": [{"title": "look"}, {"title": "write", "description": "a page"}]}),
        ("plan_update", {"index": 2, "status": "in_progress", "notes": "half"}),
        ("plan_load", {}),
    )
    steps = [
        {"index": 1, "title": "look", "description": "", "status": "pending"},
        {"index": 2, "title": "write", "description": "a page", "status": "in_progress", "notes": "half"},
    ]
    assert json.loads(texts[1]) == json.loads(texts[2]) == data["plan_steps"] == steps


def test_a_new_plan_takes_the_place_of_the_old(tmp_path):
    plans = [("plan_create", {"steps": [{"title": title}]}) for title in ("old", "new")]
    assert [step["title"] for step in results(tmp_path, *plans)[1]["plan_steps"]] == ["new"]


@pytest.mark.parametrize(
    ("before", "index", "said"),
    [
        ([], 1, "call plan_create first"),
        ([("plan_create", {"steps": [{"title": "a"}]})], 2, "its steps are 1 to 1"),
    ],
)
def test_a_step_that_is_not_there_cannot_be_changed(tmp_path, before, index, said):
    assert said in refusal(tmp_path, "plan_update", {"index": index}, before=before)


def test_a_plan_has_its_limit(tmp_path):
    steps = [{"title": str(n)} for n in range(201)]
    assert "at most 200 steps, not 201" in refusal(tmp_path, "plan_create", {"steps": steps})
    results(tmp_path, ("plan_create", {"steps": steps[:200]}))


def test_what_is_remembered_is_read_again(tmp_path):
    texts, data = results(
        tmp_path,
        ("memory_set", {"key": "name", "value": "Ada"}),
        ("memory_set", {"key": "name", "value": "Zoë"}),
        ("memory_set", {"key": "city", "value": "Oslo"}),
        ("memory_get", {"key": "name"}),
        ("memory_getall", {}),
    )
    assert texts[3] == "Zoë"
    assert json.loads(texts[4]) == data["memory"] == {"name": "Zoë", "city": "Oslo"}


def test_what_is_not_remembered_is_an_error_that_says_what_is(tmp_path):
    before = [("memory_set", {"key": "name", "value": "Ada"})]
    said = refusal(tmp_path, "memory_get", {"key": "city"}, before=before)
    assert said == "nothing is remembered as city; remembered: name"


def test_the_memory_has_its_limit(tmp_path):
    fits = {"key": "k", "value": "x" * (256 * 1024 - 1)}
    results(tmp_path, ("memory_set", fits))
    assert "it has room for 262144" in refusal(
        tmp_path, "memory_set", {"key": "k", "value": fits["value"] + "x"}
    )


def test_other_things_a_chat_remembers_stay(tmp_path):
    async def scenario(tried):
        tried.chats.data["chat1"] = {"always_allowed_tools": ["pay"]}
        await tried.run(internal("memory_set"), {"key": "a", "value": "b"})
        await tried.run(internal("plan_create"), {"steps": [{"title": "t"}]})
        return tried.chats.agent_data("chat1")

    data = trying(scenario, tmp_path)
    assert set(data) == {"always_allowed_tools", "memory", "plan_steps"}


@pytest.mark.parametrize(("interactive", "waits"), [(True, True), (False, False), (None, False)])
def test_an_interactive_widget_waits_for_its_answer(tmp_path, interactive, waits):
    given = {"title": "Sure?"} if interactive is None else {"title": "Sure?", "interactive": interactive}

    async def scenario(tried):
        return await tried.run(internal("widget"), given)

    outcome = trying(scenario, tmp_path)
    assert outcome.widget == {"type": "ui", "title": "Sure?", "interactive": waits}
    assert outcome.awaits_input is waits


def test_a_widget_is_for_chats_that_somebody_looks_at(tmp_path):
    async def scenario(tried):
        return await tried.refusal(internal("widget"), {"title": "x"}, depth=1)

    assert "answer in text" in trying(scenario, tmp_path)


PERSON = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
NAMES = {"type": "array", "items": {"$ref": "#/$defs/Name"}, "$defs": {"Name": {"type": "string"}}}


@pytest.mark.parametrize(
    ("schema", "arguments", "output"),
    [
        (None, {"result": "done"}, {"result": "done"}),
        (PERSON, {"name": "Ada"}, {"name": "Ada"}),
        (NAMES, {"result": ["Ada", "Zoë"]}, ["Ada", "Zoë"]),
        ({"type": "integer"}, {"result": 3}, 3),
        ({"$ref": "#/$defs/P", "$defs": {"P": PERSON}}, {"result": {"name": "Ada"}}, {"name": "Ada"}),
    ],
)
def test_finish_gives_the_output_whatever_its_schema(tmp_path, schema, arguments, output):
    Draft202012Validator(finish_parameters(schema)).validate(arguments)
    assert finish_parameters(schema)["type"] == "object"

    async def scenario(tried):
        return await tried.run(internal("finish", output_schema=schema), arguments)

    outcome = trying(scenario, tmp_path)
    assert outcome.output == output
    assert outcome.ends_turn


def test_finish_wants_what_the_output_schema_wants():
    validator = Draft202012Validator(finish_parameters(NAMES))
    assert is_wrapped(NAMES)
    assert not validator.is_valid({"result": [1]})
    assert not validator.is_valid({})
    assert not Draft202012Validator(finish_parameters(PERSON)).is_valid({"result": "Ada"})


def test_a_skill_is_read_by_its_name(tmp_path):
    async def scenario(tried):
        return await tried.run(internal("skill_get", skills=SKILLS), {"name": "tone"})

    assert trying(scenario, tmp_path).text == "Write plainly."
    seen = offered(tmp_path, internal("skill_get", skills=SKILLS)).parameters["properties"]["name"]
    assert seen["enum"] == ["tone", "lost"]
    assert "tone: how to write" in seen["description"]


@pytest.mark.parametrize(
    ("name", "said"), [("other", "there is no skill other; there are: tone, lost"), ("lost", "neither")]
)
def test_a_skill_that_cannot_be_given_is_an_error(tmp_path, name, said):
    assert said in refusal(tmp_path, "skill_get", {"name": name}, skills=SKILLS)


def test_a_skill_at_a_url_is_under_the_address_rules(tmp_path):
    async def scenario():
        skills = [{"name": "far", "url": "http://169.254.169.254/latest"}]
        async with bench(tmp_path, allow_private_addresses=False) as tried:
            return await tried.refusal(internal("skill_get", skills=skills), {"name": "far"})

    assert "metadata" in asyncio.run(scenario())


@pytest.mark.parametrize("name", [name for category in CATEGORIES for name in category.tools])
def test_every_tool_has_a_schema_that_is_one_and_says_what_it_is_for(tmp_path, name):
    seen = offered(tmp_path, internal(name))
    Draft202012Validator.check_schema(seen.parameters)
    assert seen.parameters["type"] == "object"
    assert seen.description


@pytest.mark.parametrize(
    ("category", "operation", "same"),
    [("memory", "getall", "memory_getall"), ("skills", "get", "skill_get"), ("finish", "", "finish")],
)
def test_a_tool_may_have_another_name_where_category_and_operation_say_what_it_is(
    tmp_path, category, operation, same
):
    tool = tool_of("internal", same if not operation else "recall", category=category, operation=operation)
    assert offered(tmp_path, tool).parameters == offered(tmp_path, internal(same)).parameters


def test_a_tool_that_is_none_of_them_is_not_offered(tmp_path):
    assert offered(tmp_path, internal("get_host_context")) is None
    assert "no internal tool get_host_context" in refusal(tmp_path, "get_host_context")


def test_the_list_of_categories_is_what_the_wire_shows():
    shown = [category.dto() for category in CATEGORIES]
    assert [one["id"] for one in shown] == ["plan", "memory", "widget", "finish", "skills"]
    assert shown[1]["tools"] == ["memory_set", "memory_get", "memory_getall"]
    assert [one["scope"] for one in shown if one["id"] == "widget"] == ["top_level"]
