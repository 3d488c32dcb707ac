"""What an app must be given before it runs: secrets and integrations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from inferencesh_app.manifest import Manifest

# How the service hands an integration's credentials to apps. The first variable is the one that must be set.
_INTEGRATION_VARIABLES = {
    "google": ("GOOGLE_OAUTH_ACCESS_TOKEN",),
    "gcp": ("GCP_ACCESS_TOKEN", "GCP_PROJECT_NUMBER"),
}


def granted(manifest: Manifest, secrets: Mapping[str, str]) -> dict[str, str]:
    """The environment variables an app gets for the secrets and integrations it declares."""
    names = [secret.key for secret in manifest.secrets]
    names += [name for integration in manifest.integrations for name in _variables(integration.key)]
    return {name: secrets[name] for name in names if name in secrets}


def unmet(manifest: Manifest, secrets: Mapping[str, str]) -> list[dict[str, Any]]:
    """What is missing, as the `errors` of a 412 body; empty when the app may run."""
    return [*_missing_secrets(manifest, secrets), *_missing_integrations(manifest, secrets)]


def _missing_secrets(manifest: Manifest, secrets: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for secret in manifest.secrets:
        if not secret.optional and not secrets.get(secret.key):
            yield {
                "type": "secret",
                "key": secret.key,
                "message": f"secret {secret.key} is not set: set it in the engine's environment"
                + _because(secret.description),
                "action": {"type": "add_secret"},
            }


def _missing_integrations(manifest: Manifest, secrets: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for integration in manifest.integrations:
        variable = _variables(integration.key)[0]
        if not integration.optional and not secrets.get(variable):
            yield {
                "type": "integration",
                "key": integration.key,
                "message": f"integration {integration.key} is not connected: set {variable} in the engine's "
                f"environment" + _because(integration.description),
                "action": {"type": "connect", "provider": _provider(integration.key)},
            }


def _variables(integration: str) -> tuple[str, ...]:
    provider = _provider(integration)
    return _INTEGRATION_VARIABLES.get(provider, (f"{provider.upper()}_ACCESS_TOKEN",))


def _provider(integration: str) -> str:
    return integration.partition(".")[0]


def _because(description: str) -> str:
    return f" ({description})" if description else ""
