"""The ``seed`` commands: publish, list, show, verify, roll back and collect generations (design section 4)."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import InputError, IntegrityError, PolicyError, StoreError
from ..events import SteppedDown
from ..install.placement import PreparedWheel
from ..models import DirectorySource, Hashes, Pin, RemoteFile, Trust, VcsSource
from ..store.generations import Generation
from ..store.layout import Layout
from ..store.seed_filling import Listing, Pulling, copy_generation
from ..store.seeds import Seed, WritableSeed
from ..store.store import Store
from .inputs import read_locked_set
from .report import DistributionResult, Outcome
from .session import Session
from .supply import Supplied, require_hashes
from .workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ..events import EventSink
    from ..models import Digest, SeedReference
    from ..settings import Settings
    from ..store.chain import NamedLayer
    from ..store.seed_cleanup import Collected
    from .indexes import FileOptions
    from .session import Surroundings


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What a publish did. :param before: the generation that was current; *generation* is now."""

    generation: Digest
    before: Digest | None
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedGeneration:
    """One generation of a seed.

    :param since: when it became the current one last, in seconds since 1970; None when it never was.
    :param entries: how many it lists; None when it cannot be read.
    """

    digest: Digest
    current: bool
    since: float | None
    entries: int | None


def publish(
    settings: Settings,
    surroundings: Surroundings,
    sink: EventSink,
    root: Path,
    sources: Sequence[str],
    *,
    add: bool,
    extras: Sequence[str],
    groups: Sequence[str],
) -> Published:
    """Make a generation of everything that *sources* need, and the current one.

    :param sources: locks and requirements files in which everything is pinned, folders of wheels, stores, other seeds
        (``DIR`` or ``DIR@DIGEST``); each for itself, so that two may pin different versions.
    :param add: keep what the current generation lists.
    :raises SafeInstallError: the old generation is still current.
    """
    refuse_untrusted(settings, root)
    seed = WritableSeed.open(root, retry_budget=settings.retry_budget, sink=sink)
    with seed.held(timeout=settings.lock_timeout):
        pointer = seed.pointer_if_any()
        before = pointer.current if pointer else None
        generation = seed.generation(before) if add and before is not None else Generation()
        filler = _Filler(settings, surroundings, sink, seed)
        for source in sources:
            generation |= filler.fill(source, extras=extras, groups=groups)
        if not generation:
            raise InputError(
                f"nothing was found that could be published to the seed at {seed.root}",
                code="nothing-to-publish",
                context=tuple(sources),
            )
        digest = seed.publish(generation)
    outcome = Outcome(
        distributions=filler.results,
        layout={"seed": str(seed.root), "generation": digest, **({"before": before} if before else {})},
    )
    return Published(generation=digest, before=before, outcome=outcome)


