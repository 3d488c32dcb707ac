"""The app for APIs like OpenAI's, against a server on the loopback that the official client accepts."""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import asynccontextmanager, suppress

import pytest
from aiohttp import web

from inferencesh import async_inference, string, tool
from inferencesh_engine.config import EngineConfig
from inferencesh_engine.engine import Engine
from inferencesh_engine.shipped_apps.openai_compatible.inference import App
from inferencesh_engine.shipped_apps.openai_compatible.keys import key_for
from inferencesh_engine.shipped_apps.openai_compatible.models import AppInput, AppSetup

KEY = "sk-very-secret"
USAGE = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


def said(*deltas, stop="stop", usage=USAGE):
    """The chunks of an answer with these deltas."""
    chunks = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    if stop:
        chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": stop}]})
    return [*chunks, {"choices": [], "usage": usage}] if usage else chunks


class Model:
    """A model behind an API like OpenAI's.

    Attributes:
        answers: The chunks of its answers, one after the other; a number is an HTTP error of that status,
            `silence` none at all.
        requests: What it was asked, the Authorization header included.
        gone: Set when a client left before the answer was over.
    """

    def __init__(self, answers):
        self.answers = list(answers)
        self.requests = []
        self.gone = asyncio.Event()
        self.asked = asyncio.Event()

    async def complete(self, request):
        self.requests.append({**await request.json(), "authorization": request.headers.get("Authorization")})
        self.asked.set()
        answer = self.answers.pop(0)
        if answer == "silence":  # until the client has left
            await asyncio.Event().wait()
        if isinstance(answer, int):
            message = f"no entry with {request.headers['Authorization']}"
            return web.json_response({"error": {"message": message}}, status=answer)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        try:
            for chunk in answer:
                await self._send(response, chunk)
        except (ConnectionError, asyncio.CancelledError):
            self.gone.set()
            raise
        await response.write(b"data: [DONE]\n\n")
        return response

    async def _send(self, response, chunk):
        if chunk == "hang":
            while True:  # until the client has left
                await response.write(b": still here\n\n")
                await asyncio.sleep(0.01)
        if chunk == "break":
            response._req.transport.abort()
            raise ConnectionResetError
        if "error" not in chunk:
            chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", **chunk}
        await response.write(f"data: {json.dumps(chunk)}\n\n".encode())


@asynccontextmanager
async def serving(*answers):
    model = Model(answers)
    application = web.Application()
    application.router.add_post("/v1/chat/completions", model.complete)
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    model.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield model
    finally:
        await runner.cleanup()


@asynccontextmanager
async def connected(model, **setup):
    app = App()
    await app.setup(AppSetup(model="tiny", base_url=model.base_url, max_retries=0, **setup))
    try:
        yield app
    finally:
        await app.unload()


async def outputs_of(*answers, setup=None, **given):
    """What the app gives for one input, and what the model was asked."""
    async with serving(*answers) as model, connected(model, **(setup or {})) as app:
        outputs = [output.model_copy(deep=True) async for output in app.run(AppInput(**given))]
        return outputs, model.requests


def ask(*answers, **given):
    return asyncio.run(outputs_of(*answers, **given))


def failure_of(*answers, **given):
    with pytest.raises(RuntimeError) as caught:
        ask(*answers, text="hi", **given)
    assert KEY not in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_answer_comes_in_pieces_and_ends_with_usage_and_the_reason_it_stopped():
    outputs, [asked] = ask(said({"content": "Hel"}, {"content": "lo"}), text="hi", system_prompt="be kind")
    assert outputs[0].response == "Hel"
    last = outputs[-1]
    assert (last.response, last.usage.stop_reason, last.usage.total_tokens) == ("Hello", "stop", 12)
    assert (last.output_meta.inputs[0].tokens, last.output_meta.outputs[0].tokens) == (7, 5)
    assert asked["messages"] == [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": "hi"},
    ]
    assert (asked["model"], asked["stream"], asked["authorization"]) == ("tiny", True, "Bearer none")


def test_only_what_was_given_is_sent_besides():
    _, [bare] = ask(said({"content": "x"}), text="hi")
    assert not {"temperature", "top_p", "max_tokens", "tools", "reasoning_effort", "reasoning"} & bare.keys()
    _, [full] = ask(
        said({"content": "x"}),
        text="hi",
        temperature=0.1,
        max_tokens=9,
        reasoning_effort="low",
        reasoning_max_tokens=3,
        setup={"extra_body": {"seed": 1}},
    )
    wanted = {
        "temperature": 0.1,
        "max_tokens": 9,
        "reasoning_effort": "low",
        "reasoning": {"max_tokens": 3},
        "seed": 1,
    }
    assert {name: full[name] for name in wanted} == wanted


