"""``ci-install lock``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import InputError, StoreError
from ..call import Call, perform
from ..output import write_result

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
    output: str | None,
) -> int:
    """Resolve and write a lock to *output*, or to standard output; return the exit code."""

    def work(call: Call) -> Outcome:
        from ...engine.lock import lock
        from ..surroundings import open_session

        if output is None and call.settings.json:
            raise InputError("the lock and --json cannot both go to standard output; name a file with -o", code="usage")
        base = (Path.cwd() / output).parent if output else Path.cwd()
        with open_session(call) as session:
            text, outcome = lock(
                session, requirements=requirements, files=files, editables=editables, groups=groups, base=base
            )
        _write(text, output)
        return outcome

    return perform("lock", options, "Locked", work)


def _write(text: str, output: str | None) -> None:
    if output is None:
        write_result(text)
        return
    from ...fs.atomic import write_atomically

    path = Path.cwd() / output
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text.encode())
    except OSError as error:
        raise StoreError(f"cannot write the lock to {output}: {error.strerror}", code="lock-unwritable") from error
