"""What can be run: app folders, references to them, and what they need before they start."""

from .app import App
from .catalog import Catalog, Resolved
from .sources import AppSource, Found

__all__ = ["App", "AppSource", "Catalog", "Found", "Resolved"]
