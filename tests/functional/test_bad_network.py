"""Indexes that are away, say no, or send something else: what is said, the exit code, and that nothing is left."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from helpers.stocked_index import StockedIndex

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from helpers.command import Command

PAGE, WHEEL = "/simple/lib/", "/files/simple/lib-*.whl"


@pytest.fixture(autouse=True)
def installed(command: Command, index: StockedIndex) -> None:
    """An environment that every failure has to leave alone; ``lib`` is what fails."""
    index.wheel("before")
    command("install", "before")
    index.wheel("lib", files={"lib/data.bin": os.urandom(200_000)})


def test_index_that_cannot_be_reached(command: Command) -> None:
    with StockedIndex() as gone:
        url = gone.url
    with command.unchanged():
        result = command("install", "lib", "--index-url", url, code=3)
    assert result.error == "index-unreachable"
    assert url.rstrip("/") in result.stderr


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, "index-unauthorized"),
        (403, "index-unauthorized"),
        (429, "rate-limited"),
        (500, "server-error"),
        (503, "server-error"),
    ],
)
@pytest.mark.parametrize("path", [PAGE, WHEEL])
def test_answers_that_say_no(command: Command, index: StockedIndex, path: str, status: int, code: str) -> None:
    index.fail(path=path, status=status, times=99)
    with command.unchanged():
        result = command("install", "lib", code=3)
    assert result.error == code
    assert str(status) in result.stderr
    assert index.base in result.stderr
    assert "hint:" in result.stderr


def test_project_that_no_index_has_is_no_network_error(command: Command, index: StockedIndex) -> None:
    index.fail(path=PAGE, status=404, times=99)
    with command.unchanged():
        assert command("install", "lib", code=1).error == "no-such-project"


def test_file_that_is_gone_from_the_index(command: Command, index: StockedIndex) -> None:
    index.fail(path=WHEEL, status=404, times=99)
    with command.unchanged():
        result = command("install", "lib", code=3)
    assert result.error == "not-found"
    assert "lib-1.0-py3-none-any.whl" in result.stderr


@pytest.mark.parametrize("path", [PAGE, WHEEL])
def test_body_that_is_cut(command: Command, index: StockedIndex, path: str) -> None:
    index.fail(path=path, cut_after=100, times=99)
    with command.unchanged():
        assert command("install", "lib", code=3).error == "truncated-body"


def test_cut_download_goes_on_where_it_ended(command: Command, index: StockedIndex) -> None:
    index.fail(path=WHEEL, cut_after=150_000)
    result = command("install", "lib", SAFE_INSTALL_RETRY_BUDGET="20")
    assert command.installed() == {"before": "1.0", "lib": "1.0"}
    assert result.counts["retries"] == 1
    [size] = [sent for path, sent in index.bytes_sent.items() if path.endswith(".whl") and "lib" in path]
    assert size < 300_000


def test_failure_that_passes_is_waited_out(command: Command, index: StockedIndex) -> None:
    index.fail(path=PAGE, status=500)
    index.fail(path=WHEEL, status=429, headers={"Retry-After": "0"})
    index.fail(path=WHEEL, reset=True)
    assert command("install", "lib", SAFE_INSTALL_RETRY_BUDGET="20").counts["retries"] == 3


@pytest.mark.parametrize("path", [PAGE, WHEEL])
def test_something_else_than_asked_for(command: Command, index: StockedIndex, path: str) -> None:
    """A sign-in page of a proxy, for example; for a page its type alone would be right."""
    kind = "text/html" if path == WHEEL else "application/octet-stream"
    index.fail(path=path, headers={"Content-Type": kind}, times=99)
    with command.unchanged():
        result = command("install", "lib", code=3)
    assert result.error == "wrong-content-type"
    assert kind in result.stderr


def test_stalled_download_is_given_up(command: Command, index: StockedIndex) -> None:
    index.fail(path=WHEEL, stall_after=1000, times=99)
    with command.unchanged():
        result = command("install", "lib", "--timeout", "1", code=3)
    assert "--timeout" in result.stderr


def test_wheel_that_is_not_what_the_lock_says_shows_both_digests(command: Command, index: StockedIndex) -> None:
    asked = hashlib.sha256(b"what was locked").hexdigest()
    command("lock", "before", "lib", "-o", "pylock.toml")
    text = (command.folder / "pylock.toml").read_text()
    file = index._roots["simple"]["lib"][0]
    command.write("pylock.toml", text.replace(file.sha256, asked))
    with command.unchanged():
        result = command("sync", "pylock.toml", code=4)
    assert result.error == "hash-mismatch"
    assert asked in result.stderr
    assert file.sha256 in result.stderr
    assert "lib-1.0-py3-none-any.whl" in result.stderr
    assert not list(command.store.glob(f"*/{file.sha256[:2]}/{file.sha256[:32]}"))


def test_wheel_that_is_not_what_the_requirements_say_shows_both_digests(command: Command, index: StockedIndex) -> None:
    asked = hashlib.sha256(b"what was pinned").hexdigest()
    command.write("requirements.txt", f"lib==1.0 --hash=sha256:{asked}\n")
    with command.unchanged():
        result = command("sync", "requirements.txt", code=4)
    assert asked in result.stderr
    assert index._roots["simple"]["lib"][0].sha256 in result.stderr


def test_wheel_that_is_not_what_its_page_says(command: Command, index: StockedIndex) -> None:
    offered = index._roots["simple"]["lib"][0]
    index.fail(path=WHEEL, body=b"x" * len(offered.data), times=99)
    with command.unchanged():
        result = command("install", "lib", code=4)
    assert result.error == "hash-mismatch"
    assert offered.sha256 in result.stderr


def test_one_failure_among_many_stops_the_others(command: Command, index: StockedIndex) -> None:
    names = [f"big{number}" for number in range(6)]
    for name in names:
        index.wheel(name)
        index.fail(path=f"/files/simple/{name}-*.whl", stall_after=10, times=99)
    index.fail(path=WHEEL, status=403, times=99)
    with command.unchanged():
        result = command("install", "lib", *names, code=3)
    assert result.error == "index-unauthorized"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few megabytes."""
    place = tmp_path / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=12m,mode=0700", "tmpfs", str(place)]
    if sys.platform != "linux" or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("this user may not mount a small file system; the limit on file sizes below needs no right")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_disk_that_is_full_while_downloading(command: Command, index: StockedIndex, small_disk: Path) -> None:
    index.wheel("lib", files={"lib/data.bin": os.urandom(20_000_000)}, compress=False)
    store = small_disk / "store"
    with command.unchanged():
        result = command("install", "lib", "--cache-dir", store, code=7)
    assert result.error == "disk-full"
    assert str(store) in result.stderr
    assert list((store / "staging").iterdir()) == []


def test_disk_that_is_full_while_unpacking(command: Command, index: StockedIndex, small_disk: Path) -> None:
    index.wheel("lib", files={f"lib/{number}.txt": bytes(2_000_000) for number in range(10)})
    store = small_disk / "store"
    with command.unchanged():
        result = command("install", "lib", "--cache-dir", store, code=7)
    assert result.error == "disk-full"
    assert list((store / "staging").iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="limits of processes")
@pytest.mark.parametrize("limit", [50_000, 150_000])
def test_file_size_limit_while_downloading(command: Command, index: StockedIndex, limit: int) -> None:
    """Needs no root: writing fails with EFBIG, as a quota or a full disk would."""
    script = (
        "import os, resource, sys\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        "os.execv(sys.executable, [sys.executable, '-m', 'safe_install', *sys.argv[1:]])\n"
    )
    with command.unchanged():
        done = subprocess.run(
            [sys.executable, "-c", script, "install", "lib"],
            cwd=command.folder,
            env=command.variables,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 7, done.stderr
    assert "lib-1.0-py3-none-any.whl" in done.stderr
