"""Turn a text into objects: the agent finishes with what a pydantic model asks for.

python examples/agent_structured_output.py
"""

from pathlib import Path

from pydantic import BaseModel, Field

from inferencesh import inference

HERE = Path(__file__).parent
MODEL = (
    "inferencesh/scripted"  # stands in for a language model, offline; the rest is the same with a real one
)

LETTER = """
Ada Lovelace (36, ada@analytical.org) will bring the engine.
Alan Turing is 41, alan@bletchley.uk.
Grace Hopper, grace@navy.mil, is 85.
"""


class Guest(BaseModel):
    name: str
    email: str = Field(pattern=r".+@.+")
    age: int = Field(ge=0)


class GuestList(BaseModel):
    guests: list[Guest] = Field(min_length=1)


with inference(base_url=f"local:{HERE / 'apps'}") as client:
    agent = client.agents.create({"core_app": {"ref": MODEL}})

    # The model is shown the schema of GuestList; what it finishes with is checked against it.
    found = agent.run(f"Extract the guests from this letter: {LETTER}", output_type=GuestList)
    for guest in found.guests if found else ():
        print(f"{guest.name:<14} {guest.age:>3}  {guest.email}")
    if chat := agent.get_chat():
        print(f"The chat is {chat['status']}.")

    # None says that the agent came to an end without an output: this letter has nobody in it.
    agent.reset()
    print(agent.run("Extract the guests from this letter: nobody will come.", output_type=GuestList))
