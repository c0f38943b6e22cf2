"""Get every wheel that an environment shall have: from the store, from an index, or from a build."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..errors import PolicyError, RequirementsError
from ..install.placement import PreparedWheel
from ..models import ArchiveSource, DirectorySource, Hashes, VcsSource
from .allocation import keep_little_freed_memory
from .jobs import run_all
from .selections import Selections

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..models import Pin, RemoteFile
    from ..store.trees import WheelTree
    from .report import Origin
    from .workshop import Workshop


@dataclass(frozen=True, slots=True, kw_only=True)
class Supplied:
    """A wheel that is ready, and where it came from. :param source: URL or path, for the report."""

    wheel: PreparedWheel
    origin: Origin
    source: str


class Supply:
    """Turns pins into wheels for one interpreter."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._session = session = workshop.session
        self._interpreter = interpreter = workshop.interpreter
        self._control = session.format_control
        self._selections = Selections(session.store, interpreter, self._control)

    def prepare(self, pins: Sequence[Pin]) -> list[Supplied]:
        """Return a wheel for each pin, in their order; what is missing is fetched and built side by side.

        :raises SafeInstallError: the first that cannot be had; the others are stopped. What was published stays.
        """
        ready: dict[int, Supplied] = {}
        missing: list[tuple[int, Pin]] = []
        for position, pin in enumerate(pins):
            found = self._in_store(pin)
            if found is None:
                missing.append((position, pin))
            else:
                ready[position] = found
        self._use(ready.values())
        if missing:
            keep_little_freed_memory()
            made = run_all(
                lambda item: self._make(item[1]),
                missing,
                workers=self._session.settings.concurrent_downloads,
                cancellation=self._session.cancellation,
                stop=self._session.stop,
            )
            self._use(made)
            ready |= {position: supplied for (position, _), supplied in zip(missing, made, strict=True)}
        return [ready[position] for position in range(len(pins))]

    def _use(self, supplied: Iterable[Supplied]) -> None:
        """Ask whoever cleans the store up to leave these alone."""
        self._session.lease.use(each.wheel.tree.folder for each in supplied)

    def located(self, pin: Pin) -> Pin:
        """Give a bare pin the files that its project's page lists.

        A digest proves what a file is, wherever it comes from: a pin with hashes may come from any index, while one
        without follows the strategy that guards against dependency confusion.
        """
        from ..resolve.candidates import Rules, fill_pin

        rules = Rules(format_control=self._control)
        if pin.hashes:
            with suppress(RequirementsError):  # raised below with what the indexes offer instead
                files = self._session.index.files_with(pin.hashes, pin.name)
                return fill_pin(pin, files, self._interpreter, rules, self._session.sink)
        files = self._session.index.files(pin.name, everywhere=bool(pin.hashes))
        return fill_pin(pin, files, self._interpreter, rules, self._session.sink)

    def _in_store(self, pin: Pin) -> Supplied | None:
        """The wheel that *pin* means, when it can be told and had without the network or a build."""
        file = self._remembered(pin)
        if file is None or not file.is_wheel:
            return None
        digest = file.hashes.sha256
        if digest is None or (pin.hashes and ("sha256", digest) not in pin.hashes.allowed):
            return None
        tree = self._session.store.wheel(digest)
        if tree is None:
            return None
        self._workshop.artifacts.check_identity(tree, name=pin.name, version=pin.version)
        return _supplied(pin, tree, "store", file)

    def are_settled(self, pins: Sequence[Pin]) -> bool:
        """Whether each of *pins* will always mean the wheel that it means now, whatever an index says one day."""
        files = [self._remembered(pin) for pin in pins]
        return all(file is not None and file.is_wheel and file.hashes.sha256 is not None for file in files)

    def _remembered(self, pin: Pin) -> RemoteFile | None:
        if pin.direct is not None:
            return None
        return self._choose(pin) if pin.files else self._selections.find(pin)

    def _choose(self, pin: Pin) -> RemoteFile:
        from ..resolve.candidates import choose_file

        return choose_file(pin, self._interpreter, self._control)

    def _make(self, pin: Pin) -> Supplied:
        self._session.cancellation.check()
        if pin.direct is not None:
            return self._direct(pin)
        if not pin.files and (known := self._selections.find(pin)) is not None and not known.is_wheel:
            built = self._workshop.builds.known(pin, known, self._interpreter)
            if built is not None:
                return _supplied(pin, built, "store", known)
        full = pin if pin.files else self.located(pin)
        file = self._choose(full)
        self._selections.remember(full, file)
        return self._from_file(full, file, pin.hashes)

    def _from_file(self, pin: Pin, file: RemoteFile, hashes: Hashes) -> Supplied:
        key = str(pin)
        if file.is_wheel:
            wheel = self._workshop.artifacts.wheel(file, name=pin.name, version=pin.version, hashes=hashes, key=key)
            if file.hashes.sha256 is None:
                # A folder of wheels lists no digests; now that of this one is known.
                proven = replace(file, hashes=Hashes.of({"sha256": wheel.tree.digest}))
                self._selections.remember(pin, proven)
            return _supplied(pin, wheel.tree, wheel.origin, file)
        made = self._workshop.builds.from_file(pin, file, self._interpreter, hashes=hashes, key=key)
        return _supplied(pin, made.tree, made.origin, file)

    def _direct(self, pin: Pin) -> Supplied:
        from .direct_url import direct_url_document

        source = pin.direct
        assert source is not None
        if isinstance(source, ArchiveSource) and source.file.is_wheel:
            wheel = self._workshop.artifacts.wheel(
                source.file, name=pin.name, version=pin.version, hashes=pin.hashes, key=str(pin)
            )
            document = direct_url_document(source, wheel.digests)
            tree, origin = wheel.tree, wheel.origin
        else:
            made = self._workshop.builds.from_source(pin, self._interpreter, key=str(pin))
            document = direct_url_document(made.source or source, made.digests)
            tree, origin = made.tree, made.origin
        prepared = PreparedWheel(pin=pin, tree=tree, direct_url=document)
        return Supplied(wheel=prepared, origin=origin, source=str(document["url"]))


def _supplied(pin: Pin, tree: WheelTree, origin: Origin, file: RemoteFile) -> Supplied:
    return Supplied(wheel=PreparedWheel(pin=pin, tree=tree), origin=origin, source=file.url or file.filename)


def require_hashes(pins: Sequence[Pin], *, locked: bool) -> None:
    """Refuse pins whose content no digest proves; what pip calls hash-checking mode.

    :param locked: the pins' files come from a lock. Otherwise they come from an index, which could change a file and
        its digest together: that proves nothing.
    :raises PolicyError: ``hashes-required``; names all of them.
    """
    bare = [pin for pin in pins if not _is_proven(pin, locked=locked)]
    if bare:
        named = tuple(f"{pin}{f' ({pin.origin})' if pin.origin else ''}" for pin in bare)
        raise PolicyError(
            "hashes are required, and these have none",
            code="hashes-required",
            context=named,
            hint="add --hash=sha256:… to each, or make a lock with `ci-install lock`",
        )


def _is_proven(pin: Pin, *, locked: bool) -> bool:
    match pin.direct:
        case DirectorySource() | VcsSource():
            return False
        case ArchiveSource():
            return bool(pin.hashes.secure or pin.direct.file.hashes.secure)
        case None:
            listed = locked and pin.files and all(file.hashes.secure for file in pin.files)
            return bool(pin.hashes.secure or listed)
