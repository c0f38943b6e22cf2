"""What `ci-install install` leaves in an environment equals what pip leaves there, file for file.

The projects are in `projects.txt`, a section for each kind. A section is installed into one environment by pip, then into one
at the same path by `ci-install` with copies, then with hard links: scripts name the environment's path, so that only at
the same path they can be equal to the byte. Design section 7 names what may differ: INSTALLER, bytecode, and write bits
where files are hard links into the store.
"""

from __future__ import annotations

import csv
import importlib.metadata
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = [pytest.mark.index, pytest.mark.slow, pytest.mark.timeout(1800)]

Installer: TypeAlias = Literal["pip", "copy", "hardlink"]
WRITE_BITS = 0o222


def sections() -> dict[str, list[str]]:
    """The requirements of each section of `projects.txt`."""
    found: dict[str, list[str]] = {}
    for line in Path(__file__).with_name("projects.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            found[line.strip("[]")] = []
        elif line and not line.startswith("#"):
            found[list(found)[-1]].append(line)
    return found


SECTIONS = sections()


# With xdist, one worker installs a section and makes all its comparisons.
EACH_PROJECT = [
    pytest.param(section, requirement, id=requirement, marks=pytest.mark.xdist_group(section))
    for section, requirements in SECTIONS.items()
    for requirement in requirements
]
EACH_SECTION = [pytest.param(section, id=section, marks=pytest.mark.xdist_group(section)) for section in SECTIONS]


class File(NamedTuple):
    """What is compared of one file."""

    content: bytes
    mode: int

    def __str__(self) -> str:
        return f"{self.mode:04o}, {len(self.content)} bytes, {self.content[:2000]!r}"


def differences(found: Mapping[str, object], expected: Mapping[str, object]) -> list[str]:
    """A line for each path that differs; readable where pytest's comparison of large dictionaries is not."""
    lines = [f"missing: {path}" for path in sorted(expected.keys() - found.keys())]
    lines += [f"not in pip's: {path}" for path in sorted(found.keys() - expected.keys())]
    for path in sorted(found.keys() & expected.keys()):
        if found[path] != expected[path]:
            lines.append(f"{path}: {found[path]}, with pip: {expected[path]}")
    return lines


class Environments:
    """The environments of all sections; each is made when a test first asks for it."""

    def __init__(self, folder: Path, pip: list[str], ci_install: Path, environ: dict[str, str]) -> None:
        self.folder = folder
        self.pip = pip
        self.ci_install = ci_install
        self.environ = environ
        self.made: dict[tuple[str, Installer], Path] = {}

    def of(self, section: str, installer: Installer) -> Path:
        """The folder that held the section's environment, moved away from the path at which it was filled."""
        if (section, installer) not in self.made:
            self.made[section, installer] = self._make(section, installer)
        return self.made[section, installer]

    def _make(self, section: str, installer: Installer) -> Path:
        place = self.folder / section / "environment"
        self._run([sys.executable, "-m", "venv", "--without-pip", str(place)])
        requirements = SECTIONS[section]
        formats = ["--only-binary", ":all:"]
        if section.startswith("sdist"):
            formats = ["--no-binary", ",".join(Requirement(requirement).name for requirement in requirements)]
        if installer == "pip":
            command = [*self.pip, "--python", str(place / EXECUTABLE), "install", "--no-deps", "--no-compile"]
            self._run([*command, "--no-cache-dir", *formats, *requirements])
        else:
            command = [str(self.ci_install), "install", "--no-deps", "--no-compile-bytecode", "--venv", str(place)]
            command += ["--cache-dir", str(self.folder / "store"), "--link-mode", installer]
            self._run([*command, *formats, *requirements])
        return place.rename(place.with_name(installer))

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(command, env=self.environ, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.fail(
                f"{' '.join(command)}\nended with {done.returncode}:\n{done.stdout}{done.stderr}", pytrace=False
            )


EXECUTABLE = Path("Scripts/python.exe") if os.name == "nt" else Path("bin/python")


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory, ci_install: Path, one_index: dict[str, str]) -> Environments:
    """Nothing yet but the newest pip, in an environment of its own."""
    folder = tmp_path_factory.mktemp("against-pip")
    home = folder / "pip"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
    upgrade = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(home / EXECUTABLE),
        "install",
        "--quiet",
        "--upgrade",
        "pip",
    ]
    subprocess.run(upgrade, check=True, env=one_index)
    return Environments(folder, [str(home / EXECUTABLE), "-m", "pip"], ci_install, one_index)


