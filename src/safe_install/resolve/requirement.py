"""Read one requirement: PEP 508, or a URL, repository or local path in the spellings that pip accepts.

Reading touches no network, and of the disk only as much as telling a folder from an archive takes. Whether a
local path exists is asked later (`require_existing`), because a marker may say that nobody needs it here.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name, is_normalized_name

from ..errors import InputError
from ..events import Noticed, ignore
from ..models import ArchiveSource, DirectorySource, DirectSource, Hashes, RemoteFile, VcsSource
from ..redact import redact_url
from .filenames import ARCHIVE_SUFFIXES, sdist_identity, wheel_identity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packaging.markers import Marker
    from packaging.utils import NormalizedName

    from ..events import EventSink

_NAMED_URL = re.compile(r"\s*[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?\s*(?:\[[^\]]*\])?\s*@\s*(?P<target>\S+)")
_URL = re.compile(r"(?:(?:git|hg|svn|bzr)\+\S|https?://|file:)", re.IGNORECASE)
_VCS = re.compile(r"(?P<vcs>git|hg|svn|bzr)\+(?P<url>.*)", re.IGNORECASE | re.DOTALL)
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_EXTRAS = re.compile(r"(?P<target>.*\S)\s*\[(?P<extras>[^\[\]]*)\]$", re.DOTALL)
# After a URL the semicolon needs white space on one side, since URLs may contain it (PEP 508 asks for it before).
_URL_MARKER = re.compile(r"\s+;\s*|;\s+")
_PATH_MARKER = re.compile(r"\s*;\s*")


class MalformedRequirementError(ValueError):
    """A requirement cannot be read. :param position: offset into its text where the trouble begins."""

    def __init__(self, message: str, position: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedRequirement:
    """What somebody asks for.

    :param name: None for a URL or path whose project only its metadata will tell.
    :param direct: where it shall come from, instead of an index.
    :param hashes: digests of which the file must match one (``--hash``).
    :param origin: ``file:line``, or what else asked, for messages.
    :param text: as it was written, without credentials.
    """

    name: NormalizedName | None
    specifier: SpecifierSet = field(default_factory=SpecifierSet)
    extras: frozenset[NormalizedName] = frozenset()
    marker: Marker | None = None
    direct: DirectSource | None = None
    hashes: Hashes = field(default_factory=Hashes)
    config_settings: Mapping[str, str | list[str]] = field(default_factory=dict)
    origin: str | None = None
    text: str = ""

    @classmethod
    def of(cls, requirement: Requirement, *, base: Path, origin: str | None = None) -> WantedRequirement:
        """Convert a parsed PEP 508 requirement. :param base: what relative paths in its URL are relative to.

        :raises MalformedRequirementError: its URL cannot be read.
        """
        return cls(
            name=canonicalize_name(requirement.name),
            specifier=requirement.specifier,
            extras=frozenset(map(canonicalize_name, requirement.extras)),
            marker=requirement.marker,
            direct=_direct(requirement.url, base)[0] if requirement.url else None,
            origin=origin,
            text=redact_url(str(requirement)),
        )

    def __str__(self) -> str:
        return f"{self.text} ({self.origin})" if self.origin else self.text


def parse_requirement(
    text: str, *, base: Path, editable: bool = False, origin: str | None = None, sink: EventSink = ignore
) -> WantedRequirement:
    """Read *text* as `read_requirement` does.

    :raises InputError: it is malformed (code ``requirement-malformed``); the message shows where.
    """
    try:
        return read_requirement(text, base=base, editable=editable, origin=origin, sink=sink)
    except MalformedRequirementError as error:
        place = f"{origin}: " if origin else ""
        raise InputError(
            f"{place}cannot read the requirement {redact_url(text)!r}: {error.message}",
            code="requirement-malformed",
            context=mark(text, error.position),
        ) from error


def read_requirement(
    text: str, *, base: Path, editable: bool = False, origin: str | None = None, sink: EventSink = ignore
) -> WantedRequirement:
    """Read a requirement as it stands on a command line or in a requirements file.

    :param base: absolute; what relative paths are relative to (for pip the working directory, even in files).
    :param editable: it was given to ``-e``.
    :raises MalformedRequirementError: it cannot be read.
    """
    if not _is_direct(text):
        wanted = WantedRequirement.of(_pep508(text), base=base, origin=origin)
    elif named := _NAMED_URL.match(text):
        requirement = _pep508(text)
        try:
            wanted = WantedRequirement.of(requirement, base=base, origin=origin)
        except MalformedRequirementError as error:
            raise MalformedRequirementError(error.message, named.start("target") + error.position) from error
    else:
        wanted = _unnamed(text, base, origin)
    return _editable(wanted, sink) if editable else wanted


def require_existing(wanted: WantedRequirement) -> None:
    """:raises InputError: it names a local path that does not exist, or is no project and no archive."""
    path = local_path(wanted.direct) if wanted.direct is not None else None
    if path is None or (path.exists() and path.is_dir() == isinstance(wanted.direct, DirectorySource)):
        return
    place = f" (asked for by {wanted.origin})" if wanted.origin else ""
    if path.exists():
        raise InputError(
            f"{path} is neither a folder with a project nor an archive{place}", code="requirement-not-a-project"
        )
    raise InputError(f"{path} does not exist{place}", code="file-not-found")


def local_path(source: DirectSource) -> Path | None:
    """The path on this machine that *source* stands for, if it is one."""
    if isinstance(source, DirectorySource):
        return source.path
    return path_of_file_url(source.file.url) if isinstance(source, ArchiveSource) else None


def path_of_file_url(url: str) -> Path | None:
    """The absolute path of a ``file:`` URL (RFC 8089); None for every other URL."""
    parts = urlsplit(url)
    if parts.scheme.lower() != "file":
        return None
    path = unquote(parts.path)
    if parts.netloc.lower() not in {"", "localhost"}:
        path = f"//{parts.netloc}{path}"
    elif issubclass(type(Path()), PureWindowsPath) and _DRIVE.match(path[1:]):
        path = path[1:]
    return Path(path)


def mark(line: str, position: int) -> tuple[str, str]:
    """Two lines for a message: *line* without credentials, and a caret below *position*."""
    column = len(redact_url(line[:position]))
    shown = redact_url(line)
    return shown, "".join("\t" if char == "\t" else " " for char in shown[:column].ljust(column)) + "^"


def _pep508(text: str) -> Requirement:
    try:
        return Requirement(text)
    except InvalidRequirement as error:
        # The parser's own error is the cause; it alone knows the position.
        cause = error.__cause__
        span = getattr(cause, "span", None)
        message = str(getattr(cause, "message", None) or error)
        position = span[1] if span else _offset_of_specifier(text, message)
        raise MalformedRequirementError(_plain(message), position) from error


def _plain(message: str) -> str:
    first = message.splitlines()[0].rstrip(".")
    return first[:1].lower() + first[1:]


def _offset_of_specifier(text: str, message: str) -> int:
    quoted = re.search(r"'([^']+)'", message)
    return max(text.find(quoted[1]), 0) if quoted else 0


def _is_direct(text: str) -> bool:
    """Whether *text* names a URL or a path: a separator or an archive's suffix before any marker."""
    if _NAMED_URL.match(text) or _URL.match(text):
        return True
    target = _split_extras(_PATH_MARKER.split(text, maxsplit=1)[0])[0]
    separators = {"/", os.sep}
    return (
        target.startswith(".")
        or any(separator in target for separator in separators)
        or target.lower().endswith(ARCHIVE_SUFFIXES)
        or bool(_DRIVE.match(target))
    )


