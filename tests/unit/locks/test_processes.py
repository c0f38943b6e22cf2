"""Whether the process that did something still runs."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from safe_install.fs._system import birth_of
from safe_install.locks.processes import Process


def ended() -> Process:
    """A process that ran a moment ago."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        return Process.this()._replace(pid=child.pid, born=birth_of(child.pid) or "")


def test_this_one_runs() -> None:
    assert not Process.this().is_gone()
    assert not Process.this().has_left_its_number()
    assert Process.this().pid == os.getpid()


def test_one_that_has_ended_is_gone() -> None:
    process = ended()
    assert process.is_gone()
    assert process.has_left_its_number()


def test_a_later_one_with_its_number_is_another_one() -> None:
    if not Process.this().born:
        pytest.skip("this system does not tell when a process began")
    recycled = Process.this()._replace(born="1")
    assert recycled.is_gone()
    assert not recycled.has_left_its_number()


def test_of_another_machine_nothing_is_known() -> None:
    elsewhere = ended()._replace(machine="another boot pid:[1]")
    assert not elsewhere.is_gone()
    assert not elsewhere.has_left_its_number()


@pytest.mark.parametrize("number", [-1, 0, 1 << 40])
def test_numbers_that_no_process_has_say_nothing(number: int) -> None:
    assert not Process.this()._replace(pid=number).is_gone()


def test_it_survives_a_document() -> None:
    assert Process.of(Process.this().to_json()) == Process.this()
    assert str(Process("a", "", 7, "")) == "pid 7 on a"
