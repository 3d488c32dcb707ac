"""The stand-in for a model: its scripts, and the plain rules it goes by without one."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from inferencesh_engine.shipped_apps.scripted.filling import NothingFits, filled
from inferencesh_engine.shipped_apps.scripted.inference import App, AppInput, AppSetup
from inferencesh_engine.shipped_apps.scripted.script import ScriptError

TEXT = {"type": "string"}


def tool(name, description="", required=None, /, **properties):
    parameters = {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
    }
    function = {"name": name, "description": description, "parameters": parameters}
    return {"type": "function", "function": function}


WEATHER = tool("get_weather", "Get current weather", city={**TEXT, "description": "City name"})
CALCULATOR = tool(
    "calculate",
    "Calculate",
    operation={**TEXT, "enum": ["plus", "minus", "times"]},
    a={"type": "number"},
    b={"type": "number"},
)
NOTIFY = tool("notify", "Send a note", text=TEXT, to=TEXT)


async def outputs_of(text, *tools, script=(), **more):
    app = App()
    await app.setup(AppSetup.model_validate({"script": list(script)}))
    given_input = AppInput(text=text, tools=list(tools), **more)
    return [output async for output in app.run(given_input)]


def answer(text, *tools, **more):
    return asyncio.run(outputs_of(text, *tools, **more))[-1]


def calls_of(output):
    called = [call["function"] for call in output.tool_calls or []]
    return [(function["name"], json.loads(function["arguments"])) for function in called]


def after(*results, asked="What's the weather in Paris?", name="get_weather"):
    """What stands in an input whose message is the last of these results."""
    calls = [
        {"id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": "{}"}}
        for number in range(1, len(results) + 1)
    ]
    told = [
        {"role": "tool", "text": result, "tool_call_id": call["id"]}
        for result, call in zip(results, calls, strict=True)
    ]
    said = [{"role": "user", "text": asked}, {"role": "assistant", "text": "", "tool_calls": calls}]
    return {"context": [*said, *told[:-1]], "role": "tool", "tool_call_id": calls[-1]["id"]}


@pytest.mark.parametrize(
    ("text", "tools", "call"),
    [
        ("What's the weather in Paris?", [WEATHER], ("get_weather", {"city": "Paris"})),
        ("How is the weather in New York today?", [WEATHER], ("get_weather", {"city": "New York"})),
        ("weather for oslo", [WEATHER], ("get_weather", {"city": "oslo"})),
        ("What is 12.5 plus 3?", [CALCULATOR], ("calculate", {"operation": "plus", "a": 12.5, "b": 3})),
        ('Send a note saying "hi there" to Bob', [NOTIFY], ("notify", {"text": "hi there", "to": "Bob"})),
        ("What's the weather in Rome?", [NOTIFY, WEATHER], ("get_weather", {"city": "Rome"})),
        ("Please use ping", [tool("ping")], ("ping", {})),
        ("Search for '*.py' files", [tool("search", pattern=TEXT)], ("search", {"pattern": "*.py"})),
        (
            "Ask the researcher about Mars",
            [tool("researcher", "Researches", message=TEXT)],
            ("researcher", {"message": "Ask the researcher about Mars"}),
        ),
        (
            "Mail the report to ada@example.com on 2026-03-01",
            [tool("send_report", email=TEXT, date=TEXT, urgent={"type": "boolean"})],
            ("send_report", {"email": "ada@example.com", "date": "2026-03-01", "urgent": True}),
        ),
        (
            "Set the colour to blue in memory",
            [tool("memory_set", key=TEXT, value=TEXT)],
            ("memory_set", {"key": "colour", "value": "blue"}),
        ),
        (
            "Shrink http://127.0.0.1:1/blobs/f1/a.png?exp=1&sig=x",
            [tool("shrink", image={"type": "string", "format": "file"})],
            ("shrink", {"image": "http://127.0.0.1:1/blobs/f1/a.png?exp=1&sig=x"}),
        ),
        (
            "weather of Bern",
            [tool("weather", "", ["place"], place=TEXT, days={"type": "integer"})],
            None,
        ),
    ],
)
def test_the_tool_whose_schema_fits_the_message_is_called(text, tools, call):
    assert calls_of(answer(text, *tools)) == [call or ("weather", {"place": "Bern"})]


@pytest.mark.parametrize(
    ("text", "tools"),
    [
        ("Hello!", [WEATHER]),
        ("What is seven plus three?", [CALCULATOR]),
        ("Get me a coffee", [WEATHER]),
        ("Hi", []),
    ],
)
def test_without_a_tool_that_fits_the_message_is_echoed(text, tools):
    output = answer(text, *tools)
    assert (output.response, output.tool_calls) == (f"You said: {text}", None)


def test_files_that_came_along_are_named(tmp_path):
    (tmp_path / "notes.txt").write_text("notes")
    output = answer("Summarize this", files=[str(tmp_path / "notes.txt")])
    assert output.response == "You said: Summarize this (with notes.txt)"


def test_results_are_told_in_a_sentence_and_no_tool_is_called_again():
    output = answer("sunny", WEATHER, **after("rain", "sunny"))
    assert (output.response, output.tool_calls) == ("get_weather says: rain; get_weather says: sunny", None)


def test_results_of_an_earlier_turn_are_no_answer_to_a_new_message():
    told = after("finished", name="finish")
    last = {"role": "tool", "text": "finished", "tool_call_id": told["tool_call_id"]}
    assert answer("Hello again", context=[*told["context"], last]).response == "You said: Hello again"


@pytest.mark.parametrize(
    ("schema", "text", "values"),
    [
        (
            {"name": TEXT, "age": {"type": "integer"}, "email": TEXT, "city": TEXT},
            "Extract: Ada Lovelace, ada@x.org, is 36 and lives in London.",
            {"name": "Ada Lovelace", "age": 36, "email": "ada@x.org", "city": "London"},
        ),
        (
            {"people": {"type": "array", "items": {"$ref": "#/$defs/Person"}}},
            "Ada is 36 and Bob is 41.",
            {"people": [{"name": "Ada", "age": 36}, {"name": "Bob", "age": 41}]},
        ),
        ({"names": {"type": "array", "items": TEXT}}, "Ada met Bob Smith", {"names": ["Ada", "Bob Smith"]}),
        ({"amounts": {"type": "array", "items": {"type": "number"}}}, "5 and 2.5", {"amounts": [5, 2.5]}),
        ({"name": TEXT, "email": TEXT, "city": TEXT}, "Ada, 36", {"name": "Ada", "city": "Ada"}),
        ({"mood": {"enum": ["happy", "sad"]}}, "I am so sad", {"mood": "sad"}),
        ({"result": TEXT}, "Do it", {"result": "You said: Do it"}),
        (
            {"note": {"anyOf": [TEXT, {"type": "null"}]}, "n": {"type": ["integer", "null"]}},
            "so",
            {"note": None, "n": None},
        ),
    ],
)
def test_finish_gets_the_values_in_the_message(schema, text, values):
    finish = tool("finish", "", [], **schema)
    person = {
        "type": "object",
        "properties": {"name": TEXT, "age": {"type": "integer"}},
        "required": ["name", "age"],
    }
    finish["function"]["parameters"]["$defs"] = {"Person": person}
    assert calls_of(answer(text, finish)) == [("finish", values)]


def test_finish_gets_what_tools_have_found_out():
    finish = tool("finish", city=TEXT, temp={"type": "integer"}, sky={**TEXT, "enum": ["clear", "grey"]})
    output = answer(
        '{"temp": 21, "sky": "grey", "city": 5}',
        WEATHER,
        finish,
        **after('{"temp": 21, "sky": "grey", "city": 5}'),
    )
    assert calls_of(output) == [("finish", {"city": "Paris", "temp": 21, "sky": "grey"})]


def test_finish_without_its_values_is_not_called_and_never_called_twice():
    finish = tool("finish", age={"type": "integer"})
    assert answer("no number", finish).response == "You said: no number"
    refused = answer("too young", finish, **after("too young", asked="I am 3", name="finish"))
    assert (refused.response, refused.tool_calls) == ("finish says: too young", None)


SCRIPT = [
    {"reason": "Hm.", "say": "On {message}", "call": "get_weather"},
    {"calls": [{"tool": "a", "with": {"x": "{result}"}}, {"tool": "b", "with": "not {json"}, {"tool": "c"}]},
    {"finish": {"total": 3}},
    {"say": "half of it", "fail": "out of ideas"},
]


def answered(times):
    """A conversation with so many answers."""
    turns = [{"role": "user", "text": "go"}, {"role": "assistant", "text": "ok"}]
    return turns * times


def test_a_script_is_followed_step_by_step():
    first = answer("Oslo is it", WEATHER, script=SCRIPT)
    assert (first.reasoning, first.response) == ("Hm.", "On Oslo is it")
    assert calls_of(first) == [("get_weather", {"city": "Oslo"})]
    second = answer("42", script=SCRIPT, **after("42"))
    functions = [call["function"] for call in second.tool_calls]
    assert functions == [
        {"name": "a", "arguments": '{"x": "42"}'},
        {"name": "b", "arguments": "not {json"},
        {"name": "c", "arguments": "{}"},
    ]
    assert [call["id"] for call in second.tool_calls] == ["call_2", "call_3", "call_4"]
    assert calls_of(answer("go", script=SCRIPT, context=answered(2))) == [("finish", {"total": 3})]
    assert answer("bye", script=SCRIPT, context=answered(4)).response == "You said: bye"


def test_a_scripted_failure_comes_after_what_is_said():
    seen = []

    async def run():
        app = App()
        await app.setup(AppSetup.model_validate({"script": SCRIPT}))
        async for output in app.run(AppInput(text="go", context=answered(3))):
            seen[:] = [output.response]

    with pytest.raises(RuntimeError, match="out of ideas"):
        asyncio.run(run())
    assert seen == ["half of it"]


def test_a_step_can_be_repeated_for_ever():
    script = [{"say": "once"}, {"call": "again", "with": {}, "repeat": True}]
    assert answer("go", script=script).response == "once"
    for times in (1, 2, 50):
        assert calls_of(answer("go", script=script, context=answered(times))) == [("again", {})]


def test_a_text_streams_in_the_chunks_asked_for():
    outputs = asyncio.run(outputs_of("go", script=[{"say": "one two three four five six", "chunks": 3}]))
    assert [output.response for output in outputs] == [
        "one two",
        "one two three four",
        "one two three four five six",
        "one two three four five six",
    ]
    assert [output.usage is not None for output in outputs] == [False, False, False, True]


def test_a_script_may_stand_in_the_system_prompt():
    prompt = "Be kind.\n```script\n- say: from the prompt\n- call: f\n  with: {n: 1}\n```\nBe brief."
    assert (
        answer("go", system_prompt=prompt, script=[{"say": "from the setup"}]).response == "from the prompt"
    )
    assert calls_of(answer("go", system_prompt=prompt, context=answered(1))) == [("f", {"n": 1})]


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("- say: [", "line 2"),
        ("say: hi", "steps must be a list"),
        ("- say: a\n- sey: b", "step 2: sey: Extra inputs"),
        ("- chunks: 0", "step 1: chunks: Input should be greater"),
        ("- just text", "step 1: it: Input should be"),
    ],
)
def test_a_script_that_cannot_be_read_says_where_it_is_wrong(script, told):
    with pytest.raises(ScriptError, match="the script in the system prompt") as caught:
        answer("go", system_prompt=f"```script\n{script}\n```\n")
    assert told in str(caught.value)


def test_an_answer_says_what_gave_it_and_counts_words():
    output = answer("one two", system_prompt="three", script=[{"say": "a b c", "reason": "d"}])
    assert output.output_meta.outputs[0].extra["note"] == "answers by a script or by plain rules, not a model"
    usage = output.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (3, 4, 7)
    assert (usage.reasoning_tokens, usage.stop_reason) == (1, "stop")
    assert answer("weather in Rome", WEATHER).usage.stop_reason == "tool_calls"


simple_schemas = st.sampled_from(
    [
        TEXT,
        {"type": "integer"},
        {"type": "number"},
        {"type": "boolean"},
        {"enum": ["red", "green"]},
        {"const": 7},
        {"type": "array", "items": TEXT},
        {"type": "array", "items": {"type": "integer"}},
        {"type": "array", "items": TEXT, "minItems": 2},
        {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        {"type": ["string", "null"]},
        {},
    ]
)
NAMES = {"name", "city", "message", "email", "emails", "url", "date", "count", "key", "value", "result", "x"}
property_names = st.sampled_from(sorted(NAMES))
objects = st.recursive(
    simple_schemas,
    lambda inner: (
        st.builds(
            lambda properties, required: {
                "type": "object",
                "properties": properties,
                "required": sorted(required),
            },
            st.dictionaries(property_names, inner, max_size=4),
            st.sets(property_names, max_size=3),
        )
        | inner.map(lambda items: {"type": "array", "items": items})
    ),
    max_leaves=6,
)
WORDS = [
    "Ada",
    "Bob",
    "in",
    "Paris",
    "7",
    "-2.5",
    "red",
    "a@b.cd",
    "https://x.yz/q",
    "2026-01-02",
    "is",
    "'a",
    "b'",
]
messages = st.lists(
    st.sampled_from(WORDS) | st.text(max_size=5),
    max_size=12,
).map(" ".join)


@settings(max_examples=100, deadline=None)
@given(
    properties=st.dictionaries(property_names, objects, max_size=4),
    text=messages,
    everything=st.booleans(),
    data=st.data(),
)
def test_whatever_is_filled_in_is_what_the_schema_asks_for(properties, text, everything, data):
    required = data.draw(st.lists(st.sampled_from(sorted(properties)), unique=True)) if properties else []
    schema = {"type": "object", "properties": properties, "required": required}
    try:
        values = filled(schema, text, known={"result": "said", "x": 3}, all_of_it=everything)
    except NothingFits:
        return
    Draft202012Validator(schema).validate(values)


@pytest.mark.parametrize(
    "text", ["a" * 200_000, "a-" * 100_000, "A " * 100_000, "a=" * 100_000, "'" * 200_000]
)
def test_long_messages_take_no_longer_than_they_are(text):
    began = time.process_time()
    answer(
        text, NOTIFY, tool("finish", name=TEXT, email=TEXT, key=TEXT, tags={"type": "array", "items": TEXT})
    )
    assert time.process_time() - began < 5
