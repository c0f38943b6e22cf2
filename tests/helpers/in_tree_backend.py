"""A build backend of the standard library alone, and the wheel packing that it shares with `helpers.wheels`.

`helpers.wheels.make_sdist` puts this file into sdists (``backend-path``), beside a ``project.json`` that says what
to build. It runs in the interpreters that safe-install fills (CPython 3.8 and newer) and needs no index.

``SAFE_INSTALL_TEST_BUILD_LOG`` names a file that gets one line ``<hook> <name> <version>`` for every hook that ran.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

HERE = Path(__file__).resolve().parent
NOT_PACKAGED = {"pyproject.toml", "setup.py", "setup.cfg", "PKG-INFO"}


class Member(NamedTuple):
    """Content of one file of a wheel, and whether its mode says executable."""

    content: bytes
    executable: bool = False


def escaped(name: str) -> str:
    """Return *name* as wheel and sdist file names spell it (binary distribution format, "Escaping and Unicode")."""
    return re.sub(r"[-_.]+", "_", name).lower()


def metadata_text(
    name: str,
    version: str,
    *,
    requires_dist: Iterable[str] = (),
    requires_python: str | None = None,
    extras: Iterable[str] = (),
    extra_lines: str = "",
) -> str:
    """Return a METADATA file; *extra_lines* are appended as they are, and may begin the body."""
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    if requires_python is not None:
        lines.append(f"Requires-Python: {requires_python}")
    lines += [f"Provides-Extra: {extra}" for extra in extras]
    lines += [f"Requires-Dist: {requirement}" for requirement in requires_dist]
    return "\n".join(lines) + "\n" + extra_lines


def wheel_text(tag: str, *, root_is_purelib: bool = True, build: str | None = None) -> str:
    """Return a WHEEL file with one ``Tag`` line for each tag that the compressed *tag* stands for."""
    lines = ["Wheel-Version: 1.0", "Generator: safe-install tests", f"Root-Is-Purelib: {str(root_is_purelib).lower()}"]
    interpreters, abis, platforms = tag.split("-")
    for interpreter in interpreters.split("."):
        for abi in abis.split("."):
            lines += [f"Tag: {interpreter}-{abi}-{platform}" for platform in platforms.split(".")]
    if build is not None:
        lines.append(f"Build: {build}")
    return "\n".join(lines) + "\n"


def record_row(path: str, content: bytes) -> str:
    """Return the RECORD line of one file."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode("ascii")
    quoted = '"' + path.replace('"', '""') + '"' if re.search('[,"\r\n]', path) else path
    return f"{quoted},sha256={digest},{len(content)}"


def pack(
    members: Mapping[str, Member],
    *,
    record_path: str,
    record: Callable[[str], str | None] | None = None,
    compress: bool = True,
) -> bytes:
    """Return the bytes of a wheel with *members* and their RECORD; the same input gives the same bytes.

    :param record: receives the right text of RECORD and returns what is written instead; None leaves RECORD out.
    """
    text: str | None = "".join(record_row(path, member.content) + "\n" for path, member in members.items())
    text = f"{text}{record_path},,\n"
    if record is not None:
        text = record(text)
    everything = dict(members)
    if text is not None:
        everything[record_path] = Member(text.encode("utf-8"))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, member in everything.items():
            info = zipfile.ZipInfo(path, date_time=(1980, 1, 1, 0, 0, 0))
            info.create_system = 3
            info.external_attr = (0o100755 if member.executable else 0o100644) << 16
            info.compress_type = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
            archive.writestr(info, member.content)
    return buffer.getvalue()


# The hooks of PEP 517 and PEP 660. They run with the unpacked sdist as the working directory.


def build_wheel(
    wheel_directory: str, config_settings: dict[str, Any] | None = None, metadata_directory: str | None = None
) -> str:
    """Build the wheel; config settings, when given, are found in it as ``<name>_config_settings.json``."""
    project = _started("build_wheel")
    members = {}
    for path in sorted(Path.cwd().rglob("*")):
        relative = path.relative_to(Path.cwd())
        if path.is_file() and HERE not in path.parents and str(relative) not in NOT_PACKAGED:
            members[relative.as_posix()] = Member(path.read_bytes(), bool(path.stat().st_mode & 0o100))
    if config_settings:
        members[f"{escaped(project['name'])}_config_settings.json"] = Member(json.dumps(config_settings).encode())
    return _written(wheel_directory, project, members)


def build_editable(
    wheel_directory: str, config_settings: dict[str, Any] | None = None, metadata_directory: str | None = None
) -> str:
    """Build a wheel that holds a ``.pth`` file with the path of the source tree."""
    project = _started("build_editable")
    pth = Member((str(Path.cwd()) + "\n").encode())
    return _written(wheel_directory, project, {f"__editable__.{escaped(project['name'])}.pth": pth})


def build_sdist(sdist_directory: str, config_settings: dict[str, Any] | None = None) -> str:
    """Refuse: the tests make sdists themselves."""
    raise NotImplementedError("this backend builds wheels only")


def prepare_metadata_for_build_wheel(metadata_directory: str, config_settings: dict[str, Any] | None = None) -> str:
    """Write the ``.dist-info`` folder without building anything."""
    project = _started("prepare_metadata_for_build_wheel")
    folder = _dist_info(project)
    for path, member in _metadata_members(project).items():
        target = Path(metadata_directory) / path
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(member.content)
    return folder


prepare_metadata_for_build_editable = prepare_metadata_for_build_wheel


def _started(hook: str) -> dict[str, Any]:
    """Read the project's description, note the call, and sleep or fail as the description asks."""
    project: dict[str, Any] = json.loads((HERE / "project.json").read_text(encoding="utf-8"))
    log = os.environ.get("SAFE_INSTALL_TEST_BUILD_LOG")
    if log:
        # One short write in append mode, so that builds side by side do not mix their lines.
        with open(log, "a", encoding="utf-8") as stream:
            stream.write(f"{hook} {project['name']} {project['version']}\n")
    time.sleep(project["sleep"])
    if project["failure"]:
        raise RuntimeError(project["failure"])
    return project


def _dist_info(project: dict[str, Any]) -> str:
    return f"{escaped(project['name'])}-{project['version']}.dist-info"


def _metadata_members(project: dict[str, Any]) -> dict[str, Member]:
    folder = _dist_info(project)
    text = metadata_text(
        project["name"],
        project["version"],
        requires_dist=project["requires_dist"],
        requires_python=project["requires_python"],
        extras=project["extras"],
    )
    members = {
        f"{folder}/METADATA": Member(text.encode()),
        f"{folder}/WHEEL": Member(wheel_text("py3-none-any").encode()),
    }
    if project["entry_points"]:
        members[f"{folder}/entry_points.txt"] = Member(project["entry_points"].encode())
    return members


def _written(wheel_directory: str, project: dict[str, Any], members: dict[str, Member]) -> str:
    filename = f"{escaped(project['name'])}-{project['version']}-py3-none-any.whl"
    everything = {**members, **_metadata_members(project)}
    content = pack(everything, record_path=f"{_dist_info(project)}/RECORD")
    (Path(wheel_directory) / filename).write_bytes(content)
    return filename
