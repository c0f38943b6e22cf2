"""What a wheel may look like and be accepted. What is refused: ``tests/hostile``."""

from __future__ import annotations

import base64
import hashlib
import os
from typing import TYPE_CHECKING, Any

import pytest
from helpers.wheels import make_wheel
from hostile.raw_zip import STORED, Entry, zip_of
from packaging.utils import canonicalize_name
from packaging.version import Version

from safe_install.errors import IntegrityError
from safe_install.events import Event, Noticed, SteppedDown
from safe_install.install.wheel import unpack_wheel
from safe_install.models import Digest
from safe_install.store.store import Store
from safe_install.store.trees import TreeWriter

if TYPE_CHECKING:
    from pathlib import Path

    from safe_install.store.manifest import FileEntry


class Unpacked:
    """A wheel unpacked below *folder*: its files by path, and what was told."""

    def __init__(self, folder: Path, made: tuple[str, bytes], name: str, version: str | None, **options: Any) -> None:
        filename, content = made
        archive = folder / "download"
        archive.write_bytes(content)
        staging = folder / "staging"
        staging.mkdir()
        writer = TreeWriter(staging)
        self.events: list[Event] = []
        unpack_wheel(
            archive,
            writer,
            filename=filename,
            name=canonicalize_name(name),
            version=Version(version) if version else None,
            sink=self.events.append,
            **{"irregular": False, **options},
        )
        manifest = writer.finish(digest=Digest(hashlib.sha256(content).hexdigest()), filename=filename)
        self.files: dict[str, FileEntry] = {entry.path: entry for entry in manifest.files}
        self.tree = staging / "tree"


def unpacked(folder: Path, name: str = "demo", version: str | None = "1.0", **options: Any) -> Unpacked:
    """Unpack a wheel made with *options*, asking for that name and version."""
    return Unpacked(folder, make_wheel(name, version or "1.0", **options), name, version)


def test_tree_holds_every_file_with_its_content_and_mode(tmp_path: Path) -> None:
    wheel = unpacked(
        tmp_path,
        files={"demo/__init__.py": "x = 1\n", "demo/tool": b"\0\1"},
        scripts={"hello": "#!python\n"},
        data={"data/share/demo": "shared", "headers/demo.h": "int x;"},
        entry_points="[console_scripts]\ndemo = demo:main\n",
        executable=["demo/tool"],
    )
    assert (wheel.tree / "demo" / "__init__.py").read_bytes() == b"x = 1\n"
    assert {path for path, entry in wheel.files.items() if entry.executable} == {
        "demo/tool",
        "demo-1.0.data/scripts/hello",
    }
    assert set(wheel.files) >= {
        "demo-1.0.data/data/share/demo",
        "demo-1.0.data/headers/demo.h",
        "demo-1.0.dist-info/RECORD",
        "demo-1.0.dist-info/entry_points.txt",
    }
    assert wheel.files["demo/tool"].sha256 == hashlib.sha256(b"\0\1").hexdigest()
    assert not wheel.events


@pytest.mark.parametrize("version", [None, "1", "1.0.0"])
def test_version_may_be_left_open_or_spelled_otherwise(tmp_path: Path, version: str | None) -> None:
    Unpacked(tmp_path, make_wheel("demo", "1.0"), "demo", version)


@pytest.mark.parametrize(
    ("name", "version", "folder"),
    [
        ("Foo.Bar", "1.0", "Foo.Bar-1.0.dist-info"),
        ("foo-bar", "1.0", "foo-bar-1.0.dist-info"),
        ("foo_bar", "1.0.post1", "foo_bar-1.0-1.dist-info"),
        ("Babel", "2.9.1", "Babel-2.9.1.dist-info"),
        ("demo", "1.0rc1", "demo-1.0.rc1.dist-info"),
        ("demo", "1.0+local.1", "demo-1.0+local_1.dist-info"),
        ("2", "1.0", "2-1.0.dist-info"),
    ],
)
def test_folder_names_of_older_packers_are_accepted(tmp_path: Path, name: str, version: str, folder: str) -> None:
    unpacked(tmp_path, name, version, dist_info=folder)


@pytest.mark.parametrize("metadata", ["Name: DEMO\nVersion: 1.0.0\n", "version:1.0\nname:\tdemo\n\nName: other\n"])
def test_spelling_of_metadata_does_not_matter(tmp_path: Path, metadata: str) -> None:
    unpacked(tmp_path, metadata=metadata)


def test_description_in_latin_1_is_none_of_our_business(tmp_path: Path) -> None:
    unpacked(tmp_path, metadata=b"Name: demo\nVersion: 1.0\nAuthor: Andr\xe9\n\nd\xe9j\xe0 vu\n")


@pytest.mark.parametrize(
    "text", ["Wheel-Version: 1.9\nroot-is-purelib: FALSE\n", "Root-Is-Purelib: true\r\nWheel-Version: 0.1\r\n"]
)
def test_spelling_of_wheel_does_not_matter(tmp_path: Path, text: str) -> None:
    unpacked(tmp_path, wheel=text)


