"""A built wheel is compared with what was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from helpers.wheels import make_wheel, write_wheel
from packaging.utils import canonicalize_name
from packaging.version import Version

from safe_install.build.wheel import check_wheel, read_metadata
from safe_install.errors import BuildError

if TYPE_CHECKING:
    from pathlib import Path

    from safe_install.models import Interpreter


def refusal(path: Path, interpreter: Interpreter, name: str = "demo", version: str = "1.0") -> BuildError:
    with pytest.raises(BuildError) as caught:
        check_wheel(
            path, interpreter=interpreter, name=canonicalize_name(name), version=Version(version), subject="demo 1.0"
        )
    assert path.name in caught.value.message or caught.value.code == "build-mismatch"
    return caught.value


def test_what_was_asked_for_is_accepted(tmp_path: Path, interpreter: Interpreter) -> None:
    path = write_wheel(tmp_path, "De.mo", "1.0")
    found = check_wheel(
        path, interpreter=interpreter, name=canonicalize_name("de-mo"), version=Version("1.0.0"), subject="x"
    )
    assert found == ("de-mo", Version("1.0"))


def test_anything_is_accepted_where_nothing_is_expected(tmp_path: Path, interpreter: Interpreter) -> None:
    path = write_wheel(tmp_path, "other", "7")
    assert check_wheel(path, interpreter=interpreter, name=None, version=None, subject="x") == ("other", Version("7"))


def test_another_name_is_refused(tmp_path: Path, interpreter: Interpreter) -> None:
    error = refusal(write_wheel(tmp_path, "other", "1.0"), interpreter)
    assert error.code == "build-mismatch"
    assert "made other 1.0 instead of demo 1.0" in error.message


def test_another_version_is_refused(tmp_path: Path, interpreter: Interpreter) -> None:
    assert refusal(write_wheel(tmp_path, "demo", "1.1"), interpreter).code == "build-mismatch"


def test_a_wheel_for_another_platform_is_refused(tmp_path: Path, interpreter: Interpreter) -> None:
    error = refusal(write_wheel(tmp_path, "demo", "1.0", tag="cp39-cp39-win_arm64"), interpreter)
    assert error.code == "build-mismatch"
    assert error.context == ("its tags: cp39-cp39-win_arm64",)


def test_one_fitting_tag_of_many_is_enough(tmp_path: Path, interpreter: Interpreter) -> None:
    path = write_wheel(tmp_path, "demo", "1.0", tag="py2.py3-none-any")
    assert check_wheel(path, interpreter=interpreter, name=None, version=None, subject="x")


@pytest.mark.parametrize("filename", ["demo.whl", "demo-1.0.whl", "demo-one-py3-none-any.whl"])
def test_a_file_name_that_is_none_of_a_wheel_is_refused(
    tmp_path: Path, interpreter: Interpreter, filename: str
) -> None:
    path = tmp_path / filename
    path.write_bytes(make_wheel("demo", "1.0")[1])
    assert refusal(path, interpreter).code == "built-wheel-invalid"


def test_metadata_that_contradict_the_file_name_are_refused(tmp_path: Path, interpreter: Interpreter) -> None:
    path = write_wheel(tmp_path, "demo", "2.0").rename(tmp_path / "demo-1.0-py3-none-any.whl")
    error = refusal(path, interpreter)
    assert error.code == "built-wheel-invalid"
    assert "says demo 2.0" in error.message


@pytest.mark.parametrize("metadata", ["", "Name: demo\n"])
def test_metadata_that_lack_or_cannot_be_read_are_refused(
    tmp_path: Path, interpreter: Interpreter, metadata: str
) -> None:
    assert refusal(write_wheel(tmp_path, metadata=metadata), interpreter).code == "built-wheel-invalid"


def test_what_is_no_zip_is_refused(tmp_path: Path, interpreter: Interpreter) -> None:
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    path.write_text("no zip")
    assert refusal(path, interpreter).code == "built-wheel-invalid"


def test_metadata_are_read_from_the_wheel(tmp_path: Path) -> None:
    assert b"Name: demo" in read_metadata(write_wheel(tmp_path), "demo")
