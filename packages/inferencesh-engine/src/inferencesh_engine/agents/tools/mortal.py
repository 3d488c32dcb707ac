"""Run as a script: becomes the program its arguments name, which then dies with whoever started it.

Programs that speak over their standard input are to leave when it ends; this is for those that do not.
"""

import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(command: "list[str]") -> None:
    """Become the program. On Linux it is killed when the thread that started this process ends."""
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415  # only Linux has the call

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    os.execvp(command[0], command)  # noqa: S606  # the operator's own command


if __name__ == "__main__":
    main(sys.argv[1:])
