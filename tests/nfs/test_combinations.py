"""What the laboratories of each change cover; runs without one."""

from __future__ import annotations

import pytest
from labs.nfs import combinations
from labs.nfs.combinations import PLACES, SELECTED, chosen, product


def test_the_selection_has_everything_that_is_promised() -> None:
    assert {each.version for each in SELECTED} == {"3", "4.0", "4.2"}
    assert {each.export for each in SELECTED} == {"ext4", "xfs"}
    assert {each.hosts for each in SELECTED} == {2, 3, 4}
    assert {each.trait for each in SELECTED} == {each.trait for each in product()} - {combinations.CRASH}
    assert {place for each in SELECTED if each.trait == combinations.PLAIN for place in each.places} == set(PLACES)


def test_names_tell_one_from_another() -> None:
    for several in (list(SELECTED), list(product())):
        names = [each.name for each in several]
        assert len(set(names)) == len(names)
        assert [each.name for each in chosen(",".join(names))] == names


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"5-ext4-2hosts; there are .*4\.2-xfs-2hosts"):
        chosen("5-ext4-2hosts")
