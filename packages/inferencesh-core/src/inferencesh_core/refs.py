"""References to apps: `namespace/name@version:function`, where only the name is required."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PART = r"[^\s/@:]+"
_GRAMMAR = re.compile(
    rf"(?:(?P<namespace>{_PART})/)?(?P<name>{_PART})(?:@(?P<version>{_PART}))?(?::(?P<function>{_PART}))?"
)


def is_part(text: str) -> bool:
    """Whether a text can be one part of a reference: not empty, and without `/`, `@`, `:` and white space."""
    return re.fullmatch(_PART, text) is not None


@dataclass(frozen=True)
class Ref:
    """One app reference, taken apart; `str` puts it together again.

    Attributes:
        namespace: Whose app it is, None where the reference does not say.
        name: The app.
        version: A short version id or `latest`; None leaves the choice to the server.
        function: The entry point; None means the version's default.
    """

    namespace: str | None
    name: str
    version: str | None = None
    function: str | None = None

    @classmethod
    def parse(cls, text: str) -> Ref:
        """Take `text` apart.

        Raises:
            ValueError: A part is empty, repeated, or holds white space.

        >>> Ref.parse("acme/upscale@k3v9x2ab:run").function
        'run'
        """
        match = _GRAMMAR.fullmatch(text)
        if match is None:
            raise ValueError(
                f"app reference {text!r} is not of the form [namespace/]name[@version][:function], "
                "for example acme/upscale@latest or upscale:run"
            )
        return cls(**match.groupdict())

    def __str__(self) -> str:
        namespace = f"{self.namespace}/" if self.namespace else ""
        version = f"@{self.version}" if self.version else ""
        function = f":{self.function}" if self.function else ""
        return f"{namespace}{self.name}{version}{function}"
