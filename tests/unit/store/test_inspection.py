"""A whole store is checked to the last byte, and mended on request."""

from __future__ import annotations

import os
import shutil
import stat
from typing import TYPE_CHECKING

import pytest
from helpers.capabilities import unix_only
from helpers.storage import add_wheel, digest_of

from safe_install.events import PhaseAdvanced
from safe_install.store.documents import CachedPage
from safe_install.store.inspection import Findings, inspect
from safe_install.store.layout import BUILT
from safe_install.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from safe_install.events import Event


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store.open(tmp_path / "store")
    for name in ("one", "two", "three"):
        add_wheel(store, name)
    with store.stage_file() as staged:
        staged.write_bytes(b"an sdist")
        store.publish_file(staged, digest_of("an sdist"))
    store.publish_document(BUILT, digest_of("key"), {"wheel": "x"})
    store.publish_page(
        digest_of("page"), CachedPage(url="https://index.test/", content_type="text/html", body=b"x" * 50)
    )
    return store


def check(store: Store, *, repair: bool = False, events: list[Event] | None = None) -> Findings:
    sink = (events if events is not None else []).append
    reopened = Store.open(store.root) if repair else Store.open_for_reading(store.root)
    return inspect(reopened, repair=repair, job=None, budget=1, sink=sink)


def wheel(store: Store) -> Path:
    return store.layout.wheel(digest_of("one 1.0"))


def flip(path: Path) -> None:
    state = path.stat()
    os.chmod(path, 0o644)
    data = path.read_bytes()
    path.write_bytes(data[:-3] + bytes([data[-3] ^ 1]) + data[-2:])
    os.utime(path, ns=(state.st_mtime_ns, state.st_mtime_ns))
    os.chmod(path, stat.S_IMODE(state.st_mode))


def put_another_there(store: Store) -> None:
    shutil.rmtree(wheel(store))
    shutil.copytree(store.layout.wheel(digest_of("two 1.0")), wheel(store))


DAMAGES: dict[str, Callable[[Store], object]] = {
    "content": lambda store: flip(wheel(store) / "tree/one/__init__.py"),
    "missing": lambda store: (wheel(store) / "tree/one/__init__.py").unlink(),
    "extra": lambda store: (wheel(store) / "tree/x").touch(),
    "manifest": lambda store: flip(wheel(store) / "manifest.json"),
    "no manifest": lambda store: (wheel(store) / "manifest.json").unlink(),
    "another's": put_another_there,
    "file": lambda store: flip(store.layout.file(digest_of("an sdist"))),
    "document": lambda store: flip(store.layout.document(BUILT, digest_of("key"))),
    "page": lambda store: flip(store.layout.page(digest_of("page"), 1)),
}


def test_a_sound_store_has_nothing_to_tell(store: Store) -> None:
    events: list[Event] = []
    found = check(store, events=events)
    assert (found.entries, found.damaged, found.touched) == (6, [], {})
    assert found.bytes > 3000
    assert sum(event.amount for event in events if isinstance(event, PhaseAdvanced)) == 6


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_damage_is_found_and_nothing_is_changed(store: Store, damage: str) -> None:
    DAMAGES[damage](store)
    before = sorted(store.root.rglob("*"))
    (found,) = check(store).damaged
    assert found.problems
    assert not found.aside
    assert sorted(store.root.rglob("*")) == before


@pytest.mark.parametrize("damage", DAMAGES)
def test_repair_puts_it_aside(store: Store, damage: str) -> None:
    DAMAGES[damage](store)
    (found,) = check(store, repair=True).damaged
    assert found.aside
    assert not found.path.exists()
    assert len(os.listdir(store.root / "quarantine")) == 1
    assert check(store).damaged == []
    assert check(store).entries == 5


@unix_only
def test_wrong_modes_and_times_are_told_by_verify_and_put_back_by_repair(store: Store) -> None:
    path = wheel(store) / "tree/one/__init__.py"
    os.chmod(path, 0o666)
    os.utime(path)
    name = f"wheels-1/{wheel(store).name}"
    for _ in range(2):
        found = check(store)
        assert (found.damaged, found.touched) == ([], {name: 1})
    found = check(store, repair=True)
    assert (found.damaged, found.touched) == ([], {name: 1})
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert check(store).touched == {}


def test_buckets_of_other_releases_are_left_alone(store: Store) -> None:
    strange = store.root / "wheels-9" / "ab" / ("ab" * 16)
    strange.mkdir(parents=True)
    assert check(store, repair=True).damaged == []
    assert strange.exists()
