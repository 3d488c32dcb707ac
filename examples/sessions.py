"""Two sessions of one app, each with a database of its own in its worker's memory.

python examples/sessions.py
"""

from pathlib import Path

from inferencesh import SessionEndedError, inference

HERE = Path(__file__).parent
APP = "examples/scratch-database"

with inference(base_url=f"local:{HERE / 'apps'}") as client:
    create = {"sql": "CREATE TABLE pets (name, legs)"}
    insert = "INSERT INTO pets VALUES (?, ?)"

    with (
        client.session(APP, input=create, session_timeout=300) as ada,
        client.session(APP, input=create) as bob,
    ):
        ada.call("run", {"sql": insert, "values": ["Rex", 4]})
        bob.call("run", {"sql": insert, "values": ["Polly", 2]})
        ada.call("run", {"sql": insert, "values": ["Nagini", 0]})

        for name, session in (("Ada", ada), ("Bob", bob)):
            pets = session.call("run", {"sql": "SELECT name, legs FROM pets ORDER BY legs"})
            print(f"{name}'s pets: {pets['output']['rows']}, in {session.info()['call_count']} calls")
        print(f"Ada's tables: {ada.call('tables')['output']['rows_of']}")

    # The blocks are left, so the workers are gone, and the pets with them.
    try:
        ada.call("tables")
    except SessionEndedError as error:
        print(f"Over: {error}")
