"""A distribution of somebody else's, made of public API only, is found by its entry point."""

import pytest

from .conftest import ROOT

GET_A_TASK = """
import warnings
from inferencesh_core import inference
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    client = inference(base_url="https://nowhere.example")
print(client.tasks.get("t1")["output"]["signed_with"])
print(*(warning.message for warning in caught))
"""


@pytest.fixture
def environment(environment_with):
    return environment_with("inferencesh-core", ROOT / "tests" / "install" / "example_plugin")


def test_its_transport_and_its_auth_serve_the_client(environment):
    signed_with, _ = environment.run(GET_A_TASK).splitlines()
    assert signed_with == "Example token-2"


def test_an_entry_point_that_fails_to_load_is_a_warning_with_its_name_and_distribution(environment):
    _, warning = environment.run(GET_A_TASK).splitlines()
    assert "plugin 'broken' of example-plugin is left out" in warning
    assert "INFERENCESH_DISABLE_PLUGINS=broken" in warning


@pytest.mark.parametrize("disabled", ["example, broken", "*"])
def test_plugins_are_skipped_by_name_or_all_at_once(environment, disabled):
    code = "from inferencesh_core import inference\ntry: inference()\nexcept ValueError as e: print(e)"
    printed = environment.run(code, INFERENCESH_DISABLE_PLUGINS=disabled)
    assert printed.startswith("no API key for https://api.inference.sh")
