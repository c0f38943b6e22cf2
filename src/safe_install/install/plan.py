"""What has to change in an environment, from what it has and what it shall have. Nothing is read or written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .installed import same_origin

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from packaging.utils import NormalizedName
    from packaging.version import Version

    from .installed import Installed


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What an environment shall have of a project.

    :param version: None for a direct source whose version is not known yet; it is then always installed anew.
    :param direct_url: as for `PreparedWheel`.
    """

    version: Version | None
    direct_url: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """The steps that lead from present to wanted. All names are sorted.

    :param keep: stay as they are.
    :param install: are not there yet.
    :param replace: are there in another version, from another source, or in doubtful state; these are removed.
    :param remove: are there, and go.
    """

    keep: tuple[NormalizedName, ...]
    install: tuple[NormalizedName, ...]
    replace: Mapping[NormalizedName, Sequence[Installed]]
    remove: Mapping[NormalizedName, Sequence[Installed]]

    def __bool__(self) -> bool:
        """Whether anything changes."""
        return bool(self.install or self.replace or self.remove)

    @property
    def needed(self) -> tuple[NormalizedName, ...]:
        """The projects of which a wheel is needed."""
        return tuple(sorted((*self.install, *self.replace)))

    @property
    def removed(self) -> list[Installed]:
        """Every distribution that goes, those that are replaced included."""
        return [item for group in (self.replace, self.remove) for items in group.values() for item in items]


def plan_changes(
    wanted: Mapping[NormalizedName, Wanted],
    present: Mapping[NormalizedName, Sequence[Installed]],
    *,
    exact: bool,
    reinstall: Collection[NormalizedName] = (),
    keep: Collection[NormalizedName] = (),
) -> Changes:
    """Compare *wanted* with *present*.

    :param exact: remove what is not wanted, pip and setuptools included, as ``uv pip sync`` does.
    :param reinstall: projects that are installed anew even where they match, such as local source trees.
    :param keep: projects that are never removed; for *exact*.
    """
    kept, new, replaced = [], [], {}
    for name in sorted(wanted):
        items = present.get(name, ())
        if not items:
            new.append(name)
        elif name in reinstall or not _matches(wanted[name], items):
            replaced[name] = items
        else:
            kept.append(name)
    others = sorted(name for name in present if name not in wanted)
    removed = {name: present[name] for name in others if exact and name not in keep}
    kept += [name for name in others if name not in removed]
    return Changes(keep=tuple(sorted(kept)), install=tuple(new), replace=replaced, remove=removed)


def _matches(wanted: Wanted, items: Sequence[Installed]) -> bool:
    """One distribution, whole, of the right version, from the right place.

    That it is the very same wheel is not known: the environment equals what pip makes, which keeps no digest. Two of
    one name, or one without RECORD, are what a killed installer of another kind leaves.
    """
    if len(items) != 1 or wanted.version is None:
        return False
    item = items[0]
    return item.has_record and item.version == wanted.version and same_origin(wanted.direct_url, item.direct_url)
