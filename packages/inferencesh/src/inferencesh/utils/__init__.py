"""Downloads into an app's folders, under their old path."""

from inferencesh_core.fetch import download
from inferencesh_core.storage import StorageDir

__all__ = [
    "StorageDir",
    "download",
]
