"""Parts of packages: little is loaded at first, nothing is missing later."""

import subprocess
import sys

import pytest


def run(program, folder=None):
    command = [
        sys.executable,
        "-c",
        f"import sys; sys.path[:0] = {[str(folder)] if folder else []}\n{program}",
    ]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def test_the_server_of_aiohttp_is_loaded_without_the_client():
    loaded = run(
        "from inferencesh_engine.partial_packages import load_aiohttp_server\n"
        "load_aiohttp_server()\n"
        "import inferencesh_engine.api\n"
        "print(*sys.modules)"
    )
    assert "aiohttp.web_server" in loaded
    assert not {"aiohttp.client", "aiohttp.connector", "aiohttp.web"} & set(loaded)


@pytest.mark.parametrize(
    "use",
    [
        "import aiohttp; found = aiohttp.ClientSession",
        "from aiohttp import ClientSession as found",
        "from aiohttp.client import ClientSession as found; import aiohttp",
        "from aiohttp import web, ClientSession as found; assert web.Application",
        "from aiohttp import *; found = ClientSession",
        "import aiohttp.web; found = aiohttp.ClientSession",
    ],
)
def test_all_of_aiohttp_is_there_for_those_who_ask(use):
    said = run(
        "from importlib.metadata import version\n"
        "from inferencesh_engine.partial_packages import load_aiohttp_server\n"
        f"load_aiohttp_server()\n{use}\n"
        "import aiohttp, aiohttp.client, aiohttp.web_server\n"
        "assert found is aiohttp.ClientSession is aiohttp.client.ClientSession\n"
        "assert aiohttp.__version__ == version('aiohttp')\n"
        "assert set(aiohttp.__all__) <= set(dir(aiohttp))\n"
        "assert not hasattr(aiohttp, 'nonsense')\n"
        "print(type(aiohttp).__name__)"
    )
    assert said == ["module"]


def test_threads_that_ask_at_once_all_get_what_they_ask_for():
    said = run(
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from inferencesh_engine.partial_packages import load_aiohttp_server\n"
        "load_aiohttp_server()\n"
        "import aiohttp\n"
        "with ThreadPoolExecutor(8) as pool:\n"
        "    found = set(pool.map(lambda _: aiohttp.ClientSession, range(8)))\n"
        "print(*(each.__name__ for each in found))"
    )
    assert said == ["ClientSession"]


def test_a_package_whose_parts_need_the_whole_is_loaded_as_usual(tmp_path):
    package = tmp_path / "entangled"
    package.mkdir()
    (package / "__init__.py").write_text("name = 'whole'\nfrom .part import value\n")
    (package / "part.py").write_text("import entangled\nvalue = entangled.name\n")
    metadata = tmp_path / "entangled-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Name: entangled\nVersion: 1\n")
    said = run(
        "from inferencesh_engine.partial_packages import load_parts\n"
        "load_parts('entangled', ['part'])\n"
        "assert 'entangled' not in sys.modules\n"
        "import entangled\n"
        "print(type(entangled).__name__, entangled.value)",
        tmp_path,
    )
    assert said == ["module", "whole"]


def test_what_is_loaded_already_stays_as_it_is():
    said = run(
        "import aiohttp\n"
        "from inferencesh_engine.partial_packages import load_aiohttp_server\n"
        "load_aiohttp_server()\n"
        "assert sys.modules['aiohttp'] is aiohttp\n"
        "print('aiohttp.web_server' in sys.modules)"
    )
    assert said == ["False"]
