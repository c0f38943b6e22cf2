"""Change an environment from what it is into what it shall be, whole or not at all.

To be called while the environment is held (`holding.hold_environment`)::

    with hold_environment(root, timeout=300, sink=sink) as state:
        environment = Environment.at(root, interpreter)
        present = read_installed(environment) if state.exists else {}
        changes = plan_changes(wanted, present, exact=True)
        apply(state, environment, wheels, changes.removed, options=options, sink=sink)

An environment that does not exist is made beside its place and renamed. One that exists is changed under a journal;
so is a folder that exists and is empty (a mount point), and a new environment on Windows.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import StoreError
from ..events import telling
from ..fs._system import system_path
from ..fs.failures import explain
from ..fs.link import Linker
from ..fs.retry import DEFAULT_BUDGET
from ..models import LinkMode
from . import staging
from .bytecode import Compiling, bytecode_path
from .creation import create_virtual_environment
from .environment import Place
from .filling import Filling
from .image import ImageFilling
from .installed import read_installed
from .merging import Merged, merge
from .path_lengths import refuse_long_paths
from .placement import PreparedWheel, place
from .removal import plan_removal
from .survey import survey
from .transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from ..events import EventSink
    from ..store.trees import WheelTree
    from .environment import Environment, EnvironmentState
    from .installed import Installed
    from .skeleton import Skeleton

_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyOptions:
    """How an environment is changed.

    :param app_data: returns a folder for virtualenv's own notes, in scratch.
    :param own_files: share no file with the store (``--isolation strict``).
    :param compile_workers: processes that compile bytecode; None for one each core.
    :param compile_timeout: seconds for one file.
    :param retry_budget: seconds for errors that pass.
    :param installer_name: the content of INSTALLER.
    :param prompt: of a new environment; None for the name of its folder.
    :param variables: what interpreters are started with when virtualenv has to ask one.
    :param skeleton: of a new environment for this interpreter, without a prompt of its own; None to ask the library.
    :param check_wheels: look whether the wheels' trees are whole; False where the store has just done that.
    """

    app_data: Callable[[], Path]
    link_mode: LinkMode = LinkMode.AUTO
    own_files: bool = False
    compile_bytecode: bool = True
    compile_workers: int | None = None
    compile_timeout: float = 60.0
    retry_budget: float = DEFAULT_BUDGET
    installer_name: str = "safe-install"
    prompt: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    check_wheels: bool = True
    skeleton: Skeleton | None = None


@dataclass(slots=True, kw_only=True)
class Applied:
    """What was done.

    :param files: placed, without bytecode; :param bytes: in them.
    :param link_modes: how many files were placed in which way; :param link_reason: why not in a better one.
    :param uncompiled: Python files without bytecode, because they do not compile.
    :param seconds: wall time by step: ``check``, ``plan``, ``create``, ``remove``, ``link``, ``compile``, ``finish``.
    """

    created: bool
    files: int = 0
    bytes: int = 0
    removed_files: int = 0
    link_modes: Mapping[LinkMode, int] = field(default_factory=dict)
    link_reason: str | None = None
    compiled: int = 0
    uncompiled: int = 0
    seconds: dict[str, float] = field(default_factory=dict)


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


def apply_image(
    state: EnvironmentState, environment: Environment, image: WheelTree, *, options: ApplyOptions, sink: EventSink
) -> Applied:
    """Make *environment*, which does not exist, from an image. Parameters and errors as `apply`."""
    return _Application(state, environment, options, sink).run_image(image)


class _Application:
    """The work of `apply` and `apply_image`."""

    def __init__(
        self, state: EnvironmentState, environment: Environment, options: ApplyOptions, sink: EventSink
    ) -> None:
        self.state = state
        self.environment = environment
        self.options = options
        self.sink = sink
        self.linker = Linker(
            options.link_mode, sink=sink, own_files=options.own_files, retry_budget=options.retry_budget
        )
        self.applied = Applied(created=not state.exists)
        self._step_begun = time.monotonic()

    def run(self, wheels: Sequence[PreparedWheel], remove: Sequence[Installed]) -> Applied:
        if self.options.check_wheels:
            for wheel in wheels:
                _refuse_damaged(wheel)
            self._step("check")
        placements = [place(wheel, self.environment, installer_name=self.options.installer_name) for wheel in wheels]
        merged = merge(placements, folds_case=folds_case(self.environment.root), sink=self.sink)
        refuse_long_paths(self.environment, merged)
        self._step("plan")
        with self._explaining():
            if self.state.exists:
                self._change(merged, remove)
            else:
                self._make(lambda folder: self._fill(folder, merged))
        return self._done()

    def run_image(self, image: WheelTree) -> Applied:
        with self._explaining():
            self._make(lambda folder: self._fill_from(folder, image))
        return self._done()

    @contextlib.contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise explain(error, doing="change an environment", path=self.environment.root, option="--venv") from error

    def _done(self) -> Applied:
        self.applied.link_modes, self.applied.link_reason = dict(self.linker.used), self.linker.reason
        return self.applied

    def _make(self, fill: Callable[[str], None]) -> None:
        """Make a new environment. :param fill: puts everything into the folder that it is given."""
        if self.state.place is Place.ABSENT and os.name != "nt":
            self._make_beside(fill)
        else:
            self._make_in_place(fill)

    def _make_beside(self, fill: Callable[[str], None]) -> None:
        root = self.environment.root
        with staging.staged(root, sink=self.sink) as folder:
            self._create(folder)
            staging.rewrite_paths(folder, root, (self.environment.parts["scripts"], ""))
            fill(folder)
            staging.publish(folder, root, sink=self.sink)
        self._step("finish")

    def _make_in_place(self, fill: Callable[[str], None]) -> None:
        root = self.environment.root
        os.makedirs(system_path(root), exist_ok=True)
        with Transaction(root, sink=self.sink, budget=self.options.retry_budget) as transaction:
            transaction.begin_new()
            self._create(root)
            transaction.withhold_configuration()
            fill(root)
            transaction.commit()
        self._step("finish")

    def _change(self, merged: Merged, remove: Sequence[Installed]) -> None:
        root = self.environment.root
        going = {item.path for item in remove}
        present = [item for items in read_installed(self.environment).values() for item in items]
        staying = [item for item in present if item.path not in going]
        removal = plan_removal(self.environment, remove, staying, self.sink)
        found = survey(self.environment, merged, removal.files, staying, self.sink)
        self._step("plan")
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
            self._step("remove")
            self._fill(root, merged, unchanged=found.unchanged)
            transaction.commit()
        self._step("finish")

    def _create(self, folder: str) -> None:
        skeleton, root = self.options.skeleton, self.environment.root
        if skeleton is not None and self.options.prompt is None and skeleton.fits(root):
            skeleton.write(folder, root)
            self._step("create")
            return
        create_virtual_environment(
            folder,
            self.environment.interpreter,
            app_data=self.options.app_data(),
            prompt=self.options.prompt,
            variables=self.options.variables,
            budget=self.options.retry_budget,
            sink=self.sink,
        )
        self._step("create")

    def _fill(self, folder: str, merged: Merged, unchanged: Collection[str] = ()) -> None:
        filling = Filling(folder, self.environment, merged, self.linker, unchanged=unchanged, sink=self.sink)
        filling.place_files()
        self._step("link")
        compiled: set[str] = set()
        if self.options.compile_bytecode:
            how = Compiling(
                executable=self.environment.interpreter.base_executable,
                workers=self.options.compile_workers,
                timeout=self.options.compile_timeout,
            )
            compiled = filling.compile(how)
            self._step("compile")
        filling.write_records(compiled)
        filling.check()
        self._step("finish")
        self.applied.files, self.applied.bytes = filling.files, filling.bytes
        self.applied.compiled, self.applied.uncompiled = filling.compiled, filling.uncompiled

    def _fill_from(self, folder: str, image: WheelTree) -> None:
        filling = ImageFilling(folder, self.environment, image, self.linker)
        with telling(self.sink, "link", key="image", label=image.manifest.filename, total=filling.files):
            filling.place_files()
        self._step("link")
        filling.write_scripts()
        filling.check()
        self._step("finish")
        self.applied.files, self.applied.bytes = filling.files, filling.bytes

    def _step(self, name: str) -> None:
        now = time.monotonic()
        self.applied.seconds[name] = self.applied.seconds.get(name, 0.0) + now - self._step_begun
        self._step_begun = now


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


def folds_case(root: str) -> bool:
    """Whether the file system at *root*, or above where that does not exist, takes `A` and `a` for one name."""
    place = root
    while not os.path.lexists(system_path(place)) and os.path.dirname(place) != place:
        place = os.path.dirname(place)
    folder, name = os.path.split(place)
    other = name.swapcase()
    if other == name:
        return os.name == "nt"
    try:
        return os.path.samefile(system_path(place), system_path(os.path.join(folder, other)))
    except OSError:
        return False


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
