"""Which signals ask this process to end: each is a Ctrl-C, after which everything half done is put back."""

from __future__ import annotations

import signal
import threading

from ..interruption import interrupt

# SIGTERM is what CI systems send to cancel a job, SIGHUP what is sent when a connection to an agent breaks, SIGBREAK
# what Windows sends to a process group.
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")


def interrupt_on_signals() -> None:
    """Let the main thread raise `KeyboardInterrupt` on the first signal that asks this process to end."""
    # Whoever started us with `nohup`, or in the background of a script, wants it ignored.
    for number in _numbers():
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupt)


def settle_exit_code() -> None:
    """Let no signal change the exit code any more; everything is done or put back.

    While it shuts down, Python gives signals their default effect again, but for those that are ignored. And after a
    Ctrl-C that came while it executed a text (as `dataclasses` does), ``python -m`` ends itself by SIGINT whatever the
    exit code is (``unhandled_keyboard_interrupt`` in CPython's pythonrun.c), until another text was executed.
    """
    for number in _numbers():
        signal.signal(number, signal.SIG_IGN)
    exec("")  # noqa: S102 - see above


def _numbers() -> list[int]:
    if threading.current_thread() is not threading.main_thread():
        return []
    return [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
