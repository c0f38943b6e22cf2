"""How a store is shared is chosen when it is made, found from its folder, and can be changed."""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING

import pytest
from helpers.capabilities import unix_only
from helpers.storage import add_wheel

from safe_install.errors import InputError, PolicyError, StoreError
from safe_install.events import ignore
from safe_install.models import Sharing
from safe_install.store.creation import create_store
from safe_install.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = unix_only

MODES = {
    Sharing.PRIVATE: (0o700, 0o700),
    Sharing.GROUP: (0o2770, 0o2775),
    Sharing.PUBLIC: (0o755, 0o755),
}


def create(root: Path, sharing: Sharing | None = None, group: str | None = None) -> None:
    create_store(root, sharing, group, budget=1, sink=ignore)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def fill(root: Path) -> Path:
    return add_wheel(Store.open(root), "demo")


@pytest.mark.parametrize("umask", [0o000, 0o027, 0o077])
@pytest.mark.parametrize("sharing", Sharing)
def test_modes_are_those_of_the_way_it_is_shared_whatever_the_umask(
    tmp_path: Path, sharing: Sharing, umask: int
) -> None:
    root = tmp_path / "store"
    old = os.umask(umask)
    try:
        create(root, sharing)
        entry = fill(root)
    finally:
        os.umask(old)
    outer, inner = MODES[sharing]
    assert mode(root) == outer
    folders = [root / "wheels-1", root / "wheels-1" / "ab", root / "locks", root / "staging", entry, entry / "tree"]
    assert {path.name: mode(path) for path in [*folders, entry / "tree" / "demo"]} == dict.fromkeys(
        [*(path.name for path in folders), "demo"], inner
    )
    assert mode(root / "store.json") == 0o644
    for path in (entry / "manifest.json", entry / "tree" / "demo" / "__init__.py"):
        assert mode(path) == 0o444
    assert json.loads((root / "store.json").read_text())["sharing"] == sharing.value


@pytest.mark.parametrize("after", Sharing)
@pytest.mark.parametrize("before", Sharing)
def test_a_store_can_be_shared_in_another_way_later(tmp_path: Path, before: Sharing, after: Sharing) -> None:
    root = tmp_path / "store"
    create(root, before)
    entry = fill(root)
    create(root, after)
    outer, inner = MODES[after]
    assert mode(root) == outer
    assert {mode(path) for path in (root / "wheels-1", entry, entry / "tree", root / "locks")} == {inner}
    assert Store.open(root).info().entries == 1
    assert mode(fill(root)) == inner


def test_without_a_wish_the_folder_decides(tmp_path: Path) -> None:
    for name, prepared, sharing in (("a", 0o2770, "group"), ("b", 0o2775, "group"), ("c", 0o755, "private")):
        root = tmp_path / name
        root.mkdir()
        os.chmod(root, prepared)
        create(root)
        assert json.loads((root / "store.json").read_text())["sharing"] == sharing
        assert mode(root) == (prepared if sharing == "group" else 0o700)


def test_a_group_is_named_by_number_or_name(tmp_path: Path) -> None:
    create(tmp_path / "store", Sharing.GROUP, str(os.getegid()))
    assert (tmp_path / "store" / "locks").stat().st_gid == os.getegid()
    with pytest.raises(InputError) as caught:
        create(tmp_path / "other", Sharing.GROUP, "no-such-group")
    assert caught.value.code == "group-unknown"
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("bits", [0o020, 0o002, 0o2020])
def test_private_stores_that_others_can_write_are_refused_until_their_owner_says_so(tmp_path: Path, bits: int) -> None:
    root = Store.open(tmp_path / "store").root
    os.chmod(root, 0o700 | bits)
    with pytest.raises(PolicyError) as caught:
        Store.open(root)
    assert caught.value.code == "store-unsafe"
    assert "chmod" in (caught.value.hint or "")
    create(root, Sharing.PRIVATE)
    Store.open(root)


def test_a_marker_that_says_group_counts_nothing_without_the_mode_that_only_the_owner_gives(tmp_path: Path) -> None:
    """Who can write the folder can write the marker."""
    root = Store.open(tmp_path / "store").root
    os.chmod(root, 0o770)
    document = json.loads((root / "store.json").read_text())
    (root / "store.json").unlink()
    (root / "store.json").write_text(json.dumps({**document, "sharing": "group"}))
    with pytest.raises(PolicyError):
        Store.open(root)


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "project" / "src").mkdir(parents=True)
    before = mode(tmp_path / "project")
    with pytest.raises(StoreError) as caught:
        create(tmp_path / "project", Sharing.GROUP)
    assert caught.value.code == "store-not-ours"
    assert mode(tmp_path / "project") == before
    assert os.listdir(tmp_path / "project") == ["src"]