def test_calls_are_put_together_from_pieces_and_several_stay_apart():
    outputs, [asked] = ask(
        said(
            {
                "tool_calls": [
                    {"index": 0, "id": "a", "function": {"name": "get_weather", "arguments": '{"ci'}}
                ]
            },
            {"tool_calls": [{"index": 0, "function": {"arguments": 'ty": "Oslo"}'}}]},
            {"tool_calls": [{"index": 1, "id": "", "function": {"name": "get_weather", "arguments": ""}}]},
            stop="tool_calls",
        ),
        text="weather?",
        tools=[WEATHER],
    )
    first, second = outputs[-1].tool_calls
    assert (first["id"], first["function"]) == ("a", {"name": "get_weather", "arguments": '{"city": "Oslo"}'})
    assert second["function"] == {"name": "get_weather", "arguments": "{}"}
    assert second["id"].startswith("call_")
    assert outputs[-1].usage.stop_reason == "tool_calls"
    assert asked["tools"] == [WEATHER]


def test_results_of_tools_go_back_under_the_ids_of_their_calls():
    calls = [{"id": name, "type": "function", "function": {"name": "f", "arguments": "{}"}} for name in "ab"]
    context = [
        {"role": "user", "text": "go"},
        {"role": "assistant", "text": "", "tool_calls": calls},
        {"role": "tool", "text": "1", "tool_call_id": "a"},
    ]
    _, [asked] = ask(
        said({"content": "x"}),
        text="2",
        role="tool",
        tool_call_id="b",
        context=context,
        system_prompt="",
    )
    assert [message["role"] for message in asked["messages"]] == ["user", "assistant", "tool", "tool"]
    assert [message.get("tool_call_id") for message in asked["messages"][2:]] == ["a", "b"]
    assert asked["messages"][1] == {"role": "assistant", "content": None, "tool_calls": calls}


def test_an_image_may_come_without_words(tmp_path):
    (tmp_path / "dot.png").write_bytes(PIXEL)
    _, [asked] = ask(said({"content": "x"}), text="", images=[str(tmp_path / "dot.png")], system_prompt="")
    assert [part["type"] for part in asked["messages"][0]["content"]] == ["image_url"]


@pytest.mark.parametrize(
    "deltas",
    [
        ({"reasoning_content": "Let me "}, {"reasoning_content": "see."}, {"content": "Four."}),
        ({"reasoning": "Let me "}, {"reasoning": "see."}, {"content": "Four."}),
        ({"content": "<think>Let me "}, {"content": "see.</think>"}, {"content": "Four."}),
    ],
)
def test_reasoning_is_told_apart_however_the_server_marks_it(deltas):
    usage = {**USAGE, "completion_tokens_details": {"reasoning_tokens": 3}}
    outputs, _ = ask(said(*deltas, usage=usage), text="2+2")
    assert (outputs[-1].reasoning, outputs[-1].response) == ("Let me see.", "Four.")
    assert outputs[-1].usage.reasoning_tokens == 3


def test_an_answer_may_talk_about_think_tags():
    outputs, _ = ask(said({"content": "Models write <think> first."}), text="how?")
    assert (outputs[-1].reasoning, outputs[-1].response) == (None, "Models write <think> first.")


def test_images_and_files_are_sent_as_parts(tmp_path):
    (tmp_path / "dot.png").write_bytes(PIXEL)
    (tmp_path / "notes.pdf").write_bytes(b"%PDF-1.4")
    _, [asked] = ask(
        said({"content": "x"}),
        text="look",
        images=[str(tmp_path / "dot.png")],
        files=[str(tmp_path / "notes.pdf")],
        system_prompt="",
    )
    text, image, file = asked["messages"][0]["content"]
    assert text == {"type": "text", "text": "look"}
    assert image["image_url"]["url"] == f"data:image/png;base64,{base64.b64encode(PIXEL).decode()}"
    assert (file["file"]["filename"], file["file"]["file_data"][:28]) == (
        "notes.pdf",
        "data:application/pdf;base64,",
    )


def test_failures_are_one_line_that_names_model_and_place_and_never_the_key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)

    async def refused():
        async with serving(401) as model:
            monkeypatch.setenv("OPENAI_BASE_URL", model.base_url)
            async with connected(model) as app:
                [output async for output in app.run(AppInput(text="hi"))]

    with pytest.raises(RuntimeError) as caught:
        asyncio.run(refused())
    told = str(caught.value)
    assert "model tiny at http://127.0.0.1" in told
    assert "it answered 401: no entry with Bearer ***" in told
    assert caught.value.__cause__ is None


def test_an_error_within_the_stream_fails_with_its_words():
    assert "out of memory" in failure_of(
        [*said({"content": "a"}, stop=""), {"error": {"message": "out of memory"}}]
    )


