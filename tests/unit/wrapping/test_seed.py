"""`safe_install.wrapping.seed`: whatever a job does to its cache, the seed stays; half of a copy is never current."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from helpers.capabilities import unix_only

from safe_install.errors import StoreError
from safe_install.events import SteppedDown, ignore
from safe_install.wrapping import seed as module
from safe_install.wrapping.seed import ToolSeed, copy_cache

if TYPE_CHECKING:
    from safe_install.events import Event


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    folder = tmp_path / "cache"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "file").write_text("content")
    (folder / "tool").write_text("#!")
    (folder / "tool").chmod(0o755)
    return folder


def publish(seed: ToolSeed, cache: Path) -> None:
    assert seed.publish(cache, lock_timeout=10, job=None)


def test_without_a_seed_the_cache_is_empty(tmp_path: Path) -> None:
    assert not ToolSeed(tmp_path / "seed", sink=ignore).fill(tmp_path / "mine")
    assert list((tmp_path / "mine").iterdir()) == []


def test_copy_is_the_jobs_own(tmp_path: Path, cache: Path) -> None:
    seed = ToolSeed(tmp_path / "seed", sink=ignore)
    publish(seed, cache)
    assert seed.fill(tmp_path / "mine")
    file = tmp_path / "mine" / "deep" / "er" / "file"
    assert file.read_text() == "content"
    assert os.access(tmp_path / "mine" / "tool", os.X_OK)
    file.write_text("broken")
    (tmp_path / "mine" / "tool").unlink()
    assert seed.fill(tmp_path / "next")
    assert (tmp_path / "next" / "deep" / "er" / "file").read_text() == "content"
    assert (cache / "deep" / "er" / "file").read_text() == "content"


@unix_only
def test_links_lead_into_the_copy(tmp_path: Path, cache: Path) -> None:
    (cache / "absolute").symlink_to(cache / "deep" / "er")
    (cache / "deep" / "relative").symlink_to("er/file")
    (cache / "outside").symlink_to("/nowhere")
    copy_cache(cache, tmp_path / "mine", sink=ignore)
    cache.rename(tmp_path / "gone")
    assert (tmp_path / "mine" / "absolute" / "file").read_text() == "content"
    assert (tmp_path / "mine" / "deep" / "relative").read_text() == "content"
    assert (tmp_path / "mine" / "outside").readlink() == Path("/nowhere")


def test_newest_generation_counts_and_the_old_one_stays_for_a_while(tmp_path: Path, cache: Path) -> None:
    seed = ToolSeed(tmp_path / "seed", sink=ignore)
    publish(seed, cache)
    (cache / "new").write_text("new")
    publish(seed, cache)
    assert seed.fill(tmp_path / "mine")
    assert (tmp_path / "mine" / "new").exists()

    def age() -> int:
        generations = list((tmp_path / "seed").glob("generation-*"))
        for path in generations:
            os.utime(path, (1, 1))
        return len(generations)

    # What was current until now is old from now on, however long ago it was made.
    for _ in range(3):
        assert age() == 2
        publish(seed, cache)
    assert (tmp_path / "seed" / (tmp_path / "seed" / "current").read_text()).is_dir()


def test_publishing_that_fails_leaves_the_old_generation(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = ToolSeed(tmp_path / "seed", sink=ignore)
    publish(seed, cache)
    (cache / "new").write_text("new")

    def fail(*_arguments: object, **_options: object) -> None:
        raise StoreError("the disk is full", code="full")

    with monkeypatch.context() as patch:
        patch.setattr(module, "copy_cache", fail)
        with pytest.raises(StoreError, match="full"):
            seed.publish(cache, lock_timeout=10, job=None)
    assert seed.fill(tmp_path / "mine")
    assert not (tmp_path / "mine" / "new").exists()


@pytest.mark.parametrize("text", ["", "../cache", "generation-of-nobody", "generation-/../../cache", "\0"])
def test_pointer_that_leads_nowhere_is_no_seed(tmp_path: Path, cache: Path, text: str) -> None:
    (tmp_path / "seed").mkdir()
    (tmp_path / "seed" / "current").write_text(text)
    assert not ToolSeed(tmp_path / "seed", sink=ignore).fill(tmp_path / "mine")


def test_seed_that_cannot_be_copied_is_told_and_passed_by(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Event] = []
    seed = ToolSeed(tmp_path / "seed", sink=told.append)
    publish(seed, cache)

    def fail(_source: Path, target: Path, **_options: object) -> None:
        target.mkdir()
        (target / "half").write_text("")
        raise StoreError("it is gone", code="gone")

    monkeypatch.setattr(module, "copy_cache", fail)
    assert not seed.fill(tmp_path / "mine")
    assert list((tmp_path / "mine").iterdir()) == []
    assert [event.kind for event in told if isinstance(event, SteppedDown)] == ["seed-passed-by"]


def test_many_publish_and_fill_at_once(tmp_path: Path, cache: Path) -> None:
    seed = ToolSeed(tmp_path / "seed", sink=ignore)
    publish(seed, cache)
    filled = []

    def work(number: int) -> None:
        if number % 3 == 0:
            publish(seed, cache)
        else:
            mine = tmp_path / f"mine{number}"
            filled.append(seed.fill(mine) and (mine / "deep" / "er" / "file").read_text() == "content")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert filled == [True] * 8


@unix_only
@pytest.mark.parametrize("what", ["root", "parent"])
def test_seed_that_others_can_write_is_not_read(tmp_path: Path, cache: Path, what: str) -> None:
    told: list[Event] = []
    root = tmp_path / "tools" / "seed"
    publish(ToolSeed(root, sink=ignore), cache)
    folder = root if what == "root" else root.parent
    folder.chmod(0o777)
    seed = ToolSeed(root, sink=told.append)
    assert not seed.fill(tmp_path / "mine")
    assert [event.kind for event in told if isinstance(event, SteppedDown)] == ["seed-passed-by"]
    with pytest.raises(StoreError) as caught:
        seed.publish(cache, lock_timeout=10, job=None)
    assert caught.value.code == "seed-unsafe"


@unix_only
def test_pointer_and_generation_are_no_links_and_no_pipes(tmp_path: Path, cache: Path) -> None:
    root = tmp_path / "seed"
    seed = ToolSeed(root, sink=ignore)
    publish(seed, cache)
    pointer = root / "current"
    generation = root / pointer.read_text()
    generation.rename(tmp_path / "elsewhere")
    generation.symlink_to(tmp_path / "elsewhere")
    assert not seed.fill(tmp_path / "a")
    pointer.unlink()
    os.mkfifo(pointer)
    assert not seed.fill(tmp_path / "b")


def test_failed_publication_leaves_no_half(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seed = ToolSeed(tmp_path / "seed", sink=ignore)

    def fail(_source: Path, target: Path, **_options: object) -> None:
        target.mkdir()
        (target / "half").write_text("")
        raise StoreError("the disk is full", code="full")

    monkeypatch.setattr(module, "copy_cache", fail)
    with pytest.raises(StoreError):
        seed.publish(cache, lock_timeout=10, job=None)
    assert list((tmp_path / "seed").glob("generation-*")) == []
