"""A function that is marked as a hook and never called is told of, wherever its plugin is loaded."""

from __future__ import annotations

import warnings
from types import ModuleType

import pytest

from inferencesh_core.plugins import ClientHooks, hookimpl
from inferencesh_core.plugins import hooks as client
from inferencesh_core.plugins.manager import PluginWarning
from inferencesh_core.plugins.specs import HOOKS_OF_ENGINES
from inferencesh_engine.plugins import EngineHooks
from inferencesh_engine.plugins import hooks as engine

MANAGERS = [client.Hooks, engine.Hooks]


class Misspelt:
    @hookimpl
    def inferencesh_executor(self):
        return []


class ServesBoth:
    @hookimpl
    def inferencesh_executors(self):
        return []

    @hookimpl
    def inferencesh_auth(self):
        return None


@pytest.mark.parametrize("hooks", MANAGERS)
def test_a_misspelt_hook_is_a_warning_with_plugin_function_and_nearest_hook(hooks):
    with pytest.warns(PluginWarning) as warned:
        hooks([Misspelt()])
    (warning,) = warned
    text = str(warning.message)
    assert "'Misspelt' marks 'inferencesh_executor' as a hook" in text
    assert "Did you mean 'inferencesh_executors'?" in text


def test_a_module_is_called_by_its_name():
    module = ModuleType("acme_plugin")
    module.inferencesh_transports = hookimpl(lambda: None)
    with pytest.warns(PluginWarning, match=r"'acme_plugin' marks .* mean 'inferencesh_transport'"):
        client.Hooks([module])


@pytest.mark.parametrize("hooks", MANAGERS)
def test_a_plugin_that_serves_clients_and_engines_is_not_warned_about(hooks):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hooks([ServesBoth()])


@pytest.mark.parametrize("hooks", MANAGERS)
def test_functions_that_are_not_marked_are_the_plugins_own(hooks):
    class Plugin:
        def inferencesh_executor(self):
            raise AssertionError

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hooks([Plugin()])


def test_clients_know_the_names_of_the_engines_hooks():
    specified = {name for name in vars(EngineHooks) if name.startswith("inferencesh_")}
    assert specified <= HOOKS_OF_ENGINES
    assert not HOOKS_OF_ENGINES & vars(ClientHooks).keys()
