"""Agent templates: the files in the folder `agents` of the served folder, by reference."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inferencesh_app.yaml_document import YamlProblem, read_yaml
from inferencesh_core.refs import Ref, is_part

from ..documents import content_of, place_of
from ..domain.problems import Problem
from ..served_folder import AGENT_SUFFIXES, AGENTS_FOLDER
from .agent_file import agent_config
from .app import DEFAULT_NAMESPACE, SHORT_ID_LENGTH, identifier
from .suggestions import did_you_mean, what_exists

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from inferencesh_app.yaml_document import Spot


@dataclass(frozen=True)
class AgentTemplate:
    """One version of an agent that is kept as a file.

    Attributes:
        agent_id: The same for all versions.
        version_id: A digest of the file's content, 26 characters.
        version: The version as references write it: what the file says, else the digest's beginning.
        config: An `AgentConfigInput`; shared, so never to be changed.
    """

    namespace: str
    name: str
    agent_id: str
    version_id: str
    version: str
    path: Path
    config: Mapping[str, Any]

    @property
    def ref(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"

    @property
    def folder(self) -> Path:
        """Where its file is."""
        return self.path.parent

    def has_version(self, version: str | None) -> bool:
        """Whether a reference with this version means this one."""
        own = (None, "latest", self.version, self.version_id, self.version_id[:SHORT_ID_LENGTH])
        return version in own


@dataclass(frozen=True)
class _Broken:
    """A file that cannot be used: what its agent is called as far as one can tell, and why."""

    name: str
    why: str


class Templates:
    """The templates of an engine. Edits, new files and removed ones show at the next reference."""

    def __init__(self, served: Path) -> None:
        self._folder = served / AGENTS_FOLDER
        self._read: dict[Path, tuple[tuple[int, ...], AgentTemplate | _Broken]] = {}

    def all(self) -> list[AgentTemplate]:
        """The templates that can be used, by reference."""
        found = {template.ref: template for template in reversed(self._templates())}
        return [found[ref] for ref in sorted(found)]

    def issues(self) -> list[str]:
        """What is wrong: broken files, and two templates of one name, of which the first is kept."""
        broken = [f"agent {each.name} cannot be used: {each.why}" for each in self._broken()]
        return broken + self.twice()

    def twice(self) -> list[str]:
        """Names that two templates have."""
        first: dict[str, AgentTemplate] = {}
        return [
            f"two agents are called {each.ref}: {first[each.ref].path} and {each.path}"
            for each in self._templates()
            if first.setdefault(each.ref, each) is not each
        ]

    def resolve(self, reference: str) -> AgentTemplate:
        """The template a reference means.

        Raises:
            Problem: 400 for what is no reference, 404 for what does not exist, naming what does, 422 for a
                file that is broken, naming file and line, and for a name that several namespaces have.
        """
        ref = _parsed(reference)
        same_name = [template for template in self.all() if template.name == ref.name]
        meant = [each for each in same_name if ref.namespace in (None, each.namespace)]
        if len(meant) > 1:
            meant = [each for each in meant if each.namespace == DEFAULT_NAMESPACE] or meant
        if len(meant) > 1:
            candidates = ", ".join(each.ref for each in meant)
            raise Problem(422, "ambiguous_agent", f"agent {ref.name} could be any of {candidates}; say which")
        if not meant:
            raise self._missing(ref)
        return _in_version(meant[0], ref.version)

    def by_id(self, *, agent_id: str | None = None, version_id: str | None = None) -> AgentTemplate:
        """The template with these ids, of which one may be left out; raises `Problem` 404."""
        for template in self.all():
            if agent_id in (None, template.agent_id) and template.has_version(version_id):
                return template
        wanted = f"id {agent_id}" if agent_id is not None else f"version {version_id}"
        raise Problem(404, "agent_not_found", f"no agent with {wanted}; {self._what_exists()}")

    def _missing(self, ref: Ref) -> Problem:
        broken = next((each for each in self._broken() if each.name == ref.name), None)
        if broken is not None:
            return Problem(422, "agent_broken", f"agent {ref.name} cannot be used: {broken.why}")
        wanted = f"{ref.namespace}/{ref.name}" if ref.namespace else ref.name
        hint = did_you_mean(ref.name, [template.ref for template in self.all()])
        return Problem(404, "agent_not_found", f"no agent {wanted}; {self._what_exists()}.{hint}")

    def _what_exists(self) -> str:
        return what_exists("agents", [template.ref for template in self.all()])

    def _templates(self) -> list[AgentTemplate]:
        return [template for template in self._look().values() if isinstance(template, AgentTemplate)]

    def _broken(self) -> list[_Broken]:
        return [broken for broken in self._look().values() if isinstance(broken, _Broken)]

    def _look(self) -> dict[Path, AgentTemplate | _Broken]:
        """What each file holds, or why it cannot be used; files that look as before are not read again."""
        read = {}
        for path in self._files():
            try:
                seen = path.stat()
            except OSError:
                continue
            stamp = (seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino)
            known = self._read.get(path)
            read[path] = known if known and known[0] == stamp else (stamp, _template_or_broken(path))
        self._read = read
        return {path: template for path, (_, template) in read.items()}

    def _files(self) -> list[Path]:
        if not self._folder.is_dir():
            return []
        files = [path for path in self._folder.iterdir() if path.suffix in AGENT_SUFFIXES and path.is_file()]
        return sorted(path for path in files if not path.name.startswith("."))


def _template_or_broken(path: Path) -> AgentTemplate | _Broken:
    name = path.stem
    try:
        content = content_of(path)
        top = read_yaml(content)
        name = _name(top) or name
        return _template(path, top, content)
    except YamlProblem as problem:
        return _Broken(name, f"{place_of(path, problem)}: {problem.what}")
    except OSError as error:
        return _Broken(name, f"{path} cannot be read: {error.strerror}")


def _name(top: Spot) -> str:
    with suppress(YamlProblem):
        name = top["name"].text()
        return name if is_part(name) else ""
    return ""


def _template(path: Path, top: Spot, content: bytes) -> AgentTemplate:
    config = agent_config(top)
    namespace, name = top["namespace"].text() or DEFAULT_NAMESPACE, str(config["name"])
    digest = identifier(content)
    version = top["version"].text() or digest[:SHORT_ID_LENGTH]
    for key, part in (("namespace", namespace), ("name", name), ("version", version)):
        if not is_part(part):
            raise top[key].problem(f"{key} {part!r} may not contain '/', '@', ':' or spaces")
    agent_id = identifier(f"agent {namespace}/{name}".encode())
    return AgentTemplate(namespace, name, agent_id, digest, version, path, config)


def _in_version(template: AgentTemplate, version: str | None) -> AgentTemplate:
    if not template.has_version(version):
        detail = f"agent {template.ref} has no version {version} here; its file holds {template.version}"
        raise Problem(404, "version_not_found", detail)
    return template


def _parsed(reference: str) -> Ref:
    try:
        ref = Ref.parse(reference)
    except ValueError:
        ref = None
    if ref is None or ref.function is not None:
        raise Problem(
            400,
            "invalid_request",
            f"agent reference {reference!r} is not of the form [namespace/]name[@version], "
            "for example acme/assistant@latest",
        )
    return ref
