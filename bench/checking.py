"""Compare what a run left in an environment with the pins it was made from."""

from __future__ import annotations

import csv
import importlib.metadata
import json
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterator


def pinned(pins: Path) -> dict[str, str]:
    """Name to version, of the lines whose markers hold for the running Python."""
    found: dict[str, str] = {}
    for line in pins.read_text(encoding="utf-8").splitlines():
        if not line.startswith(("#", " ")) and line:
            requirement = Requirement(line.removesuffix("\\").strip())
            if requirement.marker is None or requirement.marker.evaluate():
                found[canonicalize_name(requirement.name)] = str(requirement.specifier).removeprefix("==")
    return found


def problems(environment: Path, pins: Path) -> list[str]:
    """What is wrong: distributions missing, foreign or of another version; files missing or of another size."""
    expected = pinned(pins)
    found: dict[str, str] = {}
    wrong = []
    libraries = _libraries(environment)
    for folder in _metadata_folders(environment):
        metadata = importlib.metadata.Distribution.at(folder).metadata
        found[canonicalize_name(metadata["Name"])] = metadata["Version"]
        wrong += [f"{folder.name}: {path}" for path in _damaged(folder, libraries[0])]
    wrong += [f"{name}: {found.get(name)} instead of {expected.get(name)}"
              for name in sorted(expected.keys() | found.keys()) if found.get(name) != expected.get(name)]  # fmt: skip
    return wrong


def file_count(environment: Path) -> int:
    """How many files the distributions of an environment have by their RECORDs."""
    return sum(1 for folder in _metadata_folders(environment) for _ in _record(folder))


def _libraries(environment: Path) -> list[Path]:
    """Its own site-packages, and those of the image that it refers to."""
    roots = [environment]
    reference = environment / "safe-install-image.json"
    if reference.exists():
        image = json.loads(reference.read_text(encoding="utf-8"))["image"]
        roots.append(Path(image) / "tree" / "environment")
    return [library for root in roots for library in sorted(root.glob("[Ll]ib/**/site-packages"))]


def _metadata_folders(environment: Path) -> list[Path]:
    found = (folder for library in _libraries(environment) for folder in library.glob("*.dist-info"))
    return sorted(folder for folder in found if folder.is_dir())


def _record(folder: Path) -> Iterator[tuple[Path, str]]:
    with (folder / "RECORD").open(encoding="utf-8", newline="") as lines:
        for path, _, size in csv.reader(lines):
            yield folder.parent / path, size


def _damaged(folder: Path, library: Path) -> Iterator[str]:
    """:param library: the environment's own, which scripts lie beside."""
    for listed, size in _record(folder):
        # Of an attached environment: a script, whose size follows from the path in its first line.
        is_script = folder.parent != library and ".." in listed.parts
        path = library / listed.relative_to(folder.parent) if is_script else listed
        try:
            actual = path.stat().st_size
        except OSError as error:
            yield str(error)
        else:
            if size and not is_script and actual != int(size):
                yield f"{path} has {actual} bytes instead of {size}"
