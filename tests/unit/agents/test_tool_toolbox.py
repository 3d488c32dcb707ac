import asyncio
import logging
import threading
import traceback
from math import inf

import pytest

from inferencesh_agents.tools import (
    Toolbox,
    ToolCallInfo,
    app_tool,
    boolean,
    function_tool,
    integer,
    internal_tools,
    string,
    tool,
)
from inferencesh_async.driver import AsyncioDriver
from inferencesh_core.flow.effects import CallTimeoutError
from worlds import WORLDS

SEARCH = tool("search").param("pattern", string())


@pytest.fixture(params=["sync", "async"])
def run(request):
    """Runs a call of a toolbox in one of the scripted worlds."""
    world = WORLDS[request.param]([])
    driver = world if request.param == "sync" else AsyncioDriver(None)

    def run(box, name, args=None):
        flow = driver.run(box.run(ToolCallInfo("i1", name, {} if args is None else args)))
        return flow if driver is world else world.run(flow)

    run.world = world
    return run


def ping() -> str:
    """Answer."""
    return "pong"


def test_every_way_to_write_a_tool_is_taken_and_handlers_stay_at_home():
    schema = SEARCH.build()
    box = Toolbox.of(
        [
            tool("a").build(),
            tool("b"),
            tool("c").handler(print),
            {"schema": tool("d"), "handler": print},
            ping,
            function_tool(ping, name="pong"),
            app_tool("draw", "a/b"),
            schema,
        ]
    )
    names = [each["name"] for each in box.schemas]
    assert names == ["a", "b", "c", "d", "ping", "pong", "draw", "search"]
    assert [name for name in names if box.handles(name)] == ["c", "d", "ping", "pong"]
    assert not box.handles("unknown")
    schema["client"]["input_schema"]["properties"].clear()
    assert "pattern" in box.schemas[-1]["client"]["input_schema"]["properties"]


@pytest.mark.parametrize(
    ("tools", "error", "words"),
    [
        ([SEARCH, app_tool("search", "a/b")], ValueError, "two tools are called 'search'"),
        ([ping, ping], ValueError, "two tools are called 'ping'"),
        (
            [{"schema": SEARCH.build(), "handler": "find"}],
            TypeError,
            "tool 'search': its handler cannot be called",
        ),
        ([{"schema": SEARCH.build()}], TypeError, "tool 'search': its handler cannot be called: None"),
        ([{"handler": print}], TypeError, "this schema is None"),
        (
            [{"schema": app_tool("d", "a/b").build(), "handler": print}],
            TypeError,
            "tool 'd': only a client tool",
        ),
        ([{"name": "t", "type": "client", "client": {1, 2}}], TypeError, "tool 't' has no JSON form: .*set"),
        ([{"name": "t", "x": float("nan")}], TypeError, "tool 't' has no JSON form"),
        ([{"type": "client"}], ValueError, "a tool needs a name"),
        ([tool("")], ValueError, "a tool needs a name"),
        ([3], TypeError, "3 is no tool"),
        ([internal_tools()], TypeError, "is no tool"),
        (
            [tool("t").param("a", {"type": "strnig"}).handler(print)],
            ValueError,
            "tool 't': its input_schema is broken: 'strnig'",
        ),
    ],
)
def test_what_cannot_be_a_tool_is_refused_by_name(tools, error, words):
    with pytest.raises(error, match=words):
        Toolbox.of(tools)


def test_a_handler_gets_the_arguments_and_its_result_is_the_answer(run):
    async def find(args):
        return {"found": args["pattern"]}

    for handler in (find, lambda args: {"found": args["pattern"]}, lambda args: find({**args})):
        answer = run(Toolbox.of([SEARCH.handler(handler)]), "search", {"pattern": "*.py"})
        assert (answer.text, answer.failed) == ('{"found": "*.py"}', False)


def test_what_a_handler_does_to_its_arguments_does_not_reach_the_call(run):
    call = ToolCallInfo("i1", "t", {"a": [1]})
    box = Toolbox.of([tool("t").param("a", {"type": "array"}).handler(lambda args: args["a"].append(2))])
    assert run(box, "t", call.args).text == "null"
    assert call.args == {"a": [1]}


def test_wrong_arguments_never_reach_the_handler(run):
    seen = []
    box = Toolbox.of([tool("t").param("n", integer()).param("deep", boolean()).handler(seen.append)])
    answer = run(box, "t", {"n": "3"})
    assert answer.failed
    assert answer.text.startswith('{"error": "InvalidArgumentsError: ')
    assert "n: '3' is not of type 'integer'" in answer.text
    assert "'deep' is a required property" in answer.text
    assert run(box, "t", ["n"]).failed
    assert seen == []


