"""Read what a page of an index, or a folder, offers. Pure: nothing here opens a file or a connection.

Pages are HTML (PEP 503, with PEP 592, 658 and 714) or JSON (PEP 691, 700). A page is somebody else's text: what cannot
be used is left out and named in `Listing.ignored`, and only a page that is no page at all is an error. Files of kinds
that nobody installs any more (eggs, exe, msi, rpm) and signatures are left out without a word.
"""

from __future__ import annotations

import html
import json
import re
import urllib.parse
from dataclasses import dataclass
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

from ..models import SECURE_ALGORITHMS, Hashes, RemoteFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from packaging.utils import NormalizedName

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
HTML_TYPES = ("application/vnd.pypi.simple.v1+html", "text/html")
ACCEPT = f"{JSON_TYPE}, {HTML_TYPES[0]};q=0.2, {HTML_TYPES[1]};q=0.01"
"""The Accept header of a request for a page, in the order of preference that PEP 691 recommends."""

SDIST_SUFFIXES = (".tar.gz", ".zip", ".tgz", ".tar.bz2", ".tbz", ".tar.xz", ".txz", ".tar")
"""Endings of source archives that are still found on indexes; PEP 625 allows only the first for new ones."""

_DIGEST = re.compile(r"(?:[0-9a-fA-F]{2})+")
_ALGORITHMS = frozenset({*SECURE_ALGORITHMS, "sha224", "sha3_224", "sha1", "md5"})
_NO_HASHES = Hashes()
_DIGEST_OF_LINK = re.compile(rb"[#&;](\w+=[0-9a-fA-F]+)")
_UNUSABLE_IN_NAME = re.compile(r"[/\\\x00-\x1f]")


class MalformedPageError(ValueError):
    """A page that cannot be read at all. The text says why."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What a page offers.

    :param ignored: one line for each file that looks like a distribution but cannot be used.
    """

    files: tuple[RemoteFile, ...]
    ignored: tuple[str, ...] = ()


def is_page_type(content_type: str) -> bool:
    """Whether a Content-Type header names a kind of page that `parse_page` reads."""
    return content_type.partition(";")[0].strip().lower() in {JSON_TYPE, *HTML_TYPES}


def is_distribution(filename: str) -> bool:
    """Whether the name ends like a wheel or a source archive."""
    return filename.lower().endswith((".whl", *SDIST_SUFFIXES))


def belongs_to(filename: str, name: NormalizedName) -> bool:
    """Whether a wheel or sdist of this name can be one of project *name*.

    For sdists the name itself may contain hyphens (before PEP 625), so every hyphen is tried, as pip does.
    """
    from packaging.utils import canonicalize_name

    if filename.endswith(".whl"):
        return canonicalize_name(filename.partition("-")[0]) == name
    positions = (match.start() for match in re.finditer("-", filename))
    return any(canonicalize_name(filename[:position]) == name for position in positions)


def parse_page(content: bytes, *, content_type: str, url: str, index: str | None, only: Hashes = _NO_HASHES) -> Listing:
    """Return what the page at *url* offers, in its order.

    :param url: where it really came from, after redirects: links are relative to it. Without credentials, which would
        otherwise be inherited by every file and end up in locks.
    :param index: what `RemoteFile.index` becomes.
    :param only: leave out files with none of these digests; empty for all files. A page may list ten thousand.
    :raises MalformedPageError: it is not what its content type says, or of a newer major API version.
    """
    kind, _, parameters = content_type.partition(";")
    if kind.strip().lower() == JSON_TYPE:
        return _collect(_json_entries(content, only), page=url, index=index, only=only)
    return _collect(_html_entries(_around(only, content), _charset(parameters)), page=url, index=index, only=only)


