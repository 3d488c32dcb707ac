import sys
from contextlib import contextmanager, nullcontext

import pytest

from inferencesh_core import inference
from inferencesh_core.errors import APIError, ConfigurationError, InferenceError
from inferencesh_core.plugins import ClientHooks, Namespace, hookimpl
from inferencesh_core.plugins.manager import PluginWarning
from inferencesh_core.testing.replies import answer
from inferencesh_core.testing.world import World


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """Installs a distribution with entry points; give it the names and the code of its module."""
    monkeypatch.setenv("INFERENCESH_DISABLE_PLUGINS", "")
    monkeypatch.syspath_prepend(tmp_path)

    def install(code, **entries):
        (tmp_path / "third_party_plugin.py").write_text(code)
        monkeypatch.delitem(sys.modules, "third_party_plugin", raising=False)
        lines = [f"{name} = third_party_plugin{target}" for name, target in entries.items()]
        metadata = tmp_path / "third_party-1.0.dist-info"
        metadata.mkdir()
        (metadata / "entry_points.txt").write_text("\n".join(["[inferencesh]", *lines]))

    return install


TRANSPORT = """
from inferencesh_core.http.messages import Response
from inferencesh_core.plugins import hookimpl

class Canned:
    def __init__(self, config):
        self.config = config
    def send(self, request):
        return Response(200, {}, b'{"id": "canned", "status": 10}')
    def close(self):
        pass

@hookimpl
def inferencesh_transport(config):
    return Canned(config)
"""

AUTH = """
from inferencesh_core.plugins import hookimpl

class Signature:
    def sign(self, request):
        yield request.with_headers({"X-Signature": str(len(request.url))})

@hookimpl
def inferencesh_auth():
    return Signature()
"""


def test_an_installed_transport_is_used(installed):
    installed(TRANSPORT, canned="")
    with inference("key") as client:
        assert client.tasks.get("t1")["id"] == "canned"


def test_an_installed_signer_is_used_and_needs_no_key(installed, monkeypatch):
    monkeypatch.delenv("INFERENCE_API_KEY", raising=False)
    installed(AUTH, signature="")
    world = World([answer({"id": "t1"})])
    client = inference(base_url="https://a.test")
    client._driver = world
    client.tasks.get("t1")
    assert world.seen[0].headers["X-Signature"] == str(len("https://a.test/tasks/t1"))
    assert "Authorization" not in world.seen[0].headers


@pytest.mark.parametrize(
    ("code", "target"),
    [("raise ValueError('boom')", ""), ("import no_such_module", ""), ("", ":missing")],
)
def test_a_plugin_that_fails_to_load_is_a_warning_with_its_name_and_the_client_works(installed, code, target):
    installed(code, broken=target)
    with pytest.warns(PluginWarning, match=r"'broken' of third_party .* INFERENCESH_DISABLE_PLUGINS=broken"):
        client = inference("key")
    assert client.tasks


@pytest.mark.parametrize("value", ["broken", "other, broken", "*"])
def test_a_plugin_can_be_disabled_by_name_or_with_all_others(installed, monkeypatch, value):
    installed("raise ValueError('boom')", broken="")
    monkeypatch.setenv("INFERENCESH_DISABLE_PLUGINS", value)
    inference("key")


class Traces:
    def __init__(self, client):
        self.client = client


class Adds:
    def __init__(self, name):
        self.name = name

    @hookimpl
    def inferencesh_namespaces(self):
        return [Namespace(self.name, Traces)]


def test_a_plugin_adds_a_namespace():
    client = inference("key", plugins=[Adds("traces")])
    assert isinstance(client.traces, Traces)
    assert client.traces.client is client
    assert isinstance(client.namespace(Traces), Traces)


@pytest.mark.parametrize("name", ["traces", "tasks"])
def test_two_namespaces_of_one_name_are_an_error_that_names_both(name):
    with pytest.raises(ConfigurationError, match=rf"two plugins add client\.{name}: .* and .*"):
        inference("key", plugins=[Adds("traces"), Adds(name)])


def test_a_plugin_passed_is_asked_before_an_installed_one(installed):
    installed(TRANSPORT, canned="")
    mine = World([])

    class Mine:
        @hookimpl
        def inferencesh_transport(self):
            return mine

    assert inference("key", plugins=[Mine()]).driver._transport is mine


def test_a_plugin_gives_a_more_precise_error():
    class QuotaError(InferenceError):
        pass

    class Quotas:
        @hookimpl
        def inferencesh_error(self, problem):
            return QuotaError(problem.message) if problem.code == "quota_exceeded" else None

    exceeded = {"code": "quota_exceeded", "detail": "no more"}
    world = World([answer(exceeded, 403), answer({"detail": "x"}, 403)])
    client = world.client(plugins=[Quotas()])
    with pytest.raises(QuotaError, match="no more"):
        client.tasks.get("t1")
    with pytest.raises(APIError, match="HTTP 403: x"):
        client.tasks.get("t1")


def test_watchers_are_entered_before_and_left_after_in_reverse():
    told = []

    class Watcher:
        def __init__(self, name):
            self.name = name

        @hookimpl
        def inferencesh_call(self):
            @contextmanager
            def around():
                told.append(f"+{self.name}")
                yield
                told.append(f"-{self.name}")

            return around()

    world = World([answer({"id": "t1"})])
    world.client(plugins=[Watcher("a"), Watcher("b")]).tasks.get("t1")
    assert told == ["+b", "+a", "-a", "-b"]


def test_a_watcher_may_only_look_or_give_any_context_manager():
    told = []

    class Looks:
        @hookimpl
        def inferencesh_attempt(self, info):
            told.append(info.number)

    class Gives:
        @hookimpl
        def inferencesh_attempt(self):
            return nullcontext()

    world = World([answer({"id": "t1"})])
    world.client(plugins=[Looks(), Gives()]).tasks.get("t1")
    assert told == [1]


def test_each_client_has_plugins_of_its_own():
    inference("key", plugins=[Adds("traces")])
    with pytest.raises(AttributeError):
        _ = inference("key").traces


def test_a_plugin_may_derive_from_the_specifications_and_override_only_some():
    class Mine(ClientHooks):
        @hookimpl
        def inferencesh_namespaces(self):
            return [Namespace("mine", Traces)]

    assert isinstance(inference("key", plugins=[Mine()]).mine, Traces)


def test_every_hook_is_documented_and_says_its_shape():
    hooks = [name for name in dir(ClientHooks) if name.startswith("inferencesh_")]
    assert len(hooks) >= 9
    for name in hooks:
        assert any(f"({shape})" in getattr(ClientHooks, name).__doc__ for shape in ("ask", "list", "watch"))
