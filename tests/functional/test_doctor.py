"""`ci-install doctor` in real situations: mounts, owners, rights, lists, long paths, calls that hang."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import stat
import struct
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from helpers.capabilities import linux_only, needs_rights, needs_symlinks, unix_only
from helpers.command import Command
from helpers.disks import Disks
from helpers.storage import dead_tag
from helpers.users import GROUP, STRANGERS, needed_python_of_strangers, open_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from helpers.stocked_index import StockedIndex

PROBE = ".safe-install-probe-"
DEADLINE = "8"
"""Seconds for probes of which one hangs; the others have to come to their end within it."""
# The first line of a process that probes one place; the parent has another.
_IN_CHILD = "import sys\nif '-c' in sys.orig_argv and 'safe_install.probe' in ' '.join(sys.orig_argv):\n"


@pytest.fixture(scope="module")
def disks() -> Iterator[Disks]:
    with Disks() as disks:
        yield disks


class Doctor:
    """Asks the command about the places of a test, and holds it to leaving nothing behind."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self.document: dict[str, Any] = {}

    def __call__(self, *arguments: str | Path, code: int = 0) -> dict[str, str]:
        """Return the level of each finding by its code, ``looked-at`` and those of the machine left out."""
        before = names_below(self.command.home.parent)
        result = self.command("doctor", "--json", *arguments, code=code)
        after = names_below(self.command.home.parent)
        assert {name for name in after - before if not name.endswith("report.json")} == set()
        self.document = json.loads(result.stdout)
        assert result.report == self.document
        return {each["code"]: each["level"] for each in self.document["findings"] if each["level"] != "ok"}

    def finding(self, code: str, role: str | None = None) -> dict[str, Any]:
        """The first finding with this code, of a place with this role."""
        found: dict[str, Any] = next(
            each
            for each in self.document["findings"]
            if each["code"] == code and (role is None or role in each["roles"])
        )
        return found

    def place(self, role: str) -> dict[str, Any]:
        """The facts of the place with this role."""
        found: dict[str, Any] = next(each for each in self.document["places"] if role in each["roles"])
        return found

    def roles(self, code: str) -> set[str]:
        """The roles of the places that a finding is about."""
        return {role for each in self.document["findings"] if each["code"] == code for role in each["roles"]}


def names_below(folder: Path) -> set[str]:
    """Every path below a folder, but what Python writes for itself."""
    found = set()
    for place, folders, files in os.walk(folder):
        found |= {os.path.join(place, name) for name in (*folders, *files) if name != "__pycache__"}
    return found


@pytest.fixture
def doctor(command: Command) -> Doctor:
    return Doctor(command)


@pytest.fixture
def store(command: Command, index: StockedIndex) -> Path:
    """A store with one distribution in it, and an environment that has it."""
    index.wheel("demo", files={"demo/__init__.py": "VALUE = 1\n"})
    command("install", "demo")
    return command.store


# What a test's own folders may be: in memory, on a small disk, deep.
_HARMLESS = {"in-memory", "space-low", "in-container", "socket-path", "one-user-for-all", "files-low", "first-come"}
if os.name == "nt":
    _HARMLESS |= {
        "busy-files-stay",
        "busy-files-stay-put",
        "case-blind",
        "no-symlinks",
        "path-long",
        "files-are-copied",
    }
    _HARMLESS |= {"scanner"}


def test_nothing_dangerous_is_found_where_an_installation_works(doctor: Doctor, store: Path) -> None:
    found = doctor()
    assert set(found) <= _HARMLESS
    layout = doctor.document["layout"]
    assert layout["works"]
    assert [(each["name"], each["path"], each["locks"]) for each in layout["layers"]] == [
        ("runner", str(store), "native")
    ]
    assert layout["environment"] == str(doctor.command.venv)
    assert layout["scratch"] == str(doctor.command.scratch)


