"""METADATA is read from a wheel's end; whatever goes wrong, the whole wheel is left to tell."""

from __future__ import annotations

import io
import os
import zipfile
from typing import TYPE_CHECKING

import pytest
from helpers.wheels import make_wheel

from safe_install.index.ranges import Piece, local_wheel_metadata, remote_wheel_metadata

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Server:
    """Serves spans of *data*, and counts."""

    def __init__(self, data: bytes, change: Callable[[Piece], Piece | None] = lambda piece: piece) -> None:
        self.data = data
        self.change = change
        self.spans: list[str] = []
        self.served = 0

    def fetch(self, span: str) -> Piece | None:
        self.spans.append(span)
        first, _, last = span.partition("-")
        total = len(self.data)
        start, stop = (int(first), int(last) + 1) if first else (max(0, total - int(last)), total)
        self.served += stop - start
        return self.change(Piece(start, self.data[start:stop], total))


def archive(members: dict[str, bytes], *, stored: bool = False) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


METADATA = "demo-1.0.dist-info/METADATA"
LARGE = os.urandom(300_000)


def test_one_small_request_is_enough_for_a_usual_wheel() -> None:
    server = Server(make_wheel("demo", "1.0", files={"demo/data.bin": LARGE}, requires_dist=["other>1"])[1])
    data = remote_wheel_metadata(server.fetch)
    assert data is not None
    assert b"Requires-Dist: other>1" in data
    assert len(server.spans) == 1
    assert server.served < len(LARGE) / 4


def test_a_wheel_smaller_than_the_first_span_is_read() -> None:
    assert remote_wheel_metadata(Server(make_wheel("demo", "1.0")[1]).fetch) is not None


def test_metadata_at_the_start_and_a_large_directory_are_fetched_apart() -> None:
    members = {METADATA: b"Name: demo", "demo/data.bin": LARGE} | {f"demo/{'x' * 60}{n}": b"" for n in range(800)}
    server = Server(archive(members))
    assert remote_wheel_metadata(server.fetch) == b"Name: demo"
    assert len(server.spans) == 3
    assert server.served < len(server.data) - len(LARGE) + 40_000


@pytest.mark.parametrize(
    "data",
    [
        archive({"demo-1.0.dist-info/RECORD": b""}),
        archive({METADATA: b"a", "other-1.0.dist-info/METADATA": b"b"}),
        archive({"demo/vendored/x.dist-info/METADATA": b"a"}),
        archive({METADATA: bytes(17 << 20)}),
        b"not a zip archive at all",
        archive({METADATA: b"Name: demo"})[:-10],
        archive({METADATA: b"Name: demo" * 9}, stored=True).replace(b"Name: demo" * 9, b"Name: evil" * 9),
    ],
    ids=["none", "two", "deeper", "far too large", "no archive", "truncated", "wrong checksum"],
)
def test_what_cannot_be_read_is_left_to_the_whole_wheel(data: bytes, tmp_path: Path) -> None:
    wheel = tmp_path / "demo-1.0-py3-none-any.whl"
    wheel.write_bytes(data)
    assert remote_wheel_metadata(Server(data).fetch) is None
    assert local_wheel_metadata(wheel) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda piece: None,
        lambda piece: piece._replace(start=0),
        lambda piece: piece if piece.start + len(piece.data) == piece.total else None,
        lambda piece: piece if piece.start + len(piece.data) == piece.total else piece._replace(data=piece.data[1:]),
        lambda piece: piece if piece.start + len(piece.data) == piece.total else piece._replace(total=7),
    ],
    ids=["no ranges", "-count read as 0-count", "stops serving", "wrong part", "another version"],
)
def test_a_server_with_strange_ranges_is_not_believed(change: Callable[[Piece], Piece | None]) -> None:
    data = archive({METADATA: b"Name: demo", "demo/data.bin": LARGE})
    assert remote_wheel_metadata(Server(data).fetch) == b"Name: demo"
    assert remote_wheel_metadata(Server(data, change).fetch) is None


def test_a_local_wheel_is_opened(tmp_path: Path) -> None:
    wheel = tmp_path / "demo-1.0-py3-none-any.whl"
    wheel.write_bytes(make_wheel("demo", "1.0")[1])
    assert b"Name: demo" in (local_wheel_metadata(wheel) or b"")
    with pytest.raises(FileNotFoundError):
        local_wheel_metadata(tmp_path / "absent.whl")
