"""``ci-install report``: show a report again, as text or as one page of HTML that needs nothing else."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ...engine.report import SCHEMA, report_document
from ...errors import InputError, StoreError
from ..call import Call, perform
from ..output import human_bytes, plural, write_result

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PAGES = Path(__file__).parents[1] / "pages"
# Phases that have a colour of their own on the page.
_PHASES = ("metadata", "fetch", "unpack", "build", "link", "compile")


def run(options: Mapping[str, Any], *, file: str, as_html: bool, output: str | None) -> int:
    """Show the report in *file*; return the exit code, which says nothing of the one in the report."""

    def work(_call: Call) -> None:
        report = read_report(Path(file))
        text = html_page(report) if as_html else "".join(f"{line}\n" for line in _lines(report))
        # Paths may hold bytes that are no text.
        text = text.encode("utf-8", "backslashreplace").decode("utf-8")
        if output is None:
            write_result(text)
            return
        from ...fs.atomic import write_atomically

        try:
            write_atomically(Path(output), text.encode("utf-8"))
        except OSError as error:
            raise StoreError(f"cannot write the page to {output}: {error}", code="report-unwritable") from error

    # The file that SAFE_INSTALL_REPORT names may be the very one that is shown.
    return perform("report", options, None, work, use_scratch=False, reports=False)


def read_report(path: Path) -> dict[str, Any]:
    """Return the report that ``--report`` wrote to *path*; fields that an older release did not know are empty.

    :raises InputError: ``not-found``, ``report-invalid``: it is something else, or of a newer schema.
    """
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", code="not-found") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is no report: {error}", code="report-invalid") from error
    if not isinstance(document, dict) or not isinstance(document.get("schema"), int):
        raise InputError(f"{path} is no report of ci-install", code="report-invalid")
    if document["schema"] != SCHEMA:
        raise InputError(
            f"{path} has the schema {document['schema']}, and this release reads {SCHEMA}",
            code="report-invalid",
            hint="show it with the release that wrote it",
        )
    from ...engine.report import Recorder

    whole = {**report_document("", Recorder(), None, None), **document}
    problem = _problem(whole)
    if problem:
        raise InputError(f"{path} is no report of ci-install: {problem}", code="report-invalid")
    return whole


def html_page(report: Mapping[str, Any]) -> str:
    """Return *report* as a page: no script, no picture, nothing from elsewhere."""
    import jinja2

    seconds = max(float(report["seconds"]), 0.001)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_PAGES),
        autoescape=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    distributions = [{"timeline": [], **each} for each in report["distributions"]]
    found = {span["phase"] for each in distributions for span in each["timeline"]}
    return environment.get_template("report.html.j2").render(
        report={**report, "distributions": distributions},
        phases=[*(phase for phase in _PHASES if phase in found), *sorted(found - set(_PHASES))],
        colour=lambda phase: phase if phase in _PHASES else "other",
        bytes=human_bytes,
        percent=lambda value: min(100.0, 100 * max(0.0, float(value)) / seconds),
    )


def _lines(report: Mapping[str, Any]) -> Iterator[str]:
    yield f"ci-install {report['command']}: {report['outcome']} in {report['seconds']:.1f} s"
    if error := report["error"]:
        yield f"error[{error['code']}]: {error['message']}"
        yield from (f"  {line}" for line in error["context"])
        if error["hint"]:
            yield f"  hint: {error['hint']}"
    actions = Counter(each["action"] for each in report["distributions"])
    if actions:
        told = ", ".join(f"{count} {action}" for action, count in sorted(actions.items()))
        yield f"{plural(sum(actions.values()), 'distribution')}: {told}"
    for each in report["distributions"]:
        where = ", ".join(filter(None, (each["origin"], each["layer"], each["link_mode"])))
        yield f"  {each['name']} {each['version']}  {each['action']} ({where})"
    if report["removed"]:
        yield f"removed: {', '.join(report['removed'])}"
    yield "counts: " + ", ".join(f"{name} {value:,}" for name, value in report["counts"].items() if value)
    for each in report["step_downs"]:
        yield f"step-down[{each['kind']}]: {each['reason']}"


_NUMBER, _TEXT, _MAYBE_TEXT = (int, float), (str,), (str, type(None))
_KINDS: Final[Mapping[str, tuple[type, ...]]] = {
    "command": _TEXT, "outcome": _TEXT, "exit_code": (int,), "seconds": _NUMBER, "layout": (dict,),
    "error": (dict, type(None)), "distributions": (list,), "removed": (list,), "counts": (dict,), "step_downs": (list,),
}  # fmt: skip
_DISTRIBUTION: Final[Mapping[str, tuple[type, ...]]] = {
    "name": _TEXT, "version": _TEXT, "action": _TEXT, "source": _TEXT, "origin": _TEXT, "layer": _MAYBE_TEXT,
    "link_mode": _MAYBE_TEXT, "bytes_fetched": (int,),
}  # fmt: skip
_ERROR: Final[Mapping[str, tuple[type, ...]]] = {
    "code": _TEXT, "message": _TEXT, "context": (list,), "hint": _MAYBE_TEXT,
}  # fmt: skip
_SPAN: Final[Mapping[str, tuple[type, ...]]] = {"phase": _TEXT, "start": _NUMBER, "seconds": _NUMBER}
_STEP_DOWN: Final[Mapping[str, tuple[type, ...]]] = {"kind": _TEXT, "reason": _TEXT}
_MOST = 1e15  # larger numbers are no seconds, bytes or files


def _problem(report: Mapping[str, Any]) -> str:
    """What in *report* is not of the kind that the page needs; empty for nothing."""
    if problem := _mismatch(report, _KINDS):
        return problem
    for each in report["distributions"]:
        if (problem := _mismatch(each, _DISTRIBUTION)) or not isinstance(each.get("timeline", []), list):
            return f"of one of its distributions {problem or 'timeline is no list'}"
        for span in each.get("timeline", []):
            if problem := _mismatch(span, _SPAN):
                return f"in one of its timelines {problem}"
    for each in report["step_downs"]:
        if problem := _mismatch(each, _STEP_DOWN):
            return f"of a step-down {problem}"
    if report["error"] is not None and (problem := _mismatch(report["error"], _ERROR)):
        return f"of its error {problem}"
    if not all(isinstance(each, str) for each in [*report["removed"], *((report["error"] or {}).get("context", []))]):
        return "a line of it is no text"
    if not all(isinstance(value, int) and abs(value) < _MOST for value in report["counts"].values()):
        return "a count is no number"
    return ""


def _mismatch(value: object, kinds: Mapping[str, tuple[type, ...]]) -> str:
    if not isinstance(value, dict):
        return f"{str(value)[:80]!r} is something else"
    for name, allowed in kinds.items():
        found = value.get(name)
        if not isinstance(found, allowed):
            return f"{name} is {type(found).__name__}"
        if isinstance(found, (int, float)) and not abs(found) < _MOST:
            return f"{name} is no sensible number"
    return ""
