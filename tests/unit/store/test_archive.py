"""What is exported arrives as it was, the same entries make the same bytes, and a hostile tar brings nothing."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from helpers.faults import before
from helpers.storage import add_pointer, add_selection, add_wheel, digest_of

from safe_install.errors import IntegrityError, StoreError
from safe_install.models import Digest
from safe_install.store.archive_reading import read_archive
from safe_install.store.archive_writing import write_archive
from safe_install.store.documents import CachedPage, encode_document
from safe_install.store.layout import BUILT, INTERPRETERS
from safe_install.store.manifest import FileEntry, Manifest, encode_manifest
from safe_install.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SDIST = b"an sdist"
SDIST_DIGEST = Digest(hashlib.sha256(SDIST).hexdigest())
DIGEST = digest_of("evil 1.0")
Member = tuple[str, bytes]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Holds two wheels, a file, a pointer, a selection, a page and an answer of an interpreter."""
    store = Store.open(tmp_path / "store", retry_budget=0)
    fill(store, ["one", "two"])
    return store


@pytest.fixture
def other(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "other", retry_budget=0)


def fill(store: Store, names: Iterable[str]) -> None:
    for name in names:
        add_wheel(store, name)
    with store.stage_file() as staged:
        staged.write_bytes(SDIST)
        store.publish_file(staged, SDIST_DIGEST)
    add_pointer(store, "one")
    add_selection(store, "two")
    store.publish_page(
        digest_of("page"), CachedPage(url="https://index.test/one/", content_type="text/html", body=b"x")
    )
    store.publish_document(INTERPRETERS, digest_of("python"), {"answer": 1})


def export(store: Store, target: Path) -> bytes:
    write_archive(store, target, lambda _: True)
    return target.read_bytes()


def test_what_was_exported_arrives(store: Store, other: Store, tmp_path: Path) -> None:
    written = write_archive(store, tmp_path / "a.tar", lambda _: True)
    brought = read_archive(other, tmp_path / "a.tar", sha256=written.sha256)
    assert (written.wheels, written.files, written.documents, written.known) == (2, 1, 2, 0)
    assert (brought.wheels, brought.files, brought.documents, brought.known) == (2, 1, 2, 0)
    for name in ("one", "two"):
        found = other.wheel(digest_of(f"{name} 1.0"))
        assert found is not None
        assert found.manifest == store.wheel(found.digest).manifest  # type: ignore[union-attr]  # it was made above
    path = other.file(SDIST_DIGEST)
    assert path is not None
    assert path.read_bytes() == SDIST
    assert other.document(BUILT, digest_of("build of one")) == store.document(BUILT, digest_of("build of one"))
    assert other.page(digest_of("page")) is None
    assert other.document(INTERPRETERS, digest_of("python")) is None


def test_same_entries_make_the_same_bytes(store: Store, other: Store, tmp_path: Path) -> None:
    fill(other, ["two", "one"])
    assert export(store, tmp_path / "a.tar") == export(other, tmp_path / "b.tar")


def test_export_of_an_import_is_the_same_file(store: Store, other: Store, tmp_path: Path) -> None:
    data = export(store, tmp_path / "a.tar")
    read_archive(other, tmp_path / "a.tar", sha256=None)
    assert export(other, tmp_path / "b.tar") == data


def test_archive_tells_nothing_of_its_maker(store: Store, tmp_path: Path) -> None:
    export(store, tmp_path / "a.tar")
    with tarfile.open(tmp_path / "a.tar") as tar:
        facts = {(member.mtime, member.uid, member.gid, member.uname, member.gname) for member in tar}
    assert facts == {(0, 0, 0, "", "")}


def test_second_import_brings_nothing_new(store: Store, other: Store, tmp_path: Path) -> None:
    export(store, tmp_path / "a.tar")
    read_archive(other, tmp_path / "a.tar", sha256=None)
    again = read_archive(other, tmp_path / "a.tar", sha256=None)
    assert (again.entries, again.known) == (5, 5)


