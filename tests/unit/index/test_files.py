"""Pages of indexes become files; what cannot be used is left out and named."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from packaging.utils import canonicalize_name

from safe_install.index.files import (
    HTML_TYPES,
    JSON_TYPE,
    Listing,
    MalformedPageError,
    belongs_to,
    file_at,
    is_distribution,
    is_page_type,
    parse_page,
)
from safe_install.models import Hashes

PAGE = "https://index.example/simple/demo/"
INDEX = "https://index.example/simple/"
SHA = "ab" * 32


def html(*anchors: str, head: str = "", url: str = PAGE) -> Listing:
    text = f"<!DOCTYPE html><html><head>{head}</head><body>{''.join(anchors)}</body></html>"
    return parse_page(text.encode(), content_type="text/html; charset=utf-8", url=url, index=INDEX)


def json_page(*files: dict[str, Any], version: str = "1.1") -> Listing:
    content = json.dumps({"meta": {"api-version": version}, "name": "demo", "files": files}).encode()
    return parse_page(content, content_type=JSON_TYPE, url=PAGE, index=INDEX)


def test_an_html_link_gives_everything_that_its_attributes_say() -> None:
    (file,) = html(
        f'<a href="../../files/demo-1.0-py3-none-any.whl#sha256={SHA}" data-requires-python="&gt;=3.8,&lt;4"'
        f' data-yanked="bad &amp; broken" data-core-metadata="sha256={"cd" * 32}">demo</a>'
    ).files
    assert file.url == "https://index.example/files/demo-1.0-py3-none-any.whl"
    assert file.filename == "demo-1.0-py3-none-any.whl"
    assert file.hashes == Hashes.of({"sha256": SHA})
    assert file.requires_python == ">=3.8,<4"
    assert file.yanked == "bad & broken"
    assert file.metadata
    assert file.metadata_hashes == Hashes.of({"sha256": "cd" * 32})
    assert (file.size, file.upload_time, file.index) == (None, None, INDEX)


def test_an_html_link_may_say_when_its_file_was_uploaded() -> None:
    (file,) = html('<a href="demo-1.0.tar.gz" data-upload-time="2015-01-02T16:38:06.621099Z">demo</a>').files
    assert file.upload_time == datetime(2015, 1, 2, 16, 38, 6, 621099, tzinfo=UTC)


@pytest.mark.parametrize("attribute", ["data-yanked", 'data-yanked=""'])
def test_yanked_without_a_reason_is_yanked(attribute: str) -> None:
    """PEP 592: "may have no value, or may have an arbitrary string as a value"."""
    (file,) = html(f'<a href="demo-1.0.tar.gz" {attribute}>demo</a>').files
    assert file.yanked == ""


@pytest.mark.parametrize(
    ("attributes", "metadata", "hashes"),
    [
        ('data-core-metadata="true"', True, {}),
        ('data-dist-info-metadata="true"', True, {}),
        (f'data-dist-info-metadata="sha256={SHA}"', True, {"sha256": SHA}),
        ('data-core-metadata="false" data-dist-info-metadata="true"', False, {}),
        ("", False, {}),
    ],
)
def test_metadata_is_announced_by_the_new_or_the_old_attribute(
    attributes: str, metadata: bool, hashes: dict[str, str]
) -> None:
    """PEP 714: the new name is read if present, and the old one may be used if it is not."""
    (file,) = html(f'<a href="demo-1.0-py3-none-any.whl" {attributes}>demo</a>').files
    assert (file.metadata, file.metadata_hashes) == (metadata, Hashes.of(hashes))


@pytest.mark.parametrize("base", ["https://files.example/pool/", "//files.example/pool/", "/pool/", "../../pool/"])
def test_links_are_relative_to_the_base_element(base: str) -> None:
    (file,) = html('<a href="demo-1.0.tar.gz">demo</a>', head=f'<base href="{base}">').files
    assert file.url.endswith(".example/pool/demo-1.0.tar.gz")


def test_quoted_names_are_unquoted_and_url_queries_are_no_part_of_them() -> None:
    first, second = html(
        '<a href="demo-1.0%2Bcpu-py3-none-any.whl">x</a>',
        '<a href="https://files.example/demo-1.0.tar.gz?signature=a/b">x</a>',
    ).files
    assert first.filename == "demo-1.0+cpu-py3-none-any.whl"
    assert second.filename == "demo-1.0.tar.gz"
    assert second.url.endswith("?signature=a/b")


def test_a_json_entry_gives_everything_that_it_says() -> None:
    (file,) = json_page(
        {
            "filename": "demo-1.0-py3-none-any.whl",
            "url": "/files/1/demo-1.0-py3-none-any.whl",
            "hashes": {"sha256": SHA.upper(), "unheard-of": "00"},
            "requires-python": ">=3.8",
            "size": 12345,
            "upload-time": "2024-01-02T03:04:05.678901Z",
            "yanked": "reason",
            "core-metadata": {"sha256": "cd" * 32},
        }
    ).files
    assert file.url == "https://index.example/files/1/demo-1.0-py3-none-any.whl"
    assert file.hashes == Hashes.of({"sha256": SHA})
    assert (file.size, file.yanked, file.requires_python) == (12345, "reason", ">=3.8")
    assert file.upload_time == datetime(2024, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    assert file.metadata
    assert file.metadata_hashes == Hashes.of({"sha256": "cd" * 32})


@pytest.mark.parametrize(("value", "expected"), [(True, ""), (False, None), ("why", "why"), ("", None), (None, None)])
def test_yanked_in_json_is_a_truth_value_or_a_reason(value: object, expected: str | None) -> None:
    (file,) = json_page({"filename": "demo-1.0.tar.gz", "url": "demo-1.0.tar.gz", "yanked": value}).files
    assert file.yanked == expected


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"core-metadata": True}, True),
        ({"core-metadata": False, "dist-info-metadata": True}, False),
        ({"dist-info-metadata": {"sha256": SHA}}, True),
        ({}, False),
    ],
)
def test_json_metadata_is_announced_by_the_new_or_the_old_key(entry: dict[str, object], expected: bool) -> None:
    (file,) = json_page({"filename": "demo-1.0.tar.gz", "url": "demo-1.0.tar.gz", **entry}).files
    assert file.metadata is expected


@pytest.mark.parametrize(
    "nonsense",
    [
        {"size": "many"},
        {"size": -1},
        {"size": True},
        {"upload-time": "yesterday"},
        {"upload-time": 5},
        {"requires-python": 3},
        {"hashes": []},
        {"hashes": {"sha256": "not hexadecimal"}},
        {"hashes": {"sha256": 5}},
    ],
)
def test_values_of_a_wrong_kind_count_as_absent(nonsense: dict[str, object]) -> None:
    (file,) = json_page({"filename": "demo-1.0.tar.gz", "url": "demo-1.0.tar.gz", **nonsense}).files
    assert (file.size, file.upload_time, file.requires_python, file.hashes) == (None, None, None, Hashes())


def test_files_that_nobody_installs_are_left_out_without_a_word() -> None:
    names = ["demo-1.0-py2.7.egg", "demo-1.0.win32.exe", "demo-1.0.msi", "demo-1.0.tar.gz.asc", "demo-1.0.rpm", ""]
    listing = html(*(f'<a href="{name}">x</a>' for name in names), "<a name='top'>no link</a>")
    assert listing == Listing(())


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"filename": "../../x-1.0.tar.gz", "url": "x"}, "plain file name"),
        ({"filename": "..\\x-1.0.tar.gz", "url": "x"}, "plain file name"),
        ({"filename": "x\n-1.0.tar.gz", "url": "x"}, "plain file name"),
        ({"filename": "x-1.0.tar.gz", "url": "file:///etc/x-1.0.tar.gz"}, "scheme"),
        ({"filename": "x-1.0.tar.gz", "url": "ftp://files.example/x-1.0.tar.gz"}, "scheme"),
        ({"filename": "x-1.0-none.whl", "url": "x-1.0-none.whl"}, "wheel format"),
        ({"filename": "x-1_0!-py3-none-any.whl", "url": "x"}, "wheel format"),
        ({"filename": "x-1.0.tar.gz", "url": "http://[::1"}, "no URL"),
    ],
)
def test_files_that_cannot_be_used_are_left_out_and_named(entry: dict[str, str], reason: str) -> None:
    listing = json_page(entry, {"filename": "demo-1.0.tar.gz", "url": "demo-1.0.tar.gz"})
    assert [file.filename for file in listing.files] == ["demo-1.0.tar.gz"]
    (line,) = listing.ignored
    assert reason in line


def test_a_local_page_may_link_local_files() -> None:
    (file,) = html('<a href="demo-1.0.tar.gz">x</a>', url="file:///srv/simple/demo/index.html").files
    assert file.url == "file:///srv/simple/demo/demo-1.0.tar.gz"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<html>", "not JSON"),
        (b"[]", "no list of files"),
        (b'{"files": {}}', "no list of files"),
        (b'{"meta": {"api-version": "2.0"}, "files": []}', "version 2.0"),
    ],
)
def test_a_page_that_is_none_is_an_error(content: bytes, reason: str) -> None:
    with pytest.raises(MalformedPageError, match=reason):
        parse_page(content, content_type=JSON_TYPE, url=PAGE, index=INDEX)


def test_a_newer_minor_version_is_read() -> None:
    """PEP 629: "a client MUST NOT fail on a newer minor version"."""
    assert len(json_page({"filename": "demo-1.0.tar.gz", "url": "demo-1.0.tar.gz"}, version="1.99").files) == 1


@pytest.mark.parametrize("charset", ["latin-1", "no-such-charset"])
def test_pages_in_other_encodings_are_read(charset: str) -> None:
    content = '<a href="demo-1.0.tar.gz" data-yanked="caf\xe9">x</a>'.encode("latin-1")
    (file,) = parse_page(content, content_type=f"text/html; charset={charset}", url=PAGE, index=None).files
    assert file.yanked in {"caf\xe9", "caf\ufffd"}


@pytest.mark.parametrize(
    ("filename", "name", "expected"),
    [
        ("zope.interface-5.0-cp311-cp311-win32.whl", "zope-interface", True),
        ("zope_interface-5.0.tar.gz", "zope-interface", True),
        ("Zope-Interface-5.0.zip", "zope-interface", True),
        ("zope-interface-extra-5.0.tar.gz", "zope-interface", True),
        ("zopeinterface-5.0.tar.gz", "zope-interface", False),
        ("zope.interface.tar.gz", "zope-interface", False),
        ("zope_interface_extra-5.0-py3-none-any.whl", "zope-interface", False),
    ],
)
def test_which_project_a_file_may_belong_to(filename: str, name: str, expected: bool) -> None:
    assert belongs_to(filename, canonicalize_name(name)) is expected


def test_kinds_are_told_by_their_ending_in_any_case() -> None:
    assert is_distribution("Demo-1.0.TAR.GZ")
    assert not is_distribution("demo-1.0.tar.gz.metadata")
    assert all(map(is_page_type, (JSON_TYPE, *HTML_TYPES, "TEXT/HTML; charset=utf-8")))
    assert not is_page_type("application/json")


def test_a_direct_url_names_its_file_and_digests() -> None:
    file = file_at(f"https://files.example/a/demo-1.0.zip#subdirectory=src&sha256={SHA}&egg=abcd")
    assert file is not None
    assert (file.url, file.filename) == ("https://files.example/a/demo-1.0.zip", "demo-1.0.zip")
    assert file.hashes == Hashes.of({"sha256": SHA})
    assert file_at("https://files.example/simple/") is None
