"""Webhook tools post what the model says, signed so that the receiver can check it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json

import pytest
from aiohttp import web

from inferencesh_core.webhooks import verify
from inferencesh_engine.settings import SecretRule, Settings
from tool_bench import bench, listening, tool_of

SETTINGS = Settings(tool_secrets={"HOOK_KEY": SecretRule(("127.0.0.1",)), "BAD": SecretRule(("*",))})
SECRETS = {"HOOK_KEY": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "BAD": "whsec_?"}


def trying(scenario, tmp_path, answer, secrets=SECRETS):
    received = []

    async def receive(request):
        received.append((dict(request.headers), await request.read()))
        return answer

    async def main():
        app = web.Application()
        app.router.add_post("/{path:.*}", receive)
        known = {"settings": SETTINGS, "secrets": secrets}
        async with listening(app) as url, bench(tmp_path, **known) as tried:
            await scenario(tried, f"{url}/hook", received)

    asyncio.run(main())


def test_the_arguments_are_posted_and_the_signature_verifies(tmp_path):
    async def scenario(tried, url, received):
        tool = tool_of("hook", url=url, secret="HOOK_KEY")
        outcome = await tried.run(tool, {"text": "to {{context.who}}"}, context={"who": "Zoë"})
        assert json.loads(outcome.text) == {"ok": True}
        headers, body = received[0]
        assert json.loads(body) == {"text": "to Zoë"}
        verify(SECRETS["HOOK_KEY"], headers, body)
        assert headers["webhook-id"] == "inv1"

    trying(scenario, tmp_path, web.json_response({"ok": True}))


def test_the_older_signature_is_the_hmac_of_the_body(tmp_path):
    async def scenario(tried, url, received):
        await tried.run(tool_of("hook", url=url, secret="HOOK_KEY"), {"a": 1})
        headers, body = received[0]
        expected = hmac.new(b"plain", body, hashlib.sha256).hexdigest()
        assert headers["X-Webhook-Signature"] == f"sha256={expected}"

    trying(scenario, tmp_path, web.Response(text="ok"), {"HOOK_KEY": "plain"})


def test_without_a_secret_nothing_is_signed(tmp_path):
    async def scenario(tried, url, received):
        await tried.run(tool_of("hook", url=url, secret=None), {"a": 1})
        assert not {"webhook-signature", "X-Webhook-Signature"} & set(received[0][0])

    trying(scenario, tmp_path, web.Response(text="ok"))


@pytest.mark.parametrize(
    ("secret", "said"),
    [("OTHER", "declare it in engine.yml"), ("HOOK_KEY", "is not set"), ("BAD", "cannot be signed")],
)
def test_what_cannot_be_signed_is_not_sent(tmp_path, secret, said):
    async def scenario(tried, url, received):
        assert said in await tried.refusal(tool_of("hook", url=url, secret=secret))
        assert received == []

    trying(scenario, tmp_path, web.Response(), {"BAD": SECRETS["BAD"]})


def test_a_webhook_is_not_redirected(tmp_path):
    async def scenario(tried, url, received):
        outcome = await tried.run(tool_of("hook", url=url))
        assert outcome.failed
        assert outcome.text.startswith("HTTP 307")
        assert len(received) == 1

    trying(scenario, tmp_path, web.Response(status=307, headers={"Location": "/other"}))


@pytest.mark.parametrize("url", ["", "ftp://h/", "http://{{context.host}}/", "http://h/{{args.a}}"])
def test_a_url_that_is_none_is_an_error(tmp_path, url):
    async def scenario(tried, _url, received):
        assert await tried.refusal(tool_of("hook", url=url), {"a": 1}, context={"host": "h"})
        assert received == []

    trying(scenario, tmp_path, web.Response())
