"""Every answer of the resolver meets every requirement in it, and an answer is found where one exists."""

from __future__ import annotations

import itertools

import hypothesis.strategies as st
from helpers.universe import Universe, interpreter
from hypothesis import given
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from safe_install.errors import RequirementsError
from safe_install.resolve.request import ResolveRequest
from safe_install.resolve.requirement import WantedRequirement
from safe_install.resolve.resolver import resolve

NAMES = "abcd"
VERSIONS = (1, 2, 3)
SPECIFIERS = st.sampled_from(["", ">=2", "<3", "==1", "==2", "!=2", ">1"])
REQUIREMENTS = st.lists(st.tuples(st.sampled_from(NAMES), SPECIFIERS), max_size=2).map(
    lambda pairs: tuple(f"{name}{specifier}" for name, specifier in pairs)
)
World = dict[tuple[str, int], tuple[str, ...]]
WORLDS = st.fixed_dictionaries({(name, version): REQUIREMENTS for name in NAMES for version in VERSIONS})


def meets(chosen: dict[str, int], texts: tuple[str, ...]) -> bool:
    for requirement in map(Requirement, texts):
        version = chosen.get(requirement.name, 0)
        if not version or not requirement.specifier.contains(str(version)):
            return False
    return True


def solutions(world: World, asked: tuple[str, ...]) -> bool:
    """Whether any choice of versions (0: not installed) meets everything: all of them are tried."""
    for choice in itertools.product((0, *VERSIONS), repeat=len(NAMES)):
        chosen = {name: version for name, version in zip(NAMES, choice, strict=True) if version}
        if meets(chosen, asked) and all(meets(chosen, world[item]) for item in chosen.items()):
            return True
    return False


@given(WORLDS, st.lists(st.tuples(st.sampled_from(NAMES), SPECIFIERS), min_size=1, max_size=3))
def test_the_answer_is_right_and_found_whenever_there_is_one(world: World, pairs: list[tuple[str, str]]) -> None:
    asked = tuple(f"{name}{specifier}" for name, specifier in pairs)
    universe = Universe()
    for (name, version), requires in world.items():
        universe.add(name, str(version), requires=requires)
    wanted = tuple(
        WantedRequirement(name=canonicalize_name(item.name), specifier=item.specifier, text=str(item))
        for item in map(Requirement, asked)
    )

    chosen = answer(universe, wanted)

    if chosen is None:
        assert not solutions(world, asked)
    else:
        assert meets(chosen, asked)
        assert all(meets(chosen, world[item]) for item in chosen.items())


def answer(universe: Universe, wanted: tuple[WantedRequirement, ...]) -> dict[str, int] | None:
    try:
        found = resolve(ResolveRequest(requirements=wanted), universe, interpreter())
    except RequirementsError:
        return None
    return {str(pin.name): int(str(pin.version)) for pin in found.pins}
