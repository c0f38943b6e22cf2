"""The end of a log is fit to be shown, and the whole of it is kept; neither holds a credential."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from safe_install.build.log import BuildLog

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def log(tmp_path: Path) -> BuildLog:
    return BuildLog(tmp_path / "log", folder=tmp_path / "kept", subject="demo 1.0/../x")


def test_only_the_last_lines_are_shown(log: BuildLog) -> None:
    for number in range(100):
        log.add(f"line {number}")
    assert log.tail() == tuple(f"line {number}" for number in range(60, 100))


def test_an_endless_line_is_cut(log: BuildLog) -> None:
    log.add("x" * 1_000_000)
    assert sum(map(len, log.tail())) < 20_000


def test_controls_colours_and_titles_do_not_reach_a_terminal(log: BuildLog) -> None:
    log.add("\x1b[1;31mred\x1b[0m\x1b]0;title\x07 \x1b]8;;http://x\x1b\\link\x9b2J\x08\x00 tab\there\r")
    (shown,) = log.tail()
    assert shown == "red link2J tab\there"


def test_bytes_that_are_no_text_do_not_matter(log: BuildLog) -> None:
    with log.open("hook") as file:
        file.write(b"caf\xe9\n")
    assert log.tail()[-1] == "caf\ufffd"


def test_credentials_are_redacted_where_shown_and_where_kept(log: BuildLog) -> None:
    log.add("GET https://user:secret@example.invalid/simple")
    assert "secret" not in "".join(log.evidence())
    kept = log.keep()
    assert kept is not None
    assert "secret" not in kept.read_text()
    assert "https://***@example.invalid/simple" in kept.read_text()


def test_a_kept_log_has_a_plain_name_and_is_never_overwritten(log: BuildLog, tmp_path: Path) -> None:
    log.add("text")
    one, other = log.keep(), log.keep()
    assert one is not None
    assert other is not None
    assert one != other
    assert one.parent == other.parent == tmp_path / "kept"


def test_a_log_that_cannot_be_kept_is_shown_nevertheless(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    log = BuildLog(tmp_path / "log", folder=tmp_path / "file", subject="demo")
    log.add("why it failed")
    assert log.evidence() == ("its last lines:", "| why it failed")


def test_no_log_is_no_evidence(log: BuildLog) -> None:
    assert log.evidence() == ()
