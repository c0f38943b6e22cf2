"""`safe_install.resolve.explain`: the chain of requirements that leads to a conflict."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.universe import Universe, interpreter

from safe_install.errors import BuildError, RequirementsError
from safe_install.models import FormatControl
from safe_install.resolve.request import ResolveRequest
from safe_install.resolve.requirement import WantedRequirement, parse_requirement
from safe_install.resolve.resolver import resolve


@pytest.fixture
def universe() -> Universe:
    return Universe()


def wanted(*texts: str, file: str = "r.txt") -> tuple[WantedRequirement, ...]:
    return tuple(parse_requirement(text, base=Path("/"), origin=f"{file}:{i}") for i, text in enumerate(texts, 1))


def failure(universe: Universe, *texts: str, **request: object) -> RequirementsError:
    with pytest.raises(RequirementsError) as caught:
        resolve(ResolveRequest(requirements=wanted(*texts), **request), universe, interpreter())  # type: ignore[arg-type]
    return caught.value


def test_two_lines_that_contradict_each_other_are_both_named(universe: Universe) -> None:
    for version in ("1.0", "2.0"):
        universe.add("a", version)

    error = failure(universe, "a>=2", "a<2")

    assert error.code == "resolution-impossible"
    assert error.message == "the requirements contradict one another about a"
    assert error.context == ("r.txt:1 asks for a>=2", "r.txt:2 asks for a<2")


def test_a_conflict_deep_down_is_traced_to_the_input(universe: Universe) -> None:
    universe.add("app", "1.0", requires=["middle>1"])
    universe.add("middle", "2.0", requires=["b"])
    universe.add("b", "1.0", requires=["a<2"])
    for version in ("1.0", "2.0"):
        universe.add("a", version)

    error = failure(universe, "app", "a>=2")

    assert error.context == (
        "r.txt:2 asks for a>=2",
        "b 1.0 needs a<2",
        "  because middle 2.0 needs b",
        "  because app 1.0 needs middle>1",
        "  because r.txt:1 asks for app",
    )


def test_versions_that_say_the_same_share_a_line(universe: Universe) -> None:
    for number in range(1, 8):
        universe.add("b", f"{number}.0", requires=["a<2"])
    universe.add("a", "1.0")
    universe.add("a", "2.0")

    assert "b 7.0, 6.0, 5.0 and 4 other versions needs a<2" in failure(universe, "a>=2", "b").context


def test_a_constraint_is_named_as_one(universe: Universe) -> None:
    for version in ("1.0", "2.0"):
        universe.add("a", version)

    error = failure(universe, "a>=2", constraints=wanted("a<2", file="c.txt"))

    assert error.code == "resolution-impossible"
    assert error.context == ("r.txt:1 asks for a>=2", "constraint a<2 (c.txt:1)")


def test_a_project_that_nobody_knows(universe: Universe) -> None:
    universe.add("app", "1.0", requires=["ghost"])

    error = failure(universe, "app")

    assert (error.code, error.message) == ("no-such-project", "no index has a project named ghost")
    assert error.context == ("app 1.0 needs ghost", "  because r.txt:1 asks for app")


def test_a_version_that_nobody_has_is_answered_with_the_closest(universe: Universe) -> None:
    for number in range(20):
        universe.add("a", f"1.{number}")

    error = failure(universe, "a==1.9.5")

    assert (error.code, error.message) == ("no-matching-version", "no version of a matches ==1.9.5")
    assert error.context[-1] == "there are: 1.12, 1.11, 1.10, 1.9, 1.8, 1.7 and 14 others"


def test_wheels_for_other_interpreters_only(universe: Universe) -> None:
    universe.add("a", "2.0", files=["a-2.0-cp312-cp312-manylinux_2_17_x86_64.whl", "a-2.0-cp313-cp313-win32.whl"])

    error = failure(universe, "a")

    assert error.code == "no-compatible-file"
    assert "a 2.0: wheels exist for cp312, cp313 on manylinux_2_17_x86_64, win32" in error.context


def test_versions_for_other_pythons_only(universe: Universe) -> None:
    universe.add("a", "2.0", page_requires_python=">=3.12")

    error = failure(universe, "a")

    assert error.code == "no-compatible-file"
    assert "a 2.0: needs Python >=3.12" in error.context
    assert error.hint is not None
    assert "--python" in error.hint


def test_a_python_that_only_the_metadata_refuse(universe: Universe) -> None:
    universe.add("a", "2.0", requires_python=">=3.12")

    error = failure(universe, "a")

    assert error.code == "no-compatible-file"
    assert error.context == ("a 2.0 needs Python >=3.12; this is 3.11.7", "  because r.txt:1 asks for a")


def test_only_an_sdist_where_building_is_forbidden(universe: Universe) -> None:
    universe.add("a", "2.0", files=["a-2.0.tar.gz"])

    error = failure(universe, "a", format_control=FormatControl(only_binary=frozenset({":all:"})))

    assert "a 2.0: only an sdist, and --only-binary forbids building" in error.context


def test_only_yanked_versions(universe: Universe) -> None:
    universe.add("a", "2.0", yanked="leaks")

    error = failure(universe, "a>=1")

    assert "a 2.0: yanked: leaks" in error.context
    assert error.hint is not None
    assert "==" in error.hint


def test_pre_releases_that_were_not_tried_are_hinted_at(universe: Universe) -> None:
    universe.add("a", "1.0", requires=["b<2"])
    universe.add("a", "2.0rc1")
    for version in ("1.0", "2.0"):
        universe.add("b", version)

    error = failure(universe, "a", "b>=2")

    assert error.code == "resolution-impossible"
    assert error.hint == "pre-releases were not tried, such as a 2.0rc1: --pre allows them"


def test_broken_versions_are_named_beside_contradicting_ones(universe: Universe) -> None:
    universe.add("a", "2.0", broken=BuildError("a 2.0 could not be built", code="build-failed"))
    universe.add("a", "1.0", requires=["b<1"])
    universe.add("b", "1.0")

    error = failure(universe, "a", "b>=1")

    assert "a 2.0 cannot be used: a 2.0 could not be built" in error.context
    assert "a 1.0 needs b<1" in error.context


def test_a_long_explanation_is_cut(universe: Universe) -> None:
    for number in range(40):
        universe.add(f"p{number}", "1.0", requires=[f"a=={number}"])
        universe.add("a", f"{number}")

    error = failure(universe, *(f"p{number}" for number in range(40)))

    assert len(error.context) <= 25
