import subprocess
import sys
from pathlib import Path

GENERATOR = Path(__file__).parents[2] / "spec" / "generate_types.py"


def generate(script, *arguments):
    return subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True, check=False)


def test_the_types_modules_are_what_the_spec_asks_for():
    run = generate(GENERATOR, "--check")
    assert (run.returncode, run.stderr) == (0, "")


def test_the_check_fails_when_spec_and_modules_differ_and_writing_mends_it(tmp_path):
    script = tmp_path / "spec" / GENERATOR.name
    target = tmp_path / "packages/inferencesh-core/src/inferencesh_core/types.py"
    script.parent.mkdir()
    old_path = tmp_path / "packages/inferencesh/src/inferencesh/types.py"
    target.parent.mkdir(parents=True)
    old_path.parent.mkdir(parents=True)
    script.write_text(GENERATOR.read_text())
    spec = GENERATOR.with_name("api-types.json").read_text()
    script.with_name("api-types.json").write_text(spec.replace('"SLACK": "slack"', '"SLACK": "slack2"'))

    assert generate(script, "--check").returncode == 1
    assert "run python spec/generate_types.py" in generate(script, "--check").stderr
    assert generate(script).returncode == 0
    assert generate(script, "--check").returncode == 0
    assert 'SLACK = "slack2"' in target.read_text()
    assert "    Scope as Scope,\n" in old_path.read_text()
