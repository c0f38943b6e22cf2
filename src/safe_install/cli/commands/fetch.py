"""``ci-install fetch``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..call import Call, perform

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...engine.report import Outcome


def run(options: Mapping[str, Any], *, files: Sequence[str], extras: Sequence[str], groups: Sequence[str]) -> int:
    """Fill the store with what *files* need; return the exit code."""

    def work(call: Call) -> Outcome:
        from ...engine.fetch import fetch
        from ..surroundings import open_session

        with open_session(call) as session:
            return fetch(session, files, extras=extras, groups=groups)

    return perform("fetch", options, "Have in the store:", work)
