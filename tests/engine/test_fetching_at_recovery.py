"""What an engine takes up at its start may fetch from the engine like anything later."""

from __future__ import annotations

from urllib.parse import urlsplit

from inferencesh_engine.config import EngineConfig
from inferencesh_engine.endpoint import BackgroundEngine
from serving import Api, write_apps

FETCHER = """
import asyncio, os
from inferencesh_app import BaseApp, BaseAppInput, BaseAppOutput, File
class AppInput(BaseAppInput):
    gate: str
    address: str
class AppOutput(BaseAppOutput):
    size: int
    copy_of: File
class App(BaseApp):
    async def run(self, input_data: AppInput) -> AppOutput:
        while not os.path.exists(input_data.gate):
            await asyncio.sleep(0.01)
        file = await asyncio.to_thread(lambda: File(uri=input_data.address).path)
        return AppOutput(size=os.path.getsize(file), copy_of=File(path=file))
"""


def served(apps, port):
    return BackgroundEngine(EngineConfig(apps_dir=apps, port=port))


def test_a_task_taken_up_by_the_next_engine_fetches_from_it_and_stores_files_there(tmp_path):
    apps, gate = write_apps(tmp_path / "apps"), tmp_path / "gate"
    (apps / "fetcher").mkdir()
    (apps / "fetcher" / "inf.yml").write_text("name: fetcher\nnamespace: test\n")
    (apps / "fetcher" / "inference.py").write_text(FETCHER)
    engine = served(apps, 0)
    api = Api(engine.base_url, engine.token, apps)
    given = {"gate": str(gate), "address": f"{api.base_url}/health"}
    task = api.run("fetcher", given).json
    with api.opened(
        "GET", f"/tasks/{task['id']}/stream", headers={"Accept": "application/x-ndjson"}
    ) as lines:
        while b'"status": 7' not in lines.readline():
            pass
    engine.stop()
    gate.touch()
    engine = served(apps, urlsplit(api.base_url).port)
    try:
        with api.opened(
            "GET", f"/tasks/{task['id']}/stream", headers={"Accept": "application/x-ndjson"}
        ) as lines:
            lines.read()
        ended = api.call("GET", f"/tasks/{task['id']}").json
    finally:
        engine.stop()
    assert (ended["status"], ended["attempt"]) == (10, 2), ended.get("error")
    assert ended["output"]["size"] > 0
    assert ended["output"]["copy_of"].startswith(f"{api.base_url}/blobs/")
