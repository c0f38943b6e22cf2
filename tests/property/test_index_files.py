"""Whatever a page contains, it is read or refused, and never trusted with a path."""

from __future__ import annotations

import html
import json

from hypothesis import given
from hypothesis import strategies as st

from safe_install.index.files import HTML_TYPES, JSON_TYPE, MalformedPageError, belongs_to, parse_page
from safe_install.models import Hashes

PAGE = "https://index.example/simple/demo/"
PART = st.from_regex(r"[A-Za-z0-9]+([._-]?[A-Za-z0-9]+)*", fullmatch=True)
JSON_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
KEYS = st.sampled_from(
    ["filename", "url", "hashes", "size", "yanked", "core-metadata", "upload-time", "requires-python", "else"]
)


@given(content=st.binary(), kind=st.sampled_from([JSON_TYPE, *HTML_TYPES]))
def test_any_bytes_are_a_page_or_malformed(content: bytes, kind: str) -> None:
    try:
        parse_page(content, content_type=kind, url=PAGE, index=None)
    except MalformedPageError:
        pass


@given(entries=st.lists(st.dictionaries(KEYS, JSON_VALUE)))
def test_any_json_entries_are_files_or_left_out(entries: list[dict[str, object]]) -> None:
    content = json.dumps({"files": entries}).encode()
    listing = parse_page(content, content_type=JSON_TYPE, url=PAGE, index=None)
    for file in listing.files:
        assert file.url.startswith(("https://", "http://"))
        assert not set(file.filename) & set("/\\\0")


@given(link=st.text(st.characters(exclude_characters='"<>&', exclude_categories=["Cs"])))
def test_any_html_link_is_a_file_or_left_out(link: str) -> None:
    content = f'<a href="{link}.whl">x</a><a href="{link}.tar.gz">x</a>'.encode()
    for file in parse_page(content, content_type=HTML_TYPES[1], url=PAGE, index=None).files:
        assert file.url.startswith(("https://", "http://"))
        assert not set(file.filename) & set("/\\\0")


@given(name=PART, version=st.from_regex(r"[0-9]+(\.[0-9]+)*", fullmatch=True))
def test_an_sdist_belongs_to_the_project_it_is_named_after(name: str, version: str) -> None:
    """PEP 625 for new ones; before it, names kept their hyphens and dots, and both are found."""
    from packaging.utils import canonicalize_name

    assert belongs_to(f"{name}-{version}.tar.gz", canonicalize_name(name))
    assert belongs_to(f"{canonicalize_name(name).replace('-', '_')}-{version}.tar.gz", canonicalize_name(name))


DIGEST = st.sampled_from([letter * 64 for letter in "abcdef0"])


@given(
    files=st.lists(st.tuples(DIGEST, st.sampled_from(["sha256={}", "egg=demo&amp;sha256={}", ""]), st.booleans())),
    wanted=st.sets(DIGEST),
    form=st.sampled_from(["html", "json"]),
)
def test_looking_for_digests_gives_what_is_left_of_the_whole_page(
    files: list[tuple[str, str, bool]], wanted: set[str], form: str
) -> None:
    listed = [
        (f"demo-{number}.tar.gz", fragment.format(digest.upper() if upper else digest))
        for number, (digest, fragment, upper) in enumerate(files)
    ]
    if form == "html":
        links = "".join(
            f'<a href="x/{name}#{fragment}">{name}</a>\n<a href="y-{name}">y</a>' for name, fragment in listed
        )
        content, kind = f'<base href="/files/">{links}'.encode(), HTML_TYPES[1]
    else:
        entries: list[dict[str, object]] = []
        for number, (name, fragment) in enumerate(listed):
            entry: dict[str, object] = {"url": f"x/{name}#{html.unescape(fragment)}", "filename": name}
            if number % 2:
                entry = {"url": f"x/{name}", "hashes": {"sha256": fragment.rpartition("=")[2], "md5": "00"}}
            entries.append(entry)
        content, kind = json.dumps({"files": entries}).encode(), JSON_TYPE
    only = Hashes.of({"sha256": wanted})
    whole = parse_page(content, content_type=kind, url=PAGE, index=None).files
    found = parse_page(content, content_type=kind, url=PAGE, index=None, only=only).files
    assert found == tuple(file for file in whole if not wanted or file.hashes.allowed & only.allowed)
