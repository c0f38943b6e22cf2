"""What the names in an environment say of what is installed: only folders are read, and no version is understood."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from ..errors import TargetError
from ..fs._system import system_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .environment import Environment

DIST_INFO = ".dist-info"
METADATA_ENDINGS = (DIST_INFO, ".egg-info", ".egg-link", ".egg")
"""Of the folders and files that tell of distributions; all but the first come from tools that pip has left behind."""
# Names are normalized as PEP 503 says; `packaging`, which does that elsewhere, takes longer to import than all this.
_SEPARATORS = re.compile(r"[-_.]+")
# A release without anything before or after it; zeros in front of a number mean nothing (PEP 440, "Version scheme").
_RELEASE = re.compile(r"[0-9]+(\.[0-9]+)*")
_LEADING_ZEROS = re.compile(r"(?<![0-9])0+(?=[0-9])")


def names_in(folder: str) -> frozenset[str] | None:
    """Return what a folder of an environment holds; None when it is none, or not there.

    :raises TargetError: ``environment-unreadable``. Taken for empty, parts of old versions would stay.
    """
    try:
        return frozenset(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise TargetError(
            f"cannot read {folder}: {error.strerror}",
            code="environment-unreadable",
            hint="give this user the right to read it, or name another environment with --venv",
        ) from error


def holds_exactly(environment: Environment, wanted: Mapping[str, str]) -> bool:
    """Whether an environment plainly has *wanted* and nothing else, each whole and from an index.

    False also where only a closer look would tell (`installed`).

    :param wanted: normalized name to normalized version.
    :raises TargetError: as `names_in`.
    """
    left = dict(wanted)
    for library in environment.libraries:
        place = system_path(environment.path(library))
        for name in names_in(place) or ():
            if not name.endswith(METADATA_ENDINGS):
                continue
            files = names_in(os.path.join(place, name)) or ()
            project, _, version = name.removesuffix(DIST_INFO).partition("-")
            # pip renames what it is about to remove to `~ame`: no such project is wanted.
            expected = left.pop(_SEPARATORS.sub("-", project).lower(), None)
            if expected is None or not name.endswith(DIST_INFO) or _normalized(version) != expected:
                return False
            if "RECORD" not in files or "direct_url.json" in files:
                return False
    return not left


def _normalized(version: str) -> str:
    return _LEADING_ZEROS.sub("", version) if _RELEASE.fullmatch(version) else version
