"""An engine with real workers that serves a folder of apps until it is killed.

Usage: kill_child.py APPS_DIR STATE_DIR. It writes its base URL and token, and ends when its input does.
"""

import sys
from pathlib import Path

from inferencesh_engine.config import EngineConfig
from inferencesh_engine.endpoint import BackgroundEngine

if __name__ == "__main__":
    settings = {"max_workers": 2, "cancel_grace_seconds": 1}
    engine = BackgroundEngine(
        EngineConfig(apps_dir=Path(sys.argv[1]), state_dir=Path(sys.argv[2]), **settings)
    )
    sys.stdout.write(f"{engine.base_url} {engine.token}\n")
    sys.stdout.flush()
    sys.stdin.read()
    engine.stop()
