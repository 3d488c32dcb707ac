"""Client, engine and worker at DEBUG: no token, signature or webhook secret in any log."""

from __future__ import annotations

import logging
import re
import secrets

from inferencesh import inference
from inferencesh_core.http.urllib3_transport import Urllib3Transport
from inferencesh_core.plugins import hookimpl
from inferencesh_engine.webhooks import SECRET_FILE
from serving import serving

CHATTY = """
import logging, sys
from inferencesh_app import BaseApp, BaseAppInput, BaseAppOutput, File
logging.basicConfig(level=logging.DEBUG, stream=sys.stdout, force=True)
class AppInput(BaseAppInput):
    document: File
    address: str
class AppOutput(BaseAppOutput):
    text: str
    document: File
class App(BaseApp):
    async def run(self, input_data: AppInput) -> AppOutput:
        again = File(uri=input_data.address)
        with open(again.path) as content:
            return AppOutput(text=content.read(), document=again)
"""


class TalkativeTransport:
    """The one whose library writes each request to a log."""

    @hookimpl
    def inferencesh_transport(self, config):
        return Urllib3Transport(config)


def test_no_log_shows_a_token_a_signature_or_a_webhook_secret(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    token = f"inf_{secrets.token_hex(16)}"
    with serving(tmp_path, token=token, allow_private_addresses=True, webhook_tries=1) as api:
        folder = tmp_path / "apps" / "chatty"
        folder.mkdir()
        (folder / "inf.yml").write_text("name: chatty\nnamespace: test\n")
        (folder / "inference.py").write_text(CHATTY)
        with inference(token, api.base_url, plugins=[TalkativeTransport()]) as client:
            uri = client.files.upload(b"hello")["uri"]
            job = {"app": "test/chatty", "webhook": f"{api.base_url}/health?key={token}"}
            task = client.tasks.run({**job, "input": {"document": uri, "address": uri}})
            assert task["output"]["text"] == "hello"
            told = api.call("GET", f"/tasks/{task['id']}/logs")
            while b"webhook: " not in told.content:
                told = api.call("GET", f"/tasks/{task['id']}/logs")
        webhook_secret = (tmp_path / "apps" / ".inferencesh" / SECRET_FILE).read_text().strip()
    written = caplog.text + told.content.decode()
    assert "GET /blobs/" in written
    assert "PUT /blobs/" in written
    signatures = re.findall(r"sig=([\w-]+)", f"{uri} {task['output']['document']}")
    assert len(signatures) == 2
    for secret in (token, webhook_secret, *signatures):
        assert secret not in written
    assert "sig=" not in written
