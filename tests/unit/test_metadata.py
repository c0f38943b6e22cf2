"""Core metadata is read leniently where real releases need it, and refused where guessing would be wrong."""

from __future__ import annotations

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from safe_install.errors import IntegrityError
from safe_install.metadata import parse_core_metadata


def document(*lines: str, name: str = "demo", version: str = "1.0") -> bytes:
    return "\n".join(("Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *lines, "")).encode()


def test_all_fields_are_read_and_names_are_normalized() -> None:
    parsed = parse_core_metadata(
        document(
            "Requires-Dist: Other_Project[fast]>=2; extra == 'more'",
            "Requires-Dist: third @ https://example.invalid/third.whl",
            "Requires-Python: >=3.8",
            "Provides-Extra: More.Things",
            name="De.Mo",
        ),
        where="METADATA",
    )
    assert parsed.name == "de-mo"
    assert parsed.version == Version("1.0")
    assert [requirement.name for requirement in parsed.requires_dist] == ["Other_Project", "third"]
    assert parsed.requires_python == SpecifierSet(">=3.8")
    assert parsed.provides_extra == {"more-things"}


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_a_description_in_any_encoding_is_not_looked_at(newline: bytes) -> None:
    data = document().replace(b"\n", newline) + newline + b"\xff\xfe Requires-Dist: no such thing\n"
    assert parse_core_metadata(data, where="METADATA").requires_dist == ()


def test_a_folded_requirement_is_read_as_one_line() -> None:
    parsed = parse_core_metadata(document("Requires-Dist: other >=1,\n        <2"), where="METADATA")
    assert parsed.requires_dist == (Requirement("other>=1,<2"),)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("foo (>=1.0.*)", "foo>=1.0"),
        ("foo>=7.2.0<8.0.0", "foo>=7.2.0,<8.0.0"),
        ("foo >=1 <2", "foo>=1,<2"),
        ("foo!=~5.0,>=4.12", "foo!=5.0.*,>=4.12"),
        ("foo>=2.7,!=3.0*", "foo>=2.7,!=3.0.*"),
        ("foo>dev", "foo>0.0.0dev"),
        ("foo>=9.0.0a1.0", "foo>=9.0.0a1"),
        ("foo>='1.2'", "foo>=1.2"),
        ("foo (>=3.6.*,<4,)", "foo>=3.6,<4"),
        ("foo>=1.*; python_version < '3'", "foo>=1; python_version < '3'"),
        ("foo[bar]>=1.*", "foo[bar]>=1"),
    ],
)
def test_known_mistakes_in_requirements_are_repaired(written: str, meant: str) -> None:
    parsed = parse_core_metadata(document(f"Requires-Dist: {written}"), where="METADATA")
    assert parsed.requires_dist == (Requirement(meant),)


@pytest.mark.parametrize("valid", ["foo==1.*", "foo!=1.0.*", "foo>=1,<2", "foo===abc", "foo>=2.0-dev"])
def test_a_valid_requirement_is_left_as_it_is(valid: str) -> None:
    assert parse_core_metadata(document(f"Requires-Dist: {valid}"), where="M").requires_dist == (Requirement(valid),)


@pytest.mark.parametrize(
    ("written", "meant"),
    [(">=3.6.*", SpecifierSet(">=3.6")), (">='3.6'", SpecifierSet(">=3.6")), ("three or more", None), ("", None)],
)
def test_an_unreadable_python_requirement_is_taken_as_none(written: str, meant: SpecifierSet | None) -> None:
    assert parse_core_metadata(document(f"Requires-Python: {written}"), where="M").requires_python == meant


def test_an_extra_with_an_impossible_name_is_left_out() -> None:
    parsed = parse_core_metadata(document("Provides-Extra: good", "Provides-Extra: b@d"), where="METADATA")
    assert parsed.provides_extra == {"good"}


@pytest.mark.parametrize(
    ("data", "fragment"),
    [
        (b"", "no Name"),
        (b"Name: demo\n", "no Version"),
        (b"Version: 1\n", "no Name"),
        (document(name="-demo-"), "'-demo-' is no valid project name"),
        (document(version="1.0-final-really"), "no valid version"),
        (document("Name: other"), "Name is repeated"),
        (document("Requires-Dist: foo=>1"), "'foo=>1'"),
        (document() + b"Requires-Dist: f\xff\n", "no valid UTF-8"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(data: bytes, fragment: str) -> None:
    with pytest.raises(IntegrityError) as caught:
        parse_core_metadata(data, where="demo-1.0-py3-none-any.whl")
    assert caught.value.code == "metadata-invalid"
    assert "demo-1.0-py3-none-any.whl" in caught.value.message
    assert fragment in caught.value.message
