"""A worker program without an app: it does what each call's input says. Needs the standard library only."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import Any


def main() -> None:
    """Serve calls until the engine closes the pipe."""
    options = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=False))
    with os.fdopen(int(options["--fd-in"]), "rb") as calls:
        talk = os.fdopen(int(options["--fd-out"]), "wb", buffering=0)
        _say(talk, {"type": "loaded", "description": {"folder": options["--app"]}})
        for line in calls:
            message = json.loads(line)
            if message["type"] == "call":
                output = _ACTIONS[message["input"]["do"]](talk, message["input"])
                _say(talk, {"type": "result", "call": message["call"], "output": output})


def _say(talk: Any, message: dict[str, Any]) -> None:
    waiting = memoryview(json.dumps(message).encode() + b"\n")
    while waiting:
        waiting = waiting[talk.write(waiting) :]


def _echo(_talk: Any, asked: dict[str, Any]) -> Any:
    return {"text": asked["text"]}


def _look_around(_talk: Any, _asked: dict[str, Any]) -> Any:
    return {
        "environment": dict(os.environ),
        "folder": os.getcwd(),  # pathlib is slow to import
        "input": sys.stdin.read(),
        "group": os.getpgrp(),
    }


def _print(_talk: Any, asked: dict[str, Any]) -> Any:
    os.write(asked["fd"], bytes.fromhex(asked["hex"]) * asked.get("times", 1))
    return {}


def _flood(talk: Any, asked: dict[str, Any]) -> Any:
    for number in range(asked["count"]):
        _say(talk, {"type": "log", "call": None, "log_type": 1, "content": str(number)})
    return {}


def _say_bytes(talk: Any, asked: dict[str, Any]) -> Any:
    talk.write(bytes.fromhex(asked["hex"]))
    time.sleep(60)


def _exit(_talk: Any, asked: dict[str, Any]) -> Any:
    os.write(2, b"last words")
    os._exit(asked["code"])


def _hang(_talk: Any, _asked: dict[str, Any]) -> Any:
    time.sleep(60)


def _start_child(_talk: Any, _asked: dict[str, Any]) -> Any:
    child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"])
    return {"pid": child.pid}


_ACTIONS = {
    "echo": _echo,
    "look around": _look_around,
    "print": _print,
    "flood": _flood,
    "say bytes": _say_bytes,
    "exit": _exit,
    "hang": _hang,
    "start child": _start_child,
}

if __name__ == "__main__":
    main()