def file_at(url: str, *, size: int | None = None) -> RemoteFile | None:
    """Return the file that a direct URL names, with the digests of its fragment; None when it is no distribution."""
    plain, fragment = urllib.parse.urldefrag(url)
    filename = _filename(plain)
    if not is_distribution(filename) or _UNUSABLE_IN_NAME.search(filename):
        return None
    return RemoteFile(url=plain, filename=filename, hashes=_fragment_hashes(fragment), size=size)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One link of a page, still as the page has it."""

    link: str
    filename: str | None = None
    hashes: Hashes | None = None
    size: int | None = None
    requires_python: str | None = None
    yanked: str | None = None
    upload_time: datetime | None = None
    metadata: bool = False
    metadata_hashes: Hashes = _NO_HASHES
    base: str | None = None


def _collect(entries: Iterator[_Entry], *, page: str, index: str | None, only: Hashes) -> Listing:
    files, ignored = [], []
    for entry in entries:
        try:
            url, fragment = _absolute(entry.link.strip(), page=page, base=entry.base)
            filename = entry.filename if entry.filename is not None else _filename(url)
        except ValueError:
            ignored.append(f"{entry.link!r} is no URL")
            continue
        if not is_distribution(filename):
            continue
        hashes = _fragment_hashes(fragment) if entry.hashes is None else entry.hashes
        if only and not hashes.allowed & only.allowed:
            continue
        problem = _problem(filename, url, page)
        if problem is not None:
            ignored.append(f"{filename!r} {problem}")
            continue
        files.append(
            RemoteFile(
                url=url,
                filename=filename,
                hashes=hashes,
                size=entry.size,
                requires_python=entry.requires_python,
                yanked=entry.yanked,
                upload_time=entry.upload_time,
                metadata=entry.metadata,
                metadata_hashes=entry.metadata_hashes,
                index=index,
            )
        )
    return Listing(tuple(files), tuple(ignored))


def _problem(filename: str, url: str, page: str) -> str | None:
    """What forbids to use a file that a page offers."""
    if _UNUSABLE_IN_NAME.search(filename):
        return "is not a plain file name"
    schemes = {"http", "https"} if page.startswith(("http:", "https:")) else {"http", "https", "file"}
    if url.partition(":")[0] not in schemes:
        # A remote page has no business to name files of this machine.
        return "is linked with a scheme that is not allowed there"
    if filename.endswith(".whl"):
        from packaging.utils import InvalidWheelFilename, parse_wheel_filename

        try:
            parse_wheel_filename(filename)
        except InvalidWheelFilename:
            return "is not named as the wheel format asks"
    return None


def _absolute(link: str, *, page: str, base: str | None) -> tuple[str, str]:
    """The full URL of a link, and its fragment.

    Pages have thousands of links, most of them absolute and plain; joining those costs more than parsing the page.
    """
    target, _, fragment = link.partition("#")
    if target.startswith(("https://", "http://")) and "[" not in target:
        return target, fragment
    return urllib.parse.urljoin(page if base is None else urllib.parse.urljoin(page, base), target), fragment


def _filename(url: str) -> str:
    if "?" in url or ";" in url or url.count("/") < 3:
        url = urllib.parse.urlsplit(url).path
    return urllib.parse.unquote(url.rpartition("/")[2])


def _fragment_hashes(fragment: str) -> Hashes:
    return _known_hashes(dict(part.partition("=")[::2] for part in fragment.split("&")))


def _known_hashes(values: Mapping[str, object]) -> Hashes:
    """Keep what can be checked: digests, in hexadecimal, of algorithms that `hashlib` always has."""
    return Hashes.of(
        {
            algorithm: digest
            for algorithm, digest in values.items()
            if algorithm.lower() in _ALGORITHMS and isinstance(digest, str) and _DIGEST.fullmatch(digest)
        }
    )


def _charset(parameters: str) -> str:
    match = re.search(r"charset=[\"']?([\w.:-]+)", parameters, re.IGNORECASE)
    return match[1] if match else "utf-8"


def _around(only: Hashes, content: bytes) -> bytes:
    """The head of an HTML page and its links with one of these digests; the whole page when none is found.

    Parsing HTML takes a second for 15 MB. A link that is none, in a comment, may be found too: its digest proves it.
    """
    wanted = {f"{algorithm}={digest}".encode() for algorithm, digest in only.allowed}
    head, *links = content.split(b"<a ")
    found = [link for link in links if any(each.lower() in wanted for each in _DIGEST_OF_LINK.findall(link))]
    return b"<a ".join([head, *found]) if found else content


class _Links(HTMLParser):
    """The links of a page, and what they are relative to.

    The finder library has such a class too, but brings a second HTTP library with it: 9 MiB and 0.1 s for every job.
    """

    def __init__(self) -> None:
        super().__init__()
        self.base_url: str | None = None
        self.links: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.links.append(dict(attrs))
        elif tag == "base" and self.base_url is None:
            # Of several, the first one that has an address counts (HTML, section 4.2.3).
            self.base_url = dict(attrs).get("href")


def _html_entries(content: bytes, charset: str) -> Iterator[_Entry]:
    try:
        text = content.decode(charset, errors="replace")
    except LookupError:
        text = content.decode("utf-8", errors="replace")
    parser = _Links()
    parser.feed(text)
    parser.close()
    for anchor in parser.links:
        link = anchor.get("href")
        if link is None:
            continue
        metadata, metadata_hashes = _html_metadata(
            anchor.get("data-core-metadata", anchor.get("data-dist-info-metadata"))
        )
        yield _Entry(
            link=link,
            # Some indexes escape twice, and a specifier contains no entity.
            requires_python=html.unescape(anchor.get("data-requires-python") or "") or None,
            # PEP 592: the attribute's presence counts; it may have no value at all.
            yanked=(anchor["data-yanked"] or "") if "data-yanked" in anchor else None,
            # In no specification, but given by indexes that turn JSON into HTML, and read by uv.
            upload_time=_time(anchor.get("data-upload-time")),
            metadata=metadata,
            metadata_hashes=metadata_hashes,
            base=parser.base_url,
        )


def _html_metadata(value: str | None) -> tuple[bool, Hashes]:
    """Read ``true`` or ``sha256=…`` (PEP 658)."""
    if not value or value.strip().lower() == "false":
        return False, _NO_HASHES
    return True, _fragment_hashes(value.strip())


def _json_entries(content: bytes, only: Hashes) -> Iterator[_Entry]:
    try:
        page = json.loads(content)
    except ValueError as error:
        raise MalformedPageError(f"it is not JSON: {error}") from None
    if not isinstance(page, dict) or not isinstance(page.get("files"), list):
        raise MalformedPageError("it is JSON, but has no list of files")
    meta = page.get("meta")
    version = str(meta.get("api-version", "1.0")) if isinstance(meta, dict) else "1.0"
    if version.partition(".")[0] != "1":
        # PEP 629 tells clients to stop at a newer major version.
        raise MalformedPageError(f"it is of version {version} of the simple API, and only 1 is understood")
    wanted = {digest for _, digest in only.allowed}
    for entry in page["files"]:
        if not isinstance(entry, dict) or not isinstance(entry.get("url"), str):
            continue
        hashes = entry.get("hashes")
        if (
            wanted
            and isinstance(hashes, dict)
            and hashes
            and wanted.isdisjoint(str(each).lower() for each in hashes.values())
        ):
            continue  # cheaper than to read the rest of it
        yield _json_entry(entry)


def _json_entry(entry: Mapping[str, Any]) -> _Entry:
    metadata = entry.get("core-metadata", entry.get("dist-info-metadata"))
    yanked = entry.get("yanked")
    size = entry.get("size")
    return _Entry(
        link=entry["url"],
        filename=_text(entry.get("filename")),
        hashes=_json_hashes(entry.get("hashes")),
        size=size if isinstance(size, int) and not isinstance(size, bool) and size >= 0 else None,
        requires_python=_text(entry.get("requires-python")),
        yanked=yanked if isinstance(yanked, str) and yanked else ("" if yanked is True else None),
        upload_time=_time(entry.get("upload-time")),
        metadata=bool(metadata),
        metadata_hashes=_json_hashes(metadata) or _NO_HASHES,
    )


def _json_hashes(value: object) -> Hashes | None:
    """Read ``{"sha256": "…"}``; None (look at the URL's fragment) when nothing usable is there."""
    if not isinstance(value, dict):
        return None
    return _known_hashes(value) or None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _time(value: object) -> datetime | None:
    """Read ``2024-01-02T03:04:05.678901Z`` (PEP 700); None when it is something else."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
