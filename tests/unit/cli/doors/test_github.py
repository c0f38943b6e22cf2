"""`safe_install.cli.doors.github`: what is secret, and the summary."""

from __future__ import annotations

import pytest

from safe_install.cli.doors.github import secrets_in, summary
from safe_install.engine.report import Recorder, report_document
from safe_install.errors import InputError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://me:word@host/simple", {"word"}),
        ("https://token@host/simple https://a:b%21@other", {"token", "b%21", "b!"}),
        ("--index-url https://host/a@b", set()),
        ("git+ssh://git@host/x", {"git"}),
        ("https://me:@host/", set()),
    ],
)
def test_credentials_of_urls(text: str, expected: set[str]) -> None:
    assert set(secrets_in(text)) == expected


def test_summary_shows_text_as_text() -> None:
    error = InputError("a | b <script> `c`\n| d", code="bad", context=("[x](http://y)",), hint="*do*")
    text = summary(report_document("sync", Recorder(), None, error))
    assert "<script>" not in text
    assert "`c`" not in text
    assert "[x](" not in text
    assert "a &#124; b &lt;script>" in text
    assert "**bad** (exit code 2)" in text
