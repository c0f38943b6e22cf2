"""An index in memory: what exists is declared in a test, and every question is answered from there.

::

    universe = Universe()
    universe.add("app", "1.0", requires=["lib>=2"])
    universe.add("lib", "2.1", files=["lib-2.1-cp312-cp312-win_amd64.whl", "lib-2.1.tar.gz"])
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.tags import compatible_tags, cpython_tags
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from safe_install.models import CoreMetadata, DirectSource, Hashes, Interpreter, RemoteFile, VcsSource

INDEX = "https://index.test/simple"


class Universe:
    """Distributions that exist, as a `MetadataSource`. :ivar asked: how often each question was asked."""

    def __init__(self) -> None:
        self.asked: Counter[tuple[str, str]] = Counter()
        self._files: defaultdict[NormalizedName, list[RemoteFile]] = defaultdict(list)
        self._metadata: dict[str, CoreMetadata | Exception] = {}
        self._direct: dict[object, CoreMetadata] = {}
        self._lock = threading.Lock()

    def add(
        self,
        name: str,
        version: str,
        *,
        requires: Iterable[str] = (),
        extras: Iterable[str] = (),
        files: Sequence[str] | None = None,
        requires_python: str | None = None,
        page_requires_python: str | None = None,
        yanked: str | None = None,
        upload_time: datetime | None = None,
        broken: Exception | None = None,
        claims: str | None = None,
    ) -> None:
        """Publish a version. :param broken: raised for its metadata; :param claims: the name that they say."""
        escaped = name.replace("-", "_")
        for filename in files if files is not None else [f"{escaped}-{version}-py3-none-any.whl"]:
            file = RemoteFile(
                url=f"https://files.test/{filename}",
                filename=filename,
                hashes=Hashes.of({"sha256": hashlib.sha256(filename.encode()).hexdigest()}),
                size=1000 + len(filename),
                requires_python=page_requires_python,
                yanked=yanked,
                upload_time=upload_time,
                metadata=filename.endswith(".whl"),
                index=INDEX,
            )
            self._files[canonicalize_name(name)].append(file)
            self._metadata[file.url] = broken or metadata(
                claims or name, version, requires=requires, extras=extras, requires_python=requires_python
            )

    def add_direct(self, source: DirectSource, declared: CoreMetadata) -> None:
        """Make a direct source exist."""
        self._direct[_key(source)] = declared

    def files(self, name: NormalizedName) -> Sequence[RemoteFile]:
        self._count("files", name)
        return list(self._files.get(name, ()))

    def metadata(self, name: NormalizedName, file: RemoteFile) -> CoreMetadata:
        self._count("metadata", file.filename)
        found = self._metadata[file.url]
        if isinstance(found, Exception):
            raise found
        return found

    def direct_metadata(self, source: DirectSource) -> tuple[DirectSource, CoreMetadata]:
        self._count("direct", str(_key(source)))
        if isinstance(source, VcsSource):
            return replace(source, commit_id="0123456789" * 4), self._direct[_key(source)]
        return source, self._direct[_key(source)]

    def prefetch(self, names: Iterable[NormalizedName]) -> None:
        for name in names:
            self._count("prefetch", name)

    def _count(self, kind: str, what: str) -> None:
        with self._lock:
            self.asked[kind, what] += 1


def metadata(
    name: str,
    version: str,
    *,
    requires: Iterable[str] = (),
    extras: Iterable[str] = (),
    requires_python: str | None = None,
) -> CoreMetadata:
    """Core metadata from short texts."""
    return CoreMetadata(
        name=canonicalize_name(name),
        version=Version(version),
        requires_dist=tuple(map(Requirement, requires)),
        requires_python=SpecifierSet(requires_python) if requires_python else None,
        provides_extra=frozenset(map(canonicalize_name, extras)),
    )


def interpreter(
    version: str = "3.11.7", *, platform: str = "linux", markers: Mapping[str, str] | None = None
) -> Interpreter:
    """An interpreter that needs not exist. :param platform: ``linux`` or ``windows``."""
    numbers = tuple(int(part) for part in version.split("."))
    assert len(numbers) == 3
    platforms = (
        ["manylinux_2_17_x86_64", "manylinux2014_x86_64", "linux_x86_64"] if platform == "linux" else ["win_amd64"]
    )
    tags = [
        *cpython_tags(numbers[:2], platforms=platforms),
        *compatible_tags(numbers[:2], f"cp{numbers[0]}{numbers[1]}", platforms),
    ]
    values = {
        "implementation_name": "cpython",
        "implementation_version": version,
        "os_name": "posix" if platform == "linux" else "nt",
        "platform_machine": "x86_64" if platform == "linux" else "AMD64",
        "platform_python_implementation": "CPython",
        "platform_release": "6.1.0",
        "platform_system": "Linux" if platform == "linux" else "Windows",
        "platform_version": "#1 SMP",
        "python_full_version": version,
        "python_version": f"{numbers[0]}.{numbers[1]}",
        "sys_platform": "linux" if platform == "linux" else "win32",
    }
    return Interpreter(
        executable="/opt/python/bin/python3",
        base_executable="/opt/python/bin/python3",
        version=numbers,
        implementation="cpython",
        markers={**values, **(markers or {})},
        platform="linux-x86_64" if platform == "linux" else "win-amd64",
        paths={},
        relative_paths={},
        tag_texts=tuple(map(str, tags)),
        prefix="/opt/python",
        base_prefix="/opt/python",
        externally_managed=None,
        cache_tag=f"cpython-{numbers[0]}{numbers[1]}",
        magic_number="a70d0d0a",
        libc=("glibc", "2.36"),
        pointer_bits=64,
        gil_disabled=False,
    )


def _key(source: DirectSource) -> object:
    if isinstance(source, VcsSource):
        return (source.url, source.revision)
    path = getattr(source, "path", None)
    return path if isinstance(path, Path) else source.file.url  # type: ignore[union-attr]  # the third kind has a file
