"""The entry point of ``windhover``.

Documentation page: ``docs/cli.md``.
"""

from __future__ import annotations

import gc
import signal

#: The exit code of a command that Ctrl-C has ended, as shells have it.
INTERRUPTED = 128 + signal.SIGINT


def main() -> None:
    """Entry point of the console script."""
    # What a command imports takes a few tenths of a second, in which Ctrl-C has nothing to kill yet.
    signal.signal(signal.SIGINT, _end_at_once)
    from windhover.cli.commands import app

    # What a command imports stays to the end: looking for garbage in it, again and again and once more at
    # the exit, was a fifth of the time of a short run.
    gc.set_threshold(50_000, 20, 20)
    try:
        app()
    finally:
        gc.freeze()


def _end_at_once(*_: object) -> None:
    """End quietly; ``windhover run`` and servers hear Ctrl-C by themselves once they have begun."""
    raise SystemExit(INTERRUPTED)


if __name__ == "__main__":
    main()
