from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from helpers.capabilities import needs_symlinks
from helpers.environments import environment_at, install, tree_of, wheel
from helpers.faults import failing
from packaging.utils import canonicalize_name

from safe_install.errors import TargetError
from safe_install.events import Event, SteppedDown
from safe_install.install.environment import Environment
from safe_install.install.installed import read_installed
from safe_install.install.removal import Removal, plan_removal


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    install(tmp_path / "env", [], scratch=tmp_path)
    return environment_at(tmp_path / "env")


def site(environment: Environment) -> Path:
    return Path(environment.purelib)


def write(folder: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


def planned(environment: Environment, name: str) -> tuple[Removal, list[SteppedDown]]:
    events: list[Event] = []
    present = read_installed(environment)
    staying = [item for other, items in present.items() if other != name for item in items]
    removal = plan_removal(environment, present[canonicalize_name(name)], staying, events.append)
    return removal, [event for event in events if isinstance(event, SteppedDown)]


def test_everything_that_was_installed_goes_bytecode_of_every_kind_included(tmp_path: Path) -> None:
    root = tmp_path / "env"
    install(root, [], scratch=tmp_path)
    before = tree_of(root)
    demo = wheel(
        tmp_path / "store",
        files={"demo/__init__.py": "", "demo/deep/er/x.py": "", "demo/deep/data.txt": ""},
        entry_points="[console_scripts]\ndemo = demo:main\n",
        data={"data/share/doc/x": "x", "headers/x.h": "h"},
    )
    install(root, [demo], scratch=tmp_path, compile_bytecode=True)
    cache = Path(environment_at(root).purelib, "demo", "deep", "er", "__pycache__")
    (cache / "x.cpython-399.opt-2.pyc").write_text("")
    install(root, [], remove=["demo"], scratch=tmp_path)
    assert tree_of(root) == before


@pytest.mark.parametrize("folder", ["demo/__pycache__", "demo-1.0.dist-info", "demo"])
@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.ESTALE])
def test_folder_that_cannot_be_read_is_not_taken_for_empty(tmp_path: Path, folder: str, number: int) -> None:
    """What belongs to the old version would stay, and the environment would not be what was asked for."""
    root = tmp_path / "env"
    install(root, [wheel(tmp_path / "store")], scratch=tmp_path, compile_bytecode=True)
    before = tree_of(root)
    with failing("listdir", f"/{folder}", number) as fault, pytest.raises(TargetError) as caught:
        install(root, [], remove=["demo"], scratch=tmp_path)
    assert fault.happened
    assert caught.value.code == "environment-unreadable"
    assert tree_of(root) == before


def test_files_that_are_gone_already_are_passed_over(environment: Environment) -> None:
    write(site(environment), {"a-1.dist-info/RECORD": "a.py,,\na-1.dist-info/RECORD,,\n", "a-1.dist-info/METADATA": ""})
    removal, told = planned(environment, "a")
    library = environment.parts["purelib"]
    assert removal.files == [f"{library}/a-1.dist-info/METADATA", f"{library}/a-1.dist-info/RECORD"]
    assert not told


