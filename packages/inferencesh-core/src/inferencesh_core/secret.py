"""A value that must not be seen: API keys and tokens."""

from __future__ import annotations

from typing import NoReturn


class Secret:
    """Holds a credential; only `reveal` gives it away.

    It is masked in ``repr``, ``str`` and formatting, refuses to be pickled or copied into JSON, and so
    stays out of logs and tracebacks.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Give the credential itself."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    def __str__(self) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a Secret is not pickled: hand the credential to the other process by its environment"
        )
