"""Evaluate environment markers for a target interpreter, and tell on what an answer rests.

An answer can be independent of most variables that a marker names: ``sys_platform == "win32" and extra == "x"`` is
false wherever extra ``x`` was not asked for. A lock is therefore bound only to the variables that decide something
(`deciding_variables`), and to the Python versions for which every answer stays the same (`first_other_python`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from packaging.markers import Marker, UndefinedComparison

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PYTHON_VARIABLES = frozenset({"python_version", "python_full_version"})
# Python minor versions that are looked at beyond the target's, when a lock's upper bound is sought.
_MINORS_AHEAD = 30
_TOKEN = re.compile(r"""\(|\)|"[^"]*"|'[^']*'|not\s+in\b|[<>=!~]+|[A-Za-z_.]+""")


class Consulted(NamedTuple):
    """A marker that was evaluated for the result. :param extra: the extra it was evaluated with, or empty."""

    marker: str
    extra: str


class Verdict(NamedTuple):
    """:param value: None where only the *undecided* variables could tell."""

    value: bool | None
    undecided: frozenset[str] = frozenset()


class MarkerEvaluator:
    """Answers whether a marker applies, each question once. :param markers: the target's values (PEP 508)."""

    def __init__(self, markers: Mapping[str, str]) -> None:
        self._markers = dict(markers)
        self._answers: dict[Consulted, bool] = {}

    def applies(self, marker: Marker | None, extra: str = "") -> bool:
        """Whether *marker* holds with *extra* asked for; a comparison that has no meaning does not hold."""
        if marker is None:
            return True
        question = Consulted(str(marker), extra)
        if question not in self._answers:
            try:
                answer = marker.evaluate({**self._markers, "extra": extra})
            except UndefinedComparison:
                answer = False
            self._answers[question] = answer
        return self._answers[question]


def judge(marker: str, known: Mapping[str, str]) -> Verdict:
    """Evaluate *marker* as far as the variables in *known* allow (three-valued logic)."""
    return _Judge(marker, known).disjunction()


def deciding_variables(consulted: Iterable[Consulted], markers: Mapping[str, str]) -> frozenset[str]:
    """The variables other than Python's version on which some answer rests, this Python given."""
    python = {name: markers[name] for name in PYTHON_VARIABLES}
    found: set[str] = set()
    for question in consulted:
        found |= judge(question.marker, {**python, "extra": question.extra}).undecided
    return frozenset(found)


def named_python_variables(consulted: Iterable[Consulted]) -> frozenset[str]:
    """Those of `PYTHON_VARIABLES` that some marker names."""
    words = {word for question in consulted for word in _TOKEN.findall(question.marker)}
    return PYTHON_VARIABLES & words


def first_other_python(
    consulted: Iterable[Consulted], markers: Mapping[str, str], deciding: frozenset[str]
) -> tuple[int, int] | None:
    """The first Python minor version above the target's for which an answer could differ, if there is one."""
    questions = list(consulted)
    expected = _verdicts(questions, markers, deciding, markers["python_full_version"])
    major, minor = _minor(markers)
    for later in range(minor + 1, minor + _MINORS_AHEAD):
        if any(_verdicts(questions, markers, deciding, f"{major}.{later}.{patch}") != expected for patch in (0, 9999)):
            return major, later
    return None


def depends_on_patch(consulted: Iterable[Consulted], markers: Mapping[str, str], deciding: frozenset[str]) -> bool:
    """Whether an answer could differ for another patch release of the target's minor version."""
    questions = list(consulted)
    expected = _verdicts(questions, markers, deciding, markers["python_full_version"])
    major, minor = _minor(markers)
    return any(_verdicts(questions, markers, deciding, f"{major}.{minor}.{patch}") != expected for patch in (0, 9999))


def _minor(markers: Mapping[str, str]) -> tuple[int, int]:
    major, minor = markers["python_version"].split(".")[:2]
    return int(major), int(minor)


def _verdicts(
    questions: list[Consulted], markers: Mapping[str, str], deciding: frozenset[str], python: str
) -> list[bool | None]:
    known = {name: markers[name] for name in deciding if name in markers}
    known["python_full_version"] = python
    known["python_version"] = ".".join(python.split(".")[:2])
    return [judge(question.marker, {**known, "extra": question.extra}).value for question in questions]


class _Judge:
    """A recursive descent over the text that `str(Marker)` gives; packaging has no public syntax tree."""

    def __init__(self, marker: str, known: Mapping[str, str]) -> None:
        self._tokens = _TOKEN.findall(marker)
        self._known = known

    def disjunction(self) -> Verdict:
        verdicts = [self._conjunction()]
        while self._take("or"):
            verdicts.append(self._conjunction())
        return _combine(verdicts, decisive=True)

    def _conjunction(self) -> Verdict:
        verdicts = [self._atom()]
        while self._take("and"):
            verdicts.append(self._atom())
        return _combine(verdicts, decisive=False)

    def _atom(self) -> Verdict:
        if self._take("("):
            verdict = self.disjunction()
            self._take(")")
            return verdict
        left, operator, right = self._tokens[:3]
        del self._tokens[:3]
        variables = frozenset(operand for operand in (left, right) if operand[0] not in "\"'")
        unknown = variables - self._known.keys()
        if unknown:
            return Verdict(None, unknown)
        try:
            return Verdict(Marker(f"{left} {operator} {right}").evaluate(dict(self._known)))
        except UndefinedComparison:
            return Verdict(value=False)

    def _take(self, token: str) -> bool:
        if self._tokens[:1] != [token]:
            return False
        del self._tokens[0]
        return True


def _combine(verdicts: list[Verdict], *, decisive: bool) -> Verdict:
    """Join by ``or`` (*decisive* True) or ``and`` (False): one decisive answer settles it."""
    if any(verdict.value is decisive for verdict in verdicts):
        return Verdict(decisive)
    undecided = frozenset[str]().union(*(verdict.undecided for verdict in verdicts))
    if undecided or any(verdict.value is None for verdict in verdicts):
        return Verdict(None, undecided)
    return Verdict(not decisive)
