"""Connections that come as an engine stops listening."""

import asyncio
import socket

from inferencesh_engine.listening import Listening


class Remembered(asyncio.Protocol):
    made: list[asyncio.BaseTransport]

    def connection_made(self, transport):
        type(self).made.append(transport)


def test_who_was_accepted_at_the_last_moment_is_known_before_the_server_closes():
    async def main():
        Remembered.made = []
        with Listening("127.0.0.1", 0) as listening:
            await listening.serve(Remembered)
            address = ("127.0.0.1", int(listening.base_url.rpartition(":")[2]))
            with socket.create_connection(address):
                for _ in range(2):  # it is accepted, and its protocol does not know of it yet
                    await asyncio.sleep(0)
                assert not Remembered.made
                await listening.let_last_ones_in()
                assert len(Remembered.made) == 1
            with socket.create_connection(address):
                await asyncio.sleep(0)
                await listening.let_last_ones_in()
                assert len(Remembered.made) == 1
            for transport in Remembered.made:
                transport.abort()
            listening.close()
            await listening.wait_closed()

    asyncio.run(main())
