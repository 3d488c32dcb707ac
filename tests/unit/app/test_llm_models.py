"""The models of language model apps: defaults, bounds, schemas."""

import pytest
from pydantic import ValidationError

from inferencesh_app import llm
from inferencesh_app.llm import (
    BaseLLMInput,
    FileCapabilityMixin,
    ImageCapabilityMixin,
    ImagesMixin,
    LLMInput,
    LLMOutput,
    LLMUsage,
    ReasoningCapabilityMixin,
    ReasoningMixin,
    ToolCallsMixin,
    ToolsCapabilityMixin,
)


class AnyInput(
    LLMInput, ToolsCapabilityMixin, ReasoningCapabilityMixin, ImageCapabilityMixin, FileCapabilityMixin
):
    pass


class AnyOutput(ReasoningMixin, ToolCallsMixin, ImagesMixin, LLMOutput):
    pass


def test_text_alone_is_required_of_an_input():
    assert AnyInput.model_json_schema()["required"] == ["text"]


def test_defaults_are_those_of_the_published_models():
    values = AnyInput(text="hi").model_dump(mode="json", exclude={"system_prompt", "text"})
    assert values == {
        "context": [],
        "role": "user",
        "temperature": 0.7,
        "top_p": 0.95,
        "context_size": 4096,
        "max_tokens": 64000,
        "images": None,
        "files": None,
        "reasoning": None,
        "reasoning_effort": "none",
        "reasoning_max_tokens": None,
        "tools": None,
        "tool_call_id": None,
    }


def test_inputs_do_not_share_a_context():
    LLMInput(text="hi").context.append("anything")
    assert LLMInput(text="hi").context == []


@pytest.mark.parametrize("field", ["temperature", "top_p"])
@pytest.mark.parametrize("value", [-0.01, 1.01])
def test_sampling_out_of_bounds_is_refused(field, value):
    with pytest.raises(ValidationError, match=field):
        LLMInput(text="hi", **{field: value})


def test_zero_is_a_context_size():
    assert LLMInput(text="hi", context_size=0).context_size == 0


@pytest.mark.parametrize("name", ["context", "text", "system_prompt"])
def test_the_examples_in_the_schema_validate(name):
    for example in BaseLLMInput.model_json_schema()["properties"][name]["examples"]:
        shown = getattr(LLMInput(**{"text": "hi", name: example}), name)
        assert len(shown) == len(example)


def test_fields_of_mixins_are_shown_in_the_published_order():
    assert list(AnyInput.model_json_schema()["properties"])[:7] == [
        "files",
        "images",
        "reasoning",
        "reasoning_effort",
        "reasoning_max_tokens",
        "tools",
        "tool_call_id",
    ]


def test_files_are_files_in_the_schema():
    images = AnyInput.model_json_schema()["properties"]["images"]
    assert images["anyOf"][0] == {"type": "array", "items": {"type": "string", "format": "file"}}


def test_an_output_has_the_fields_of_its_mixins():
    fields = {"output_meta", "response", "usage", "images", "tool_calls", "reasoning"}
    assert set(AnyOutput.model_fields) == fields


def test_usage_starts_at_zero():
    assert set(LLMUsage().model_dump(exclude={"output_meta", "stop_reason"}).values()) == {0}


def test_a_misspelt_name_is_an_attribute_error_naming_it():
    with pytest.raises(AttributeError, match="LLMImput"):
        _ = llm.LLMImput


@pytest.mark.parametrize("name", llm.__all__)
def test_every_name_of_the_package_resolves(name):
    assert getattr(llm, name).__name__
    assert name in dir(llm)
