"""The secrets one call of a tool may use: declared ones, where they may go, and never in what comes back."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from .runner import ToolError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...settings import Settings


_LIKE_A_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,63}")


class CallSecrets:
    """The secrets of one call to one host; it remembers those that were asked for.

    Args:
        settings: Says which secrets tools may use, and for which hosts.
        values: All secrets of the engine, by name.
        host: Where the call goes.
    """

    def __init__(self, settings: Settings, values: Mapping[str, str], host: str) -> None:
        self._settings = settings
        self._values = values
        self._host = host.lower()
        self._used: dict[str, str] = {}

    def value(self, name: str) -> str:
        """The secret's value; raises ToolError when it is unknown, not set, or not for this host."""
        rule = self._settings.tool_secrets.get(name)
        if rule is None and not _LIKE_A_NAME.fullmatch(name):
            # It may be the secret itself, put where its name belongs.
            raise ToolError(
                "a tool names its secret, NAME, and never has its value; declare NAME in engine.yml"
            )
        if rule is None:
            raise ToolError(
                f"secret {name} is not one that tools may use; "
                f"declare it in engine.yml: tool_secrets: {{{name}: {{hosts: [{self._host}]}}}}"
            )
        if not any(_matches(pattern.lower(), self._host) for pattern in rule.hosts):
            allowed = ", ".join(rule.hosts) or "none"
            raise ToolError(
                f"secret {name} may not be sent to {self._host}; engine.yml allows the hosts: {allowed}"
            )
        value = self._values.get(name)
        if not value:
            raise ToolError(f"secret {name} is not set: set it in the engine's environment")
        self._used[name] = value
        return value

    def scrub(self, text: str) -> str:
        """The text, each secret that was used replaced by its name."""
        return scrubbed(text, self._used)


def scrubbed(text: str, secrets: Mapping[str, str]) -> str:
    """The text, the value of each secret replaced by its name, however it is escaped."""
    forms = {form: name for name, value in secrets.items() for form in _forms(value)}
    if not forms:
        return text
    longest_first = sorted(forms, key=len, reverse=True)
    pattern = "|".join(re.escape(form) for form in longest_first)
    return re.sub(pattern, lambda match: f"[secret {forms[match[0]]}]", text)


def _forms(value: str) -> set[str]:
    in_json = {json.dumps(value, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}
    return {value, quote(value, safe=""), *in_json}


def _matches(pattern: str, host: str) -> bool:
    return pattern in {"*", host} or (pattern.startswith("*.") and host.endswith(pattern[1:]))
