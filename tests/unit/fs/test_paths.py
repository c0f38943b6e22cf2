"""Names that leave the tree, mean a device or become another name on some system are refused, on every system."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from safe_install.fs.paths import find_collisions, is_within, problem_with_member


@pytest.mark.parametrize(
    "name",
    [
        "demo/__init__.py",
        "demo-1.0.dist-info/RECORD",
        "a",
        ".hidden",
        "..dots..py/x",
        "naïve/é.py",
        "console.py",
        "com.py",
        "com10.py",
        "auxiliary.py",
        "nullable/nul_x.py",
        "with space/in name.txt",
        "launcher (dev).tmpl",
        "a+b=c,d;e@f#g%h&i'j[k]{l}~",
    ],
)
def test_ordinary_names_are_allowed(name: str) -> None:
    assert problem_with_member(name) is None


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "is empty"),
        ("a\0b", "contains a NUL"),
        ("..", "contains `..`"),
        ("../x", "contains `..`"),
        ("a/../x", "contains `..`"),
        ("./x", "contains `.` as a part"),
        ("/etc/passwd", "is an absolute path"),
        ("//server/share/x", "is a UNC path"),
        ("\\\\server\\share\\x", "is a UNC path"),
        ("a\\b", "contains a backslash"),
        ("..\\x", "contains a backslash"),
        ("C:/x", "names a drive"),
        ("c:x", "names a drive"),
        ("a/b:stream", "contains a colon, which names a stream on Windows"),
        ("a//b", "has an empty part"),
        ("a/", "has an empty part"),
        ("a\nb", "contains a control character"),
        ("a\x7fb", "contains a control character"),
        ("a\x9bb", "contains a control character"),
        ("a\ud800b", "is not valid Unicode"),
        ("a./b", "has a part that ends with a dot or a space, which Windows drops"),
        ("a /b", "has a part that ends with a dot or a space, which Windows drops"),
        ("...", "has a part that ends with a dot or a space, which Windows drops"),
        ("a?b", "contains a character that Windows does not allow"),
        ("x" * 256, "has a part of more than 255 bytes"),
        ("é" * 128, "has a part of more than 255 bytes"),
        ("x/" * 512 + "x", "is longer than 1024 bytes"),
    ],
)
def test_each_problem_is_named(name: str, problem: str) -> None:
    assert problem_with_member(name) == problem


@pytest.mark.parametrize(
    "part", ["con", "NUL", "aux.py", "Prn.tar.gz", "COM1", "lpt9.txt", "COM\u00b9", "nul .txt", "CONIN$", "com0"]
)
def test_names_that_windows_reserves_are_refused_wherever_they_stand(part: str) -> None:
    for name in (part, f"a/{part}", f"{part}/a"):
        assert problem_with_member(name) == "has a part that is reserved on Windows"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a/Readme", "a/README"),
        ("caf\u00e9", "cafe\u0301"),
        ("stra\u00dfe", "STRASSE"),
        ("\ufb01le", "file"),
        ("\u212bngstrom", "\u00e5NGSTROM"),
        ("a", "A/b"),
        ("a/b", "a/b/c"),
        ("same", "same"),
    ],
)
def test_names_that_would_be_one_place_are_found(first: str, second: str) -> None:
    assert find_collisions([first, second]) == [(first, second)]


def test_folders_that_differ_in_case_only_do_not_meet() -> None:
    assert find_collisions(["Pkg/x", "pkg/y", "pkg/sub/z"]) == []


def test_being_within_is_decided_by_parts() -> None:
    root = Path("store").absolute()
    assert is_within(root, root)
    assert is_within(root, root / "a" / "b")
    assert not is_within(root, str(root) + "-2")
    assert not is_within(root, root / ".." / "x")
    assert is_within(os.sep, root)
