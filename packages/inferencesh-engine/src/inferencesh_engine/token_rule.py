"""What tokens may be."""

from __future__ import annotations


def token_fault(token: str) -> str | None:
    """Why no client could send this token in a header; None when any can."""
    if token and all("!" <= character <= "~" for character in token):
        return None
    return "a token is one word of visible ASCII characters, without spaces or accents: choose another"
