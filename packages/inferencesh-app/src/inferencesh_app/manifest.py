"""The manifest of an app folder, `inf.yml`, read into frozen records.

Unknown keys are ignored and empty values mean the default, since real manifests have both; a key that is
nearly one of the known is noted. What cannot be understood is a `ManifestError` that names the file, the line
and what is wrong there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from inferencesh_core.errors import InferenceError
from inferencesh_core.refs import is_part

from .notes import Notes
from .yaml_document import MAX_DOCUMENT_BYTES, Spot, YamlProblem, read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MANIFEST_NAME = "inf.yml"

_GB = 1_000_000_000
_MB = 1_000_000
_LANGUAGES = ("python", "node")
_KEYS = (
    *("name", "namespace", "description", "category", "kernel", "resources", "metadata", "env", "images"),
    *("secrets", "integrations", "credentials", "functions", "default_function"),
    *("id", "version", "setup", "variants"),  # of manifests of other times; without effect
)
_NEAR = 0.75


class ManifestError(InferenceError):
    """A manifest that cannot be used.

    Attributes:
        line: Counts from 1; None when the file is at fault.
        what: What is wrong there.
        app: Namespace, which may be empty, and name of the app it is about; None when that cannot be read.
    """

    def __init__(self, path: Path, line: int | None, what: str, app: tuple[str, str] | None = None) -> None:
        super().__init__(f"{_place(path, line)}: {what}")
        self.path, self.line, self.what, self.app = path, line, what, app


@dataclass(frozen=True, slots=True)
class Kernel:
    """What runs the app. `version` None means the engine's own."""

    language: str = "python"
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Gpu:
    """GPUs the app asks for; `type` is none, any, nvidia, amd, intel or apple."""

    count: int = 0
    type: str = "none"
    vram_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Resources:
    """What a worker of the app needs; 0 means no demand."""

    gpu: Gpu = field(default_factory=Gpu)
    ram_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Images:
    """URLs of the app's pictures; empty when it has none."""

    card: str = ""
    thumbnail: str = ""
    banner: str = ""


@dataclass(frozen=True, slots=True)
class Requirement:
    """A secret or an integration the app wants; it does not start without one that is not optional."""

    key: str
    description: str = ""
    optional: bool = False


@dataclass(frozen=True, slots=True)
class FunctionNote:
    """What the manifest says about one function of the app."""

    name: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """An `inf.yml`. `metadata` is the app's own free object; `default_function` None means `run`.

    `doubts` has a sentence for each key that is not known and nearly one that is.
    """

    name: str
    namespace: str = ""
    description: str = ""
    category: str = ""
    kernel: Kernel = field(default_factory=Kernel)
    resources: Resources = field(default_factory=Resources)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    images: Images = field(default_factory=Images)
    secrets: tuple[Requirement, ...] = ()
    integrations: tuple[Requirement, ...] = ()
    functions: tuple[FunctionNote, ...] = ()
    default_function: str | None = None
    doubts: tuple[str, ...] = ()

    @property
    def notes(self) -> Notes:
        """What a worker needs of it."""
        return Notes({note.name: note.description for note in self.functions}, self.default_function)


def load_manifest(folder: Path) -> Manifest:
    """The manifest of an app folder. `ManifestError` when it is missing, unreadable or invalid."""
    path = folder / MANIFEST_NAME
    try:
        with path.open("rb") as file:
            content = file.read(MAX_DOCUMENT_BYTES + 1)
    except OSError as error:
        raise ManifestError(path, None, f"cannot be read: {error.strerror}") from error
    return parse_manifest(content, path)


def parse_manifest(content: bytes, path: Path) -> Manifest:
    """The manifest in `content`; `path` is named in errors."""
    app: tuple[str, str] | None = None
    try:
        top = read_yaml(content)
        # First of all, so that an app with a mistake further down is known by its name.
        app = _namespace(top["namespace"]), _name(top["name"])
        return _manifest(top, path)
    except YamlProblem as problem:
        raise ManifestError(path, problem.line, problem.what, app) from None


