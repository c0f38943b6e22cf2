"""Names follow from digests, and nothing else can become a path."""

from __future__ import annotations

from pathlib import Path

import pytest

from safe_install.errors import InputError
from safe_install.models import Digest
from safe_install.store.layout import BUCKETS, BUILT, INTERPRETERS, WHEELS, Layout

DIGEST = Digest("0123456789abcdef" * 4)
ROOT = Path("/store")
LAYOUT = Layout(ROOT)
NAME = "0123456789abcdef" * 2


def test_entries_lie_below_the_first_two_characters_of_their_digest() -> None:
    assert LAYOUT.wheel(DIGEST) == ROOT / "wheels-1" / "01" / NAME
    assert LAYOUT.file(DIGEST) == ROOT / "files-1" / "01" / NAME
    assert LAYOUT.document(BUILT, DIGEST) == ROOT / "built-1" / "01" / f"{NAME}.json"
    assert LAYOUT.document(INTERPRETERS, DIGEST) == ROOT / "interpreters-1" / "01" / f"{NAME}.json"
    assert LAYOUT.page(DIGEST, 7) == ROOT / "index-1" / "01" / f"{NAME}.7"


@pytest.mark.parametrize("text", ["", "ab", "../" * 30, "AB" * 32, "ab" * 33, "ab" * 31 + "a\n", "ab" * 31 + "/x"])
def test_what_is_no_digest_becomes_no_path(text: str) -> None:
    for path in (LAYOUT.wheel, LAYOUT.file):
        with pytest.raises(InputError) as caught:
            path(Digest(text))
        assert caught.value.code == "malformed-digest"


def test_only_some_buckets_hold_documents() -> None:
    with pytest.raises(ValueError, match=WHEELS):
        LAYOUT.document(WHEELS, DIGEST)


def test_every_prefix_of_every_bucket_is_made_with_the_store() -> None:
    folders = LAYOUT.folders()
    assert {str(LAYOUT.wheel(Digest(f"{n:02x}" + "0" * 62)).parent.relative_to(ROOT)) for n in range(256)} <= set(
        folders
    )
    assert len([folder for folder in folders if Path(folder).parts[0] in BUCKETS]) == len(BUCKETS) * 257
    assert folders.index("wheels-1") < folders.index(str(Path("wheels-1", "00")))


def test_temporary_names_never_repeat() -> None:
    assert LAYOUT.staging("wheel") != LAYOUT.staging("wheel")
    assert LAYOUT.trash() != LAYOUT.trash()


def test_versions_of_a_page_are_numbers_newest_first(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert layout.page_versions(DIGEST) == []
    layout.page(DIGEST, 1).parent.mkdir(parents=True)
    for name in (f"{NAME}.2", f"{NAME}.10", f"{NAME}.x", f"{NAME}.²", f"{NAME}", "f" * 32 + ".3"):
        (layout.page(DIGEST, 1).parent / name).touch()
    assert layout.page_versions(DIGEST) == [10, 2]


@pytest.mark.parametrize(
    ("name", "known"),
    [("wheels-1", True), ("images-9", True), ("locks", True), ("store.json", True), ("src", False), ("-1", False)],
)
def test_names_of_other_releases_are_known_and_foreign_ones_are_not(name: str, known: bool) -> None:
    assert LAYOUT.is_known(name) is known
