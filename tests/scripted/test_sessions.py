"""`client.session` and `client.sessions` of both clients, against a scripted server."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from inferencesh_async.testing import AsyncWorld
from inferencesh_core.errors import (
    APIError,
    SessionEndedError,
    SessionError,
    SessionExpiredError,
    SessionNotFoundError,
    TaskFailedError,
    TransportError,
    WorkerLostError,
)
from inferencesh_core.http.messages import Request
from inferencesh_core.http.problems import parse_problem
from inferencesh_core.testing.replies import answer, cut, silence, stream
from inferencesh_core.testing.world import World
from inferencesh_sessions import AsyncSessionHandle, SessionHandle
from inferencesh_sessions.errors import session_error

RECORD = {"id": "sess_1", "status": "active", "call_count": 1}
NO_CONTENT = answer(None, status=204)


def task(number=1, status=10, **more):
    return {"id": f"t{number}", "status": status, "output": {"n": number}, "session_id": "sess_1", **more}


def problem(status, code, **more):
    return answer({"type": f"https://x/errors/{code}", "detail": code, **more}, status=status)


class Blocking:
    """A synchronous client, its calls written as if they were asynchronous."""

    handle = SessionHandle

    def __init__(self, world):
        self.client = world.client()

    async def of(self, value):
        return value

    async def within(self, opening, body):
        with opening() as session:
            await body(session)


class Awaiting:
    """An asynchronous client."""

    handle = AsyncSessionHandle

    def __init__(self, world):
        self.client = world.client()

    async def of(self, value):
        return await value if inspect.isawaitable(value) else value

    async def within(self, opening, body):
        async with opening() as session:
            await body(session)


@pytest.fixture(params=[Blocking, Awaiting], ids=["sync", "async"])
def play(request):
    """Run a scene: it gets a side, which is a client and how to wait for it."""

    def run(scene, *replies):
        if request.param is Awaiting:
            with AsyncWorld(replies) as world:
                world.run(scene(Awaiting(world)))
        else:
            world = World(replies)
            asyncio.run(scene(Blocking(world)))
        return world

    return run


def bodies(world):
    return [seen.json for seen in world.seen if seen.line == "POST /apps/run"]


def lines(world):
    return [seen.line for seen in world.seen]


def test_a_session_begins_with_a_call_whose_every_parameter_is_sent(play):
    async def scene(side):
        session = await side.of(
            side.client.session(
                "acme/app@v1",
                function="start",
                input={"x": 1},
                setup={"m": 2},
                session_timeout=300,
                infra="private",
                workers=["w1"],
                timeout=5,
            )
        )
        assert isinstance(session, side.handle)
        assert session.session_id == "sess_1"
        assert session.task["output"] == {"n": 1}
        assert repr(session) == f"<{side.handle.__name__} sess_1>"

    world = play(scene, answer(task()))
    assert bodies(world) == [
        {
            "app": "acme/app@v1",
            "function": "start",
            "input": {"x": 1},
            "setup": {"m": 2},
            "session_timeout": 300,
            "infra": "private",
            "workers": ["w1"],
            "session": "new",
        }
    ]


def test_what_is_not_said_is_not_sent(play):
    async def scene(side):
        await side.of(side.client.session("acme/app"))

    assert bodies(play(scene, answer(task()))) == [{"app": "acme/app", "session": "new", "input": None}]


def test_the_id_may_come_with_the_end_of_the_first_call_only(play):
    async def scene(side):
        session = await side.of(side.client.session("acme/app"))
        assert session.session_id == "sess_1"

    began = {"id": "t1", "status": 1}
    play(scene, answer(began), stream({**task(), "status": 7}, task()))


def test_the_verbs_of_a_session(play):
    async def scene(side):
        session = await side.of(side.client.session("acme/app"))
        assert await side.of(session.info()) == RECORD
        assert await side.of(session.keepalive()) == RECORD
        assert await side.of(session.end()) is None

    world = play(scene, answer(task()), answer(RECORD), answer(RECORD), NO_CONTENT)
    assert lines(world)[1:] == [
        "GET /sessions/sess_1",
        "POST /sessions/sess_1/keepalive",
        "DELETE /sessions/sess_1",
    ]


def test_the_verbs_of_all_sessions(play):
    async def scene(side):
        sessions = side.client.sessions
        assert await side.of(sessions.list()) == [RECORD]
        assert await side.of(sessions.get("a/b")) == RECORD
        assert await side.of(sessions.keepalive("sess_1")) == RECORD
        assert await side.of(sessions.end("sess_1")) is None
        for wrong in ("", None, 7):
            with pytest.raises(ValueError, match="session id"):
                await side.of(sessions.get(wrong))

    world = play(scene, answer([RECORD]), answer(RECORD), answer(RECORD), NO_CONTENT)
    assert lines(world) == [
        "GET /sessions",
        "GET /sessions/a%2Fb",
        "POST /sessions/sess_1/keepalive",
        "DELETE /sessions/sess_1",
    ]


def test_a_call_takes_all_options_of_a_run(play):
    async def scene(side):
        session = await side.of(side.client.session("acme/app@v1"))
        assert (await side.of(session.call("step", {"x": 1})))["output"] == {"n": 2}
        assert (await side.of(session.call("step", wait=False)))["status"] == 1
        assert (await side.of(session.call(timeout=5, auto_reconnect=False)))["id"] == "t4"
        with pytest.raises(TypeError, match="colour"):
            await side.of(session.call("step", colour="red"))

    started = task(3, status=1)
    world = play(scene, answer(task()), answer(task(2)), answer(started), answer(task(4)))
    assert bodies(world)[1:] == [
        {"app": "acme/app@v1", "function": "step", "input": {"x": 1}, "session": "sess_1"},
        {"app": "acme/app@v1", "function": "step", "input": None, "session": "sess_1"},
        {"app": "acme/app@v1", "function": "run", "input": None, "session": "sess_1"},
    ]


def test_a_call_can_be_streamed(play):
    async def scene(side):
        session = await side.of(side.client.session("acme/app"))
        updates = await side.of(session.call("run", {"prompt": "hi"}, stream=True))
        if hasattr(updates, "__aiter__"):
            seen = [update["status"] async for update in updates]
        else:
            seen = [update["status"] for update in updates]
        assert seen == [7, 10]

    play(scene, answer(task()), answer(task(2, status=1)), stream(task(2, status=7), task(2)))


def test_a_block_ends_its_session(play):
    async def scene(side):
        async def body(session):
            assert session.session_id == "sess_1"

        await side.within(lambda: side.client.session("acme/app"), body)

    world = play(scene, answer(task()), NO_CONTENT)
    assert lines(world)[-1] == "DELETE /sessions/sess_1"


def test_an_asynchronous_session_may_be_awaited_before_its_block():
    async def scene(client):
        async with await client.session("acme/app") as session:
            assert isinstance(session, AsyncSessionHandle)
        opening = asyncio.create_task(client.session("acme/app"))
        assert (await opening).session_id == "sess_1"

    with AsyncWorld([answer(task()), NO_CONTENT, answer(task())]) as world:
        world.run(scene(world.client()))
    assert [line for line in lines(world) if line.startswith("DELETE")] == ["DELETE /sessions/sess_1"]


def test_a_session_that_is_never_awaited_is_noticed_as_any_coroutine_is():
    async def scene(client):
        with pytest.warns(RuntimeWarning, match="never awaited"):
            client.session("acme/app")

    with AsyncWorld([]) as world:
        world.run(scene(world.client()))


def test_a_session_is_ended_when_its_start_is_cancelled():
    async def scene(client):
        opening = asyncio.create_task(client.session("acme/app"))
        await asyncio.sleep(3)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening

    with AsyncWorld([answer(task(status=1)), silence(), NO_CONTENT]) as world:
        world.run(scene(world.client()))
    assert lines(world) == ["POST /apps/run", "GET /tasks/t1/stream", "DELETE /sessions/sess_1"]


def test_a_session_is_ended_when_its_block_is_cancelled():
    async def scene(client):
        async def hold():
            async with client.session("acme/app"):
                await asyncio.sleep(60)

        holding = asyncio.create_task(hold())
        await asyncio.sleep(3)
        holding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await holding

    with AsyncWorld([answer(task()), NO_CONTENT]) as world:
        world.run(scene(world.client()))
    assert lines(world)[-1] == "DELETE /sessions/sess_1"


@pytest.mark.parametrize(
    "ending", [problem(410, "session_expired"), problem(400, "invalid"), cut(), NO_CONTENT], ids=str
)
def test_what_the_block_raises_is_not_masked_by_the_ending(play, ending):
    async def scene(side):
        async def body(_session):
            raise KeyError("mine")

        with pytest.raises(KeyError, match="mine"):
            await side.within(lambda: side.client.session("acme/app"), body)

    world = play(scene, answer(task()), *[ending] * 5)
    assert lines(world)[1] == "DELETE /sessions/sess_1"


@pytest.mark.parametrize(
    "ending",
    [problem(410, "session_ended"), problem(410, "session_expired"), problem(404, "not_found"), NO_CONTENT],
    ids=str,
)
def test_a_block_ends_well_when_its_session_is_over_already(play, ending):
    async def scene(side):
        async def body(_session):
            pass

        await side.within(lambda: side.client.session("acme/app"), body)

    play(scene, answer(task()), ending)


def test_a_block_that_ends_well_shows_why_its_session_could_not_be_ended(play):
    async def scene(side):
        async def body(_session):
            pass

        with pytest.raises(TransportError):
            await side.within(lambda: side.client.session("acme/app"), body)

    play(scene, answer(task()), *[cut()] * 5)


def test_a_session_whose_first_call_fails_is_ended(play):
    async def scene(side):
        with pytest.raises(TaskFailedError, match="no such file") as caught:
            await side.of(side.client.session("acme/app"))
        assert caught.value.task_id == "t1"

    world = play(scene, answer(task(status=11, error="no such file")), NO_CONTENT)
    assert lines(world) == ["POST /apps/run", "DELETE /sessions/sess_1"]


def test_why_the_first_call_failed_is_not_masked_by_the_ending(play):
    async def scene(side):
        with pytest.raises(TaskFailedError):
            await side.of(side.client.session("acme/app"))

    play(scene, answer(task(status=11)), problem(404, "session_not_found"))


def test_a_server_that_begins_no_session_is_named(play):
    async def scene(side):
        with pytest.raises(SessionError, match="t1 has no session_id"):
            await side.of(side.client.session("acme/app"))

    play(scene, answer({"id": "t1", "status": 10}))


@pytest.mark.parametrize("option", [{"wait": False}, {"stream": True}, {"session": "sess_1"}])
def test_options_that_make_no_session_are_refused(play, option):
    async def scene(side):
        with pytest.raises(TypeError, match=next(iter(option))):
            await side.of(side.client.session("acme/app", **option))

    assert play(scene).seen == []


ERRORS = {
    (404, "session_not_found"): SessionNotFoundError,
    (410, "session_expired"): SessionExpiredError,
    (410, "session_ended"): SessionEndedError,
    (500, "worker_lost"): WorkerLostError,
}


@pytest.mark.parametrize(("status", "code"), ERRORS)
def test_the_errors_of_sessions_are_raised_at_the_first_try(play, status, code):
    kind = ERRORS[status, code]

    async def scene(side):
        for asked in (
            lambda: side.client.run({"app": "a", "session": "sess_1"}),
            lambda: side.client.sessions.get("sess_1"),
            lambda: side.client.sessions.keepalive("sess_1"),
            lambda: side.client.sessions.end("sess_1"),
        ):
            with pytest.raises(kind) as caught:
                await side.of(asked())
            error = caught.value
            assert (error.session_id, error.status_code, error.attempts) == ("sess_1", status, ())
            assert code in error.response_body
            assert isinstance(error, APIError)

    assert len(play(scene, *[problem(status, code)] * 4).seen) == 4


def test_other_failures_of_that_status_are_tried_again(play):
    async def scene(side):
        assert await side.of(side.client.sessions.get("sess_1")) == RECORD

    assert len(play(scene, problem(500, "internal_error"), answer(RECORD)).seen) == 2


def error_for(status, body, *, method="POST", path="/apps/run", sent=b'{"session": "sess_1"}'):
    request = Request(method, f"https://api.test{path}", {}, sent)
    return session_error(parse_problem(status, {}, body, now=0), request)


@pytest.mark.parametrize(
    "body",
    [
        b'{"type": "https://x/errors/session_expired"}',
        b'{"type": "about:blank", "code": "SESSION_EXPIRED"}',
        b'{"success": false, "error": {"code": "session_expired", "message": "m"}}',
    ],
)
def test_the_code_is_found_wherever_servers_put_it(body):
    assert type(error_for(410, body)) is SessionExpiredError


@pytest.mark.parametrize("code", ["worker_leased", "app_mismatch", "version_mismatch"])
def test_the_other_codes_are_session_errors(code):
    error = error_for(409, b'{"code": "%s", "detail": "taken"}' % code.encode())
    assert (type(error), error.status_code, error.message) == (SessionError, 409, "taken")


@pytest.mark.parametrize(
    ("path", "sent", "told", "session_id"),
    [
        ("/apps/run", b'{"session": "sess_1"}', b"", "sess_1"),
        ("/apps/run", b'{"session": "new"}', b', "session_id": "sess_2"', "sess_2"),
        ("/sessions/a%2Fb", None, b"", "a/b"),
        ("/sessions/a/keepalive", None, b"", "a"),
        ("/apps/run", b"[]", b"", ""),
    ],
)
def test_the_error_names_the_session(path, sent, told, session_id):
    error = error_for(410, b'{"code": "SESSION_ENDED"%s}' % told, path=path, sent=sent)
    assert error.session_id == session_id


@pytest.mark.parametrize(
    ("status", "path"), [(404, "/tasks/t1"), (404, "/apps/run"), (410, "/sessions/s"), (500, "/sessions/s")]
)
def test_failures_of_other_kinds_are_left_to_others(status, path):
    assert error_for(status, b'{"code": "something_else"}', path=path) is None


def test_an_unknown_session_needs_no_code_where_the_address_says_it():
    assert type(error_for(404, b"", path="/sessions/s")) is SessionNotFoundError
