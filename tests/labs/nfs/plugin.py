"""``pytest --lab nfs``: run the tests marked ``lab_nfs`` in NFS laboratories, several of them each.

Here a marked test has one item for each laboratory that it can use. All items of a laboratory run in one pytest within a
machine that is booted for them (`machine`), and their reports come back through a file, as pytest's own. Without the option
the same tests run on the mount that ``SAFE_INSTALL_TESTS_NFS`` names (`mounts`), and skip without one.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from helpers.missing_parts import missing

from . import mounts
from .combinations import PLAIN, REPORT, UPKEEP, Combination, chosen

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from .machine import Machine
    from .mounts import Mount

_MARKER = "lab_nfs"
_MODULE = __name__
_LOOK_SECONDS = 0.1
_ELSEWHERE = Combination("", "", hosts=0)
"""The mount that a variable names, of which nothing is known."""
_FIGURES = "lab-figures"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("laboratories")
    group.addoption(
        "--lab-nfs",
        default="selected",
        metavar="NAMES",
        help="which NFS laboratories: 'selected' (the default), 'all', or names such as 4.2-xfs-2hosts,3-ext4-trouble",
    )
    group.addoption("--lab-jobs", type=int, default=2, metavar="N", help="how many NFS laboratories run at one time")
    group.addoption(
        "--lab-results", metavar="FILE", help="write the seconds and figures of each NFS laboratory as JSON"
    )
    group.addoption("--lab-inside", metavar="COMBINATION", help=f"used by {_MODULE} within a laboratory")
    group.addoption("--lab-reports", metavar="FILE", help=f"used by {_MODULE} within a laboratory")


def pytest_configure(config: pytest.Config) -> None:
    text = f"{_MARKER}(trait={PLAIN!r}): runs in NFS laboratories with this trait, or on a mount"
    config.addinivalue_line("markers", text)
    if path := config.getoption("--lab-reports"):
        config.pluginmanager.register(_Reporter(config, Path(path)))
    elif config.getoption("--lab") == "nfs":
        if getattr(config.option, "numprocesses", None):
            raise pytest.UsageError("--lab nfs runs several laboratories by itself: use --lab-jobs, not --numprocesses")
        config.pluginmanager.register(_Laboratories(config))


def _combinations(config: pytest.Config) -> list[Combination]:
    if inside := config.getoption("--lab-inside"):
        fields = json.loads(inside)
        return [Combination(**{**fields, "places": tuple(fields["places"])})]
    if config.getoption("--lab") != "nfs":
        return [_ELSEWHERE]
    try:
        return chosen(config.getoption("--lab-nfs"))
    except ValueError as error:
        raise pytest.UsageError(str(error)) from error


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make an item of a marked test for each laboratory and, when it asks for one, each place."""
    marker = metafunc.definition.get_closest_marker(_MARKER)
    if marker is None:
        return
    trait = marker.args[0] if marker.args else PLAIN
    fitting = [each for each in _combinations(metafunc.config) if each == _ELSEWHERE or each.trait == trait]
    if "place" not in metafunc.fixturenames:
        metafunc.parametrize("nfs", fitting, indirect=True, ids=[each.name for each in fitting])
        return
    pairs = [(each, place) for each in fitting for place in each.places]
    ids = [f"{each.name}-{place}" for each, place in pairs]
    metafunc.parametrize(("nfs", "place"), pairs, indirect=["nfs"], ids=ids)


@pytest.fixture
def nfs(request: pytest.FixtureRequest) -> Iterator[Mount]:
    """A folder of its own on an NFS mount, and the hosts that have it; nothing may be left in it but what is published."""
    combination: Combination = request.param
    if not os.environ.get("SAFE_INSTALL_TESTS_NFS"):
        pytest.skip("runs with --lab nfs, or on the mount that SAFE_INSTALL_TESTS_NFS names")
    marker = request.node.get_closest_marker(_MARKER)
    if combination == _ELSEWHERE and marker.args and marker.args[0] not in {PLAIN, UPKEEP, REPORT}:
        pytest.skip(f"needs a laboratory with the trait {marker.args[0]!r}: --lab nfs")
    with mounts.opened(combination) as mount:
        yield mount
        request.node.user_properties.append((_FIGURES, dict(mount.figures)))


class _Reporter:
    """Within a laboratory: writes each report to a file, a line each."""

    def __init__(self, config: pytest.Config, path: Path) -> None:
        self._config = config
        self._path = path

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(data) + "\n")


