"""HTTP tools call a real API: what is sent, what may be sent where, and what comes back."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from inferencesh_core.addresses import AddressPolicy
from inferencesh_engine.agents.tools.outbound import Outbound, OutboundRequest
from inferencesh_engine.agents.tools.runner import ToolError
from inferencesh_engine.settings import IntegrationRule, SecretRule, Settings
from tool_bench import bench, listening, tool_of

KEY = 's3cret/+ü"value'
SETTINGS = Settings(
    tool_secrets={"NOTES_KEY": SecretRule(("127.0.0.1",)), "FAR_KEY": SecretRule(("api.example.com",))},
    integrations={"google": IntegrationRule("NOTES_KEY"), "slack": IntegrationRule("LOST_KEY")},
)


class Api:
    """An API that keeps what it was asked, and answers as the path says."""

    def __init__(self):
        self.requests = []
        self.waiting = asyncio.Event()
        self.elsewhere = ""

    async def answer(self, request):
        body = await request.text()
        self.requests.append((request.method, request.raw_path, dict(request.headers), body))
        return await getattr(self, f"_{request.path.split('/')[1]}", self._ok)(request)

    async def _ok(self, _request):
        return web.json_response({"fine": True})

    async def _echo(self, request):
        return web.Response(text=json.dumps(dict(request.headers), ensure_ascii=False))

    async def _fail(self, _request):
        return web.Response(status=404, reason=f"No {KEY}", text="no such note: " + KEY)

    async def _empty(self, _request):
        return web.Response(status=204)

    async def _large(self, _request):
        return web.Response(body=b"x" * 1001)

    async def _image(self, _request):
        return web.Response(body=b"\x89PNG\0", content_type="image/png")

    async def _packed(self, _request):
        response = web.Response(body=b"x" * 100_000)
        response.enable_compression(web.ContentCoding.gzip)
        return response

    async def _hang(self, _request):
        self.waiting.set()
        await asyncio.Event().wait()

    async def _moved(self, _request):
        raise web.HTTPTemporaryRedirect("/notes")

    async def _seen(self, _request):
        raise web.HTTPSeeOther("/notes")

    async def _away(self, _request):
        raise web.HTTPTemporaryRedirect(f"{self.elsewhere}/echo")

    async def _around(self, request):
        raise web.HTTPFound(request.path)

    async def _inwards(self, _request):
        raise web.HTTPFound("http://169.254.169.254/latest/meta-data")


@asynccontextmanager
async def served():
    """An API on a free port, and its URL."""
    api, app = Api(), web.Application()
    app.router.add_route("*", "/{path:.*}", api.answer)
    async with listening(app) as url:
        yield api, url


def trying(scenario, tmp_path, **config):
    """Run a scenario with a bench, an API and its URL."""

    async def main():
        known = {"settings": SETTINGS, "secrets": {"NOTES_KEY": KEY, "FAR_KEY": "far"}, **config}
        async with served() as (api, url), bench(tmp_path, **known) as tried:
            return await scenario(tried, api, url)

    return asyncio.run(main())


def test_what_the_url_does_not_take_is_the_json_body(tmp_path):
    async def scenario(tried, api, url):
        tool = tool_of(
            "http", url=url + "/{{context.tenant}}/notes/{{args.id}}", headers={"X-T": "{{context.tenant}}"}
        )
        arguments = {"id": 7, "text": "to {{context.tenant}}", "tags": ["a"]}
        outcome = await tried.run(tool, arguments, context={"tenant": "acme corp"})
        assert json.loads(outcome.text) == {"fine": True}
        assert not outcome.failed
        method, path, headers, body = api.requests[0]
        assert (method, path, headers["X-T"]) == ("POST", "/acme%20corp/notes/7", "acme corp")
        assert headers["Content-Type"] == "application/json"
        assert json.loads(body) == {"text": "to acme corp", "tags": ["a"]}

    trying(scenario, tmp_path)


@pytest.mark.parametrize("method", ["GET", "DELETE", "get"])
def test_where_there_is_no_body_the_rest_is_the_query(tmp_path, method):
    async def scenario(tried, api, url):
        tool = tool_of("call", url=url + "/notes?v=1", method=method)
        await tried.run(tool, {"q": "a&b", "page": 2, "deep": True, "tag": ["x", "y"], "none": None})
        sent, path, _, body = api.requests[0]
        assert (sent, body) == (method.upper(), "")
        assert path == "/notes?v=1&q=a%26b&page=2&deep=true&tag=x&tag=y"

    trying(scenario, tmp_path)


@pytest.mark.parametrize(
    ("spec", "header", "expected"),
    [
        ({"auth": {"type": "api_key", "secret": "NOTES_KEY"}}, "X-API-Key", KEY),
        ({"auth": {"type": "api_key", "secret": "NOTES_KEY", "header": "X-Key"}}, "X-Key", KEY),
        ({"auth": {"type": "bearer", "secret": "NOTES_KEY"}}, "Authorization", f"Bearer {KEY}"),
        ({"auth": {"type": "integration", "provider": "google"}}, "Authorization", f"Bearer {KEY}"),
        ({"headers": {"X-Own": "key=${{secrets.NOTES_KEY}}"}}, "X-Own", f"key={KEY}"),
    ],
)
def test_a_secret_is_sent_and_never_comes_back(tmp_path, spec, header, expected):
    async def scenario(tried, api, url):
        outcome = await tried.run(tool_of("http", url=url + "/echo", **spec))
        assert api.requests[0][2][header] == expected
        assert "[secret NOTES_KEY]" in outcome.text
        failed = await tried.run(tool_of("http", url=url + "/fail", **spec))
        assert failed.text == "HTTP 404 No [secret NOTES_KEY]\nno such note: [secret NOTES_KEY]"
        assert failed.failed
        assert KEY not in outcome.text
        assert json.dumps(KEY)[1:-1] not in outcome.text

    trying(scenario, tmp_path)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"auth": {"type": "bearer", "secret": "OTHER"}}, "tool_secrets: {OTHER: {hosts: [127.0.0.1]}}"),
        ({"auth": {"type": "bearer", "secret": "FAR_KEY"}}, "may not be sent to 127.0.0.1"),
        ({"auth": {"type": "bearer"}}, "no secret"),
        ({"auth": {"type": "integration", "provider": "x"}}, "integration x is not connected"),
        ({"auth": {"type": "integration", "provider": "slack"}}, "LOST_KEY"),
        ({"auth": {"type": "magic"}}, "'magic' is not one of api_key"),
        ({"method": "BREW"}, "BREW is not one of GET"),
        ({"headers": {"Host": "evil"}}, "'Host' cannot be set"),
        ({"headers": {"X\r\nY": "1"}}, "cannot be set"),
        ({"headers": {"X-T": "{{context.tenant}}"}}, "control characters"),
        ({"headers": {"X-T": "{{args.id}}"}}, "has no place here"),
        ({"headers": {"X-T": "{{context.other}}"}}, "there is no context.other"),
    ],
)
def test_what_cannot_be_sent_is_not_sent(tmp_path, spec, said):
    async def scenario(tried, api, url):
        tool = tool_of("http", url=url + "/notes", **spec)
        assert said in await tried.refusal(tool, {"id": 1}, context={"tenant": "a\r\nX-Admin: 1"})
        assert api.requests == []

    trying(scenario, tmp_path)


def test_a_secret_that_is_declared_and_not_set_is_named(tmp_path):
    async def scenario(tried, _api, url):
        tool = tool_of("http", url=url, auth={"type": "bearer", "secret": "NOTES_KEY"})
        assert "secret NOTES_KEY is not set" in await tried.refusal(tool)

    trying(scenario, tmp_path, secrets={})


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/notes",
        "http://127.1:{port}/notes",
        "http://2130706433:{port}/notes",
        "http://0x7f.0.0.1:{port}/notes",
        "http://localhost:{port}/notes",
        "http://[::ffff:127.0.0.1]:{port}/notes",
        "http://[::1]:{port}/notes",
        "http://0.0.0.0:{port}/notes",
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/",
    ],
)
def test_addresses_inside_are_refused_however_they_are_written(tmp_path, url):
    async def scenario(tried, api, base):
        port = base.rpartition(":")[2]
        for kind in ("http", "hook"):
            said = await tried.refusal(tool_of(kind, url=url.format(port=port)))
            assert "may not reach it; to allow it, put settings: {allow_private_addresses: true}" in said
        assert api.requests == []

    trying(scenario, tmp_path, allow_private_addresses=False)


def test_a_redirect_is_followed_with_all_there_is_on_the_same_origin(tmp_path):
    async def scenario(tried, api, url):
        auth = {"type": "bearer", "secret": "NOTES_KEY"}
        await tried.run(tool_of("http", url=url + "/moved", auth=auth), {"a": 1})
        method, path, headers, body = api.requests[1]
        assert (method, path, json.loads(body)) == ("POST", "/notes", {"a": 1})
        assert headers["Authorization"] == f"Bearer {KEY}"
        await tried.run(tool_of("http", url=url + "/seen", auth=auth), {"a": 1})
        assert api.requests[3][0] == "GET"
        assert api.requests[3][3] == ""

    trying(scenario, tmp_path)


def test_no_header_of_the_tool_goes_along_to_another_origin(tmp_path):
    async def scenario(tried, api, url):
        async with served() as (other, other_url):
            api.elsewhere = other_url
            spec = {"auth": {"type": "api_key", "secret": "NOTES_KEY"}, "headers": {"X-T": "1"}}
            await tried.run(tool_of("http", url=url + "/away", **spec), {"a": 1})
            _, _, headers, body = other.requests[0]
            assert not {"X-API-Key", "X-T"} & set(headers)
            assert json.loads(body) == {"a": 1}

    trying(scenario, tmp_path)


def test_a_redirect_to_an_address_inside_is_refused(tmp_path):
    async def scenario(tried, api, url):
        outbound = Outbound(tried.config, AddressPolicy(allowed_origins=frozenset({url})))
        with pytest.raises(ToolError, match=r"169\.254\.169\.254.*metadata"):
            await outbound.send(OutboundRequest("GET", f"{url}/inwards", {}))
        await outbound.close()
        assert len(api.requests) == 1

    trying(scenario, tmp_path)


def test_redirects_without_end_are_an_error(tmp_path):
    async def scenario(tried, _api, url):
        assert "redirects more than 5 times" in await tried.refusal(tool_of("http", url=url + "/around"))

    trying(scenario, tmp_path)


@pytest.mark.parametrize("path", ["large", "packed"])
def test_an_answer_one_byte_too_large_is_an_error(tmp_path, path):
    async def scenario(tried, _api, url):
        said = await tried.refusal(tool_of("http", url=f"{url}/{path}"))
        assert "larger than 1000 bytes (max_tool_result_bytes)" in said

    trying(scenario, tmp_path, max_tool_result_bytes=1000)


def test_an_answer_just_small_enough_is_taken(tmp_path):
    async def scenario(tried, _api, url):
        assert len((await tried.run(tool_of("http", url=url + "/large"))).text) == 1001

    trying(scenario, tmp_path, max_tool_result_bytes=1001)


def test_an_api_that_hangs_fails_its_call_in_time(tmp_path):
    async def scenario(tried, _api, url):
        said = await tried.refusal(tool_of("http", url=url + "/hang?token=x"))
        assert said == f"{url}/hang did not answer within 0.2 s (tool_timeout_seconds)"

    trying(scenario, tmp_path, tool_timeout_seconds=0.2)


def test_a_stopped_call_lets_go_of_the_api(tmp_path):
    async def scenario(tried, api, url):
        running = asyncio.ensure_future(tried.run(tool_of("http", url=url + "/hang")))
        await api.waiting.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    trying(scenario, tmp_path)


def test_an_api_that_is_not_there_is_an_error_that_names_it(tmp_path):
    async def scenario(tried, _api, _url):
        assert "http://127.0.0.1:1/x could not be asked" in await tried.refusal(
            tool_of("http", url="http://127.0.0.1:1/x")
        )

    trying(scenario, tmp_path)


@pytest.mark.parametrize("url", ["http://h:port/", "http://[::1/", "http://:80/", "http://h:99999/"])
def test_a_url_without_a_host_to_go_to_is_an_error(tmp_path, url):
    async def scenario(tried, _api, _url):
        said = await tried.refusal(tool_of("http", url=url))
        assert url in said

    trying(scenario, tmp_path)


def test_what_is_no_text_is_described(tmp_path):
    async def scenario(tried, _api, url):
        assert (await tried.run(tool_of("http", url=url + "/image"))).text == "(5 bytes of image/png)"
        assert (await tried.run(tool_of("http", url=url + "/empty"))).text == "HTTP 204 No Content"

    trying(scenario, tmp_path)


def test_the_model_sees_the_schema_of_the_configuration(tmp_path):
    async def scenario(tried, _api, url):
        schema = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
        offered = await tried.offered(tool_of("http", url=url, input_schema=schema))
        assert (offered.name, offered.parameters) == ("probe", schema)
        bare = await tried.offered(tool_of("call", url=url, input_schema=None))
        assert bare.parameters == {"type": "object", "properties": {}}

    trying(scenario, tmp_path)
