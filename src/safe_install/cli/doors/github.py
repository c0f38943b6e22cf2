"""The door of GitHub Actions: masks, a group, outputs, the environment of later steps, annotations, a summary."""

from __future__ import annotations

import os
import re
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...redact import secrets_in
from .door import Teller, outputs
from .locating import locate
from .workflow_commands import WorkflowCommands

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .inputs import Request
    from .locating import Place

_PAGES = Path(__file__).parents[1] / "pages"
# GitHub shows ten warnings of a step and drops the others; the last one says how many there are.
_MOST_WARNINGS = 10
_MOST_ROWS = 500


class GitHub(Teller):
    """A `Teller`. :raises InputError: as `WorkflowCommands`."""

    def __init__(self) -> None:
        self._runner = WorkflowCommands()
        self._group = ExitStack()

    def begin(self, title: str, values: Sequence[str]) -> None:
        """Mask what is secret in *values*, and open a group."""
        for secret in sorted(set().union(*map(secrets_in, values))):
            self._runner.mask(secret)
        self._group.enter_context(self._runner.group(title))

    def end(self, report: Mapping[str, Any], path: Path, request: Request | None) -> None:
        """Close the group; hand over the results."""
        self._group.close()
        if report["error"]:
            self._tell_error(report["error"], request)
        self._tell_step_downs(report["step_downs"])
        for name, value in outputs(report, path).items():
            self._runner.output(name, value)
        layout = report["layout"]
        if report["outcome"] == "done" and "venv" in layout:
            self._runner.export("VIRTUAL_ENV", layout["venv"])
            self._runner.add_path(str(Path(layout["python"]).parent))
        self._runner.summary(summary(report))

    def _tell_error(self, error: Mapping[str, Any], request: Request | None) -> None:
        texts = [error["message"], *error["context"]]
        place = locate(texts, request.files if request else (), Path.cwd())
        hint = [f"hint: {error['hint']}"] if error["hint"] else []
        self._runner.error("\n".join([*texts, *hint]), f"safe-install: {error['code']}", place and _in_checkout(place))

    def _tell_step_downs(self, step_downs: Sequence[Mapping[str, str]]) -> None:
        shown = step_downs if len(step_downs) <= _MOST_WARNINGS else step_downs[: _MOST_WARNINGS - 1]
        for each in shown:
            self._runner.warning(each["reason"], f"safe-install: {each['kind']}")
        if rest := len(step_downs) - len(shown):
            self._runner.warning(f"{rest} more; the report lists all", "safe-install")


def summary(report: Mapping[str, Any]) -> str:
    """Return *report* as Markdown for the page of a job."""
    import jinja2

    from ..output import human_bytes

    # No HTML: what is special in Markdown is escaped by `plain`.
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_PAGES),
        autoescape=False,  # noqa: S701 - the page is Markdown
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["plain"] = _plain
    phases: dict[str, float] = {}
    for each in report["distributions"]:
        for span in each.get("timeline", []):
            phases[span["phase"]] = phases.get(span["phase"], 0.0) + span["seconds"]
    return environment.get_template("summary.md.j2").render(
        report=report,
        bytes=human_bytes,
        phases={name: seconds for name, seconds in sorted(phases.items()) if seconds >= 0.01},
        most=_MOST_ROWS,
    )


def _plain(value: object) -> str:
    """*value* as text that means nothing in a cell of a table."""
    text = str(value).replace("&", "&amp;").replace("<", "&lt;").replace("\r", "").replace("\n", "<br>")
    return re.sub(r"([\\`*_{}\[\]()#+!|~$@])", lambda match: f"&#{ord(match[1])};", text)


def _in_checkout(place: Place) -> Place:
    """The same line with its file relative to the checkout, as GitHub wants it."""
    folder = os.environ.get("GITHUB_WORKSPACE")
    path = Path(place.file).absolute()
    if folder and path.is_relative_to(folder):
        return place._replace(file=path.relative_to(folder).as_posix())
    return place
