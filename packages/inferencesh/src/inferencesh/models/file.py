"""`File`, under its old path."""

from inferencesh_core.file import (
    File,
)

__all__ = [
    "File",
]
