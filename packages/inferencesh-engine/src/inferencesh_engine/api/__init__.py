"""The engine's HTTP API: requests in, engine operations called, resources and problem documents out."""

from .server import Server

__all__ = ["Server"]
