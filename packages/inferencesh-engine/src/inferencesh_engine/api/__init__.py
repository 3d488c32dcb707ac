"""The engine's HTTP API: requests in, engine operations called, resources and problem documents out.

Parts of aiohttp are imported from the modules they are in: `aiohttp.web` would bring a whole framework.
"""

from .server import Server

__all__ = ["Server"]
