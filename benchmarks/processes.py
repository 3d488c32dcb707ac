"""What a process and everything it started hold and use, read from /proc."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> list[int]:
    """The process and all its descendants that live now."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        if fields := _stat(int(entry.name)):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [pid]
    for parent in found:
        found += children.get(parent, [])
    return found


def memory_bytes(pid: int) -> int:
    """Proportional set size of the tree: pages that several processes share count once."""
    return sum(_pss(each) for each in tree(pid))


def cpu_seconds(pid: int) -> float:
    """CPU time of the tree so far, without processes that have ended."""
    return sum(int(fields[11]) + int(fields[12]) for each in tree(pid) if (fields := _stat(each))) / TICKS


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends the process politely, then whatever of its tree is left."""
    pids = tree(process.pid)
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pid in pids[1:]:
        if _stat(pid):
            os.kill(pid, signal.SIGKILL)


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat that follow the command's name; none for a process that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _pss(pid: int) -> int:
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return int(rollup.partition("\nPss:")[2].split()[0]) * 1024
