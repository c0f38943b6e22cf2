"""Which laboratories there are: hosts, version of the protocol, exported file system, mount options, link and size.

A test says by its marker which trait a laboratory must have to be of use to it (``@pytest.mark.lab_nfs("slow")``);
without one, `PLAIN`.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PLAIN: Final = "plain"
UPKEEP: Final = "upkeep"
"""Stores and seeds are cleaned and switched in it, by one host under the eyes of another."""
TROUBLE: Final = "trouble"
"""The server is cut off in it."""
CRASH: Final = "crash"
"""A host is killed in it, and the clock set. Not among `SELECTED`: on NFS 3 what the dead host had not sent yet is written
after the clock was set, and looks as if it were new."""
REPORT: Final = "report"
"""Long repetitions of one report."""
SLOW: Final = "slow"
SMALL: Final = "small"
NO_LOCKS: Final = "no-locks"
"""Its mount keeps locks on each host."""

PLACES: Final = ("store", "environment", "both", "neither")
"""What lies on NFS."""


class Combination(NamedTuple):
    """One laboratory; or, without hosts, a mount of which nothing is known.

    :param version: of NFS: ``3``, ``4.0``, ``4.1`` or ``4.2``.
    :param export: file system that the server exports: ``ext4`` or ``xfs``.
    :param options: for mounting, on every host.
    :param delay: of each packet that a host sends, such as ``50ms``.
    :param megabytes: of the exported disk.
    :param places: of `PLACES`, for the tests that try several.
    """

    version: str
    export: str
    hosts: int = 2
    trait: str = PLAIN
    options: str = ""
    delay: str = ""
    megabytes: int = 2048
    places: tuple[str, ...] = PLACES

    @property
    def name(self) -> str:
        """Such as ``4.2-xfs-2hosts-actimeo60``."""
        if not self.hosts:
            return "mount"
        parts = [self.version, self.export, f"{self.hosts}hosts"]
        parts += [] if self.trait in {PLAIN, NO_LOCKS} else [self.trait]
        parts += [self.options.replace("=", "")] if self.options else []
        parts += [self.delay] if self.delay else []
        return "-".join(parts)


SELECTED: Final = (
    Combination("3", "ext4", places=("both",)),
    Combination("3", "xfs", hosts=4, places=("store",)),
    Combination("4.0", "ext4", places=("store",)),
    Combination("4.0", "xfs", places=("neither",)),
    Combination("4.2", "ext4", hosts=3, places=("environment",)),
    Combination("4.2", "xfs", options="actimeo=60", places=("both",)),
    Combination("3", "xfs", trait=UPKEEP),
    Combination("4.2", "ext4", trait=UPKEEP),
    Combination("3", "ext4", trait=REPORT),
    Combination("4.2", "xfs", trait=REPORT),
    Combination("3", "ext4", trait=TROUBLE),
    Combination("4.2", "xfs", trait=TROUBLE),
    Combination("3", "ext4", trait=NO_LOCKS, options="nolock"),
    Combination("4.2", "ext4", trait=SLOW, delay="50ms"),
    Combination("4.2", "ext4", trait=SMALL, megabytes=48),
)
"""For each change."""


def product() -> Iterator[Combination]:
    """Yield all."""
    versions, exports = ("3", "4.0", "4.2"), ("ext4", "xfs")
    for version, export in itertools.product(versions, exports):
        for hosts, options in itertools.product((2, 3, 4), ("", "actimeo=60", "noac")):
            yield Combination(version, export, hosts=hosts, options=options)
        for trait in (UPKEEP, REPORT, TROUBLE, CRASH):
            yield Combination(version, export, trait=trait)
        yield Combination(version, export, trait=SLOW, delay="50ms")
        if export == "ext4":  # xfs makes no disk below 300 MB
            yield Combination(version, export, trait=SMALL, megabytes=48)
    for export, options in itertools.product(exports, ("nolock", "local_lock=all")):
        yield Combination("3", export, trait=NO_LOCKS, options=options)


def chosen(text: str) -> list[Combination]:
    """Return those that the option names: ``selected``, ``all``, or names with commas between them.

    :raises ValueError: there is none of that name.
    """
    if text == "selected":
        return list(SELECTED)
    everything = list(product())
    if text == "all":
        return everything
    known = {each.name: each for each in (*everything, *SELECTED)}
    if unknown := set(text.split(",")) - known.keys():
        raise ValueError(f"no laboratory is called {', '.join(sorted(unknown))}; there are {_listing(known)}")
    return [known[name] for name in text.split(",")]


def _listing(names: Iterable[str]) -> str:
    return ", ".join(names)
