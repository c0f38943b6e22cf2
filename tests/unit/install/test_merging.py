from __future__ import annotations

from pathlib import Path

import pytest
from helpers.environments import environment_at, wheel

from safe_install.errors import IntegrityError
from safe_install.events import Event, SteppedDown
from safe_install.install.merging import Merged, merge
from safe_install.install.placement import PreparedWheel, place

SITE = environment_at(Path("/env")).parts["purelib"]


def merged(tmp_path: Path, *wheels: PreparedWheel, folds_case: bool = False) -> tuple[Merged, list[SteppedDown]]:
    events: list[Event] = []
    placements = [place(item, environment_at(tmp_path / "env"), installer_name="us") for item in wheels]
    found = merge(placements, folds_case=folds_case, sink=events.append)
    return found, [event for event in events if isinstance(event, SteppedDown)]


def owners(found: Merged, name: str) -> list[str]:
    return [p.wheel.name for p in found.placements for part in p.linked if name in part.files]


def test_the_same_file_of_two_wheels_is_merged_without_a_word(tmp_path: Path) -> None:
    """The case of ``nvidia/__init__.py``."""
    wheels = [wheel(tmp_path, name, files={"ns/__init__.py": "", f"ns/{name}.py": name}) for name in ("bb", "aa")]
    found, told = merged(tmp_path, *wheels)
    assert len(owners(found, "__init__.py")) == 1
    assert not told
    assert found.sizes[f"{SITE}/ns"] == {"__init__.py": 0, "aa.py": 2, "bb.py": 2}


def test_both_records_list_a_merged_file(tmp_path: Path) -> None:
    found, _ = merged(tmp_path, *(wheel(tmp_path, name, files={"ns/__init__.py": ""}) for name in ("aa", "bb")))
    for placement in found.placements:
        assert b"ns/__init__.py,sha256=" in placement.record([])
        assert placement.sources == [f"{SITE}/ns/__init__.py"]


@pytest.mark.parametrize("turned", [False, True])
def test_of_different_content_the_later_name_wins_whatever_the_order(tmp_path: Path, turned: bool) -> None:
    wheels = [wheel(tmp_path, name, files={"tests/__init__.py": name, f"{name}.py": ""}) for name in ("aa", "bb")]
    found, told = merged(tmp_path, *(wheels[::-1] if turned else wheels))
    assert owners(found, "__init__.py") == ["bb"]
    (event,) = told
    assert event.kind == "file-conflict"
    assert "aa==1.0 and bb==1.0" in event.message
    assert f"{SITE}/tests/__init__.py" in event.message


def test_commands_meet_like_files(tmp_path: Path) -> None:
    wheels = [wheel(tmp_path, name, entry_points=f"[console_scripts]\nrun = {name}:main\n") for name in ("aa", "bb")]
    found, told = merged(tmp_path, *wheels)
    scripts = environment_at(tmp_path / "env").parts["scripts"]
    brought = [
        p.wheel.name
        for p in found.placements
        for file in p.written
        if file.path in {f"{scripts}/run", f"{scripts}/run.exe"}
    ]
    assert brought == ["bb"]
    assert len(told) == 1


def test_one_event_tells_all_paths_of_a_pair(tmp_path: Path) -> None:
    wheels = [wheel(tmp_path, name, files={f"t/{n}.py": name for n in range(5)}) for name in ("aa", "bb")]
    _, told = merged(tmp_path, *wheels)
    assert len(told) == 1
    assert "and 2 more" in told[0].message


def test_where_case_is_folded_names_meet_that_elsewhere_differ(tmp_path: Path) -> None:
    wheels = [wheel(tmp_path, "aa", files={"Pkg/a.py": "1"}), wheel(tmp_path, "bb", files={"pkg/A.py": "22"})]
    apart, quiet = merged(tmp_path, *wheels)
    assert (owners(apart, "a.py"), owners(apart, "A.py"), quiet) == (["aa"], ["bb"], [])
    together, told = merged(tmp_path, *wheels, folds_case=True)
    assert (owners(together, "a.py"), owners(together, "A.py")) == ([], ["bb"])
    assert len(told) == 1


def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    wheels = [wheel(tmp_path, "aa", files={"ns/x": "file"}), wheel(tmp_path, "bb", files={"ns/x/y.py": ""})]
    with pytest.raises(IntegrityError) as caught:
        merged(tmp_path, *wheels)
    assert caught.value.code == "file-conflict"
    assert "ns/x" in caught.value.message


def test_folders_are_listed_parents_first(tmp_path: Path) -> None:
    found, _ = merged(tmp_path, wheel(tmp_path, files={"a/b/c.py": ""}))
    assert list(found.folders) == sorted(found.folders)
    assert {SITE.partition("/")[0], SITE, f"{SITE}/a", f"{SITE}/a/b"} <= set(found.folders)
