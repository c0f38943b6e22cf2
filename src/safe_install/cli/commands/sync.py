"""``ci-install sync``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..call import Call, perform

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...engine.report import Outcome


def run(options: Mapping[str, Any], *, files: Sequence[str], extras: Sequence[str], groups: Sequence[str]) -> int:
    """Make the environment exactly what *files* say; return the exit code."""

    def work(call: Call) -> Outcome:
        from ...engine.sync import sync
        from ..surroundings import open_session

        with open_session(call) as session:
            return sync(session, files, extras=extras, groups=groups)

    return perform("sync", options, "Installed", work)
