"""Rules of requirements files that hold for every file."""

from __future__ import annotations

from pathlib import Path

import hypothesis.strategies as st
from hypothesis import given

from safe_install.errors import InputError
from safe_install.models import Hashes
from safe_install.resolve.requirement_lines import logical_lines
from safe_install.resolve.requirements_file import ParsedRequirements, parse_requirements_text

CWD = Path("/cwd").absolute()

NAMES = st.from_regex(r"[a-z][a-z0-9]{0,6}", fullmatch=True)
VERSIONS = st.from_regex(r"[0-9]{1,2}(\.[0-9]{1,2}){0,2}", fullmatch=True)
DIGESTS = st.from_regex(r"[0-9a-f]{64}", fullmatch=True)
COMMENTS = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="\\"), max_size=10)
LINES = st.tuples(NAMES, VERSIONS, st.lists(DIGESTS, max_size=3, unique=True))


def parse(text: str) -> ParsedRequirements:
    return parse_requirements_text(text, name="r.txt", cwd=CWD, environ={})


def shape(parsed: ParsedRequirements) -> list[tuple[str | None, str, Hashes]]:
    return [(wanted.name, str(wanted.specifier), wanted.hashes) for wanted in parsed.requirements]


@given(st.lists(LINES, max_size=8), st.data())
def test_layout_does_not_change_the_meaning(lines: list[tuple[str, str, list[str]]], data: st.DataObject) -> None:
    """pip's documentation: "A line ending in an unescaped \\ is treated as a line continuation", "Comments are stripped
    *after* line continuations are processed", and a line that begins with ``#`` is a comment.
    """
    expected = []
    written = []
    for name, version, digests in lines:
        gap = data.draw(st.sampled_from([" ", "  ", " \\\n", " \\\n    ", "\t"]))
        spelling = data.draw(st.sampled_from(["--hash=sha256:{}", "--hash sha256:{}", '--hash="sha256:{}"']))
        if data.draw(st.booleans()):
            written += ["", f"# {data.draw(COMMENTS)} \\", "   "]
        ending = data.draw(st.sampled_from(["", "   ", f"  # {data.draw(COMMENTS)}"]))
        written.append(gap.join((f"{name}=={version}", *(spelling.format(digest) for digest in digests))) + ending)
        expected.append((name, f"=={version}", Hashes.of({"sha256": digests})))

    assert shape(parse(data.draw(st.sampled_from(["\n", "\r\n"])).join(written))) == expected


@given(
    st.from_regex(r"[A-Z0-9_]{1,8}", fullmatch=True), st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1)
)
def test_a_variable_is_replaced_verbatim_and_only_in_pips_spelling(name: str, value: str) -> None:
    """pip's documentation: "The only supported format is ``${MY_VARIABLE}``", upper case, digits and underscore."""
    text = f"x${{{name}}}y $${name} ${name} ${{{name.lower()}a}} {{{name}}}"

    (line,) = logical_lines(text, {name: value, f"{name.lower()}a": "never"})

    assert line.text == text.replace(f"${{{name}}}", value, 1)


@given(st.text(st.sampled_from("ab \t\\#\n${X}-"), max_size=40))
def test_every_character_of_a_line_leads_back_to_where_it_stands(text: str) -> None:
    physical = text.splitlines()

    for line in logical_lines(text, {}):
        for offset, char in enumerate(line.text):
            number, column, shown = line.place(offset)
            assert shown == physical[number - 1]
            # The one character that a file does not have: the space that a comment in a continuation gets.
            assert shown[column : column + 1] == char or char == " "


@given(st.text(st.sampled_from("ab=<>!~[]().,;@:/#\"'\\ \t\n-$eric{}_0159*+é"), max_size=60))
def test_whatever_a_file_says_it_is_read_or_refused_with_a_place(text: str) -> None:
    """Nothing but an `InputError` comes out, and each mistake names its line."""
    lines = ["r.txt:"]
    try:
        parse(text)
    except InputError as error:
        lines = [error.message, *error.context]

    assert any(line.startswith("r.txt:") for line in lines)
