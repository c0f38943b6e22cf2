"""Bring the target environment to what is wanted: fetch and build first, then hold it, look again, change it.

Nothing that takes long happens while the environment is held (design section 6). When it changed meanwhile, what
is missing then is got while it is held: that is rare, and giving up would help nobody.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from packaging.utils import parse_wheel_filename

from ..errors import StoreError
from ..install.apply import apply
from ..install.environment import Place, recognise
from ..install.holding import hold_environment
from ..install.installed import read_installed
from ..install.making import apply_image
from ..install.plan import Changes, Wanted, plan_changes
from ..models import DirectorySource, LinkMode
from .bytecode import Bytecode
from .direct_url import direct_url_document
from .images import Images
from .report import DistributionResult, Outcome
from .target import apply_options, attach, layout_of, seen
from .vanishing import survive_vanishing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from packaging.utils import NormalizedName
    from packaging.version import Version

    from ..install.installed import Installed
    from ..install.making import Applied
    from ..models import Pin
    from ..store.trees import WheelTree
    from .session import Session
    from .supply import Supplied, Supply
    from .target import Target


@dataclass(kw_only=True)
class _Prepared:
    """Wheels by project, as they are got.

    :param bytecode: None when none is wanted.
    :param image: of all of them, for an environment that is new.
    """

    supply: Supply
    bytecode: Bytecode | None
    wheels: dict[NormalizedName, Supplied] = field(default_factory=dict)
    image: WheelTree | None = None

    def get(self, pins: Sequence[Pin]) -> None:
        missing = [pin for pin in pins if pin.name not in self.wheels]
        found = self.supply.prepare(missing)
        if self.bytecode is not None:
            wheels = self.bytecode.prepare([each.wheel for each in found])
            found = [replace(each, wheel=wheel) for each, wheel in zip(found, wheels, strict=True)]
        for supplied in found:
            self.wheels[supplied.wheel.name] = supplied

    def forget(self) -> None:
        """Look for each anew the next time."""
        self.wheels.clear()
        self.image = None


def change_environment(
    session: Session, target: Target, pins: Sequence[Pin], supply: Supply, *, exact: bool
) -> Outcome:
    """Make the environment have *pins*, and (*exact*) nothing else; return what was done.

    :param pins: one a project.
    :raises SafeInstallError: see `Supply.prepare`, `hold_environment` and `apply`. The environment is as before.
    """
    by_name = {pin.name: pin for pin in pins}
    environment = target.environment
    bytecode = Bytecode(session, target.interpreter) if session.settings.compile_bytecode else None
    prepared = _Prepared(supply=supply, bytecode=bytecode)
    images, is_attached = Images(session, environment), exact and session.settings.link_mode is LinkMode.ATTACH
    present = read_installed(environment) if target.state.exists else {}
    prepared.get(_needed(by_name, _plan(by_name, present, exact=exact)))

    def change() -> tuple[Changes, Applied | None]:
        state = seen(session, recognise(target.root), exact=exact)
        present = read_installed(environment) if state.exists else {}
        changes = _plan(by_name, present, exact=exact)
        prepared.get(_needed(by_name, changes))
        wheels = [prepared.wheels[name].wheel for name in changes.needed]
        if not changes and state.place not in {Place.ABSENT, Place.EMPTY, Place.UNFINISHED}:
            return changes, None
        if prepared.image is None and is_attached and not state.exists:
            prepared.image = images.get(wheels, needed=True)  # an earlier try forgot it
        try:
            options = apply_options(session, target)
            if prepared.image is not None and is_attached and not state.exists:
                return changes, attach(session, state, target, prepared.image.folder, options)
            if prepared.image is not None and not state.exists:
                return changes, apply_image(state, environment, prepared.image, options=options, sink=session.sink)
            return changes, apply(state, environment, wheels, changes.removed, options=options, sink=session.sink)
        except StoreError:
            # One of them may be gone. Whoever tries again looks for each anew.
            prepared.forget()
            raise

    if exact and not target.state.exists:
        prepared.image = images.get([each.wheel for each in prepared.wheels.values()], needed=is_attached)
    timeout = session.settings.lock_timeout
    with hold_environment(target.root, timeout=timeout, sink=session.sink, job=session.job):
        changes, applied = survive_vanishing(change, session.sink)
    return _outcome(session, target, by_name, prepared, changes, applied)


def _plan(
    pins: Mapping[NormalizedName, Pin],
    present: Mapping[NormalizedName, Sequence[Installed]],
    *,
    exact: bool,
) -> Changes:
    wanted = {name: Wanted(version=pin.version, direct_url=_direct_url(pin)) for name, pin in pins.items()}
    # The sources of a local tree may have changed since; only building tells.
    local = {name for name, pin in pins.items() if isinstance(pin.direct, DirectorySource)}
    return plan_changes(wanted, present, exact=exact, reinstall=local)


def _direct_url(pin: Pin) -> Mapping[str, Any] | None:
    from ..models import ArchiveSource

    if pin.direct is None:
        return None
    known: dict[str, str] = {}
    if isinstance(pin.direct, ArchiveSource):
        known = dict(pin.direct.file.hashes.allowed) or dict(pin.hashes.allowed)
    return direct_url_document(pin.direct, known)


def _needed(pins: Mapping[NormalizedName, Pin], changes: Changes) -> list[Pin]:
    return [pins[name] for name in changes.needed]


def _outcome(
    session: Session,
    target: Target,
    pins: Mapping[NormalizedName, Pin],
    prepared: _Prepared,
    changes: Changes,
    applied: Applied | None,
) -> Outcome:
    modes = sorted(mode.value for mode in applied.link_modes) if applied else []
    results = []
    for name, pin in sorted(pins.items()):
        supplied = prepared.wheels.get(name) if name in changes.needed else None
        version = _version(supplied) if supplied and pin.version is None else pin.version
        results.append(
            DistributionResult(
                name=name,
                version=str(version or ""),
                key=str(pin),
                source=supplied.source if supplied else "",
                origin=supplied.origin if supplied else "store",
                action="kept" if supplied is None else "replaced" if name in changes.replace else "installed",
                link_mode="+".join(modes) if supplied else None,
                layer=session.store.layer_of(supplied.wheel.tree.folder) if supplied else None,
            )
        )
    return Outcome(
        distributions=results,
        removed=[str(item) for items in changes.remove.values() for item in items],
        files=applied.files if applied else 0,
        bytes=applied.bytes if applied else 0,
        layout=layout_of(session, target, applied),
        image=prepared.image.digest if prepared.image is not None else None,
    )


def _version(supplied: Supplied) -> Version:
    """The version of a wheel whose pin left it open, such as that of a local tree."""
    return parse_wheel_filename(supplied.wheel.tree.manifest.filename)[1]
