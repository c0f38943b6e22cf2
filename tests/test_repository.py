"""What the repository's pages say of the code is true."""

from __future__ import annotations

import re
import runpy
import tomllib
from pathlib import Path

import pytest
from helpers.disks import KINDS
from labs.nfs.combinations import SELECTED
from packaging.requirements import Requirement

from safe_install.engine.report import Recorder, report_document
from safe_install.errors import ExitCode, InputError
from safe_install.wrapping.passing import FAILURES
from safe_install.wrapping.tools import TOOLS

ROOT = Path(__file__).parents[1]
PAGES = sorted(path for path in (*ROOT.glob("*.md"), *ROOT.glob("[a-z]*/**/*.md")) if ".venv" not in path.parts)
PIN_FILES = sorted([*ROOT.glob("bench/*/*.txt"), *ROOT.glob("examples/*/*.txt"), *ROOT.glob("bootstrap/*.txt")])


def read(*parts: str) -> str:
    return ROOT.joinpath(*parts).read_text(encoding="utf-8")


def first_cells(page: str) -> list[str]:
    """The first cell of every line of every table, without headings and rules, split where it names several."""
    found = []
    for line in page.splitlines():
        if line.startswith("| ") and not line.startswith("| ---"):
            found += [word.strip("` ") for word in line.split("|")[1].split(",")]
    return found


def test_every_dependency_has_its_reason_in_contributing() -> None:
    project = tomllib.loads(read("pyproject.toml"))
    texts = list(project["project"]["dependencies"]) + list(project["build-system"]["requires"])
    for group in (*project["project"]["optional-dependencies"].values(), *project["dependency-groups"].values()):
        texts += [text for text in group if isinstance(text, str)]
    names = {Requirement(text).name for text in texts}
    section = read("CONTRIBUTING.md").partition("## Dependencies")[2]
    assert set(first_cells(section)) - {"dependency", "optional", "tool"} == names


def test_exit_codes_page_lists_every_code() -> None:
    listed = [int(cell) for cell in first_cells(read("docs", "reference", "exit-codes.md")) if cell.isdigit()]
    assert listed == sorted(ExitCode)


def test_report_page_lists_every_field() -> None:
    document = report_document("sync", Recorder(), None, InputError("wrong", code="example"))
    counts = document["counts"]
    assert isinstance(counts, dict)
    cells = first_cells(read("docs", "reference", "report.md"))
    assert {*document, *counts} <= set(cells)


def test_settings_page_is_what_the_table_of_options_makes() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "settings_page.py"))["settings_page"]()
    assert read("docs", "reference", "settings.md") == made


def test_doctor_page_is_what_the_table_of_findings_makes() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "doctor_page.py"))["doctor_page"]()
    assert read("docs", "reference", "doctor.md") == made


def test_platforms_page_is_what_the_code_answers() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "platforms_page.py"))["platforms_page"]()
    assert read("docs", "reference", "platforms.md") == made


def test_file_systems_page_lists_what_is_tested() -> None:
    page = read("docs", "reference", "file-systems.md")
    assert set(KINDS) <= set(first_cells(page))
    for combination in SELECTED:
        (row,) = (line for line in page.splitlines() if line.startswith(f"| NFS `{combination.version}` "))
        assert f"`{combination.export}`" in row


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert "://" in target or (page.parent / target).exists(), target


@pytest.mark.parametrize("file", PIN_FILES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_pin_files_name_no_index_and_hash_every_pin(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    pins = re.findall(r"^[\w.-]+==.*(?:\n    --hash=sha256:[0-9a-f]{64}.*)+$", text, re.MULTILINE)
    few = {"bootstrap": 20, "sets/files": 1}  # the others are projects of a real size
    least = few.get(file.parent.name, few.get(f"{file.parent.name}/{file.stem}", 40))
    assert len(pins) == len(re.findall(r"^[^\s#]", text, re.MULTILINE)) >= least
    assert "://" not in text


def test_page_about_wrap_has_the_tables_of_the_code() -> None:
    tools, failures = read("docs", "how-to", "wrap.md").partition("## Tools")[2].split("## Failures", 1)
    for tool in TOOLS.values():
        programs = ", ".join(f"`{name}`" for name in sorted(tool.programs))
        assert f"| {tool.name} | {programs} | `{tool.variable}` | {', '.join(tool.uses)}".rstrip() in tools
    assert set(TOOLS) == {name for name in first_cells(tools) if name != "tool"}
    rows = {f"| {failure.report} | {failure.cause} |" for failure in FAILURES}
    assert rows == {line for line in failures.splitlines() if "#" in line and line.startswith("|")}


def test_doors_say_what_the_table_of_inputs_says() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "door_files.py"))["door_files"]()
    for path, text in made.items():
        assert path.read_text(encoding="utf-8") == text, f"{path} is not what docs/door_files.py makes"
