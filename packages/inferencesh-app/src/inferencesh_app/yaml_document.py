"""A YAML document read safely, with each value knowing the line it stands on.

Size, number of values and nesting are bounded after aliases are expanded, so that a small file cannot grow
large (the "billion laughs") or endless (an alias to itself).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_DOCUMENT_BYTES = 64 * 1024
MAX_VALUES = 20_000


class YamlProblem(Exception):  # noqa: N818 - it becomes the caller's error, with the file's name
    """What is wrong with a document and where: `line` counts from 1, None when no line is to blame."""

    def __init__(self, line: int | None, what: str) -> None:
        super().__init__(what)
        self.line, self.what = line, what


class Spot:
    """One value of the document, or the place where it would be: absent and null read as empty."""

    def __init__(self, name: str, node: Any, parent_line: int, loader: Any) -> None:
        self.name = name
        self._loader = loader
        self._node: Any = None if node is None or node.tag == "tag:yaml.org,2002:null" else node
        self._line = node.start_mark.line + 1 if node is not None else parent_line

    @property
    def line(self) -> int:
        """Where it stands, or would; counts from 1."""
        return self._line

    def __getitem__(self, key: str) -> Spot:
        found = next((spot for name, spot in self.members() if name == key), None)
        return found or Spot(key, None, self._line, self._loader)

    def members(self) -> Iterator[tuple[str, Spot]]:
        """The names and values of a mapping."""
        for key, value in self._children("mapping", "names with values"):
            name = self._name(key).text()
            yield name, Spot(name, value, self._line, self._loader)

    def names(self) -> Iterator[Spot]:
        """The names alone, each where it stands."""
        for key, _ in self._children("mapping", "names with values"):
            yield self._name(key)

    def _name(self, key: Any) -> Spot:
        return Spot(f"a name in {self.name}", key, self._line, self._loader)

    def items(self) -> Iterator[Spot]:
        """The items of a list, each named by its place."""
        for number, node in enumerate(self._children("sequence", "a list"), 1):
            yield Spot(f"{self.name} {number}", node, self._line, self._loader)

    def mapping(self) -> dict[str, Any]:
        """A mapping with everything in it, as plain values."""
        return {name: spot.plain() for name, spot in self.members()}

    def plain(self) -> Any:
        """The value as JSON knows it; dates and other special scalars stay text."""
        if self._node is None:
            return None
        if self._node.id == "mapping":
            return self.mapping()
        return [item.plain() for item in self.items()] if self._node.id == "sequence" else self._scalar()

    def text(self) -> str:
        """A scalar as it was written; empty when absent."""
        if self._node is None:
            return ""
        if self._node.id != "scalar":
            raise self.problem(f"{self.name} must be text, not a {self._node.id}")
        return str(self._node.value).strip()

    def number(self) -> float:
        """A number, written plainly or in quotes; 0 when absent or empty."""
        written = self.text().replace("_", "")
        try:
            return float(written or 0)
        except ValueError:
            raise self.problem(f"{self.name} must be a number, not {written!r}") from None

    def flag(self) -> bool:
        """True or false; false when absent."""
        value = self.plain()
        if not isinstance(value, (bool, type(None))):
            raise self.problem(f"{self.name} must be true or false, not {value!r}")
        return bool(value)

    def problem(self, what: str) -> YamlProblem:
        """The error to raise about this value."""
        return YamlProblem(self._line, what)

    def _children(self, kind: str, expected: str) -> Any:
        # Published tools write `env: ""` and the like for "nothing".
        if self._node is None or (self._node.id == "scalar" and not self._node.value.strip()):
            return []
        if self._node.id != kind:
            raise self.problem(f"{self.name} must be {expected}, not a {self._node.id}")
        return self._node.value

    def _scalar(self) -> bool | float | str:
        kind = self._node.tag.rpartition(":")[2]
        makers = {"bool": "construct_yaml_bool", "int": "construct_yaml_int", "float": "construct_yaml_float"}
        if kind not in makers:
            return str(self._node.value)
        try:
            value: bool | float = getattr(self._loader, makers[kind])(self._node)
        except (ValueError, KeyError):
            raise self.problem(f"{self.name} is not a {kind}: {self._node.value!r}") from None
        # JSON has neither infinity nor NaN.
        return value if math.isfinite(value) else str(self._node.value)


def read_yaml(content: bytes) -> Spot:
    """The document's top value, a mapping. `YamlProblem` for anything else."""
    import yaml  # noqa: PLC0415 - only whoever reads a manifest needs a YAML parser

    if len(content) > MAX_DOCUMENT_BYTES:
        raise YamlProblem(None, f"is larger than {MAX_DOCUMENT_BYTES} bytes")
    try:
        loader = yaml.SafeLoader(content)
        node: Any = loader.get_single_node()
        for mapping in _mappings(node):
            loader.flatten_mapping(mapping)  # the merge key, `<<: *defaults`
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlProblem(mark.line + 1 if mark else None, f"is not YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise YamlProblem(None, f"is not YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise YamlProblem(None, "is nested too deeply") from None
    if node is None or node.id != "mapping":
        raise YamlProblem(1, "must hold names with values, like 'name: my-app'")
    return Spot("the manifest", node, 1, loader)


def _mappings(top: Any) -> list[Any]:
    """All mappings. Refuses what aliases make too large: each use of an alias counts anew."""
    waiting, mappings, count = [top], [], 0
    while waiting:
        node = waiting.pop()
        count += 1
        if count > MAX_VALUES:
            raise YamlProblem(None, f"holds more than {MAX_VALUES} values once its aliases are expanded")
        if node is not None and node.id == "sequence":
            waiting.extend(node.value)
        elif node is not None and node.id == "mapping":
            mappings.append(node)
            waiting.extend(part for pair in node.value for part in pair)
    return mappings
