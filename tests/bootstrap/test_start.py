"""``bootstrap/start.py``: a checkout from an archive, fetched once, whole or not there."""

from __future__ import annotations

import base64
import hashlib
import http.server
import io
import os
import signal
import subprocess
import sys
import tarfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from helpers.capabilities import unix_only

if TYPE_CHECKING:
    from collections.abc import Iterator

START = Path(__file__).parents[2] / "bootstrap" / "start.py"
# Stands in for the command: what matters here is that it runs, from where, and with which arguments.
COMMAND = "import sys\nprint('ran', sys.argv[1:], __file__)\nsys.exit(5)\n"


def archive(files: dict[str, str], *, links: dict[str, str] | None = None) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            tar.addfile(member)
    return data.getvalue()


GOOD = archive({"safe-install-1/bootstrap/ci_install.py": COMMAND, "safe-install-1/src/a.py": ""})


class Forge:
    """Serves one archive. :ivar answers: status codes of the next requests; 200 when none is left."""

    def __init__(self) -> None:
        self.data = GOOD
        self.answers: list[int] = []
        self.logins: list[str | None] = []
        self.hold = threading.Event()
        self.hold.set()
        forge = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                forge.logins.append(self.headers.get("Authorization"))
                status = forge.answers.pop(0) if forge.answers else 200
                self.send_response(status)
                self.send_header("Content-Length", str(len(forge.data)))
                self.end_headers()
                if status == 200:
                    self.wfile.write(forge.data[:-1])
                    self.wfile.flush()
                    forge.hold.wait(20)
                    self.wfile.write(forge.data[-1:])

            def log_message(self, *_arguments: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_address[1]}"

    def url(self, login: str = "", query: str = "") -> str:
        return f"http://{login}{self.host}/v1.tar.gz{query}#sha256={hashlib.sha256(self.data).hexdigest()}"


@pytest.fixture
def forge() -> Iterator[Forge]:
    forge = Forge()
    thread = threading.Thread(target=forge.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield forge
    forge.hold.set()
    forge.server.shutdown()
    thread.join()
    forge.server.server_close()


def begin(folder: Path, source: str, **variables: str) -> subprocess.Popen[str]:
    environ = {**os.environ, "SAFE_INSTALL_TOOL_DIR": str(folder / "tool"), "SAFE_INSTALL_SOURCE": source, **variables}
    return subprocess.Popen(
        [sys.executable, "-P", START, "sync", "a b"],
        env={name: value for name, value in environ.items() if not name.lower().endswith("_proxy")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(folder: Path, source: str, **variables: str) -> tuple[int, str, str]:
    process = begin(folder, source, **variables)
    stdout, stderr = process.communicate(timeout=60)
    return process.returncode, stdout, stderr


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "tool").glob("*"))


def test_source_is_plain_ascii() -> None:
    assert START.read_bytes().isascii()


def test_archive_is_fetched_once_and_its_command_run(tmp_path: Path, forge: Forge) -> None:
    for _ in range(2):
        code, stdout, stderr = run(tmp_path, forge.url())
        assert (code, stderr) == (5, "")
        assert stdout.startswith("ran ['--', 'sync', 'a b'] ")
    assert len(forge.logins) == 1
    assert left(tmp_path) == [f"source-{hashlib.sha256(GOOD).hexdigest()}"]


def test_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "here" / "bootstrap").mkdir(parents=True)
    (tmp_path / "here" / "bootstrap" / "ci_install.py").write_text(COMMAND)
    assert run(tmp_path, str(tmp_path / "here"))[0] == 5
    assert left(tmp_path) == []


def test_many_first_starts_at_once_use_one(tmp_path: Path, forge: Forge) -> None:
    forge.hold.clear()
    processes = [begin(tmp_path, forge.url()) for _ in range(6)]
    deadline = time.monotonic() + 20
    while len(forge.logins) < 6 and time.monotonic() < deadline:
        time.sleep(0.02)
    forge.hold.set()
    for process in processes:
        _, stderr = process.communicate(timeout=60)
        assert (process.returncode, stderr) == (5, "")
    assert len(left(tmp_path)) == 1


