"""What an app is made of: its class, its models and what the runtime tells it."""

from __future__ import annotations

import inspect
import logging
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from inferencesh_core.file import File  # noqa: TC001 - pydantic evaluates annotations

from .output_meta import OutputMeta  # noqa: TC001 - pydantic evaluates annotations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

_LOGGER = logging.getLogger("inferencesh.app")


class OrderedSchemaModel(BaseModel):
    """A model whose JSON schema lists the class's own fields first, as defined, then inherited ones.

    The order of properties is the order in which the app store shows them.
    """

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler, /
    ) -> JsonSchemaValue:
        schema = handler(core_schema)
        body = handler.resolve_ref_schema(schema)
        rank = _places(cls)
        if "properties" in body:
            properties = body["properties"]
            body["properties"] = {name: properties[name] for name in _ranked(properties, rank)}
        if "required" in body:
            body["required"] = _ranked(body["required"], rank)
        return schema


def _places(model: type[BaseModel]) -> dict[str, int]:
    """The place of each field that the class itself defines, under its name and its aliases."""
    # Annotations know the order of definition even for classes without source code: exec, create_model.
    own = [name for name in inspect.get_annotations(model) if name in model.model_fields]
    fields = [(name, model.model_fields[name]) for name in own]
    named = [(name, field.alias or name, field.serialization_alias or name) for name, field in fields]
    return {name: place for place, names in enumerate(named) for name in names}


def _ranked(names: Any, rank: Mapping[str, int]) -> list[str]:
    return sorted(names, key=lambda name: rank.get(name, len(rank)))


class BaseAppInput(OrderedSchemaModel):
    """Input of an app's function; derive from it and declare fields."""


class BaseAppSetup(OrderedSchemaModel):
    """Setup values of an app: a worker is set up once and kept for tasks with equal values."""


class BaseAppOutput(OrderedSchemaModel):
    """Output of an app's function; files in it are stored and become URLs."""

    output_meta: OutputMeta | None = Field(
        default=None, description="What was consumed and produced, for pricing"
    )


class Metadata(BaseModel):
    """What the runtime tells setup and functions; further keys it sends are attributes as well."""

    model_config = ConfigDict(extra="allow")

    app_id: str | None = None
    app_version_id: str | None = None
    app_variant: str | None = None
    worker_id: str | None = None

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a field or of an extra key; `default` when it was not sent."""
        return {**self.__dict__, **(self.model_extra or {})}.get(key, default)

    def update(self, other: Mapping[str, Any] | BaseModel) -> None:
        """Take over the values of a mapping, or those that were set on another model."""
        values = other.model_dump(exclude_unset=True) if isinstance(other, BaseModel) else other
        for key, value in values.items():
            setattr(self, key, value)

    def log(self, message: object, *args: object, level: int = logging.INFO) -> None:
        """Write a line to the task's logs; `args` are put into the message as `logging` does."""
        _LOGGER.log(level, message, *args)


class BaseApp(BaseModel):
    """An app: `setup` once, then any number of `run`, then `unload`.

    Attributes may be added freely (`self.model = ...`); `__init__` may be overridden when it calls
    `super().__init__()`. Every method may be sync or async; `run` may also be a generator, each of
    whose yields is the whole output so far. `setup` may take its setup model and `Metadata`, `run`
    its input and `Metadata`; arguments are passed by position. Other public methods from a pydantic
    model to a pydantic model are functions of the app too.
    """

    model_config = ConfigDict(extra="allow", arbitrary_types_allowed=True)

    @cached_property
    def logger(self) -> logging.Logger:
        """A logger whose records become the task's logs; an app may assign its own."""
        return _LOGGER

    if TYPE_CHECKING:
        # Seen by checkers only: an app chooses the parameters, so every signature overrides these.
        def setup(self, *args: Any, **kwargs: Any) -> Any: ...  # noqa: D102
        def run(self, *args: Any, **kwargs: Any) -> Any: ...  # noqa: D102
        def unload(self) -> Any: ...  # noqa: D102
        def on_cancel(self) -> Any: ...  # noqa: D102

    else:

        async def setup(self) -> None:
            """Load models; called once before the first call."""

        async def run(self, app_input: BaseAppInput) -> BaseAppOutput:
            """Answer one call."""
            raise NotImplementedError(
                f"{type(self).__name__} has no run method: define run(self, input_data)"
            )

        async def unload(self) -> None:
            """Free resources; called before the worker exits."""

        async def on_cancel(self) -> bool:
            """Make the running call end soon. False: nothing was done, interrupt it instead."""
            return False


class OptionalImageFieldMixin(BaseModel):
    """Adds an optional `image`."""

    image: File | None = Field(
        default=None,
        description="the image to use for the model",
        json_schema_extra={"contentMediaType": "image/*"},
    )


class RequiredImageFieldMixin(BaseModel):
    """Adds a required `image`."""

    image: File = Field(
        description="the image to use for the model", json_schema_extra={"contentMediaType": "image/*"}
    )


class OptionalVideoFieldMixin(BaseModel):
    """Adds an optional `video`."""

    video: File | None = Field(
        default=None,
        description="the video to use for the model",
        json_schema_extra={"contentMediaType": "video/*"},
    )


class RequiredVideoFieldMixin(BaseModel):
    """Adds a required `video`."""

    video: File = Field(
        description="the video to use for the model", json_schema_extra={"contentMediaType": "video/*"}
    )


class OptionalAudioFieldMixin(BaseModel):
    """Adds an optional `audio`."""

    audio: File | None = Field(
        default=None,
        description="the audio to use for the model",
        json_schema_extra={"contentMediaType": "audio/*"},
    )


class RequiredAudioFieldMixin(BaseModel):
    """Adds a required `audio`."""

    audio: File = Field(
        description="the audio to use for the model", json_schema_extra={"contentMediaType": "audio/*"}
    )


class OptionalTextFieldMixin(BaseModel):
    """Adds an optional `text`."""

    text: str | None = Field(default=None, description="the text to use for the model")


class RequiredTextFieldMixin(BaseModel):
    """Adds a required `text`."""

    text: str = Field(description="the text to use for the model")


class OptionalFileFieldMixin(BaseModel):
    """Adds an optional `file`."""

    file: File | None = Field(default=None, description="the file to use for the model")


class RequiredFileFieldMixin(BaseModel):
    """Adds a required `file`."""

    file: File = Field(description="the file to use for the model")
