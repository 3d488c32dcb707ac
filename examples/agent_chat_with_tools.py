"""Chat with an agent whose tools are two functions of this program and an app of the engine.

python examples/agent_chat_with_tools.py
"""

from pathlib import Path
from typing import Literal

from inferencesh import TextDelta, ToolCalled, ToolReturned, app_tool, inference

HERE = Path(__file__).parent
# It stands in for a language model, offline; the rest is the same with a real one.
MODEL = "inferencesh/scripted"

WEATHER = {"Paris": (18, "light rain"), "Oslo": (4, "snow"), "Rome": (26, "sunshine")}
RATES = {"EUR": 0.92, "GBP": 0.79, "JPY": 151.5}


def get_weather(city: str, unit: Literal["C", "F"] = "C") -> str:
    """Get the current weather.

    Args:
        city: City name.
        unit: Of the temperature.
    """
    if city not in WEATHER:
        return f"There is no weather station in {city}"
    celsius, sky = WEATHER[city]
    return f"{celsius if unit == 'C' else celsius * 9 / 5 + 32:.0f} °{unit} and {sky} in {city}"


async def exchange(dollars: float, currency: Literal["EUR", "GBP", "JPY"]) -> dict[str, str | float]:
    """Convert US dollars at today's rate."""
    return {"currency": currency, "amount": round(dollars * RATES[currency], 2)}


run_sql = app_tool("run_sql", "examples/scratch-database").describe("Query a database with SQL")

with inference(base_url=f"local:{HERE / 'apps'}") as client:
    agent = client.agents.create(
        {
            "core_app": {"ref": MODEL},
            "system_prompt": "You help people who travel.",
            "tools": [get_weather, exchange, run_sql],
        }
    )

    for question in (
        "What's the weather in Paris?",
        "And the weather in Atlantis?",
        "How many JPY do I get for 40 dollars?",
        "Query the database: `SELECT 40 * 151.5 AS yen, date('2026-07-14') AS day`",
        "Thank you!",
    ):
        print(f"\nYou    {question}\nAgent  ", end="")
        for delta in agent.stream(question):
            match delta:
                case TextDelta(text=text):
                    print(text, end="", flush=True)
                case ToolCalled(name=name, args=args):
                    print(f"[{name} {args}]", end="\n       ")
                case ToolReturned(result=result, status=status):
                    print(f"[{status}: {result}]", end="\n       ", flush=True)
        print()

    if chat := agent.get_chat():
        print(f"\n{len(chat['chat_messages'])} messages are in chat {chat['id']}")