class _Filler:
    """Brings what sources need into a seed's store, and lists it."""

    def __init__(self, settings: Settings, surroundings: Surroundings, sink: EventSink, seed: WritableSeed) -> None:
        self._settings = settings
        self._surroundings = surroundings
        self._sink = sink
        self._seed = seed
        self._pulling = Pulling(seed.store, self._lower(), name="seed", sink=sink)
        self.results: list[DistributionResult] = []

    def fill(self, source: str, *, extras: Sequence[str], groups: Sequence[str]) -> Generation:
        """Return the list of what one source needs."""
        folder, separator, beginning = source.rpartition("@")
        path = self._surroundings.folder / source
        if separator and not path.exists():
            return self._from_seed(self._surroundings.folder / folder, beginning)
        if not path.is_dir():
            return self._from_lock(source, extras=extras, groups=groups)
        layout = Layout(path)
        if layout.current.exists():
            return self._from_seed(path, None)
        if layout.marker.exists():
            listing = Listing(Store.open_for_reading(path, retry_budget=self._settings.retry_budget, sink=self._sink))
            listing.note_all()
            return listing.generation(self._seed.store)
        return self._from_wheels(path)

    def _from_seed(self, root: Path, beginning: str | None) -> Generation:
        source = Seed.open_for_reading(root, retry_budget=self._settings.retry_budget, sink=self._sink)
        return copy_generation(source, source.generation(source.chosen(beginning)), self._seed.store)

    def _from_wheels(self, folder: Path) -> Generation:
        from packaging.utils import InvalidWheelFilename, parse_wheel_filename

        listing = Listing(self._seed.store)
        names = sorted(name for name in os.listdir(folder) if name.endswith(".whl"))
        if not names:
            raise InputError(f"there are no wheels in {folder}", code="no-wheels")
        with self._session(self._pulling) as session:
            workshop = Workshop(session, session.interpreter(self._settings.python))
            for filename in names:
                try:
                    name, version, _, _ = parse_wheel_filename(filename)
                except InvalidWheelFilename as error:
                    raise InputError(f"{folder / filename}: {error}", code="wheel-name-invalid") from error
                file = RemoteFile(url=(folder / filename).absolute().as_uri(), filename=filename)
                wheel = workshop.artifacts.wheel(
                    file, name=name, version=version, hashes=Hashes(), key=f"{name}=={version}"
                )
                listing.wheel(wheel.tree.digest)
                pin = Pin(name=name, version=version, files=(file,))
                prepared = PreparedWheel(pin=pin, tree=wheel.tree)
                self._note([Supplied(wheel=prepared, origin=wheel.origin, source=file.url)])
        return listing.generation(self._seed.store)

    def _from_lock(self, source: str, *, extras: Sequence[str], groups: Sequence[str]) -> Generation:
        with self._session(self._pulling) as session:
            interpreter = session.interpreter(self._settings.python)
            workshop = Workshop(session, interpreter)
            locked = read_locked_set(session, workshop, [source], extras=extras, groups=groups)
            if locked.hashed:
                require_hashes(locked.pins, locked=True)
            pins = [pin for pin in locked.pins if not self._depends_on_this_machine(pin)]
            self._note(workshop.supply.prepare(pins))
            # Which index the pages are from.
            options = session.file_options
        # What a checkout is needed for can never be had offline; its wheel is shared all the same.
        checked_out = [pin for pin in pins if isinstance(pin.direct, VcsSource)]
        others = [pin for pin in pins if not isinstance(pin.direct, VcsSource)]
        listing = Listing(self._seed.store)
        self._rehearse(listing, others, options, offline=True)
        self._rehearse(listing, checked_out, options, offline=self._settings.offline)
        return listing.generation(self._seed.store)

    def _rehearse(self, listing: Listing, pins: Sequence[Pin], options: FileOptions, *, offline: bool) -> None:
        """Do from the seed alone what a job will do, so that all that it needs is listed."""
        if not pins:
            return
        settings = dataclasses.replace(self._settings, offline=offline)
        with Session(settings, self._surroundings, self._sink, store=listing) as session:
            session.add_file_options(options)
            workshop = Workshop(session, session.interpreter(settings.python))
            for each in workshop.supply.prepare(pins):
                if listing.layer_of(each.wheel.tree.folder) is None:
                    self._tell_left_out(each.wheel.pin, "its build is never shared")

    def _depends_on_this_machine(self, pin: Pin) -> bool:
        if not isinstance(pin.direct, DirectorySource):
            return False
        self._tell_left_out(pin, "it is built from a folder of this machine")
        return True

    def _tell_left_out(self, pin: Pin, reason: str) -> None:
        self._sink(SteppedDown(kind="not-published", message=f"{pin} is not in the generation: {reason}"))

    def _note(self, supplied: Sequence[Supplied]) -> None:
        self.results += [
            DistributionResult(
                name=each.wheel.name,
                version=str(each.wheel.pin.version or ""),
                key=str(each.wheel.pin),
                source=each.source,
                origin=each.origin,
                action="published",
            )
            for each in supplied
        ]

    def _session(self, store: Pulling) -> Session:
        return Session(self._settings, self._surroundings, self._sink, store=store)

    def _lower(self) -> list[NamedLayer]:
        """Where something may be already: this user's store and the seeds that were named. Only read."""
        if not self._settings.shared:
            return []
        from .layers import Layers

        return Layers(self._settings, self._surroundings.cache_dir, job=None, sink=self._sink).open_for_reading()


