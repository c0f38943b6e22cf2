"""Promise: an environment is changed whole or not at all, whatever fails, and whenever the process is killed.

Each scenario is run once to count the system calls that change something below the environment's parent. Then it is
run again for every single one of them, and that call fails, is interrupted by Ctrl-C, or is the last thing that the
process does.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from helpers.environments import environment_at, install, tree_of, wheel

from safe_install.errors import SafeInstallError
from safe_install.events import ignore
from safe_install.install.holding import hold_environment
from safe_install.models import LinkMode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from safe_install.install.placement import PreparedWheel

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="counts the system calls that Unix has")

# Those that take space, and those that do not.
GROWING = ("mkdir", "rename", "replace", "link", "open", "symlink")
SHRINKING = ("unlink", "rmdir", "chmod")


@dataclass
class Scenario:
    """One change: *prepare* makes the state before, *change* is what is disturbed."""

    root: Path
    prepare: Callable[[], None]
    change: Callable[[], None]


class Counter:
    """Calls *disturb* before the n-th call that changes something below *folder*; only counts when n is 0."""

    def __init__(
        self, folder: Path, at: int, disturb: Callable[[], None], calls: tuple[str, ...] = GROWING + SHRINKING
    ) -> None:
        self.count = 0
        self._calls = calls
        self._folder = str(folder)
        self._at = at
        self._disturb = disturb

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            for name in self._calls:
                stack.enter_context(mock.patch.object(os, name, self._wrapped(getattr(os, name), name)))
            yield

    def _wrapped(self, real: Callable[..., Any], name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            if self._concerns(name, arguments, keywords):
                self.count += 1
                if self.count == self._at:
                    self._disturb()
            return real(*arguments, **keywords)

        return call

    def _concerns(self, name: str, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> bool:
        if name == "open" and not (len(arguments) > 1 and arguments[1] & (os.O_CREAT | os.O_TRUNC)):
            return False
        places = [os.fspath(value) for value in arguments if isinstance(value, (str, os.PathLike))]
        for key in ("dir_fd", "dst_dir_fd"):
            if isinstance(keywords.get(key), int):
                places.append(os.readlink(f"/proc/self/fd/{keywords[key]}"))
        return any(str(place).startswith(self._folder) and ".lock" not in str(place) for place in places)


def scenarios(tmp_path: Path) -> dict[str, Callable[[], Scenario]]:
    """Every way in which `apply` works."""
    store, project = tmp_path / "store", tmp_path / "project"
    root = project / "env"
    commands = "[console_scripts]\ndemo = demo:main\n"
    old = wheel(store, "demo", "1.0", files={"demo/__init__.py": "1", "demo/old/x.py": ""}, entry_points=commands)
    new = wheel(store, "demo", "2.0", files={"demo/__init__.py": "2", "demo/new/y.py": ""}, entry_points=commands)
    other = wheel(store, "other", "1.0", files={"demo/__init__.py": "1", "other.py": ""})

    def start(*wheels: PreparedWheel, empty: bool = False, bare: bool = False) -> Callable[[], None]:
        def prepare() -> None:
            shutil.rmtree(project, ignore_errors=True)
            (root if empty else project).mkdir(parents=True)
            if wheels or bare:
                install(root, wheels, scratch=tmp_path)

        return prepare

    def change(*wheels: PreparedWheel, remove: tuple[str, ...] = (), **options: Any) -> Callable[[], None]:
        return lambda: void(install(root, wheels, scratch=tmp_path, remove=remove, **options))

    return {
        "new": lambda: Scenario(root, start(), change(old)),
        "new, hard links": lambda: Scenario(root, start(), change(old, link_mode=LinkMode.HARDLINK)),
        "in an empty folder": lambda: Scenario(root, start(empty=True), change(old)),
        "first wheel": lambda: Scenario(root, start(bare=True), change(old)),
        "replace": lambda: Scenario(root, start(old), change(new)),
        "replace with bytecode": lambda: Scenario(root, start(old), change(new, compile_bytecode=True)),
        "replace what another one shares": lambda: Scenario(root, start(old, other), change(new)),
        "remove": lambda: Scenario(root, start(old, other), change(remove=("demo",))),
    }


def void(_: object) -> None:
    """Nothing: a scenario has no result."""


def states(scenario: Scenario, calls: tuple[str, ...] = GROWING + SHRINKING) -> tuple[Any, Any, int]:
    """The trees before and after, and how many calls lie between."""
    scenario.prepare()
    before = tree_of(scenario.root) if scenario.root.exists() else None
    counter = Counter(scenario.root.parent, 0, lambda: None, calls)
    with counter.watching():
        scenario.change()
    return before, tree_of(scenario.root), counter.count


def state(root: Path) -> Any:
    return tree_of(root) if root.exists() else None


def left_over(scenario: Scenario) -> list[str]:
    parent = scenario.root.parent
    return [p.name for p in parent.iterdir() if p != scenario.root and not p.name.endswith((".lock", ".owner"))]


NAMES = [
    "new",
    "new, hard links",
    "in an empty folder",
    "first wheel",
    "replace",
    "replace with bytecode",
    "replace what another one shares",
    "remove",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["disk full", "ctrl-c"])
def test_whichever_call_fails_the_environment_is_as_before_or_done(tmp_path: Path, name: str, kind: str) -> None:
    scenario = scenarios(tmp_path)[name]()
    calls = GROWING if kind == "disk full" else GROWING + SHRINKING
    before, after, count = states(scenario, calls)
    assert before != after
    assert count > 5

    def disturb() -> None:
        if kind == "ctrl-c":
            raise KeyboardInterrupt
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for number in range(1, count + 1):
        scenario.prepare()
        counter = Counter(scenario.root.parent, number, disturb, calls)
        raised = None
        with counter.watching():
            try:
                scenario.change()
            except (SafeInstallError, KeyboardInterrupt) as error:
                raised = error
        found = state(scenario.root)
        assert found in (before, after), f"call {number} of {count}"
        if raised is None or isinstance(raised, SafeInstallError):
            assert (found == after) is (raised is None), f"call {number} of {count}: {raised}"
        assert not left_over(scenario), f"call {number} of {count}"


@pytest.mark.parametrize("name", NAMES)
def test_a_process_that_is_killed_at_any_call_is_cleaned_up_by_the_next(tmp_path: Path, name: str) -> None:
    scenario = scenarios(tmp_path)[name]()
    before, after, count = states(scenario)
    for number in range(1, count + 1):
        scenario.prepare()
        child = os.fork()
        if child == 0:
            counter = Counter(scenario.root.parent, number, lambda: os._exit(9))
            with counter.watching():
                scenario.change()
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 9, f"call {number} of {count}"
        with hold_environment(scenario.root, timeout=10, sink=ignore):
            pass
        assert state(scenario.root) in (before, after), f"call {number} of {count}"
        assert not left_over(scenario), f"call {number} of {count}"


@pytest.mark.parametrize("name", ["in an empty folder", "replace", "remove"])
def test_the_clean_up_itself_can_be_killed(tmp_path: Path, name: str) -> None:
    """Killed in the middle, and then killed again at every call of the undoing."""
    scenario = scenarios(tmp_path)[name]()
    before, after, count = states(scenario)
    scenario.prepare()

    def killed(number: int, work: Callable[[], None]) -> bool:
        child = os.fork()
        if child == 0:
            with Counter(scenario.root.parent, number, lambda: os._exit(9)).watching():
                work()
            os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9

    def clean_up() -> None:
        with hold_environment(scenario.root, timeout=10, sink=ignore):
            pass

    for number in range(1, 1000):
        scenario.prepare()
        assert killed(count * 3 // 4, scenario.change)
        if not killed(number, clean_up):
            break
        clean_up()
        assert state(scenario.root) in (before, after), f"call {number} of the undoing"
        assert not left_over(scenario)
    else:
        pytest.fail("the undoing never ends")


def test_a_journal_that_names_places_outside_is_not_obeyed(tmp_path: Path) -> None:
    """Every job of this user can write it."""
    root = tmp_path / "env"
    install(root, [], scratch=tmp_path)
    (tmp_path / "precious").write_text("mine")
    (root / ".safe-install" / "aside").mkdir(parents=True)
    (root / ".safe-install" / "journal.json").write_text(
        '{"format": 1, "aside": [], "new": ["../precious"], "folders": []}'
    )
    with pytest.raises(SafeInstallError) as caught, hold_environment(root, timeout=0, sink=ignore):
        pass
    assert caught.value.code == "environment-unfinished"
    assert (tmp_path / "precious").read_text() == "mine"


@pytest.mark.parametrize("text", ["", "{", '{"format": 99}', "[]"])
def test_a_journal_that_cannot_be_read_is_an_error_not_a_guess(tmp_path: Path, text: str) -> None:
    root = tmp_path / "env"
    install(root, [], scratch=tmp_path)
    (root / ".safe-install").mkdir()
    (root / ".safe-install" / "journal.json").write_text(text)
    with pytest.raises(SafeInstallError) as caught, hold_environment(root, timeout=0, sink=ignore):
        pass
    assert caught.value.code == "environment-unfinished"
    assert caught.value.hint


def test_a_file_that_vanishes_while_it_is_linked_undoes_the_change(tmp_path: Path) -> None:
    root = tmp_path / "env"
    install(root, [], scratch=tmp_path)
    before = tree_of(root)
    demo = wheel(tmp_path / "store")
    (demo.tree.tree / "demo" / "__init__.py").unlink()
    with pytest.raises(SafeInstallError) as caught:
        install(root, [demo], scratch=tmp_path, check_wheels=False)
    assert caught.value.code == "entry-vanished"
    assert tree_of(root) == before


def test_a_result_that_is_not_the_plan_is_no_success(tmp_path: Path) -> None:
    """Somebody removes a file while the environment is being filled."""
    root = tmp_path / "env"
    install(root, [], scratch=tmp_path)
    before = tree_of(root)
    module = Path(environment_at(root).purelib, "demo", "__init__.py")
    real = os.mkdir

    from safe_install.install import filling

    class Meddling(filling.Filling):
        def write_records(self, compiled: set[str]) -> None:
            super().write_records(compiled)
            module.unlink()

    assert real is os.mkdir
    with (
        mock.patch("safe_install.install.apply.Filling", Meddling),
        pytest.raises(SafeInstallError) as caught,
    ):
        install(root, [wheel(tmp_path / "store")], scratch=tmp_path)
    assert caught.value.code == "environment-check-failed"
    assert "demo/__init__.py is missing" in caught.value.context[0]
    assert tree_of(root) == before
