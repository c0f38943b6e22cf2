"""The documents of PEP 610, as pip writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from safe_install.engine.direct_url import direct_url_document
from safe_install.models import ArchiveSource, DirectorySource, DirectSource, RemoteFile, VcsSource

DIGEST = "ab" * 32


def archive(url: str, subdirectory: str | None = None) -> ArchiveSource:
    return ArchiveSource(file=RemoteFile(url=url, filename="demo-1.0.tar.gz"), subdirectory=subdirectory)


def test_archive_names_its_digest_in_both_ways() -> None:
    document = direct_url_document(archive("https://files.test/demo-1.0.tar.gz"), {"sha256": DIGEST})
    assert document == {
        "url": "https://files.test/demo-1.0.tar.gz",
        "archive_info": {"hash": f"sha256={DIGEST}", "hashes": {"sha256": DIGEST}},
    }


def test_archive_without_a_known_digest() -> None:
    document = direct_url_document(archive("https://files.test/demo-1.0.tar.gz", "python"), {})
    assert document == {
        "url": "https://files.test/demo-1.0.tar.gz",
        "archive_info": {},
        "subdirectory": "python",
    }


def test_revision_and_commit_of_a_repository() -> None:
    source = VcsSource(vcs="git", url="https://git.test/demo", revision="main", commit_id="c" * 40, subdirectory="p")
    assert direct_url_document(source, {}) == {
        "url": "https://git.test/demo",
        "vcs_info": {"vcs": "git", "requested_revision": "main", "commit_id": "c" * 40},
        "subdirectory": "p",
    }


def test_folder_and_editable_folder(tmp_path: Path) -> None:
    assert direct_url_document(DirectorySource(path=tmp_path), {}) == {"url": tmp_path.as_uri(), "dir_info": {}}
    editable = direct_url_document(DirectorySource(path=tmp_path, editable=True), {})
    assert editable["dir_info"] == {"editable": True}


@pytest.mark.parametrize(
    ("source", "url"),
    [
        (archive("https://user:hidden@files.test/demo-1.0.tar.gz"), "https://files.test/demo-1.0.tar.gz"),
        (VcsSource(vcs="git", url="https://hidden@git.test/d", commit_id="c" * 40), "https://git.test/d"),
        (VcsSource(vcs="git", url="ssh://git@git.test/d", commit_id="c" * 40), "ssh://git@git.test/d"),
    ],
)
def test_credentials_are_left_out_but_not_the_user_of_ssh(source: DirectSource, url: str) -> None:
    assert direct_url_document(source, {})["url"] == url
