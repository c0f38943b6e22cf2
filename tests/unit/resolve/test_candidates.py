"""`safe_install.resolve.candidates`: from the files of a page to what an interpreter would use."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from helpers.universe import interpreter
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from safe_install.errors import RequirementsError
from safe_install.events import Event, Noticed
from safe_install.models import FormatControl, Hashes, Pin, RemoteFile
from safe_install.resolve.candidates import Catalogue, Rules, best_file, choose_file, describe_tags, fill_pin, is_exact

FOO = canonicalize_name("foo")
PYTHON = interpreter("3.11.7")


def remote(filename: str, **facts: object) -> RemoteFile:
    return RemoteFile(url=f"https://files.test/{filename}", filename=filename, **facts)  # type: ignore[arg-type]


def catalogue(files: Sequence[RemoteFile | str], rules: Rules | None = None) -> Catalogue:
    listed = [remote(file) if isinstance(file, str) else file for file in files]
    return Catalogue(FOO, listed, PYTHON, rules or Rules())


def chosen(
    found: Catalogue,
    specifier: str = "",
    *,
    prereleases: bool = False,
    lowest: bool = False,
    prefer_binary: bool = False,
) -> list[str]:
    candidates = found.candidates(
        SpecifierSet(specifier), prereleases=prereleases, lowest=lowest, prefer_binary=prefer_binary
    )
    return [file.filename for _, file in candidates]


def test_versions_come_highest_first_and_strangers_are_ignored() -> None:
    found = catalogue(
        ["foo-1.0.tar.gz", "foo-1.10.tar.gz", "foo-1.9.zip", "bar-2.0.tar.gz", "foo-3.egg", "foo-x.tar.gz"]
    )

    assert list(map(str, found.versions)) == ["1.10", "1.9", "1.0"]


def test_a_wheel_that_fits_is_preferred_to_the_sdist_and_the_best_tag_to_the_others() -> None:
    found = catalogue(
        [
            "foo-1.0.tar.gz",
            "foo-1.0-py3-none-any.whl",
            "foo-1.0-cp311-cp311-manylinux2014_x86_64.whl",
            "foo-1.0-cp312-cp312-manylinux2014_x86_64.whl",
        ]
    )

    assert chosen(found) == ["foo-1.0-cp311-cp311-manylinux2014_x86_64.whl"]


def test_the_higher_build_tag_wins_among_equal_tags() -> None:
    names = [f"foo-1.0{build}-py3-none-any.whl" for build in ("", "-2", "-10", "-10b")]

    assert best_file([remote(name) for name in names], PYTHON) == remote("foo-1.0-10b-py3-none-any.whl")


def test_a_version_that_has_nothing_for_the_interpreter_is_passed_over() -> None:
    found = catalogue(
        [
            "foo-3.0-cp312-cp312-win_amd64.whl",
            remote("foo-2.0.tar.gz", requires_python=">=3.12"),
            remote("foo-1.0.tar.gz", requires_python=">=3.8"),
        ]
    )

    assert chosen(found) == ["foo-1.0.tar.gz"]


@pytest.mark.parametrize("text", ["nonsense", "", ">=3.6.*", ">= '3.6'"])
def test_an_unreadable_python_requirement_restricts_nothing(text: str) -> None:
    assert chosen(catalogue([remote("foo-1.0.tar.gz", requires_python=text)])) == ["foo-1.0.tar.gz"]


def test_a_yanked_file_is_chosen_by_exact_pins_only() -> None:
    found = catalogue([remote("foo-2.0.tar.gz", yanked="broken"), "foo-1.0.tar.gz"])

    assert chosen(found) == ["foo-1.0.tar.gz"]
    assert chosen(found, ">=2.0") == []
    assert chosen(found, "==2.*") == []
    assert chosen(found, "==2.0") == ["foo-2.0.tar.gz"]
    assert chosen(found, "===2.0") == ["foo-2.0.tar.gz"]


def test_pre_releases_count_when_nothing_else_is_usable() -> None:
    found = catalogue(["foo-2.0rc1.tar.gz", "foo-1.0.tar.gz", "foo-1.0.dev1.tar.gz"])

    assert chosen(found) == ["foo-1.0.tar.gz"]
    assert chosen(found, ">1.0") == ["foo-2.0rc1.tar.gz"]
    assert chosen(found, prereleases=True) == ["foo-2.0rc1.tar.gz", "foo-1.0.tar.gz", "foo-1.0.dev1.tar.gz"]
    assert chosen(catalogue(["foo-2.0-cp27-none-any.whl", "foo-1.0b1.tar.gz"])) == ["foo-1.0b1.tar.gz"]


def test_the_lowest_version_comes_first_on_demand() -> None:
    assert chosen(catalogue(["foo-1.0.tar.gz", "foo-2.0.tar.gz"]), lowest=True) == ["foo-1.0.tar.gz", "foo-2.0.tar.gz"]


def test_preferring_binaries_puts_older_wheels_before_newer_sdists() -> None:
    found = catalogue(["foo-2.0.tar.gz", "foo-1.0-py3-none-any.whl"])

    assert chosen(found, prefer_binary=True) == ["foo-1.0-py3-none-any.whl", "foo-2.0.tar.gz"]


@pytest.mark.parametrize(
    ("control", "expected"),
    [
        (FormatControl(only_binary=frozenset({":all:"})), ["foo-1.0-py3-none-any.whl"]),
        (FormatControl(no_binary=frozenset({"foo"})), ["foo-2.0.tar.gz"]),
        (FormatControl(no_binary=frozenset({":all:"}), only_binary=frozenset({"foo"})), ["foo-1.0-py3-none-any.whl"]),
    ],
)
def test_formats_can_be_forbidden(control: FormatControl, expected: list[str]) -> None:
    found = catalogue(["foo-2.0.tar.gz", "foo-1.0-py3-none-any.whl"], Rules(format_control=control))

    assert chosen(found) == expected


def test_what_is_newer_or_of_unknown_age_can_be_excluded() -> None:
    limit = datetime(2024, 1, 1, tzinfo=UTC)
    files = [
        remote("foo-3.0.tar.gz"),
        remote("foo-2.0.tar.gz", upload_time=datetime(2024, 1, 2, tzinfo=UTC)),
        remote("foo-1.0.tar.gz", upload_time=limit),
    ]
    found = catalogue(files, Rules(exclude_newer=limit))

    assert chosen(found) == ["foo-1.0.tar.gz"]
    assert found.without_upload_time
    assert not catalogue(files).without_upload_time


def test_a_file_whose_digest_is_asked_for_beats_one_that_fits_better() -> None:
    better = remote("foo-1.0-cp311-cp311-linux_x86_64.whl", hashes=Hashes.of({"sha256": "aa"}))
    asked = remote("foo-1.0-py3-none-any.whl", hashes=Hashes.of({"sha256": "bb"}))

    assert best_file([better, asked], PYTHON, Hashes.of({"sha256": "bb"})) == asked
    assert best_file([better, asked], PYTHON, Hashes.of({"sha512": "cc"})) == better
    assert best_file([better], PYTHON, Hashes.of({"sha256": "bb"})) == better


def test_all_wheels_of_a_version_and_its_best_sdist_are_listed() -> None:
    found = catalogue(
        [
            "foo-1.0.zip",
            "foo-1.0.tar.gz",
            "foo-1.0-cp38-cp38-win32.whl",
            "foo-1.0-cp311-cp311-linux_x86_64.whl",
            "foo-2.tar.gz",
        ]
    )

    assert [file.filename for file in found.files(Version("1.0"))] == [
        "foo-1.0-cp311-cp311-linux_x86_64.whl",
        "foo-1.0-cp38-cp38-win32.whl",
        "foo-1.0.tar.gz",
    ]


def test_yanked_files_are_left_out_where_there_are_others() -> None:
    found = catalogue(
        [remote("foo-1.0-py3-none-any.whl", yanked=""), "foo-1.0.tar.gz", remote("foo-2.0.tar.gz", yanked="x")]
    )

    assert [file.filename for file in found.files(Version("1.0"))] == ["foo-1.0.tar.gz"]
    assert [file.filename for file in found.files(Version("2.0"))] == ["foo-2.0.tar.gz"]


def test_choosing_the_file_of_a_pin_obeys_the_interpreter_and_the_options() -> None:
    pin = Pin(
        name=FOO, version=Version("1.0"), files=tuple(map(remote, ("foo-1.0-py3-none-any.whl", "foo-1.0.tar.gz")))
    )
    sources_only = FormatControl(no_binary=frozenset({"foo"}))

    assert choose_file(pin, PYTHON, FormatControl()).is_wheel
    assert not choose_file(pin, PYTHON, sources_only).is_wheel


def test_a_pin_without_a_file_that_fits_is_refused_with_what_there_is() -> None:
    pin = Pin(
        name=FOO,
        version=Version("1.0"),
        files=tuple(map(remote, ("foo-1.0-cp312-cp312-win_amd64.whl", "foo-1.0.tar.gz"))),
    )
    with pytest.raises(RequirementsError) as caught:
        choose_file(pin, PYTHON, FormatControl(only_binary=frozenset({":all:"})))

    assert caught.value.code == "no-compatible-file"
    assert caught.value.context == ("wheels exist for cp312 on win_amd64",)
    assert caught.value.hint == "--only-binary forbids the other files"


def test_a_bare_pin_gets_the_files_of_its_version_yanked_ones_with_a_notice() -> None:
    told: list[Event] = []
    pin = Pin(name=FOO, version=Version("1.0"), requested=True, origin="r.txt:1")

    filled = fill_pin(
        pin, [remote("foo-1.0.tar.gz", yanked="bad"), remote("foo-2.0.tar.gz")], PYTHON, Rules(), told.append
    )

    assert [file.filename for file in filled.files] == ["foo-1.0.tar.gz"]
    assert (filled.requested, filled.origin) == (True, "r.txt:1")
    assert [type(event) for event in told] == [Noticed]


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ([], "no-such-project"),
        (["foo-2.0.tar.gz"], "no-matching-version"),
        (["foo-1.0-cp27-none-any.whl"], "no-compatible-file"),
    ],
)
def test_a_bare_pin_that_nothing_fits_is_refused(files: list[str], code: str) -> None:
    pin = Pin(name=FOO, version=Version("1.0"), origin="r.txt:1")

    with pytest.raises(RequirementsError) as caught:
        fill_pin(pin, [remote(file) for file in files], PYTHON, Rules())

    assert caught.value.code == code
    assert any("r.txt:1" in line for line in caught.value.context)


@pytest.mark.parametrize(
    ("text", "exact"), [("==1", True), ("===1", True), ("==1.*", False), (">=1", False), ("", False)]
)
def test_exact_pins_are_recognized(text: str, exact: bool) -> None:
    assert is_exact(SpecifierSet(text)) is exact


def test_wheels_are_summed_up_by_python_and_platform() -> None:
    text = describe_tags(
        [
            "f-1-cp312-cp312-win32.whl",
            "f-1-cp39-abi3-manylinux1_i686.manylinux2014_i686.whl",
            "f-1-pp310-pypy310_pp73-win32.whl",
        ]
    )

    assert text == "wheels exist for cp312, cp39, pp310-pypy310_pp73 on manylinux1_i686, manylinux2014_i686, win32"
