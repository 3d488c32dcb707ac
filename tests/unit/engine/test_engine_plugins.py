"""An engine's plugins: where workers run and where apps come from."""

from __future__ import annotations

import pytest

from inferencesh_engine.catalog import AppSource, Catalog, Found
from inferencesh_engine.config import EngineConfig
from inferencesh_engine.domain.problems import EngineStartError
from inferencesh_engine.executors.subprocess import SubprocessExecutor
from inferencesh_engine.plugins import EngineHooks, ExecutorChoice, Hooks, hookimpl


class Cluster:
    """An executor that another package would bring."""


class ClusterPlugin(EngineHooks):
    """A plugin that adds a way to place workers."""

    @hookimpl
    def inferencesh_executors(self):
        return [ExecutorChoice("cluster", lambda _config: Cluster())]


def test_the_built_in_executor_is_a_plugin_like_any(tmp_path):
    assert isinstance(Hooks().executor(EngineConfig(apps_dir=tmp_path)), SubprocessExecutor)


def test_the_configuration_chooses_an_executor_by_name(tmp_path):
    config = EngineConfig(apps_dir=tmp_path, executor="cluster")
    assert isinstance(Hooks([ClusterPlugin()]).executor(config), Cluster)


def test_an_unknown_executor_is_an_error_that_names_the_known_ones(tmp_path):
    with pytest.raises(EngineStartError, match=r"'moon'.*cluster.*subprocess"):
        Hooks([ClusterPlugin()]).executor(EngineConfig(apps_dir=tmp_path, executor="moon"))


def test_two_executors_of_one_name_are_an_error_that_says_what_to_do(tmp_path):
    with pytest.raises(EngineStartError, match="INFERENCESH_DISABLE_PLUGINS"):
        Hooks([ClusterPlugin(), ClusterPlugin()]).executor(EngineConfig(apps_dir=tmp_path))


def test_a_plugin_adds_places_apps_come_from(tmp_path):
    (tmp_path / "apps").mkdir()
    elsewhere = tmp_path / "elsewhere" / "tool"
    elsewhere.mkdir(parents=True)
    (elsewhere / "inf.yml").write_text("name: tool\n")

    class Elsewhere:
        @hookimpl
        def inferencesh_apps(self):
            return [AppSource("elsewhere", lambda: Found((elsewhere,)))]

    config = EngineConfig(apps_dir=tmp_path / "apps")
    catalog = Catalog(config, Hooks([Elsewhere()]).app_sources(config))
    assert elsewhere in [app.folder for app in catalog.apps()]
