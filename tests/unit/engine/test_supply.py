from __future__ import annotations

from pathlib import Path

import pytest
from packaging.utils import canonicalize_name
from packaging.version import Version

from safe_install.engine.supply import require_hashes
from safe_install.errors import ExitCode, PolicyError
from safe_install.models import ArchiveSource, DirectorySource, DirectSource, Hashes, Pin, RemoteFile, VcsSource

NONE = Hashes()
GOOD = Hashes.of({"sha256": "ab" * 32})
WEAK = Hashes.of({"md5": "ab" * 16})


def pin(
    *,
    hashes: Hashes = NONE,
    listed: Hashes = NONE,
    direct: DirectSource | None = None,
    origin: str | None = None,
) -> Pin:
    file = RemoteFile(
        url="https://files.test/demo-1.0-py3-none-any.whl", filename="demo-1.0-py3-none-any.whl", hashes=listed
    )
    return Pin(
        name=canonicalize_name("demo"),
        version=Version("1.0"),
        files=() if direct else (file,),
        direct=direct,
        hashes=hashes,
        origin=origin,
    )


def archive(hashes: Hashes = NONE) -> ArchiveSource:
    return ArchiveSource(file=RemoteFile(url="https://x.test/a.tar.gz", filename="a.tar.gz", hashes=hashes))


@pytest.mark.parametrize(
    ("proven", "locked"),
    [
        (pin(hashes=GOOD), False),
        (pin(listed=GOOD), True),
        (pin(direct=archive(GOOD)), False),
        (pin(hashes=GOOD, direct=archive()), False),
    ],
)
def test_digest_that_the_input_names_is_a_proof(proven: Pin, locked: bool) -> None:
    require_hashes([proven], locked=locked)


@pytest.mark.parametrize(
    ("unproven", "locked"),
    [
        (pin(), True),
        (pin(hashes=WEAK), False),
        (pin(listed=WEAK), True),
        (pin(direct=archive()), True),
        (pin(direct=VcsSource(vcs="git", url="https://x.test", commit_id="c" * 40), hashes=GOOD), True),
        (pin(direct=DirectorySource(path=Path("/x")), hashes=GOOD), True),
    ],
)
def test_anything_else_is_none(unproven: Pin, locked: bool) -> None:
    with pytest.raises(PolicyError) as caught:
        require_hashes([unproven], locked=locked)
    assert caught.value.code == "hashes-required"
    assert caught.value.exit_code is ExitCode.POLICY


def test_digest_of_an_index_page_proves_nothing_since_page_and_file_change_together() -> None:
    with pytest.raises(PolicyError):
        require_hashes([pin(listed=GOOD)], locked=False)


def test_all_that_have_none_are_named_with_where_they_are_asked_for() -> None:
    with pytest.raises(PolicyError) as caught:
        require_hashes([pin(origin="a.txt:1"), pin(hashes=GOOD), pin(origin="a.txt:3")], locked=False)
    assert caught.value.context == ("demo==1.0 (a.txt:1)", "demo==1.0 (a.txt:3)")
