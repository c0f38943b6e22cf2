"""``ci-install report``: show a report again, as text or as one page of HTML that needs nothing else."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
        known=_PHASES,
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


_DISTRIBUTION = {"name": str, "version": str, "action": str, "source": str, "origin": str, "bytes_fetched": int}


def _problem(report: Mapping[str, Any]) -> str:
    """What in *report* is not of the kind that the page needs; empty for nothing."""
    kinds = {
        "command": str, "outcome": str, "exit_code": int, "seconds": (int, float), "layout": dict,
        "distributions": list, "removed": list, "counts": dict, "step_downs": list,
    }  # fmt: skip
    for name, kind in kinds.items():
        if not isinstance(report[name], kind):  # type: ignore[arg-type]  # a class, or several
            return f"{name} is {type(report[name]).__name__}"
    for each in report["distributions"]:
        if not isinstance(each, dict) or any(
            not isinstance(each.get(key), kind) for key, kind in _DISTRIBUTION.items()
        ):
            return f"one of its distributions is {str(each)[:80]}"
        if not {"layer", "link_mode"} <= each.keys() or not all(map(_is_span, each.get("timeline", ()))):
            return f"one of its distributions is {str(each)[:80]}"
    if not all(isinstance(value, int) for value in report["counts"].values()):
        return "a count is no number"
    for each in report["step_downs"]:
        if not isinstance(each, dict) or not {"kind", "reason"} <= each.keys():
            return "a step-down is something else"
    error = report["error"]
    if error is not None and not (isinstance(error, dict) and {"code", "message", "context", "hint"} <= error.keys()):
        return "its error is something else"
    return ""


def _is_span(span: object) -> bool:
    numbers = (int, float)
    return (
        isinstance(span, dict)
        and isinstance(span.get("phase"), str)
        and isinstance(span.get("start"), numbers)
        and isinstance(span.get("seconds"), numbers)
    )
