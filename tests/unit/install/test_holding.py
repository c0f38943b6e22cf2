from __future__ import annotations

from pathlib import Path

import pytest
from helpers.capabilities import needs_rights, needs_symlinks
from helpers.environments import install

from safe_install.errors import LockTimeoutError, TargetError
from safe_install.events import Event, Waiting, ignore
from safe_install.install.environment import Place
from safe_install.install.holding import hold_environment, lock_of


def test_the_lock_lies_beside_and_survives_the_environment(tmp_path: Path) -> None:
    assert lock_of(str(tmp_path / "env")) == tmp_path / ".env.safe-install.lock"
    with hold_environment(tmp_path / "env", timeout=0, sink=ignore) as state:
        assert state.place is Place.ABSENT
    assert (tmp_path / ".env.safe-install.lock").exists()


def test_folders_above_are_made(tmp_path: Path) -> None:
    with hold_environment(tmp_path / "a" / "b" / "env", timeout=0, sink=ignore):
        assert (tmp_path / "a" / "b").is_dir()


def test_who_waits_is_told_for_what_and_whom(tmp_path: Path) -> None:
    events: list[Event] = []
    with (
        hold_environment(tmp_path / "env", timeout=0, sink=ignore, job="job 7"),
        pytest.raises(LockTimeoutError) as caught,
        hold_environment(tmp_path / "env", timeout=0, sink=events.append),
    ):
        pass
    assert caught.value.code == "lock-timeout"
    (waiting,) = [event for event in events if isinstance(event, Waiting)]
    assert str(tmp_path / "env") in waiting.lock
    assert "job 7" in waiting.holder


@needs_symlinks
def test_two_names_of_one_environment_have_one_lock(tmp_path: Path) -> None:
    install(tmp_path / "env", [], scratch=tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "env")
    assert lock_of(str(tmp_path / "link")) == lock_of(str(tmp_path / "env"))


@needs_rights
def test_where_the_parent_cannot_be_written_the_lock_lies_inside(tmp_path: Path) -> None:
    root = tmp_path / "mnt" / "env"
    root.mkdir(parents=True)
    root.parent.chmod(0o555)
    try:
        with hold_environment(root, timeout=0, sink=ignore) as state:
            assert state.place is Place.EMPTY
            assert (root / ".safe-install.lock").exists()
        install(root, [], scratch=tmp_path)
        install(root, [], scratch=tmp_path)
    finally:
        root.parent.chmod(0o755)


def test_a_file_above_is_no_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for root in (tmp_path / "file" / "env", tmp_path / "file" / "a" / "env"):
        with pytest.raises(TargetError) as caught, hold_environment(root, timeout=0, sink=ignore):
            pass
        assert caught.value.code == "environment-is-a-file"


def test_what_a_killed_run_staged_is_removed_but_nothing_of_another_environment(tmp_path: Path) -> None:
    from safe_install.install import staging

    with staging.staged(str(tmp_path / "env"), sink=ignore) as place:
        left = Path(place).parent.rename(tmp_path / (Path(place).parent.name + "dead"))
    with staging.staged(str(tmp_path / "other"), sink=ignore) as place:
        foreign = Path(place).parent
        (left / "env" / "lib").mkdir(parents=True)
        with hold_environment(tmp_path / "env", timeout=0, sink=ignore):
            assert not left.exists()
            assert foreign.exists()
