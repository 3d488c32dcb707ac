import math
from unittest.mock import Mock

import pytest

from inferencesh_async import AsyncInference, async_inference
from inferencesh_core import ConfigurationError, Inference, inference
from inferencesh_core.assembly import ClientOptions
from inferencesh_core.config import ClientConfig
from inferencesh_core.http.http_client_transport import HttpClientTransport
from inferencesh_core.http.requests_transport import RequestsTransport
from inferencesh_core.plugins import Endpoint, Namespace, hookimpl
from inferencesh_core.testing.replies import answer
from inferencesh_core.testing.world import World


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch):
    for name in ("INFERENCE_API_KEY", "INFERENCE_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("INFERENCESH_DISABLE_PLUGINS", "*")


def test_a_missing_key_is_an_error_that_says_what_to_set():
    with pytest.raises(ConfigurationError, match=r"https://api.inference.sh: .*INFERENCE_API_KEY"):
        inference()


@pytest.mark.parametrize("key", ["", "  ", "\n"])
def test_an_empty_key_is_no_key(key, monkeypatch):
    monkeypatch.setenv("INFERENCE_API_KEY", "from-the-environment")
    with pytest.raises(ConfigurationError, match="no API key"):
        inference(key)


@pytest.mark.parametrize("key", ["two words", "line\r\nX-Injected: yes", "clé", "nul\0"])
def test_a_key_with_characters_no_key_has_is_refused_without_being_shown(key):
    with pytest.raises(ConfigurationError, match="copy it anew") as caught:
        inference(key)
    assert key not in str(caught.value)


def test_a_key_is_taken_without_the_white_space_around_it():
    assert inference(" inf_abc\n").context.config.api_key.reveal() == "inf_abc"


def test_the_environment_gives_what_arguments_do_not(monkeypatch):
    monkeypatch.setenv("INFERENCE_API_KEY", "env-key")
    monkeypatch.setenv("INFERENCE_BASE_URL", "https://env.test/")
    config = inference().context.config
    assert (config.api_key.reveal(), config.base_url) == ("env-key", "https://env.test")
    config = inference("own-key", "https://own.test").context.config
    assert (config.api_key.reveal(), config.base_url) == ("own-key", "https://own.test")


@pytest.mark.parametrize("written", ["https://a.test", "https://a.test/", "https://a.test//"])
def test_a_trailing_slash_makes_no_difference(written):
    world = World([answer({"id": "t1", "status": 7})])
    world.client(base_url=written).tasks.get("t1")
    assert world.seen[0].request.url == "https://a.test/tasks/t1"


def test_a_path_in_the_address_stays_in_front_of_every_route():
    world = World([answer({"id": "t1", "status": 7})])
    world.client(base_url="https://a.test/v1/").tasks.get("t1")
    assert world.seen[0].request.url == "https://a.test/v1/tasks/t1"


@pytest.mark.parametrize(
    "base_url",
    [
        *[
            "api.inference.sh",
            "ftp://a.test",
            "https://",
            "http:///x",
            "/a/path",
            "https:a.test",
            "http://[::1",
        ],
        *["https://a.test:port", "https://a.test:99999"],
    ],
)
def test_a_bad_address_is_quoted_as_it_was_written(base_url):
    with pytest.raises(ConfigurationError) as caught:
        inference("key", base_url)
    assert repr(base_url) in str(caught.value)


@pytest.mark.parametrize(
    "base_url",
    [
        *["https://user:pw@a.test", "https://a.test?x=1", "https://a.test/#x", "https://token@a.test"],
        *["https://:pw@a.test", "https://@a.test"],
    ],
)
def test_an_address_with_credentials_or_a_query_is_refused_without_showing_them(base_url):
    with pytest.raises(ConfigurationError, match="without credentials") as caught:
        inference("key", base_url)
    assert "pw" not in str(caught.value)
    assert "token" not in str(caught.value)


@pytest.mark.parametrize(
    "base_url",
    [
        *["http://a b", "http://a.test/b c", "http://a.test/\r\nX-Injected: y", "http://a.test/\0"],
        *["http://user:pw@a b", "http://a b?key=pw", "http://a.test\tb"],
    ],
)
def test_an_address_with_white_space_or_control_characters_is_refused(base_url):
    with pytest.raises(ConfigurationError, match="white space or control characters") as caught:
        inference("key", base_url)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize("base_url", ["htp://user:pw@a.test", "user:pw@a.test", "https://u:pw/pw@a.test:pw"])
def test_an_address_that_is_none_is_shown_without_its_credentials(base_url):
    with pytest.raises(ConfigurationError) as caught:
        inference("key", base_url)
    assert "pw@" not in str(caught.value)


def test_an_address_is_taken_without_the_white_space_around_it(monkeypatch):
    monkeypatch.setenv("INFERENCE_BASE_URL", " https://a.test/\n")
    assert inference("key").context.config.base_url == "https://a.test"


def test_a_local_address_without_the_engine_names_the_package():
    with pytest.raises(ConfigurationError, match="pip install inferencesh-engine"):
        inference(base_url="local:apps")


def test_an_endpoint_found_by_a_plugin_brings_its_token_and_is_closed_once():
    closed = []

    class Local:
        @hookimpl
        def inferencesh_endpoint(self, base_url):
            if base_url == "local:apps":
                return Endpoint("http://127.0.0.1:9/", "the-token", lambda: closed.append(True))
            return None

    client = inference(base_url="local:apps", plugins=[Local()])
    assert client.context.config.base_url == "http://127.0.0.1:9"
    assert client.context.config.api_key.reveal() == "the-token"
    client.close()
    client.close()
    assert closed == [True]


def test_an_unknown_option_is_named_with_those_there_are():
    with pytest.raises(TypeError, match="no option 'tiemout'") as caught:
        inference("key", tiemout=3)
    for name in ClientOptions.__annotations__.keys() - {"sse_chunk_size", "sse_mode"}:
        assert repr(name) in str(caught.value)


def test_options_of_older_code_that_did_nothing_are_accepted():
    assert inference("key", sse_mode="x", sse_chunk_size=1024).context.config == ClientConfig(
        api_key=inference("key").context.config.api_key
    )


NO_SECONDS = [0, -1, 0.0, "5", None, True, math.nan, math.inf]
NO_COUNTS = [0, -3, 2.5, "5", None, True]
UNUSABLE = {
    **dict.fromkeys(("connect_timeout", "read_timeout", "deadline", "idle_seconds"), NO_SECONDS),
    **dict.fromkeys(("backoff_base", "backoff_cap"), NO_SECONDS),
    **dict.fromkeys(("max_attempts", "upload_concurrency", "pool_size"), NO_COUNTS),
    **dict.fromkeys(("max_line_bytes", "max_response_bytes"), NO_COUNTS),
    "upload_strings": ["sometimes", None, []],
    "verify": [None, 1, []],
    "user_agent": ["", " ", None, 5, "a\r\nX-Injected: y", "é"],
    "auth": ["x", 5, RequestsTransport],
    "transport": ["x", 5, RequestsTransport],
    "plugins": ["x", 5, None, ["x"]],
}
CASES = [
    pytest.param(name, value, id=f"{name}={value!r:.12}")
    for name, values in UNUSABLE.items()
    for value in values
]


@pytest.mark.parametrize(("name", "value"), CASES)
@pytest.mark.parametrize("make", [inference, async_inference])
def test_an_option_that_cannot_be_used_is_named_with_its_value_and_what_is_expected(make, name, value):
    with pytest.raises(ConfigurationError) as caught:
        make("key", **{name: value})
    assert str(caught.value).startswith(f"{name} must be ")
    assert f"not {value!r:.40}" in str(caught.value)


def test_every_option_is_looked_at():
    assert UNUSABLE.keys() | {"sse_chunk_size", "sse_mode"} == ClientOptions.__annotations__.keys()


@pytest.mark.parametrize("name", ["api_key", "base_url"])
@pytest.mark.parametrize("value", [5, b"sekret", ["sekret"]])
def test_a_key_or_address_that_is_no_text_is_refused_without_being_shown(name, value):
    with pytest.raises(
        ConfigurationError, match=f"{name} must be text, not {type(value).__name__}"
    ) as caught:
        inference(**{"api_key": "key", name: value})
    assert "sekret" not in str(caught.value)


def test_every_setting_reaches_the_configuration():
    settings = {"read_timeout": 5.0, "deadline": 9.0, "max_attempts": 2, "pool_size": 3, "verify": False}
    config = inference("key", **settings).context.config
    assert {name: getattr(config, name) for name in settings} == settings


def test_the_built_in_transport_can_be_replaced_by_argument_or_plugin():
    class Requests:
        @hookimpl
        def inferencesh_transport(self, config):
            return RequestsTransport(config)

    mine = RequestsTransport()
    assert isinstance(inference("key").driver._transport, HttpClientTransport)
    assert inference("key", transport=mine).driver._transport is mine
    assert isinstance(inference("key", plugins=[Requests()]).driver._transport, RequestsTransport)


@pytest.mark.parametrize("name", ["agents", "agent", "sessions", "session"])
def test_a_namespace_that_is_not_installed_names_its_package(name):
    package = f"inferencesh-{name.rstrip('s')}s"
    with pytest.raises(AttributeError, match=f"pip install {package}"):
        getattr(inference("key"), name)


def test_a_misspelt_namespace_is_an_ordinary_attribute_error():
    with pytest.raises(AttributeError, match="'Inference' object has no attribute 'taks'"):
        _ = inference("key").taks
    assert not hasattr(inference("key"), "_private")


class Traces:
    @hookimpl
    def inferencesh_namespaces(self):
        return [Namespace("traces", lambda _client: "traces")]


@pytest.mark.parametrize(
    ("make", "own"), [(inference, {"tasks", "files", "traces"}), (async_inference, {"tasks", "files"})]
)
def test_the_namespaces_a_client_has_are_seen_by_dir_and_no_others(make, own):
    client = make("key", plugins=[Traces()], transport=RequestsTransport())
    names = {"tasks", "files", "agent", "agents", "session", "sessions", "traces"}
    assert names & {*dir(client)} == own
    assert {"close" if make is inference else "aclose", "run", "context"} <= {*dir(client)}


@pytest.mark.parametrize("client_type", [Inference, AsyncInference])
def test_namespaces_are_seen_by_mocks_of_a_client(client_type):
    mock = Mock(spec=client_type)
    mock.tasks.run.return_value = {"id": "t1"}
    assert mock.tasks.run({"app": "a/b"}) == {"id": "t1"}
    assert mock.agents.create
    with pytest.raises(AttributeError):
        _ = mock.taks


def test_a_namespace_is_made_once():
    client = inference("key")
    assert client.tasks is client.tasks


def test_closing_twice_is_harmless():
    client = Inference("key")
    with client:
        client.close()


def test_names_of_before_namespaces_do_what_theirs_do():
    world = World(
        lambda seen: answer(
            [{"id": "f", "uri": "u", "upload_url": "https://s.test"}]
            if seen.line.endswith("/files")
            else {"id": "t1", "status": 10}
        )
    )
    client = world.client()
    assert client.run({"app": "a/b"}, wait=False)["id"] == "t1"
    assert client.get_task("t1")["id"] == "t1"
    assert client.wait_for_completion("t1", timeout=3)["status"] == 10
    assert [task["status"] for task in client.stream_task("t1")] == [10]
    assert client.cancel("t1") is None
    assert client.upload_file(b"abc")["uri"] == "u"
