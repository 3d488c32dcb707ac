"""No file of the repository says where it was made."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# A letter in brackets keeps a pattern from finding itself.
PLACES = {
    "a place of one machine": r"/[r]oot/|/[w]ork/|/[h]ome/[a-z]|/[U]sers/[a-z]",
    "a package registry": r"[p]ypi\.org|[f]iles\.pythonhosted|[r]egistry\.npmjs|[i]ndex-url",
}


def tracked_files():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listed.stdout.split("\0") if name]


@pytest.mark.parametrize("place", PLACES)
def test_no_tracked_file_names(place):
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()[:100]}"
        for path in tracked_files()
        if path.is_file()
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines()
        if re.search(PLACES[place], line)
    ]
    assert found == []
