"""`safe_install.resolve.pylock`: reading PEP 751 and choosing what an interpreter installs."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.universe import interpreter

from safe_install.errors import InputError, RequirementsError
from safe_install.events import Event, Noticed
from safe_install.models import ArchiveSource, DirectorySource, FormatControl, Hashes, VcsSource
from safe_install.resolve.pylock import Lock, read_pylock, select

PYTHON = interpreter("3.11.7")
HEAD = 'lock-version = "1.0"\ncreated-by = "test"\n'
DIGEST = "ab" * 32


def lock(packages: str, head: str = HEAD, path: Path = Path("/locks/pylock.toml")) -> Lock:
    return read_pylock(head + packages, path)


def wheel(name: str, version: str = "1.0", tags: str = "py3-none-any", extra: str = "") -> str:
    url = f"https://files.test/{name}-{version}-{tags}.whl"
    return (
        f'[[packages]]\nname = "{name}"\nversion = "{version}"\n{extra}\n'
        f'wheels = [{{ url = "{url}", size = 7, hashes = {{ sha256 = "{DIGEST}" }} }}]\n'
    )


def test_a_package_becomes_a_pin_with_all_its_files() -> None:
    content = (
        f'[[packages]]\nname = "foo"\nversion = "1.0"\nrequires-python = ">=3.8"\n'
        f'dependencies = [{{ name = "z" }}, {{ name = "b" }}]\nindex = "https://index.test/simple"\n'
        f'sdist = {{ url = "https://files.test/foo-1.0.tar.gz#frag", hashes = {{ sha512 = "{DIGEST}" }} }}\n'
        f'wheels = [{{ name = "foo-1.0-py3-none-any.whl", url = "https://files.test/download/17", upload-time = 2024-05-01T10:00:00Z, size = 9, hashes = {{ SHA256 = "{DIGEST.upper()}" }} }},\n'
        f'{{ path = "wheels/foo-1.0-cp38-cp38-win32.whl", hashes = {{ sha256 = "{DIGEST}" }} }}]\n'
    )

    (pin,) = select(lock(content), PYTHON)

    assert (str(pin), pin.requires_python, pin.dependencies, pin.requested) == ("foo==1.0", ">=3.8", ("b", "z"), True)
    assert [(file.filename, file.url) for file in pin.files] == [
        ("foo-1.0-py3-none-any.whl", "https://files.test/download/17"),
        ("foo-1.0-cp38-cp38-win32.whl", Path("/locks/wheels/foo-1.0-cp38-cp38-win32.whl").absolute().as_uri()),
        ("foo-1.0.tar.gz", "https://files.test/foo-1.0.tar.gz"),
    ]
    assert pin.files[0].hashes == Hashes.of({"sha256": DIGEST})
    assert (pin.files[0].size, str(pin.files[0].upload_time)) == (9, "2024-05-01 10:00:00+00:00")


def test_a_file_beside_the_lock_saves_the_network_when_it_is_there(tmp_path: Path) -> None:
    content = (
        f'[[packages]]\nname = "foo"\nversion = "1.0"\nwheels = [{{ path = "foo-1.0-py3-none-any.whl", '
        f'url = "https://files.test/foo-1.0-py3-none-any.whl", hashes = {{ sha256 = "{DIGEST}" }} }}]\n'
    )
    beside = tmp_path / "foo-1.0-py3-none-any.whl"

    without = select(lock(content, path=tmp_path / "pylock.toml"), PYTHON)[0].files[0].url
    beside.touch()
    with_it = select(lock(content, path=tmp_path / "pylock.toml"), PYTHON)[0].files[0].url

    assert (without, with_it) == ("https://files.test/foo-1.0-py3-none-any.whl", beside.as_uri())


def test_direct_sources_are_read() -> None:
    content = f"""
