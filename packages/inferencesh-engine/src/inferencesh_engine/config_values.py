"""The fields of `EngineConfig` that `engine.yml` may set, read from there and put in their places."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, fields, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from .config import EngineConfig
from .documents import check_names

if TYPE_CHECKING:
    from inferencesh_app.yaml_document import Spot

Value: TypeAlias = float | bool | None

MOST = 2**53
# Places, and who may call: said where the engine is started.
_NOT_HERE = frozenset(
    {"apps_dir", "state_dir", "host", "port", "token", "allow_hosts", "executor", "secrets"}
)
_FROM_ZERO = frozenset(
    {
        "cache_seconds",
        "cancel_grace_seconds",
        "describe_wait_seconds",
        "event_retention_seconds",
        "idempotency_hours",
        "max_agent_depth",
        "max_cache_bytes",
        "max_ended_sessions",
        "max_finished_tasks",
        "max_sessions",
        "max_sessions_per_app",
        "output_file_seconds",
        "webhook_retry_seconds",
        "worker_idle_seconds",
    }
)
_KINDS = {"bool": "true or false", "int": "a whole number", "float": "a number"}
_FIELDS: Mapping[str, Field[Any]] = {
    one.name: one for one in fields(EngineConfig) if one.name not in _NOT_HERE
}


def read_values(spot: Spot) -> dict[str, Value]:
    """The values by name of their field; raises YamlProblem naming the one that is wrong."""
    check_names(spot, *_FIELDS)
    return {name: _value(name, each) for name, each in spot.members()}


def with_values(config: EngineConfig, values: Mapping[str, Value]) -> EngineConfig:
    """The configuration with these, except where it says already something other than the default."""
    unsaid: Any = {name: values[name] for name in _untouched(config, values)}
    return replace(config, **unsaid)


def _untouched(config: EngineConfig, names: Iterable[str]) -> list[str]:
    return [name for name in names if getattr(config, name) == _default(_FIELDS[name])]


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _value(name: str, spot: Spot) -> Value:
    # Annotations are text here: `int`, `float | None`, `bool`.
    kind, _, none = str(_FIELDS[name].type).partition(" | ")
    value = spot.plain()
    if value is None and none:
        return None
    if not _is_a(kind, value):
        raise spot.problem(f"{name} must be {_KINDS[kind]}{' or null' if none else ''}, not {value!r:.100}")
    if kind != "bool" and not _is_in_bounds(name, value):
        least = "0 or more" if name in _FROM_ZERO else "more than 0"
        raise spot.problem(f"{name} must be {least}, and {MOST} at most, not {value!r}")
    return value  # type: ignore[no-any-return]  # it is what its kind is


def _is_in_bounds(name: str, number: Any) -> bool:
    return 0 < number <= MOST or (number == 0 and name in _FROM_ZERO)


def _is_a(kind: str, value: Any) -> bool:
    if kind == "bool" or isinstance(value, bool):
        return kind == "bool" and isinstance(value, bool)
    return isinstance(value, int if kind == "int" else (int, float))
