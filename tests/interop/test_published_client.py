"""Old client, new server: the client users have today works against the engine."""

import json

import pytest

from inferencesh import inference


def test_it_runs_an_app(published):
    script = """
params = {"app": "examples/echo", "input": {"text": "from before"}, "infra": "cloud", "variant": "default"}
result = client.tasks.run(params)
print(result["status"], result["output"]["text"])
"""
    assert published(script).split("\n")[0] == "10 from before"


def test_it_streams_an_app(published):
    script = """
params = {"app": "examples/slow-stream", "input": {"steps": 3, "delay": 0.05}}
for update in client.tasks.run(params, stream=True):
    assert update["id"]
    print(TaskStatus(update["status"]).name, (update["output"] or {}).get("text"))
"""
    lines = published(script).splitlines()
    assert lines[-1] == "COMPLETED word-1 word-2 word-3"
    assert "RUNNING word-1" in lines


# Silence of this length makes the published client give up on servers that send only heartbeats.
@pytest.mark.timeout(260)
def test_it_waits_three_minutes_on_a_silent_app(published):
    script = """
result = client.tasks.run({"app": "examples/slow-stream", "input": {"steps": 1, "delay": 187}})
print(result["status"], result["output"]["text"])
"""
    assert published(script) == "10 word-1\n"


def test_it_cancels_a_task(published, engine):
    script = """
import time
task = client.tasks.run({"app": "examples/mishaps", "input": {"how": "never_returns"}}, wait=False)
while client.tasks.get(task["id"])["status"] != TaskStatus.RUNNING:
    time.sleep(0.02)
client.tasks.cancel(task["id"])
print(client.tasks.get(task["id"])["status"], task["id"])
"""
    status, task_id = published(script).split()
    assert status == "12"
    with inference(engine.token, engine.base_url) as client:
        assert client.tasks.get(task_id)["status"] == 12


def test_it_uploads_files_by_hand_and_inside_input(published, tmp_path):
    from PIL import Image

    Image.new("RGB", (64, 32), "teal").save(tmp_path / "picture.png")
    script = """
import json
stored = client.files.upload("picture.png", UploadFileOptions(filename="named.png"))
by_path = client.tasks.run({"app": "examples/thumbnail", "input": {"image": "picture.png", "size": 16}})
by_uri = client.tasks.run({"app": "examples/thumbnail", "input": {"image": stored["uri"], "size": 8}})
print(json.dumps([stored["filename"], by_path["output"], by_uri["output"]]))
"""
    name, by_path, by_uri = json.loads(published(script))
    assert name == "named.png"
    assert (by_path["width"], by_path["height"]) == (16, 8)
    assert (by_uri["width"], by_uri["height"]) == (8, 4)


def test_it_sees_why_a_task_failed(published):
    script = """
try:
    client.tasks.run({"app": "examples/mishaps", "input": {"how": "raise"}})
except RuntimeError as error:
    print(error)
"""
    assert "the app raised this on purpose" in published(script)


def test_it_sees_what_the_engine_refuses(published):
    script = """
for app, data in (("examples/nothing-of-the-kind", {}), ("examples/slow-stream", {"steps": "x"})):
    try:
        client.tasks.run({"app": app, "input": data})
    except APIError as error:
        print(error.status_code, error.message)
"""
    unknown, invalid = published(script).splitlines()
    assert unknown.startswith("404 ")
    assert "examples/echo" in unknown
    assert invalid.startswith("422 ")
    assert "steps" in invalid


def test_its_asynchronous_client_runs_and_streams(published, engine):
    script = """
import asyncio
async def main():
    client = async_inference(api_key=sys.argv[1], base_url=sys.argv[2])
    result = await client.tasks.run({"app": "examples/echo", "input": {"text": "async"}})
    print(result["output"]["text"])
    params = {"app": "examples/slow-stream", "input": {"steps": 2, "delay": 0.01}}
    async for update in await client.tasks.run(params, stream=True):
        last = update
    print(last["output"]["text"])
asyncio.run(main())
"""
    assert published(script, engine.token, engine.base_url).splitlines() == ["async", "word-1 word-2"]


def test_it_holds_sessions(published, engine):
    script = """
import asyncio
APP = "examples/scratch-database"
with client.session(APP, input={"sql": "CREATE TABLE pets (name)"}) as session:
    session.call("run", {"sql": "INSERT INTO pets VALUES ('Rex')"})
    for update in session.call("run", {"sql": "SELECT * FROM pets"}, stream=True):
        last = update
    print(last["output"]["rows"], session.info()["status"], session.keepalive()["call_count"])
    print([each["id"] for each in client.sessions.list()] == [session.session_id])
print(client.sessions.get(session.session_id)["status"])
client.sessions.end(session.session_id)
try:
    client.run({"app": APP, "function": "tables", "input": {}, "session": session.session_id})
except APIError as error:
    print(error.status_code, "SESSION_ENDED" in error.response_body)

async def main():
    asynchronous = async_inference(api_key=key, base_url=address)
    async with await asynchronous.session(APP, input={"sql": "CREATE TABLE pets (name)"}) as session:
        print((await session.call("tables"))["output"]["rows_of"])

asyncio.run(main())
"""
    address = f"key, address = {engine.token!r}, {engine.base_url!r}\n"
    lines = published(address + script).splitlines()
    assert lines[:4] == ["[['Rex']] active 3", "True", "ended", "410 True"]
    assert lines[4] == "{'pets': 0}"
