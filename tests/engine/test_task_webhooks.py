"""A task's `webhook` hears of its end: signed, tried again, and over a restart of the engine."""

import asyncio
import json
import socket
import stat
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from inferencesh_core.webhooks import verify
from inferencesh_engine.webhooks import SECRET_FILE
from inline_engine import InlineWorkers, crash, running

QUICK = {"allow_private_addresses": True, "webhook_retry_seconds": 0.01}


class Receiver:
    """Answers with the statuses given, the last of them again and again."""

    def __init__(self, *statuses, **headers):
        self.messages = []
        self._statuses = list(statuses) or [200]
        self._headers = headers
        self._arrived = asyncio.Condition()

    async def answer(self, request):
        self.messages.append((dict(request.headers), await request.read()))
        async with self._arrived:
            self._arrived.notify_all()
        status = self._statuses.pop(0) if len(self._statuses) > 1 else self._statuses[0]
        return web.Response(status=status, headers=self._headers)

    async def heard(self, count):
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.messages) >= count)
        return self.messages


@asynccontextmanager
async def receiving(*statuses, port=0, **headers):
    receiver = Receiver(*statuses, **headers)
    runner = web.ServerRunner(web.Server(receiver.answer))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/told?key=s3cret"
    yield receiver
    await runner.cleanup()


async def run(engine, url, **given):
    outcome = await engine.run({"app": "inline", "input": given, "webhook": url})
    return await engine.wait(outcome.task["id"])


async def log_with(engine, task_id, words):
    """The task's log, once it says this: what is noted is committed a moment after the answer."""
    while True:
        logs = (await engine.logs(task_id))["logs"]
        text = "".join(entry["content"] for entry in logs)
        if words in text:
            return text
        await asyncio.sleep(0.01)


def the_hour_has_passed(db):
    db.execute("UPDATE webhooks SET due_at = 0")


def secrets_of(engine):
    return (engine.config.state_path / SECRET_FILE).read_text().split()


@pytest.mark.parametrize(("given", "status"), [({"a": 1}, 10), ({"do": "fail", "error": "no"}, 11)])
def test_the_end_of_a_task_is_posted_signed_and_without_the_token(tmp_path, given, status):
    async def check():
        async with receiving() as receiver, running(tmp_path, token="inf_top_secret", **QUICK) as engine:
            task = await run(engine, receiver.url, **given)
            ((headers, body),) = await receiver.heard(1)
            verify(secrets_of(engine), headers, body)
            told = json.loads(body)
            assert (told["id"], told["status"], told["output"]) == (task["id"], status, task["output"])
            assert headers["Content-Type"] == "application/json"
            assert "Authorization" not in headers
            assert "inf_top_secret" not in f"{headers}{body}"
            log = await log_with(engine, task["id"], "answered 200")
            assert "s3cret" not in log

    asyncio.run(check())


def test_the_secret_is_random_and_for_the_engines_user_alone(tmp_path):
    async def check(folder):
        async with receiving() as receiver, running(folder, **QUICK) as engine:
            await run(engine, receiver.url)
            await receiver.heard(1)
            assert stat.S_IMODE((engine.config.state_path / SECRET_FILE).stat().st_mode) == 0o600
            return secrets_of(engine)

    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert asyncio.run(check(tmp_path / "a")) != asyncio.run(check(tmp_path / "b"))


def test_while_the_secret_is_changed_the_old_and_the_new_one_verify(tmp_path):
    async def check():
        async with receiving() as receiver, running(tmp_path, **QUICK) as engine:
            path = engine.config.state_path / SECRET_FILE
            path.write_text("whsec_bmV3LW5ldy1uZXctbmV3\nwhsec_b2xkLW9sZC1vbGQtb2xk\n")
            await run(engine, receiver.url)
            ((headers, body),) = await receiver.heard(1)
            for secret in secrets_of(engine):
                verify(secret, headers, body)

    asyncio.run(check())


def test_a_receiver_that_fails_is_told_again_by_the_same_message_id(tmp_path):
    async def check():
        async with receiving(500, 503, 204) as receiver, running(tmp_path, **QUICK) as engine:
            task = await run(engine, receiver.url)
            messages = await receiver.heard(3)
            log = await log_with(engine, task["id"], "answered 204")
            assert len({headers["webhook-id"] for headers, _ in messages}) == 1
            assert "answered 500; try 2 follows" in log
            assert len(receiver.messages) == 3
            assert engine.store.webhooks_due() == []

    asyncio.run(check())


