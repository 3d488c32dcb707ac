"""One app folder under observation: what was read from it last, and whether that still holds."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from inferencesh_app.manifest import ManifestError

from ..domain.problems import Problem
from .app import DEFAULT_NAMESPACE, App, read_app, stamps_of

if TYPE_CHECKING:
    from pathlib import Path

    from .app import Stamp

# Looking for edits may take this part of the time, so that folders of many files do not slow every task.
_SHARE_OF_TIME = 0.02


class Entry:
    """An app folder.

    Attributes:
        namespace: As the manifest said when that could last be read; before, the default one.
        name: Likewise; before, the folder's name.
        doubts: What may be meant otherwise than it is written; a sentence each.
        broken: Why the app cannot be used now; None when it can.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.namespace = DEFAULT_NAMESPACE
        self.name = folder.name
        self.broken: str | None = None
        self.doubts: tuple[str, ...] = ()
        self._app: App | None = None
        self._stamps: tuple[Stamp, ...] | None = None
        self._next_look = 0.0
        self.refresh()

    @property
    def ref(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"

    def refresh(self) -> bool:
        """Read the folder again if it was edited; whether the app's name changed with that."""
        began = time.monotonic()
        if began < self._next_look:
            return False
        before = self.ref
        try:
            self._look()
        except (OSError, ManifestError) as error:
            self._app, self.broken, self.doubts = None, str(error), ()
            if isinstance(error, ManifestError) and error.app is not None:
                self._call(*error.app)
        took = time.monotonic() - began
        self._next_look = began + took / _SHARE_OF_TIME
        return self.ref != before

    def app(self) -> App:
        """The app as it is; raises `Problem` 422 when it cannot be used."""
        if self._app is None:
            raise Problem(422, "app_broken", f"app {self.ref} cannot be used: {self.broken}")
        return self._app

    def _look(self) -> None:
        stamps = stamps_of(self.folder)
        if stamps == self._stamps:
            return
        self._stamps = stamps
        app = read_app(self.folder, stamps)
        self._call(app.namespace, app.name)
        self.doubts = app.manifest.doubts
        kernel = app.manifest.kernel
        if kernel.language == "python":
            self._app, self.broken = app, None
        else:
            self._app, self.broken = None, f"it needs {kernel.language}; this engine runs Python apps"

    def _call(self, namespace: str, name: str) -> None:
        self.namespace, self.name = namespace or DEFAULT_NAMESPACE, name
