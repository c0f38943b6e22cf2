"""What is installed in an environment: read from the names of its metadata folders, and from few of their files.

200 distributions take about 5 ms: a name says project and version, a listing says which files there are.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from ..fs._system import system_path
from .listing import DIST_INFO, METADATA_ENDINGS, names_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packaging.utils import NormalizedName

    from .environment import Environment

_EGG_INFO = ".egg-info"
_EGG_LINK = ".egg-link"


class Kind(Enum):
    """In which way a distribution was installed; all but the first come from tools that pip has left behind."""

    DIST_INFO = "dist-info"
    EGG_INFO_FOLDER = "egg-info folder"
    EGG_INFO_FILE = "egg-info file"
    EGG_LINK = "egg-link"
    EGG = "egg"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """One distribution in an environment.

    :param raw_name: as its metadata folder spells it.
    :param version: None where it cannot be told, which is never the version that is wanted.
    :param library: the folder that holds the metadata, relative to the environment's root, with ``/``.
    :param info: the name of the metadata folder or file in *library*.
    :param files: the names in the metadata folder; empty for a file.
    :param direct_url: the content of ``direct_url.json`` (PEP 610), when there is one that can be read.
    """

    name: NormalizedName
    raw_name: str
    version: Version | None
    kind: Kind
    library: str
    info: str
    files: frozenset[str]
    direct_url: Mapping[str, Any] | None

    @property
    def path(self) -> str:
        """Of the metadata folder or file, relative to the environment's root."""
        return f"{self.library}/{self.info}" if self.library else self.info

    @property
    def has_record(self) -> bool:
        """Whether it says what it consists of."""
        return self.kind is Kind.DIST_INFO and "RECORD" in self.files

    @property
    def requested(self) -> bool:
        """Whether the user asked for it (PEP 376)."""
        return "REQUESTED" in self.files

    @property
    def editable(self) -> bool:
        """Whether it leads to a source tree."""
        if self.kind is Kind.EGG_LINK:
            return True
        return bool(((self.direct_url or {}).get("dir_info") or {}).get("editable"))

    def installer(self, environment: Environment) -> str | None:
        """Return what INSTALLER says; None when it says nothing."""
        if "INSTALLER" not in self.files:
            return None
        try:
            with open(system_path(environment.path(f"{self.path}/INSTALLER")), encoding="utf-8") as file:
                return file.read().strip() or None
        except (OSError, UnicodeDecodeError):
            return None

    def __str__(self) -> str:
        return f"{self.name}=={self.version}" if self.version is not None else self.raw_name


def read_installed(environment: Environment) -> dict[NormalizedName, list[Installed]]:
    """Return what is installed, sorted by name. More than one of a name is left by an interrupted installation.

    :raises TargetError: ``environment-unreadable``: a library or metadata folder exists and cannot be read.
    """
    found: dict[NormalizedName, list[Installed]] = {}
    for library in environment.libraries:
        for item in _read_library(environment, library):
            found.setdefault(item.name, []).append(item)
    return dict(sorted(found.items()))


def same_origin(wanted: Mapping[str, Any] | None, present: Mapping[str, Any] | None) -> bool:
    """Whether two ``direct_url.json`` name the same thing; what only one of them tells is no difference.

    Digests and the editable flag have been spelled in several ways over the years (PEP 610 and its successors).
    """
    if wanted is None or present is None:
        return wanted is present
    if wanted.get("url") != present.get("url") or wanted.get("subdirectory") != present.get("subdirectory"):
        return False
    for key in ("vcs_info", "dir_info", "archive_info"):
        if (key in wanted) != (key in present):
            return False
    commit = _member(wanted, "vcs_info", "commit_id"), _member(present, "vcs_info", "commit_id")
    editable = bool(_member(wanted, "dir_info", "editable")), bool(_member(present, "dir_info", "editable"))
    ours, theirs = _digests(wanted), _digests(present)
    digests_agree = all(theirs[key] == value for key, value in ours.items() if key in theirs)
    return commit[0] == commit[1] and editable[0] == editable[1] and digests_agree


def _read_library(environment: Environment, library: str) -> list[Installed]:
    place = system_path(environment.path(library))
    names = sorted(names_in(place) or ())
    found = (_read(place, library, name) for name in names if name.endswith(METADATA_ENDINGS))
    return [item for item in found if item is not None]


def _read(place: str, library: str, name: str) -> Installed | None:
    stem, _, ending = name.rpartition(".")
    files = names_in(os.path.join(place, name))
    is_folder = files is not None
    kind = _kind(f".{ending}", is_folder=is_folder)
    if kind is None or stem.startswith("~"):
        # pip renames what it is about to remove to `~ame`; a run that was killed leaves it.
        return None
    raw_name, version = _split(stem)
    if version is None and is_folder:
        raw_name, version = _from_metadata(os.path.join(place, name), raw_name)
    return Installed(
        name=canonicalize_name(raw_name),
        raw_name=raw_name,
        version=version,
        kind=kind,
        library=library,
        info=name,
        files=files or frozenset(),
        direct_url=_direct_url(os.path.join(place, name)) if "direct_url.json" in (files or ()) else None,
    )


def _kind(ending: str, *, is_folder: bool) -> Kind | None:
    if ending == DIST_INFO:
        return Kind.DIST_INFO if is_folder else None
    if ending == _EGG_INFO:
        return Kind.EGG_INFO_FOLDER if is_folder else Kind.EGG_INFO_FILE
    return Kind.EGG_LINK if ending == _EGG_LINK else Kind.EGG


def _split(stem: str) -> tuple[str, Version | None]:
    """Split ``name-version``, or ``name-version-py3.8`` of old eggs."""
    name, _, version = stem.partition("-")
    for text in (version, version.partition("-")[0]):
        try:
            return name, Version(text)
        except InvalidVersion:
            continue
    # Old tools left dashes in the name.
    name, _, version = stem.rpartition("-")
    try:
        return name, Version(version)
    except InvalidVersion:
        return stem, None


def _from_metadata(folder: str, raw_name: str) -> tuple[str, Version | None]:
    """Ask the metadata, where the name of the folder does not tell."""
    for name in ("METADATA", "PKG-INFO"):
        try:
            with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
                lines = file.read().partition("\n\n")[0].splitlines()
        except OSError:
            continue
        headers = {key.lower(): value.strip() for key, sign, value in (line.partition(":") for line in lines) if sign}
        try:
            return headers.get("name", raw_name), Version(headers.get("version", ""))
        except InvalidVersion:
            return headers.get("name", raw_name), None
    return raw_name, None


def _direct_url(folder: str) -> Mapping[str, Any] | None:
    try:
        with open(os.path.join(folder, "direct_url.json"), encoding="utf-8") as file:
            document = json.load(file)
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None


def _member(document: Mapping[str, Any], key: str, name: str) -> object:
    inner = document.get(key)
    return inner.get(name) if isinstance(inner, dict) else None


def _digests(document: Mapping[str, Any]) -> dict[str, str]:
    hashes = _member(document, "archive_info", "hashes")
    found = {str(key): str(value) for key, value in hashes.items()} if isinstance(hashes, dict) else {}
    algorithm, _, value = str(_member(document, "archive_info", "hash") or "").partition("=")
    return {algorithm: value, **found} if value else found
