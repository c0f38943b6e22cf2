from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from helpers.capabilities import needs_rights, needs_symlinks, unix_only
from helpers.environments import install, this_interpreter, wheel

from safe_install.errors import TargetError
from safe_install.install.environment import Environment, Place, recognise
from safe_install.install.installed import read_installed

if TYPE_CHECKING:
    from safe_install.models import Interpreter


def code_of(root: Path) -> str:
    with pytest.raises(TargetError) as caught:
        recognise(root)
    assert str(root) in caught.value.message
    return caught.value.code


def test_nothing_and_an_empty_folder_are_told_apart(tmp_path: Path) -> None:
    assert recognise(tmp_path / "no").place is Place.ABSENT
    assert recognise(tmp_path).place is Place.EMPTY


def test_traces_of_a_mount_and_of_our_lock_do_not_fill_a_folder(tmp_path: Path) -> None:
    (tmp_path / "lost+found").mkdir()
    (tmp_path / ".safe-install.lock").touch()
    assert recognise(tmp_path).place is Place.EMPTY


def test_a_virtual_environment_is_recognised_with_its_python(tmp_path: Path) -> None:
    install(tmp_path / "env", [], scratch=tmp_path)
    state = recognise(tmp_path / "env")
    assert state.place is Place.VIRTUAL
    assert state.exists
    assert state.python is not None
    assert Path(state.python).is_relative_to(tmp_path / "env")
    assert state.configuration["include-system-site-packages"] == "false"


