"""A whole program: start, import, client, one GET, exit. It is timed from outside."""

import sys

from inferencesh import inference

client = inference(api_key="key", base_url=sys.argv[1])
assert client.tasks.get("t1")["status"] == 10
print("{}")