def test_the_link_mode_is_the_one_that_an_installation_then_uses(doctor: Doctor, store: Path) -> None:
    doctor()
    (link,) = doctor.document["links"]
    assert link["foreign"]  # it was tried with a file of the store's own
    result = doctor.command("install", "demo", "--venv", "other")
    assert {each["link_mode"] for each in result.report["distributions"]} == {doctor.document["layout"]["link_mode"]}  # type: ignore[index]


def test_an_empty_machine_is_examined_and_nothing_is_made(doctor: Doctor) -> None:
    """Neither a store nor an environment nor scratch: not even these are left."""
    doctor()
    assert not doctor.command.store.exists()
    assert not doctor.command.scratch.exists()
    assert not doctor.command.venv.exists()
    assert doctor.document["layout"]["works"]


def test_people_get_lines_with_cause_effect_and_remedy(command: Command, store: Path) -> None:
    os.rmdir(store / "staging")
    result = command("doctor")
    assert f"notice[store-incomplete]: store {store}: 1 folders" in result.stdout
    assert "\n  effect: " in result.stdout
    assert "\n  mend: `ci-install doctor --fix` makes them\n" in result.stdout
    assert "the layout that works here:\n  runner       " in result.stdout
    assert "\x1b" not in result.stdout


@unix_only
def test_a_terminal_gets_a_table(command: Command, store: Path) -> None:
    os.rmdir(store / "staging")
    import pty

    leader, follower = pty.openpty()
    variables = {**command.variables, "TERM": "xterm", "COLUMNS": "140"}
    process = subprocess.Popen(
        [command.python, "-m", "safe_install", "doctor"],
        env=variables,
        cwd=command.folder,
        stdin=subprocess.DEVNULL,
        stdout=follower,
        stderr=subprocess.DEVNULL,
    )
    os.close(follower)
    output = b""
    with contextlib.suppress(OSError):  # what Linux says at the end
        while chunk := os.read(leader, 65536):
            output += chunk
    os.close(leader)
    assert process.wait(60) == 0
    text = output.decode()
    assert "what mends it" in text
    assert "┃" in text
    assert "store-incomplete" in text
    assert "the layout that works here:" in text


@unix_only
@pytest.mark.parametrize("mode", [0o777, 0o770, 0o2777])
def test_a_store_that_strangers_can_write_is_closed_to_them(doctor: Doctor, store: Path, mode: int) -> None:
    os.chmod(store, mode)
    assert doctor(code=7)["strangers-can-write"] == "danger"
    assert doctor.document["error"]["code"] == "layout-unusable"
    assert doctor.document["layout"]["layers"][0]["path"] is None
    assert f"`chmod go-w {store}`" in doctor.finding("strangers-can-write")["mend"]
    assert "strangers-can-write" not in doctor("--fix")
    assert doctor.document["mended"] == [
        f"took from strangers the right to write {store}, which now has mode {mode & ~0o022:o}"
    ]
    doctor.command("install", "demo", "--venv", "second")


@unix_only
def test_a_groups_store_is_opened_to_its_group_again(doctor: Doctor, store: Path) -> None:
    doctor.command("cache", "init", "--shared", "group")
    assert "closed-to-group" not in doctor()
    for name in ("locks", "files-1/ab"):
        os.chmod(store / name, 0o755)
    assert doctor()["closed-to-group"] == "danger"
    assert "2 folders" in doctor.finding("closed-to-group")["cause"]
    assert "closed-to-group" not in doctor("--fix")
    assert stat.S_IMODE((store / "locks").stat().st_mode) == 0o2775
    assert doctor.document["mended"] == [f"opened 2 folders of {store} to its group"]


@unix_only
def test_a_groups_store_with_the_sticky_bit_loses_it(doctor: Doctor, store: Path) -> None:
    doctor.command("cache", "init", "--shared", "group")
    os.chmod(store, 0o3770)
    assert doctor()["sticky-store"] == "danger"
    assert "sticky-store" not in doctor("--fix")
    assert stat.S_IMODE(store.stat().st_mode) == 0o2770


