"""Which values the settings of a client take: what is wrong with one is said when the client is made."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .errors import ConfigurationError
from .secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable
    from urllib.parse import SplitResult


def check_option(name: str, value: Any) -> None:
    """Look at an option before anything is made of it.

    Raises:
        ConfigurationError: it cannot be used; the text has its name, the value, and what is expected.
    """
    if name in _RULES:
        expected, allows = _RULES[name]
        if not allows(value):
            raise ConfigurationError(f"{name} must be {expected}, not {value!r:.80}")


def _is_seconds(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < math.inf


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_header_text(value: Any) -> bool:
    return isinstance(value, str) and value.isascii() and value.isprintable() and bool(value.strip())


def _are_plugins(value: Any) -> bool:
    # A name is iterable too, letter by letter.
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        return False
    return not any(isinstance(plugin, str) for plugin in value)


def _has(*methods: str) -> Callable[[Any], bool]:
    def has(value: Any) -> bool:
        return value is None or (
            not isinstance(value, type) and all(callable(getattr(value, name, None)) for name in methods)
        )

    return has


_SECONDS = ("a finite number of seconds above 0", _is_seconds)
_COUNT = ("a whole number above 0", _is_count)

_RULES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    **dict.fromkeys(("connect_timeout", "read_timeout", "deadline", "idle_seconds"), _SECONDS),
    **dict.fromkeys(("backoff_base", "backoff_cap"), _SECONDS),
    **dict.fromkeys(("max_attempts", "upload_concurrency", "pool_size"), _COUNT),
    **dict.fromkeys(("max_line_bytes", "max_response_bytes"), _COUNT),
    "upload_strings": (
        "'explicit', 'never' or 'legacy'",
        lambda value: isinstance(value, str) and value in {"explicit", "never", "legacy"},
    ),
    "verify": (
        "True, False or the path of a bundle of authorities",
        lambda value: isinstance(value, (bool, str)),
    ),
    "user_agent": ("text of printable ASCII characters", _is_header_text),
    "auth": ("an object with the method sign", _has("sign")),
    "transport": ("an object with the methods send, open and close", _has("send", "open", "close")),
    "plugins": ("a sequence of modules or objects", _are_plugins),
}


def checked_text(name: str, value: Any) -> str | None:
    """Give back a text; anything else but ``None`` is an error that does not show it: it may be secret."""
    if value is None or isinstance(value, str):
        return value
    raise ConfigurationError(f"{name} must be text, not {type(value).__name__}")


def checked_key(key: str | None) -> Secret | None:
    """Give an API key as the secret it is, without the white space around it; ``None`` for an empty one."""
    key = (key or "").strip()
    if any(character <= " " or character > "~" for character in key):
        raise ConfigurationError(
            "the API key has characters no key has (spaces, line ends, accents): copy it anew"
        )
    return Secret(key) if key else None


def checked_address(base_url: str) -> str:
    """Give the address of the API without its trailing slash, and the white space around it.

    Raises:
        ConfigurationError: it is none; the text shows no credentials that stand in it.
    """
    if base_url.startswith("local:"):
        raise ConfigurationError(f"{base_url!r} needs the local engine: pip install inferencesh-engine")
    base_url = base_url.strip()
    if any(character <= " " or character == "\x7f" for character in base_url):
        raise ConfigurationError(
            f"base_url {_shown(base_url)!r} has white space or control characters in it: an address has none"
        )
    parts = _parts_of(base_url)
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigurationError(
            f"base_url {_shown(base_url)!r} is no address: expected https://HOST, or local:FOLDER"
        )
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ConfigurationError(
            f"base_url must be only an address and a path, without credentials: {parts.hostname}"
        )
    return base_url.rstrip("/")


def _shown(base_url: str) -> str:
    """Give an address as written, but for what may be secret in it: credentials and what follows the path."""
    scheme, separator, rest = base_url.rpartition("://")
    before, at, rest = rest.rpartition("@")
    shown = scheme + separator + (f"***@{rest}" if at else before + rest)
    return re.sub(r"[?#].*", "?***", shown, flags=re.DOTALL)


def _parts_of(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts
