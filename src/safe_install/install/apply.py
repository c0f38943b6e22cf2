"""Change an environment from what it is into what it shall be, whole or not at all.

To be called while the environment is held (`holding.hold_environment`)::

    with hold_environment(root, timeout=300, sink=sink) as state:
        environment = Environment.at(root, interpreter)
        present = read_installed(environment) if state.exists else {}
        changes = plan_changes(wanted, present, exact=True)
        apply(state, environment, wheels, changes.removed, options=options, sink=sink)

A new environment is made as `making` says; one that exists is changed under a journal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import StoreError
from ..fs.filesystem import folds_case
from .bytecode import Compiling, bytecode_path
from .filling import Filling
from .installed import read_installed
from .making import Applied, ApplyOptions, Making
from .merging import Merged, merge
from .path_lengths import refuse_long_paths
from .placement import PreparedWheel, place
from .removal import plan_removal
from .survey import survey
from .transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ..events import EventSink
    from .environment import Environment, EnvironmentState
    from .installed import Installed

_SHOWN = 3


def apply(
    state: EnvironmentState,
    environment: Environment,
    wheels: Sequence[PreparedWheel],
    remove: Sequence[Installed] = (),
    *,
    options: ApplyOptions,
    sink: EventSink,
) -> Applied:
    """Install *wheels* into *environment*, which is made when it does not exist, after removing *remove*.

    :param state: what lies there now; the caller holds it.
    :param remove: also what a wheel of the same project replaces.
    :raises StoreError: ``entry-damaged``, ``link-mode-impossible``, ``disk-full`` and the like.
    :raises TargetError: ``environment-read-only``, ``environment-creation-failed``, ``uninstall-impossible``,
        ``environment-check-failed``, ``interpreter-broken``, ``path-too-long``.
    :raises IntegrityError: a wheel cannot be placed, alone or together with the others.

    After any error, Ctrl-C included, the environment is as it was before.
    """
    return _Application(state, environment, options, sink).run(wheels, remove)


class _Application(Making):
    """The work of `apply`."""

    def run(self, wheels: Sequence[PreparedWheel], remove: Sequence[Installed]) -> Applied:
        if self.options.check_wheels:
            for wheel in wheels:
                _refuse_damaged(wheel)
            self.step("check")
        placements = [place(wheel, self.environment, installer_name=self.options.installer_name) for wheel in wheels]
        merged = merge(placements, folds_case=folds_case(self.environment.root), sink=self.sink)
        refuse_long_paths(self.environment, merged)
        self.step("plan")
        with self.explaining():
            if self.state.exists:
                self._change(merged, remove)
            else:
                self.make(lambda folder: self._fill(folder, merged))
        return self.done()

    def _change(self, merged: Merged, remove: Sequence[Installed]) -> None:
        root = self.environment.root
        going = {item.path for item in remove}
        present = [item for items in read_installed(self.environment).values() for item in items]
        staying = [item for item in present if item.path not in going]
        removal = plan_removal(self.environment, remove, staying, self.sink)
        found = survey(self.environment, merged, removal.files, staying, self.sink)
        self.step("plan")
        with Transaction(root, sink=self.sink, budget=self.options.retry_budget) as transaction:
            transaction.begin(
                aside=[*removal.files, *removal.edited, *found.aside],
                new=[*removal.edited, *_new_paths(merged, self.environment, found.unchanged)],
                folders=[*found.folders, *_bytecode_folders(merged, found.unchanged)],
            )
            transaction.prune(removal.files, keep=_kept_folders(self.environment))
            for path, content in removal.edited.items():
                transaction.write(path, content)
            self.applied.removed_files = len(removal.files)
            self.step("remove")
            self._fill(root, merged, unchanged=found.unchanged)
            transaction.commit()
        self.step("finish")

    def _fill(self, folder: str, merged: Merged, unchanged: Collection[str] = ()) -> None:
        filling = Filling(folder, self.environment, merged, self.linker, unchanged=unchanged, sink=self.sink)
        filling.place_files()
        self.step("link")
        compiled: set[str] = set()
        if self.options.compile_bytecode:
            how = Compiling(
                executable=self.environment.interpreter.base_executable,
                workers=self.options.compile_workers,
                timeout=self.options.compile_timeout,
            )
            compiled = filling.compile(how)
            self.step("compile")
        filling.write_records(compiled)
        filling.check()
        self.step("finish")
        self.applied.files, self.applied.bytes = filling.files, filling.bytes
        self.applied.compiled, self.applied.uncompiled = filling.compiled, filling.uncompiled


def _refuse_damaged(wheel: PreparedWheel) -> None:
    problems = wheel.tree.damage()
    if wheel.bytecode is not None:
        problems += wheel.bytecode.damage()
    if problems:
        raise StoreError(
            f"the unpacked wheel {wheel} is damaged",
            code="entry-damaged",
            context=(f"it lies at {wheel.tree.folder}", *problems[:_SHOWN]),
            hint="remove that folder and run the command again",
        )


def _new_paths(merged: Merged, environment: Environment, unchanged: Collection[str]) -> list[str]:
    """Every file that filling may make, relative to the root."""
    found = [f"{folder}/{name}" if folder else name for folder, sizes in merged.sizes.items() for name in sizes]
    for placement in merged.placements:
        found.append(placement.record_path)
        found += [bytecode_path(path, environment.interpreter) for path in placement.sources if path not in unchanged]
    return [path for path in found if path not in unchanged]


def _bytecode_folders(merged: Merged, unchanged: Collection[str]) -> list[str]:
    """Folders that compiling may make, relative to the root; some of them may be there."""
    sources = (path for placement in merged.placements for path in placement.sources if path not in unchanged)
    folders = {path.rpartition("/")[0] for path in sources}
    return sorted(f"{folder}/__pycache__" if folder else "__pycache__" for folder in folders)


def _kept_folders(environment: Environment) -> set[str]:
    """Folders that belong to the environment itself, and stay when they are empty."""
    found = {"", "include"}
    for folder in (*environment.libraries, environment.parts["scripts"]):
        above = folder
        while above:
            found.add(above)
            above = above.rpartition("/")[0]
    return found
