from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest
from helpers.environments import environment_at, wheel

from safe_install.engine.images import image_key
from safe_install.install.environment import Environment

if TYPE_CHECKING:
    from pathlib import Path

    from safe_install.install.placement import PreparedWheel


@pytest.fixture
def wheels(tmp_path: Path) -> list[PreparedWheel]:
    return [wheel(tmp_path, "alpha"), wheel(tmp_path, "beta")]


@pytest.mark.parametrize(
    "change",
    [
        {"cache_tag": "cpython-399"},
        {"magic_number": "ffff0d0a"},
        {"version": (3, 99, 0)},
        {"platform": "linux-riscv64"},
        {"relative_paths": {"purelib": "lib", "platlib": "lib", "scripts": "bin", "data": "", "headers": "include"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_kind_of_interpreter_has_another_image(
    wheels: list[PreparedWheel], tmp_path: Path, change: dict[str, object]
) -> None:
    environment = environment_at(tmp_path / "env")
    changed = dataclasses.replace(environment.interpreter, **change)  # type: ignore[arg-type]  # one of its fields
    assert image_key(wheels, Environment.at(environment.root, changed)) != image_key(wheels, environment)


def test_another_patch_release_or_place_has_the_same_image(wheels: list[PreparedWheel], tmp_path: Path) -> None:
    environment = environment_at(tmp_path / "env")
    major, minor, _ = environment.interpreter.version
    changed = dataclasses.replace(environment.interpreter, version=(major, minor, 99), executable="/elsewhere/python")
    assert image_key(wheels, Environment.at(tmp_path / "other", changed)) == image_key(wheels, environment)


def test_an_image_is_named_by_what_each_wheel_brings(wheels: list[PreparedWheel], tmp_path: Path) -> None:
    environment = environment_at(tmp_path / "env")
    one, other = wheels
    url = {"url": "file:///src", "dir_info": {}}
    requested = dataclasses.replace(other, pin=dataclasses.replace(other.pin, requested=not other.pin.requested))
    sets = [
        wheels,
        [one],
        [one, wheel(tmp_path, "beta", "2.0")],
        [one, requested],
        [one, dataclasses.replace(other, direct_url=url)],
    ]
    assert len({image_key(each, environment) for each in sets}) == len(sets)
    assert image_key([other, one], environment) == image_key(wheels, environment)
