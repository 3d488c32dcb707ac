"""The synchronous and the asynchronous classes offer the same, argument by argument."""

import inspect

import pytest

from inferencesh_agents import Agent, AgentsAPI, AsyncAgent, AsyncAgentsAPI
from inferencesh_async import AsyncInference, async_inference
from inferencesh_core.client import Inference, inference
from inferencesh_core.files import AsyncFilesAPI, FilesAPI
from inferencesh_core.task_streams import AsyncTaskStream, TaskStream
from inferencesh_core.tasks import AsyncTasksAPI, TasksAPI

TWINS = [
    (Inference, AsyncInference),
    (TasksAPI, AsyncTasksAPI),
    (FilesAPI, AsyncFilesAPI),
    (TaskStream, AsyncTaskStream),
    (AgentsAPI, AsyncAgentsAPI),
    (Agent, AsyncAgent),
]
RENAMED = {"close": "aclose"}
"""What a client calls its twin's method; a stream has `close` on both sides."""

ONLY_ASYNC = {AsyncTaskStream: {"of_new_task"}}
ITERATORS = {"stream", "run_many", "list", "stream_task", "stream_messages", "stream_chat"}
COROUTINES_ASIDE = {*ITERATORS, "run", "namespace", "create", "reset"}
"""Methods whose twin is no coroutine function: they give iterators, one of two things, or ask nothing."""


def public(cls):
    return {name for name in dir(cls) if not name.startswith("_")}


def twin_name(cls, name):
    return RENAMED.get(name, name) if cls is Inference else name


METHODS = [
    pytest.param(one, other, name, id=f"{one.__name__}.{name}")
    for one, other in TWINS
    for name in sorted(public(one))
    if inspect.isfunction(getattr(one, name))
]


@pytest.mark.parametrize(("one", "other"), TWINS)
def test_twins_have_the_same_names(one, other):
    assert {twin_name(one, name) for name in public(one)} == public(other) - ONLY_ASYNC.get(other, set())


@pytest.mark.parametrize(("one", "other", "name"), METHODS)
def test_twins_take_the_same_arguments(one, other, name):
    mine = inspect.signature(getattr(one, name))
    theirs = inspect.signature(getattr(other, twin_name(one, name)))
    assert [*mine.parameters.values()] == [*theirs.parameters.values()]


@pytest.mark.parametrize(("one", "other", "name"), METHODS)
def test_what_blocks_on_one_side_is_awaited_on_the_other(one, other, name):
    assert not inspect.iscoroutinefunction(getattr(one, name))
    if name not in COROUTINES_ASIDE:
        assert inspect.iscoroutinefunction(getattr(other, twin_name(one, name)))


@pytest.mark.parametrize(("one", "other", "name"), METHODS)
def test_both_twins_say_what_they_do(one, other, name):
    assert getattr(one, name).__doc__
    assert getattr(other, twin_name(one, name)).__doc__


def test_clients_are_made_from_the_same_arguments():
    for one, other in [
        (inference, async_inference),
        (Inference, AsyncInference),
        (TaskStream, AsyncTaskStream),
    ]:
        mine, theirs = inspect.signature(one).parameters, inspect.signature(other).parameters
        assert [*mine.values()] == [*theirs.values()]
