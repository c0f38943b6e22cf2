"""Who uses what at the moment, as far as it is known; nothing rests on it."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from safe_install.events import Event, Noticed
from safe_install.locks.processes import Process
from safe_install.store import leases
from safe_install.store.layout import Layout
from safe_install.store.leases import OwnLease, file_system_time, read_leases

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


def own(layout: Layout, events: list[Event] | None = None) -> OwnLease:
    return OwnLease(layout, job="https://ci.test/7", sink=(events if events is not None else []).append)


def test_nothing_is_written_before_something_is_used(layout: Layout) -> None:
    own(layout).use([])
    assert list(layout.root.iterdir()) == []
    assert read_leases(layout) == []


def test_it_tells_who_uses_what_for_what(layout: Layout) -> None:
    lease = own(layout)
    lease.use([layout.root / "wheels-1" / "ab" / "abc"])
    lease.use([layout.root / "files-1" / "cd" / "cde", layout.root / "wheels-1" / "ab" / "abc"])
    lease.name_environment("/ci/.venv")
    (found,) = read_leases(layout)
    assert found.process == Process.this()
    assert (found.job, found.environment) == ("https://ci.test/7", "/ci/.venv")
    assert found.entries == {"wheels-1/ab/abc", "files-1/cd/cde"}
    assert found.is_live(file_system_time(layout))
    lease.close()


def test_entries_of_other_stores_are_left_out(layout: Layout, tmp_path: Path) -> None:
    lease = own(layout)
    lease.use([tmp_path.parent / "elsewhere"])
    assert read_leases(layout) == []


def test_it_is_gone_when_it_was_given_back_and_stays_gone(layout: Layout) -> None:
    lease = own(layout)
    lease.use([layout.root / "wheels-1" / "ab" / "abc"])
    lease.close()
    lease.use([layout.root / "wheels-1" / "ab" / "abd"])
    lease.name_environment("/ci/.venv")
    assert list(layout.leases.iterdir()) == []


def test_that_of_a_process_that_was_killed_is_not_live(layout: Layout) -> None:
    script = f"""
import os, pathlib
from safe_install.store.layout import Layout
from safe_install.store.leases import OwnLease
layout = Layout(pathlib.Path({str(layout.root)!r}))
OwnLease(layout, job=None, sink=print).use([layout.root / "wheels-1" / "ab" / "abc"])
os._exit(9)
"""
    subprocess.run([sys.executable, "-c", script], check=False)
    (found,) = read_leases(layout)
    assert found.entries == {"wheels-1/ab/abc"}
    assert not found.is_live(file_system_time(layout))


def test_one_of_another_host_is_live_until_it_gives_no_sign_for_long(layout: Layout) -> None:
    lease = own(layout)
    lease.use([layout.root / "wheels-1" / "ab" / "abc"])
    (file,) = layout.leases.iterdir()
    file.write_text(file.read_text().replace(Process.this().machine, "another machine"))
    (found,) = read_leases(layout)
    assert found.is_live(found.beaten + found.expiry - 1)
    assert not found.is_live(found.beaten + found.expiry)
    lease.close()


def test_the_clock_of_the_file_system_decides(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    lease = own(layout)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    lease.use([layout.root / "wheels-1" / "ab" / "abc"])
    (found,) = read_leases(layout)
    assert abs(found.beaten - file_system_time(layout)) < 60
    lease.close()


@pytest.mark.parametrize(
    "garbage", [b"", b"\xff\x00", b"[]\n", b'{"pid": 1}\n', b'{"entries": 7}\n', b'{"entries": ["x"]}']
)
def test_garbage_keeps_nothing_and_stops_nobody(layout: Layout, garbage: bytes) -> None:
    layout.leases.mkdir()
    (layout.leases / "some.jsonl").write_bytes(garbage)
    (found,) = read_leases(layout)
    assert (found.process, found.entries) == (None, frozenset())


def test_a_half_written_last_line_costs_only_itself(layout: Layout) -> None:
    lease = own(layout)
    lease.use([layout.root / "wheels-1" / "ab" / "abc"])
    (file,) = layout.leases.iterdir()
    with file.open("ab") as stream:
        stream.write(b'{"entries": ["wheels-1/cd/c')
    (found,) = read_leases(layout)
    assert found.entries == {"wheels-1/ab/abc"}
    lease.close()


def test_one_that_cannot_be_written_is_no_error(layout: Layout) -> None:
    layout.leases.write_text("a file")
    events: list[Event] = []
    lease = own(layout, events)
    lease.use([layout.root / "wheels-1" / "ab" / "abc"])
    lease.use([layout.root / "wheels-1" / "ab" / "abd"])
    lease.close()
    assert [type(event) for event in events] == [Noticed]


def test_a_sign_of_life_is_given_while_it_is_held(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    from helpers.processes import wait_until

    monkeypatch.setattr(leases, "_BEAT_SECONDS", 0.01)
    lease = own(layout)
    lease.use([layout.root / "wheels-1" / "ab" / "abc"])
    (file,) = layout.leases.iterdir()
    os.utime(file, (0, 0))
    wait_until(lambda: file.stat().st_mtime > 0)
    lease.close()


@pytest.mark.parametrize("what", ["clock", "lease", "end of a lease"])
def test_a_disk_that_is_full_only_when_a_file_is_closed_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """NFS tells of writes that failed when a file is synchronised or closed (write(2), close(2))."""
    layout = Layout(tmp_path)
    layout.leases.mkdir()
    close = os.close

    def full(descriptor: int) -> None:
        close(descriptor)
        raise OSError(errno.ENOSPC, "No space left on device")

    def full_already(*_arguments: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "close", full)
    if what == "clock":
        with pytest.raises(OSError, match="No space left"):
            file_system_time(layout)
    else:
        if what == "lease":
            monkeypatch.setattr(os, "write", full_already)
        told: list[Event] = []
        lease = OwnLease(layout, job=None, sink=told.append)
        lease.use([layout.root / "wheels-1" / "ab" / "x"])
        lease.close()
    monkeypatch.undo()
    assert list(layout.leases.iterdir()) == []
