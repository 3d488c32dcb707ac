"""What an app needs before it can run, as the API lists it in an answer 412."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass
class SetupAction:
    """What the user can do about a missing requirement.

    Attributes:
        type: `add_secret`, `connect` or `add_scopes`.
        provider: The integration to connect, for example `gcp`.
        scopes: Permissions the integration has to grant.
        provider_name: The provider's name for people.
        scope_descriptions: For each scope, what the app wants it for.
    """

    type: str
    provider: str | None = None
    scopes: list[str] | None = None
    provider_name: str | None = None
    scope_descriptions: dict[str, str] | None = None

    @classmethod
    def from_dict(cls, data: dict[str, Any] | None) -> SetupAction | None:
        """The action in the API's words, or None where it named none."""
        if not data:
            return None
        return cls(
            type=data.get("type", ""),
            provider=data.get("provider"),
            scopes=data.get("scopes"),
            provider_name=data.get("provider_name"),
            scope_descriptions=data.get("scope_descriptions"),
        )


@dataclass
class RequirementError:
    """One missing requirement.

    Attributes:
        type: `secret`, `integration` or `scope`.
        key: The name of the secret or requirement.
        message: What is missing, for people.
        action: How to fix it, None where the API did not say.
    """

    type: str
    key: str
    message: str
    action: SetupAction | None = None

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> RequirementError:
        """The requirement in the API's words; absent texts are empty."""
        return cls(
            type=data.get("type", ""),
            key=data.get("key", ""),
            message=data.get("message", ""),
            action=SetupAction.from_dict(data.get("action")),
        )
