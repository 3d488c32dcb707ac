"""Streams of chunks become outputs: whatever comes late, in pieces or in odd shapes is kept."""

import json
import logging
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferencesh_app.llm import (
    BaseLLMOutput,
    LLMOutput,
    LLMUsage,
    ReasoningMixin,
    ResponseTransformer,
    StreamResponse,
    ToolCallsMixin,
    stream_generate,
    timing_context,
)

USAGE = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}


class AnyOutput(ReasoningMixin, ToolCallsMixin, LLMOutput):
    pass


class Model:
    """A llama.cpp-like model that answers with given chunks and remembers what it was asked."""

    def __init__(self, chunks):
        self.chunks = chunks
        self.asked = []

    def create_chat_completion(self, **request):
        self.asked.append(request)
        return iter(self.chunks)


def chunk(content=None, finish_reason=None, usage=None, **delta):
    choice = {"delta": {"content": content, **delta}, "finish_reason": finish_reason}
    return {"choices": [choice], "usage": usage}


def piece(arguments=None, **more):
    function = {"name": more.pop("name", None), "arguments": arguments}
    return chunk(tool_calls=[{"function": function, **more}])


def answer(*chunks, **options):
    return list(stream_generate(Model(chunks), [], **{"output_cls": AnyOutput, **options}))


def calls_of(*chunks):
    last = answer(*chunks, chunk(finish_reason="tool_calls"))[-1]
    return [(call["id"], call["function"]["name"], call["function"]["arguments"]) for call in last.tool_calls]


class Clock:
    """Time that passes when told to."""

    def __init__(self):
        self.seconds = 100.0

    def __call__(self):
        return self.seconds


def test_each_output_is_the_whole_answer_so_far():
    outputs = answer(chunk(role="assistant"), chunk("Hel"), chunk("lo"), chunk(finish_reason="stop"))
    assert [output.response for output in outputs] == ["Hel", "Hello", "Hello"]


def test_a_model_is_asked_for_a_stream_with_the_sampling_given():
    model = Model([])
    tools, choice = [{"name": "f"}], {"type": "function"}
    list(
        stream_generate(
            model,
            [{"role": "user", "content": "hi"}],
            tools=tools,
            tool_choice=choice,
            temperature=0.1,
            top_p=0.2,
            stop=["."],
            kwargs={"seed": 1, "temperature": 0.9},
        )
    )
    assert model.asked == [
        {
            "messages": [{"role": "user", "content": "hi"}],
            "stream": True,
            "temperature": 0.9,
            "top_p": 0.2,
            "stop": ["."],
            "seed": 1,
            "tools": tools,
            "tool_choice": choice,
        }
    ]


def test_tools_are_not_mentioned_to_a_model_without_any():
    model = Model([])
    list(stream_generate(model, []))
    assert model.asked[0].keys() == {"messages", "stream", "temperature", "top_p", "stop"}


def test_usage_after_the_finish_reason_is_kept():
    last = answer(chunk("a"), chunk(finish_reason="stop"), chunk(usage=USAGE))[-1]
    assert last.usage.model_dump(include={*USAGE, "stop_reason"}) == {**USAGE, "stop_reason": "stop"}


@pytest.mark.parametrize("choices", [{"choices": []}, {"choices": None}, {}])
def test_a_chunk_without_choices_brings_usage(choices):
    last = answer(chunk("a", finish_reason="stop"), {**choices, "usage": USAGE})[-1]
    assert (last.response, last.usage.total_tokens, last.usage.stop_reason) == ("a", 8, "stop")


def test_a_chunk_without_anything_new_gives_no_output():
    assert len(answer(chunk("a"), chunk(), {"choices": []}, {"choices": [{"delta": None}]})) == 1


def test_a_message_in_one_piece_is_an_answer_too():
    whole = {"choices": [{"message": {"content": "all"}, "finish_reason": "stop"}]}
    assert answer(whole)[0].response == "all"


def test_an_empty_stream_gives_no_output():
    assert answer() == []