def test_paths_that_leave_the_environment_are_left_alone_and_told(environment: Environment, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    up = "/".join([".."] * 8)
    rows = [f"../{up}{tmp_path}/precious,,", f"{tmp_path}/precious,,", "a.py,,"]
    write(site(environment), {"a.py": "", "a-1.dist-info/RECORD": "\n".join(rows)})
    removal, told = planned(environment, "a")
    assert [Path(path).name for path in removal.files] == ["RECORD", "a.py"]
    assert [event.kind for event in told] == ["outside-environment"]
    assert "precious" in told[0].message


def test_the_interpreter_and_its_configuration_are_never_removed(environment: Environment) -> None:
    scripts = os.path.relpath(environment.scripts, environment.purelib).replace(os.sep, "/")
    root = os.path.relpath(environment.root, environment.purelib).replace(os.sep, "/")
    rows = [f"{scripts}/{Path(environment.python).name},,", f"{root}/pyvenv.cfg,,", f"{scripts}/activate,,"]
    write(site(environment), {"a-1.dist-info/RECORD": "\n".join(rows)})
    removal, told = planned(environment, "a")
    assert [Path(path).name for path in removal.files] == ["RECORD"]
    assert len(told) == 1


@needs_symlinks
def test_a_link_that_leads_out_is_not_followed(environment: Environment, tmp_path: Path) -> None:
    write(tmp_path / "source", {"a.py": "mine"})
    (site(environment) / "pkg").symlink_to(tmp_path / "source")
    write(site(environment), {"a-1.dist-info/RECORD": "pkg/a.py,,\n"})
    removal, told = planned(environment, "a")
    assert [Path(path).name for path in removal.files] == ["RECORD"]
    assert len(told) == 1


@needs_symlinks
def test_a_link_itself_is_a_file_like_any_other(environment: Environment, tmp_path: Path) -> None:
    (site(environment) / "a.py").symlink_to(tmp_path / "elsewhere.py")
    write(site(environment), {"a-1.dist-info/RECORD": "a.py,,\n"})
    removal, _ = planned(environment, "a")
    assert "a.py" in {Path(path).name for path in removal.files}


def test_a_file_that_another_distribution_lists_stays(tmp_path: Path) -> None:
    """``nvidia/__init__.py`` belongs to a dozen distributions; pip removes it with the first of them."""
    root = tmp_path / "env"
    wheels = [wheel(tmp_path, name, files={"ns/__init__.py": "", f"ns/{name}.py": ""}) for name in ("aa", "bb")]
    install(root, wheels, scratch=tmp_path, compile_bytecode=True)
    install(root, [], remove=["aa"], scratch=tmp_path)
    names = {path.name for path in Path(environment_at(root).purelib, "ns").iterdir()}
    assert names == {"__init__.py", "bb.py", "__pycache__"}
    cached = {path.name.partition(".")[0] for path in Path(environment_at(root).purelib, "ns", "__pycache__").iterdir()}
    assert cached == {"__init__", "bb"}


def test_what_other_tools_put_beside_record_goes_too(environment: Environment) -> None:
    write(site(environment), {"a-1.dist-info/RECORD": "a-1.dist-info/RECORD,,\n", "a-1.dist-info/uv_cache.json": "{}"})
    removal, _ = planned(environment, "a")
    assert "uv_cache.json" in {Path(path).name for path in removal.files}


def test_bytecode_of_a_module_with_a_similar_name_stays(environment: Environment) -> None:
    cache = {f"__pycache__/{name}.cpython-311.pyc": "" for name in ("a", "a.b", "ab")}
    write(site(environment), {"a.py": "", **cache, "a-1.dist-info/RECORD": "a.py,,\n"})
    removal, _ = planned(environment, "a")
    assert {Path(path).name for path in removal.files} == {"RECORD", "a.py", "a.cpython-311.pyc"}


def test_a_legacy_installation_with_a_list_is_removed_by_it(environment: Environment) -> None:
    files = {
        "old.py": "",
        "old-1.0.egg-info/PKG-INFO": "",
        "old-1.0.egg-info/installed-files.txt": "../old.py\nPKG-INFO\n",
    }
    write(site(environment), files)
    removal, _ = planned(environment, "old")
    assert {Path(path).name for path in removal.files} == {"old.py", "PKG-INFO", "installed-files.txt"}


def test_a_development_link_goes_with_its_line_only(tmp_path: Path, environment: Environment) -> None:
    write(site(environment), {"dev.egg-link": "/src/dev\n.", "easy-install.pth": "/src/other\n/src/dev\n"})
    install(Path(environment.root), [], remove=["dev"], scratch=tmp_path)
    assert not (site(environment) / "dev.egg-link").exists()
    assert (site(environment) / "easy-install.pth").read_text() == "/src/other\n"


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("a", {"a-1.dist-info/METADATA": ""}),
        ("b", {"b-1.egg-info": "Name: b"}),
        ("c", {"c-1.egg-info/PKG-INFO": "Name: c"}),
        ("d", {"d-1.egg/EGG-INFO/PKG-INFO": "Name: d"}),
    ],
    ids=["no RECORD", "distutils", "no list", "egg"],
)
def test_what_says_not_what_it_consists_of_is_not_guessed(
    environment: Environment, name: str, files: dict[str, str]
) -> None:
    write(site(environment), files)
    with pytest.raises(TargetError) as caught:
        planned(environment, name)
    assert caught.value.code == "uninstall-impossible"
    assert caught.value.hint
