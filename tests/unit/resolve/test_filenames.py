"""`safe_install.resolve.filenames`: names of wheels and sdists, as they are found on real pages."""

from __future__ import annotations

import pytest
from packaging.utils import canonicalize_name
from packaging.version import Version

from safe_install.resolve.filenames import (
    build_order,
    sdist_identity,
    sdist_rank,
    sdist_version_text,
    wheel_identity,
    wheel_parts,
    wheel_tags,
)


@pytest.mark.parametrize(
    ("filename", "name", "version"),
    [
        ("foo-1.0-py3-none-any.whl", "foo", "1.0"),
        ("Foo_Bar-1.0-2abc-cp311-abi3-win32.whl", "foo-bar", "1.0"),
        ("foo__bar-1.0+cu118-py2.py3-none-any.whl", "foo-bar", "1.0+cu118"),
    ],
)
def test_a_wheel_tells_project_and_version(filename: str, name: str, version: str) -> None:
    assert wheel_identity(filename) == (name, Version(version))


@pytest.mark.parametrize("filename", ["foo-1.0.tar.gz", "foo-1.0-py3-none.whl", "foo.whl", "foo-1-a-b-c-d-e.whl"])
def test_what_is_no_wheel_is_none(filename: str) -> None:
    assert wheel_parts(filename) is None


def test_a_wheel_with_a_version_from_before_pep_440_has_none() -> None:
    assert wheel_identity("foo-1.0.final-nope-py3-none-any.whl") == ("foo", None)


@pytest.mark.parametrize(
    ("filename", "project", "version"),
    [
        ("foo-1.0.tar.gz", "foo", "1.0"),
        ("Foo_Bar-1.0.zip", "foo-bar", "1.0"),
        ("foo.bar-1.0.tar.bz2", "foo-bar", "1.0"),
        ("a-b-1.0.tar.gz", "a-b", "1.0"),
        ("a-b-1.0.tar.gz", "a", "b-1.0"),
        ("foo-1.0-1.tgz", "foo", "1.0-1"),
        ("other-1.0.tar.gz", "foo", None),
        ("foo-1.0.exe", "foo", None),
        ("foo.tar.gz", "foo", None),
    ],
)
def test_the_project_tells_where_an_sdists_version_begins(filename: str, project: str, version: str | None) -> None:
    assert sdist_version_text(filename, canonicalize_name(project)) == version


def test_without_a_project_the_last_hyphen_does() -> None:
    assert sdist_identity("a-b-1.0.tar.xz") == ("a-b", Version("1.0"))
    assert sdist_identity("a-b.tar.gz") is None


def test_a_build_tag_is_ordered_by_number_and_none_is_lowest() -> None:
    assert sorted(["10", "", "9b", "9a"], key=build_order) == ["", "9a", "9b", "10"]


def test_a_gzipped_tar_is_preferred_to_a_zip_and_that_to_the_rest() -> None:
    assert sorted(["f.tar.bz2", "f.zip", "f.tar.gz", "f.egg"], key=sdist_rank) == [
        "f.tar.gz",
        "f.zip",
        "f.tar.bz2",
        "f.egg",
    ]


def test_malformed_tags_fit_nothing() -> None:
    assert wheel_tags("py3--any") == frozenset()
    assert {str(tag) for tag in wheel_tags("py2.py3-none-any")} == {"py2-none-any", "py3-none-any"}
