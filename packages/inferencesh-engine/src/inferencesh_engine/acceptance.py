"""From a run request to a task that may be accepted: its app, its function, its input."""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import replace
from types import NoneType
from typing import TYPE_CHECKING, Any

from inferencesh_core.refs import Ref

from .clock import now
from .domain.encoded import Encoded
from .domain.jobs import Description
from .domain.problems import Problem
from .domain.requests import parse_run
from .domain.session import NEW, app_mismatch, version_mismatch
from .domain.task import TaskSpec
from .domain.values import value
from .input_schema import InputSchema
from .pool import canonical_setup

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .catalog import App, Catalog
    from .config import EngineConfig
    from .domain.jobs import FunctionDescription
    from .domain.requests import RunRequest
    from .files import Files
    from .pool import Pool
    from .sessions import LiveSession, Sessions
    from .settings import Alias


@value(frozen=True)
class Acceptable:
    """A task that may be accepted; nothing of it is stored yet.

    Attributes:
        description: None when the app is not loaded yet, or cannot be: then the worker checks the input.
        session: The session it is a call of; None for a task without one, and for one that makes its own.
    """

    spec: TaskSpec
    app: App
    description: Description | None
    session: LiveSession | None = None


class Acceptance:
    """Checks run requests; everything that is wrong with one is a Problem."""

    def __init__(
        self, config: EngineConfig, catalog: Catalog, pool: Pool, files: Files, sessions: Sessions
    ) -> None:
        self._config = config
        self._catalog = catalog
        self._pool = pool
        self._files = files
        self._sessions = sessions
        self._described: dict[str, Description] = {}
        self._schemas: dict[tuple[str, str], InputSchema] = {}

    async def check(self, body: Mapping[str, Any]) -> Acceptable:
        """The task the body asks for."""
        request = self._unaliased(parse_run(body))
        session = self._session(request)
        app, function = self._find(request) if session is None else _find_in(session, request)
        self._catalog.require(app)
        described = await self._description(app)
        if described is None:
            function = function or app.manifest.default_function
            self._files.check_input(request.input.value, None, "input")
            self._files.check_input(request.setup.value, None, "setup")
        else:
            entry = _entry(app, described, function or described.default_function)
            function = entry.name
            self._check_values(request, app, described, entry)
        return Acceptable(_spec(request, app, function, session), app, described, session)

    def find_again(self, spec: TaskSpec) -> App | None:
        """The app of a task accepted earlier; None when it is gone."""
        try:
            return self._catalog.resolve(spec.app).app
        except Problem:
            return None

    def _unaliased(self, request: RunRequest) -> RunRequest:
        """The request for the app that an alias stands for, with what the alias adds to it."""
        alias = self._catalog.alias(request.app) if request.app else None
        if alias is None or not request.app:
            return request
        # What is missing is told in the words of the caller, who knows the alias alone.
        resolved = self._catalog.resolve(request.app)
        return replace(_through(alias, request), function=request.function or resolved.function)

    def _session(self, request: RunRequest) -> LiveSession | None:
        return None if request.session in (None, NEW) else self._sessions.find(request.session)

    def _find(self, request: RunRequest) -> tuple[App, str | None]:
        found = self._catalog.find(
            request.app or None, app_id=request.app_id or None, version_id=request.version_id or None
        )
        return found.app, request.function or found.function

    async def _description(self, app: App) -> Description | None:
        if (known := self._described.get(app.version_id)) is not None:
            return known
        # Not cancelled at the time-out: the worker it starts will serve this task.
        loading = asyncio.ensure_future(self._pool.describe(app))
        done, _ = await asyncio.wait([loading], timeout=self._config.describe_wait_seconds)
        if not done:
            loading.add_done_callback(lambda late: late.cancelled() or late.exception())
            return None
        described = loading.result()
        if not isinstance(described, Description):
            return None
        self._described[app.version_id] = described
        return described

    def _check_values(
        self, request: RunRequest, app: App, described: Description, entry: FunctionDescription
    ) -> None:
        self._check(app, f"function {entry.name}", entry.input_schema, request.input, "input")
        self._check(app, "setup", described.setup_schema, request.setup, "setup")

    def _check(
        self, app: App, part: str, schema: Mapping[str, Any] | None, given: Encoded, name: str
    ) -> None:
        self._files.check_input(given.value, schema, name)
        if schema is None:
            return
        known = self._schemas.get((app.version_id, part))
        if known is None:
            known = self._schemas[app.version_id, part] = InputSchema(schema)
        known.check({} if given.value is None else given.value, name)


def _through(alias: Alias, request: RunRequest) -> RunRequest:
    given, setup = request.input.value, request.setup.value
    return replace(
        request,
        app=alias.target,
        input=Encoded.of({**alias.input, **(given or {})})
        if isinstance(given, (dict, NoneType))
        else request.input,
        setup=Encoded.of(alias.setup) if setup is None and alias.setup else request.setup,
    )


def _entry(app: App, described: Description, function: str) -> FunctionDescription:
    if function not in described.functions:
        known = ", ".join(sorted(described.functions))
        raise Problem(404, "function_not_found", f"{app.ref} has no function {function!r}; it has {known}")
    return described.functions[function]


def _find_in(session: LiveSession, request: RunRequest) -> tuple[App, str | None]:
    """The app and function of a session's call; the app is the one its worker has, however edited since."""
    record, app = session.record, session.app
    ref = _parsed(request.app) if request.app else None
    if ref is not None and (ref.name != app.name or ref.namespace not in (None, app.namespace)):
        raise app_mismatch(record, str(ref))
    if request.app_id not in (None, "", app.app_id):
        raise app_mismatch(record, request.app_id)
    for version in (ref.version if ref is not None else None, request.version_id):
        if version not in (None, "", "latest", app.short_version, app.version_id):
            raise version_mismatch(record, version)
    _check_setup(session, request)
    return app, request.function or (ref.function if ref is not None else None)


def _check_setup(session: LiveSession, request: RunRequest) -> None:
    asked = request.setup.value
    if asked is not None and canonical_setup(asked) != canonical_setup(session.setup.value):
        detail = f"session {session.record.id} was set up when it began; leave setup out of its calls"
        raise Problem(422, "invalid_request", detail, field="setup")


def _parsed(reference: str) -> Ref:
    try:
        return Ref.parse(reference)
    except ValueError as error:
        raise Problem(400, "invalid_request", str(error)) from None


def _session_id(request: RunRequest) -> str | None:
    return f"sess_{new_id()}" if request.session == NEW else request.session


def _spec(request: RunRequest, app: App, function: str | None, session: LiveSession | None) -> TaskSpec:
    return TaskSpec(
        id=new_id(),
        created_at=now(),
        app=request.app or app.ref,
        app_id=app.app_id,
        app_version_id=app.version_id,
        app_variant=request.variant,
        function=function,
        infra=request.infra,
        workers=request.workers,
        webhook=request.webhook,
        run_at=request.run_at,
        setup=request.setup if session is None else session.setup,
        input=request.input,
        metadata=request.metadata,
        session_id=_session_id(request),
        session_timeout=request.session_timeout,
    )


def new_id() -> str:
    """26 characters, lower-case letters and digits, like the service's own: all random but the first three.

    Those follow the clock, so that what comes together lies together in the indexes: a transaction writes few
    of their pages, where ids all over the place had it write one for each task.
    """
    return f"{int(time.time()) & 0xFFF:03x}{secrets.token_hex(12)[1:]}"