def test_missing_folders_of_a_store_are_made(doctor: Doctor, store: Path) -> None:
    os.rmdir(store / "staging")
    os.rmdir(store / "wheels-1" / "00")
    assert doctor()["store-incomplete"] == "notice"
    doctor.command("doctor", "--fix")
    assert "store-incomplete" not in doctor()
    assert stat.S_IMODE((store / "staging").stat().st_mode) == stat.S_IMODE((store / "trash").stat().st_mode)


def test_an_empty_entry_is_found_and_repair_takes_it_away(doctor: Doctor, store: Path) -> None:
    (manifest,) = (store / "wheels-1").glob("*/*/manifest.json")
    manifest.chmod(0o644)
    os.truncate(manifest, 0)
    assert doctor()["empty-entries"] == "danger"
    assert manifest.parent.name in doctor.finding("empty-entries")["cause"]
    doctor.command("cache", "repair")
    assert "empty-entries" not in doctor()


def test_what_dead_probes_left_is_found_and_removed(doctor: Doctor) -> None:
    left = doctor.command.home / f"{PROBE}0123456789abcdef.{dead_tag()}"
    (left / "race").mkdir(parents=True)
    foreign = doctor.command.home / f"{PROBE}of-somebody"
    foreign.mkdir()
    assert doctor()["probes-left"] == "notice"
    result = doctor.command("doctor", "--fix")
    assert f"mended: removed {left}" in result.stdout
    assert not left.exists()
    assert foreign.exists()
    assert "probes-left" not in doctor()


def test_a_folder_of_something_else_is_no_store(doctor: Doctor) -> None:
    doctor.command.store.mkdir()
    (doctor.command.store / "photograph.jpg").touch()
    assert doctor("--fix", code=7)["not-a-store"] == "danger"
    assert doctor.document["mended"] == []


def test_a_file_in_the_place_of_a_store_is_told(doctor: Doctor) -> None:
    doctor.command.store.write_text("x")
    assert doctor(code=7)["file-in-the-way"] == "danger"


@needs_symlinks
def test_a_store_that_is_a_link_is_told(doctor: Doctor, store: Path) -> None:
    elsewhere = doctor.command.home / "elsewhere"
    store.rename(elsewhere)
    store.symlink_to(elsewhere)
    assert doctor()["link-to-store"] == "notice"
    assert str(elsewhere) in doctor.finding("link-to-store")["cause"]


@unix_only
def test_a_folder_above_that_everybody_can_write_is_a_danger(doctor: Doctor, store: Path) -> None:
    assert "replaceable" not in doctor()
    os.chmod(doctor.command.home, 0o777)
    assert doctor()["replaceable"] == "danger"
    assert str(doctor.command.home) in doctor.finding("replaceable")["cause"]
    os.chmod(doctor.command.home, 0o1777)
    assert "replaceable" not in doctor()


@unix_only
def test_a_store_that_will_be_made_in_a_sticky_folder_is_told(doctor: Doctor) -> None:
    os.chmod(doctor.command.home, 0o1777)
    doctor()
    assert doctor.roles("first-come") == {"store"}
    doctor.command("cache", "init")
    doctor()
    assert doctor.roles("first-come") == set()


