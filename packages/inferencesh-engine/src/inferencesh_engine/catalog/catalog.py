"""The apps an engine knows, by reference."""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inferencesh_app.worker.protocol import INPUT_FOLDER_VARIABLE
from inferencesh_core.addresses import POLICY_VARIABLE
from inferencesh_core.refs import Ref

from ..blobs import BLOBS_FOLDER
from ..domain.problems import EngineStartError, Problem
from ..download_cache import CACHE_FOLDER
from .app import DEFAULT_NAMESPACE
from .entry import Entry
from .environment import worker_environment
from .kernels import OWN, Kernels, Python
from .layers import LayerError, Layers
from .requirements import unmet
from .sources import folder_source

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ..config import EngineConfig
    from .app import App
    from .sources import AppSource

_MAX_NAMED = 20


@dataclass(frozen=True)
class Resolved:
    """What a reference means; function None is the app's default."""

    app: App
    function: str | None


@dataclass(frozen=True)
class Prepared:
    """What a worker runs with.

    Attributes:
        environment: All its environment variables.
        interpreter: The Python that runs it; None is the engine's own.
    """

    environment: dict[str, str]
    interpreter: str | None


class Catalog:
    """The apps of an engine. Edits, new folders and removed ones show at the next reference.

    Args:
        config: Says where state is kept and where secrets come from.
        sources: Where apps come from; None means the configured folder alone.
        base_url: Says where the engine listens; None while it does not.

    Raises:
        EngineStartError: There is no such folder, or two apps have one name.
    """

    def __init__(
        self,
        config: EngineConfig,
        sources: Sequence[AppSource] | None = None,
        base_url: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._config = config
        self._base_url = base_url
        self._sources = [folder_source(config.apps_dir)] if sources is None else sources
        self._kernels = Kernels()
        self._layers = Layers(config.state_path / "layers")
        self._entries: dict[Path, Entry] = {}
        self._by_name: dict[str, list[Entry]] = {}
        self._issues: list[str] = []
        twice = self._scan()
        if twice:
            raise EngineStartError(f"{twice[0]}; rename one of them")

    def apps(self) -> list[App]:
        """The apps that can be run, by name."""
        self._scan()
        return [entry.app() for entry in self._listed() if entry.broken is None]

    def issues(self) -> list[str]:
        """What is wrong in the places apps come from: broken apps, folders without a manifest."""
        broken = [
            f"app {entry.ref} cannot be used: {entry.broken}" for entry in self._listed() if entry.broken
        ]
        return broken + self._issues

    def resolve(self, reference: str) -> Resolved:
        """The app and function a reference means.

        Raises:
            Problem: 400 for what is no reference, 404 for what does not exist, naming what does, 422 for
                a name that several namespaces have and for an app that is broken, with the reason.
        """
        try:
            ref = Ref.parse(reference)
        except ValueError as error:
            raise Problem(400, "invalid_request", str(error)) from None
        entry = self._find(ref)
        if entry is None or entry.refresh() or not os.path.isdir(entry.folder):
            self._scan()
            entry = self._find(ref)
        if entry is None:
            raise self._not_found(ref)
        app = entry.app()
        if ref.version not in (None, "latest", app.short_version, app.version_id):
            raise Problem(
                404,
                "version_not_found",
                f"app {app.ref} has no version {ref.version} here; its folder holds {app.short_version}",
            )
        return Resolved(app, ref.function)

    def by_id(self, *, app_id: str | None = None, version_id: str | None = None) -> App:
        """The app with these ids, of which one may be left out; raises `Problem` 404."""
        for app in self.apps():
            if app_id in (None, app.app_id) and version_id in (None, app.version_id, app.short_version):
                return app
        wanted = f"id {app_id}" if app_id is not None else f"version {version_id}"
        raise Problem(404, "app_not_found", f"no app with {wanted}; {self._what_exists()}")

    def requirements(self, app: App) -> dict[str, Any] | None:
        """The body of a 412 when the app lacks secrets or integrations; None when it may run."""
        errors = unmet(app.manifest, self._config.secrets)
        return {"satisfied": False, "errors": errors} if errors else None

    async def prepare(self, app: App, log: Callable[[str], None]) -> Prepared:
        """What the app's worker runs with, its Python requirements installed.

        Raises:
            LayerError: They cannot be installed; `log` has heard why.
        """
        python, layer = await self._layer(app, log)
        environment = worker_environment(
            app.manifest,
            secrets=self._config.secrets,
            cache_dir=self._config.state_path / CACHE_FOLDER,
            layer=layer,
            rules=self._input_rules(),
        )
        return Prepared(environment, python.executable if python != OWN else None)

    async def _layer(self, app: App, log: Callable[[str], None]) -> tuple[Python, Path | None]:
        """The app's requirements, if it needs any, in the Python its manifest names, if that can be."""
        if not self._layers.needed(app.folder):
            return OWN, None
        kernel = app.manifest.kernel
        python = await self._kernels.find(kernel)
        if python is None:
            log(f"Python {kernel.version} is not here, or too old; using the engine's {OWN.version}\n")
        elif python != OWN:
            try:
                return python, await self._layers.prepare(app.folder, log, python)
            except LayerError as error:
                log(f"{error}; trying again for the engine's Python {OWN.version}\n")
        return OWN, await self._layers.prepare(app.folder, log)

    def _input_rules(self) -> dict[str, str]:
        policy = self._config.address_policy(self._base_url())
        blobs = self._config.state_path.absolute() / BLOBS_FOLDER
        return {POLICY_VARIABLE: policy.to_json(), INPUT_FOLDER_VARIABLE: str(blobs)}

    def _scan(self) -> list[str]:
        """Look everywhere again; what it says are names that two apps have, of which the first is kept."""
        found = [source.find() for source in self._sources]
        folders = [folder for each in found for folder in each.folders]
        self._entries = {folder: self._entries.get(folder) or Entry(folder) for folder in folders}
        taken: dict[str, Entry] = {}
        self._by_name, twice = {}, []
        for entry in self._entries.values():
            entry.refresh()
            first = taken.setdefault(entry.ref, entry)
            if first is entry:
                self._by_name.setdefault(entry.name, []).append(entry)
            else:
                twice.append(f"two apps are called {entry.ref}: {first.folder} and {entry.folder}")
        self._issues = [issue for each in found for issue in each.issues] + twice
        return twice

    def _listed(self) -> list[Entry]:
        return sorted((e for same in self._by_name.values() for e in same), key=lambda entry: entry.ref)

    def _find(self, ref: Ref) -> Entry | None:
        same_name = self._by_name.get(ref.name, [])
        if ref.namespace is not None:
            return next((entry for entry in same_name if entry.namespace == ref.namespace), None)
        if len(same_name) < 2:
            return same_name[0] if same_name else None
        ours = [entry for entry in same_name if entry.namespace == DEFAULT_NAMESPACE]
        if ours:
            return ours[0]
        candidates = ", ".join(entry.ref for entry in same_name)
        raise Problem(422, "ambiguous_app", f"app {ref.name} could be any of {candidates}; say which")

    def _not_found(self, ref: Ref) -> Problem:
        wanted = f"{ref.namespace}/{ref.name}" if ref.namespace else ref.name
        close = [
            entry.ref
            for name in difflib.get_close_matches(ref.name, self._by_name, n=3)
            for entry in self._by_name[name]
        ]
        hint = f" Did you mean {' or '.join(close)}?" if close else ""
        return Problem(404, "app_not_found", f"no app {wanted}; {self._what_exists()}.{hint}")

    def _what_exists(self) -> str:
        refs = [entry.ref for entry in self._listed()]
        if not refs:
            return "there are no apps here"
        more = f" and {len(refs) - _MAX_NAMED} more" if len(refs) > _MAX_NAMED else ""
        return f"there are {', '.join(refs[:_MAX_NAMED])}{more}"
