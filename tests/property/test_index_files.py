"""Whatever a page contains, it is read or refused, and never trusted with a path."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from safe_install.index.files import HTML_TYPES, JSON_TYPE, MalformedPageError, belongs_to, parse_page

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