def test_arguments_without_an_id_join_the_call_of_their_index():
    assert calls_of(
        piece("", index=0, id="1", name="f"),
        piece("", index=1, id="2", name="g"),
        piece('{"a"', index=0),
        piece("{}", index=1),
        piece(": 1}", index=0),
    ) == [("1", "f", '{"a": 1}'), ("2", "g", "{}")]


def test_arguments_with_the_id_repeated_join_its_call():
    assert calls_of(
        piece("{", id="1", name="f"), piece("[", id="2", name="g"), piece("}", id="1"), piece("]", id="2")
    ) == [("1", "f", "{}"), ("2", "g", "[]")]


def test_calls_that_all_have_index_zero_are_told_apart_by_id():
    assert calls_of(
        piece("{", index=0, id="1", name="f"), piece("[", index=0, id="2", name="g"), piece("]", index=0)
    ) == [("1", "f", "{"), ("2", "g", "[]")]


def test_without_index_and_id_a_name_begins_a_call():
    assert calls_of(piece("{", name="f"), piece("}"), piece("[]", name="g")) == [
        ("", "f", "{}"),
        ("", "g", "[]"),
    ]


def test_arguments_that_are_an_object_become_text():
    assert calls_of(piece({"a": 1}, id="1", name="f")) == [("1", "f", '{"a": 1}')]


def test_outputs_given_out_are_not_written_to_by_later_chunks():
    first, *_ = answer(piece("{", index=0, id="1", name="f"), piece("}", index=0))
    assert first.tool_calls[0]["function"]["arguments"] == "{"


cuts = st.lists(st.integers(0, 3), min_size=1, max_size=30)


@given(cuts, st.booleans())
def test_calls_cut_and_interleaved_at_will_come_out_whole(order, repeat_ids):
    texts = {index: json.dumps({"step": [index] * 8}) for index in sorted(set(order))}
    left = dict(texts)
    pieces = [piece("", index=index, id=f"c{index}", name="f") for index in texts]
    for index in [*order, *texts]:
        size = len(left[index]) if index not in order else 2
        part, left[index] = left[index][:size], left[index][size:]
        pieces.append(piece(part, index=index, **({"id": f"c{index}"} if repeat_ids else {})))
    pieces += [piece(rest, index=index) for index, rest in left.items()]
    assert calls_of(*pieces) == [(f"c{index}", "f", text) for index, text in texts.items()]


def test_reasoning_is_told_apart_even_when_its_tags_are_cut():
    outputs = answer(chunk("<thi"), chunk("nk>why</th"), chunk("ink> so"), chunk(finish_reason="stop"))
    assert (outputs[-1].reasoning, outputs[-1].response) == ("why", "so")


def test_reasoning_that_never_ends_is_no_response():
    assert [(o.reasoning, o.response) for o in answer(chunk("<think>a"), chunk("b"))] == [
        ("a", ""),
        ("ab", ""),
    ]


def test_calls_in_a_row_do_not_share_reasoning():
    answer(chunk("<think>secret</think>a"))
    assert answer(chunk("b"))[-1].reasoning is None


def test_a_transformer_used_twice_begins_anew():
    transformer = ResponseTransformer(AnyOutput)
    answer(chunk("<think>secret</think>a", usage=USAGE), transformer=transformer)
    (output,) = answer(chunk("b"), transformer=transformer)
    assert (output.response, output.reasoning, output.usage) == ("b", None, None)


def test_a_transformers_own_class_is_used_unless_another_is_asked_for():
    transformer = ResponseTransformer(AnyOutput)
    (output,) = stream_generate(Model([chunk("a")]), [], transformer)
    assert type(output) is AnyOutput


def test_a_class_without_usage_gets_none():
    assert type(answer(chunk("a", "stop"), output_cls=BaseLLMOutput)[0]) is BaseLLMOutput


def test_the_callers_own_thread_waits_for_the_model_so_no_timer_can_cut_it_short():
    def chunks():
        seen.append(threading.current_thread())
        yield chunk("a")

    seen, before = [], threading.active_count()
    stream = stream_generate(Model(chunks()), [])
    next(stream)
    assert seen == [threading.current_thread()]
    assert threading.active_count() == before