def test_an_answer_that_is_cut_off_fails():
    assert "ended before its answer did" in failure_of(said({"content": "a"}, stop="", usage=None))
    assert "model tiny at" in failure_of([*said({"content": "a"}, stop="", usage=None), "break"])


def test_a_server_that_is_not_there_is_named():
    async def nobody():
        async with serving() as model:
            pass
        async with connected(model) as app:
            [output async for output in app.run(AppInput(text="hi"))]

    with pytest.raises(RuntimeError, match="cannot be reached"):
        asyncio.run(nobody())


def test_a_silent_server_is_given_up():
    assert "did not answer in time" in failure_of("silence", setup={"timeout_seconds": 0.1})


def test_cancelling_closes_the_request():
    async def cancelled():
        async with serving([*said({"content": "a"}, stop=""), "hang"]) as model, connected(model) as app:

            async def run():
                [output async for output in app.run(AppInput(text="hi"))]

            running = asyncio.create_task(run())
            await model.asked.wait()
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
            await asyncio.wait_for(model.gone.wait(), 5)
            assert running.cancelled()

    asyncio.run(cancelled())


@pytest.mark.parametrize(
    ("base_url", "environment", "key"),
    [
        ("https://api.openai.com/v1", {"OPENAI_API_KEY": "a"}, "a"),
        ("https://api.openai.com:443/v1", {"OPENAI_API_KEY": "a"}, "a"),
        ("https://openrouter.ai/api/v1", {"OPENAI_API_KEY": "a", "OPENROUTER_API_KEY": "b"}, "b"),
        ("http://127.0.0.1:11434/v1", {"OPENAI_API_KEY": "a"}, None),
        ("http://api.openai.com/v1", {"OPENAI_API_KEY": "a"}, None),
        ("https://api.openai.com.evil.org/v1", {"OPENAI_API_KEY": "a"}, None),
        ("https://api.openai.com@evil.org/v1", {"OPENAI_API_KEY": "a"}, None),
        ("http://gpu:8000/v1", {"OPENAI_API_KEY": "a", "OPENAI_BASE_URL": "http://gpu:8000/v1"}, "a"),
        ("https://api.openai.com/v1", {"OPENAI_API_KEY": "a", "OPENAI_BASE_URL": "http://gpu:8000"}, None),
    ],
)
def test_a_key_goes_to_its_own_provider_alone(base_url, environment, key):
    assert key_for(base_url, environment) == key


def test_an_engine_runs_a_model_under_an_alias_with_the_key_of_its_environment(tmp_path):
    async def run():
        async with serving(said({"content": "Hello"})) as model:
            (tmp_path / "engine.yml").write_text(
                "aliases:\n"
                "  infsh/claude-sonnet-4: {app: inferencesh/openai-compatible, setup: {model: tiny}}\n"
            )
            secrets = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": model.base_url}
            async with Engine(EngineConfig(apps_dir=tmp_path, secrets=secrets)) as engine:
                body = {"app": "infsh/claude-sonnet-4@abc123", "input": {"text": "hi"}}
                outcome = await engine.run(body)
                return await engine.wait(outcome.task["id"]), model.requests

    task, [asked] = asyncio.run(run())
    assert (task["output"]["response"], asked["model"]) == ("Hello", "tiny")
    assert asked["authorization"] == f"Bearer {KEY}"
    assert KEY not in json.dumps(task)


def test_an_agent_with_such_a_model_shows_it_files_and_runs_its_tools(tmp_path):
    call = {"index": 0, "id": "a", "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'}}
    heard = []

    def weather(args):
        heard.append(args)
        return "rain"

    async def run():
        asking, telling = said({"tool_calls": [call]}, stop="tool_calls"), said({"content": "It rains."})
        async with serving(asking, telling) as model:
            (tmp_path / "engine.yml").write_text(
                "aliases:\n  infsh/claude-sonnet-4:\n    app: inferencesh/openai-compatible\n"
                f"    setup: {{model: tiny, base_url: '{model.base_url}'}}\n"
            )
            async with async_inference(base_url=f"local:{tmp_path}") as client:
                described = tool("get_weather").describe("Get weather").param("city", string("City"))
                agent = client.agents.create(
                    {
                        "core_app": {"ref": "infsh/claude-sonnet-4@abc123", "input": {"temperature": 0.2}},
                        "tools": [described.handler(weather)],
                    }
                )
                message = await agent.send_message("Where is this?", files=[PIXEL])
        return message, model.requests

    message, [first, second] = asyncio.run(run())
    assert message["content"][0]["text"] == "It rains."
    assert heard == [{"city": "Oslo"}]
    assert [part["type"] for part in first["messages"][-1]["content"]] == ["text", "image_url"]
    assert (first["temperature"], first["tools"][0]["function"]["name"]) == (0.2, "get_weather")
    assert second["messages"][-1] == {"role": "tool", "content": "rain", "tool_call_id": "a"}
