"""A served engine with small apps, and the plainest of HTTP clients, for tests of the API."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from inferencesh_engine.config import EngineConfig
from inferencesh_engine.endpoint import BackgroundEngine

if TYPE_CHECKING:
    from pathlib import Path

_HEAD = "from inferencesh_app import BaseApp, BaseAppInput, BaseAppOutput, File\n"

APPS = {
    "echo": """
class AppInput(BaseAppInput):
    text: str = ""
class AppOutput(BaseAppOutput):
    text: str
class App(BaseApp):
    async def run(self, input_data: AppInput) -> AppOutput:
        if input_data.text == "fail":
            raise ValueError("asked to fail")
        return AppOutput(text=input_data.text)
""",
    # Goes on when the test makes the file `gate` names, so that nothing has to be timed.
    "gated": """
import asyncio, os
class AppInput(BaseAppInput):
    gate: str
class AppOutput(BaseAppOutput):
    step: int
class App(BaseApp):
    async def run(self, input_data: AppInput):
        yield AppOutput(step=1)
        while not os.path.exists(input_data.gate):
            await asyncio.sleep(0.01)
        yield AppOutput(step=2)
App.run.__annotations__["return"] = AppOutput
""",
    "upper": """
import os, tempfile
class AppInput(BaseAppInput):
    document: File
class AppOutput(BaseAppOutput):
    document: File
    given: str
class App(BaseApp):
    async def run(self, input_data: AppInput) -> AppOutput:
        with open(input_data.document.path) as source:
            text = source.read()
        path = os.path.join(tempfile.mkdtemp(), "upper.txt")
        with open(path, "w") as target:
            target.write(text.upper())
        return AppOutput(document=File(path=path), given=input_data.document.filename or "")
""",
    "needy": """
class AppInput(BaseAppInput):
    pass
class AppOutput(BaseAppOutput):
    pass
class App(BaseApp):
    async def run(self, input_data: AppInput) -> AppOutput:
        return AppOutput()
""",
}


def write_apps(folder: Path) -> Path:
    """Write the apps; gives the folder."""
    for name, code in APPS.items():
        (folder / name).mkdir(parents=True)
        secrets = "secrets:\n- key: NEEDY_KEY\n" if name == "needy" else ""
        (folder / name / "inf.yml").write_text(
            f"name: {name}\nnamespace: test\ndescription: {name} app\n{secrets}"
        )
        (folder / name / "inference.py").write_text(_HEAD + code)
    return folder


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def json(self):
        return json.loads(self.content)


@dataclass(frozen=True)
class Api:
    """Sends requests as they are said, with the token and bare bodies unless told otherwise."""

    base_url: str
    token: str
    folder: Path

    def call(self, method, path, body=None, *, version="2", headers=None) -> Answer:
        with self.opened(method, path, body, version=version, headers=headers) as response:
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())

    @contextmanager
    def opened(self, method, path, body=None, *, version="2", headers=None):
        """The response with its body still to be read."""
        target = urlsplit(path)
        connection = HTTPConnection(urlsplit(self.base_url).netloc, timeout=30)
        sent = {"Authorization": f"Bearer {self.token}", "X-API-Version": version, **(headers or {})}
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            sent.setdefault("Content-Type", "application/json")
        sent = {name: value for name, value in sent.items() if value is not None}
        try:
            where = target.path if not target.query else f"{target.path}?{target.query}"
            connection.request(method, path if not target.netloc else where, body, sent)
            yield connection.getresponse()
        finally:
            connection.close()

    def run(self, app, data, **more) -> Answer:
        return self.call("POST", "/apps/run", {"app": f"test/{app}", "input": data, **more})


@contextmanager
def serving(folder: Path, **config):
    """An engine with the apps, served on a free port; stopped at the end."""
    engine = BackgroundEngine(EngineConfig(apps_dir=write_apps(folder / "apps"), **config))
    try:
        yield Api(engine.base_url, engine.token, folder)
    finally:
        engine.stop()
