"""Every hook of a client, tried with the example that the documentation gives for it."""

import inspect
from pathlib import Path
from types import ModuleType

import pytest

from inferencesh_core.config import ClientConfig
from inferencesh_core.errors import APIError, ConfigurationError, InferenceError
from inferencesh_core.http.messages import Request
from inferencesh_core.plugins import ClientHooks, Namespace, hookimpl
from inferencesh_core.plugins.hooks import Hooks
from inferencesh_core.testing.replies import answer, cut
from inferencesh_core.testing.world import BASE_URL, World
from readme.markdown import blocks_of

DOCUMENT = Path(__file__).parents[2] / "docs" / "plugins.md"
HOOKS = {name: spec for name, spec in vars(ClientHooks).items() if name.startswith("inferencesh_")}
TASK = {"id": "t1", "status": 10}


def signature_of(name):
    signature = inspect.signature(HOOKS[name])
    without_self = signature.replace(parameters=list(signature.parameters.values())[1:])
    return f"{name}{without_self}".replace("'", "")


def example_of(name):
    """The documented example as a module, as a client would load it."""
    (block,) = (
        block
        for block in blocks_of(DOCUMENT)
        if block.language == "python" and block.heading.strip("`") == signature_of(name)
    )
    plugin = ModuleType(name)
    exec(compile(block.code, f"{DOCUMENT.name}:{block.line}", "exec"), vars(plugin))
    assert hasattr(plugin, name)
    return plugin


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_is_documented_with_its_exact_signature_and_an_example(name):
    assert f"\n## `{signature_of(name)}`\n" in DOCUMENT.read_text(encoding="utf-8")
    example_of(name)


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_has_a_test_of_its_own(name):
    assert f"test_{name}" in globals()


def test_no_other_hook_is_documented():
    documented = {block.heading.strip("`").partition("(")[0] for block in blocks_of(DOCUMENT)}
    assert documented - {"Plugins of clients"} == set(HOOKS)


def test_inferencesh_endpoint():
    world = World([answer(TASK)])
    with world.client(base_url="staging:", plugins=[example_of("inferencesh_endpoint")]) as client:
        client.tasks.get("t1")
    assert world.seen[0].request.url == "https://staging.example/tasks/t1"
    assert world.seen[0].headers["Authorization"] == "Bearer staging-token"


def test_inferencesh_transport():
    from inferencesh_core import inference

    with inference(api_key="k", plugins=[example_of("inferencesh_transport")]) as client:
        assert client.tasks.get("t1") == TASK


def test_inferencesh_async_transport(monkeypatch):
    import asyncio

    hooks = Hooks([example_of("inferencesh_async_transport")])
    transport = hooks.async_transport(ClientConfig())
    assert asyncio.run(transport.send(Request("GET", "https://h/", {}))).status == 200
    monkeypatch.setenv("INFERENCESH_DISABLE_PLUGINS", "async")
    assert Hooks().async_transport(ClientConfig()) is None


def test_inferencesh_auth():
    world = World([answer(TASK)])
    world.client("secret", plugins=[example_of("inferencesh_auth")]).tasks.get("t1")
    assert world.seen[0].headers["X-Key"] == "secret"
    assert "Authorization" not in world.seen[0].headers


def test_inferencesh_namespaces():
    world = World([answer({"events": ["started"]})])
    client = world.client(plugins=[example_of("inferencesh_namespaces")])
    assert client.traces.of("t1") == ["started"]
    assert client.traces is client.traces


def test_two_namespaces_of_one_name_are_an_error_that_names_both_plugins():
    class Rival:
        @hookimpl
        def inferencesh_namespaces(self):
            return [Namespace("tasks", create=list)]

    with pytest.raises(ConfigurationError, match=r"client.tasks: BuiltinClientPlugin and \S*Rival;"):
        World([]).client(plugins=[Rival()])


def test_inferencesh_upload_source():
    plugin = example_of("inferencesh_upload_source")
    file = {"uri": "inf://m", "upload_url": "https://store.test/m"}
    world = World([answer([file]), answer(), answer(TASK)])
    matrix = plugin.Matrix([[1, 2], [3, 4]])
    world.client(plugins=[plugin]).tasks.run({"app": "a", "input": {"m": matrix}})
    assert world.seen[1].body == b"1,2\n3,4"
    assert world.seen[2].json["input"] == {"m": "inf://m"}


def test_inferencesh_error():
    plugin = example_of("inferencesh_error")
    over = answer({"type": "about:blank", "code": "quota_exceeded", "detail": "no more today"}, status=403)
    client = World([over, answer({"detail": "gone"}, status=404)]).client(plugins=[plugin])
    with pytest.raises(plugin.QuotaError, match="no more today"):
        client.tasks.get("t1")
    with pytest.raises(APIError, match="gone") as caught:
        client.tasks.get("t1")
    assert type(caught.value) is APIError


def test_an_error_hook_sees_what_was_asked_but_no_credentials():
    seen = []

    class Nosy:
        @hookimpl
        def inferencesh_error(self, problem, request):
            seen.append((problem.status, request))

    target = {"id": "f1", "uri": "inf://f1", "upload_url": f"{BASE_URL}/put?signature=s3cret"}
    world = World([answer([target]), answer({}, status=403), answer({}, status=404)])
    client = world.client(plugins=[Nosy()])
    with pytest.raises(InferenceError):
        client.files.upload(b"abc")
    with pytest.raises(APIError):
        client.run({"app": "a", "input": {"x": 1}})
    assert [(status, request.method, request.url) for status, request in seen] == [
        (403, "PUT", f"{BASE_URL}/put"),
        (404, "POST", f"{BASE_URL}/apps/run"),
    ]
    assert b'"app"' in seen[1][1].body
    assert all("authorization" not in str(request.headers).lower() for _, request in seen)


def test_an_error_that_says_it_is_final_is_not_tried_again():
    plugin = example_of("inferencesh_error")
    over = answer({"type": "about:blank", "code": "quota_exceeded", "detail": "no more"}, status=429)
    world = World([over, over])
    with pytest.raises(plugin.QuotaError, match="no more") as caught:
        world.client(plugins=[plugin]).tasks.get("t1")
    assert (len(world.seen), caught.value.attempts) == (1, ())


def test_inferencesh_call():
    plugin = example_of("inferencesh_call")
    World([cut(), answer(TASK)]).client(plugins=[plugin]).tasks.get("t1")
    assert plugin.calls == ["GET /tasks/t1"]


def test_inferencesh_attempt():
    plugin = example_of("inferencesh_attempt")
    World([cut(), answer(TASK)]).client(plugins=[plugin]).tasks.get("t1")
    assert plugin.numbers == [1, 2]


def test_the_introduction_is_a_plugin_too():
    import io

    (block,) = (
        b for b in blocks_of(DOCUMENT) if b.heading == "Plugins of clients" and b.language == "python"
    )
    plugin = ModuleType("introduction")
    exec(block.code, vars(plugin))
    source = Hooks([plugin]).upload_source(io.BytesIO(b"abc"))
    assert source.open().read() == b"abc"


def test_a_plugin_passed_to_the_client_is_asked_before_the_others():
    def signing(value):
        class Signing:
            def sign(self, request):
                yield request.with_headers({"X-Key": value})

            @hookimpl
            def inferencesh_auth(self):
                return self

        return Signing()

    world = World([answer(TASK)])
    world.client(plugins=[signing("asked second"), signing("asked first")]).tasks.get("t1")
    assert world.seen[0].headers["X-Key"] == "asked first"
