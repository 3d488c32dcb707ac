"""What apps are made of: models, metadata, output metadata."""

import logging

import pytest
from pydantic import Field, ValidationError, create_model

from inferencesh_app import (
    AudioMeta,
    BaseApp,
    BaseAppInput,
    BaseAppOutput,
    ImageMeta,
    Metadata,
    MetaItemType,
    OutputMeta,
    RawMeta,
    TextMeta,
    VideoMeta,
    VideoResolution,
    base,
)
from inferencesh_core.file import File


class Parent(BaseAppInput):
    p1: str
    p2: int = 3


class Child(Parent):
    k1: str
    p2: int = 4
    k2: File | None = None


class GrandChild(Child):
    g1: str = ""


def properties(model):
    return list(model.model_json_schema()["properties"])


def test_own_fields_come_first_in_a_schema_then_inherited_ones_in_order():
    assert properties(Child) == ["k1", "p2", "k2", "p1"]
    assert properties(GrandChild) == ["g1", "p1", "p2", "k1", "k2"]
    assert Child.model_json_schema()["required"] == ["k1", "p1"]


def test_a_model_nested_in_another_keeps_its_order_too():
    class Output(BaseAppOutput):
        children: list[Child]

    schema = Output.model_json_schema()
    assert list(schema["properties"]) == ["children", "output_meta"]
    assert list(schema["$defs"]["Child"]["properties"]) == ["k1", "p2", "k2", "p1"]


def test_an_aliased_field_keeps_its_place():
    class Aliased(Parent):
        own: str = Field(alias="Own")

    assert properties(Aliased) == ["Own", "p1", "p2"]


def test_a_class_without_source_code_has_an_ordered_schema():
    namespace = {"Parent": Parent, "__name__": "nowhere"}
    exec("class Sourceless(Parent):\n    z: str\n    a: int = 1\n", namespace)  # as in a notebook-less shell
    assert properties(namespace["Sourceless"]) == ["z", "a", "p1", "p2"]
    assert properties(create_model("Made", __base__=Parent, z=(str, ...), a=(int, 1))) == [
        "z",
        "a",
        "p1",
        "p2",
    ]


@pytest.mark.parametrize("kind", ["Image", "Video", "Audio", "Text", "File"])
def test_required_mixins_require_and_optional_ones_do_not(kind):
    name = kind.lower()
    required = getattr(base, f"Required{kind}FieldMixin")
    optional = getattr(base, f"Optional{kind}FieldMixin")
    assert required.model_json_schema()["required"] == [name]
    assert "required" not in optional.model_json_schema()
    with pytest.raises(ValidationError, match=name):
        required()
    assert getattr(optional(), name) is None


@pytest.mark.parametrize(
    ("kind", "media"), [("Image", "image/*"), ("Video", "video/*"), ("Audio", "audio/*")]
)
def test_media_mixins_say_their_media_type_in_the_schema(kind, media):
    for need in ("Required", "Optional"):
        model = getattr(base, f"{need}{kind}FieldMixin")
        assert model.model_json_schema()["properties"][kind.lower()]["contentMediaType"] == media


@pytest.mark.parametrize("empty", ["", {}, None])
def test_an_empty_file_is_none_where_it_is_optional_and_missing_where_it_is_required(empty):
    assert base.OptionalFileFieldMixin.model_validate({"file": empty}).file is None
    with pytest.raises(ValidationError, match="file"):
        base.RequiredFileFieldMixin.model_validate({"file": empty})


def test_an_app_takes_any_attribute_and_has_a_logger_it_may_replace():
    class App(BaseApp):
        def __init__(self):
            super().__init__()
            self.model = "loaded"

    app = App()
    assert app.model == "loaded"
    assert app.logger.name == "inferencesh.app"
    app.logger = logging.getLogger("mine")
    assert app.logger.name == "mine"


def test_metadata_gives_what_it_has_and_the_default_otherwise():
    metadata = Metadata(app_id="a", task_id="t", log="extra")
    assert (metadata.get("app_id"), metadata.get("task_id"), metadata.get("log")) == ("a", "t", "extra")
    assert metadata.get("absent", 5) == 5
    assert metadata.get("update") is None
    assert metadata.task_id == "t"


def test_metadata_takes_over_mappings_and_what_is_set_on_other_metadata():
    metadata = Metadata(app_id="a")
    metadata.update({"app_id": "b", "gpu": 1})
    metadata.update(Metadata(worker_id="w"))
    assert metadata.model_dump(exclude_none=True) == {"app_id": "b", "worker_id": "w", "gpu": 1}


def test_metadata_logs_to_the_app_logger(caplog):
    with caplog.at_level(logging.INFO, "inferencesh.app"):
        Metadata().log("step %d", 3)
    assert caplog.messages == ["step 3"]


@pytest.mark.parametrize("model", [TextMeta, ImageMeta, VideoMeta, AudioMeta, RawMeta])
def test_output_meta_is_told_apart_by_type_with_or_without_fields(model):
    item = model()
    for data in ({"type": item.type}, item.model_dump(), item, {"type": MetaItemType(item.type)}):
        assert type(OutputMeta.model_validate({"outputs": [data]}).outputs[0]) is model


def test_output_meta_with_a_field_of_several_kinds_is_the_kind_named():
    meta = OutputMeta.model_validate({"inputs": [{"type": "audio", "seconds": 3}]})
    assert meta.inputs == [AudioMeta(seconds=3)]


def test_an_item_without_type_goes_by_its_fields():
    meta = OutputMeta.model_validate({"outputs": [{"tokens": 3}, {"sample_rate": 8000}, {"cost": 1.5}]})
    assert meta.outputs == [TextMeta(tokens=3), AudioMeta(sample_rate=8000), RawMeta(cost=1.5)]


def test_an_unknown_type_is_refused_by_name():
    with pytest.raises(ValidationError, match="hologram"):
        OutputMeta.model_validate({"outputs": [{"type": "hologram"}]})


def test_a_resolution_may_be_given_as_the_enum():
    assert '"resolution":"4k"' in VideoMeta(resolution=VideoResolution.VIDEO_RES4_K).model_dump_json()
