"""The rules for names inside archives, against what systems document and what joining really does."""

from __future__ import annotations

import ntpath
import os
import posixpath
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from safe_install.fs.paths import find_collisions, folded, problem_with_member

# Text that is likely to hit a rule: separators, dots, drives, reserved names, odd letters.
pieces = st.sampled_from(
    [
        "/",
        "\\",
        ".",
        "..",
        ":",
        "C:",
        " ",
        "\0",
        "\n",
        "con",
        "NUL",
        "aux.py",
        "a",
        "B",
        "é",
        "e\u0301",
        "ß",
        "\u2215",
        "\ud83d",
    ]
)
names = st.lists(pieces, max_size=8).map("".join) | st.text(max_size=40)


class TestMember:
    """Binary distribution format: nothing may be written outside of the target directories."""

    @given(names)
    def test_an_allowed_name_stays_below_the_root_on_both_systems(self, name: str) -> None:
        if problem_with_member(name) is not None:
            return
        for flavour, root in ((posixpath, "/root"), (ntpath, "C:\\root")):
            joined = flavour.normpath(flavour.join(root, name))
            assert joined.startswith(root + flavour.sep)
            assert joined.removeprefix(root + flavour.sep).replace("\\", "/") == name

    @given(names)
    def test_windows_reserves_no_part_of_an_allowed_name(self, name: str) -> None:
        """https://learn.microsoft.com/windows/win32/fileio/naming-a-file: devices, with any extension."""
        if problem_with_member(name) is not None:
            return
        devices = {"CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in range(10))}
        for part in name.split("/"):
            # A space before it makes it another name.
            assert part.split(".")[0].rstrip(" ").upper() not in devices
            assert part == part.rstrip(". ")
            assert not set(part) & set('<>:"|?*\\')
            assert all(ord(letter) >= 32 for letter in part)

    @given(names)
    def test_an_allowed_name_can_be_encoded_and_is_not_too_long(self, name: str) -> None:
        if problem_with_member(name) is None:
            assert len(os.fsencode(name)) <= 1024

    @given(st.lists(st.from_regex(r"[a-z_][a-z0-9_]{3,20}(\.[a-z]{1,4})?", fullmatch=True), min_size=1, max_size=6))
    def test_names_as_python_projects_use_them_are_allowed(self, parts: list[str]) -> None:
        """Identifiers of four letters and more, with an extension, but for the ten reserved ones of that form."""
        if any(
            part.partition(".")[0] in {f"{port}{n}" for port in ("com", "lpt") for n in range(10)} for part in parts
        ):
            return
        assert problem_with_member("/".join(parts)) is None


class TestCollisions:
    """Unicode section 3.13, D146: two texts match caselessly when their folded normal forms are equal."""

    @given(names)
    def test_every_spelling_of_one_name_has_one_key(self, name: str) -> None:
        for form in ("NFC", "NFD", "NFKC", "NFKD"):
            assert folded(unicodedata.normalize(form, name)) == folded(name)
        assert folded(name.casefold()) == folded(name)
        assert folded(folded(name)) == folded(name)

    @given(st.sets(names, max_size=6))
    def test_names_without_collision_have_distinct_keys_and_no_file_is_a_folder(self, chosen: set[str]) -> None:
        keys = [folded(name) for name in chosen]
        folders = {key[: at.start] for key in keys for at in _slashes(key)}
        distinct = len(set(keys)) == len(keys) and not folders & set(keys)
        assert (find_collisions(sorted(chosen)) == []) == distinct

    @given(st.sets(names, max_size=6))
    def test_every_pair_that_is_reported_meets(self, chosen: set[str]) -> None:
        for first, second in find_collisions(sorted(chosen)):
            assert folded(second) == folded(first) or folded(second).startswith(folded(first) + "/")


class _Slash:
    def __init__(self, start: int) -> None:
        self.start = start


def _slashes(key: str) -> list[_Slash]:
    return [_Slash(position) for position, letter in enumerate(key) if letter == "/" and position]