def _unnamed(text: str, base: Path, origin: str | None) -> WantedRequirement:
    separator = _URL_MARKER if _URL.match(text) else _PATH_MARKER
    target, _, marker = _partition(text, separator)
    target, extras = _split_extras(target)
    direct, egg = _direct(target, base)
    egg_name, egg_extras = _split_extras(egg) if egg else (None, "")
    name = name_of(direct) or egg_name
    listed = ",".join(filter(None, (extras, egg_extras)))
    # The parser of PEP 508 reads extras and marker; `x` stands for a name that only the metadata tell.
    try:
        parsed = _pep508(f"{name or 'x'}[{listed}]" + (f" ; {marker}" if marker else ""))
    except MalformedRequirementError as error:
        position = text.rfind(marker) if marker else len(target)
        raise MalformedRequirementError(error.message, max(position, 0)) from error
    return WantedRequirement(
        name=canonicalize_name(name) if name else None,
        extras=frozenset(map(canonicalize_name, parsed.extras)),
        marker=parsed.marker,
        direct=direct,
        origin=origin,
        text=redact_url(text),
    )


def name_of(source: DirectSource) -> NormalizedName | None:
    """The project that a wheel's or sdist's file name tells; None for every other source."""
    if not isinstance(source, ArchiveSource):
        return None
    identity = wheel_identity(source.file.filename) or sdist_identity(source.file.filename)
    return identity.name if identity and is_normalized_name(identity.name) else None


