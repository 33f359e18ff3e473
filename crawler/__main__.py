"""The command `crawler`, and `python -m crawler`: Ctrl-C is seen to before anything that takes time is imported."""

import os
import signal
import sys
from types import FrameType

INTERRUPTED = 130  # A shell tells an interrupt by this status: 128 and the number of the signal.


def _leave(number: int, frame: FrameType | None) -> None:
    """Nothing has begun, and an exception could come out of any import: say so and go."""
    os.write(2, b"crawler: interrupted before anything was begun\n")
    os._exit(INTERRUPTED)


def _raise_again() -> None:
    """From here on Ctrl-C is an exception, for there may be something to put in order."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def main() -> int:
    """Run one command and return its exit status."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:  # as under nohup
        from crawler import cli

        return cli.main()
    signal.signal(signal.SIGINT, _leave)
    from crawler import cli

    try:
        return cli.main(on_loaded=_raise_again)
    finally:
        signal.signal(
            signal.SIGINT, signal.SIG_DFL
        )  # all is said, and the interpreter's own end would show a traceback


if __name__ == "__main__":
    sys.exit(main())
