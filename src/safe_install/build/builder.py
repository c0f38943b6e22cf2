"""From a source tree to a wheel or to its metadata: copy, private environment, hooks, checks.

Each build has a folder of its own in scratch, which is gone afterwards however the build ends; only the wheel stays,
in another one. What an editable install asks for runs on the user's own tree (PEP 660).
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .. import __version__
from ..errors import BuildError
from ..events import ignore, telling
from ..fs.remove import remove_tree
from ..metadata import parse_core_metadata
from .backend import BuildSystem, read_build_system
from .frontend import BuildKind, Frontend
from .log import BuildLog
from .process import ProcessRunner
from .provenance import Provenance, now_text
from .source import copy_tree, inner_folder
from .variables import build_variables
from .wheel import check_identity, check_wheel, read_metadata

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from packaging.utils import NormalizedName
    from packaging.version import Version

    from ..events import EventSink
    from ..fs.scratch import Scratch
    from ..models import Interpreter
    from ..protocols import EnvironmentFiller


@dataclass(frozen=True, kw_only=True)
class BuildSettings:
    """What holds for all builds of one call.

    :param log_folder: where the logs of failed builds are kept.
    :param available: the variables of the calling process; a build sees some of them (`build_variables`).
    :param declared: names of further ones (``--build-env``).
    :param isolation: False builds with the target interpreter and what is installed there.
    :param time_limit: seconds that the hooks of one build may take together.
    :param left_out: folders that are no source although they may lie in a source tree: the store.
    """

    log_folder: Path
    available: Mapping[str, str] = field(default_factory=dict)
    declared: tuple[str, ...] = ()
    isolation: bool = True
    time_limit: float = 3600.0
    left_out: tuple[Path, ...] = ()


@dataclass(frozen=True, kw_only=True)
class BuiltWheel:
    """A wheel file in scratch, checked. :param path: stays until the scratch folder goes."""

    path: Path
    name: NormalizedName
    version: Version
    provenance: Provenance


@dataclass(frozen=True, kw_only=True)
class PreparedMetadata:
    """Metadata of a source tree. :param wheel: set when they could only be had by building it."""

    data: bytes
    wheel: BuiltWheel | None = None


@dataclass(frozen=True, kw_only=True)
class BuildOrder:
    """What is to be built.

    :param source_tree: an unpacked sdist, a checkout, or a folder of the user's.
    :param editable: build what an editable install needs (PEP 660), on the tree itself.
    :param subdirectory: where in the tree the project lies.
    :param disposable: the tree is in scratch and of no further use, so no copy is made.
    :param name: what the result must be called, where that is known; so *version*.
    :param key: names its events.
    """

    source_tree: Path
    interpreter: Interpreter
    config_settings: Mapping[str, str | list[str]] = field(default_factory=dict)
    editable: bool = False
    subdirectory: str | None = None
    disposable: bool = False
    name: NormalizedName | None = None
    version: Version | None = None
    key: str = "build"

    @property
    def kind(self) -> BuildKind:
        """Which hooks are called."""
        return BuildKind.EDITABLE if self.editable else BuildKind.WHEEL

    @property
    def subject(self) -> str:
        """What it is called in messages."""
        known = " ".join(str(part) for part in (self.name, self.version) if part is not None)
        return known or self.source_tree.name or "the source tree"


@dataclass(kw_only=True)
class _Bench:
    """An order in progress: the hooks, and what was put into their environment."""

    order: BuildOrder
    frontend: Frontend
    system: BuildSystem
    scratch: Path
    began_at: str
    began: float
    installed: dict[str, str]
    isolated: bool

    def provenance(self) -> Provenance:
        return Provenance(
            requirements=self.installed,
            backend=self.system.backend,
            frontend=f"safe-install {__version__}",
            python=self.order.interpreter.version_text,
            isolated=self.isolated,
            built_at=self.began_at,
            seconds=round(time.monotonic() - self.began, 3),
        )


class Builder:
    """Builds source trees. Safe to call from many threads; each build is independent of the others.

    :param filler: makes and fills the private environments; not used without isolation.
    """

    def __init__(
        self, filler: EnvironmentFiller, scratch: Scratch, settings: BuildSettings, sink: EventSink = ignore
    ) -> None:
        self._filler = filler
        self._scratch = scratch
        self._settings = settings
        self._sink = sink
        self._runner = ProcessRunner()

    def build_wheel(self, order: BuildOrder) -> BuiltWheel:
        """Build a wheel.

        :raises BuildError: see `Frontend`, `read_build_system` and `check_wheel`; ``not-a-source-tree``.
        :raises StoreError: scratch cannot be written, or the tree cannot be read.
        :raises Exception: what the filler raises, such as `RequirementsError`.

        On any error nothing is left in scratch, and the log is kept in ``log_folder``.
        """
        with telling(self._sink, "build", key=order.key, label=order.subject), self._bench(order) as bench:
            return self._wheel(bench)

    def metadata(self, order: BuildOrder) -> PreparedMetadata:
        """Return the core metadata that the wheel would have.

        A backend that cannot tell without building builds, and the wheel is handed out as well. Errors as
        `build_wheel`, and IntegrityError ``metadata-invalid``.
        """
        with telling(self._sink, "prepare", key=order.key, label=order.subject), self._bench(order) as bench:
            folder = bench.scratch / "metadata"
            folder.mkdir()
            data = bench.frontend.metadata(order.kind, folder, order.config_settings or None)
            if data is None:
                wheel = self._wheel(bench)
                return PreparedMetadata(data=read_metadata(wheel.path, order.subject), wheel=wheel)
        told = parse_core_metadata(data, where=f"what the backend prepared for {order.subject}")
        check_identity(told.name, told.version, name=order.name, version=order.version, subject=order.subject)
        return PreparedMetadata(data=data)

    def cancel(self) -> None:
        """End all builds that run, and let no further one begin. For use from another thread, after Ctrl-C."""
        self._runner.cancel()

    @contextlib.contextmanager
    def _bench(self, order: BuildOrder) -> Iterator[_Bench]:
        """Set everything up for the hooks of *order*, up to what the backend asks for; take it down afterwards."""
        began, began_at = time.monotonic(), now_text()
        work = self._scratch.folder("build")
        try:
            tree = self._source(order, work)
            system = read_build_system(tree)
            (work / "tmp").mkdir()
            log = BuildLog(work / "log", folder=self._settings.log_folder, subject=order.subject)
            if tree.is_relative_to(work):
                log.add(f"built on a copy of {order.source_tree}: paths that lead out of it mean nothing here")
            frontend, installed = self._ready(order, tree, system, work, log)
            yield _Bench(
                order=order,
                frontend=frontend,
                system=system,
                scratch=work,
                began_at=began_at,
                began=began,
                installed=installed,
                isolated=self._settings.isolation,
            )
        finally:
            # What cannot go now goes with the whole scratch folder, and must not hide why a build failed.
            with contextlib.suppress(OSError):
                remove_tree(work, sink=self._sink)

    def _source(self, order: BuildOrder, work: Path) -> Path:
        """Return the folder in which the hooks run: in a copy, but for editable and disposable trees."""
        if not order.source_tree.is_dir():
            raise BuildError(f"{order.source_tree} cannot be built: it is no folder", code="not-a-source-tree")
        inner = inner_folder(order.source_tree.absolute(), order.subdirectory)
        if order.disposable or order.kind is BuildKind.EDITABLE:
            return inner
        read_build_system(inner)  # before a tree is copied that is none
        copy = work / "source" / (order.source_tree.name or "source")
        copy.parent.mkdir()
        copy_tree(order.source_tree, copy, left_out=(self._scratch.root, *self._settings.left_out))
        return inner_folder(copy, order.subdirectory)

    def _ready(
        self, order: BuildOrder, tree: Path, system: BuildSystem, work: Path, log: BuildLog
    ) -> tuple[Frontend, dict[str, str]]:
        """Make and fill the environment; return the hooks and what was installed."""
        if not self._settings.isolation:
            return self._frontend(order, tree, system, work, log, python=order.interpreter.executable), {}
        environment = self._filler.create(work / "environment", order.interpreter)
        installed = dict(self._filler.fill(environment, system.requires))
        frontend = self._frontend(
            order, tree, system, work, log, python=environment.python, scripts=environment.scripts
        )
        more = frontend.requires(order.kind, order.config_settings or None)
        if more:
            installed |= self._filler.fill(environment, more)
        return frontend, installed

    def _frontend(
        self,
        order: BuildOrder,
        tree: Path,
        system: BuildSystem,
        work: Path,
        log: BuildLog,
        *,
        python: str,
        scripts: Path | None = None,
    ) -> Frontend:
        variables = build_variables(
            self._settings.available,
            declared=self._settings.declared,
            temporary=work / "tmp",
            scripts=scripts,
            environment=work / "environment" if scripts is not None else None,
        )
        return Frontend(
            tree,
            system,
            python=python,
            variables=variables,
            runner=self._runner,
            log=log,
            time_limit=self._settings.time_limit,
            subject=order.subject,
        )

    def _wheel(self, bench: _Bench) -> BuiltWheel:
        order = bench.order
        folder = bench.scratch / "wheel"
        folder.mkdir()
        made = bench.frontend.wheel(order.kind, folder, order.config_settings or None)
        name, version = check_wheel(
            made, interpreter=order.interpreter, name=order.name, version=order.version, subject=order.subject
        )
        # Only now does it leave the folder of the build, and alone.
        path = self._scratch.folder("wheel") / made.name
        made.rename(path)
        return BuiltWheel(path=path, name=name, version=version, provenance=bench.provenance())
