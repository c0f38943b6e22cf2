"""Names in and of wheels: whatever they are, a file lands where its name says or nowhere."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from helpers.wheels import make_wheel
from hypothesis import assume, example, given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name
from packaging.version import Version

from safe_install.errors import IntegrityError
from safe_install.events import ignore
from safe_install.install.wheel import unpack_wheel
from safe_install.store.trees import TreeWriter

PROJECTS = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,8}[A-Za-z0-9])?", fullmatch=True)
VERSIONS = st.from_regex(
    r"(1!)?[0-9]{1,2}(\.[0-9]{1,2}){0,2}((a|b|rc)[0-9])?(\.post[0-9])?(\.dev[0-9])?", fullmatch=True
)
PARTS = st.sampled_from(
    [
        "..",
        ".",
        "",
        " ",
        "demo",
        "DEMO",
        "demo.py",
        "con",
        "NUL.txt",
        "a:b",
        "C:",
        "\\",
        "é",
        "e\u0301",
        "x ",
        "x.",
        "\0",
        "\n",
        "~",
        "$HOME",
    ]
) | st.text(max_size=4)
SEPARATORS = st.sampled_from(["/", "//", "\\", "/../", "/./"])


@st.composite
def members(draw: st.DrawFn) -> str:
    name = draw(PARTS)
    for _ in range(draw(st.integers(0, 3))):
        name += draw(SEPARATORS) + draw(PARTS)
    return name


def unpacked(folder: Path, made: tuple[str, bytes], name: str, version: str) -> set[str] | None:
    """The files below *folder* after unpacking; None when the wheel was refused."""
    filename, content = made
    (folder / "download").write_bytes(content)
    staging = folder / "some" / "deep" / "place"
    staging.mkdir(parents=True)
    try:
        unpack_wheel(
            folder / "download",
            TreeWriter(staging),
            filename=filename,
            name=canonicalize_name(name),
            version=Version(version),
            irregular=False,
            sink=ignore,
        )
    except IntegrityError:
        return None
    finally:
        found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
        outside = {path for path in found if not path.startswith("some/deep/place/tree/")}
        assert outside == {"download"}
    return {path.removeprefix("some/deep/place/tree/") for path in found - {"download"}}


@given(name=members())
@example(name="../evil")
@example(name="demo-1.0.data/scripts/../../evil")
def test_file_lands_where_its_name_says_or_nowhere(name: str) -> None:
    try:
        made = make_wheel(files={name: "content"})
    except (UnicodeEncodeError, ValueError):
        assume(False)
        return
    with tempfile.TemporaryDirectory() as folder:
        files = unpacked(Path(folder), made, "demo", "1.0")
    if files is not None:
        assert name in files


@given(scheme=st.sampled_from(["purelib", "platlib", "headers", "scripts", "data", "other", ".."]), name=members())
def test_file_of_a_data_folder_lands_where_its_name_says_or_nowhere(scheme: str, name: str) -> None:
    try:
        made = make_wheel(data={f"{scheme}/{name}": "content"})
    except (UnicodeEncodeError, ValueError):
        assume(False)
        return
    with tempfile.TemporaryDirectory() as folder:
        files = unpacked(Path(folder), made, "demo", "1.0")
    if files is not None:
        assert f"demo-1.0.data/{scheme}/{name}" in files


@given(name=PROJECTS, version=VERSIONS)
def test_every_valid_name_and_version_is_accepted(name: str, version: str) -> None:
    """ "In distribution names, any run of -_. characters should be replaced with _ (...) and uppercase characters
    should be replaced with corresponding lowercase ones" (binary distribution format, "Escaping and Unicode")
    """
    with tempfile.TemporaryDirectory() as folder:
        assert unpacked(Path(folder), make_wheel(name, version), name, version) is not None


@given(name=PROJECTS, version=VERSIONS, separator=st.sampled_from("-_."))
def test_older_spellings_of_the_folder_are_accepted(name: str, version: str, separator: str) -> None:
    """ "Tools consuming wheels must be prepared to accept . (FULL STOP) and uppercase letters, however, as these were
    allowed by an earlier version of this specification." (the same)
    """
    folder_name = f"{re.sub('[-_.]', separator, name)}-{version}.dist-info"
    with tempfile.TemporaryDirectory() as folder:
        assert unpacked(Path(folder), make_wheel(name, version, dist_info=folder_name), name, version) is not None


@given(name=PROJECTS, other=PROJECTS, version=VERSIONS, other_version=VERSIONS)
def test_wheel_of_another_project_or_version_is_never_accepted(
    name: str, other: str, version: str, other_version: str
) -> None:
    assume(canonicalize_name(name) != canonicalize_name(other) or Version(version) != Version(other_version))
    with tempfile.TemporaryDirectory() as folder:
        assert unpacked(Path(folder), make_wheel(name, version), other, other_version) is None
