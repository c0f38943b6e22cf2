"""`safe_install.resolve.pylock_writer`: the same lock for the same answer, without secrets."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from helpers.universe import Universe, interpreter
from packaging.pylock import Pylock
from packaging.utils import canonicalize_name
from packaging.version import Version

from safe_install.errors import RequirementsError
from safe_install.models import ArchiveSource, DirectorySource, Hashes, Pin, RemoteFile, VcsSource
from safe_install.resolve.markers import Consulted
from safe_install.resolve.pylock_writer import public_url, write_pylock
from safe_install.resolve.request import Resolution, ResolveRequest
from safe_install.resolve.requirement import parse_requirement
from safe_install.resolve.resolver import resolve

PYTHON = interpreter("3.11.7")
BASE = Path("/locks").absolute()
DIGEST = "ab" * 32
FOO = canonicalize_name("foo")


def remote(url: str, **facts: object) -> RemoteFile:
    facts.setdefault("hashes", Hashes.of({"sha256": DIGEST}))
    return RemoteFile(url=url, filename=urlsplit(url).path.rpartition("/")[2], **facts)  # type: ignore[arg-type]


def written(*pins: Pin, consulted: tuple[str, ...] = ()) -> dict[str, object]:
    resolution = Resolution(pins=pins, consulted=tuple(Consulted(marker, "") for marker in consulted))
    document = tomllib.loads(write_pylock(resolution, PYTHON, base=BASE))
    Pylock.from_dict(document)
    return document


def package(pin: Pin) -> dict[str, object]:
    packages = written(pin)["packages"]
    assert isinstance(packages, list)
    return dict(packages[0])


def foo(**facts: object) -> Pin:
    return Pin(name=FOO, version=Version("1.0"), **facts)  # type: ignore[arg-type]


def test_the_whole_text_of_a_small_lock() -> None:
    universe = Universe()
    universe.add("app", "1.0", requires=["lib"], requires_python=">=3.8,<4")
    universe.add("lib", "2.0", files=["lib-2.0.tar.gz", "lib-2.0-py3-none-any.whl", "lib-2.0-cp39-abi3-win32.whl"])
    found = resolve(ResolveRequest(requirements=(parse_requirement("app", base=BASE),)), universe, PYTHON)

    text = write_pylock(found, PYTHON, base=BASE)

    assert text == (Path(__file__).parent / "small.pylock.toml").read_text(encoding="utf-8")


def test_files_are_listed_with_what_is_known_of_them() -> None:
    uploaded = datetime(2024, 5, 1, 12, 0, tzinfo=timezone(timedelta(hours=2)))
    files = (
        remote("https://u:secret@h.test/foo-1.0.tar.gz#x", size=10, upload_time=uploaded),
        remote("https://h.test/b/foo-1.0-py3-none-any.whl?sig=secret&a=1", index="https://u:secret@h.test/simple"),
        RemoteFile(
            url="https://h.test/9",
            filename="foo-1.0-py2-none-any.whl",
            hashes=Hashes.of({"sha256": DIGEST, "md5": "0"}),
        ),
    )

    found = package(foo(files=tuple(replace(file, index="https://u:secret@h.test/simple") for file in files)))

    hashes = {"sha256": DIGEST}
    assert found["index"] == "https://h.test/simple"
    assert found["sdist"] == {
        "url": "https://h.test/foo-1.0.tar.gz",
        "upload-time": datetime.fromisoformat("2024-05-01T10:00:00Z"),
        "size": 10,
        "hashes": hashes,
    }
    assert found["wheels"] == [
        {"name": "foo-1.0-py2-none-any.whl", "url": "https://h.test/9", "hashes": hashes},
        {"url": "https://h.test/b/foo-1.0-py3-none-any.whl?a=1", "hashes": hashes},
    ]


def test_local_files_are_relative_to_the_lock_and_their_folder_is_no_index() -> None:
    file = remote((BASE / "wheels" / "foo-1.0-py3-none-any.whl").as_uri(), index=(BASE / "wheels").as_uri())

    found = package(foo(files=(file,)))

    assert found["wheels"] == [{"path": "wheels/foo-1.0-py3-none-any.whl", "hashes": {"sha256": DIGEST}}]
    assert "index" not in found


def test_direct_sources_are_written() -> None:
    repository = VcsSource(vcs="git", url="https://u:p@h.test/r.git", revision="main", commit_id="c" * 40)
    folder = DirectorySource(path=BASE.parent / "src" / "foo", editable=True)
    archive = ArchiveSource(file=remote("https://u@h.test/foo-1.0.zip", size=4), subdirectory="s")

    assert package(foo(direct=repository))["vcs"] == {
        "type": "git",
        "url": "https://h.test/r.git",
        "requested-revision": "main",
        "commit-id": "c" * 40,
    }
    assert package(foo(direct=folder)) == {"name": "foo", "directory": {"path": "../src/foo", "editable": True}}
    assert package(foo(direct=archive))["archive"] == {
        "url": "https://h.test/foo-1.0.zip",
        "size": 4,
        "hashes": {"sha256": DIGEST},
        "subdirectory": "s",
    }


def test_a_repository_whose_commit_is_unknown_cannot_be_locked() -> None:
    with pytest.raises(RequirementsError) as caught:
        package(foo(direct=VcsSource(vcs="git", url="https://u:secret@h.test/r.git")))

    assert caught.value.code == "lock-source-unpinned"
    assert "secret" not in str(caught.value)


def test_files_without_a_secure_digest_are_left_out_or_refused() -> None:
    bare = remote("https://h.test/foo-1.0.tar.gz", hashes=Hashes.of({"md5": "00"}))
    wheel = remote("https://h.test/foo-1.0-py3-none-any.whl")

    assert "sdist" not in package(foo(files=(wheel, bare)))
    with pytest.raises(RequirementsError) as caught:
        package(foo(files=(bare,)))

    assert caught.value.code == "lock-without-hash"


def test_an_sdist_whose_name_the_specification_forbids_is_an_archive() -> None:
    assert package(foo(files=(remote("https://h.test/foo-1.0.tar.bz2"),)))["archive"] == {
        "url": "https://h.test/foo-1.0.tar.bz2",
        "hashes": {"sha256": DIGEST},
    }


@pytest.mark.parametrize(
    ("consulted", "requires_python", "environments"),
    [
        ((), ">=3.11", None),
        (('python_version < "3.8"',), ">=3.11", None),
        (('python_version >= "3.13"',), ">=3.11,<3.13", None),
        (('sys_platform == "win32"', 'os_name == "nt"'), ">=3.11", ['os_name == "posix" and sys_platform == "linux"']),
        (('python_full_version < "3.11.4"',), ">=3.11", ['python_full_version == "3.11.7"']),
    ],
)
def test_the_lock_is_bound_to_what_its_answers_rest_on(
    consulted: tuple[str, ...], requires_python: str, environments: list[str] | None
) -> None:
    document = written(consulted=consulted)

    assert document["requires-python"] == requires_python
    assert document.get("environments") == environments


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("https://user:pw@h.test:8080/a/b?x=1#f", "https://h.test:8080/a/b?x=1"),
        ("https://token@h.test/a", "https://h.test/a"),
        ("https://h.test/a?X-Amz-Signature=abc&v=2&sig=x", "https://h.test/a?v=2"),
        ("ssh://git:pw@h.test/r.git", "ssh://git@h.test/r.git"),
        ("https://h.test/a?q=%20b", "https://h.test/a?q=%20b"),
    ],
)
def test_urls_lose_their_secrets(url: str, public: str) -> None:
    assert public_url(url) == public


def test_texts_are_escaped_as_toml_demands() -> None:
    file = RemoteFile(
        url='https://h.test/"\\\t', filename="foo-1.0-py3-none-any.whl", hashes=Hashes.of({"sha256": DIGEST})
    )

    wheels = package(foo(files=(file,)))["wheels"]

    assert isinstance(wheels, list)
    assert wheels[0]["name"] == "foo-1.0-py3-none-any.whl"
