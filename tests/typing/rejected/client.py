# pyright: reportUnnecessaryTypeIgnoreComment=true
"""Mistakes that checkers must find: each comment is itself an error where its line is accepted."""

from __future__ import annotations

from typing import Any

import inferencesh
from inferencesh import Inference, inference

client = inference()
params: dict[str, Any] = {}

inferencesh.Inferense  # type: ignore[attr-defined]
client.taks  # type: ignore[attr-defined]
client.tasks.runn(params)  # type: ignore[attr-defined]
client.tasks.run("namespace/name")  # type: ignore[call-overload]
client.tasks.run(params, wait="yes")  # type: ignore[call-overload]
client.tasks.get(7)  # type: ignore[arg-type]
client.tasks.get("t1", wait=True)  # type: ignore[call-arg]
client.tasks.run(params).result  # type: ignore[attr-defined]
client.tasks.run(params, stream=True)["output"]  # type: ignore[index]
client.files.upload(7)  # type: ignore[arg-type]

inference(api_key=7)  # type: ignore[arg-type]
inference(retries=3)  # type: ignore[call-arg]
inference(upload_strings="sometimes")  # type: ignore[arg-type]
Inference(read_timeout="30")  # type: ignore[arg-type]
