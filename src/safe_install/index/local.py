"""Indexes and find-links on this machine: folders, HTML files, single archives.

A local index is laid out as pip wants it (``<index>/<project>/index.html``); it does not know a project without folder.
A find-links folder offers every wheel and sdist that lies in it.
"""

from __future__ import annotations

import os
import urllib.parse
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import NetworkError
from .files import Listing, file_at, is_distribution, parse_page

if TYPE_CHECKING:
    from packaging.utils import NormalizedName

    from ..models import Hashes


def is_remote(location: str) -> bool:
    """Whether a location is reached over HTTP."""
    return location.lower().startswith(("http://", "https://"))


def local_path(location: str) -> Path | None:
    """Return the path that a ``file:`` URL or a plain path names; None for any other URL (RFC 8089).

    A host other than ``localhost`` becomes a UNC path, which only Windows can open.
    """
    if not location.lower().startswith("file:"):
        # A drive letter is no scheme.
        return None if "://" in location else Path(location).absolute()
    parts = urllib.parse.urlsplit(location)
    host = "" if parts.netloc in {"", "localhost"} else f"//{parts.netloc}"
    return Path(urllib.request.url2pathname(host + parts.path))


def read_local_index(root: Path, name: NormalizedName, *, index: str, only: Hashes) -> Listing | None:
    """Return what a local index offers for a project; None when it does not know it.

    :param only: as for `parse_page`.
    :raises NetworkError: ``index-unreachable``: there is no such folder, or it cannot be read.
    """
    page = root / name / "index.html"
    try:
        content = page.read_bytes()
    except FileNotFoundError:
        if root.is_dir():
            return None
        message = f"could not read the page of {name}: the local index {root} is no folder"
        raise NetworkError(message, code="index-unreachable", hint="check --index-url and --extra-index-url") from None
    except OSError as error:
        message = f"could not read the page of {name} at {page}: {error.strerror}"
        raise NetworkError(message, code="index-unreachable") from error
    return parse_page(content, content_type="text/html", url=page.as_uri(), index=index, only=only)


def read_local_links(location: Path) -> Listing | None:
    """Return what a find-links location offers; None when there is nothing at this path.

    :raises NetworkError: ``index-unreachable``: it is there, but cannot be read.
    """
    try:
        if location.is_dir():
            with os.scandir(location) as entries:
                found = sorted(entry.path for entry in entries if is_distribution(entry.name) and entry.is_file())
            files = (file_at(Path(path).as_uri(), size=os.stat(path).st_size) for path in found)
            return Listing(tuple(file for file in files if file is not None))
        if is_distribution(location.name):
            file = file_at(location.as_uri(), size=location.stat().st_size)
            return Listing((file,) if file is not None else ())
        return parse_page(location.read_bytes(), content_type="text/html", url=location.as_uri(), index=None)
    except FileNotFoundError:
        return None
    except OSError as error:
        message = f"could not read the find-links location {location}: {error.strerror}"
        raise NetworkError(message, code="index-unreachable", hint="check --find-links") from error
