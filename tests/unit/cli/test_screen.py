from __future__ import annotations

import pytest

from safe_install.cli.output import Screen
from safe_install.events import SteppedDown


def damaged(number: int) -> SteppedDown:
    return SteppedDown(kind="damaged-entry", message=f"entry {number} was damaged")


def test_many_step_downs_of_a_kind_are_summed_up(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen({}, quiet=False, verbose=False, progress=False)
    for number in range(20):
        screen.note(damaged(number))
    screen.close()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 6
    assert lines[-1] == "warning: and 15 more of the kind damaged-entry; --report lists all"


def test_verbose_shows_every_step_down(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen({}, quiet=False, verbose=True, progress=False)
    for number in range(20):
        screen.note(damaged(number))
    screen.close()
    assert len(capsys.readouterr().err.splitlines()) == 20


def test_quiet_keeps_step_downs(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen({}, quiet=True, verbose=False, progress=False)
    screen.note(damaged(1))
    assert capsys.readouterr().err == "warning: entry 1 was damaged\n"


def test_no_secret_of_a_url_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen({}, quiet=False, verbose=False, progress=False)
    screen.note(SteppedDown(kind="x", message="https://user:secret@index.test/simple was passed by"))
    assert "secret" not in capsys.readouterr().err