def acl(*entries: tuple[int, int, int]) -> bytes:
    """An access list as the kernel takes it: tag, rights, id."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


NOBODY = 0xFFFFFFFF
WRITER = acl((1, 7, NOBODY), (2, 7, STRANGERS[0]), (4, 0, NOBODY), (16, 7, NOBODY), (32, 0, NOBODY))


def set_acl(folder: Path, name: str) -> None:
    try:
        os.setxattr(folder, f"system.posix_acl_{name}", WRITER)
    except OSError:
        pytest.skip(f"no access lists on the file system of {folder}")


@linux_only
def test_an_access_list_that_lets_another_user_write_is_a_danger(doctor: Doctor, store: Path) -> None:
    set_acl(store, "access")
    assert doctor(code=7)["acl-lets-write"] == "danger"
    assert f"user {STRANGERS[0]}" in doctor.finding("acl-lets-write")["cause"]


@linux_only
def test_an_access_list_that_is_handed_down_is_told(doctor: Doctor, store: Path) -> None:
    set_acl(store, "default")
    found = doctor()
    assert found["acl-handed-down"] == "notice"
    assert "acl-lets-write" not in found


def test_every_path_named_is_looked_at(doctor: Doctor, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    doctor(tmp_path / "one", tmp_path / "two")
    paths = {each["path"] for each in doctor.document["places"] if each["roles"] == ["path"]}
    assert paths == {str(tmp_path / "one"), str(tmp_path / "two")}


@unix_only
def test_a_deep_path_is_told(doctor: Doctor, tmp_path: Path) -> None:
    length = os.pathconf(tmp_path, "PC_PATH_MAX") - 150
    folders, rest = divmod(length - len(str(tmp_path)), 201)
    deep = tmp_path.joinpath(*["d" * 200] * (folders - 1), "e" * 199, "f" * rest)
    deep.mkdir(parents=True)
    assert len(str(deep)) == length
    doctor(deep)
    assert doctor.roles("path-long") == {"path"}
    assert doctor("--venv", deep / ("g" * 100), code=7)["path-too-long"] == "danger"


def test_temporary_files_at_a_long_path_are_told(doctor: Doctor) -> None:
    if os.name == "nt":
        pytest.skip("sockets have other limits there")
    long = doctor.command.home / ("x" * 100)
    long.mkdir()
    assert doctor("--scratch", long)["socket-path"] == "notice"


def test_an_untrusted_job_with_the_user_of_trusted_ones_is_a_danger(doctor: Doctor, store: Path) -> None:
    own = doctor.command.home / "own"
    arguments = ("--trust", "untrusted", "--runner-dir", store, "--cache-dir", own)
    before = os.stat(store / "staging").st_mtime_ns
    assert doctor(*arguments)["untrusted-can-write"] == "danger"
    assert str(store) in doctor.finding("untrusted-can-write")["cause"]
    # To look at it took no write: that is for trusted jobs.
    assert os.stat(store / "staging").st_mtime_ns == before
    layers = doctor.document["layout"]["layers"]
    assert [(each["name"], each["writable"]) for each in layers] == [("job", True), ("runner", False)]


def test_a_ci_system_whose_jobs_share_a_user_is_told(doctor: Doctor, store: Path) -> None:
    doctor.command.variables |= {"GITLAB_CI": "true", "CI_COMMIT_REF_PROTECTED": "true"}
    assert doctor()["one-user-for-all"] == "notice"
    assert "GitLab CI" in doctor.finding("one-user-for-all")["cause"]
    assert doctor.document["machine"]["ci"] == "GitLab CI"


def test_a_seed_is_looked_at_and_never_touched(doctor: Doctor, store: Path) -> None:
    doctor.command("seed", "publish", doctor.command.home / "seed", store)
    seed = doctor.command.home / "seed"
    before = {name: os.stat(seed / name).st_mtime_ns for name in (".", "staging", "locks", "wheels-1")}
    found = doctor("--seed", seed, "--cache-dir", doctor.command.home / "new")
    assert "seed-unusable" not in found
    assert [each["name"] for each in doctor.document["layout"]["layers"]] == ["runner", "seed 1"]
    assert {name: os.stat(seed / name).st_mtime_ns for name in before} == before


def test_a_seed_that_is_not_there_is_a_danger_and_stops_nothing(doctor: Doctor, store: Path) -> None:
    assert doctor("--seed", doctor.command.home / "absent")["seed-unusable"] == "danger"
    assert [each["name"] for each in doctor.document["layout"]["layers"]] == ["runner"]


def test_a_link_mode_that_cannot_be_had_is_told(doctor: Doctor, store: Path) -> None:
    doctor()
    if doctor.document["layout"]["link_mode"] == "reflink":
        pytest.skip("files share blocks here")
    assert doctor("--link-mode", "reflink", code=7)["link-mode-fails"] == "danger"


def test_a_warm_sync_loads_nothing_of_this(command: Command, index: StockedIndex) -> None:
    wheel = index.wheel("demo")
    requirements = command.write("requirements.txt", f"demo==1.0 --hash=sha256:{wheel.sha256}\n")
    command("sync", requirements)
    loaded = command.home / "loaded"
    (command.home / "watching").mkdir()
    (command.home / "watching" / "sitecustomize.py").write_text(
        "import atexit, sys\n"
        "if 'sync' in sys.orig_argv:\n"
        f"    atexit.register(lambda: open({str(loaded)!r}, 'w').write(' '.join(sys.modules)))\n"
    )
    command("sync", requirements, PYTHONPATH=str(command.home / "watching"))
    names = loaded.read_text().split()
    assert "safe_install.engine.session" in names
    assert [name for name in names if name.startswith(("safe_install.probe", "safe_install.engine.doctor"))] == []


def test_a_wrong_deadline_is_refused(command: Command) -> None:
    assert command("doctor", "--deadline", "0", code=2).error == "setting-invalid"


# Mounts, as root alone can make them.


def test_nothing_runs_where_nothing_may_be_executed(doctor: Doctor, disks: Disks) -> None:
    place = disks.mount("-t", "tmpfs", "-o", "noexec,size=300m", "none")
    found = doctor("--venv", place / ".venv", "--scratch", place / "scratch", code=7)
    assert found["no-execution"] == "danger"
    assert {"environment", "scratch"} <= doctor.roles("no-execution")
    assert doctor.document["layout"]["environment"] is None
    assert doctor.document["layout"]["scratch"] == str(doctor.command.temporary)
    doctor("--scratch", place / "scratch")
    assert list(place.iterdir()) == []


def test_a_disk_that_can_only_be_read_is_told(doctor: Doctor, store: Path, disks: Disks) -> None:
    place = disks.mount("--bind", store)
    subprocess.run(["mount", "-o", "remount,bind,ro", place], check=True)
    assert doctor("--cache-dir", place, code=7)["read-only"] == "danger"
    assert "ro" in doctor.place("store")["mount"]["options"]
    found = doctor("--venv", place / "x", code=7)
    assert found["read-only"] == "danger"
    # Its entries can be taken, though: as a seed it is no danger.
    assert "read-only" not in doctor("--seed", place)


def test_a_small_disk_with_few_files_is_told(doctor: Doctor, disks: Disks) -> None:
    place = disks.mount("-t", "tmpfs", "-o", "size=20m,nr_inodes=2000", "none")
    found = doctor("--cache-dir", place / "store", "--venv", place / ".venv")
    assert (found["files-out"], found["space-out"]) == ("danger", "danger")
    assert doctor.roles("files-out") == {"store", "environment"}


def test_a_full_disk_stops_everything(doctor: Doctor, disks: Disks) -> None:
    place = disks.mount("-t", "tmpfs", "-o", "size=1m,nr_inodes=20", "none")
    for number in range(30):
        with contextlib.suppress(OSError):
            (place / str(number)).touch()
    assert doctor("--cache-dir", place / "store", code=7)["full"] == "danger"
    assert doctor.document["layout"]["layers"][0]["path"] is None


def test_store_and_environment_on_two_disks_mean_copies(doctor: Doctor, store: Path, disks: Disks) -> None:
    place = disks.mount("-t", "tmpfs", "-o", "size=300m", "none")
    assert doctor("--venv", place / ".venv")["files-are-copied"] == "notice"
    assert doctor.document["layout"]["link_mode"] == "copy"
    result = doctor.command("install", "demo", "--venv", place / ".venv")
    assert {each["link_mode"] for each in result.report["distributions"]} == {"copy"}  # type: ignore[index]


@pytest.mark.parametrize("kind", ["xfs", "btrfs", "ext4"])
def test_reflinks_are_found_where_they_are(doctor: Doctor, disks: Disks, kind: str) -> None:
    disk = disks.get(kind)
    folder = disk.folder()
    doctor("--cache-dir", folder / "store", "--venv", folder / ".venv")
    assert doctor.place("store")["mount"]["type"] == disk.kind.type
    assert doctor.document["layout"]["link_mode"] == ("reflink" if disk.kind.reflinks else "hardlink")
    assert list(folder.iterdir()) == []


# Owners, as they bind a user without rights.


@pytest.fixture
def stranger() -> Iterator[Doctor]:
    """The doctor as another user, in a folder that everybody can enter."""
    python, packages = needed_python_of_strangers()
    with open_folder() as folder:
        yield Doctor(
            Command(
                home=folder / "home",
                folder=folder / "work",
                variables={"PYTHONPATH": packages},
                user=STRANGERS[0],
                python=python,
            )
        )


@unix_only
def test_a_store_of_another_user_is_refused_and_not_mended(stranger: Doctor) -> None:
    store = stranger.command.home.parent / "store"
    store.mkdir()
    os.chown(store, STRANGERS[1], STRANGERS[1])
    os.chmod(store, 0o755)
    found = stranger("--cache-dir", store, "--fix", code=7)
    assert found["not-writable"] == "danger"
    assert found["foreign-owner"] == "danger"
    assert f"chown -R {STRANGERS[0]}" in stranger.finding("foreign-owner")["mend"]
    os.chmod(store, 0o777)
    assert stranger("--cache-dir", store, "--fix", code=7)["strangers-can-write"] == "danger"
    assert stranger.document["mended"] == []
    assert stat.S_IMODE(store.stat().st_mode) == 0o777


@unix_only
def test_things_of_another_user_in_a_store_of_ones_own_are_named(stranger: Doctor) -> None:
    command = stranger.command
    command("cache", "init")
    for number in range(7):
        file = command.store / "files-1" / "ab" / f"{number:032x}"
        file.write_text("x")
        os.chown(file, STRANGERS[1], STRANGERS[1])
    assert stranger()["foreign-entries"] == "notice"
    cause = stranger.finding("foreign-entries")["cause"]
    assert f"files-1/ab/{0:032x} ({STRANGERS[1]})" in cause
    assert "and 2 more" in cause
    assert stranger.finding("foreign-entries")["mend"].startswith(f"`chown -R {STRANGERS[0]} ")


@unix_only
def test_an_untrusted_user_of_its_own_is_no_danger(stranger: Doctor, command: Command) -> None:
    store = stranger.command.home.parent / "store"
    command("cache", "init", "--shared", "public", "--cache-dir", store)
    own = stranger.command.home / "own"
    found = stranger("--trust", "untrusted", "--runner-dir", store, "--cache-dir", own)
    assert "untrusted-can-write" not in found
    layers = stranger.document["layout"]["layers"]
    assert [(each["name"], each["sharing"]) for each in layers] == [("job", "private"), ("runner", "public")]


@unix_only
def test_a_member_of_a_group_may_use_its_store_and_not_mend_it(stranger: Doctor, command: Command) -> None:
    store = stranger.command.home.parent / "store"
    stranger.command.group = GROUP
    command("cache", "init", "--shared", "group", "--group", str(GROUP), "--cache-dir", store)
    found = stranger("--cache-dir", store)
    assert not set(found) & {"strangers-can-write", "foreign-owner", "not-writable", "closed-to-group"}
    os.chmod(store / "locks", 0o755)
    assert stranger("--cache-dir", store, "--fix")["closed-to-group"] == "danger"
    assert stranger.document["mended"] == []


@needs_rights
def test_a_folder_without_the_right_to_write_is_told(doctor: Doctor) -> None:
    place = doctor.command.home / "closed"
    place.mkdir()
    os.chmod(place, 0o500)
    assert doctor("--cache-dir", place / "store", code=7)["not-writable"] == "danger"


# Calls that hang, and signals.


def hang(command: Command, code: str) -> None:
    """Let *code* run at the start of every process that probes."""
    folder = command.home / "broken"
    folder.mkdir()
    lines = "".join(f"    {line}\n" for line in code.splitlines())
    (folder / "sitecustomize.py").write_text(f"{_IN_CHILD}{lines}")
    command.variables["PYTHONPATH"] = os.pathsep.join(
        filter(None, (str(folder), command.variables.get("PYTHONPATH", "")))
    )


def probing(command: Command) -> set[int]:
    """The processes that probe for *command*; other tests run others at the same time."""
    found = set()
    home = f"HOME={command.home}".encode()
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            variables = entry.with_name("environ").read_bytes().split(b"\0")
            if b"safe_install.probe" in entry.read_bytes() and home in variables:
                found.add(int(entry.parent.name))
    return found


@linux_only
def test_a_lock_that_hangs_does_not_hang_us(doctor: Doctor, store: Path) -> None:
    hang(doctor.command, "import fcntl, time\nfcntl.flock = lambda *arguments: time.sleep(600)")
    found = doctor("--deadline", DEADLINE)
    assert found["lock-hangs"] == "danger"
    assert "hangs" not in found
    assert {each["locks"] for each in doctor.document["layout"]["layers"]} == {"claim"}
    assert doctor.document["layout"]["works"]
    assert probing(doctor.command) == set()


@linux_only
def test_a_file_system_that_hangs_stops_what_needs_it(doctor: Doctor, store: Path) -> None:
    code = (
        "import os, time\nreal = os.statvfs\n"
        f"os.statvfs = lambda path: time.sleep(600) if str(path).startswith({str(store)!r}) else real(path)"
    )
    hang(doctor.command, code)
    found = doctor("--deadline", DEADLINE, code=7)
    assert found["hangs"] == "danger"
    assert doctor.roles("hangs") == {"store"}
    assert "at: room" in doctor.finding("hangs")["cause"]
    assert doctor.place("environment")["native_lock"] == {"problem": ""}
    assert probing(doctor.command) == set()


@linux_only
def test_what_a_hanging_probe_left_and_nobody_can_remove_is_named(doctor: Doctor) -> None:
    """Where removing hangs as well, all that can be done is to say what is left, and where."""
    hang(
        doctor.command,
        "import fcntl, os, time\nfcntl.flock = lambda *arguments: time.sleep(600)\n"
        "from safe_install.fs import remove\nreal = remove.remove_tree\n"
        "remove.remove_tree = lambda path, **options: "
        f"time.sleep(600) if {PROBE!r} in os.path.basename(path) else real(path, **options)",
    )
    result = doctor.command("doctor", "--deadline", DEADLINE)
    left = [name for name in names_below(doctor.command.home.parent) if f"/{PROBE}" in name]
    tops = {name for name in left if PROBE in name.rpartition("/")[2]}
    assert tops
    assert "danger[left-behind]" in result.stdout
    for name in tops:
        assert name in result.stdout
        subprocess.run(["rm", "-r", name], check=True)


@linux_only
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("place", ["lock", "abilities", "links"])
def test_a_signal_leaves_nothing(command: Command, store: Path, number: signal.Signals, place: str) -> None:
    """Stopped while its processes are in the middle of a probe, which hangs there so that it is."""
    ready = command.home / "ready"
    stop = f"(open({str(ready)!r}, 'w').close(), time.sleep(600))"
    calls = {
        "lock": f"import fcntl, time\nfcntl.flock = lambda *arguments: {stop}",
        "abilities": f"import os, time\nos.replace = lambda *arguments: {stop}",
        "links": "import os, time\nfrom safe_install.fs import link\n"
        f"link.Linker.link_files = lambda self, *arguments: {stop} if 'wheels-1' in arguments[0] else None",
    }
    hang(command, calls[place])
    # Such a process has made a file before it hung, and Python may write its own.
    before = names_below(command.home.parent)
    if place == "links":
        command.variables["SAFE_INSTALL_LINK_MODE"] = "copy"
    process = command.start("doctor", "--deadline", "60")
    deadline = time.monotonic() + 60
    while not ready.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert probing(command)
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert stdout == ""
    left = {name for name in names_below(command.home.parent) - before if not name.endswith(("report.json", "ready"))}
    assert left == set()
    assert probing(command) == set()
