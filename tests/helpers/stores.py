"""Fill stores and seeds by hand, and tell what is in them."""

from __future__ import annotations

import hashlib
import os
import stat
from typing import TYPE_CHECKING, Any

from safe_install.models import Digest
from safe_install.store import Store
from safe_install.store.generations import Generation
from safe_install.store.seed_filling import Listing
from safe_install.store.seeds import WritableSeed

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from safe_install.events import EventSink
    from safe_install.store.trees import WheelTree


def digest_of(text: str) -> Digest:
    """A digest that stands for *text*: that of a wheel which nobody ever makes, or a key."""
    return Digest(hashlib.sha256(text.encode()).hexdigest())


def put_wheel(store: Any, name: str, content: bytes | None = None) -> WheelTree:
    """Publish a wheel of two files, whose digest is `digest_of` its name."""
    with store.stage_tree() as writer:
        writer.add(f"{name}.py", [content if content is not None else f"name = {name!r}\n".encode()], executable=False)
        writer.add(f"bin/{name}", [b"#!"], executable=True)
        manifest = writer.finish(digest=digest_of(name), filename=f"{name}-1-py3-none-any.whl")
        tree: WheelTree = store.publish_wheel(writer.folder, manifest)
    return tree


def put_file(store: Any, content: bytes) -> Digest:
    """Publish a file; return its digest."""
    digest = Digest(hashlib.sha256(content).hexdigest())
    with store.stage_file() as staged:
        staged.write_bytes(content)
        store.publish_file(staged, digest)
    return digest


def listing_of(store: Store, names: Iterable[str]) -> Generation:
    """A generation of wheels, which are put into *store* when they are missing."""
    listing = Listing(store)
    for name in names:
        if store.wheel(digest_of(name)) is None:
            put_wheel(store, name)
        listing.wheel(digest_of(name))
    return listing.generation(store)


def publish_names(root: Path, names: Iterable[str], *, sink: EventSink | None = None) -> Digest:
    """Publish a generation of wheels in the seed at *root*; return its name."""
    seed = WritableSeed.open(root, retry_budget=0, **({"sink": sink} if sink else {}))
    with seed.held(timeout=30):
        return seed.publish(listing_of(seed.store, names))


def state_of(root: Path) -> dict[str, tuple[object, ...]]:
    """Everything below *root*, times included: what differs afterwards was written."""
    found: dict[str, tuple[object, ...]] = {}
    for folder, names, files in os.walk(root):
        for name in (*names, *files):
            path = os.path.join(folder, name)
            state = os.lstat(path)
            content = b""
            if stat.S_ISREG(state.st_mode):
                with open(path, "rb") as file:
                    content = file.read()
            found[os.path.relpath(path, root)] = (state.st_mode, state.st_mtime_ns, state.st_ino, content)
    return found


def make_read_only(root: Path) -> None:
    """Take every right to write below *root* away."""
    for folder, _, _ in os.walk(root, topdown=False):
        os.chmod(folder, stat.S_IMODE(os.stat(folder).st_mode) & ~0o222)


def make_writable(root: Path) -> None:
    """Undo `make_read_only`, so that it can be removed."""
    for folder, _, _ in os.walk(root):
        os.chmod(folder, stat.S_IMODE(os.stat(folder).st_mode) | 0o700)
