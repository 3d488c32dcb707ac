"""Which class of a module is the app, what it offers, and how its methods are called."""

import sys
import types

import pytest

from inferencesh_app.loader import LoadError, find_app, inspect_app
from inferencesh_app.notes import Notes

HEAD = """
from typing import TYPE_CHECKING, Any, AsyncGenerator, AsyncIterator, Generator, Iterator, Optional
from inferencesh_app import BaseApp, BaseAppInput, BaseAppOutput, BaseAppSetup, Metadata
if TYPE_CHECKING:
    from nowhere import Unknown
class AppInput(BaseAppInput):
    text: str = ""
class AppOutput(BaseAppOutput):
    text: str = ""
class Config(BaseAppSetup):
    model: str = "m"
"""
CONVENTION = "class AppSetup(BaseAppSetup):\n    size: int = 1\n"


@pytest.fixture
def app_of(monkeypatch):
    """Gives the app of a module whose source ends in the given text; `functions` are the manifest's."""

    def load(source, *, functions=(), default=None, head=HEAD):
        module = types.ModuleType("app_under_test")
        module.__file__ = "inference.py"
        monkeypatch.setitem(sys.modules, module.__name__, module)
        exec(head + source, vars(module))
        return inspect_app(find_app(module), Notes(dict(functions), default))

    return load


def methods(*lines):
    body = "".join(f"    {line}: ...\n" for line in lines)
    return f"class App(BaseApp):\n{body}"


RUN = "async def run(self, input_data: AppInput) -> AppOutput"


@pytest.mark.parametrize("before", ["", CONVENTION], ids=["without AppSetup", "with AppSetup"])
@pytest.mark.parametrize(
    ("signature", "plain", "by_convention"),
    [
        ("(self)", ((), None), ((), None)),
        ("(self, metadata)", (("M",), None), (("M",), None)),
        ("(self, metadata=None)", (("M",), None), (("M",), None)),
        ("(self, config)", (("M",), None), (("S",), "AppSetup")),
        ("(self, config=None)", (("M",), None), (("S",), "AppSetup")),
        ("(self, config: Config)", (("S",), "Config"), (("S",), "Config")),
        ("(self, metadata: Config)", (("S",), "Config"), (("S",), "Config")),
        ("(self, about: Metadata)", (("M",), None), (("M",), None)),
        ("(self, setup_data: Config, metadata)", (("S", "M"), "Config"), (("S", "M"), "Config")),
        ("(self, setup_data, metadata)", (("S", "M"), None), (("S", "M"), "AppSetup")),
        ("(self, setup_data: Config, metadata: 'Unknown')", (("S", "M"), "Config"), (("S", "M"), "Config")),
    ],
)
def test_setup_gets_its_model_and_the_metadata_by_position(app_of, before, signature, plain, by_convention):
    app = app_of(before + methods(f"async def setup{signature}", RUN))
    model = app.setup.model.__name__ if app.setup.model else None
    assert (app.setup.arguments("S", "M"), model) == (by_convention if before else plain)
    assert (app.describe().setup_schema is None) == (model is None)


@pytest.mark.parametrize(
    ("signature", "arguments"),
    [
        ("(self, input_data: AppInput) -> AppOutput", ("I",)),
        ("(self, app_input: AppInput) -> AppOutput", ("I",)),
        ("(self, input_data: AppInput, metadata) -> AppOutput", ("I", "M")),
        ("(self, input_data: AppInput, metadata=None) -> AppOutput", ("I", "M")),
        ("(self, input_data: AppInput, metadata: 'Unknown' = None, *, more=1) -> AppOutput", ("I", "M")),
        ("(self, input_data)", ("I",)),
        ("(self)", ()),
    ],
)
def test_a_function_gets_its_input_and_the_metadata_by_position(app_of, signature, arguments):
    assert app_of(methods(f"async def run{signature}")).functions["run"].arguments("I", "M") == arguments


@pytest.mark.parametrize(
    ("signature", "problem"),
    [
        ("run(self, a: AppInput, b, c)", "'c'"),
        ("run(self, a: AppInput, *, key)", "'key'"),
        ("run(self, *args)", r"\*arguments"),
        ("run(self, a: 'Unknown')", "Unknown"),
        ("setup(self, a, b, c)", "'c'"),
    ],
)
def test_a_method_that_cannot_be_called_by_position_is_named(app_of, signature, problem):
    with pytest.raises(LoadError, match=problem):
        app_of(methods(f"async def {signature}", *([] if signature.startswith("run") else [RUN])))


@pytest.mark.parametrize(
    "result",
    [
        "AppOutput",
        "'AppOutput'",
        "AsyncGenerator[AppOutput, None]",
        "AsyncIterator[AppOutput]",
        "Generator[AppOutput, None, None]",
        "Iterator[AppOutput]",
    ],
)
def test_the_output_schema_is_that_of_one_output(app_of, result):
    described = app_of(methods(f"def run(self, input_data: AppInput) -> {result}")).describe()
    assert described.functions["run"].output_schema["title"] == "AppOutput"
    assert described.functions["run"].input_schema["title"] == "AppInput"


def test_an_untyped_run_allows_anything(app_of):
    run = app_of(methods("def run(self, data)")).describe().functions["run"]
    assert (run.input_schema, run.output_schema) == ({}, {})


def test_typed_public_methods_are_functions_in_the_order_of_definition(app_of):
    source = methods(
        "async def open(self, input_data: AppInput) -> AppOutput",
        "def close(self, input_data: AppInput, metadata=None) -> AppOutput",
        "async def setup(self, config: Config) -> AppOutput",
        "async def unload(self)",
        "async def on_cancel(self) -> bool",
        "def helper(self, text: str) -> str",
        "def half_typed(self, input_data: AppInput)",
        "def none_typed(self, input_data)",
        "def _hidden(self, input_data: AppInput) -> AppOutput",
        "def unreadable(self, input_data: 'Unknown') -> AppOutput",
    )
    app = app_of(source)
    assert list(app.functions) == ["open", "close"]
    assert app.default_function == "run"


def test_functions_of_a_helper_class_are_functions_of_the_app(app_of):
    helper = methods(RUN, "def more(self, i: AppInput) -> AppOutput").replace("class App(", "class Helper(")
    assert list(app_of(helper + "class App(Helper):\n    pass\n").functions) == ["run", "more"]


def test_the_manifest_adds_functions_descriptions_and_the_default(app_of):
    source = methods(RUN, "def loose(self, data)")
    app = app_of(source, functions=[("loose", "takes anything")], default="loose")
    assert app.functions["loose"].description == "takes anything"
    assert app.default_function == "loose"
    with pytest.raises(LoadError, match="'absent'"):
        app_of(source, functions=[("absent", "")])


def test_an_app_of_another_name_is_found_when_it_is_the_only_one(app_of):
    assert app_of(methods(RUN).replace("class App", "class MyApp")).app_class.__name__ == "MyApp"


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("", "none"),
        ("class One(BaseApp): ...\nclass Two(BaseApp): ...\n", "One, Two"),
        ("class App: ...\n", "does not derive"),
        ("class App(BaseApp): ...\n", "no functions"),
    ],
)
def test_a_module_without_one_app_is_refused(app_of, source, problem):
    with pytest.raises(LoadError, match=problem):
        app_of(source)
