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
    if threading.current_thread() is not threading.main_thread():
        return
    for name in _NAMES:
        number = getattr(signal, name, None)
        # Whoever started us with `nohup`, or in the background of a script, wants it ignored.
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupt)
