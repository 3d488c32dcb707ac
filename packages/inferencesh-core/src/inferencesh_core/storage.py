"""The folders an app may keep files in."""

from __future__ import annotations

from enum import Enum


class StorageDir(str, Enum):
    """Where an app's files live inside its container."""

    DATA = "/app/data"
    TEMP = "/app/tmp"
    CACHE = "/app/cache"
