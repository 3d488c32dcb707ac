"""Who owns a resource (wire protocol 1.6): an engine has one user, and does not know who that is."""

from __future__ import annotations

from typing import Any

VISIBILITIES = ("private", "public", "unlisted")


def owned(*, public: bool = False) -> dict[str, Any]:
    """The permission fields of a resource."""
    return {
        "user_id": "",
        "user": None,
        "team_id": "",
        "team": None,
        "visibility": "public" if public else "private",
    }