def list_generations(seed: Seed) -> list[ListedGeneration]:
    """Return all generations of a seed, the current one first, then those that were current most recently."""
    pointer = seed.pointer()
    since = {each.generation: each.since for each in pointer.history}
    found = []
    for digest in seed.generations():
        try:
            generation = seed.generation(digest)
            entries = generation.entries
        except (IntegrityError, StoreError):
            entries = None
        current = digest == pointer.current
        found.append(ListedGeneration(digest=digest, current=current, since=since.get(digest), entries=entries))
    return sorted(found, key=lambda each: (not each.current, -(each.since or 0), each.digest))


def verify(seed: Seed, beginning: str | None, sink: EventSink) -> tuple[Digest, int]:
    """Hash everything that a generation lists; return its digest and how many entries it has.

    :raises IntegrityError: ``seed-damaged``; names what is missing or damaged.
    """
    from ..store.seed_checking import check_generation

    digest = seed.chosen(beginning)
    generation = seed.generation(digest)
    problems = check_generation(seed.store, generation, sink=sink)
    count = generation.entries
    if problems:
        raise IntegrityError(
            f"{len(problems)} of {count} entries of the seed at {seed.root} are missing or damaged",
            code="seed-damaged",
            context=tuple(problems),
            hint=f"publish again: `ci-install seed publish {seed.root} FILE…` makes what is missing",
        )
    return digest, count


def roll_back(settings: Settings, sink: EventSink, reference: SeedReference) -> tuple[Digest, Digest]:
    """Make the generation that *reference* names the current one, or that before the current one.

    :return: the generations that were and that are current.
    :raises InputError: ``no-earlier-generation``, or see `Seed.named`. Nothing was changed.
    """
    refuse_untrusted(settings, reference.path)
    seed = _open_existing(settings, sink, reference.path)
    with seed.held(timeout=settings.lock_timeout):
        pointer = seed.pointer()
        if reference.generation is not None:
            target = seed.named(reference.generation)
        elif (earlier := pointer.before()) is not None:
            target = earlier
        else:
            raise InputError(
                f"the seed at {seed.root} has no generation from before the current one",
                code="no-earlier-generation",
                hint=f"`ci-install seed list {seed.root}` lists those that it has; name one as {seed.root}@DIGEST",
            )
        seed.point_to(target)
    return pointer.current, target


def collect_garbage(
    settings: Settings, sink: EventSink, root: Path, *, keep: int, min_age: float, dry_run: bool
) -> Collected:
    """Remove from the seed at *root* what no kept generation lists. Parameters and errors as `collect`."""
    from ..store.seed_cleanup import collect

    refuse_untrusted(settings, root)
    seed = _open_existing(settings, sink, root)
    with seed.held(timeout=settings.lock_timeout):
        return collect(seed, keep=keep, min_age=min_age, dry_run=dry_run, sink=sink)


def refuse_untrusted(settings: Settings, root: Path) -> None:
    """Let only trusted jobs change a seed.

    :raises PolicyError: ``untrusted``.
    """
    if settings.trust is Trust.UNTRUSTED:
        raise PolicyError(
            f"an untrusted job may not change the seed at {root}",
            code="untrusted",
            hint="publish from a job that runs on trusted changes only, such as those of the main branch",
        )


def _open_existing(settings: Settings, sink: EventSink, root: Path) -> WritableSeed:
    """Open a seed to change it, without making one where there is none."""
    Seed.open_for_reading(root, retry_budget=settings.retry_budget, sink=sink).pointer()
    return WritableSeed.open(root, retry_budget=settings.retry_budget, sink=sink)
