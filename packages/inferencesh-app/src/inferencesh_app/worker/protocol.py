r"""What an engine and a worker say to each other: JSON objects in UTF-8, one per line, told apart by `type`.

A worker that was started without an app is first sent `load`, and nothing more until it answers. Then the
engine sends `setup` once, any number of `call` and `cancel`, and at the end `unload` (closing the pipe means
the same). A worker answers

    loaded | load_failed                 after import; load_failed is its last word (exit code 3)
    ready | setup_failed                 after setup; setup_failed is its last word (exit code 4)
    started, output*, result | failed    for each call, in the order of the calls; logs come in between;
                                         `started` is left out where the call says so
    unloaded                             its last word (exit code 0)

`output` of a generator is cumulative and the last one comes again as `result`. A file in an output is an
object of uri, path, content_type, size and filename, as far as known. A `log` is one or more whole lines,
without the last newline; its `call` is null outside a call.

Pure: nothing here reads or writes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from inferencesh_core.errors import InferenceError
from inferencesh_core.json_encoder import encoder

Message = dict[str, Any]
FailureKind = Literal[
    "exception", "invalid_input", "invalid_output", "no_output", "unknown_function", "cancelled"
]

LOG_RUN, LOG_SETUP, LOG_TASK = 1, 3, 4
EXIT_UNLOADED, EXIT_LOAD_FAILED, EXIT_SETUP_FAILED, EXIT_ENGINE_GONE = 0, 3, 4, 5

INPUT_FOLDER_VARIABLE = "INFERENCESH_INPUT_FOLDER"
"""Environment variable with the one folder whose files input may name by path; without it, any file."""

_TEXT: tuple[type, ...] = (str,)
_TEXT_OR_NULL: tuple[type, ...] = (str, type(None))
_OBJECT: tuple[type, ...] = (dict,)
_ANY: tuple[type, ...] = (object,)

# Every message: its fields and what each may be. Further fields are left alone, so that either side may grow.
FIELDS: Mapping[str, Mapping[str, tuple[type, ...]]] = {
    "load": {"app": _TEXT, "environment": _OBJECT},
    "setup": {"setup": (dict, type(None)), "metadata": _OBJECT},
    "call": {"call": _TEXT, "function": _TEXT_OR_NULL, "input": _ANY, "metadata": _OBJECT},
    "cancel": {"call": _TEXT},
    "unload": {},
    "loaded": {"description": _OBJECT},
    "load_failed": {"error": _TEXT, "traceback": _TEXT},
    "ready": {},
    "setup_failed": {"error": _TEXT, "traceback": _TEXT},
    "started": {"call": _TEXT},
    "output": {"call": _TEXT, "output": _OBJECT},
    "log": {"call": _TEXT_OR_NULL, "log_type": (int,), "content": _TEXT},
    "result": {"call": _TEXT, "output": _OBJECT},
    "failed": {"call": _TEXT, "error": _TEXT, "kind": _TEXT, "traceback": _TEXT},
    "unloaded": {},
}


_encode = encoder(separators=(",", ":"))


class WorkerProtocolError(InferenceError):
    """A line that is no message of this protocol; says which and why."""


def encode(message: Message) -> bytes:
    """The message as one line."""
    return _encode(message).encode() + b"\n"


def encode_output(kind: Literal["output", "result"], call: str, output: bytes) -> bytes:
    """An output or result as one line, around an output that is JSON already."""
    head = _encode({"type": kind, "call": call})
    return b'%b,"output":%b}\n' % (head[:-1].encode(), output)


def decode(line: bytes) -> Message:
    """The message of one line, checked. `WorkerProtocolError` for anything else."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise WorkerProtocolError(f"not JSON ({error}): {line[:200]!r}") from None
    fields = FIELDS.get(str(message.get("type"))) if isinstance(message, dict) else None
    if fields is None:
        raise WorkerProtocolError(f"not a message of the worker protocol: {line[:200]!r}")
    for name, kinds in fields.items():
        if name not in message or not isinstance(message[name], kinds):
            raise WorkerProtocolError(
                f"{message['type']} message with a wrong or missing {name}: {line[:200]!r}"
            )
    return dict(message)


def load(app: str, environment: Mapping[str, str], notes: Mapping[str, Any] | None = None) -> Message:
    """Load the app in this folder; these are all the environment variables it has.

    `notes` is what its manifest says about functions, to spare the worker the reading.
    """
    message = {"type": "load", "app": app, "environment": environment}
    return message if notes is None else {**message, "notes": notes}


def setup(values: Mapping[str, Any] | None, metadata: Mapping[str, Any]) -> Message:
    """Set the app up with these setup values (None: none were given)."""
    return {"type": "setup", "setup": values, "metadata": metadata}


def call(
    call: str,
    function: str | None,
    input: Any,  # noqa: A002
    metadata: Mapping[str, Any],
    *,
    quiet: bool = False,
) -> Message:
    """Call a function (None: the app's default one); `call` names the call in answers.

    A `quiet` call is not answered by `started`: nothing has to be fetched first, so it starts at once.
    """
    message = {"type": "call", "call": call, "function": function, "input": input, "metadata": metadata}
    return {**message, "quiet": True} if quiet else message


def cancel(call: str) -> Message:
    """End a call soon: a waiting one is dropped, a running one asked to stop."""
    return {"type": "cancel", "call": call}


def unload() -> Message:
    """Unload the app and exit."""
    return {"type": "unload"}


def loaded(description: Mapping[str, Any]) -> Message:
    """The app is imported; its functions and schemas."""
    return {"type": "loaded", "description": description}


def load_failed(error: str, traceback: str) -> Message:
    """The app cannot be imported, or is no app."""
    return {"type": "load_failed", "error": error, "traceback": traceback}


def ready() -> Message:
    """Setup is done; calls are served."""
    return {"type": "ready"}


def setup_failed(error: str, traceback: str) -> Message:
    """Setup raised, or its values do not fit the setup model."""
    return {"type": "setup_failed", "error": error, "traceback": traceback}


def started(call: str) -> Message:
    """The function is entered: its input is valid and its files are here."""
    return {"type": "started", "call": call}


def log(call: str | None, log_type: int, content: str) -> Message:
    """Lines the app logged or printed."""
    return {"type": "log", "call": call, "log_type": log_type, "content": content}


def failed(call: str, error: str, kind: FailureKind, traceback: str = "") -> Message:
    """The call ended without a result; `error` is one line."""
    return {"type": "failed", "call": call, "error": error, "kind": kind, "traceback": traceback}


def unloaded() -> Message:
    """The app is unloaded; the process exits."""
    return {"type": "unloaded"}
