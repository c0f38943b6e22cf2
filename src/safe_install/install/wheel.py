"""Unpack a wheel into a tree, after everything about it that could do harm has been looked at.

A wheel is hostile until checked: what its file name, its folder names, METADATA, RECORD and the two sets of headers of
the archive say has to agree, and no name in it may lead out of the tree or onto what an environment consists of. The
rules are those of the binary distribution format, each read in its strict sense:
https://packaging.python.org/en/latest/specifications/binary-distribution-format/

Nothing is known here of environments: `.data` stays a folder of the tree.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..events import Noticed
from ..fs._system import system_path
from ..fs.paths import find_collisions, problem_with_member
from .archive import Archive
from .entry_points import is_protected_script, parse_entry_points
from .refusal import Irregularities, Limits, refusal
from .wheel_record import RecordCheck

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from packaging.utils import NormalizedName
    from packaging.version import Version

    from ..errors import IntegrityError
    from ..events import EventSink
    from ..store.trees import TreeWriter

SCHEMES = frozenset({"purelib", "platlib", "headers", "scripts", "data"})
"""The folders that a ``.data`` folder may have."""

_NEWLINE = re.compile(r"\r\n|\r|\n")
_WHEEL_VERSION = re.compile(r"\d{1,4}(\.\d{1,4})*")
_DROPPED_BY_WINDOWS = re.compile(r"[. ]+(?=/|$)")
_SHOWN = 5  # names in one message


def unpack_wheel(
    archive: Path,
    writer: TreeWriter,
    *,
    filename: str,
    name: NormalizedName,
    version: Version | None,
    irregular: bool,
    sink: EventSink,
    folds_case: bool = False,
    limits: Limits | None = None,
) -> None:
    """Check the wheel file *archive* and write its files with *writer*, each read once and never whole in memory.

    :param filename: what the wheel was called where it came from; *archive* itself may have any name.
    :param version: None when whoever asked left it open; then the file name's holds.
    :param irregular: excuse from the rules that guard no path (RECORD, and names and versions that differ); what was
        excused is told as `SteppedDown` of kind ``irregular-archive``.
    :param folds_case: the tree, or an environment made from it, lies where ``a`` and ``A`` are one file. Wheels with
        such names are refused then, and told as `Noticed` otherwise.
    :raises IntegrityError: the wheel is refused. Codes: ``wheel-zip`` (the archive is damaged or means two things),
        ``wheel-bomb``, ``wheel-path``, ``wheel-collision``, ``wheel-record``, ``wheel-metadata``,
        ``wheel-entry-point``. Some of its files may have been written by then: throw the writer's folder away.
    :raises OSError: *archive* cannot be read.
    """
    with open(system_path(archive), "rb") as stream:
        opened = Archive(stream, filename=filename, limits=limits or Limits())
        irregularities = Irregularities(filename, project=name, excused=irregular)
        wheel = _Wheel(opened, filename, irregularities, folds_case=folds_case)
        wheel.check_names(sink)
        wheel.check_metadata(name, version)
        wheel.unpack(writer, sink)


class _Wheel:
    def __init__(self, archive: Archive, filename: str, irregularities: Irregularities, *, folds_case: bool) -> None:
        self._archive = archive
        self._filename = filename
        self._irregularities = irregularities
        self._folds_case = folds_case
        self._files = [member for member in archive.members if not member.is_folder]
        self._by_name = {member.name: member for member in self._files}
        self._dist_info = self._find_dist_info()

    def _refused(self, reason: str, code: str, member: str | None = None) -> IntegrityError:
        return refusal(self._filename, reason, code=code, member=member)

    def _find_dist_info(self) -> str:
        tops = {member.name.partition("/")[0] for member in self._files if "/" in member.name}
        found = sorted(top for top in tops if top.endswith(".dist-info"))
        if len(found) != 1:
            what = (
                f"{len(found)} .dist-info folders: {', '.join(map(ascii, found))}" if found else "no .dist-info folder"
            )
            raise self._refused(f"it has {what}", "wheel-metadata")
        return found[0]

    # Names

    def check_names(self, sink: EventSink) -> None:
        """Refuse names that lead elsewhere, meet one another, or would land on what an environment consists of."""
        for member in self._archive.members:
            # Folders are made for files only, so that what Windows drops from an empty one's name hurts nobody
            # (pyarrow 6.0.1 has a folder `pyarrow./`); `..` becomes an empty part here, which is refused all the same.
            name = _DROPPED_BY_WINDOWS.sub("", member.name[:-1]) if member.is_folder else member.name
            problem = problem_with_member(name)
            if problem:
                raise self._refused(f"its name {problem}", "wheel-path", member.name)
        self._check_collisions(sink)
        for member in self._files:
            top, _, rest = member.name.partition("/")
            if top.endswith(".data"):
                self._check_data(member.name, top, rest)

    def _check_collisions(self, sink: EventSink) -> None:
        told = []
        for one, other in find_collisions(member.name for member in self._files):
            if self._folds_case or other.startswith(f"{one}/"):
                raise self._refused(f"it and {one!a} would be in one place", "wheel-collision", other)
            told.append(f"{one!a} and {other!a}")
        if told:
            more = f" and {len(told) - _SHOWN} more pairs" if len(told) > _SHOWN else ""
            pairs = ", ".join(told[:_SHOWN])
            sink(Noticed(message=f"{self._filename} cannot be installed where case is ignored: {pairs}{more}"))

    def _check_data(self, member: str, top: str, rest: str) -> None:
        if top.removesuffix(".data") != self._dist_info.removesuffix(".dist-info"):
            raise self._refused(f"its folder does not belong to {self._dist_info!a}", "wheel-path", member)
        scheme, slash, path = rest.partition("/")
        if scheme not in SCHEMES or not slash:
            raise self._refused("a .data folder has no such part", "wheel-path", member)
        folder, _, script = path.rpartition("/")
        # On Unix interpreter and scripts are in `bin`, on Windows in `Scripts`, or for a plain Python at the top.
        folders = {"scripts": ("",), "data": ("", "bin", "scripts")}.get(scheme, ())
        if folder.lower() in folders and is_protected_script(script):
            raise self._refused("it would replace a part of the environment", "wheel-path", member)

    # Metadata

    def check_metadata(self, name: NormalizedName, version: Version | None) -> None:
        """Compare name and version wherever the wheel says them, and refuse a wheel format that is not ours."""
        version = self._check_filename(name, version)
        if not _names_distribution(self._dist_info.removesuffix(".dist-info"), name, version):
            self._differs(f"its folder {self._dist_info!a} is not that of {name} {version or ''}".rstrip())
        self._check_wheel(self._headers("WHEEL"))
        self._check_identity(self._headers("METADATA"), name, version)
        entry_points = f"{self._dist_info}/entry_points.txt"
        if entry_points in self._by_name:
            parse_entry_points(self._text(entry_points), filename=self._filename, folds_case=self._folds_case)

    def _check_filename(self, name: NormalizedName, version: Version | None) -> Version | None:
        """Compare the file name; return the version that the rest of the wheel must have."""
        from packaging.utils import InvalidWheelFilename, parse_wheel_filename

        try:
            found_name, found_version, _, _ = parse_wheel_filename(self._filename)
        except InvalidWheelFilename as error:
            self._differs(f"its file name is not that of a wheel ({error})")
            return version
        if found_name != name or version not in (None, found_version):
            self._differs(f"its file name is not that of {name} {version or ''}".rstrip())
        return version if version is not None else found_version

    def _check_wheel(self, headers: dict[str, list[str]]) -> None:
        member = f"{self._dist_info}/WHEEL"
        versions = headers.get("wheel-version", [])
        if len(versions) != 1 or not _WHEEL_VERSION.fullmatch(versions[0]):
            raise self._refused("it does not say Wheel-Version once", "wheel-metadata", member)
        if int(versions[0].partition(".")[0]) > 1:
            raise self._refused(f"its format {versions[0]} is newer than 1", "wheel-metadata", member)
        purelib = headers.get("root-is-purelib", [])
        if len(purelib) != 1 or purelib[0].lower() not in {"true", "false"}:
            raise self._refused("it does not say Root-Is-Purelib: true or false, once", "wheel-metadata", member)

    def _check_identity(self, headers: dict[str, list[str]], name: NormalizedName, version: Version | None) -> None:
        from packaging.utils import canonicalize_name

        member = f"{self._dist_info}/METADATA"
        names, versions = headers.get("name", []), headers.get("version", [])
        if len(names) != 1 or len(versions) != 1:
            self._differs("it does not say Name and Version once each", member)
            return
        if canonicalize_name(names[0]) != name:
            self._differs(f"it says Name: {names[0]!a}, not {name}", member)
        if not _is_version(versions[0], version):
            self._differs(f"it says Version: {versions[0]!a}, not {version}", member)

    def _differs(self, reason: str, member: str | None = None) -> None:
        self._irregularities.add(reason, code="wheel-metadata", member=member)

    def _headers(self, what: str) -> dict[str, list[str]]:
        """Return the headers of a file in ``.dist-info`` by their names in lower case; the body is left alone."""
        path = f"{self._dist_info}/{what}"
        if path not in self._by_name:
            raise self._refused(f"it has no {what}", "wheel-metadata", path)
        headers: dict[str, list[str]] = {}
        values: list[str] = []
        data = self._archive.read(self._by_name[path])
        # Latin-1 in a description is common in old releases, and none of our business.
        for line in _NEWLINE.split(data.decode("utf-8", "replace")):
            key, colon, value = line.partition(":")
            if line.startswith((" ", "\t")) and values:
                values[-1] += f"\n{line}"
            elif not colon:
                break
            else:
                values = headers.setdefault(key.lower(), [])
                values.append(value.strip())
        return headers

    def _text(self, path: str) -> str:
        try:
            return self._archive.read(self._by_name[path]).decode("utf-8")
        except UnicodeDecodeError:
            raise self._refused("it is not in UTF-8", "wheel-metadata", path) from None

    # Content

    def unpack(self, writer: TreeWriter, sink: EventSink) -> None:
        """Write all files; what was found irregular, before or on the way, is refused or told at the end of each."""
        path = f"{self._dist_info}/RECORD"
        data = self._archive.read(self._by_name[path]) if path in self._by_name else None
        record = RecordCheck(path, data, self._irregularities)
        record.compare_members(self._files)
        self._irregularities.settle(sink)
        for member in self._files:
            chunks = record.hashing(member, self._archive.chunks(member))
            record.compare_content(writer.add(member.name, chunks, executable=member.executable))
        self._irregularities.settle(sink)


def _names_distribution(stem: str, name: NormalizedName, version: Version | None) -> bool:
    """Whether ``<name>-<version>`` is what *stem* says. Older packers normalize neither (``Foo.Bar-1.0-1``)."""
    from packaging.utils import canonicalize_name

    parts: Sequence[str] = stem.split("-")
    return any(
        canonicalize_name("-".join(parts[:index])) == name and _is_version("-".join(parts[index:]), version)
        for index in range(1, len(parts))
    )


def _is_version(text: str, version: Version | None) -> bool:
    """Whether *text* says *version*, in any spelling (PEP 440); None is any version."""
    from packaging.version import InvalidVersion, Version

    try:
        # In folder names a hyphen is escaped by an underscore, which is no part of any version's normal form.
        found = Version(text.replace("_", "-"))
    except InvalidVersion:
        return False
    return version is None or found == version
