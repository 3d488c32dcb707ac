"""Placeholders: a name in braces."""

import re

PLACEHOLDER = re.compile(r"\{(\w+)\}")


def names_in(template: str) -> list[str]:
    return list(dict.fromkeys(PLACEHOLDER.findall(template)))


def fill(template: str, values: dict[str, str], missing: str | None) -> str:
    unknown = [name for name in names_in(template) if name not in values]
    if unknown and missing is None:
        raise ValueError(f"no value for {', '.join(unknown)}")
    return PLACEHOLDER.sub(lambda match: values.get(match[1], missing or ""), template)
