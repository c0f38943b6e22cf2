"""Somebody cleans the store up between finding an entry and using it: it is got again (design promise 9)."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Any

import pytest
from helpers.capabilities import linux_only
from helpers.command import Command
from helpers.herd import write_lock
from helpers.stocked_index import StockedIndex

from safe_install.engine import environments
from safe_install.engine.install import install
from safe_install.engine.report import Outcome, Recorder
from safe_install.engine.session import Session, Surroundings
from safe_install.engine.sync import sync
from safe_install.engine.target import attach
from safe_install.errors import StoreError
from safe_install.events import Event, PhaseStarted
from safe_install.install.attaching import attached_to
from safe_install.models import Isolation, LinkMode
from safe_install.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from safe_install.models import Digest
    from safe_install.store.trees import WheelTree


@pytest.fixture
def index() -> Iterator[StockedIndex]:
    with StockedIndex() as index:
        yield index


class Job:
    """A session whose store loses all wheels, or files, at one event of it."""

    def __init__(self, folder: Path, index: StockedIndex, **options: Any) -> None:
        self.recorder = Recorder()
        self.lost = 0
        self.store = folder / "store"
        self.venv = folder / "venv"
        self.command = Command(home=folder / "home", folder=folder / "work")
        self._settings = Settings(
            venv=self.venv,
            cache_dir=self.store,
            scratch=folder / "scratch",
            index_url=index.url,
            compile_bytecode=False,
            retry_budget=0.0,
            **options,
        )
        self._surroundings = Surroundings(
            variables=self.command.variables, folder=folder, python=sys.executable, cache_dir=self.store
        )

    def run(
        self, work: Callable[[Session], Outcome], *, bucket: str, when: Callable[[Event], bool], times: int = 1
    ) -> Outcome:
        def sink(event: Event) -> None:
            self.recorder.note(event)
            if self.lost < times and when(event):
                self.lost += 1
                for entry in (self.store / bucket).glob("*/*"):
                    shutil.rmtree(entry) if entry.is_dir() else entry.unlink()

        with Session(self._settings, self._surroundings, sink) as session:
            return work(session)

    @property
    def told(self) -> list[str]:
        return [event.kind for event in self.recorder.step_downs]


def linking(event: Event) -> bool:
    return isinstance(event, PhaseStarted) and event.phase == "link"


def test_a_wheel_that_vanishes_before_it_is_linked_is_fetched_again(tmp_path: Path, index: StockedIndex) -> None:
    file = index.wheel("one")
    lock = write_lock(tmp_path / "pylock.toml", index, file)
    job = Job(tmp_path, index)
    job.run(lambda session: sync(session, [str(lock)]), bucket="wheels-1", when=linking)
    assert job.lost == 1
    assert job.command.installed(job.venv) == {"one": "1.0"}
    assert job.told == ["entry-vanished"]
    assert index.count(f"/files/*/{file.filename}") == 2


@linux_only
def test_an_image_that_vanishes_before_it_is_linked_is_done_without(tmp_path: Path, index: StockedIndex) -> None:
    files = [index.wheel("one"), index.wheel("two")]
    lock = write_lock(tmp_path / "pylock.toml", index, *files)
    job = Job(tmp_path, index)
    job.run(lambda session: sync(session, [str(lock)]), bucket="images-1", when=linking)
    assert job.lost == 1
    assert job.command.installed(job.venv) == {"one": "1.0", "two": "1.0"}
    assert job.told == ["entry-vanished"]
    assert [index.count(f"/files/*/{file.filename}") for file in files] == [1, 1]


def test_an_image_that_vanishes_before_it_is_attached_is_made_again(
    tmp_path: Path, index: StockedIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An environment that is to be attached is never linked instead."""
    lock = write_lock(tmp_path / "pylock.toml", index, index.wheel("one"), index.wheel("two"))
    job = Job(tmp_path, index, link_mode=LinkMode.ATTACH, isolation=Isolation.SHARED)
    images: list[Path] = []

    def attach_too_late(session: Session, state: Any, target: Any, image: Path, options: Any) -> Any:
        if not images:
            shutil.rmtree(image)
        images.append(image)
        return attach(session, state, target, image, options)

    monkeypatch.setattr(environments, "attach", attach_too_late)
    job.run(lambda session: sync(session, [str(lock)]), bucket="none", when=linking)
    assert job.told == ["entry-vanished"]
    assert images[0] == images[1]
    assert attached_to(str(job.venv)) == str(images[1])
    assert job.command.run_python("import one, two; print(two.__file__)", job.venv).startswith(str(images[1]))


def test_one_that_vanishes_again_and_again_is_an_error_that_changes_nothing(
    tmp_path: Path, index: StockedIndex
) -> None:
    lock = write_lock(tmp_path / "pylock.toml", index, index.wheel("one"))
    job = Job(tmp_path, index)
    with pytest.raises(StoreError) as caught:
        job.run(lambda session: sync(session, [str(lock)]), bucket="wheels-1", when=linking, times=9)
    assert caught.value.code == "entry-vanished"
    assert not job.venv.exists()


def test_a_wheel_that_a_build_needs_is_got_again(tmp_path: Path, index: StockedIndex) -> None:
    index.wheel("tool")
    lock = write_lock(tmp_path / "pylock.toml", index, index.sdist("source", build_requires=["tool"]))
    job = Job(tmp_path, index)
    job.run(lambda session: sync(session, [str(lock)]), bucket="wheels-1", when=linking)
    assert job.command.installed(job.venv) == {"source": "1.0"}
    assert job.told == ["entry-vanished"]


def test_a_source_archive_that_vanishes_before_it_is_unpacked_is_fetched_again(
    tmp_path: Path, index: StockedIndex
) -> None:
    file = index.sdist("source")
    lock = write_lock(tmp_path / "pylock.toml", index, file)
    job = Job(tmp_path, index)

    def work(session: Session) -> Outcome:
        flights = session.flights
        get = flights.get

        def lose(kind: str, *rest: object, **options: object) -> object:
            if kind == "build":
                for entry in (job.store / "files-1").glob("*/*"):
                    entry.unlink()
            return get(kind, *rest, **options)  # type: ignore[arg-type]  # as it was called

        flights.get = lose  # type: ignore[method-assign,assignment]  # somebody cleans up between the two flights
        return sync(session, [str(lock)])

    job.run(work, bucket="files-1", when=lambda event: False)
    assert job.command.installed(job.venv) == {"source": "1.0"}
    assert index.count(f"/files/*/{file.filename}") == 2


def test_a_wheel_that_vanishes_before_its_metadata_are_read_is_asked_of_the_index(
    tmp_path: Path, index: StockedIndex
) -> None:
    index.wheel("one")
    job = Job(tmp_path, index)

    def work(session: Session) -> Outcome:
        return install(session, requirements=["one"], files=[], editables=[], groups=[])

    def work_with_losses(session: Session) -> Outcome:
        store = session.store
        find = store.wheel

        def lose(digest: Digest) -> WheelTree | None:
            found = find(digest)
            if found is not None and not job.lost:
                job.lost += 1
                shutil.rmtree(found.folder)
            return found

        store.wheel = lose  # type: ignore[method-assign]  # somebody cleans up right after the look
        return work(session)

    job.run(work, bucket="wheels-1", when=lambda event: False)
    shutil.rmtree(job.venv)
    job.run(work_with_losses, bucket="wheels-1", when=lambda event: False)
    assert job.command.installed(job.venv) == {"one": "1.0"}
    assert job.told == ["entry-vanished"]
