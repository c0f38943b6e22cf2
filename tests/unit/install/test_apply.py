from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from helpers.capabilities import needs_rights, needs_symlinks, unix_only
from helpers.environments import environment_at, install, other_interpreters, tree_of, wheel

from safe_install.errors import SafeInstallError, StoreError, TargetError
from safe_install.events import Event, PhaseEnded, PhaseStarted, SteppedDown
from safe_install.install.environment import Environment, Place, recognise
from safe_install.install.interpreter import probe
from safe_install.models import LinkMode


def site(root: Path) -> Path:
    return Path(environment_at(root).purelib)


def step_downs(events: list[Event]) -> list[str]:
    return [event.kind for event in events if isinstance(event, SteppedDown)]


def run(root: Path, code: str) -> str:
    done = subprocess.run([environment_at(root).python, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_new_environment_imports_what_it_holds(tmp_path: Path) -> None:
    root = tmp_path / "env"
    done = install(root, [wheel(tmp_path / "store", "demo", "1.0")], scratch=tmp_path)
    assert done.created
    assert run(root, "import demo, sys; print(demo.__version__, sys.prefix)") == f"1.0 {root}"


@pytest.mark.parametrize("executable", other_interpreters(), ids=lambda path: path.parts[-3])
def test_any_python_from_3_8_gets_an_environment_that_works(tmp_path: Path, executable: Path) -> None:
    try:
        interpreter = probe(str(executable))
    except TargetError:
        pytest.skip("older than 3.8")
    root = tmp_path / "env"
    source = "import sys\ndef main():\n    print(sys.version_info[:2], sys.prefix)\n"
    demo = wheel(tmp_path / "store", files={"demo.py": source}, entry_points="[console_scripts]\ndemo = demo:main\n")
    done = install(root, [demo], scratch=tmp_path, interpreter=interpreter, compile_bytecode=True)
    assert done.compiled == 1
    assert list(Path(Environment.at(root, interpreter).purelib).glob(f"__pycache__/*.{interpreter.cache_tag}.pyc"))
    said = subprocess.run([root / "bin" / "demo"], capture_output=True, text=True, check=True).stdout
    assert said == f"{interpreter.version[:2]} {root}\n"
    install(root, [], scratch=tmp_path, remove=["demo"], interpreter=probe(str(root / "bin" / "python")))
    assert not (Path(Environment.at(root, interpreter).purelib) / "demo.py").exists()


def test_nothing_but_the_environment_and_its_lock_is_left(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    install(tmp_path / "project" / ".venv", [wheel(tmp_path / "store")], scratch=tmp_path)
    assert {path.name for path in (tmp_path / "project").iterdir()} <= {
        ".venv",
        "..venv.safe-install.lock",
        "..venv.safe-install.lock.owner",
    }


@pytest.mark.parametrize("name", ["env", "with space", "it's", "ünïcode", '"$(touch x)"'])
def test_no_file_names_the_place_where_the_environment_was_made(tmp_path: Path, name: str) -> None:
    if os.name == "nt" and '"' in name:
        pytest.skip("no such name on Windows")
    root = tmp_path / name
    commands = "[console_scripts]\ndemo = demo:__doc__\n"
    install(root, [wheel(tmp_path / "store", entry_points=commands)], scratch=tmp_path, compile_bytecode=True)
    for path, (_, content) in tree_of(root).items():
        assert isinstance(content, str) or b".safe-install-" not in content, path
        assert ".safe-install" not in path


@unix_only
@pytest.mark.parametrize("name", ["env", "with space", "it's"])
def test_activation_works_at_the_final_place(tmp_path: Path, name: str) -> None:
    root = tmp_path / name
    install(root, [], scratch=tmp_path)
    script = '. "$1/bin/activate" && command -v python && echo "$VIRTUAL_ENV"'
    done = subprocess.run(["/bin/sh", "-c", script, "sh", str(root)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [str(root / "bin" / "python"), str(root)]


def test_an_empty_folder_is_filled_in_place(tmp_path: Path) -> None:
    root = tmp_path / "env"
    root.mkdir()
    inode = root.stat().st_ino
    done = install(root, [wheel(tmp_path / "store")], scratch=tmp_path)
    assert done.created
    assert root.stat().st_ino == inode
    assert recognise(root).place is Place.VIRTUAL
    assert run(root, "import demo, sys; print(sys.prefix)") == str(root)


def test_both_ways_of_making_an_environment_give_the_same_one(tmp_path: Path) -> None:
    demo = wheel(tmp_path / "store", entry_points="[console_scripts]\ndemo = demo:main\n")
    root = tmp_path / "env"
    install(root, [demo], scratch=tmp_path)
    beside = tree_of(root)
    root.rename(tmp_path / "other")
    root.mkdir()
    install(root, [demo], scratch=tmp_path)
    in_place = tree_of(root)
    assert in_place.keys() == beside.keys()
    assert {path for path in beside if beside[path] != in_place[path]} <= {"pyvenv.cfg"}


def test_replacing_leaves_nothing_of_the_old_version(tmp_path: Path) -> None:
    root = tmp_path / "env"
    old = wheel(tmp_path / "store", "demo", "1.0", files={"demo/__init__.py": "", "demo/old/x.py": "", "gone.py": ""})
    new = wheel(tmp_path / "store", "demo", "2.0", files={"demo/__init__.py": "2", "demo/new.py": ""})
    install(root, [old], scratch=tmp_path, compile_bytecode=True)
    done = install(root, [new], scratch=tmp_path)
    assert not done.created
    assert done.removed_files
    found = {path.relative_to(site(root)).as_posix() for path in site(root).rglob("*") if path.is_file()}
    assert found == {"demo/__init__.py", "demo/new.py"} | {
        f"demo-2.0.dist-info/{name}" for name in ("INSTALLER", "METADATA", "RECORD", "WHEEL")
    }
    assert not (site(root) / "demo" / "old").exists()


def test_installing_into_an_existing_environment_equals_installing_into_a_new_one(tmp_path: Path) -> None:
    demo = wheel(tmp_path / "store", scripts={"run.py": "#!python\n"}, data={"data/share/x": ""})
    root = tmp_path / "env"
    install(root, [demo], scratch=tmp_path)
    fresh = tree_of(root)
    root.rename(tmp_path / "first")
    install(root, [], scratch=tmp_path)
    install(root, [demo], scratch=tmp_path)
    assert tree_of(root) == fresh


def test_hard_links_are_links_and_scripts_are_not(tmp_path: Path) -> None:
    demo = wheel(tmp_path / "store", scripts={"run.py": "#!python\n"})
    root = tmp_path / "env"
    done = install(root, [demo], scratch=tmp_path, link_mode=LinkMode.HARDLINK)
    assert set(done.link_modes) == {LinkMode.HARDLINK}
    assert os.path.samefile(site(root) / "demo" / "__init__.py", demo.tree.tree / "demo" / "__init__.py")
    own = ["bin/run.py", *(f"{site(root)}/demo-1.0.dist-info/{name}" for name in ("RECORD", "INSTALLER"))]
    if os.name != "nt":
        assert [(root / name).stat().st_nlink for name in own] == [1, 1, 1]


@unix_only
def test_copies_have_the_modes_that_pip_gives(tmp_path: Path) -> None:
    files = {"demo.py": "", "tool.sh": ""}
    demo = wheel(tmp_path / "store", files=files, executable={"tool.sh"}, entry_points="[console_scripts]\nc = d:e\n")
    old = os.umask(0o027)
    try:
        install(tmp_path / "env", [demo], scratch=tmp_path)
    finally:
        os.umask(old)
    tree = tree_of(tmp_path / "env")
    library = environment_at(tmp_path / "env").parts["purelib"]
    assert tree[f"{library}/demo.py"][0] == 0o640
    assert tree[f"{library}/demo-1.0.dist-info/RECORD"][0] == 0o640
    assert tree[f"{library}/tool.sh"][0] == 0o750
    assert tree["bin/c"][0] == 0o750


def test_a_file_of_a_distribution_that_stays_is_replaced_and_told(tmp_path: Path) -> None:
    root = tmp_path / "env"
    install(root, [wheel(tmp_path, "aa", files={"tests/__init__.py": "aa"})], scratch=tmp_path)
    events: list[Event] = []
    install(root, [wheel(tmp_path, "bb", files={"tests/__init__.py": "bb"})], scratch=tmp_path, sink=events.append)
    assert (site(root) / "tests" / "__init__.py").read_text() == "bb"
    (told,) = [event for event in events if isinstance(event, SteppedDown)]
    assert told.kind == "file-conflict"
    assert "aa==1.0 and bb==1.0" in told.message


def test_the_same_file_of_a_distribution_that_stays_is_left_alone(tmp_path: Path) -> None:
    root = tmp_path / "env"
    events: list[Event] = []
    for name in ("aa", "bb"):
        files = {"ns/__init__.py": "", f"ns/{name}.py": ""}
        install(root, [wheel(tmp_path, name, files=files)], scratch=tmp_path, sink=events.append, compile_bytecode=True)
    assert step_downs(events) == []
    for name in ("aa", "bb"):
        record = (site(root) / f"{name}-1.0.dist-info" / "RECORD").read_text()
        assert "ns/__init__.py,sha256" in record
        assert "ns/__pycache__/__init__." in record


def test_a_file_that_nobody_lists_is_replaced_and_told(tmp_path: Path) -> None:
    root = tmp_path / "env"
    install(root, [], scratch=tmp_path)
    (site(root) / "demo").mkdir()
    (site(root) / "demo" / "__init__.py").write_text("by hand")
    events: list[Event] = []
    install(root, [wheel(tmp_path / "store")], scratch=tmp_path, sink=events.append)
    assert step_downs(events) == ["file-conflict"]
    assert run(root, "import demo; print(demo.__version__)") == "1.0"


def test_a_folder_in_the_place_of_a_file_makes_room(tmp_path: Path) -> None:
    root = tmp_path / "env"
    install(root, [], scratch=tmp_path)
    (site(root) / "demo.py").mkdir()
    (site(root) / "demo.py" / "x").write_text("")
    install(root, [wheel(tmp_path / "store", files={"demo.py": "x = 1"})], scratch=tmp_path)
    assert (site(root) / "demo.py").read_text() == "x = 1"


def test_a_file_in_the_place_of_a_folder_makes_room(tmp_path: Path) -> None:
    root = tmp_path / "env"
    install(root, [wheel(tmp_path, "aa", files={"demo": "no folder"})], scratch=tmp_path)
    install(root, [wheel(tmp_path, "aa", "2.0", files={"demo/__init__.py": "x = 1"})], scratch=tmp_path)
    assert (site(root) / "demo" / "__init__.py").read_text() == "x = 1"


@needs_symlinks
def test_a_link_out_of_the_environment_is_not_written_through(tmp_path: Path) -> None:
    root, source = tmp_path / "env", tmp_path / "source"
    install(root, [], scratch=tmp_path)
    source.mkdir()
    (site(root) / "demo").symlink_to(source)
    install(root, [wheel(tmp_path / "store")], scratch=tmp_path)
    assert list(source.iterdir()) == []
    assert not (site(root) / "demo").is_symlink()


@needs_symlinks
def test_a_link_within_the_environment_is_followed(tmp_path: Path) -> None:
    """Many environments have ``lib64`` as a link to ``lib``."""
    root = tmp_path / "env"
    install(root, [], scratch=tmp_path)
    (root / "share").symlink_to("real-share")
    (root / "real-share").mkdir()
    install(root, [wheel(tmp_path / "store", data={"data/share/x": "x"})], scratch=tmp_path)
    assert (root / "share").is_symlink()
    assert (root / "real-share" / "x").read_text() == "x"


def test_stale_bytecode_of_what_is_replaced_goes(tmp_path: Path) -> None:
    """The time of a store's file may be that of an older file of the same size."""
    root = tmp_path / "env"
    install(root, [], scratch=tmp_path)
    cache = site(root) / "demo" / "__pycache__"
    cache.mkdir(parents=True)
    (cache / "__init__.cpython-311.pyc").write_text("stale")
    (cache / "other.cpython-311.pyc").write_text("not ours")
    install(root, [wheel(tmp_path / "store")], scratch=tmp_path)
    assert {path.name for path in cache.iterdir()} == {"other.cpython-311.pyc"}


def test_a_damaged_tree_is_not_installed(tmp_path: Path) -> None:
    demo = wheel(tmp_path / "store")
    module = demo.tree.tree / "demo" / "__init__.py"
    module.chmod(0o644)
    module.write_text("tampered")
    with pytest.raises(StoreError) as caught:
        install(tmp_path / "env", [demo], scratch=tmp_path)
    assert caught.value.code == "entry-damaged"
    assert "demo/__init__.py" in str(caught.value)
    assert not (tmp_path / "env").exists()


def test_each_wheel_tells_one_phase_and_bytecode_one_for_all(tmp_path: Path) -> None:
    events: list[Event] = []
    wheels = [wheel(tmp_path / "store", name) for name in ("aa", "bb")]
    install(tmp_path / "env", wheels, scratch=tmp_path, sink=events.append, compile_bytecode=True)
    begun = [(event.phase, event.key) for event in events if isinstance(event, PhaseStarted)]
    assert begun == [("link", "aa"), ("link", "bb"), ("compile", "bytecode")]
    assert [(event.phase, event.key) for event in events if isinstance(event, PhaseEnded)] == begun


def test_counts_are_those_of_the_tree(tmp_path: Path) -> None:
    install(tmp_path / "bare", [], scratch=tmp_path)
    done = install(tmp_path / "env", [wheel(tmp_path / "store")], scratch=tmp_path, compile_bytecode=True)
    added = tree_of(tmp_path / "env").keys() - tree_of(tmp_path / "bare").keys()
    assert done.files + done.compiled == len([path for path in added if not path.endswith("/")])
    assert (done.compiled, done.uncompiled) == (1, 0)


@needs_rights
def test_an_environment_that_cannot_be_written_says_so_and_stays(tmp_path: Path) -> None:
    root = tmp_path / "project" / "env"
    install(root, [], scratch=tmp_path)
    before = tree_of(root)
    root.chmod(0o555)
    try:
        with pytest.raises(TargetError) as caught:
            install(root, [wheel(tmp_path / "store")], scratch=tmp_path)
    finally:
        root.chmod(0o755)
    assert caught.value.code == "environment-read-only"
    assert tree_of(root) == before


@needs_rights
def test_a_parent_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    parent = tmp_path / "project"
    parent.mkdir(mode=0o555)
    try:
        with pytest.raises(TargetError) as caught:
            install(parent / "env", [], scratch=tmp_path)
    finally:
        parent.chmod(0o755)
    assert caught.value.code == "environment-read-only"


@unix_only
def test_a_path_that_would_fall_apart_in_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TargetError) as caught:
        install(tmp_path / "a:b", [], scratch=tmp_path)
    assert caught.value.code == "environment-creation-failed"
    assert not (tmp_path / "a:b").exists()


def test_settings_that_the_user_has_for_virtualenv_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ini = tmp_path / "virtualenv.ini"
    ini.write_text("[virtualenv]\nsystem-site-packages = true\n")
    hostile = {"VIRTUALENV_SYSTEM_SITE_PACKAGES": "1", "VIRTUALENV_CONFIG_FILE": str(ini), "VIRTUALENV_PROMPT": "x"}
    for name, value in hostile.items():
        monkeypatch.setenv(name, value)
    install(tmp_path / "env", [], scratch=tmp_path, variables=dict(os.environ))
    assert recognise(tmp_path / "env").configuration["include-system-site-packages"] == "false"
    assert "prompt" not in recognise(tmp_path / "env").configuration


def test_every_error_is_one_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for root in (tmp_path / "file", tmp_path / "file" / "env", tmp_path):
        with pytest.raises(SafeInstallError):
            install(root, [], scratch=tmp_path / "scratch")
