"""`safe_install.resolve.requirement_lines`: pip's preprocessing, and where each character came from."""

from __future__ import annotations

import codecs
from collections.abc import Mapping

import pytest

from safe_install.resolve.requirement_lines import decode, logical_lines


def texts(content: str, environ: Mapping[str, str] | None = None) -> list[str]:
    return [line.text for line in logical_lines(content, environ or {})]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a\nb\r\nc", ["a", "b", "c"]),
        ("a # comment\n# only\n\n   \nb", ["a", "b"]),
        ("https://h.test/x#egg=a", ["https://h.test/x#egg=a"]),
        ("a\t# tab before", ["a"]),
        ("a \\\n  b \\\n c", ["a   b  c"]),
        ("a \\", ["a"]),
        ("# comment \\\nb", ["b"]),
        ("a # comment \\\nb", ["a"]),
        ("a \\\n# comment\nb", ["a", "b"]),
        ("a \\\n  # comment \\\nb", ["a", "b"]),
        ("a\\\n\nb", ["a", "b"]),
    ],
)
def test_lines_are_joined_before_comments_are_dropped(content: str, expected: list[str]) -> None:
    assert texts(content) == expected


def test_variables_are_put_in_last_and_only_in_pips_spelling() -> None:
    environ = {"TOKEN": "a # b\\", "lower": "no", "EMPTY": "", "X_1": "${TOKEN}"}

    assert texts("u ${TOKEN}", environ) == ["u a # b\\"]
    assert texts("${lower} $TOKEN ${MISSING} ${EMPTY} ${X_1}", environ) == [
        "${lower} $TOKEN ${MISSING} ${EMPTY} ${TOKEN}"
    ]


def test_a_variable_in_a_comment_is_not_looked_at() -> None:
    assert texts("a # ${X}", {"X": "\nb"}) == ["a"]


def test_a_position_leads_back_to_its_line_and_column() -> None:
    content = "first\n  a==1 \\\n    --hash=x \\\n    ${V} end # c"
    line = list(logical_lines(content, {"V": "a longer value"}))[1]

    def where(needle: str) -> tuple[int, int]:
        place = line.place(line.text.index(needle))
        return place.number, place.column

    assert where("a==1") == (2, 2)
    assert where("--hash") == (3, 4)
    assert where("longer") == (4, 4)
    assert where("end") == (4, 9)
    assert line.place(len(line.text)).number == 4


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
def test_a_byte_order_mark_tells_the_encoding(mark: bytes, encoding: str) -> None:
    assert decode(mark + "ä==1".encode(encoding)) == "ä==1"


def test_a_coding_line_tells_the_encoding_in_the_first_two_lines_only() -> None:
    assert decode("# -*- coding: latin-1 -*-\nä".encode("latin-1")).endswith("ä")
    assert decode("# x\n# coding=latin-1\nä".encode("latin-1")).endswith("ä")
    with pytest.raises(ValueError, match="utf-8"):
        decode("# x\n# y\n# coding=latin-1\nä".encode("latin-1"))
    with pytest.raises(ValueError, match="unknown encoding"):
        decode(b"# coding: nonsense\n")
