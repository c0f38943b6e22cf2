"""Local indexes and find-links are read as pip reads them."""

from __future__ import annotations

from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from safe_install.errors import NetworkError
from safe_install.index.local import is_remote, local_path, read_local_index, read_local_links
from safe_install.models import Hashes

DEMO = canonicalize_name("demo")


def test_plain_paths_and_file_urls_are_local(tmp_path: Path) -> None:
    folder = tmp_path / "with space"
    assert local_path(str(folder)) == folder
    assert local_path(folder.as_uri()) == folder
    assert local_path(folder.as_uri().replace("file://", "file://localhost")) == folder
    assert local_path("relative") == Path("relative").absolute()
    assert local_path("https://h.example/x") is None
    assert is_remote("HTTPS://h.example")
    assert not is_remote(folder.as_uri())


def test_a_local_index_knows_the_projects_that_have_a_folder(tmp_path: Path) -> None:
    page = tmp_path / "simple" / "demo" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text('<a href="../../files/demo-1.0.tar.gz">x</a>')
    listing = read_local_index(tmp_path / "simple", DEMO, index="file:///simple/", only=Hashes())
    assert listing is not None
    (file,) = listing.files
    assert file.url == (tmp_path / "files" / "demo-1.0.tar.gz").as_uri()
    assert file.index == "file:///simple/"
    assert read_local_index(tmp_path / "simple", canonicalize_name("other"), index="", only=Hashes()) is None


def test_a_local_index_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NetworkError) as caught:
        read_local_index(tmp_path / "absent", DEMO, index="", only=Hashes())
    assert caught.value.code == "index-unreachable"
    assert str(tmp_path / "absent") in caught.value.message


def test_a_folder_offers_its_wheels_and_sdists(tmp_path: Path) -> None:
    for name in ("demo-1.0.tar.gz", "demo-1.0+x-py3-none-any.whl", "notes.txt", "demo-1.0.tar.gz.asc"):
        (tmp_path / name).write_bytes(b"12345")
    (tmp_path / "demo-2.0.zip").mkdir()
    listing = read_local_links(tmp_path)
    assert listing is not None
    assert [(file.filename, file.size) for file in listing.files] == [
        ("demo-1.0+x-py3-none-any.whl", 5),
        ("demo-1.0.tar.gz", 5),
    ]
    assert [local_path(file.url) for file in listing.files] == [tmp_path / file.filename for file in listing.files]


def test_an_html_file_and_a_single_archive_are_read(tmp_path: Path) -> None:
    (tmp_path / "links.html").write_text('<a href="sub/demo-1.0.tar.gz#sha256=abcd">x</a>')
    (tmp_path / "demo-2.0.tar.gz").write_bytes(b"12345")
    page, single = read_local_links(tmp_path / "links.html"), read_local_links(tmp_path / "demo-2.0.tar.gz")
    assert page is not None
    assert single is not None
    assert [file.url for file in page.files] == [(tmp_path / "sub" / "demo-1.0.tar.gz").as_uri()]
    assert [file.filename for file in single.files] == ["demo-2.0.tar.gz"]


def test_a_location_that_is_not_there_offers_nothing(tmp_path: Path) -> None:
    assert read_local_links(tmp_path / "absent") is None
    assert read_local_links(tmp_path / "absent-1.0.tar.gz") is None
