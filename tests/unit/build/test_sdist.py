"""Source archives: the good ones arrive as pip would leave them, the hostile ones leave nothing."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from helpers.capabilities import needs_symlinks
from helpers.wheels import make_sdist

from safe_install.build.sdist import Limits, unpack_sdist
from safe_install.errors import IntegrityError, StoreError
from safe_install.events import Event, Noticed, SteppedDown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FILENAME = "demo-1.0.tar.gz"


def member(name: str, **attributes: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.mtime = 1_000_000_000
    for key, value in attributes.items():
        setattr(info, key, value)
    return info


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    return member(name, type=kind, linkname=target)


def bare_tar(*members: tarfile.TarInfo, content: bytes = b"x", layout: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=layout) as archive:
        for info in members:
            if info.isreg():
                info.size = len(content)
            archive.addfile(info, io.BytesIO(content) if info.isreg() else None)
    return buffer.getvalue()


def zipped(members: Mapping[str, bytes], *, mode: int = 0o100644) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.filename = name
            info.external_attr = mode << 16
            archive.writestr(info, content)
    return buffer.getvalue()


def twice(kind: str, names: tuple[str, str], other: bytes) -> bytes:
    """An archive with two members; the first holds ``x``, the second *other*."""
    contents = list(zip(names, (b"x", other), strict=True))
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, content in contents:
                archive.writestr(name, content)
    else:
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for name, content in contents:
                tar.addfile(member(name, size=len(content)), io.BytesIO(content))
    return buffer.getvalue()


class Bench:
    """Unpacks bytes, and looks at what stays behind."""

    def __init__(self, folder: Path) -> None:
        self.target = folder / "scratch" / "tree"
        self.archive = folder / "archive"
        self.outside = folder / "scratch"
        self.events: list[Event] = []

    def unpack(self, content: bytes, *, irregular: bool = False, limits: Limits | None = None) -> Path:
        self.archive.write_bytes(content)
        return unpack_sdist(
            self.archive, self.target, filename=FILENAME, sink=self.events.append, irregular=irregular, limits=limits
        )

    def refusal(self, content: bytes, *, limits: Limits | None = None) -> IntegrityError:
        with pytest.raises(IntegrityError) as caught:
            self.unpack(content, limits=limits)
        assert FILENAME in caught.value.message
        assert not self.target.exists()
        assert not list(self.outside.rglob("*"))
        return caught.value


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_every_kind_of_tar_is_told_by_its_content(bench: Bench, pack: Callable[[bytes], bytes]) -> None:
    top = bench.unpack(pack(bare_tar(member("demo-1.0/a/b.txt"), content=b"hello")))
    assert top == bench.target / "demo-1.0"
    assert (top / "a" / "b.txt").read_bytes() == b"hello"


@pytest.mark.parametrize("kind", ["tar.gz", "zip"])
def test_an_ordinary_sdist_arrives_whole(bench: Bench, kind: str) -> None:
    _, content = make_sdist("demo", "1.0", kind=kind)  # type: ignore[arg-type]  # parametrized literal
    top = bench.unpack(content)
    assert {path.name for path in top.iterdir()} == {"_backend", "demo", "PKG-INFO", "pyproject.toml"}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_modes_keep_only_whether_a_file_is_executable(bench: Bench) -> None:
    top = bench.unpack(
        bare_tar(
            member("demo/run", mode=0o6711),
            member("demo/read", mode=0o400),
            member("demo/open", mode=0o666),
            member("demo/folder", type=tarfile.DIRTYPE, mode=0o1000),
        )
    )
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in top.iterdir()}
    assert modes == {"run": 0o755, "read": 0o644, "open": 0o644, "folder": 0o755}
    assert stat.S_IMODE(top.stat().st_mode) == 0o755


def test_times_of_a_tar_are_kept_since_builds_compare_them(bench: Bench) -> None:
    assert (bench.unpack(bare_tar(member("demo/a"))) / "a").stat().st_mtime == 1_000_000_000


def test_an_impossible_time_is_ignored(bench: Bench) -> None:
    info = member("demo/a")
    info.pax_headers = {"mtime": "nan"}
    assert (bench.unpack(bare_tar(info)) / "a").exists()


@needs_symlinks
def test_a_link_inside_the_tree_is_made_whatever_its_order(bench: Bench) -> None:
    top = bench.unpack(bare_tar(link("demo/docs/readme", "../README"), member("demo/README"), content=b"text"))
    assert (top / "docs" / "readme").read_bytes() == b"text"
    assert (top / "docs" / "readme").is_symlink()


def test_a_hard_link_becomes_a_copy(bench: Bench) -> None:
    top = bench.unpack(bare_tar(member("demo/a"), link("demo/b", "demo/a", tarfile.LNKTYPE), content=b"same"))
    assert (top / "b").read_bytes() == b"same"
    assert not (top / "a").samefile(top / "b")


def test_folders_may_be_named_twice_and_paths_may_begin_with_a_dot(bench: Bench) -> None:
    folder = {"type": tarfile.DIRTYPE}
    top = bench.unpack(
        bare_tar(member(".", **folder), member("./demo/", **folder), member("demo", **folder), member("./demo/a"))
    )
    assert [path.name for path in top.iterdir()] == ["a"]


@pytest.mark.parametrize("litter", ["._demo-1.0", "pax_global_header", ".DS_Store", "__MACOSX/demo/._a"])
def test_what_archivers_leave_beside_the_folder_is_not_unpacked(bench: Bench, litter: str) -> None:
    bench.unpack(bare_tar(member(litter), member("demo/a")))
    assert [path.name for path in bench.target.iterdir()] == ["demo"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../evil", "contains `..`"),
        ("demo/../../evil", "contains `..`"),
        ("/evil", "absolute"),
        ("//server/share/evil", "UNC"),
        ("\\\\server\\share\\evil", "UNC"),
        ("C:/evil", "names a drive"),
        ("C:evil", "names a drive"),
        ("demo\\..\\evil", "backslash"),
        ("demo/nul.txt", "reserved on Windows"),
        ("demo/a\nb", "control character"),
        ("demo/" + "x" * 300, "more than 255 bytes"),
    ],
)
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_names_that_leave_the_tree_are_refused(bench: Bench, kind: str, name: str, reason: str) -> None:
    content = bare_tar(member("demo/a"), member(name)) if kind == "tar" else zipped({"demo/a": b"", name: b""})
    error = bench.refusal(content)
    assert error.code == "sdist-hostile"
    assert reason in error.message
    assert repr(name) in error.message


def test_a_nul_in_a_name_is_refused_in_a_tar(bench: Bench) -> None:
    info = member("demo/a")
    info.pax_headers = {"path": "demo/a\0.txt"}
    assert "NUL" in bench.refusal(bare_tar(info)).message


def test_a_nul_in_a_name_is_refused_in_a_zip(bench: Bench) -> None:
    content = zipped({"demo/a_.txt": b""}).replace(b"a_.txt", b"a\0.txt")
    assert "NUL" in bench.refusal(content).message


def test_a_name_that_is_no_unicode_is_refused(bench: Bench) -> None:
    content = bare_tar(member("demo/a\udcff"), layout=tarfile.GNU_FORMAT)
    assert "not valid Unicode" in bench.refusal(content).message


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("/etc/passwd", "no relative path"),
        ("../../outside", "leaves the top-level folder"),
        ("../other/file", "leaves the top-level folder"),
        ("..\\..\\outside", "no relative path"),
        ("", "no relative path"),
    ],
)
def test_links_that_leave_the_tree_are_refused(bench: Bench, target: str, reason: str) -> None:
    error = bench.refusal(bare_tar(link("demo/link", target)))
    assert error.code == "sdist-hostile"
    assert reason in error.message


@needs_symlinks
def test_a_link_that_leaves_through_another_link_is_refused(bench: Bench) -> None:
    # By its text, `demo/a/b/up/../x` is `demo/a/b/x`; through the link it is what stands beside `demo`.
    error = bench.refusal(
        bare_tar(member("demo/a/b/c"), link("demo/a/b/up", "../.."), link("demo/evil", "a/b/up/../x"))
    )
    assert "leaves the top-level folder" in error.message


def test_nothing_is_written_through_a_link(bench: Bench) -> None:
    error = bench.refusal(bare_tar(link("demo/a", "b"), member("demo/b/x"), member("demo/a/evil")))
    assert "there twice" in error.message


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "demo/missing", "demo/folder"])
def test_a_hard_link_to_anything_but_an_earlier_file_is_refused(bench: Bench, target: str) -> None:
    folder = member("demo/folder", type=tarfile.DIRTYPE)
    assert bench.refusal(bare_tar(folder, link("demo/b", target, tarfile.LNKTYPE))).code == "sdist-hostile"


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (tarfile.CHRTYPE, "character device"),
        (tarfile.BLKTYPE, "block device"),
        (tarfile.FIFOTYPE, "FIFO"),
        (b"Q", "unknown type"),
    ],
)
def test_devices_and_unknown_kinds_are_refused(bench: Bench, kind: bytes, reason: str) -> None:
    assert reason in bench.refusal(bare_tar(member("demo/a"), member("demo/special", type=kind))).message


def test_a_link_in_a_zip_is_refused(bench: Bench) -> None:
    assert "symbolic link" in bench.refusal(zipped({"demo/a": b"b"}, mode=0o120777)).message


@pytest.mark.parametrize("kind", ["tar", "zip"])
@pytest.mark.parametrize("pair", [("demo/a", "demo/a"), ("demo/a", "demo/./a"), ("demo/a", "demo/a/b")])
@pytest.mark.parametrize("other", [b"y", b"", b"xy"])
@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_two_members_of_one_name_are_refused(bench: Bench, kind: str, pair: tuple[str, str], other: bytes) -> None:
    error = bench.refusal(twice(kind, pair, other))
    assert "there twice" in error.message
    assert error.code == "sdist-hostile"


@pytest.mark.parametrize("kind", ["tar", "zip"])
@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_a_file_that_comes_twice_with_the_same_content_is_told(bench: Bench, kind: str) -> None:
    top = bench.unpack(twice(kind, ("demo/a", "demo/a"), b"x"))
    assert (top / "a").read_bytes() == b"x"
    assert [event.message for event in bench.events if isinstance(event, Noticed)] == [
        f"{FILENAME}: member 'demo/a' is there twice"
    ]


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ([], "empty"),
        (["one/a", "two/b"], "more than one top-level entry: 'one' and 'two'"),
        (["demo/a", "setup.py"], "more than one top-level entry"),
        (["setup.py"], "not in a folder"),
    ],
)
def test_exactly_one_top_level_folder_is_asked_for(bench: Bench, members: list[str], reason: str) -> None:
    error = bench.refusal(bare_tar(*(member(name) for name in members)))
    assert error.code == "sdist-invalid"
    assert reason in error.message


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, bytes])
@pytest.mark.parametrize("kept", [0.3, 0.9, 0.98])
def test_a_truncated_tar_is_refused(bench: Bench, pack: Callable[[bytes], bytes], kept: float) -> None:
    whole = pack(bare_tar(*(member(f"demo/{number}") for number in range(9)), content=os.urandom(3000)))
    if pack is bytes:
        # Padding behind the end of the archive may be missing; the end itself may not.
        whole = whole.rstrip(b"\0")
    assert bench.refusal(whole[: int(len(whole) * kept)]).code == "sdist-invalid"


def test_a_tar_that_ends_between_two_members_is_refused(bench: Bench) -> None:
    whole = bare_tar(member("demo/a"), member("demo/b"))
    assert bench.refusal(whole[: 2 * tarfile.BLOCKSIZE]).code == "sdist-invalid"


def test_a_damaged_header_is_not_taken_for_the_end(bench: Bench) -> None:
    whole = bytearray(bare_tar(member("demo/a"), member("demo/b"), layout=tarfile.USTAR_FORMAT))
    whole[1024 + 148] ^= 1
    assert bench.refusal(bytes(whole)).code == "sdist-invalid"


@pytest.mark.parametrize("layout", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_data_behind_the_end_is_refused(bench: Bench, layout: int) -> None:
    content = bare_tar(member("demo/a"), layout=layout) + bare_tar(member("demo/b"), layout=layout)
    assert "behind the end" in bench.refusal(gzip.compress(content)).message


def test_a_wrong_checksum_of_the_compressed_stream_is_found(bench: Bench) -> None:
    content = bytearray(gzip.compress(bare_tar(member("demo/a"))))
    content[-6] ^= 0xFF
    assert bench.refusal(bytes(content)).code == "sdist-invalid"


@pytest.mark.parametrize("content", [b"", b"hello" * 1000, b"\x1f\x8b", b"PK\x03\x04", b"BZh9" + b"x" * 100])
def test_what_is_no_archive_is_refused(bench: Bench, content: bytes) -> None:
    assert bench.refusal(content).code == "sdist-invalid"


def test_a_truncated_zip_is_refused(bench: Bench) -> None:
    content = zipped({"demo/a": b"x" * 1000})
    assert bench.refusal(content[:-30]).code == "sdist-invalid"


def test_wrong_content_in_a_zip_is_refused(bench: Bench) -> None:
    content = zipped({"demo/a": b"marker"}).replace(b"marker", b"market")
    assert bench.refusal(content).code == "sdist-invalid"


def test_overlapping_members_of_a_zip_are_refused(bench: Bench) -> None:
    content = bytearray(zipped({"demo/a": b"A" * 64, "demo/b": b"A" * 64}))
    second = content.rindex(b"PK\x01\x02")
    content[second + 42 : second + 46] = (10).to_bytes(4, "little")
    assert "overlaps" in bench.refusal(bytes(content)).message


def test_an_encrypted_zip_is_refused(bench: Bench) -> None:
    content = bytearray(zipped({"demo/a": b"x"}))
    central = content.index(b"PK\x01\x02")
    content[central + 8] |= 1
    assert "encrypted" in bench.refusal(bytes(content)).message


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_bomb_is_refused_by_its_ratio(bench: Bench, kind: str) -> None:
    zeros = b"\0" * (2 << 20)
    if kind == "tar":
        content = gzip.compress(bare_tar(member("demo/a"), content=zeros))
    else:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("demo/a", zeros)
        content = buffer.getvalue()
    error = bench.refusal(content, limits=Limits(ratio_from=1 << 20))
    assert error.code == "sdist-too-large"
    assert "bomb" in error.message
    assert bench.unpack(content).exists()


def test_a_bomb_in_what_is_skipped_counts_too(bench: Bench) -> None:
    content = gzip.compress(bare_tar(member("._litter"), content=b"\0" * (2 << 20)))
    assert bench.refusal(content, limits=Limits(ratio_from=1 << 20)).code == "sdist-too-large"


def test_the_total_is_limited_whatever_the_ratio(bench: Bench) -> None:
    content = bare_tar(*(member(f"demo/{number}") for number in range(20)), content=os.urandom(1000))
    error = bench.refusal(content, limits=Limits(total=10_000))
    assert "more than 10,000 bytes" in error.message


def test_the_number_of_members_is_limited(bench: Bench) -> None:
    content = bare_tar(*(member(f"demo/{number}") for number in range(20)))
    assert "more than 10 members" in bench.refusal(content, limits=Limits(members=10)).message


def test_a_header_that_claims_to_be_huge_is_not_read_into_memory(bench: Bench) -> None:
    info = member("././@PaxHeader", type=tarfile.XHDTYPE, size=1 << 30)
    content = gzip.compress(info.tobuf(tarfile.USTAR_FORMAT) + b"\0" * (4 << 20))
    assert "a header claims 1,073,741,824 bytes" in bench.refusal(content).message


def test_a_negative_size_is_refused(bench: Bench) -> None:
    raw = bytearray(member("demo/a").tobuf(tarfile.USTAR_FORMAT))
    raw[124:136] = b"\xff" * 10 + b"\xfe\x00"
    raw[148:156] = b" " * 8
    raw[148:156] = b"%06o\0 " % sum(raw)
    assert bench.refusal(bytes(raw) + bytes(1024)).code == "sdist-invalid"


@pytest.mark.parametrize("name", ["demo/logging.", "demo/a:b", "demo/what?", "demo/space "])
def test_names_that_only_windows_cannot_hold_are_refused_there_and_told_elsewhere(bench: Bench, name: str) -> None:
    content = bare_tar(member(name))
    if os.name == "nt":
        assert bench.refusal(content).code == "sdist-hostile"
        return
    assert bench.unpack(content).joinpath(name.partition("/")[2]).exists()
    assert [repr(name) in event.message for event in bench.events if isinstance(event, Noticed)] == [True]


def test_names_reserved_on_windows_are_excused_on_request_and_told(bench: Bench) -> None:
    content = bare_tar(member("demo/aux.c"))
    error = bench.refusal(content)
    if os.name == "nt":
        return
    assert "--allow-irregular" in (error.hint or "")
    assert (bench.unpack(content, irregular=True) / "aux.c").exists()
    assert [event.kind for event in bench.events if isinstance(event, SteppedDown)] == ["irregular-archive"]


def test_no_excuse_helps_a_name_that_leaves_the_tree(bench: Bench) -> None:
    with pytest.raises(IntegrityError):
        bench.unpack(bare_tar(member("demo/../../evil")), irregular=True)


@pytest.mark.skipif(os.name == "nt", reason="such names are refused there: they are one file")
def test_names_that_meet_where_case_is_ignored_are_told(bench: Bench) -> None:
    bench.unpack(bare_tar(member("demo/README"), member("demo/readme")))
    told = [event.message for event in bench.events if isinstance(event, Noticed)]
    assert len(told) == 1
    assert "'demo/README' and 'demo/readme'" in told[0]


def test_an_interrupt_leaves_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(path: str, mode: int) -> None:
        raise KeyboardInterrupt

    bench.archive.write_bytes(bare_tar(member("demo/a")))
    with monkeypatch.context() as patch:
        patch.setattr("safe_install.build.extraction.os.chmod", interrupt)
        with pytest.raises(KeyboardInterrupt):
            unpack_sdist(bench.archive, bench.target, filename=FILENAME)
    assert not bench.target.exists()


@pytest.mark.skipif(os.name == "nt", reason="modes of folders mean nothing there")
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_the_stores_error(bench: Bench) -> None:
    bench.outside.mkdir()
    bench.outside.chmod(0o500)
    try:
        with pytest.raises(StoreError):
            bench.unpack(bare_tar(member("demo/a")))
    finally:
        bench.outside.chmod(0o700)
