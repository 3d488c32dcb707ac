# pyright: reportUnnecessaryTypeIgnoreComment=true
"""Mistakes with agents that checkers must find: see `client`."""

from __future__ import annotations

from inferencesh_core import inference

client = inference()
agent = client.agents.create("acme/helper")

client.agents.create(7)  # type: ignore[arg-type]
client.agents.creat("acme/helper")  # type: ignore[attr-defined]
client.agent("acme/helper", context=["a"])  # type: ignore[arg-type]
agent.send_message(b"hi")  # type: ignore[arg-type]
agent.send_message("hi", on_message=7)  # type: ignore[arg-type]
agent.send_message("hi", colour="red")  # type: ignore[call-arg]
agent.submit_tool_result(7, "x")  # type: ignore[arg-type]
agent.stream("hi", colour="red")  # type: ignore[call-arg]
agent.chat_idd  # type: ignore[attr-defined]
