"""A report is shown again, as text and as a page that needs nothing from elsewhere; what is no report is refused."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.command import Command
    from helpers.stocked_index import StockedIndex

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """Its text, its tags with their attributes, and whether each one that was opened was closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = ""
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += f"{data}\n"


@pytest.fixture
def report(command: Command, index: StockedIndex) -> Path:
    """The report of an installation with a wheel and a build, and without the reports of later calls over it."""
    index.wheel("app", requires_dist=["built"])
    index.sdist("built")
    command("install", "app")
    path = command.home / "kept.json"
    command.report_path.rename(path)
    return path


def change(report: Path, **fields: Any) -> Path:
    document = json.loads(report.read_text(encoding="utf-8"))
    report.write_text(json.dumps({**document, **fields}), encoding="utf-8")
    return report


def test_as_text_it_says_what_was_done(command: Command, report: Path) -> None:
    lines = command("report", report).stdout.splitlines()
    assert re.fullmatch(r"ci-install install: done in \d+\.\d s", lines[0])
    assert lines[1] == "2 distributions: 2 installed"
    assert any(line.startswith("  built 1.0  installed (built, ") for line in lines)


def test_as_a_page_it_shows_each_phase_when_it_was(command: Command, report: Path) -> None:
    document = json.loads(report.read_text(encoding="utf-8"))
    spans = [span for each in document["distributions"] for span in each["timeline"]]
    assert {"fetch", "build"} <= {span["phase"] for span in spans}
    for span in spans:
        assert 0 <= span["start"] <= span["start"] + span["seconds"] <= document["seconds"] + 0.01
    page = Page(command("report", report, "--html").stdout)
    assert {"app", "built", "1.0"} <= set(page.text.split())
    bars = [
        attributes for tag, attributes in page.tags if tag == "div" and str(attributes.get("class")).startswith("bar ")
    ]
    assert len(bars) == len(spans)


def test_a_page_needs_nothing_from_elsewhere(command: Command, report: Path) -> None:
    page = Page(command("report", report, "--html").stdout)
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "img", "link", "iframe", "object"})
    assert not [
        name for _, attributes in page.tags for name in attributes if name in {"src", "href"} or name.startswith("on")
    ]
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in page.tags


def test_texts_of_others_are_texts(command: Command, report: Path) -> None:
    """Names and messages come from indexes, archives and paths."""
    evil = '</td></table><script>alert("x")</script><img src=x onerror="y">&amp;'
    error = {"code": "x", "message": evil, "context": [evil], "hint": evil}
    document = json.loads(report.read_text(encoding="utf-8"))
    (first, *rest) = document["distributions"]
    changed = {**first, "version": evil, "source": f'" onmouseover="{evil}', "timeline": []}
    changed["timeline"] = [{"phase": evil, "start": 0.0, "seconds": 1.0}]
    change(report, error=error, outcome="failed", exit_code=4, step_downs=[{"kind": evil, "reason": evil}],
           distributions=[changed, *rest], removed=[evil], layout={"venv": evil})  # fmt: skip
    page = Page(command("report", report, "--html").stdout)
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "img"})
    assert page.text.count(evil) >= 7
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]


def test_paths_that_are_no_text_are_shown(command: Command, report: Path) -> None:
    change(report, layout={"venv": "/caf\udce9"})
    for arguments in ((), ("--html",), ("--html", "-o", "page.html")):
        command("report", report, *arguments)
    assert "/caf\\udce9" in (command.folder / "page.html").read_text(encoding="utf-8")


def test_it_can_be_written_to_a_file(command: Command, report: Path) -> None:
    assert command("report", report, "--html", "-o", "page.html").stdout == ""
    assert (command.folder / "page.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_a_report_of_a_failure_is_shown_with_exit_code_0(command: Command, index: StockedIndex) -> None:
    command("install", "absent", code=1)
    kept = command.report_path.rename(command.home / "kept.json")
    shown = command("report", kept).stdout
    assert "install: failed" in shown
    assert "error[no-such-project]" in shown
    assert "absent" in Page(command("report", kept, "--html").stdout).text


def test_a_report_of_an_older_release_has_no_timeline(command: Command, report: Path) -> None:
    document = json.loads(report.read_text(encoding="utf-8"))
    for each in document["distributions"]:
        del each["timeline"]
    del document["step_downs"]
    report.write_text(json.dumps(document), encoding="utf-8")
    assert "built" in Page(command("report", report, "--html").stdout).text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is no report"),
        ("[]", "is no report"),
        ('{"schema": "1"}', "is no report"),
        ('{"schema": 2}', "has the schema 2"),
        ('{"schema": 1, "seconds": "long"}', "seconds is str"),
        ('{"schema": 1, "distributions": [3]}', "one of its distributions"),
        ('{"schema": 1, "distributions": [{"name": "x"}]}', "one of its distributions"),
        ('{"schema": 1, "counts": {"files": "many"}}', "a count is no number"),
        ('{"schema": 1, "step_downs": ["x"]}', "a step-down"),
        ('{"schema": 1, "error": "x"}', "error is str"),
        ('{"schema": 1, "error": {"code": "x", "message": "y", "context": 3, "hint": null}}', "context is int"),
        ('{"schema": 1, "seconds": 1e99}', "seconds is no sensible number"),
        ('{"schema": 1, "removed": [1]}', "is no text"),
    ],
)
def test_what_is_no_report_is_refused(command: Command, text: str, reason: str) -> None:
    path = command.write("r.json", text)
    result = command("report", path, "--html", code=2, SAFE_INSTALL_REPORT=str(path))
    assert "error[report-invalid]" in result.stderr
    assert reason in result.stderr
    assert result.stdout == ""
    assert path.read_text(encoding="utf-8") == text


def test_a_report_that_is_not_there_is_named(command: Command) -> None:
    result = command("report", "absent.json", code=2)
    assert "absent.json" in result.stderr
