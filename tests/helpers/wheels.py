"""Wheels and sdists made in memory, the same bytes for the same arguments.

For archives that no packer would write, see ``tests/hostile``.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from helpers import in_tree_backend
from helpers.in_tree_backend import Member, escaped, metadata_text, pack, wheel_text

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

Content: TypeAlias = "bytes | str"
Backend: TypeAlias = Literal["in-tree", "in-tree-without-prepare", "setup.py", "setuptools"]

_SETUP_PY = """\
from setuptools import setup
setup(name={name!r}, version={version!r}, packages=[{package!r}], install_requires={requires!r})
"""
_SETUPTOOLS_TOML = """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = {name}
version = {version}
dependencies = {requires}
"""


def make_wheel(
    name: str = "demo",
    version: str = "1.0",
    *,
    files: Mapping[str, Content] | None = None,
    tag: str = "py3-none-any",
    requires_dist: Iterable[str] = (),
    requires_python: str | None = None,
    extras: Iterable[str] = (),
    entry_points: str | None = None,
    scripts: Mapping[str, Content] | None = None,
    data: Mapping[str, Content] | None = None,
    root_is_purelib: bool = True,
    record: Callable[[str], str | None] | None = None,
    executable: Collection[str] = (),
    metadata_extra: str = "",
    metadata: Content | None = None,
    wheel: Content | None = None,
    dist_info: str | None = None,
    build: str | None = None,
    compress: bool = True,
) -> tuple[str, bytes]:
    """Return file name and bytes of a wheel.

    :param files: path to content; by default one package ``<name>/__init__.py`` with its ``__version__``.
    :param scripts: goes to ``.data/scripts``, marked executable.
    :param data: goes to ``.data``; keys begin with the scheme: ``data/share/x``, ``headers/x.h``, ``purelib/x.py``.
    :param record: receives the right text of RECORD and returns what is written instead; None leaves RECORD out.
    :param executable: paths in the archive whose mode says executable.
    :param metadata_extra: appended to METADATA.
    :param metadata: replaces METADATA; an empty one leaves it out. So does *wheel* with WHEEL.
    :param dist_info: name of the ``.dist-info`` folder, when it shall not be the right one.
    :param build: the build number in the file name.
    """
    stem = f"{escaped(name)}-{version}"
    folder = dist_info if dist_info is not None else f"{stem}.dist-info"
    contents: dict[str, Content] = dict(default_files(name, version) if files is None else files)
    contents.update({f"{stem}.data/scripts/{key}": value for key, value in (scripts or {}).items()})
    contents.update({f"{stem}.data/{key}": value for key, value in (data or {}).items()})
    if metadata is None:
        metadata = metadata_text(
            name,
            version,
            requires_dist=requires_dist,
            requires_python=requires_python,
            extras=extras,
            extra_lines=metadata_extra,
        )
    if wheel is None:
        wheel = wheel_text(tag, root_is_purelib=root_is_purelib, build=build)
    special = {"METADATA": metadata, "WHEEL": wheel, "entry_points.txt": entry_points}
    contents.update({f"{folder}/{key}": value for key, value in special.items() if value})
    marked = {*executable, *(f"{stem}.data/scripts/{key}" for key in scripts or {})}
    members = {path: Member(_bytes(content), path in marked) for path, content in contents.items()}
    filename = "-".join([stem, *([build] if build is not None else []), tag]) + ".whl"
    return filename, pack(members, record_path=f"{folder}/RECORD", record=record, compress=compress)


def write_wheel(folder: Path, name: str = "demo", version: str = "1.0", **options: object) -> Path:
    """Write `make_wheel`'s result into *folder*, which is made when missing, and return its path."""
    filename, content = make_wheel(name, version, **options)  # type: ignore[arg-type]  # the options of make_wheel
    return _write(folder, filename, content)