def _partition(text: str, separator: re.Pattern[str]) -> tuple[str, str, str]:
    found = separator.search(text)
    return (text[: found.start()], found[0], text[found.end() :]) if found else (text, "", "")


def _split_extras(text: str) -> tuple[str, str]:
    found = _EXTRAS.match(text.strip())
    return (found["target"], found["extras"]) if found else (text.strip(), "")


def _direct(url: str, base: Path) -> tuple[DirectSource, str | None]:
    """Return the source that a URL or path names, and the value of its ``egg`` fragment."""
    target, _, fragment = url.partition("#") if _URL.match(url) else (url, "", "")
    hints = dict(parse_qsl(fragment))
    subdirectory = hints.get("subdirectory")
    source: DirectSource
    if vcs := _VCS.fullmatch(target):
        source = _repository(vcs["vcs"].lower(), vcs["url"], subdirectory)
    elif target.lower().startswith(("http://", "https://")):
        source = ArchiveSource(file=_file(target, hints), subdirectory=subdirectory)
    elif "://" in target and not target.lower().startswith("file:"):
        raise MalformedRequirementError(f"the scheme {target.partition(':')[0]!r} is not supported")
    else:
        source = _local(_absolute(target, base), hints, subdirectory)
    return source, hints.get("egg")


def _absolute(target: str, base: Path) -> Path:
    if not target.lower().startswith("file:"):
        return Path(os.path.abspath(base / target))
    if re.match(r"file:/", target, re.IGNORECASE):
        return Path(os.path.abspath(path_of_file_url(target) or base))
    return Path(os.path.abspath(base / unquote(target[len("file:") :])))


def _local(path: Path, hints: Mapping[str, str], subdirectory: str | None) -> DirectSource:
    if path.name.lower().endswith(ARCHIVE_SUFFIXES) and not path.is_dir():
        return ArchiveSource(file=_file(path.as_uri(), hints), subdirectory=subdirectory)
    return DirectorySource(path=path, subdirectory=subdirectory)


def _file(url: str, hints: Mapping[str, str]) -> RemoteFile:
    filename = unquote(urlsplit(url).path.rpartition("/")[2])
    known = {"md5", "sha1", "sha224", "sha256", "sha384", "sha512"}
    return RemoteFile(url=url, filename=filename, hashes=Hashes.of({k: v for k, v in hints.items() if k in known}))


def _repository(vcs: str, url: str, subdirectory: str | None) -> VcsSource:
    """Split ``https://host/repo.git@revision``; an ``@`` before the path belongs to the user name."""
    # Without a scheme it is git's short form, git@host:group/repo.git.
    start = url.find("/", url.index("://") + 3) if "://" in url else url.find(":")
    if start < 0 or not url[start + 1 :]:
        raise MalformedRequirementError("the URL names no repository")
    path, at, revision = url[start:].rpartition("@")
    if at and not revision:
        raise MalformedRequirementError("the revision after @ is empty", len(vcs) + 1 + len(url))
    return VcsSource(
        vcs=vcs,
        url=url[:start] + path if at else url,
        revision=revision or None if at else None,
        subdirectory=subdirectory,
    )


def _editable(wanted: WantedRequirement, sink: EventSink) -> WantedRequirement:
    if isinstance(wanted.direct, DirectorySource):
        return replace(wanted, direct=replace(wanted.direct, editable=True))
    if isinstance(wanted.direct, VcsSource):
        sink(
            Noticed(
                message=f"{wanted}: a repository is installed as it is at its commit; editable only as a local folder"
            )
        )
        return wanted
    raise MalformedRequirementError("only a local folder can be editable")