def test_empty_store_makes_an_archive_too(other: Store, tmp_path: Path) -> None:
    export(other, tmp_path / "a.tar")
    assert read_archive(other, tmp_path / "a.tar", sha256=None).entries == 0


def test_chosen_entries_bring_the_documents_that_lead_to_them(store: Store, other: Store, tmp_path: Path) -> None:
    one = store.layout.wheel(digest_of("one 1.0"))
    write_archive(store, tmp_path / "a.tar", lambda entry: entry.path == one)
    brought = read_archive(other, tmp_path / "a.tar", sha256=None)
    assert (brought.wheels, brought.files, brought.documents) == (1, 0, 1)


def test_entries_are_leased_while_they_are_exported(store: Store, tmp_path: Path) -> None:
    from safe_install.events import ignore
    from safe_install.store.gc import Limits, collect

    def clean_up() -> None:
        collect(store.layout, Limits(max_size=0), lock_timeout=0, sink=ignore)

    with before(
        "open", str(store.layout.wheel(digest_of("one 1.0")) / "tree"), clean_up, module=__import__("builtins")
    ):
        written = write_archive(store, tmp_path / "a.tar", lambda _: True)
    assert written.wheels == 2


def test_long_and_foreign_names_arrive(store: Store, other: Store, tmp_path: Path) -> None:
    name = "/".join(["ö" * 60] * 4) + ".py"
    with store.stage_tree() as writer:
        writer.add(name, [b"x"], executable=True)
        store.publish_wheel(writer.folder, writer.finish(digest=digest_of("long"), filename="long-1-py3-none-any.whl"))
    export(store, tmp_path / "a.tar")
    read_archive(other, tmp_path / "a.tar", sha256=None)
    found = other.wheel(digest_of("long"))
    assert found is not None
    assert [(entry.path, entry.executable) for entry in found.manifest.files] == [(name, True)]


def test_pointer_whose_wheel_is_gone_gives_way(store: Store, other: Store, tmp_path: Path) -> None:
    other.publish_document(BUILT, digest_of("build of one"), {"wheel": digest_of("nowhere"), "filename": "x"})
    export(store, tmp_path / "a.tar")
    read_archive(other, tmp_path / "a.tar", sha256=None)
    assert other.document(BUILT, digest_of("build of one")) == store.document(BUILT, digest_of("build of one"))


