"""Know every open connection, so that one thread can end what other threads are waiting for."""

from __future__ import annotations

import socket
import threading
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

# What the HTTP library tells when a connection was made, or made anew inside TLS:
# https://www.python-httpx.org/advanced/extensions/#trace
_MADE = (".connect_tcp.complete", ".start_tls.complete")


class Connections:
    """The sockets of one client. `trace` goes into the ``trace`` extension of each request."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._ended = False

    def trace(self, event: str, facts: Mapping[str, Any]) -> None:
        """Note a connection when it is made; after `end` it ends at once, since nobody would ever wake its thread."""
        if event.endswith(_MADE):
            connection = facts["return_value"].get_extra_info("socket")
            if isinstance(connection, socket.socket):
                with self._lock:
                    self._sockets.add(connection)
                    ended = self._ended
                if ended:
                    _end(connection)

    def end(self) -> None:
        """Wake every thread that reads or writes one of them, now or later; each gets an error."""
        with self._lock:
            self._ended = True
            sockets = list(self._sockets)
        for connection in sockets:
            _end(connection)


def _end(connection: socket.socket) -> None:
    with suppress(OSError):  # it has gone by itself
        # The plain method on purpose: that of a TLS socket takes its state away from the reading thread.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
