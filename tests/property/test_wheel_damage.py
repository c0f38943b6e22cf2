"""A damaged wheel gives the same files, or is refused as one: never anything else."""

from __future__ import annotations

import tempfile
from pathlib import Path

from helpers.wheels import make_wheel
from hostile.wheel_corpus import good_with_zip64_end
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name
from packaging.version import Version

from safe_install.errors import IntegrityError
from safe_install.events import ignore
from safe_install.install.wheel import unpack_wheel
from safe_install.models import Digest
from safe_install.store.trees import TreeWriter

FILENAME, PLAIN = make_wheel(
    files={"demo/__init__.py": "x = 1\n" * 20, "demo/noise.bin": bytes(range(256))},
    scripts={"hello": "#!python\n"},
    entry_points="[console_scripts]\ndemo = demo:main\n",
)
WHEELS = {"plain": PLAIN, "stored": make_wheel(compress=False)[1], "zip64": good_with_zip64_end()}


def files_of(content: bytes) -> set[tuple[str, str]]:
    """Path and digest of every file. Whether one is executable nothing in a wheel protects."""
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder, "download")
        archive.write_bytes(content)
        writer = TreeWriter(Path(folder))
        unpack_wheel(
            archive,
            writer,
            filename=FILENAME,
            name=canonicalize_name("demo"),
            version=Version("1.0"),
            irregular=False,
            sink=ignore,
        )
        manifest = writer.finish(digest=Digest("0" * 64), filename=FILENAME)
        return {(entry.path, entry.sha256) for entry in manifest.files}


def check(kind: str, damaged: bytes) -> None:
    try:
        found = files_of(damaged)
    except IntegrityError:
        return
    assert found == files_of(WHEELS[kind])


@given(
    kind=st.sampled_from(sorted(WHEELS)),
    changes=st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(1, 255)), min_size=1, max_size=4),
)
def test_flipped_bits(kind: str, changes: list[tuple[int, int]]) -> None:
    content = bytearray(WHEELS[kind])
    for place, bits in changes:
        content[place % len(content)] ^= bits
    check(kind, bytes(content))


@given(
    kind=st.sampled_from(sorted(WHEELS)),
    start=st.integers(0, 1 << 20),
    length=st.integers(0, 64),
    inserted=st.binary(max_size=64),
)
def test_bytes_lost_or_inserted(kind: str, start: int, length: int, inserted: bytes) -> None:
    content = WHEELS[kind]
    at = start % len(content)
    check(kind, content[:at] + inserted + content[at + length :])


@given(kind=st.sampled_from(sorted(WHEELS)), length=st.integers(0, 1 << 20))
def test_cut_off(kind: str, length: int) -> None:
    content = WHEELS[kind]
    check(kind, content[: length % len(content)])
