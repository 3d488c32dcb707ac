"""The files inside a task's input: found wherever they stand, each once, and replaced by their addresses."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from .errors import InputError
from .file import KEEP_FILES, File, remote_address
from .sources import is_file, source_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    from .config import UploadStrings
    from .sources import StringRule, UploadSource

    AskSource = Callable[[object], "UploadSource | None"]

_SEQUENCES = (list, tuple, set, frozenset)

_SEARCHED_BY_0_7_8 = (dict, list)

_KEYS = (str, int, float, type(None))


@dataclass(frozen=True)
class _Slot:
    """The place of a file in the copied input."""

    index: int


@dataclass(frozen=True)
class UploadPlan:
    """What has to be uploaded before an input can be sent.

    Attributes:
        sources: Each file once, in the order they were met.
    """

    sources: tuple[UploadSource, ...]
    _copy: Any

    def build(self, uris: Sequence[str]) -> Any:
        """Give a copy of the input, ready for JSON, with `uris[i]` wherever `sources[i]` stood."""
        if len(uris) != len(self.sources):
            raise ValueError(f"{len(self.sources)} files need as many addresses, not {len(uris)}")
        return _filled(self._copy, uris)


def replace_files(
    value: Any, strings: UploadStrings = "explicit", ask: AskSource | None = None, place: str = "input"
) -> UploadPlan:
    """Find the files in an input.

    Dicts, lists, tuples, sets, dataclasses and pydantic objects are searched. URLs, and the URL of a `File`
    that has one, are used as they are.

    Args:
        value: The input.
        strings: Which strings are files: see `ClientConfig.upload_strings`.
        ask: Called with each object that is neither JSON nor a known kind of file; None if it is none.
        place: What to call the input in messages.

    Raises:
        UnusableFileError: a file cannot be uploaded; the text says where it stands.
        InputError: the input contains itself, or something that JSON has no form for.
    """
    survey = _Survey(strings, ask)
    copy = survey.whole(value, place)
    return UploadPlan(tuple(survey.sources), copy)


def without_files(value: Any, place: str) -> Any:
    """Give a copy of a value that no file may stand in, ready for JSON.

    Raises:
        InputError: there is a file in it, it contains itself, or something that JSON has no form for.
    """
    return _WithoutFiles("text", None).whole(value, place)


class _Survey:
    """One walk through an input, remembering the files met and the containers it stands in."""

    def __init__(self, strings: StringRule, ask: AskSource | None) -> None:
        self.sources: list[UploadSource] = []
        self._strings: StringRule = strings
        self._ask = ask
        self._indexes: dict[Hashable, int] = {}
        self._entered: set[int] = set()

    def whole(self, value: Any, place: str) -> Any:
        """Give the copy of a whole input."""
        try:
            return self.copy(value, place)
        except RecursionError:
            raise InputError(f"{place} is nested too deeply to be sent") from None

    def copy(self, value: Any, place: str) -> Any:
        """Give `value` as JSON has it, with slots where files stand."""
        if isinstance(value, Enum):
            return self.copy(value.value, place)
        if value is None or isinstance(value, (bool, int)):
            return value
        if isinstance(value, float):
            return _finite(value, place)
        if isinstance(value, File) and (address := remote_address(value)) is not None:
            return address
        source = self._source(value, place)
        if source is not None:
            return self._slot(source)
        return value if isinstance(value, str) else self._copied_container(value, place)

    def _source(self, value: Any, place: str) -> UploadSource | None:
        return source_of(value, self._strings, place)

    def _slot(self, source: UploadSource) -> _Slot:
        index = self._indexes.setdefault(source.identity, len(self.sources))
        if index == len(self.sources):
            self.sources.append(source)
        return _Slot(index)

    def _copied_container(self, value: Any, place: str) -> Any:
        with self._inside(value, place):
            if isinstance(value, Mapping):
                _check_keys(value, place)
                return {key: self.copy(item, _member(place, key)) for key, item in value.items()}
            if isinstance(value, _SEQUENCES):
                return [self.copy(item, f"{place}[{index}]") for index, item in enumerate(value)]
            if callable(getattr(type(value), "model_dump", None)):
                return self.copy(value.model_dump(by_alias=True, context={KEEP_FILES: True}), place)
            if is_dataclass(value) and not isinstance(value, type):
                return {
                    field.name: self.copy(getattr(value, field.name), _member(place, field.name))
                    for field in fields(value)
                }
            return self._copied_object(value, place)

    def _copied_object(self, value: Any, place: str) -> Any:
        source = None if self._ask is None else self._ask(value)
        if source is not None:
            return self._slot(source)
        if callable(getattr(value, "isoformat", None)):
            return value.isoformat()
        if isinstance(value, (UUID, Decimal)) or hasattr(value, "unicode_string"):
            return str(value)  # the last are the URL types of pydantic
        raise InputError(f"{place} is a {type(value).__qualname__}, which {self._wanted}")

    _wanted = "is neither JSON nor a file"

    @contextlib.contextmanager
    def _inside(self, value: Any, place: str) -> Iterator[None]:
        if id(value) in self._entered:
            raise InputError(f"{place} contains itself, so it has no end")
        self._entered.add(id(value))
        strings = self._strings
        if strings == "legacy" and not isinstance(value, _SEARCHED_BY_0_7_8):
            self._strings = "text"
        yield
        self._strings = strings
        self._entered.discard(id(value))


class _WithoutFiles(_Survey):
    _wanted = "JSON has no form for"

    def _source(self, value: Any, place: str) -> None:
        if is_file(value):
            raise InputError(f"{place} is a {type(value).__qualname__}, and files are for the input alone")


def _finite(value: float, place: str) -> float:
    if math.isfinite(value):
        return value
    raise InputError(f"{place} is {value!r}, which JSON has no form for")


def _check_keys(value: Mapping[Any, Any], place: str) -> None:
    for key in value:
        if not isinstance(key, _KEYS):
            raise InputError(f"{place} has the key {key!r:.80}, and the keys of JSON are text")


def _member(place: str, key: Any) -> str:
    return f"{place}.{key}" if isinstance(key, str) and key.isidentifier() else f"{place}[{key!r}]"


def _filled(node: Any, uris: Sequence[str]) -> Any:
    if isinstance(node, _Slot):
        return uris[node.index]
    if isinstance(node, dict):
        return {key: _filled(item, uris) for key, item in node.items()}
    if isinstance(node, list):
        return [_filled(item, uris) for item in node]
    return node
