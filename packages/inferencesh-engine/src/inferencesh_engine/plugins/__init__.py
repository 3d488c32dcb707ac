"""Plugins of engines: the hooks (`specs`), their typed front (`hooks`), and what is built in (`builtin`)."""

from .hooks import Hooks
from .specs import EngineHooks, ExecutorChoice, hookimpl

__all__ = ["EngineHooks", "ExecutorChoice", "Hooks", "hookimpl"]
