"""Files are placed as Windows can: blocks are shared on ReFS, and copied elsewhere; hard links only when asked for.

``SAFE_INSTALL_TESTS_REFS=DIR`` names a folder on ReFS (a Dev Drive); a disk that shares no blocks fails its test.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from helpers.faults import failing

from safe_install.errors import StoreError
from safe_install.fs.link import LinkEntry, Linker
from safe_install.models import LinkMode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from safe_install.events import Event

pytestmark = pytest.mark.skipif(sys.platform != "win32", reason="the system calls of Windows")

ENTRIES = [LinkEntry("module.py", executable=False), LinkEntry("tool.exe", executable=True)]
TIME = 978307200 * 10**9
TOO_MANY_LINKS = 1142
NOT_SUPPORTED = 50
SHARING_VIOLATION = 32


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with an entry of the store, and one for what is placed."""
    return prepare(tmp_path)


@pytest.fixture
def refs() -> Iterator[Path]:
    if not (named := os.environ.get("SAFE_INSTALL_TESTS_REFS")):
        pytest.skip("no disk with ReFS: name a folder on one in SAFE_INSTALL_TESTS_REFS")
    with tempfile.TemporaryDirectory(dir=named) as folder:
        yield prepare(Path(folder))


def prepare(folder: Path) -> Path:
    (folder / "store").mkdir()
    (folder / "env").mkdir()
    for name, _ in ENTRIES:
        (folder / "store" / name).write_bytes(name.encode() * 1000)
        os.utime(folder / "store" / name, ns=(TIME, TIME))
    return folder


def link(folder: Path, mode: LinkMode, entries: list[LinkEntry] = ENTRIES) -> tuple[Linker, list[Event]]:
    events: list[Event] = []
    linker = Linker(mode, sink=events.append, retry_budget=0)
    linker.link_files(str(folder / "store"), str(folder / "env"), entries)
    for name, _ in entries:
        assert (folder / "env" / name).read_bytes() == (folder / "store" / name).read_bytes()
        assert (folder / "env" / name).stat().st_mtime_ns == (folder / "store" / name).stat().st_mtime_ns
    return linker, events


def refusal(code: int) -> OSError:
    return OSError(0, "refused", None, code)


def test_a_copy_where_no_blocks_can_be_shared_is_usual_and_only_reported(place: Path) -> None:
    with failing("ftruncate", "", refusal(NOT_SUPPORTED), times=None) as fault:
        linker, events = link(place, LinkMode.AUTO)
    assert len(fault.hits) == 1
    assert linker.used == {LinkMode.COPY: 2}
    assert linker.reason is not None
    assert linker.reason.startswith("reflink failed with: ")
    assert events == []


def test_an_explicit_mode_that_is_refused_fails_and_leaves_nothing(place: Path) -> None:
    for mode, call, code in (
        (LinkMode.REFLINK, "ftruncate", NOT_SUPPORTED),
        (LinkMode.HARDLINK, "link", TOO_MANY_LINKS),
    ):
        with failing(call, "", refusal(code)), pytest.raises(StoreError) as caught:
            link(place, mode)
        assert caught.value.code == "link-mode-impossible"
        assert os.listdir(place / "env") == []


def test_hard_links_are_made_when_they_are_asked_for(place: Path) -> None:
    link(place, LinkMode.HARDLINK)
    assert all(os.path.samefile(place / "store" / name, place / "env" / name) for name, _ in ENTRIES)


def test_a_file_that_a_scanner_holds_for_a_moment_is_tried_again(place: Path) -> None:
    linker = Linker(LinkMode.COPY, sink=lambda event: None, retry_budget=5)
    with failing("utime", "module.py", refusal(SHARING_VIOLATION), times=2) as fault:
        linker.link_files(str(place / "store"), str(place / "env"), ENTRIES)
    assert len(fault.hits) == 2
    assert (place / "env" / "module.py").read_bytes() == b"module.py" * 1000


def test_the_size_of_clusters_is_known(place: Path) -> None:
    if sys.platform == "win32":  # also for the type checker
        from safe_install.fs._placing_windows import _cluster_of

        with (place / "store" / "module.py").open("rb") as file:
            size = _cluster_of(file.fileno())
        assert size >= 512
        assert size & (size - 1) == 0


def test_blocks_are_shared_on_refs_whatever_the_size_of_a_file(refs: Path) -> None:
    entries = []
    for size in (0, 1, 4095, 4096, 4097, 65_535, 65_536, 65_537, 5_000_001):
        entries.append(LinkEntry(f"{size}.bin", executable=False))
        (refs / "store" / f"{size}.bin").write_bytes(os.urandom(size))
    linker, events = link(refs, LinkMode.REFLINK, entries)
    assert linker.used == {LinkMode.REFLINK: len(entries)}
    assert events == []
    with (refs / "env" / "5000001.bin").open("r+b") as file:
        file.write(b"changed")
    assert not (refs / "store" / "5000001.bin").read_bytes().startswith(b"changed")