def ram_bytes(amount: float) -> int:
    """Memory as manifests write it: below 1000 it is GB, below 1e9 MB, else bytes (decimal units)."""
    if amount < 1000:
        return int(amount * _GB)
    return int(amount * _MB) if amount < _GB else int(amount)


def _manifest(top: Spot, path: Path) -> Manifest:
    resources, gpu, images = top["resources"], top["resources"]["gpu"], top["images"]
    return Manifest(
        name=_name(top["name"]),
        namespace=_namespace(top["namespace"]),
        description=top["description"].text(),
        category=top["category"].text(),
        kernel=_kernel(top["kernel"]),
        resources=Resources(_gpu(gpu), _memory(resources["ram"])),
        metadata=top["metadata"].mapping(),
        env={name: spot.text() for name, spot in top["env"].members()},
        images=Images(*(images[name].text() for name in ("card", "thumbnail", "banner"))),
        secrets=_requirements(top["secrets"]),
        integrations=_requirements(top["integrations"]) + _requirements(top["credentials"]),
        functions=tuple(_function(item) for item in top["functions"].items()),
        default_function=top["default_function"].text() or None,
        doubts=tuple(_doubts(top, path)),
    )


def _name(spot: Spot) -> str:
    if not spot.text():
        raise spot.problem("name is missing; add a line like 'name: my-app'")
    return _part_of_reference(spot)


def _namespace(spot: Spot) -> str:
    return _part_of_reference(spot) if spot.text() else ""


def _part_of_reference(spot: Spot) -> str:
    text = spot.text()
    if not is_part(text):
        raise spot.problem(
            f"{spot.name} {text!r} may not contain '/', '@', ':' or spaces: apps are run by it"
        )
    return text


def _doubts(top: Spot, path: Path) -> Iterator[str]:
    unknown = [name for name in top.names() if name.text() not in _KEYS]
    if not unknown:
        return
    from difflib import get_close_matches  # noqa: PLC0415 - few manifests have unknown keys

    for name in unknown:
        for near in get_close_matches(name.text(), _KEYS, n=1, cutoff=_NEAR):
            yield f"{_place(path, name.line)}: {name.text()!r} is ignored; did you mean {near!r}?"


def _place(path: Path, line: int | None) -> str:
    return f"{path}, line {line}" if line else str(path)


def _kernel(spot: Spot) -> Kernel:
    """`python-3.11`, a bare version, or empty. The text as written counts: 3.10 is not the number 3.1."""
    written = spot.text()
    if not written:
        return Kernel()
    language, _, version = written.rpartition("-") if written[-1].isdigit() else (written, "", "")
    language = language or "python"
    if language not in _LANGUAGES:
        raise spot.problem(f"kernel {written!r} is unknown; write python-3.11, node-22 or leave it empty")
    return Kernel(language, version or None)


def _gpu(spot: Spot) -> Gpu:
    return Gpu(_count(spot["count"]), spot["type"].text() or "none", _memory(spot["vram"]))


def _count(spot: Spot) -> int:
    count = spot.number()
    if count < 0 or count != int(count):
        raise spot.problem(f"{spot.name} must be a whole number from 0 up, not {count}")
    return int(count)


def _memory(spot: Spot) -> int:
    amount = spot.number()
    if not 0 <= amount < float("inf"):
        raise spot.problem(f"{spot.name} must be 0 or more, not {amount}")
    return ram_bytes(amount)


def _requirements(spot: Spot) -> tuple[Requirement, ...]:
    return tuple(
        Requirement(_required(item, "key"), item["description"].text(), item["optional"].flag())
        for item in spot.items()
    )


def _function(item: Spot) -> FunctionNote:
    return FunctionNote(_required(item, "name"), item["description"].text())


def _required(item: Spot, key: str) -> str:
    value = item[key].text()
    if not value:
        raise item.problem(f"{item.name} has no {key}")
    return value
