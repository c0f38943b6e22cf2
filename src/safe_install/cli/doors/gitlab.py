"""The door of GitLab CI: a section that folds, variables for later jobs, metrics for merge requests.

https://docs.gitlab.com/ci/jobs/job_logs/#custom-collapsible-sections ,
https://docs.gitlab.com/ci/yaml/artifacts_reports/ (dotenv, metrics).
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import StoreError
from .door import Teller, outputs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .inputs import Request

FOLDER = ".safe-install"
"""In the project's folder: artifacts may lie nowhere else."""
_SECTION = "safe_install"
# GitLab takes at most 5 kB in all, and refuses the whole file for a line that it cannot read.
_LATER = ("outcome", "exit-code", "venv", "python", "link-mode", "cache-hit", "fetched-bytes", "step-downs", "report")
_UNWRITABLE = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST = 500


class GitLab(Teller):
    """Keeps its files in a folder of the job's checkout."""

    def __init__(self) -> None:
        self._folder = Path(os.environ.get("CI_PROJECT_DIR") or Path.cwd(), FOLDER)

    def new_report(self) -> Path:
        """The file that the job's artifacts name."""
        try:
            self._folder.mkdir(exist_ok=True)
        except OSError as error:
            raise _untold(error) from error
        return self._folder / "report.json"

    def begin(self, title: str, values: Sequence[str]) -> None:  # noqa: ARG002 - its masks are settings of the project
        """Open a section."""
        # A title on one line: what follows a line break would be text of the log.
        shown = _UNWRITABLE.sub(" ", title)[:200]
        _say(f"\x1b[0Ksection_start:{time.time():.0f}:{_SECTION}[collapsed=true]\r\x1b[0K{shown}")

    def end(self, report: Mapping[str, Any], path: Path, request: Request | None) -> None:  # noqa: ARG002 - it shows no errors beside lines
        """Close the section; write the reports."""
        _say(f"\x1b[0Ksection_end:{time.time():.0f}:{_SECTION}\r\x1b[0K")
        values = outputs(report, path)
        try:
            self._folder.mkdir(exist_ok=True)
            self._write("job.env", "".join(_dotenv(values)))
            self._write("metrics.txt", "".join(_metrics(report)))
            if path != self._folder / "report.json":
                # The artifact is always the same file.
                self._write("report.json", json.dumps(report, indent=2) + "\n")
        except OSError as error:
            raise _untold(error) from error

    def _write(self, name: str, text: str) -> None:
        (self._folder / name).write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")


def _dotenv(values: Mapping[str, str]) -> Iterator[str]:
    for name in _LATER:
        if len(values[name]) <= _LONGEST and not _UNWRITABLE.search(values[name]):
            yield f"SAFE_INSTALL_JOB_{name.replace('-', '_').upper()}={values[name]}\n"


def _metrics(report: Mapping[str, Any]) -> Iterator[str]:
    """OpenMetrics text: https://prometheus.io/docs/specs/om/open_metrics_spec/ ."""
    yield f"# TYPE safe_install_seconds gauge\nsafe_install_seconds {report['seconds']:.3f}\n"
    for name, value in sorted(report["counts"].items()):
        yield f"# TYPE safe_install_{name} gauge\nsafe_install_{name} {value}\n"
    yield "# EOF\n"


def _say(text: str) -> None:
    sys.stderr.flush()
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _untold(error: OSError) -> StoreError:
    return StoreError(f"cannot write the reports for GitLab: {error}", code="platform-untold")
