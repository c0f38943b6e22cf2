"""Run a shell command on another host of the machine: ``agent.py h2 'COMMAND'``; ``server`` is a host as well.

``--serve`` is the other side. It runs outside all hosts, since only there may one enter any of them. What calls it hands
over its working folder, environment, input and output, and gets the exit code; when it ends first, so does the command.
"""

from __future__ import annotations

import array
import contextlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading

CONTROL = "/mnt/control"
SOCKET = f"{CONTROL}/agent"
_LENGTH = struct.Struct("!I")
_CODE = struct.Struct("!i")


def serve() -> None:
    """Answer for ever."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(SOCKET)
        os.chmod(SOCKET, 0o777)
        listening.listen(64)
        while True:
            connection, _ = listening.accept()
            threading.Thread(target=_answer, args=(connection,), daemon=True).start()


def _answer(connection: socket.socket) -> None:
    with connection:
        descriptors = array.array("i")
        start, extra, _, _ = connection.recvmsg(1 << 20, socket.CMSG_SPACE(3 * descriptors.itemsize))
        for _, _, data in extra:
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
        (length,) = _LENGTH.unpack(start[: _LENGTH.size])
        body = start[_LENGTH.size :]
        while len(body) < length:
            body += connection.recv(1 << 20)
        request = json.loads(body)
        with open(f"{CONTROL}/{request['host']}.pid", encoding="ascii") as file:
            number = file.read().strip()
        spaces = ["-m"] if request["host"] == "server" else ["-n", "-m", "-u", "-i", "-p"]
        line = 'cd "$1" || exit 126; eval "$2"'
        process = subprocess.Popen(
            ["nsenter", "-t", number, *spaces, "--", "sh", "-c", line, "sh", request["folder"], request["command"]],
            stdin=descriptors[0],
            stdout=descriptors[1],
            stderr=descriptors[2],
            env=request["environment"],
            cwd="/",
            start_new_session=True,
        )
        for descriptor in descriptors:
            os.close(descriptor)
        ended = threading.Event()
        threading.Thread(target=_end_with, args=(connection, process, ended), daemon=True).start()
        code = process.wait()
        ended.set()
        with contextlib.suppress(OSError):
            connection.sendall(_CODE.pack(code if code >= 0 else 128 - code))


def _end_with(connection: socket.socket, process: subprocess.Popen[bytes], ended: threading.Event) -> None:
    """Kill the command when its caller goes away."""
    while not ended.is_set():
        readable, _, _ = select.select([connection], [], [], 0.5)
        with contextlib.suppress(OSError):
            if readable and not connection.recv(1):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                return


def call(host: str, command: str) -> int:
    """Run *command* on *host* and return its exit code."""
    request = {"host": host, "command": command, "folder": os.getcwd(), "environment": dict(os.environ)}
    body = json.dumps(request).encode()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(SOCKET)
        socket.send_fds(connection, [_LENGTH.pack(len(body))], [0, 1, 2])
        connection.sendall(body)
        answer = b""
        while len(answer) < _CODE.size:
            if not (part := connection.recv(_CODE.size)):
                return 125
            answer += part
    return int(_CODE.unpack(answer)[0])


if __name__ == "__main__":
    if sys.argv[1:] == ["--serve"]:
        serve()
    else:
        sys.exit(call(*sys.argv[1:]))
