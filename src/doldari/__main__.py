"""`doldari` and `python -m doldari`: the command line, which from the first moment on Ctrl-C ends in one line."""

import os
import signal
import sys


def interrupted(*_: object) -> None:
    """Exit at once with a line and status 130, whatever is going on: importing, reading, writing a file."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if "doldari.files" in sys.modules:
        sys.modules["doldari.files"].discard_unfinished()
    clear = b"\r\x1b[2K\x1b[?25h" if os.isatty(2) else b""  # of a progress bar; and the cursor again
    os.write(2, clear + b"interrupted\n")
    os._exit(130)


def main() -> None:
    """Run the command line."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not where it is ignored, in the background
        signal.signal(signal.SIGINT, interrupted)
    from doldari.cli import main as run

    run()


if __name__ == "__main__":
    main()
