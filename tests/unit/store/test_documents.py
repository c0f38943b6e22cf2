"""Small files come back as they were written, or not at all."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safe_install.store.documents import CachedPage, decode_document, decode_page, encode_document, encode_page

texts = st.text(max_size=5)
scalars = st.none() | st.booleans() | st.integers() | texts
json_values = scalars | st.lists(scalars, max_size=3) | st.dictionaries(texts, scalars, max_size=3)
documents = st.dictionaries(texts, json_values, max_size=4)
PAGE = CachedPage(url="https://index.test/simple/demo/", content_type="text/html", body=b"<a>\n\n</a>", etag='"1"')


@given(documents)
def test_a_document_comes_back(document: dict[str, object]) -> None:
    assert decode_document(encode_document(document)) == document


@given(documents, st.data())
def test_a_document_that_was_cut_or_changed_reads_as_nothing(document: dict[str, object], data: st.DataObject) -> None:
    whole = encode_document(document)
    position = data.draw(st.integers(0, len(whole) - 1))
    assert decode_document(whole[:position]) is None
    flipped = whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :]
    assert decode_document(flipped) is None


def test_a_document_is_json_that_a_person_can_read() -> None:
    assert json.loads(encode_document({"b": 1, "a": "é"}))["document"] == {"a": "é", "b": 1}


@pytest.mark.parametrize("data", [b"", b"\0" * 100, b"[]", b"{}", b'{"sha256": "x", "document": []}', b"\xff"])
def test_what_is_no_document_reads_as_nothing(data: bytes) -> None:
    assert decode_document(data) is None
    assert decode_page(data) is None


@given(st.binary(), st.text(), st.none() | st.text())
def test_a_page_comes_back(body: bytes, url: str, etag: str | None) -> None:
    page = CachedPage(url=url, content_type="t", body=body, etag=etag, last_modified="x", fetched=1.5, fresh_until=2.25)
    assert decode_page(encode_page(page)) == page


@given(st.integers(0, len(encode_page(PAGE)) - 1))
def test_a_page_that_was_cut_or_changed_reads_as_nothing(position: int) -> None:
    whole = encode_page(PAGE)
    assert decode_page(whole[:position]) is None
    assert decode_page(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :]) is None
    assert decode_page(whole + b"x") is None


def test_a_page_of_another_release_reads_as_nothing() -> None:
    data = encode_page(PAGE)
    header = decode_document(data.partition(b"\n")[0] + b"\n")
    assert header is not None
    assert decode_page(encode_document({**header, "new": 1}) + PAGE.body) is None
