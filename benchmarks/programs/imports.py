"""`from inferencesh import inference` alone: its seconds, and how many modules it loads."""

import sys
import time

before = set(sys.modules)
start = time.perf_counter()
from inferencesh import inference  # noqa: E402, F401  (the import is what is timed)

seconds = time.perf_counter() - start
modules = len(set(sys.modules) - before)
print(f'{{"import": {seconds}, "modules": {modules}}}')
