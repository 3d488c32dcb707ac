"""The apps an engine knows, by reference."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from inferencesh_app.worker.protocol import INPUT_FOLDER_VARIABLE
from inferencesh_core.addresses import POLICY_VARIABLE
from inferencesh_core.refs import Ref

from ..blobs import BLOBS_FOLDER
from ..domain.problems import EngineStartError, Problem
from ..domain.values import value
from ..download_cache import CACHE_FOLDER
from ..settings import Settings
from .app import DEFAULT_NAMESPACE, SHIPPED_NAMESPACE
from .entry import Entry
from .environment import worker_environment
from .kernels import OWN, Kernels, Python
from .layers import LayerError, Layers
from .requirements import unmet
from .sources import folder_source
from .suggestions import did_you_mean, what_exists
from .templates import Templates

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ..config import EngineConfig
    from ..settings import Alias
    from .app import App
    from .sources import AppSource
    from .templates import AgentTemplate

_NO_SETTINGS = Settings()


@value(frozen=True)
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
        settings: Says which names stand for which apps.

    Raises:
        EngineStartError: There is no such folder, or two apps or two agents have one name.
    """

    def __init__(
        self,
        config: EngineConfig,
        sources: Sequence[AppSource] | None = None,
        base_url: Callable[[], str | None] = lambda: None,
        settings: Settings = _NO_SETTINGS,
    ) -> None:
        self._config = config
        self._base_url = base_url
        self._sources = [folder_source(config.apps_dir)] if sources is None else sources
        self._kernels = Kernels()
        self._layers = Layers(config.state_path / "layers")
        self._entries: dict[Path, Entry] = {}
        self._by_name: dict[str, list[Entry]] = {}
        self._issues: list[str] = []
        self._settings = settings
        self._templates = Templates(config.apps_dir)
        twice = self._scan() + self._templates.twice()
        if twice:
            raise EngineStartError(f"{twice[0]}; rename one of them")

    def apps(self) -> list[App]:
        """The apps that can be run, by name."""
        self._scan()
        return [entry.app() for entry in self._listed() if entry.broken is None]

    def issues(self) -> list[str]:
        """What is wrong where apps come from: broken apps, likely typos, folders without a manifest."""
        listed = self._listed()
        broken = [f"app {entry.ref} cannot be used: {entry.broken}" for entry in listed if entry.broken]
        doubts = [f"app {entry.ref}: {doubt}" for entry in listed for doubt in entry.doubts]
        return broken + doubts + self._issues + self._templates.issues()

    def agents(self) -> list[AgentTemplate]:
        """The agent templates that can be used, by name."""
        return self._templates.all()

    def agent(self, reference: str) -> AgentTemplate:
        """The agent template a reference means.

        Raises:
            Problem: 400 for what is no reference, 404 for what does not exist, naming what does, 422 for a
                file that is broken, naming file and line, and for a name that several namespaces have.
        """
        return self._templates.resolve(reference)

    def agent_by_id(self, *, agent_id: str | None = None, version_id: str | None = None) -> AgentTemplate:
        """The template with these ids, of which one may be left out; raises `Problem` 404."""
        return self._templates.by_id(agent_id=agent_id, version_id=version_id)

    def find_agent(
        self, reference: str | None, *, agent_id: str | None, version_id: str | None
    ) -> AgentTemplate:
        """The agent template that a reference means, or else the one with these ids; raises as those do."""
        if reference is not None:
            return self.agent(reference)
        return self.agent_by_id(agent_id=agent_id, version_id=version_id)

    def alias(self, reference: str) -> Alias | None:
        """What a reference stands for by the settings; None for itself. Raises `Problem` 400."""
        return self._settings.alias(_parsed(reference)) if self._settings.aliases else None

    def resolve(self, reference: str) -> Resolved:
        """The app and function a reference means, or what it is an alias of.

        Raises:
            Problem: 400 for what is no reference, 404 for what does not exist, naming what does, 422 for
                a name that several namespaces have and for an app that is broken, with the reason.
        """
        ref = _parsed(reference)
        if (alias := self._settings.alias(ref)) is not None:
            return self._resolve_alias(ref, Ref.parse(alias.target))
        return self._resolve(ref)

    def _resolve_alias(self, ref: Ref, target: Ref) -> Resolved:
        try:
            resolved = self._resolve(target)
        except Problem as problem:
            detail = f"{ref} stands for {target} (engine.yml): {problem.detail}"
            raise Problem(problem.status, problem.code, detail) from None
        return replace(resolved, function=ref.function or resolved.function)

    def _resolve(self, ref: Ref) -> Resolved:
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

    def find(self, reference: str | None, *, app_id: str | None, version_id: str | None) -> Resolved:
        """What a reference means, or else the app with these ids; raises as `resolve` and `by_id` do."""
        if reference is not None:
            return self.resolve(reference)
        return Resolved(self.by_id(app_id=app_id, version_id=version_id), None)

    def require(self, app: App) -> None:
        """Raise the `Problem` 412 of an app that lacks secrets or integrations."""
        missing = self.requirements(app)
        if missing is not None:
            raise Problem(412, "requirements_not_met", missing["errors"][0]["message"], **missing)

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
        # A name alone means the user's app rather than one that comes with the engine.
        same_name = [entry for entry in same_name if entry.namespace != SHIPPED_NAMESPACE] or same_name
        if len(same_name) < 2:
            return same_name[0] if same_name else None
        ours = [entry for entry in same_name if entry.namespace == DEFAULT_NAMESPACE]
        if ours:
            return ours[0]
        candidates = ", ".join(entry.ref for entry in same_name)
        raise Problem(422, "ambiguous_app", f"app {ref.name} could be any of {candidates}; say which")

    def _not_found(self, ref: Ref) -> Problem:
        wanted = f"{ref.namespace}/{ref.name}" if ref.namespace else ref.name
        hint = did_you_mean(ref.name, [entry.ref for entry in self._listed()])
        alias = " To let it stand for one of these, name it under aliases in engine.yml."
        detail = f"no app {wanted}; {self._what_exists()}.{hint}{alias if ref.namespace else ''}"
        return Problem(404, "app_not_found", detail)

    def _what_exists(self) -> str:
        return what_exists("apps", [entry.ref for entry in self._listed()])


@lru_cache(maxsize=256)  # the same few come again and again
def _parsed(reference: str) -> Ref:
    try:
        return Ref.parse(reference)
    except ValueError as error:
        raise Problem(400, "invalid_request", str(error)) from None
