"""`safe_install.resolve.requirement`: PEP 508, and what pip accepts besides."""

from __future__ import annotations

from pathlib import Path

import pytest
from packaging.requirements import Requirement

from safe_install.errors import InputError
from safe_install.events import Event, Noticed
from safe_install.models import ArchiveSource, DirectorySource, Hashes, VcsSource
from safe_install.resolve.requirement import (
    WantedRequirement,
    mark,
    parse_requirement,
    path_of_file_url,
    require_existing,
)

BASE = Path("/work folder").absolute()


def parse(text: str, *, editable: bool = False) -> WantedRequirement:
    return parse_requirement(text, base=BASE, editable=editable)


def test_a_named_requirement_keeps_specifier_extras_and_marker() -> None:
    wanted = parse("Foo.Bar[One, two_x] >=1.0,<2 ; python_version >= '3.8'")

    assert wanted.name == "foo-bar"
    assert str(wanted.specifier) == "<2,>=1.0"
    assert wanted.extras == {"one", "two-x"}
    assert str(wanted.marker) == 'python_version >= "3.8"'
    assert wanted.direct is None


@pytest.mark.parametrize(
    ("text", "url", "revision"),
    [
        ("git+https://host.test/group/repo.git@v1.0", "https://host.test/group/repo.git", "v1.0"),
        ("git+https://host.test/group/repo.git", "https://host.test/group/repo.git", None),
        ("git+ssh://git@host.test/repo.git@feature/x", "ssh://git@host.test/repo.git", "feature/x"),
        ("git+git@host.test:group/repo.git@abc", "git@host.test:group/repo.git", "abc"),
        ("git+file:///srv/repo.git@main", "file:///srv/repo.git", "main"),
        ("hg+https://user:pw@host.test/repo", "https://user:pw@host.test/repo", None),
    ],
)
def test_a_repository_is_split_into_url_and_revision(text: str, url: str, revision: str | None) -> None:
    direct = parse(f"foo @ {text}#subdirectory=a/b").direct

    assert direct == VcsSource(vcs=text[: text.index("+")], url=url, revision=revision, subdirectory="a/b")


def test_the_egg_fragment_names_a_bare_repository_and_its_extras() -> None:
    wanted = parse("git+https://host.test/repo.git#egg=Foo_Bar[x]&subdirectory=sub")

    assert (wanted.name, set(wanted.extras)) == ("foo-bar", {"x"})


def test_a_url_of_an_archive_keeps_its_digest_and_loses_its_fragment() -> None:
    wanted = parse("https://host.test/p/foo_bar-1.0-py3-none-any.whl#sha256=AB12 ; os_name == 'posix'")

    assert isinstance(wanted.direct, ArchiveSource)
    assert wanted.direct.file.url == "https://host.test/p/foo_bar-1.0-py3-none-any.whl"
    assert wanted.direct.file.hashes == Hashes.of({"sha256": "ab12"})
    assert (wanted.name, str(wanted.marker)) == ("foo-bar", 'os_name == "posix"')


@pytest.mark.parametrize("text", ["./dir", "dir/", "../work folder/dir", "file:dir", "./dir#no-fragment/../dir"])
def test_a_local_folder_is_relative_to_the_base(text: str) -> None:
    assert parse(text).direct == DirectorySource(path=BASE / "dir")


def test_a_local_folder_takes_extras_and_a_marker() -> None:
    wanted = parse("./dir[dev,Test_It] ; python_version > '3'")

    assert wanted.direct == DirectorySource(path=BASE / "dir")
    assert wanted.extras == {"dev", "test-it"}
    assert wanted.name is None


@pytest.mark.parametrize("text", ["foo-1.0-py3-none-any.whl", "./foo-1.0.tar.gz", "sub/foo-1.0.zip[x]"])
def test_a_local_archive_tells_its_name(text: str) -> None:
    wanted = parse(text)

    assert isinstance(wanted.direct, ArchiveSource)
    assert path_of_file_url(wanted.direct.file.url) == (BASE / text.removesuffix("[x]"))
    assert wanted.name == "foo"


def test_a_name_may_stand_before_a_relative_path() -> None:
    assert parse("foo @ ./dir").direct == DirectorySource(path=BASE / "dir")


def test_an_editable_folder_is_editable_and_an_archive_cannot_be() -> None:
    assert parse("./dir", editable=True).direct == DirectorySource(path=BASE / "dir", editable=True)
    with pytest.raises(InputError, match="only a local folder can be editable"):
        parse("foo-1.0.tar.gz", editable=True)
    with pytest.raises(InputError, match="only a local folder can be editable"):
        parse("foo", editable=True)


def test_an_editable_repository_is_taken_as_it_is_and_said_so() -> None:
    told: list[Event] = []

    wanted = parse_requirement("git+https://h.test/r.git#egg=foo", base=BASE, editable=True, sink=told.append)

    assert isinstance(wanted.direct, VcsSource)
    assert [type(event) for event in told] == [Noticed]


@pytest.mark.parametrize(
    ("text", "caret"),
    [
        ("foo==1.0 bar", 9),
        ("foo[", 4),
        ("foo @ ftp://host.test/x", 6),
        ("foo ; pythn_version > '3'", 6),
        ("git+https://host.test/repo.git@", 31),
    ],
)
def test_a_mistake_is_shown_with_a_caret_below_it(text: str, caret: int) -> None:
    with pytest.raises(InputError) as caught:
        parse(text)

    assert caught.value.code == "requirement-malformed"
    assert caught.value.context == (text, " " * caret + "^")


def test_no_message_shows_credentials() -> None:
    wanted = parse("foo @ https://user:secret@host.test/foo-1.0.zip")
    with pytest.raises(InputError) as caught:
        parse("foo @ https://user:secret@host.test/foo-1.0.zip bar")

    assert "secret" not in str(wanted) + str(caught.value)


def test_a_caret_moves_with_what_is_hidden_before_it() -> None:
    assert mark("a https://user:secret@h/x y", 26) == ("a https://***@h/x y", " " * 18 + "^")


def test_a_path_that_does_not_exist_is_refused_when_it_is_needed(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "text.txt").write_text("x")

    require_existing(parse_requirement("./project", base=tmp_path))
    require_existing(parse_requirement("foo", base=tmp_path))
    with pytest.raises(InputError) as missing:
        require_existing(parse_requirement("./other", base=tmp_path, origin="r.txt:3"))
    with pytest.raises(InputError) as neither:
        require_existing(parse_requirement("./text.txt", base=tmp_path))

    assert missing.value.code == "file-not-found"
    assert "r.txt:3" in missing.value.message
    assert neither.value.code == "requirement-not-a-project"


@pytest.mark.parametrize("url", ["file:///a%20b/c", "file://localhost/a%20b/c", "FILE:///a%20b/c"])
def test_a_file_url_is_a_path(url: str) -> None:
    assert path_of_file_url(url) == Path("/a b/c")
    assert path_of_file_url("https://host.test/a") is None


def test_a_parsed_requirement_is_converted() -> None:
    wanted = WantedRequirement.of(Requirement("Foo[x]>1; os_name == 'nt'"), base=BASE, origin="group dev")

    assert (wanted.name, set(wanted.extras), str(wanted.specifier)) == ("foo", {"x"}, ">1")
    assert str(wanted) == 'foo[x]>1; os_name == "nt" (group dev)'.replace("foo", "Foo")
