"""What can be run: app folders and agent templates, references to them, and what they need beforehand."""

from .app import App
from .catalog import Catalog, Resolved
from .sources import AppSource, Found
from .templates import AgentTemplate

__all__ = ["AgentTemplate", "App", "AppSource", "Catalog", "Found", "Resolved"]