def test_an_hour_between_chunks_is_measured_and_nothing_else():
    clock = Clock()
    transformer, response, buffer = ResponseTransformer(), StreamResponse(), ""
    with timing_context(clock) as timing:
        for text in ("a", "b"):
            clock.seconds += 3600
            response.update_from_chunk(chunk(text, "stop", usage=USAGE), timing)
            output, buffer = response.to_output(buffer, transformer)
    assert output.response == "ab"
    assert output.usage.time_to_first_token == 3600
    assert output.usage.tokens_per_second == 5 / 3600


def test_errors_of_the_model_pass_through():
    def chunks():
        yield chunk("a")
        raise OSError("out of memory")

    stream = stream_generate(Model(chunks()), [])
    assert next(stream).response == "a"
    with pytest.raises(OSError, match="out of memory"):
        next(stream)


def test_a_caller_who_stops_early_stops_the_model():
    def chunks():
        try:
            yield chunk("a")
            yield chunk("b")
        finally:
            stopped.append(True)

    # Held here, so that the end of the stream is asked for and does not come from garbage collection.
    stopped, source = [], chunks()
    stream = stream_generate(Model(source), [])
    next(stream)
    stream.close()
    assert stopped == [True]


def test_verbose_logs_chunks_and_prints_nothing(caplog, capsys):
    with caplog.at_level(logging.INFO, logger="inferencesh.app"):
        answer(chunk("seen"), verbose=True)
    assert "seen" in caplog.text
    assert capsys.readouterr().out == ""


def test_special_tokens_are_removed():
    text = "<|im_start|>a<|im_end|>b<start_of_turn>c<end_of_turn>d<eos>"
    assert ResponseTransformer().clean_text(text) == "abcd"


def test_a_derived_transformer_cleans_and_finds_calls_its_own_way():
    class Own(ResponseTransformer):
        def additional_cleaning(self, text):
            return text.replace("~", "")

        def handle_tool_calls(self, text):
            if "CALL" in text:
                self.state.tool_calls = [{"id": "own"}]

    (output,) = answer(chunk("~CALL~"), transformer=Own())
    assert (output.response, output.tool_calls) == ("CALL", [{"id": "own"}])


def test_a_transformer_called_directly_gives_buffer_output_and_changes():
    transformer = ResponseTransformer(AnyOutput)
    buffer, output, changes = transformer("<think>a</think>", "", LLMUsage(prompt_tokens=1))
    buffer, output, changes = transformer(" b", buffer)
    assert buffer == "<think>a</think> b"
    assert (output.reasoning, output.response, output.usage.prompt_tokens) == ("a", "b", 1)
    assert [name for name, happened in changes.items() if happened] == [
        "reasoning_started",
        "reasoning_ended",
    ]


def test_reasoning_is_timed_and_its_tokens_estimated():
    clock = Clock()
    transformer = ResponseTransformer(AnyOutput)
    with timing_context(clock) as timing:
        transformer.timing = timing
        buffer, _, _ = transformer("<think>" + "x" * 40, "")
        clock.seconds += 2
        transformer("</think>", buffer)
    assert (timing.stats["reasoning_time"], timing.stats["reasoning_tokens"]) == (2, 10)


def test_a_stopwatch_counts_from_the_first_token():
    clock = Clock()
    with timing_context(clock) as timing:
        assert set(timing.stats.values()) == {0}
        clock.seconds += 1
        timing.mark_first_token()
        clock.seconds += 2
        timing.mark_first_token()
    assert timing.stats["time_to_first_token"] == 1
    assert timing.stats["generation_time"] == 2


def test_thinking_is_timed_once_however_often_it_is_announced():
    clock = Clock()
    with timing_context(clock) as timing:
        timing.start_reasoning()
        clock.seconds += 1
        timing.start_reasoning()
        clock.seconds += 1
        timing.end_reasoning(7)
        timing.end_reasoning(7)
    assert (timing.stats["reasoning_time"], timing.stats["reasoning_tokens"]) == (2, 7)
