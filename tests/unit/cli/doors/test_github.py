"""`safe_install.cli.doors.github`: the summary."""

from __future__ import annotations

from safe_install.cli.doors.github import summary
from safe_install.engine.report import Recorder, report_document
from safe_install.errors import InputError


def test_summary_shows_text_as_text() -> None:
    error = InputError("a | b <script> `c`\n| d", code="bad", context=("[x](http://y)",), hint="*do*")
    text = summary(report_document("sync", Recorder(), None, error))
    assert "<script>" not in text
    assert "`c`" not in text
    assert "[x](" not in text
    assert "a &#124; b &lt;script>" in text
    assert "**bad** (exit code 2)" in text
