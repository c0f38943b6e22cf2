"""Wheels of what this Python has installed, so that the real command can be set up without a network."""

from __future__ import annotations

import hashlib
import re
import zipfile
from email import message_from_string
from importlib import metadata
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def repack(requirements: Iterable[str], folder: Path) -> str:
    """Put *requirements*, with all that they require, into *folder* as wheels; return the lock that names these.

    Programs and bytecode are left out: nobody imports them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    waiting, seen = [Requirement(text) for text in requirements], set()
    while waiting:
        each = waiting.pop()
        name = canonicalize_name(each.name)
        if name in seen or (each.marker is not None and not each.marker.evaluate({"extra": ""})):
            continue
        seen.add(name)
        found = metadata.distribution(name)
        waiting += [Requirement(text) for text in found.requires or ()]
        digest = hashlib.sha256(_repack(found, folder).read_bytes()).hexdigest()
        lines.append(f"{name}=={found.version} --hash=sha256:{digest}\n")
    return "".join(lines)


def _repack(distribution: metadata.Distribution, folder: Path) -> Path:
    tags = message_from_string(distribution.read_text("WHEEL") or "").get_all("Tag", [])
    # py2-none-any and py3-none-any are py2.py3-none-any in a name.
    tag = "-".join(".".join(sorted(set(parts))) for parts in zip(*(each.split("-") for each in tags), strict=True))
    name = re.sub(r"[-_.]+", "_", distribution.name)
    path = folder / f"{name}-{distribution.version}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file in distribution.files or ():
            if ".." not in file.parts and file.parts[0] != "bin" and file.suffix != ".pyc":
                archive.write(file.locate(), file.as_posix())
    return path