def test_a_schema_may_refer_to_itself_but_nothing_is_fetched(run):
    tree = {"type": "array", "items": {"$ref": "#/properties/tree"}}
    box = Toolbox.of([tool("t").param("tree", tree).handler(lambda args: len(args["tree"]))])
    assert run(box, "t", {"tree": [[], [[]]]}).text == "2"
    far = Toolbox.of([tool("t").param("a", {"$ref": "http://127.0.0.1:9/schema"}).handler(print)])
    answer = run(far, "t", {"a": 1})
    assert answer.failed
    assert "127.0.0.1:9" in answer.text


def test_an_exception_is_told_to_the_model_and_logged_for_people(run, caplog):
    def fail(args):
        raise KeyError("no such city")

    answer = run(Toolbox.of([tool("t").handler(fail)]), "t")
    assert (answer.text, answer.failed) == ('{"error": "KeyError: \'no such city\'"}', True)
    [record] = caplog.records
    assert (record.levelno, record.message) == (logging.ERROR, "tool t, call i1 failed")
    assert record.exc_info[1].args == ("no such city",)


def frames_of(record):
    return [frame.name for frame in traceback.extract_tb(record.exc_info[2])]


def test_the_traceback_in_the_log_begins_with_the_handlers_own_frame(run, caplog):
    def fetch(city):
        raise KeyError(city)

    def find(args):
        return fetch("Atlantis")

    async def find_later(args):
        await asyncio.sleep(0)
        return fetch("Atlantis")

    def find_typed() -> str:
        """Find."""
        return fetch("Atlantis")

    box = Toolbox.of([tool("a").handler(find), tool("b").handler(find_later), find_typed])
    for name in ("a", "b", "find_typed"):
        run(box, name)
    own = [["find", "fetch"], ["find_later", "fetch"], ["find_typed", "fetch"]]
    assert [frames_of(record) for record in caplog.records] == own


def test_a_handler_without_a_frame_of_its_own_has_a_traceback_too(run, caplog):
    run(Toolbox.of([tool("t").handler(next)]), "t", {})
    [record] = caplog.records
    assert "run" in frames_of(record)


def test_a_handler_that_took_too_long_is_one_line_in_the_log(run, caplog):
    never = threading.Event()
    run(Toolbox.of([tool("t").handler(lambda _args: never.wait(20), timeout=7)]), "t")
    never.set()
    [record] = caplog.records
    assert record.exc_info is None
    assert record.message == "the tool t was given up: it had not ended after 7 seconds (call i1)"


def test_a_handler_that_hangs_is_left_behind_after_its_time(run):
    never = threading.Event()
    box = Toolbox.of([tool("t").handler(lambda _args: never.wait(20), timeout=7)])
    answer = run(box, "t")
    never.set()
    assert (answer.text, answer.failed) == (
        '{"error": "the tool t was given up: it had not ended after 7 seconds"}',
        True,
    )
    assert run.world.now == 7


def test_a_tool_that_names_no_time_has_the_toolboxs(run):
    never = threading.Event()
    box = Toolbox.of([tool("t").handler(lambda _args: never.wait(20))], timeout=90)
    assert "after 90 seconds" in run(box, "t").text
    never.set()


def test_a_tool_may_take_for_ever():
    [effect] = Toolbox.of([tool("t").handler(print, timeout=inf)]).run(ToolCallInfo("i", "t", {}))
    assert effect.timeout is None


def test_results_that_cannot_be_told_are_errors(run):
    box = Toolbox.of(
        [tool("long").handler(lambda _args: "x" * 11), tool("odd").handler(lambda _args: object())],
        max_result_bytes=10,
    )
    assert "the result has 11 bytes, and 10 are allowed" in run(box, "long").text
    assert "object is not something JSON has" in run(box, "odd").text
    assert run(box, "long").failed


def test_an_interrupt_passes(run):
    def interrupted(args):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(Toolbox.of([tool("t").handler(interrupted)]), "t")


def test_a_time_out_of_the_handlers_own_is_its_own_error(run):
    def late(args):
        raise TimeoutError("the database")

    assert run(Toolbox.of([tool("t").handler(late)]), "t").text == '{"error": "TimeoutError: the database"}'
    assert issubclass(CallTimeoutError, TimeoutError)


def test_a_tool_without_a_handler_cannot_be_run(run):
    with pytest.raises(KeyError, match="search"):
        run(Toolbox.of([SEARCH]), "search")