[[packages]]
name = "repository"
version = "1.0"
vcs = {{ type = "git", url = "https://h.test/r.git", requested-revision = "main", commit-id = "{"a" * 40}", subdirectory = "s" }}
[[packages]]
name = "folder"
directory = {{ path = "../src", editable = true }}
[[packages]]
name = "archive"
archive = {{ url = "https://h.test/a%20b-1.0.zip", size = 3, hashes = {{ sha256 = "{DIGEST}" }}, subdirectory = "s" }}
"""

    archive, folder, repository = select(lock(content), PYTHON)

    assert repository.direct == VcsSource(
        vcs="git", url="https://h.test/r.git", revision="main", commit_id="a" * 40, subdirectory="s"
    )
    assert folder.direct == DirectorySource(path=Path("/src").absolute(), editable=True)
    assert isinstance(archive.direct, ArchiveSource)
    assert (archive.direct.file.filename, archive.direct.subdirectory) == ("a b-1.0.zip", "s")
    assert archive.files == ()


def test_markers_extras_and_groups_choose() -> None:
    head = HEAD + 'extras = ["x"]\ndependency-groups = ["dev", "docs"]\ndefault-groups = ["dev"]\n'
    content = (
        wheel("always")
        + wheel("windows", extra="marker = \"sys_platform == 'win32'\"")
        + wheel("extra", extra="marker = \"'x' in extras\"")
        + wheel("dev", extra="marker = \"'dev' in dependency_groups\"")
        + wheel("docs", extra="marker = \"'docs' in dependency_groups\"")
    )
    found = lock(content, head)

    def names(**choice: tuple[str, ...]) -> list[str]:
        return [pin.name for pin in select(found, PYTHON, **choice)]  # type: ignore[arg-type]

    assert names() == ["always", "dev"]
    assert names(extras=("x",), groups=("docs",)) == ["always", "docs", "extra"]
    assert names(groups=()) == ["always"]


@pytest.mark.parametrize(
    ("choice", "code"), [({"extras": ["y"]}, "extra-not-found"), ({"groups": ["y"]}, "group-not-found")]
)
def test_what_the_lock_does_not_have_cannot_be_chosen(choice: dict[str, list[str]], code: str) -> None:
    with pytest.raises(InputError) as caught:
        select(lock(wheel("a")), PYTHON, **choice)  # type: ignore[arg-type]

    assert caught.value.code == code


@pytest.mark.parametrize(
    ("head", "content"),
    [
        (HEAD + 'requires-python = ">=3.12"\n', wheel("a")),
        (HEAD + "environments = [\"sys_platform == 'win32'\"]\n", wheel("a")),
        (HEAD, wheel("a", extra='requires-python = "<3.11"')),
        (HEAD, wheel("a", tags="cp312-cp312-win32")),
        (HEAD, wheel("a") + wheel("a", "2.0")),
    ],
)
def test_a_lock_that_does_not_fit_is_refused(head: str, content: str) -> None:
    with pytest.raises(RequirementsError) as caught:
        select(lock(content, head), PYTHON)

    assert caught.value.code == "lock-does-not-fit"
    assert "3.11.7" in caught.value.message
    assert caught.value.hint is not None


def test_options_that_forbid_all_files_are_found_before_anything_is_fetched() -> None:
    content = f'[[packages]]\nname = "a"\nversion = "1.0"\nsdist = {{ url = "https://h.test/a-1.0.tar.gz", hashes = {{ sha256 = "{DIGEST}" }} }}\n'

    with pytest.raises(RequirementsError) as caught:
        select(lock(content), PYTHON, format_control=FormatControl(only_binary=frozenset({":all:"})))

    assert caught.value.code == "lock-does-not-fit"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not toml", "is not valid TOML"),
        ('lock-version = "1.0"\n', "created-by"),
        ('lock-version = 1.0\ncreated-by = "x"\npackages = []', "lock-version"),
        (HEAD + '[[packages]]\nname = "Foo"\n', "packages[0].name"),
        (HEAD + '[[packages]]\nname = "foo"\n', "packages[0]"),
        (
            HEAD
            + '[[packages]]\nname = "foo"\nwheels = [{ url = "https://h.test/foo-1.0-py3-none-any.whl", hashes = {} }]\n',
            "hashes",
        ),
        (HEAD + wheel("foo", "1.0").replace('version = "1.0"', 'version = "2.0"'), "wheels[0]"),
    ],
)
def test_what_is_no_lock_is_refused_with_the_place(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_pylock(text, Path("pylock.toml"))

    assert caught.value.code == "lock-invalid"
    assert message in caught.value.message


def test_a_newer_version_of_the_format_is_refused_whatever_else_it_says() -> None:
    with pytest.raises(InputError) as caught:
        read_pylock('lock-version = "2.0"\n[other]\nshape = true\n', Path("pylock.toml"))

    assert caught.value.code == "lock-too-new"


def test_a_newer_minor_version_is_read_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    told: list[Event] = []
    text = HEAD.replace("1.0", "1.1") + wheel("a")

    assert select(read_pylock(text, Path("pylock.toml"), told.append), PYTHON)
    assert [type(event) for event in told] == [Noticed]
    assert capsys.readouterr().err == ""
