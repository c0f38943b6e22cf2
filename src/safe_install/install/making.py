"""Make a new environment, whole or not at all: beside its place, and renamed; or in place, under a journal.

In place is where the folder exists and is empty (a mount point), and where the system is Windows.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..events import telling
from ..fs._system import system_path
from ..fs.failures import explain
from ..fs.link import Linker
from ..fs.retry import DEFAULT_BUDGET
from ..models import LinkMode
from . import staging
from .environment import Place
from .image import ImageFilling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from ..events import EventSink
    from ..store.trees import WheelTree
    from .environment import Environment, EnvironmentState
    from .skeleton import Skeleton


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


def apply_image(
    state: EnvironmentState, environment: Environment, image: WheelTree, *, options: ApplyOptions, sink: EventSink
) -> Applied:
    """Make *environment*, which does not exist, from an image. Parameters and errors as `apply.apply`."""
    return _FromImage(state, environment, options, sink).run(image)


def apply_attached(
    state: EnvironmentState, environment: Environment, tree: Path, *, options: ApplyOptions, sink: EventSink
) -> Applied:
    """Make *environment*, which does not exist, and attach it to the image whose files lie in *tree*. Otherwise as
    `apply_image`.
    """
    return _Attached(state, environment, options, sink).run(tree)


class Making:
    """The work on one environment."""

    def __init__(
        self, state: EnvironmentState, environment: Environment, options: ApplyOptions, sink: EventSink
    ) -> None:
        self.state = state
        self.environment = environment
        self.options = options
        self.sink = sink
        # What an attached environment does not only refer to is placed in the best way.
        mode = LinkMode.AUTO if options.link_mode is LinkMode.ATTACH else options.link_mode
        self.linker = Linker(mode, sink=sink, own_files=options.own_files, retry_budget=options.retry_budget)
        self.applied = Applied(created=not state.exists)
        self._step_begun = time.monotonic()

    @contextlib.contextmanager
    def explaining(self) -> Iterator[None]:
        """Explain errors of the file system in the body."""
        try:
            yield
        except OSError as error:
            raise explain(error, doing="change an environment", path=self.environment.root, option="--venv") from error

    def done(self) -> Applied:
        """Return what was done."""
        self.applied.link_modes, self.applied.link_reason = dict(self.linker.used), self.linker.reason
        return self.applied

    def make(self, fill: Callable[[str], None]) -> None:
        """Make a new environment. :param fill: puts everything into the folder that it is given."""
        if self.state.place is Place.REPLACED:
            self._make_beside(fill, instead=True)
        elif self.state.place is Place.ABSENT and os.name != "nt":
            self._make_beside(fill)
        else:
            self._make_in_place(fill)

    def _make_beside(self, fill: Callable[[str], None], *, instead: bool = False) -> None:
        root = self.environment.root
        with staging.staged(root, sink=self.sink) as folder:
            self._create(folder)
            staging.rewrite_paths(folder, root, (self.environment.parts["scripts"], ""))
            fill(folder)
            publish = staging.replace if instead else staging.publish
            publish(folder, root, sink=self.sink)
        self.step("finish")

    def _make_in_place(self, fill: Callable[[str], None]) -> None:
        from .transaction import Transaction

        root = self.environment.root
        os.makedirs(system_path(root), exist_ok=True)
        with Transaction(root, sink=self.sink, budget=self.options.retry_budget) as transaction:
            transaction.begin_new()
            self._create(root)
            transaction.withhold_configuration()
            fill(root)
            transaction.commit()
        self.step("finish")

    def _create(self, folder: str) -> None:
        skeleton, root = self.options.skeleton, self.environment.root
        if skeleton is not None and self.options.prompt is None and skeleton.fits(root):
            skeleton.write(folder, root)
            self.step("create")
            return
        from .creation import create_virtual_environment

        create_virtual_environment(
            folder,
            self.environment.interpreter,
            app_data=self.options.app_data(),
            prompt=self.options.prompt,
            variables=self.options.variables,
            budget=self.options.retry_budget,
            sink=self.sink,
        )
        self.step("create")

    def step(self, name: str) -> None:
        """Note the time since the last step under *name*."""
        now = time.monotonic()
        self.applied.seconds[name] = self.applied.seconds.get(name, 0.0) + now - self._step_begun
        self._step_begun = now


class _FromImage(Making):
    """The work of `apply_image`."""

    def run(self, image: WheelTree) -> Applied:
        with self.explaining():
            self.make(lambda folder: self._fill(folder, image))
        return self.done()

    def _fill(self, folder: str, image: WheelTree) -> None:
        filling = ImageFilling(folder, self.environment, image, self.linker)
        with telling(self.sink, "link", key="image", label=image.manifest.filename, total=filling.files):
            filling.place_files()
        self.step("link")
        filling.write_scripts()
        filling.check()
        self.step("finish")
        self.applied.files, self.applied.bytes = filling.files, filling.bytes


class _Attached(Making):
    """The work of `apply_attached`."""

    def run(self, tree: Path) -> Applied:
        with self.explaining():
            self.make(lambda folder: self._fill(folder, tree))
        self.done()
        self.applied.link_modes = {LinkMode.ATTACH: self.applied.files}
        return self.applied

    def _fill(self, folder: str, tree: Path) -> None:
        from .attaching import attach

        self.applied.files = attach(folder, self.environment, tree, self.linker)
        self.step("link")
