"""`safe_install.resolve.markers`: what an answer rests on."""

from __future__ import annotations

import pytest
from helpers.universe import interpreter
from packaging.markers import Marker

from safe_install.resolve.markers import (
    Consulted,
    MarkerEvaluator,
    deciding_variables,
    depends_on_patch,
    first_other_python,
    judge,
)

MARKERS = interpreter("3.11.7").markers


def test_a_marker_is_evaluated_for_the_target_and_not_for_this_process() -> None:
    windows = MarkerEvaluator(interpreter("3.9.1", platform="windows").markers)

    assert windows.applies(Marker("sys_platform == 'win32' and python_version < '3.10'"))
    assert not windows.applies(Marker("os_name == 'posix'"))
    assert windows.applies(None)


def test_extras_are_compared_normalized() -> None:
    evaluator = MarkerEvaluator(MARKERS)

    assert evaluator.applies(Marker("extra == 'Test_It'"), "test-it")
    assert not evaluator.applies(Marker("extra == 'Test_It'"))


def test_a_comparison_without_meaning_does_not_hold() -> None:
    assert not MarkerEvaluator(MARKERS).applies(Marker("sys_platform >= 'linux' and python_version ~= '3'"))


@pytest.mark.parametrize(
    ("marker", "known", "expected"),
    [
        ('os_name == "nt"', {}, None),
        ('os_name == "nt"', {"os_name": "nt"}, True),
        ('os_name == "nt" and extra == "x"', {"extra": ""}, False),
        ('os_name == "nt" or extra == "x"', {"extra": "x"}, True),
        ('os_name == "nt" or extra == "x"', {"extra": ""}, None),
        ('(os_name == "nt" or extra == "x") and "a" in extra', {"extra": "x"}, False),
        ('os_name not in "nt java" and extra == ""', {"os_name": "posix", "extra": ""}, True),
    ],
)
def test_what_is_unknown_matters_only_where_it_decides(
    marker: str, known: dict[str, str], expected: bool | None
) -> None:
    verdict = judge(str(Marker(marker)), known)

    assert verdict.value is expected
    assert bool(verdict.undecided) is (expected is None)


def test_an_extra_that_was_not_asked_for_and_an_old_python_decide_nothing_more() -> None:
    consulted = [
        Consulted('sys_platform == "win32" and extra == "x"', ""),
        Consulted('python_version < "3.8" and platform_machine == "arm64"', ""),
        Consulted('platform_system == "Linux"', ""),
    ]

    assert deciding_variables(consulted, MARKERS) == {"platform_system"}


@pytest.mark.parametrize(
    ("marker", "expected"),
    [
        ('python_version < "3.8"', None),
        ('python_version < "3.11"', None),
        ('python_version < "3.13"', (3, 13)),
        ('python_version >= "3.12"', (3, 12)),
        ('python_full_version >= "3.12.4"', (3, 12)),
        ('python_version >= "3.13" and sys_platform == "win32"', (3, 13)),
        ('python_version >= "3.13" and extra == "x"', None),
        ('python_version != "3.14"', (3, 14)),
    ],
)
def test_answers_hold_up_to_the_first_python_that_may_answer_otherwise(
    marker: str, expected: tuple[int, int] | None
) -> None:
    consulted = [Consulted(marker, "")]

    assert first_other_python(consulted, MARKERS, deciding_variables(consulted, MARKERS)) == expected


def test_patch_releases_matter_only_where_a_marker_tells_them_apart() -> None:
    apart = [Consulted('python_full_version < "3.11.4"', "")]
    alike = [Consulted('python_full_version < "3.11"', "")]

    assert depends_on_patch(apart, MARKERS, frozenset())
    assert not depends_on_patch(alike, MARKERS, frozenset())