def dist_info(environment: Path, requirement: str) -> Path:
    """The metadata folder of the requirement's project."""
    wanted = canonicalize_name(Requirement(requirement).name)
    for folder in environment.rglob("*.dist-info"):
        if canonicalize_name(re.sub(r"-[^-]+\.dist-info$", "", folder.name)) == wanted:
            return folder
    pytest.fail(f"{requirement} is not in {environment.name}", pytrace=False)


def record(folder: Path) -> dict[str, tuple[str, str]]:
    """Path to hash and size, as RECORD has them."""
    with (folder / "RECORD").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.reader(lines))
    assert len(rows) == len({row[0] for row in rows}), "a path is recorded twice"
    return {path: (digest, size) for path, digest, size in rows}


def rows(folder: Path, section: str) -> dict[str, tuple[str, str]]:
    """`record` without hash and size where the content is not compared."""
    return {path: ("", "") if is_excused(path, section) else row for path, row in record(folder).items()}


def files(folder: Path, section: str) -> dict[str, File]:
    """Every recorded file as it is on disk, its content left out where it is not compared, and that of RECORD."""
    found = {}
    for path in record(folder):
        place = folder.parent / path
        unread = is_excused(path, section) or place == folder / "RECORD"
        found[path] = File(b"" if unread else place.read_bytes(), stat.S_IMODE(place.lstat().st_mode))
    return found


def is_excused(path: str, section: str) -> bool:
    """Whether the content may differ: INSTALLER's does, and a compiler notes the folder in which it worked."""
    built = section.startswith("sdist") and path.endswith((".so", ".pyd"))
    return built or path.endswith(".dist-info/INSTALLER")


@pytest.mark.parametrize(("section", "requirement"), EACH_PROJECT)
def test_record_equals_the_one_of_pip(environments: Environments, section: str, requirement: str) -> None:
    expected = rows(dist_info(environments.of(section, "pip"), requirement), section)
    found = rows(dist_info(environments.of(section, "copy"), requirement), section)
    assert not differences(found, expected)


@pytest.mark.parametrize(("section", "requirement"), EACH_PROJECT)
def test_copied_files_and_modes_equal_those_of_pip(environments: Environments, section: str, requirement: str) -> None:
    expected = files(dist_info(environments.of(section, "pip"), requirement), section)
    found = files(dist_info(environments.of(section, "copy"), requirement), section)
    assert not differences(found, expected)


@pytest.mark.parametrize(("section", "requirement"), EACH_PROJECT)
def test_linked_files_equal_those_of_pip_but_for_write_bits(
    environments: Environments, section: str, requirement: str
) -> None:
    expected = files(dist_info(environments.of(section, "pip"), requirement), section)
    found = files(dist_info(environments.of(section, "hardlink"), requirement), section)
    assert not differences(without_write_bits(found), without_write_bits(expected))


def without_write_bits(found: dict[str, File]) -> dict[str, File]:
    return {path: file._replace(mode=file.mode & ~WRITE_BITS) for path, file in found.items()}


@pytest.mark.parametrize(("section", "requirement"), EACH_PROJECT)
def test_entry_points_read_back_as_those_of_pip(environments: Environments, section: str, requirement: str) -> None:
    expected, found = (
        importlib.metadata.Distribution.at(dist_info(environments.of(section, installer), requirement)).entry_points
        for installer in ("pip", "copy")
    )
    assert list(found) == list(expected)


@pytest.mark.parametrize("installer", ["copy", "hardlink"])
@pytest.mark.parametrize("section", EACH_SECTION)
def test_environment_holds_nothing_that_pip_does_not_bring(
    environments: Environments, section: str, installer: Literal["copy", "hardlink"]
) -> None:
    assert not differences(names(environments.of(section, installer)), names(environments.of(section, "pip")))


def names(environment: Path) -> dict[str, str]:
    """Every path of an environment, recorded or not, with its kind and the mode of folders."""
    found = {}
    for path in environment.rglob("*"):
        status = path.lstat()
        mode = f" {stat.S_IMODE(status.st_mode):04o}" if stat.S_ISDIR(status.st_mode) else ""
        found[path.relative_to(environment).as_posix()] = f"{stat.S_IFMT(status.st_mode):o}{mode}"
    return found


@pytest.mark.parametrize("section", EACH_SECTION)
def test_linked_files_are_links_into_the_store(environments: Environments, section: str) -> None:
    """Without this, the comparison of linked files could have compared copies."""
    for requirement in SECTIONS[section]:
        assert (dist_info(environments.of(section, "hardlink"), requirement) / "METADATA").stat().st_nlink > 1
        assert (dist_info(environments.of(section, "copy"), requirement) / "METADATA").stat().st_nlink == 1