def make_sdist(
    name: str = "demo",
    version: str = "1.0",
    *,
    backend: Backend = "in-tree",
    files: Mapping[str, Content] | None = None,
    requires_dist: Iterable[str] = (),
    requires_python: str | None = None,
    extras: Iterable[str] = (),
    entry_points: str | None = None,
    build_requires: Iterable[str] = (),
    sleep: float = 0.0,
    failure: str | None = None,
    setup_py: str | None = None,
    kind: Literal["tar.gz", "zip"] = "tar.gz",
) -> tuple[str, bytes]:
    """Return file name and bytes of an sdist.

    :param backend: ``in-tree`` needs nothing from an index, unless *build_requires* asks for it, and notes its
        builds (`helpers.in_tree_backend`); ``in-tree-without-prepare`` has no ``prepare_metadata_for_build_wheel``;
        the other two need setuptools, the first without any ``pyproject.toml``.
    :param files: as for `make_wheel`; the in-tree backend packs all of them.
    :param sleep: seconds that each hook of the in-tree backend takes at least.
    :param failure: what each hook of the in-tree backend fails with, when given.
    :param setup_py: instead of the ``setup.py`` that the backend of this name makes.
    """
    stem = f"{escaped(name)}-{version}"
    contents = {path: _bytes(content) for path, content in (files or default_files(name, version)).items()}
    contents["PKG-INFO"] = metadata_text(
        name, version, requires_dist=requires_dist, requires_python=requires_python, extras=extras
    ).encode()
    if backend == "setup.py":
        script = _SETUP_PY.format(name=name, version=version, package=escaped(name), requires=list(requires_dist))
        contents["setup.py"] = _bytes(script if setup_py is None else setup_py)
    elif backend == "setuptools":
        values = [json.dumps(value) for value in (name, version, list(requires_dist))]
        contents["pyproject.toml"] = _SETUPTOOLS_TOML.format(
            **dict(zip(("name", "version", "requires"), values, strict=True))
        ).encode()
    else:
        source = Path(in_tree_backend.__file__).read_text(encoding="utf-8")
        if backend == "in-tree-without-prepare":
            source += "\ndel prepare_metadata_for_build_wheel, prepare_metadata_for_build_editable\n"
        contents["_backend/in_tree_backend.py"] = source.encode()
        contents["pyproject.toml"] = (
            f"[build-system]\nrequires = {json.dumps(list(build_requires))}\n"
            'build-backend = "in_tree_backend"\nbackend-path = ["_backend"]\n'
        ).encode()
        project = {
            "name": name,
            "version": version,
            "requires_dist": list(requires_dist),
            "requires_python": requires_python,
            "extras": list(extras),
            "entry_points": entry_points,
            "sleep": sleep,
            "failure": failure,
        }
        contents["_backend/project.json"] = json.dumps(project, indent=1).encode()
    members = {f"{stem}/{path}": content for path, content in contents.items()}
    return f"{stem}.{kind}", _tar(members) if kind == "tar.gz" else _zip(members)


def write_sdist(folder: Path, name: str = "demo", version: str = "1.0", **options: object) -> Path:
    """Write `make_sdist`'s result into *folder*, which is made when missing, and return its path."""
    filename, content = make_sdist(name, version, **options)  # type: ignore[arg-type]  # the options of make_sdist
    return _write(folder, filename, content)


def write_source_tree(folder: Path, name: str = "demo") -> Path:
    """Unpack `make_sdist`'s result into *folder* and return the one folder in it."""
    filename, content = make_sdist(name)
    # Python 3.11 has no filters before 3.11.4; later ones warn where none is named.
    options: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        archive.extractall(folder, **options)
    return folder / filename.removesuffix(".tar.gz")


def default_files(name: str, version: str) -> dict[str, Content]:
    """The package that archives hold when nothing else is said."""
    return {f"{escaped(name)}/__init__.py": f'__version__ = "{version}"\n'}


def _bytes(content: Content) -> bytes:
    return content.encode("utf-8") if isinstance(content, str) else content


def _write(folder: Path, filename: str, content: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / filename
    path.write_bytes(content)
    return path


def _tar(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, content in members.items():
            info = tarfile.TarInfo(path)
            info.size = len(content)
            info.mode = 0o644
            archive.addfile(info, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), mtime=0)


def _zip(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in members.items():
            info = zipfile.ZipInfo(path, date_time=(1980, 1, 1, 0, 0, 0))
            info.external_attr = 0o100644 << 16
            archive.writestr(info, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
