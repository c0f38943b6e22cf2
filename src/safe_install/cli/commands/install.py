"""``ci-install install``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..call import Call, perform

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...engine.report import Outcome


def run(
    options: Mapping[str, Any],
    *,
    requirements: Sequence[str],
    files: Sequence[str],
    editables: Sequence[str],
    groups: Sequence[str],
) -> int:
    """Resolve and add to the environment; return the exit code."""

    def work(call: Call) -> Outcome:
        from ...engine.install import install
        from ..surroundings import open_session

        with open_session(call) as session:
            return install(session, requirements=requirements, files=files, editables=editables, groups=groups)

    return perform("install", options, "Installed", work)
