"""Which key goes where. A setup may name any base URL, so a key is bound to the origin of its provider."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_BASE_URL = "https://api.openai.com/v1"

_ORIGINS = {
    "ANTHROPIC_API_KEY": "https://api.anthropic.com",
    "DEEPSEEK_API_KEY": "https://api.deepseek.com",
    "GEMINI_API_KEY": "https://generativelanguage.googleapis.com",
    "GROQ_API_KEY": "https://api.groq.com",
    "MISTRAL_API_KEY": "https://api.mistral.ai",
    "OPENROUTER_API_KEY": "https://openrouter.ai",
    "TOGETHER_API_KEY": "https://api.together.xyz",
    "XAI_API_KEY": "https://api.x.ai",
}


def key_for(base_url: str, environment: Mapping[str, str]) -> str | None:
    """The key for a base URL; None when there is none that may be sent there."""
    openai = environment.get("OPENAI_BASE_URL") or DEFAULT_BASE_URL
    bound = {**_ORIGINS, "OPENAI_API_KEY": openai}
    asked = _origin(base_url)
    names = [name for name, url in bound.items() if _origin(url) == asked]
    return next((environment[name] for name in names if environment.get(name)), None)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
