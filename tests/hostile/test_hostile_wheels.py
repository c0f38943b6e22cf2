"""Every wheel of the corpus is refused, says which and why, and puts nothing outside its tree (issue 2, item 8)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hostile.wheel_corpus import CASES, FILENAME, Case, good, good_with_zip64_end
from packaging.utils import canonicalize_name
from packaging.version import Version

from safe_install.errors import ExitCode, IntegrityError
from safe_install.events import Event, SteppedDown
from safe_install.install.wheel import unpack_wheel
from safe_install.store.trees import TreeWriter

if TYPE_CHECKING:
    from pathlib import Path

EACH_CASE = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def unpack(case: Case, folder: Path, *, irregular: bool = False) -> tuple[set[str], list[Event]]:
    """Unpack deep enough that what leaves the tree stays in *folder*; return the tree's files and what was told."""
    archive = folder / "download"
    archive.write_bytes(case.make())
    events: list[Event] = []
    staging = folder / "some" / "deep" / "place"
    staging.mkdir(parents=True)
    unpack_wheel(
        archive,
        TreeWriter(staging),
        filename=case.filename,
        name=canonicalize_name("demo"),
        version=Version("1.0"),
        irregular=irregular,
        sink=events.append,
        folds_case=case.folds_case,
        limits=case.limits,
    )
    return everything_below(staging / "tree"), events


def everything_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}


@EACH_CASE
def test_hostile_wheel_is_refused_with_member_and_reason_and_writes_nothing_elsewhere(
    case: Case, tmp_path: Path
) -> None:
    with pytest.raises(IntegrityError) as caught:
        unpack(case, tmp_path)
    error = caught.value
    assert error.exit_code == ExitCode.INTEGRITY
    assert error.code == case.code
    assert case.filename in error.message
    assert case.reason in error.message
    if case.member is not None:
        assert f"member {case.member!a}:" in error.message
    # Names come from the archive, and a message goes to a terminal.
    assert all(line.isprintable() for line in (error.message, *error.context))
    left = {path for path in everything_below(tmp_path) if not path.startswith("some/deep/place/tree/")}
    assert left == {"download"}
    assert not any(path.is_symlink() for path in tmp_path.rglob("*"))


@EACH_CASE
def test_allowing_irregular_wheels_excuses_what_guards_no_path_and_tells_it(case: Case, tmp_path: Path) -> None:
    if not case.excusable:
        with pytest.raises(IntegrityError) as caught:
            unpack(case, tmp_path, irregular=True)
        assert caught.value.code == case.code
        return
    _, events = unpack(case, tmp_path, irregular=True)
    told = [event for event in events if isinstance(event, SteppedDown)]
    assert [event.kind for event in told] == ["irregular-archive"]
    assert case.filename in told[0].message
    assert case.reason in told[0].message


@pytest.mark.parametrize("case", [case for case in CASES if case.excusable], ids=lambda case: case.name)
def test_refusal_of_what_can_be_excused_says_how(case: Case, tmp_path: Path) -> None:
    with pytest.raises(IntegrityError) as caught:
        unpack(case, tmp_path)
    assert "--allow-irregular demo" in (caught.value.hint or "")


@pytest.mark.parametrize("make", [good, good_with_zip64_end])
def test_wheel_that_all_of_them_are_made_from_is_accepted(make: type[bytes], tmp_path: Path) -> None:
    case = replace(CASES[0], make=make, filename=FILENAME, folds_case=True)
    files, events = unpack(case, tmp_path)
    folder = "demo-1.0.dist-info"
    assert files == {"demo/__init__.py", f"{folder}/METADATA", f"{folder}/WHEEL", f"{folder}/RECORD"}
    assert not events


def test_corpus_has_no_two_cases_of_one_name_or_content() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
    contents = {(case.make(), case.filename) for case in CASES}
    assert len(contents) == len(CASES) >= 42