def test_the_tries_have_an_end(tmp_path):
    async def check():
        async with receiving(500) as receiver, running(tmp_path, webhook_tries=2, **QUICK) as engine:
            task = await run(engine, receiver.url)
            log = await log_with(engine, task["id"], "answered 500\n")
            assert "try 2 follows" in log
            assert len(receiver.messages) == 2
            assert engine.store.webhooks_due() == []

    asyncio.run(check())


@pytest.mark.parametrize(("status", "headers"), [(410, {}), (307, {"Location": "/elsewhere"})])
def test_a_receiver_that_is_gone_is_left_alone_and_redirects_are_not_followed(tmp_path, status, headers):
    async def check():
        settings = {**QUICK, "webhook_tries": 1 if status == 307 else 5}
        async with receiving(status, **headers) as receiver, running(tmp_path, **settings) as engine:
            task = await run(engine, receiver.url)
            await log_with(engine, task["id"], f"answered {status}\n")
            assert len(receiver.messages) == 1
            assert engine.store.webhooks_due() == []

    asyncio.run(check())


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "[::1]", "169.254.169.254"])
def test_private_addresses_are_not_told_unless_that_is_configured(tmp_path, host):
    async def check():
        async with receiving() as receiver, running(tmp_path) as engine:
            port = receiver.url.split(":")[2]
            task = await run(engine, f"http://{host}:{port}")
            await log_with(engine, task["id"], "URLs from outside may not reach it")
            assert receiver.messages == []
            assert engine.store.webhooks_due() == []

    asyncio.run(check())


def test_a_receiver_that_never_answers_costs_a_try(tmp_path):
    async def check():
        settings = {**QUICK, "webhook_timeout_seconds": 0.05, "webhook_tries": 1}
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
            async with running(tmp_path, **settings) as engine:
                task = await run(engine, url)
                await log_with(engine, task["id"], "did not answer within 0.05 s")

    asyncio.run(check())


def test_what_an_engine_did_not_get_told_the_next_one_tells(tmp_path):
    async def check():
        async with receiving(500, 200) as receiver:
            async with running(tmp_path, **{**QUICK, "webhook_retry_seconds": 3600}) as engine:
                task = await run(engine, receiver.url)
                await log_with(engine, task["id"], "try 2 follows")
                (due,) = engine.store.webhooks_due()
                assert due.tries == 1
                await engine.store.writer.write(the_hour_has_passed)
            async with running(tmp_path, **QUICK) as engine:
                messages = await receiver.heard(2)
                assert json.loads(messages[1][1])["id"] == task["id"]
                await log_with(engine, task["id"], "answered 200")

    asyncio.run(check())


def test_an_engine_that_stops_waits_for_no_receiver_and_the_next_one_tells_again(tmp_path):
    async def check():
        with socket.create_server(("127.0.0.1", 0)) as silent:
            silent.setblocking(False)
            port = silent.getsockname()[1]
            async with running(tmp_path, **QUICK) as engine:
                task = await run(engine, f"http://127.0.0.1:{port}/")
                connection, _ = await asyncio.get_running_loop().sock_accept(silent)
            connection.close()
        async with receiving(port=port) as receiver, running(tmp_path, **QUICK):
            ((_, body),) = await receiver.heard(1)
            assert json.loads(body)["id"] == task["id"]

    asyncio.run(check())


def test_a_task_that_an_engine_left_unfinished_is_told_of_when_it_ends(tmp_path):
    async def check():
        async with receiving() as receiver:
            workers = InlineWorkers()
            context = running(tmp_path, workers, **QUICK)
            engine = await context.__aenter__()
            outcome = await engine.run({"app": "inline", "input": {"do": "hang"}, "webhook": receiver.url})
            await workers.hanging.wait()
            await crash(engine)
            next_workers = InlineWorkers()
            next_workers.gate.set()
            async with running(tmp_path, next_workers, **QUICK):
                ((_, body),) = await receiver.heard(1)
                told = json.loads(body)
                assert (told["id"], told["status"], told["attempt"]) == (outcome.task["id"], 10, 2)

    asyncio.run(check())


def test_a_task_without_a_webhook_leaves_no_trace_of_one(tmp_path):
    async def check():
        async with running(tmp_path) as engine:
            await run(engine, None)
            await run(engine, "")
            assert engine.store.webhooks_due() == []
            assert not (engine.config.state_path / SECRET_FILE).exists()

    asyncio.run(check())
