"""A virtual environment is made with the virtualenv library, which knows nothing of errors that pass."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest
from helpers.environments import this_interpreter
from helpers.faults import failing

from safe_install.errors import TargetError
from safe_install.events import Event, Retried
from safe_install.install.creation import create_virtual_environment

if TYPE_CHECKING:
    from pathlib import Path

# A sharing violation, and a server of NFS that lost a handle.
PASSING: int | OSError = OSError(0, "in use", None, 32) if os.name == "nt" else errno.ESTALE


def test_error_that_passes_is_waited_out(tmp_path: Path) -> None:
    place = tmp_path / "env"
    told: list[Event] = []
    with failing("mkdir", "env/" + ("Scripts" if os.name == "nt" else "bin"), PASSING) as fault:
        create_virtual_environment(
            str(place), this_interpreter(), app_data=tmp_path / "app-data", budget=10, sink=told.append
        )
    assert fault.happened
    assert [type(event) for event in told] == [Retried]
    assert (place / "pyvenv.cfg").is_file()


def test_error_that_does_not_pass_is_told_at_once(tmp_path: Path) -> None:
    with failing("mkdir", "env/", errno.ENOSPC, times=None) as fault, pytest.raises(TargetError) as caught:
        create_virtual_environment(str(tmp_path / "env"), this_interpreter(), app_data=tmp_path / "app-data", budget=60)
    assert caught.value.code == "environment-creation-failed"
    assert len(fault.hits) == 1
