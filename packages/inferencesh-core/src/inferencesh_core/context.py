"""What the subjects of one client share."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .config import ClientConfig
    from .http.api import Api
    from .plugins.hooks import Hooks


class ClientContext(NamedTuple):
    """The parts a subject is made of.

    Attributes:
        config: The client's settings.
        api: Makes logical calls.
        hooks: The client's plugins.
    """

    config: ClientConfig
    api: Api
    hooks: Hooks
