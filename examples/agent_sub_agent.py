"""An agent that asks two others: an accountant, who asks an app, and a poet.

Both are files in examples/apps/agents.

python examples/agent_sub_agent.py
"""

from pathlib import Path

from inferencesh import Agent, TextDelta, ToolCalled, ToolReturned, agent_tool, inference
from inferencesh.types import ChatMessageDTO

HERE = Path(__file__).parent

# The stand-in for a language model follows a script here, where a real one would decide by itself.
SCRIPT = [
    {"say": "First the sum. ", "call": "ask_accountant", "with": {"message": "{message}"}},
    {"say": "Now the verse. ", "call": "ask_poet", "with": {"message": "two hundred and sixty-eight."}},
    {"say": "Here it is:\n\n{result}\n"},
]


def messages(agent: Agent, chat_id: str | None = None) -> list[ChatMessageDTO]:
    """Give what was said in a chat."""
    chat = agent.get_chat(chat_id)
    return chat["chat_messages"] if chat else []


with inference(base_url=f"local:{HERE / 'apps'}") as client:
    editor = client.agents.create(
        {
            "core_app": {"ref": "inferencesh/scripted", "setup": {"script": SCRIPT}},
            "system_prompt": "You edit a magazine. The accountant checks each number, then the poet writes.",
            "tools": [
                agent_tool("ask_accountant", "examples/accountant").describe("Has sums worked out"),
                agent_tool("ask_poet", "examples/poet").describe("Has verse written"),
            ],
        }
    )

    for delta in editor.stream("Query the database for the total: `SELECT 19 * 12 + 40 AS total`"):
        match delta:
            case TextDelta(text=text):
                print(text, end="", flush=True)
            case ToolCalled(name=name, args=args):
                print(f"\n  {name}: {args['message']}")
            case ToolReturned(name=name, result=result):
                print(f"  {name} is back: {result!r}\n")

    # Each of them answered in a chat of its own, which stays.
    for message in messages(editor):
        for invocation in message["tool_invocations"] or ():
            print(f"\n{invocation['function']['name']} was chat {invocation['execution_id']}:")
            for said in messages(editor, invocation["execution_id"]):
                for part in said["content"]:
                    print(f"  {said['role']:<9} {part['type']:<9} {part['text']!r}")
