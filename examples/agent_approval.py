"""A tool that asks first: small refunds pass, large ones are put to whoever sits at the terminal.

python examples/agent_approval.py
"""

import sys
from pathlib import Path

from inferencesh import ApprovalRequest, Rejection, function_tool, inference

HERE = Path(__file__).parent
MODEL = (
    "inferencesh/scripted"  # stands in for a language model, offline; the rest is the same with a real one
)

refunded: dict[str, float] = {}


def refund(order: str, euros: float) -> str:
    """Refund an order."""
    refunded[order] = euros
    return f"{euros:.2f} euros are on their way for order {order}"


def decide(request: ApprovalRequest) -> bool | Rejection:
    """Say whether a tool may run; it stands still until this returns, and the chat with it."""
    euros = request.args["euros"]
    if euros <= 50:
        return True
    if not sys.stdin.isatty():
        return Rejection("more than 50 euros need a person at the terminal")
    answer = input(f"       Refund {euros} euros for {request.args['order']}? [y/N] ")
    return True if answer.lower().startswith("y") else Rejection("the owner of the shop said no")


with inference(base_url=f"local:{HERE / 'apps'}") as client:
    agent = client.agents.create(
        {
            "core_app": {"ref": MODEL},
            "system_prompt": "You answer the customers of a shop.",
            "tools": [function_tool(refund, require_approval=True)],
        }
    )

    for request in ('Please refund 20 euros for order "A-17"', 'Please refund 400 euros for order "B-2"'):
        print(f"\nYou    {request}")
        message = agent.send_message(request, on_approval=decide)
        print("Agent ", *(part["text"] for part in message["content"] if part["type"] == "text"))

print(f"\nRefunded: {refunded}")