@pytest.mark.parametrize(
    "distort",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text + "\n\n",
        lambda text: text + "demo/,,\ndemo-1.0.dist-info/,,\n",
        lambda text: text + text,
        lambda text: text.replace("demo-1.0.dist-info/RECORD,,\n", ""),
        lambda text: text.replace(",9\n", ",\n"),
        lambda text: "".join(f'"{line}\n'.replace(",", '",', 1) for line in text.splitlines()),
    ],
    ids=["crlf", "blank-lines", "folders", "twice-the-same", "without-itself", "without-size", "quoted"],
)
def test_harmless_spellings_of_record_are_accepted(tmp_path: Path, distort: Any) -> None:
    unpacked(tmp_path, files={"demo/__init__.py": "x = 1234\n"}, record=distort)


@pytest.mark.parametrize("algorithm", ["sha384", "sha512", "sha3_256", "blake2b"])
def test_hashes_stronger_than_sha256_are_checked(tmp_path: Path, algorithm: str) -> None:
    digest = base64.urlsafe_b64encode(hashlib.new(algorithm, b"x = 1234\n").digest()).decode().rstrip("=")
    old = hashlib.sha256(b"x = 1234\n").digest()
    old_text = base64.urlsafe_b64encode(old).decode().rstrip("=")
    unpacked(
        tmp_path,
        files={"demo/__init__.py": "x = 1234\n"},
        record=lambda text: text.replace(f"sha256={old_text}", f"{algorithm}={digest}"),
    )


def test_signatures_of_record_are_not_listed_in_it(tmp_path: Path) -> None:
    signatures = {f"demo-1.0.dist-info/RECORD.{kind}": "signed" for kind in ("jws", "p7s")}
    wheel = unpacked(
        tmp_path,
        files={"demo/__init__.py": "", **signatures},
        record=lambda text: "".join(line for line in text.splitlines(keepends=True) if "RECORD." not in line),
    )
    assert set(signatures) < set(wheel.files)


def test_names_outside_ascii_and_vendored_metadata_are_accepted(tmp_path: Path) -> None:
    files = {"demo/é,ü.txt": "x", "demo/_vendor/other-2.0.dist-info/METADATA": "x", "demo.libs/libx.so.1": "x"}
    assert set(files) < set(unpacked(tmp_path, files=files).files)


def test_folders_in_the_archive_are_not_needed_and_not_made(tmp_path: Path) -> None:
    # A release of a well-known project has a folder `<name>./`.
    filename, content = make_wheel()
    folders = [Entry(name=name, mode=0o40755, method=STORED) for name in (b"demo./", b"empty/")]
    archive = zip_of(folders)
    assert content.startswith(b"PK\3\4")
    wheel = Unpacked(tmp_path, (filename, joined(content, archive)), "demo", "1.0")
    assert not (wheel.tree / "empty").exists()


def joined(first: bytes, second: bytes) -> bytes:
    """One archive with the members of both."""
    import io
    import zipfile

    buffer = io.BytesIO(first)
    with zipfile.ZipFile(buffer, "a") as archive, zipfile.ZipFile(io.BytesIO(second)) as more:
        for info in more.infolist():
            archive.writestr(info, more.read(info))
    return buffer.getvalue()


@pytest.mark.skipif(os.name == "nt", reason="names that differ in case are one file there, and refused as such")
def test_case_collision_is_told_where_the_target_keeps_case(tmp_path: Path) -> None:
    files = {f"demo/{letter}{number}.py": "" for letter in "aA" for number in range(7)}
    wheel = unpacked(tmp_path, files=files)
    (event,) = wheel.events
    assert isinstance(event, Noticed)
    assert "demo-1.0-py3-none-any.whl" in event.message
    assert "'demo/a0.py' and 'demo/A0.py'" in event.message
    assert "and 2 more" in event.message


def test_everything_wrong_with_record_is_told_at_once(tmp_path: Path) -> None:
    files = {f"demo/{number}.py": "" for number in range(20)}
    with pytest.raises(IntegrityError) as caught:
        unpacked(tmp_path, files=files, record=lambda text: text.replace("demo/", "other/"))
    assert "member 'demo/0.py': it is not in RECORD" in caught.value.message
    assert "member 'demo/1.py': it is not in RECORD" in caught.value.context
    assert caught.value.context[-1] == "and 32 more"


def test_excused_wheel_is_told_once_before_and_once_after_unpacking_at_most(tmp_path: Path) -> None:
    made = make_wheel(dist_info="other-2.0.dist-info", record=lambda text: text.replace("sha256=", "sha256=x"))
    wheel = Unpacked(tmp_path, made, "demo", "1.0", irregular=True)
    assert [type(event) for event in wheel.events] == [SteppedDown, SteppedDown]


def test_regular_wheel_of_an_excused_project_is_nothing_to_tell(tmp_path: Path) -> None:
    assert not Unpacked(tmp_path, make_wheel(), "demo", "1.0", irregular=True).events


def test_refused_wheel_leaves_nothing_in_a_store(tmp_path: Path) -> None:
    filename, content = make_wheel(record=lambda text: text.replace("sha256=", "sha256=x"))
    archive = tmp_path / filename
    archive.write_bytes(content)
    store = Store.open(tmp_path / "store")
    with pytest.raises(IntegrityError), store.stage_tree() as writer:
        unpack_wheel(
            archive,
            writer,
            filename=filename,
            name=canonicalize_name("demo"),
            version=None,
            irregular=False,
            sink=lambda _: None,
        )
    assert not os.listdir(tmp_path / "store" / "staging")
    assert store.wheel(Digest(hashlib.sha256(content).hexdigest())) is None
