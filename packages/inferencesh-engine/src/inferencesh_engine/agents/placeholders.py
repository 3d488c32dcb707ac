"""Placeholders in the configuration of tools: `{{context.KEY}}`, `{{args.KEY}}` and `${{secrets.NAME}}`.

Names are flat, and what is filled in is never looked at again. A value keeps to its place: in a URL it is
percent-encoded and can be neither `.` nor `..`, in a header it has no control characters, and the scheme,
host and port of a URL have no placeholders at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, unquote

CONTEXT, ARGS, SECRETS = "context", "args", "secrets"

Lookup = Callable[[str], str]
"""Gives the value of a name; raises PlaceholderError when there is none."""

_OPENING = re.compile(r"\$?\{\{")
_PLACEHOLDER = re.compile(r"(\$?)\{\{\s*(\w+)\.([\w-]+)\s*\}\}", re.ASCII)
_CONTEXT_IN_ARGUMENT = re.compile(r"\{\{\s*context\.([\w-]+)\s*\}\}", re.ASCII)
_URL = re.compile(r"(https?://[^/?#\\\s]+)((?:/[^?#]*)?)(\?[^#]*)?(#.*)?", re.IGNORECASE | re.DOTALL)
_SEPARATORS = re.compile(r"[/\\]")
_ALLOWED_IN_TARGET = "%/?:@!$&'()*+,;=[]"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class PlaceholderError(ValueError):
    """A placeholder cannot be filled in: it is malformed, unknown, or its value does not fit there."""


def context_lookup(context: Mapping[str, str]) -> Lookup:
    """Look names up among the chat's context variables."""
    return lambda name: _known(CONTEXT, name, context)


def argument_lookup(arguments: Mapping[str, Any]) -> Lookup:
    """Look names up among a call's arguments; what is no text is written as JSON."""
    return lambda name: plain_text(_known(ARGS, name, arguments), name)


def plain_text(value: Any, name: str) -> str:
    """A JSON value as the text it has in a URL; raises PlaceholderError for null."""
    if value is None:
        raise PlaceholderError(f"argument {name} is null, which has no place in a URL; give it a value")
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def argument_names(template: str) -> set[str]:
    """The arguments that a template takes."""
    return {match[3] for match in _PLACEHOLDER.finditer(template) if not match[1] and match[2] == ARGS}


def fill_url(template: str, lookups: Mapping[str, Lookup]) -> str:
    """Give the URL, without its fragment.

    Raises:
        PlaceholderError: it is no http(s) URL, or a value leaves its place.
    """
    match = _URL.fullmatch(template.strip())
    if match is None:
        raise PlaceholderError(f"{template!r} is not an http or https URL")
    origin, path, query, _ = match.groups()
    if "{{" in origin or "@" in origin:
        raise PlaceholderError(f"the host of {template!r} has a placeholder or a user name; write it out")
    segments = [_segment(segment, lookups) for segment in path.split("/")]
    target = "/".join(segments) + _fill(query or "", lookups, _encoded)
    return origin + quote(target, safe=_ALLOWED_IN_TARGET)


def fill_header(template: str, lookups: Mapping[str, Lookup]) -> str:
    """Give the value of a header; raises PlaceholderError for control characters."""
    value = _fill(template, lookups, str).strip(" ")
    if _CONTROL.search(value):
        raise PlaceholderError(f"the value of the header {template!r} has control characters")
    return value


def fill_arguments(value: Any, context: Mapping[str, str]) -> Any:
    """Give JSON with `{{context.KEY}}` in its texts filled in; other braces are just text there."""
    if isinstance(value, str):
        return _CONTEXT_IN_ARGUMENT.sub(lambda match: _known(CONTEXT, match[1], context), value)
    if isinstance(value, Mapping):
        return {key: fill_arguments(item, context) for key, item in value.items()}
    return [fill_arguments(item, context) for item in value] if isinstance(value, list) else value


def _known(scope: str, name: str, values: Mapping[str, Any]) -> Any:
    if name not in values:
        known = ", ".join(sorted(values)) or "none"
        raise PlaceholderError(f"there is no {scope}.{name}; there are: {known}")
    return values[name]


def _segment(template: str, lookups: Mapping[str, Lookup]) -> str:
    segment = _fill(template, lookups, _encoded)
    if segment == template:
        return segment
    # Some servers decode %2F before they look at dots.
    if not segment or any(piece in {".", ".."} for piece in _SEPARATORS.split(unquote(segment))):
        raise PlaceholderError(f"the value of {template} would change the path of the URL")
    return segment


def _fill(template: str, lookups: Mapping[str, Lookup], encode: Callable[[str], str]) -> str:
    filled = _PLACEHOLDER.sub(lambda match: encode(_value(match, lookups)), template)
    if _OPENING.search(_PLACEHOLDER.sub("", template)):
        raise PlaceholderError(
            f"{template!r} has a placeholder that is not one: expected {_examples(lookups)}"
        )
    return filled


def _value(match: re.Match[str], lookups: Mapping[str, Lookup]) -> str:
    dollar, scope, name = match.groups()
    if scope not in lookups or (scope == SECRETS) != bool(dollar):
        raise PlaceholderError(f"{match[0]} has no place here; there may be {_examples(lookups)}")
    return lookups[scope](name)


def _examples(lookups: Mapping[str, Lookup]) -> str:
    shown = {CONTEXT: "{{context.KEY}}", ARGS: "{{args.KEY}}", SECRETS: "${{secrets.NAME}}"}
    return " or ".join(shown[scope] for scope in lookups)


def _encoded(value: str) -> str:
    return quote(value, safe="")
