"""``ci-install venv``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..call import Call, perform

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...engine.report import Outcome


def run(options: Mapping[str, Any], *, folder: str, with_pip: bool) -> int:
    """Make an environment at *folder*; return the exit code."""

    def work(call: Call) -> Outcome:
        from ...engine.venv import make_environment
        from ..surroundings import open_session

        with open_session(call) as session:
            return make_environment(session, folder, with_pip=with_pip)

    return perform("venv", options, f"Made the environment {folder} with", work)
