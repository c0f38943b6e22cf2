"""``ci-install door``: what the adapters of CI platforms start; their inputs are variables (`safe_install.doors`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ...errors import InputError, SafeInstallError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ..doors.door import Teller

PLATFORMS: Final = ("github", "gitlab", "jenkins")


def run(*, platform: str) -> int:
    """Do what the inputs ask for, and tell *platform*; return the exit code."""
    from .. import answer
    from ..call import refuse
    from ..doors import door

    def execute(arguments: Sequence[str]) -> int:
        return answer(list(arguments))

    def refuse_inputs(error: InputError, report: Path) -> int:
        return refuse(error, [f"--report={report}"])

    try:
        return door.run(_teller(platform), execute, refuse_inputs)
    except SafeInstallError as error:
        return refuse(error, [])


def _teller(platform: str) -> Teller:
    if platform == "github":
        from ..doors.github import GitHub

        return GitHub()
    if platform == "gitlab":
        from ..doors.gitlab import GitLab

        return GitLab()
    from ..doors.door import Teller

    return Teller()