@pytest.mark.parametrize("damage", ["cut", "gone", "no contents"])
def test_damaged_checkout_is_made_again(tmp_path: Path, forge: Forge, damage: str) -> None:
    run(tmp_path, forge.url())
    (folder,) = (tmp_path / "tool").iterdir()
    path = folder / (".contents.json" if damage == "no contents" else "bootstrap/ci_install.py")
    if damage == "cut":
        path.write_text("")
    else:
        path.unlink()
    assert run(tmp_path, forge.url())[0] == 5
    assert len(forge.logins) == 2
    assert left(tmp_path) == [folder.name]


@pytest.mark.parametrize("at", [0, 63])
def test_other_digest_is_refused_warm_and_cold(tmp_path: Path, forge: Forge, at: int) -> None:
    url, _, digest = forge.url().partition("#sha256=")
    wrong = digest[:at] + ("0" if digest[at] != "0" else "1") + digest[at + 1 :]
    for _ in range(2):
        code, _, stderr = run(tmp_path, f"{url}#sha256={wrong}")
        assert (code, stderr.partition(":")[0]) == (4, "error[hash-mismatch]")
        assert not [name for name in left(tmp_path) if wrong in name or name.startswith(".")]
        run(tmp_path, forge.url())


@pytest.mark.parametrize(
    ("source", "code", "error"),
    [
        ("", 2, "no-source"),
        ("http://h/x.tar.gz", 2, "source-unpinned"),
        ("http://h/x.tar.gz#sha256=12", 2, "source-unpinned"),
        (f"http://h/x.tar.gz#sha256={'z' * 64}", 2, "source-unpinned"),
        (f"http://127.0.0.1:notaport/x#sha256={'0' * 64}", 3, "no-source"),
        ("/nowhere", 2, "no-source"),
    ],
)
def test_wrong_sources(tmp_path: Path, source: str, code: int, error: str) -> None:
    found, _, stderr = run(tmp_path, source)
    assert (found, stderr.partition(":")[0]) == (code, f"error[{error}]")
    assert "hint: " in stderr


def test_login_is_sent_and_never_shown(tmp_path: Path, forge: Forge) -> None:
    forge.answers = [403]
    code, _, stderr = run(tmp_path, forge.url("ci-token:SECRET%21@", "?private_token=HIDDEN"))
    assert code == 3
    assert "SECRET" not in stderr
    assert "HIDDEN" not in stderr
    assert forge.logins == ["Basic " + base64.b64encode(b"ci-token:SECRET!").decode()]
    assert "SECRET" not in run(tmp_path, "http://ci-token:SECRET@h/x.tar.gz")[2]


def test_errors_that_pass_are_tried_again_and_others_are_not(tmp_path: Path, forge: Forge) -> None:
    forge.answers = [503]
    assert run(tmp_path / "a", forge.url())[0] == 5
    forge.answers = [404]
    code, _, stderr = run(tmp_path / "b", forge.url())
    assert (code, "HTTP 404" in stderr) == (3, True)
    assert len(forge.logins) == 3


def test_members_that_leave_the_folder_are_left_out(tmp_path: Path, forge: Forge) -> None:
    names = ("x/../../../evil", "x//evil", "evil", "x/./evil", "x/a\\..\\evil")
    forge.data = archive(
        {"x/bootstrap/ci_install.py": COMMAND, **dict.fromkeys(names, "")}, links={"x/link": "/etc/passwd"}
    )
    assert run(tmp_path, forge.url())[0] == 5
    found = {path.name for path in tmp_path.rglob("*") if not path.is_dir()}
    assert found == {"ci_install.py", ".contents.json"}


def test_archive_that_is_none(tmp_path: Path, forge: Forge) -> None:
    forge.data = b"<html>"
    code, _, stderr = run(tmp_path, forge.url())
    assert (code, "Traceback" in stderr) == (7, False)
    assert left(tmp_path) == []


@unix_only
def test_request_to_end_leaves_nothing(tmp_path: Path, forge: Forge) -> None:
    forge.hold.clear()
    process = begin(tmp_path, forge.url())
    deadline = time.monotonic() + 20
    while not forge.logins and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert left(tmp_path) == []


@unix_only
def test_user_without_a_home(tmp_path: Path, forge: Forge) -> None:
    code, _, stderr = run(tmp_path, forge.url(), SAFE_INSTALL_TOOL_DIR="", HOME="/dev/null/x")
    assert code == 7
    assert "Traceback" not in stderr
