"""``install``: resolve requirements and add them to an environment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ..errors import IntegrityError
from ..install.installed import read_installed
from ..metadata import parse_core_metadata
from .environments import change_environment
from .inputs import read_asked
from .resolving import resolve_asked
from .supply import require_hashes
from .target import find_target
from .workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from packaging.utils import NormalizedName

    from ..install.environment import Environment
    from ..install.installed import Installed
    from ..models import CoreMetadata
    from .report import Outcome
    from .session import Session


def install(
    session: Session,
    *,
    requirements: Sequence[str],
    files: Sequence[str],
    editables: Sequence[str],
    groups: Sequence[str],
) -> Outcome:
    """Add what is asked for and what that needs; change nothing else, but for versions that do not fit.

    :raises SafeInstallError: the environment is as it was before.
    """
    target = find_target(session)
    asked = read_asked(session, requirements=requirements, files=files, editables=editables, groups=groups)
    workshop = Workshop(session, target.interpreter)
    present: Mapping[NormalizedName, CoreMetadata] = {}
    if target.state.exists and not session.settings.upgrade:
        present = InstalledMetadata(target.environment)
    resolution = resolve_asked(session, workshop, target.interpreter, asked, installed=present)
    new = [pin for pin in resolution.pins if pin.files or pin.direct is not None]
    if asked.hashed:
        require_hashes(new, locked=False)
    return change_environment(session, target, resolution.pins, workshop.supply, exact=False)


class InstalledMetadata(Mapping["NormalizedName", "CoreMetadata"]):
    """The metadata of what an environment has, read when it is asked for. What cannot be read is absent."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._items = {name: items[0] for name, items in read_installed(environment).items() if len(items) == 1}
        self._read: dict[NormalizedName, CoreMetadata | None] = {}

    def __getitem__(self, name: NormalizedName) -> CoreMetadata:
        if name not in self._read:
            self._read[name] = self._metadata(self._items[name])
        found = self._read[name]
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[NormalizedName]:
        return (name for name in self._items if self.get(name) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _metadata(self, item: Installed) -> CoreMetadata | None:
        name = "METADATA" if "METADATA" in item.files else "PKG-INFO"
        try:
            with open(self._environment.path(f"{item.path}/{name}"), "rb") as file:
                return parse_core_metadata(file.read(), where=str(item))
        except (OSError, IntegrityError):
            return None
