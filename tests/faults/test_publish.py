"""One system call of a publish fails, once: nothing half-made is visible, nothing stays staged, a retry succeeds.

Promise 1. Each case names the call and the path; that it was really hit is asserted, so that a case which no longer
happens fails instead of passing for nothing.
"""

from __future__ import annotations

import errno
import hashlib
import os
from typing import TYPE_CHECKING

import pytest
from helpers.capabilities import unix_only
from helpers.faults import before, failing

from safe_install.errors import StoreError
from safe_install.fs._system import CREATE
from safe_install.models import Digest
from safe_install.store import BUILT, CachedPage, Store
from safe_install.store.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = unix_only
DIGEST = Digest("ab" * 32)
CONTENT = b"content"
CONTENT_DIGEST = Digest(hashlib.sha256(CONTENT).hexdigest())
PAGE = CachedPage(url="https://index.test/", content_type="text/html", body=b"page")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "store", retry_budget=0)


def publish_wheel(store: Store) -> None:
    with store.stage_tree() as writer:
        writer.add("demo/a.py", [b"x = 1\n"], executable=False)
        writer.add("demo/b.py", [b"x = 2\n"], executable=False)
        store.publish_wheel(writer.folder, writer.finish(digest=DIGEST, filename="demo.whl"))


def publish_file(store: Store) -> None:
    with store.stage_file() as staged:
        staged.write_bytes(CONTENT)
        store.publish_file(staged, CONTENT_DIGEST)


def publish_document(store: Store) -> None:
    store.publish_document(BUILT, DIGEST, {"wheel": "one"})


def replace_document(store: Store) -> None:
    store.publish_document(BUILT, DIGEST, {"wheel": "one"}, replace=True)


def publish_page(store: Store) -> None:
    store.publish_page(DIGEST, PAGE)


KINDS = {
    work.__name__: work for work in (publish_wheel, publish_file, publish_document, replace_document, publish_page)
}

# What can be asked of the store afterwards; all None before and after a failure, none of them after success.
LOOKS: dict[str, Callable[[Store], object]] = {
    "publish_wheel": lambda store: store.wheel(DIGEST),
    "publish_file": lambda store: store.file(CONTENT_DIGEST),
    "publish_document": lambda store: store.document(BUILT, DIGEST),
    "replace_document": lambda store: store.document(BUILT, DIGEST),
    "publish_page": lambda store: store.page(DIGEST),
}

CASES = [
    ("publish_wheel", "mkdir", "staging/tree-"),
    ("publish_wheel", "mkdir", "/tree"),
    ("publish_wheel", "mkdir", "tree/demo"),
    ("publish_wheel", "open", "tree/demo/b.py"),
    ("publish_wheel", "write", "tree/demo/b.py"),
    ("publish_wheel", "fchmod", "tree/demo/b.py"),
    ("publish_wheel", "utime", "tree/demo/b.py"),
    ("publish_wheel", "scandir", "tree/demo"),
    ("publish_wheel", "open", "manifest.json"),
    ("publish_wheel", "fsync", "manifest.json"),
    ("publish_wheel", "rename", "staging/tree-"),
    ("publish_file", "open", "staging/file-"),
    ("publish_file", "fsync", "staging/file-"),
    ("publish_file", "fchmod", "staging/file-"),
    ("publish_file", "utime", "staging/file-"),
    ("publish_file", "link", "staging/file-"),
    ("publish_document", "open", "staging/file-"),
    ("publish_document", "fsync", "staging/file-"),
    ("publish_document", "link", "built-1"),
    ("replace_document", "open", "built-1"),
    ("replace_document", "fsync", "built-1"),
    ("replace_document", "replace", "built-1"),
    ("publish_page", "open", "staging/file-"),
    ("publish_page", "fsync", "staging/file-"),
    ("publish_page", "link", "index-1"),
]


def visible(store: Store) -> list[str]:
    """Every file and every entry below the buckets."""
    found = []
    for bucket in store.root.glob("*-1"):
        found += [str(path.relative_to(store.root)) for path in bucket.glob("*/*")]
    return found


def litter(store: Store) -> list[str]:
    return os.listdir(store.root / "staging") + os.listdir(store.root / "trash")


