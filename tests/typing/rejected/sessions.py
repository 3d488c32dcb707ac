# pyright: reportUnnecessaryTypeIgnoreComment=true
"""Mistakes with sessions that checkers must find: see `client`."""

from __future__ import annotations

from inferencesh import inference

client = inference()
session = client.session("app")

client.session()  # type: ignore[call-arg]
client.session("app", session_timeout="5")  # type: ignore[arg-type]
client.sessions.keep_alive("sess_1")  # type: ignore[attr-defined]
client.sessions.get(7)  # type: ignore[arg-type]
session.call("run", {}, colour="red")  # type: ignore[call-overload]
session.call("run", {}, wait="yes")  # type: ignore[call-overload]
session.call("run", stream=True)["output"]  # type: ignore[index]
session.idd  # type: ignore[attr-defined]
