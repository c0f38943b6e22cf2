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
    from collections.abc import Iterator

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


def each_project() -> Iterator[object]:
    for section, requirements in SECTIONS.items():
        for requirement in requirements:
            # With xdist, one worker installs a section and makes all its comparisons.
            yield pytest.param(section, requirement, id=requirement, marks=pytest.mark.xdist_group(section))


def each_section() -> Iterator[object]:
    for section in SECTIONS:
        yield pytest.param(section, id=section, marks=pytest.mark.xdist_group(section))


class File(NamedTuple):
    """What is compared of one file."""

    content: bytes
    mode: int

    def __repr__(self) -> str:
        return f"<{len(self.content)} bytes, {self.mode:04o}: {self.content[:80]!r}>"


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


def files(folder: Path) -> dict[str, File]:
    """Every recorded file as it is on disk, but INSTALLER's content and RECORD's order of rows."""
    found = {}
    for path in record(folder):
        place = folder.parent / path
        content = place.read_bytes()
        if place == folder / "INSTALLER":
            content = b""
        elif place == folder / "RECORD":
            content = repr(sorted(without_installer(record(folder)).items())).encode()
        found[path] = File(content, stat.S_IMODE(place.lstat().st_mode))
    return found


def without_installer(rows: dict[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """Rows with INSTALLER's hash and size left out, which differ as its content does."""
    return {path: ("", "") if path.endswith(".dist-info/INSTALLER") else row for path, row in rows.items()}


@pytest.mark.parametrize(("section", "requirement"), each_project())
def test_record_equals_the_one_of_pip(environments: Environments, section: str, requirement: str) -> None:
    expected = record(dist_info(environments.of(section, "pip"), requirement))
    found = record(dist_info(environments.of(section, "copy"), requirement))
    assert without_installer(found) == without_installer(expected)


@pytest.mark.parametrize(("section", "requirement"), each_project())
def test_copied_files_and_modes_equal_those_of_pip(environments: Environments, section: str, requirement: str) -> None:
    expected = files(dist_info(environments.of(section, "pip"), requirement))
    found = files(dist_info(environments.of(section, "copy"), requirement))
    assert found == expected


@pytest.mark.parametrize(("section", "requirement"), each_project())
def test_linked_files_equal_those_of_pip_but_for_write_bits(
    environments: Environments, section: str, requirement: str
) -> None:
    expected = files(dist_info(environments.of(section, "pip"), requirement))
    found = files(dist_info(environments.of(section, "hardlink"), requirement))
    assert without_write_bits(found) == without_write_bits(expected)


def without_write_bits(found: dict[str, File]) -> dict[str, File]:
    return {path: file._replace(mode=file.mode & ~WRITE_BITS) for path, file in found.items()}


@pytest.mark.parametrize(("section", "requirement"), each_project())
def test_entry_points_read_back_as_those_of_pip(environments: Environments, section: str, requirement: str) -> None:
    expected, found = (
        importlib.metadata.Distribution.at(dist_info(environments.of(section, installer), requirement)).entry_points
        for installer in ("pip", "copy")
    )
    assert list(found) == list(expected)


@pytest.mark.parametrize("installer", ["copy", "hardlink"])
@pytest.mark.parametrize("section", each_section())
def test_environment_holds_nothing_that_pip_does_not_bring(
    environments: Environments, section: str, installer: Literal["copy", "hardlink"]
) -> None:
    assert names(environments.of(section, installer)) == names(environments.of(section, "pip"))


def names(environment: Path) -> dict[str, str]:
    """Every path of an environment, recorded or not, with its kind and the mode of folders."""
    found = {}
    for path in environment.rglob("*"):
        status = path.lstat()
        mode = f" {stat.S_IMODE(status.st_mode):04o}" if stat.S_ISDIR(status.st_mode) else ""
        found[path.relative_to(environment).as_posix()] = f"{stat.S_IFMT(status.st_mode):o}{mode}"
    return found


@pytest.mark.parametrize("section", each_section())
def test_linked_files_are_links_into_the_store(environments: Environments, section: str) -> None:
    """Without this, the comparison of linked files could have compared copies."""
    for requirement in SECTIONS[section]:
        assert (dist_info(environments.of(section, "hardlink"), requirement) / "METADATA").stat().st_nlink > 1
        assert (dist_info(environments.of(section, "copy"), requirement) / "METADATA").stat().st_nlink == 1