@pytest.mark.parametrize(
    ("code", "name"), [(errno.ENOSPC, "disk-full"), (errno.EROFS, "read-only"), (errno.EIO, "io-error")]
)
@pytest.mark.parametrize(("kind", "call", "path"), CASES)
def test_a_failing_call_leaves_nothing_and_a_retry_succeeds(
    store: Store, kind: str, call: str, path: str, code: int, name: str
) -> None:
    with failing(call, path, code) as fault, pytest.raises(StoreError) as caught:
        KINDS[kind](store)
    assert fault.happened
    assert caught.value.code in {name, "staging-damaged"}
    assert caught.value.hint is not None or name == "io-error"
    assert LOOKS[kind](store) is None
    assert visible(store) == []
    assert litter(store) == []
    KINDS[kind](store)
    assert LOOKS[kind](store) is not None
    assert litter(store) == []


@pytest.mark.parametrize(("kind", "call", "path"), CASES)
def test_an_interrupt_at_any_call_leaves_nothing(store: Store, kind: str, call: str, path: str) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with before(call, path, interrupt) as fault, pytest.raises(KeyboardInterrupt):
        KINDS[kind](store)
    assert fault.happened
    assert LOOKS[kind](store) is None
    assert visible(store) == []
    assert litter(store) == []


@pytest.mark.parametrize("code", [errno.ESTALE, errno.EBUSY])
@pytest.mark.parametrize(
    ("kind", "call", "path"),
    [
        ("publish_wheel", "rename", "staging/tree-"),
        ("publish_file", "link", "staging/file-"),
        ("publish_document", "link", "built-1"),
        ("replace_document", "replace", "built-1"),
        ("publish_page", "link", "index-1"),
    ],
)
def test_what_passes_is_waited_for(tmp_path: Path, kind: str, call: str, path: str, code: int) -> None:
    store = Store.open(tmp_path / "store", retry_budget=10)
    with failing(call, path, code, times=3) as fault:
        KINDS[kind](store)
    assert len(fault.hits) == 3
    assert LOOKS[kind](store) is not None
    assert litter(store) == []


@pytest.mark.parametrize("code", [errno.EPERM, errno.EOPNOTSUPP])
@pytest.mark.parametrize("kind", ["publish_file", "publish_document", "publish_page"])
def test_a_file_system_without_links_publishes_single_files_too(store: Store, kind: str, code: int) -> None:
    with failing("link", "staging/file-", code, times=None) as fault:
        KINDS[kind](store)
    assert fault.happened
    assert LOOKS[kind](store) is not None
    assert litter(store) == []


@pytest.mark.parametrize("kind", ["publish_file", "publish_document", "publish_page"])
def test_what_a_killed_writer_left_where_links_are_missing_reads_as_nothing(store: Store, kind: str) -> None:
    """The exclusive create is visible while it grows: every prefix of it must be absent."""
    KINDS[kind](store)
    (name,) = visible(store)
    whole = (store.root / name).read_bytes()
    for size in range(len(whole)):
        (store.root / name).unlink(missing_ok=True)
        descriptor = os.open(store.root / name, CREATE, 0o644)
        os.write(descriptor, whole[:size])
        os.close(descriptor)
        assert LOOKS[kind](store) is None


def test_what_cannot_be_cleaned_up_is_told_and_is_no_failure(tmp_path: Path) -> None:
    events: list[object] = []
    store = Store.open(tmp_path / "store", retry_budget=0, sink=events.append)
    publish_wheel(store)
    with failing("rmdir", "", errno.EROFS, times=None):
        publish_wheel(store)
    assert any("could not remove" in str(event) for event in events)
    assert store.wheel(DIGEST) is not None


def test_a_damaged_entry_that_cannot_be_moved_stays_absent(store: Store) -> None:
    publish_wheel(store)
    entry = Layout(store.root).wheel(DIGEST)
    os.unlink(entry / "tree" / "demo" / "a.py")
    with failing("rename", str(store.root / "quarantine"), errno.EROFS), pytest.raises(StoreError) as caught:
        publish_wheel(store)
    assert caught.value.code == "read-only"
    assert store.wheel(DIGEST) is None
    assert litter(store) == []
    publish_wheel(store)
    assert store.wheel(DIGEST) is not None
