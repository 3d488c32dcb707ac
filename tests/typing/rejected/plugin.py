# pyright: reportUnnecessaryTypeIgnoreComment=true
"""Plugins that do not keep to the specifications."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferencesh_core.plugins import ClientHooks, Namespace

if TYPE_CHECKING:
    from inferencesh_core.config import ClientConfig


class OtherParameter(ClientHooks):
    def inferencesh_endpoint(self, base_url: bytes) -> None: ...  # type: ignore[override]


class OtherResult(ClientHooks):
    def inferencesh_transport(self, config: ClientConfig) -> str:  # type: ignore[override]
        return "no transport"


class OtherRecords(ClientHooks):
    def inferencesh_namespaces(self) -> dict[str, Namespace]:  # type: ignore[override]
        return {}
