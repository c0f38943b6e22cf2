"""What is done to a store and an environment while its calls fail."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from faults.strace.world import TAG_OF_THE_DEAD
from helpers.stocked_index import StockedIndex, pins

from safe_install.store.seed_checking import check_generation
from safe_install.store.seeds import Seed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from faults.strace.world import World
    from helpers.index import Offered

SCRIPT = "[console_scripts]\nbeta = beta:main\n"
BETA = {"beta/__init__.py": '__version__ = "2.0"\ndef main(): print("beta")\n', "beta/deep/er/part.py": "x = 1\n"}


def stock(index: StockedIndex) -> dict[str, Offered]:
    """Offer the set: three tiny wheels, another version of one, and an sdist with its own backend."""
    return {
        "alpha 1": index.wheel("alpha"),
        "alpha 3": index.wheel("alpha", "3.0"),
        "beta": index.wheel("beta", "2.0", files=BETA, entry_points=SCRIPT),
        "gamma": index.wheel("gamma", data={"scripts/gamma": "#!python\nprint('gamma')\n", "data/etc/gamma": "y\n"}),
        "delta": index.sdist("delta"),
    }


def write_lock(world: World, name: str, files: Iterable[Offered]) -> Path:
    """Write a requirements file that pins *files* with their hashes."""
    path = world.inputs / name
    path.write_text(pins(*files), encoding="utf-8")
    return path


def nothing(_world: World) -> None:
    """Prepare, or ask, nothing."""


def no_problems(_world: World) -> Iterable[str]:
    """Find nothing wrong."""
    return ()


@dataclass(frozen=True)
class Scenario:
    """One command in one state of the world.

    :param prepare: makes the state before; the inputs are written already.
    :param arguments: of the command.
    :param check: asserts what must hold after the command succeeded.
    :param problems: says what must not be seen at any time.
    """

    name: str
    prepare: Callable[[World], None]
    arguments: Callable[[World], Sequence[str | Path]]
    check: Callable[[World], None] = nothing
    problems: Callable[[World], Iterable[str]] = no_problems


LOCK = "lock.txt"
OLD_LOCK = "old-lock.txt"
VERSIONS = {"alpha": "3.0", "beta": "2.0", "delta": "1.0"}


def write_inputs(world: World, index: StockedIndex) -> None:
    """Write the locks that scenarios install."""
    files = stock(index)
    world.command.use(index)
    write_lock(world, LOCK, [files["alpha 3"], files["beta"], files["delta"]])
    write_lock(world, OLD_LOCK, [files["alpha 1"], files["gamma"], files["beta"]])
    (world.inputs / "empty.txt").write_text("", encoding="utf-8")


def _fetch(world: World) -> Sequence[str | Path]:
    return ("fetch", world.inputs / LOCK)


def _sync(world: World) -> Sequence[str | Path]:
    return ("sync", world.inputs / LOCK)


def _attach(world: World) -> Sequence[str | Path]:
    return (*_sync(world), "--link-mode", "attach", "--isolation", "shared")


def _empty_store(world: World) -> None:
    """A store without entries, but for what it knows of the interpreter; making one is a scenario of its own."""
    world.run("sync", world.inputs / "empty.txt", "--venv", world.elsewhere / "venv")


def _warm_store(world: World) -> None:
    _empty_store(world)
    world.run("fetch", world.inputs / LOCK)


def _old_environment(world: World) -> None:
    _warm_store(world)
    world.run("sync", world.inputs / OLD_LOCK)


def _damaged_store(world: World) -> None:
    """One entry cut short, an environment that has it, and a pointer to it."""
    _old_environment(world)
    (path,) = (world.command.store / "wheels-1").glob("*/*/tree/delta/__init__.py")
    path.unlink()
    path.write_bytes(b"")


def _image(world: World) -> None:
    """An image that no environment refers to yet, and an environment with files of its own that is to give way."""
    _warm_store(world)
    world.run("sync", world.inputs / LOCK, "--venv", world.elsewhere / "other")
    world.run("sync", world.inputs / OLD_LOCK)


def _is_installed(world: World) -> None:
    assert world.command.installed() == VERSIONS
    _is_imported(world)


def _is_imported(world: World) -> None:
    said = world.command.run_python(
        "import alpha, beta.deep.er.part, delta; print(alpha.__version__, beta.__version__, delta.__version__)"
    )
    assert said == "3.0 2.0 1.0"


def _is_fetched(world: World) -> None:
    assert len(list((world.command.store / "wheels-1").glob("*/*"))) == len(VERSIONS)


def _seed(world: World) -> Path:
    return world.command.home / "seed"


def _published_seed(world: World) -> None:
    _warm_store(world)
    world.run("seed", "publish", _seed(world), world.inputs / OLD_LOCK)


def _seed_with_two_generations(world: World) -> None:
    _published_seed(world)
    world.run("seed", "publish", _seed(world), world.inputs / LOCK)


def _generation_before(world: World) -> str:
    return str(Seed.open_for_reading(_seed(world), retry_budget=0).pointer().before())


def _names_in_seed(world: World) -> set[str]:
    seed = Seed.open_for_reading(_seed(world), retry_budget=0)
    return {wheel.filename.partition("-")[0] for wheel in seed.generation(seed.pointer().current).wheels.values()}


def _new_is_current(world: World) -> None:
    assert _names_in_seed(world) == {"alpha", "beta", "delta"}


def _old_is_current(world: World) -> None:
    assert _names_in_seed(world) == {"alpha", "beta", "gamma"}


def _problems_of_seed(world: World) -> Iterable[str]:
    """One of the two generations is current, and all that it lists is there."""
    seed = Seed.open_for_reading(_seed(world), retry_budget=0)
    generation = seed.generation(seed.pointer().current)
    if _names_in_seed(world) not in ({"alpha", "beta", "gamma"}, {"alpha", "beta", "delta"}):
        yield f"the current generation is {_names_in_seed(world)}"
    yield from check_generation(seed.store, generation)


def _left_overs(world: World) -> None:
    """An environment whose entries are not needed any more, and what a killed process and a clean-up left."""
    _old_environment(world)
    for place in ("staging/tree-0123456789abcdef", "trash/0123456789abcdef"):
        folder = world.command.store / f"{place}.{TAG_OF_THE_DEAD}"
        (folder / "tree" / "half").mkdir(parents=True)
        (folder / "tree" / "half" / "made.py").write_text("x = ", encoding="utf-8")


def _is_collected(world: World) -> None:
    assert list((world.command.store / "wheels-1").glob("*/*")) == []
    assert world.litter() == []
    assert world.command.run_python("import alpha, beta, gamma; print(alpha.__version__)") == "1.0"


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("publish", _empty_store, _fetch, _is_fetched),
        Scenario("install-new", _warm_store, _sync, _is_installed),
        Scenario("install-existing", _old_environment, _sync, _is_installed),
        Scenario("attach", _image, _attach, _is_imported),
        Scenario("repair", _damaged_store, _sync, _is_installed),
        Scenario("gc", _left_overs, lambda _: ("cache", "gc", "--max-size", "1"), _is_collected),
        Scenario(
            "seed-publish",
            _published_seed,
            lambda world: ("seed", "publish", _seed(world), world.inputs / LOCK),
            _new_is_current,
            _problems_of_seed,
        ),
        Scenario(
            "seed-switch",
            _seed_with_two_generations,
            lambda world: ("seed", "rollback", f"{_seed(world)}@{_generation_before(world)}"),
            _old_is_current,
            _problems_of_seed,
        ),
    )
}
