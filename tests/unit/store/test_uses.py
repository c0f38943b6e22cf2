"""A use is written down once an hour, and changes nothing that is checked."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest
from helpers.capabilities import unix_only
from helpers.faults import failing
from helpers.storage import add_pointer, add_wheel, digest_of

from safe_install.store.store import Store
from safe_install.store.uses import last_use, record_uses

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "store", retry_budget=0)


def used(path: Path) -> float:
    return last_use(path.parent.parent.name, path.lstat())


@pytest.mark.parametrize(("age", "written"), [(600.0, False), (7200.0, True), (-7200.0, True)])
def test_use_is_written_when_the_last_one_is_an_hour_ago_or_in_the_future(
    store: Store, age: float, written: bool
) -> None:
    entries = [add_wheel(store, "one", age=age), add_pointer(store, "one", age=age)]
    before = [used(path) for path in entries]
    record_uses(entries)
    assert [used(path) != old for path, old in zip(entries, before, strict=True)] == [written, written]
    if written:
        assert all(abs(used(path) - time.time()) < 600 for path in entries)


@unix_only
def test_use_of_a_file_leaves_the_time_that_is_checked(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with store.stage_file() as staged:
        staged.write_bytes(b"sdist")
        digest = digest_of("sdist")
        path = store.publish_file(staged, digest)
    before = path.stat()
    time.sleep(0.05)
    monkeypatch.setattr(time, "time", lambda: before.st_ctime + 7200)
    record_uses([path])
    after = path.stat()
    assert after.st_mtime_ns == before.st_mtime_ns
    assert used(path) > before.st_ctime
    assert store.file(digest) == path


def test_wheel_is_whole_after_its_use(store: Store) -> None:
    record_uses([add_wheel(store, "one", age=7200)])
    found = store.wheel(digest_of("one 1.0"))
    assert found is not None
    assert found.damage() == []


def test_what_cannot_be_written_or_is_gone_is_left(store: Store) -> None:
    entry, other = add_wheel(store, "one", age=7200), add_wheel(store, "two", age=7200)
    with failing("utime", str(entry), 30):
        record_uses([entry, store.root / "wheels-1" / "ab" / "missing", other])
    assert (time.time() - used(entry) > 7000, time.time() - used(other) < 600) == (True, True)
    assert os.path.isdir(entry)
