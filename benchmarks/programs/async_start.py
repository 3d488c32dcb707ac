"""A whole async program: start, import, client, one GET, exit. It is timed from outside."""

import asyncio
import sys

from inferencesh import async_inference


async def main():
    client = async_inference(api_key="key", base_url=sys.argv[1])
    assert (await client.tasks.get("t1"))["status"] == 10
    if hasattr(client, "aclose"):
        await client.aclose()


asyncio.run(main())
print("{}")