def test_a_file_is_no_place_for_an_environment(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert code_of(tmp_path / "file") == "environment-is-a-file"
    assert code_of(tmp_path / "file" / "below") == "environment-is-a-file"


@needs_symlinks
def test_a_dangling_link_is_no_place_either(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert code_of(tmp_path / "link") == "environment-is-a-file"


def test_a_folder_with_other_things_is_left_alone_and_they_are_named(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(TargetError) as caught:
        recognise(tmp_path)
    assert caught.value.code == "environment-not-ours"
    assert "thesis.txt" in caught.value.context[0]


@unix_only
def test_an_environment_whose_python_is_gone_is_broken(tmp_path: Path) -> None:
    install(tmp_path / "env", [], scratch=tmp_path)
    for name in ("python", "python3"):
        (tmp_path / "env" / "bin" / name).unlink()
        (tmp_path / "env" / "bin" / name).symlink_to("/nonexistent/python")
    assert code_of(tmp_path / "env") == "environment-broken"


@needs_rights
def test_a_folder_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    (tmp_path / "env").mkdir(mode=0o000)
    try:
        assert code_of(tmp_path / "env") == "environment-unreadable"
    finally:
        (tmp_path / "env").chmod(0o700)


def test_a_half_done_change_is_seen_before_anything_else(tmp_path: Path) -> None:
    install(tmp_path / "env", [], scratch=tmp_path)
    (tmp_path / "env" / ".safe-install").mkdir()
    (tmp_path / "env" / ".safe-install" / "journal.json").touch()
    assert recognise(tmp_path / "env").place is Place.UNFINISHED


def test_what_an_earlier_change_could_not_delete_is_passed_over(tmp_path: Path) -> None:
    """Somebody has it open, and nothing is to be undone."""
    install(tmp_path / "env", [], scratch=tmp_path)
    for root, place in ((tmp_path / "env", Place.VIRTUAL), (tmp_path / "new", Place.EMPTY)):
        (root / ".safe-install" / "aside-0123456789abcdef").mkdir(parents=True)
        (root / ".safe-install" / "done.json").touch()
        assert recognise(root).place is place


@unix_only
def test_a_python_installation_is_recognised(tmp_path: Path) -> None:
    assert recognise(this_interpreter().prefix).place is Place.INSTALLATION


def test_headers_go_where_pip_puts_them(tmp_path: Path) -> None:
    environment = Environment.at(tmp_path / "env", this_interpreter())
    major, minor, _ = this_interpreter().version
    assert environment.parts["headers"] == f"include/site/python{major}.{minor}"
    assert environment.parts["data"] == ""
    assert environment.virtual


def test_an_installation_is_used_as_its_python_says(tmp_path: Path) -> None:
    interpreter = replace(this_interpreter(), externally_managed=None)
    if not Path(interpreter.paths["headers"]).is_relative_to(interpreter.paths["data"]):
        pytest.skip("this Python scatters what it installs, as Debian's does")
    environment = Environment.at(interpreter.prefix, interpreter)
    assert not environment.virtual
    assert environment.python == interpreter.executable
    for key in ("purelib", "platlib", "scripts"):
        assert os.path.samefile(environment.path(environment.parts[key]), interpreter.paths[key])


def test_an_externally_managed_installation_is_refused_in_its_own_words() -> None:
    """PEP 668: show the text that the distributor wrote."""
    managed = replace(this_interpreter(), externally_managed="Use apt.\nOr a venv.")
    with pytest.raises(TargetError) as caught:
        Environment.at(managed.prefix, managed)
    assert caught.value.code == "externally-managed"
    assert caught.value.context == ("Use apt.", "Or a venv.")


def test_a_virtual_environment_of_a_managed_python_is_allowed(tmp_path: Path) -> None:
    managed = replace(this_interpreter(), externally_managed="Use apt.")
    assert Environment.at(tmp_path / "env", managed).virtual


def test_an_installation_that_scatters_its_files_is_unsupported(tmp_path: Path) -> None:
    interpreter = replace(this_interpreter(), externally_managed=None)
    scattered = replace(interpreter, paths=dict(interpreter.paths) | {"scripts": str(tmp_path)})
    with pytest.raises(TargetError) as caught:
        Environment.at(interpreter.prefix, scattered)
    assert caught.value.code == "environment-unsupported"


def test_windows_has_other_names(tmp_path: Path) -> None:
    interpreter = this_interpreter()
    windows = replace(
        interpreter,
        markers=dict(interpreter.markers) | {"sys_platform": "win32"},
        relative_paths={
            "purelib": "Lib/site-packages",
            "platlib": "Lib/site-packages",
            "scripts": "Scripts",
            "data": ".",
            "headers": "include/site/python3.11",
        },
    )
    environment = Environment.at(tmp_path / "env", windows)
    assert environment.python == str(tmp_path / "env" / "Scripts" / "python.exe")
    assert environment.libraries == ("Lib/site-packages",)


def with_lib64() -> Interpreter:
    """An interpreter as some systems have it: its platlib is in ``lib64``."""
    here = this_interpreter()
    platlib = here.relative_paths["platlib"].replace("lib/", "lib64/", 1)
    return replace(here, relative_paths={**here.relative_paths, "platlib": platlib})


@unix_only
def test_lib64_is_a_folder_of_its_own_where_it_is_one(tmp_path: Path) -> None:
    for made in (False, True):
        if made:
            (tmp_path / "lib64").mkdir()
        parts = Environment.at(tmp_path, with_lib64()).parts
        assert parts["purelib"].startswith("lib/")
        assert parts["platlib"].startswith("lib64/")


@unix_only
@pytest.mark.parametrize("target", ["lib", "lib/", "{root}/lib"])
def test_lib64_that_is_a_link_to_lib_is_no_other_folder(tmp_path: Path, target: str) -> None:
    (tmp_path / "lib64").symlink_to(target.format(root=tmp_path))
    environment = Environment.at(tmp_path, with_lib64())
    assert environment.libraries == (environment.parts["purelib"],)


@unix_only
def test_what_lies_below_both_names_is_there_once_and_can_be_replaced(tmp_path: Path) -> None:
    root = tmp_path / "env"
    options: dict[str, Any] = {"scratch": tmp_path, "interpreter": with_lib64()}
    install(root, [], **options)
    if not (root / "lib64").exists():
        (root / "lib64").symlink_to("lib")
    files = {"demo/same.py": "x = 1", "demo/other.py": "x = 1"}
    install(root, [wheel(tmp_path / "old", version="1.0", root_is_purelib=False, files=files)], **options)
    environment = Environment.at(root, with_lib64())
    assert [len(items) for items in read_installed(environment).values()] == [1]
    files["demo/other.py"] = "x = 2"
    install(root, [wheel(tmp_path / "new", version="2.0", root_is_purelib=False, files=files)], **options)
    ((item,),) = read_installed(environment).values()
    assert str(item) == "demo==2.0"
    library = Path(environment.purelib)
    assert [(library / name).read_text() for name in sorted(files)] == ["x = 2", "x = 1"]
