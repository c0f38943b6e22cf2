"""A headless Chromium that shows files as phones, desktops and printers would.

It is spoken to in its DevTools protocol (https://chromedevtools.github.io/devtools-protocol/) over two pipes, each message
JSON and a zero byte: neither a port nor a client library is needed. Nothing but Linux is provided for.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self, cast

from helpers.missing_parts import missing
from helpers.processes import wait_until_gone

if TYPE_CHECKING:
    from types import TracebackType

_ANSWER = 60.0  # seconds for one answer, on a busy machine
_END = 10.0  # seconds to end by itself
# No sandbox: root has none. Nothing is asked of the network by the browser itself, and no name is resolved.
_OPTIONS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-breakpad", "--disable-extensions",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run",
    "--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND", "--hide-scrollbars", "--remote-debugging-pipe",
]  # fmt: skip


class Browser:
    """Chromium for as long as the ``with`` block runs; none of its processes outlives that.

    :param folder: for its profile, its temporary files and its log; need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0
        self._events: list[dict[str, Any]] = []
        self._answers: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()

    def __enter__(self) -> Self:
        program = shutil.which("chromium")
        if program is None:
            missing("Chromium", "apt-get install chromium (as tests/install-parts.sh does)")
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                # It reads from descriptor 3 and writes to 4.
                ["sh", "-c", 'exec "$@" 3<&0 4>&1 </dev/null >&2', "sh", program, *_OPTIONS,
                 f"--user-data-dir={self._folder / 'profile'}", "about:blank"],
                env={"PATH": os.environ["PATH"], "HOME": str(self._folder), "TMPDIR": str(self._folder), "LC_ALL": "C.UTF-8"},
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, start_new_session=True,
            )  # fmt: skip
        self._commands = cast("IO[bytes]", self._process.stdin)
        self._output = cast("IO[bytes]", self._process.stdout)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        members = self._processes()
        with contextlib.suppress(OSError, AssertionError):
            self.call("Browser.close")
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END)
        for number in self._processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        self._process.wait()
        wait_until_gone(members)
        self._reader.join(_END)
        with contextlib.suppress(BrokenPipeError):
            self._commands.close()
        self._output.close()

    def show(self, file: Path, *, width: int, height: int = 800, dark: bool = False, media: str = "") -> Shown:
        """Load *file* in a tab of its own, on a screen of so many CSS pixels, as a phone would; return when it is there.

        :param media: whose style it has, such as ``print``, whatever is done with it; by itself it prints in that for print.
        """
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        shown = Shown(self, session)
        for domain in ("Page", "Network", "Runtime"):
            shown.call(f"{domain}.enable")
        # As on a phone the page's own `viewport` counts.
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": True}
        shown.call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        shown.call("Emulation.setEmulatedMedia", media=media, features=[scheme])
        shown.call("Page.navigate", url=file.as_uri())
        while not shown.events("Page.loadEventFired"):
            self._take()
        return shown

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Return the result of *method*. :raises AssertionError: it failed, or no answer came in time."""
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
        self._commands.write(json.dumps(message).encode() + b"\0")
        self._commands.flush()
        while (answer := self._take()).get("id") != number:
            pass
        assert "error" not in answer, f"{method}: {answer['error']}"
        return cast("dict[str, Any]", answer["result"])

    def events(self, method: str, session: str) -> list[dict[str, Any]]:
        """What came of *method* in *session* so far."""
        return [each["params"] for each in self._events if (each["method"], each.get("sessionId")) == (method, session)]

    def _take(self) -> dict[str, Any]:
        try:
            message = self._answers.get(timeout=_ANSWER)
        except queue.Empty:
            message = None
            # Whatever is asked next fails at once.
            self._process.kill()
        assert message is not None, f"Chromium answers no more\n{(self._folder / 'log').read_text(errors='replace')}"
        if "method" in message:
            self._events.append(message)
        return message

    def _processes(self) -> set[int]:
        """Those of its session, and those that left it but name its folder."""
        found = set()
        for place in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                session = int((place / "stat").read_text().rpartition(")")[2].split()[3])
                if session == self._process.pid or os.fsencode(f"{self._folder}/") in (place / "cmdline").read_bytes():
                    found.add(int(place.name))
        return found

    def _read(self) -> None:
        rest = b""
        while data := os.read(self._output.fileno(), 1 << 16):
            *messages, rest = (rest + data).split(b"\0")
            for message in messages:
                self._answers.put(json.loads(message))
        self._answers.put(None)


class Shown:
    """One page that a `Browser` shows."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session

    def value(self, script: str) -> Any:
        """The value of *script*, an expression of JavaScript."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def requests(self) -> list[str]:
        """Every URL that was asked for so far, that of the page itself first."""
        return [each["request"]["url"] for each in self.events("Network.requestWillBeSent")]

    def picture(self, path: Path) -> None:
        """Write all of it to *path*, as PNG."""
        result = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(result["data"]))

    def print(self, path: Path) -> None:
        """Write it to *path*, as PDF on paper of the size A4."""
        result = self.call("Page.printToPDF", paperWidth=8.27, paperHeight=11.69, preferCSSPageSize=True)
        path.write_bytes(base64.b64decode(result["data"]))

    def events(self, method: str) -> list[dict[str, Any]]:
        """What came of *method* so far."""
        return self._browser.events(method, self._session)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """As `Browser.call`, for this page."""
        return self._browser.call(method, self._session, **parameters)