class _Laboratories:
    """Outside: runs the items of each laboratory in a machine of its own."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._runs: list[_Run] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Leave to pytest what belongs to no laboratory, and run the rest afterwards."""
        groups: dict[Combination, list[pytest.Item]] = {}
        for item in session.items:
            if isinstance(combination := _combination_of(item), Combination):
                groups.setdefault(combination, []).append(item)
        if session.config.option.collectonly or session.testsfailed:
            return (yield)
        everything = list(session.items)
        session.items[:] = [item for item in everything if not isinstance(_combination_of(item), Combination)]
        result = yield
        session.items[:] = everything
        if groups:
            self._run(session, [_Run(self._config, each, found) for each, found in groups.items()])
        return result

    def _run(self, session: pytest.Session, waiting: list[_Run]) -> None:
        from .parts import PartsMissingError, ready

        try:
            parts = ready()
        except PartsMissingError as error:
            problem = error
            for run in waiting:
                run.report_missing(str(problem), problem.remedy)
            return
        running: list[_Run] = []
        try:
            while (waiting or running) and not session.shouldfail and not session.shouldstop:
                while waiting and len(running) < self._config.getoption("--lab-jobs"):
                    run = waiting.pop(0)
                    running.append(run)
                    self._runs.append(run)
                    run.begin(parts)
                for run in list(running):
                    if run.advance():
                        running.remove(run)
                time.sleep(_LOOK_SECONDS)
        finally:
            for run in running:
                run.end()
        if session.shouldfail:
            raise session.Failed(session.shouldfail)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Tell how long each laboratory took, and what its commands did."""
        if not self._runs:
            return
        terminalreporter.section("NFS laboratories")
        names = sorted({name for run in self._runs for name in run.figures if ":" not in name})
        terminalreporter.write_line(
            f"{'laboratory':<26}{'up':>6}{'all':>7}{'tests':>7}" + "".join(f"{name:>18}" for name in names)
        )
        for run in self._runs:
            counts = "".join(f"{run.figures[name]:>18,}" for name in names)
            terminalreporter.write_line(f"{run.name:<26}{run.up:>6.1f}{run.seconds:>7.1f}{run.done:>7}{counts}")
        if path := self._config.getoption("--lab-results"):
            text = json.dumps([run.document() for run in self._runs], indent=1)
            Path(path).write_text(text + "\n", encoding="utf-8")


class _Run:
    """The items of one laboratory."""

    def __init__(self, config: pytest.Config, combination: Combination, items: Sequence[pytest.Item]) -> None:
        self.name = combination.name
        self.up = self.seconds = 0.0
        self.done = 0
        self.failed = 0
        self.figures: Counter[str] = Counter()
        self._config = config
        self._combination = combination
        self._waiting = {item.nodeid: item for item in items}
        self._begun: set[str] = set()
        self._machine: Machine | None = None
        self._reports = Path()
        self._read = 0

    def begin(self, parts: Any) -> None:
        """Boot the machine, which begins to run the items."""
        from .machine import Machine

        descriptor, path = tempfile.mkstemp(prefix="safe-install-lab-", suffix=".reports")
        os.close(descriptor)
        self._reports = Path(path)
        inside = json.dumps(self._combination._asdict())
        command = [sys.executable, "-m", "pytest", "--quiet", "--rootdir", str(self._config.rootpath)]
        command += ["-p", "pytest_timeout", "-p", "no:cacheprovider", f"--timeout={mounts.PATIENCE:g}"]
        command += [f"--lab-inside={inside}", f"--lab-reports={self._reports}"]
        command += [f"--rounds={self._config.getoption('--rounds')}", *self._waiting]
        variables = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        variables.pop("PYTEST_CURRENT_TEST", None)
        machine = Machine(parts, self._combination, command, folder=self._config.rootpath, variables=variables)
        self._machine = machine.__enter__()

    def advance(self) -> bool:
        """Pass on the reports that are new; return whether the machine has ended, and is off."""
        assert self._machine is not None
        code = self._machine.code()
        with self._reports.open(encoding="utf-8") as file:
            file.seek(self._read)
            while (line := file.readline()).endswith("\n"):
                self._read = file.tell()
                self._pass_on(json.loads(line))
        if code is None:
            return False
        text = f"the laboratory ended with {code}\n{self._machine.output()}\n{self._machine.logs()}"
        for nodeid in list(self._waiting):
            self._fail(nodeid, text)
            text = "the laboratory ended; the first of its tests tells how"
        self.end()
        return True

    def end(self) -> None:
        """Switch the machine off."""
        if self._machine is not None:
            self.up, self.seconds = self._machine.up or 0.0, self._machine.seconds
            self._machine.__exit__(None, None, None)
            self._machine = None
            self._reports.unlink(missing_ok=True)

    def document(self) -> dict[str, object]:
        """What there is to tell, for a file."""
        combination = {**self._combination._asdict(), "name": self.name}
        times = {"up": round(self.up, 1), "seconds": round(self.seconds, 1)}
        return {**combination, **times, "tests": self.done, "failed": self.failed, "figures": dict(self.figures)}

    def report_missing(self, what: str, remedy: str) -> None:
        """Let every item skip or fail (`missing_parts`), since there can be no machine."""
        for nodeid in list(self._waiting):
            self._fail(nodeid, None, lambda: missing(what, remedy))

    def _pass_on(self, data: dict[str, Any]) -> None:
        report = self._config.hook.pytest_report_from_serializable(config=self._config, data=data)
        item = self._waiting.get(report.nodeid)
        if item is None:
            return
        if report.nodeid not in self._begun:
            self._begun.add(report.nodeid)
            item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        item.ihook.pytest_runtest_logreport(report=report)
        self.failed += report.failed
        if report.when == "teardown":
            self.done += 1
            for key, value in report.user_properties:
                if key == _FIGURES:
                    self.figures.update(value)
            del self._waiting[report.nodeid]
            item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)

    def _fail(self, nodeid: str, text: str | None, function: Any = None) -> None:
        item = self._waiting.pop(nodeid)
        call = pytest.CallInfo.from_call(function or (lambda: pytest.fail(text or "", pytrace=False)), "call")
        report = pytest.TestReport.from_item_and_call(item, call)
        self.failed += report.failed
        item.ihook.pytest_runtest_logreport(report=report)


def _combination_of(item: pytest.Item) -> object:
    return item.callspec.params.get("nfs") if isinstance(item, pytest.Function) and hasattr(item, "callspec") else None