def test_failed_export_leaves_the_old_file(store: Store, tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(b"old")
    place = store.layout.wheel(digest_of("one 1.0")) / "tree" / "one" / "__init__.py"
    state = place.stat()
    os.chmod(place, 0o644)
    place.write_bytes(b"!" * state.st_size)
    os.utime(place, ns=(state.st_mtime_ns, state.st_mtime_ns))
    os.chmod(place, 0o444)
    with pytest.raises(IntegrityError) as caught:
        export(store, tmp_path / "a.tar")
    assert caught.value.code == "entry-damaged"
    assert (tmp_path / "a.tar").read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tar", "store"]


def test_export_into_a_missing_folder_is_told(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        export(store, tmp_path / "missing" / "a.tar")


# Hostile and damaged archives


def tar_of(members: Iterable[Member | tarfile.TarInfo], *, header: bytes = b'{"format": 1}\n') -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for each in [("safe-install.json", header), *members]:
            if isinstance(each, tarfile.TarInfo):
                tar.addfile(each)
                continue
            info = tarfile.TarInfo(each[0])
            info.size = len(each[1])
            tar.addfile(info, io.BytesIO(each[1]))
    return stream.getvalue()


def manifest_of(files: Iterable[tuple[str, bytes]], *, digest: Digest = DIGEST) -> Member:
    entries = tuple(FileEntry(path, len(data), hashlib.sha256(data).hexdigest(), False) for path, data in files)
    text = encode_manifest(Manifest(1, digest, "evil-1.0-py3-none-any.whl", entries))
    return f"wheels-1/{DIGEST}/manifest.json", text


def wheel_of(*files: tuple[str, bytes], stored: Iterable[Member] | None = None) -> list[Member]:
    bodies = [(f"wheels-1/{DIGEST}/tree/{path}", data) for path, data in files] if stored is None else list(stored)
    return [manifest_of(files), *bodies]


def linked(name: str, kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = "/etc/passwd"
    return info


FILE = ("evil/a.py", b"x = 1\n")
POINTER = encode_document({"wheel": DIGEST, "filename": "evil-1.0-py3-none-any.whl"})
HOSTILE: dict[str, bytes] = {
    "absolute path in a manifest": tar_of(wheel_of(("/etc/evil", b"x"))),
    "parent folder in a manifest": tar_of(wheel_of(("../../evil", b"x"))),
    "parent folder in the middle": tar_of(wheel_of(("a/../../../evil", b"x"))),
    "backslash in a manifest": tar_of(wheel_of(("a\\b", b"x"))),
    "NUL in a manifest": tar_of(wheel_of(("a\0b", b"x"), stored=[])),
    "empty path": tar_of(wheel_of(("", b"x"), stored=[])),
    "same path twice": tar_of(wheel_of(FILE, FILE)),
    "file as a folder": tar_of(wheel_of(("a", b"x"), ("a/b", b"x"))),
    "files out of order": tar_of(wheel_of(("b", b"x"), ("a", b"x"))),
    "member outside the tree": tar_of(wheel_of(FILE, stored=[(f"wheels-1/{DIGEST}/tree/../../../../evil", FILE[1])])),
    "absolute member": tar_of([("/tmp/evil", b"x")]),
    "member of nowhere": tar_of([("evil", b"x")]),
    "member of a working folder": tar_of([("locks/gc.lock", b"x")]),
    "index page": tar_of([("index-1/" + "ab" * 16 + ".1", b"x")]),
    "symbolic link": tar_of([manifest_of([FILE]), linked(f"wheels-1/{DIGEST}/tree/{FILE[0]}", tarfile.SYMTYPE)]),
    "hard link": tar_of([manifest_of([FILE]), linked(f"wheels-1/{DIGEST}/tree/{FILE[0]}", tarfile.LNKTYPE)]),
    "device": tar_of([linked(f"files-1/{SDIST_DIGEST}", tarfile.CHRTYPE)]),
    "folder": tar_of([linked(f"wheels-1/{DIGEST}", tarfile.DIRTYPE)]),
    "other content": tar_of(wheel_of(FILE, stored=[(f"wheels-1/{DIGEST}/tree/{FILE[0]}", b"y = 1\n")])),
    "shorter content": tar_of(wheel_of(FILE, stored=[(f"wheels-1/{DIGEST}/tree/{FILE[0]}", b"x")])),
    "missing file": tar_of(wheel_of(FILE, stored=[])),
    "additional file": tar_of([*wheel_of(FILE), (f"wheels-1/{DIGEST}/tree/evil/b.py", b"x")]),
    "manifest of another wheel": tar_of([manifest_of([FILE], digest=digest_of("good")), *wheel_of(FILE)[1:]]),
    "manifest twice": tar_of([*wheel_of(FILE), *wheel_of(FILE)]),
    "manifest that is none": tar_of([(f"wheels-1/{DIGEST}/manifest.json", b"{}")]),
    "file of another digest": tar_of([(f"files-1/{SDIST_DIGEST}", b"something else")]),
    "file without a digest": tar_of([("files-1/evil", b"x")]),
    "document with a wrong checksum": tar_of([("built-1/" + "ab" * 16 + ".json", POINTER.replace(b"evil", b"good"))]),
    "document with a path": tar_of([("built-1/../" + "ab" * 16 + ".json", POINTER)]),
    "document before a wheel": tar_of([("built-1/" + "ab" * 16 + ".json", POINTER), *wheel_of(FILE)]),
    "no header": tar_of([])[1024:] + tar_of(wheel_of(FILE))[1024:],
    "header that is none": tar_of([], header=b"[]"),
    "header without sense": tar_of([], header=b"\xff"),
    "no tar": b"PK\3\4" + b"x" * 2000,
    "empty file": b"",
    "cut within a member": tar_of([(f"files-1/{SDIST_DIGEST}", SDIST * 1000)])[:3000],
    "cut after a member": tar_of(wheel_of(FILE))[: 512 * 4],
    "garbage behind the end": tar_of(wheel_of(FILE)) + b"evil",
    "garbage in the middle": tar_of([])[:1024] + b"\x01" * 512 + tar_of(wheel_of(FILE))[1024:],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_archive_is_refused(other: Store, tmp_path: Path, name: str) -> None:
    (tmp_path / "a.tar").write_bytes(HOSTILE[name])
    with pytest.raises(IntegrityError) as caught:
        read_archive(other, tmp_path / "a.tar", sha256=None)
    assert int(caught.value.exit_code) == 4
    assert os.listdir(other.root / "staging") == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tar", "other"]
    assert list(tmp_path.rglob("evil")) == [] or (other.wheel(DIGEST) is not None)


@pytest.mark.parametrize(
    "change",
    [
        lambda files: [[1, *files[0][1:]]],
        lambda files: [[files[0][0], "6", *files[0][2:]]],
        lambda files: [[files[0][0], -1, *files[0][2:]]],
        lambda files: [[files[0][0], True, *files[0][2:]]],
        lambda files: [[*files[0][:3], "yes"]],
        lambda files: [files[0][:3]],
        lambda files: {"a": 1},
    ],
)
def test_manifest_with_values_of_wrong_types_is_refused(
    other: Store, tmp_path: Path, change: Callable[[list[list[object]]], object]
) -> None:
    name, text = manifest_of([FILE])
    document = json.loads(text)
    document["files"] = change(document["files"])
    document.pop("sha256", None)
    body = json.dumps(document).encode()[:-1]
    forged = encode_manifest(Manifest(1, DIGEST, "x", ()))
    # The checksum is no secret.
    marker = forged[forged.rindex(b',"') : -67]
    text = body + marker + hashlib.sha256(body).hexdigest().encode() + forged[-3:]
    (tmp_path / "a.tar").write_bytes(tar_of([(name, text), *wheel_of(FILE)[1:]]))
    with pytest.raises(IntegrityError) as caught:
        read_archive(other, tmp_path / "a.tar", sha256=None)
    assert "checksum" not in caught.value.message
    assert other.wheel(DIGEST) is None


def test_header_that_asks_for_all_memory_is_refused(other: Store, tmp_path: Path) -> None:
    info = tarfile.TarInfo("pax")
    info.type = tarfile.XHDTYPE
    info.size = 1 << 40
    with open(tmp_path / "a.tar", "wb") as file:
        file.write(tar_of([])[:1024] + info.tobuf(format=tarfile.GNU_FORMAT))
        file.truncate(1 << 41)
    with pytest.raises(IntegrityError):
        read_archive(other, tmp_path / "a.tar", sha256=None)


def test_archive_of_a_newer_format_is_told_from_a_damaged_one(other: Store, tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(tar_of([], header=b'{"format": 2}\n'))
    with pytest.raises(StoreError) as caught:
        read_archive(other, tmp_path / "a.tar", sha256=None)
    assert caught.value.code == "archive-newer-format"


def test_archive_with_another_digest_is_refused_before_anything_is_brought(
    store: Store, other: Store, tmp_path: Path
) -> None:
    export(store, tmp_path / "a.tar")
    with pytest.raises(IntegrityError) as caught:
        read_archive(other, tmp_path / "a.tar", sha256="ab" * 32)
    assert caught.value.code == "hash-mismatch"
    assert other.info().entries == 0


def test_known_entry_is_held_to_its_digest_too(other: Store, tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(tar_of(wheel_of(FILE)))
    read_archive(other, tmp_path / "a.tar", sha256=None)
    (tmp_path / "a.tar").write_bytes(HOSTILE["other content"])
    with pytest.raises(IntegrityError):
        read_archive(other, tmp_path / "a.tar", sha256=None)
