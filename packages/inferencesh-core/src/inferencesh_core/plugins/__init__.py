"""Plugins of clients: the hooks (`specs`), their typed front (`hooks`), how plugins are found (`manager`)."""

from .specs import AttemptInfo, CallInfo, ClientHooks, Endpoint, Namespace, hookimpl

__all__ = ["AttemptInfo", "CallInfo", "ClientHooks", "Endpoint", "Namespace", "hookimpl"]
