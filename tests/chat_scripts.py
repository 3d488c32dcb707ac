"""What a server says about a chat, for scripted worlds."""

import inferencesh_agents.plugin
from inferencesh_core.testing.replies import answer

CHAT = "c1"
PLUGINS = [inferencesh_agents.plugin]
"""For clients of tests that do without the search for installed plugins."""


def message(number, status="ready", text="", tools=(), *, role="assistant", **more):
    """Give a message; its id is ``m<number>``, its order the number."""
    return {
        "id": f"m{number}",
        "chat_id": CHAT,
        "order": number,
        "role": role,
        "status": status,
        "content": [{"type": "text", "text": text, "error": None}] if text else [],
        "tool_invocations": list(tools),
        **more,
    }


def invocation(number=1, status="awaiting_input", name="get_weather", args=None, **more):
    """Give a tool invocation; its id is ``ti<number>``."""
    arguments = {"city": "Oslo"} if args is None else args
    return {
        "id": f"ti{number}",
        "tool_invocation_id": f"call_{number}",
        "type": "client",
        "function": {"name": name, "arguments": arguments},
        "status": status,
        "result": None,
        **more,
    }


def chat(status="idle", messages=(), **more):
    """Give a chat."""
    return {"id": CHAT, "status": status, "output": None, "chat_messages": list(messages), **more}


def said(*args, **more):
    """Give the line that tells of a message."""
    return {"event": "chat_messages", "data": message(*args, **more)}


def now(status, **more):
    """Give the line that tells of the chat."""
    return {"event": "chats", "data": chat(status, **more)}


HEARTBEAT = {"type": "heartbeat"}


def accepted(number=2, status="pending"):
    """Give the answer to a message: the user's, and the assistant's yet to come."""
    return answer(
        {
            "user_message": message(number - 1, "ready", "hi", role="user"),
            "assistant_message": message(number, status),
        }
    )


def lines(world):
    """Give what the server was asked, as methods and paths."""
    return [seen.line for seen in world.seen]


def body_of(world, line="POST /agents/run", which=0):
    """Give the body of the request ``which`` of those to a route."""
    return [seen.json for seen in world.seen if seen.line == line][which]
