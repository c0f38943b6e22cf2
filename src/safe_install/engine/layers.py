"""Open the layers of one job as its settings say (design section 4), and promote what it made at its end.

::

    scope     first, writable                     below
    runner    --cache-dir, else the runner's      seeds
    job       --cache-dir, else a temporary one   the runner's, seeds

A layer that was named but cannot be used is told and passed by. An untrusted job writes to a store of its own alone: it
neither makes, registers with, promotes to nor locks in any other.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import IntegrityError, PolicyError, SafeInstallError, StoreError
from ..events import Noticed, SteppedDown
from ..fs._system import system_path
from ..fs.remove import remove_tree
from ..models import Scope, Trust
from ..store.chain import Chain, NamedLayer, layer_passed_by
from ..store.store import Store
from ..store.verify import Checks

if TYPE_CHECKING:
    from ..events import EventSink
    from ..settings import Settings
    from ..store.jobs import JobLayer
    from ..store.layout import Layout

_REMOVAL_BUDGET = 5.0


class Layers:
    """The layers of one session.

    :param default: the runner layer when no setting names one.
    :param job: the URL of this job.
    """

    def __init__(self, settings: Settings, default: Path, *, job: str | None, sink: EventSink) -> None:
        self._settings = settings
        self._job = job
        self._sink = sink
        self._checks = Checks(mode=settings.verify, job=job)
        self._runner_root = (settings.runner_dir or default).absolute()
        self._runner: Store | None = None
        self._record: JobLayer | None = None
        self._temporary: Path | None = None
        self.chain: Chain | None = None

    @property
    def scope(self) -> Scope:
        """Which layer is the first.

        :raises PolicyError: ``untrusted``: the settings would let an untrusted job write what others read.
        """
        scope = self._settings.used_scope
        if self._settings.trust is Trust.UNTRUSTED and scope is Scope.RUNNER:
            raise PolicyError(
                "an untrusted job may not write to the store that other jobs of this runner read",
                code="untrusted",
                hint="leave --scope out, or set it to job; --cache-dir is then the store of this job alone",
            )
        return scope

    def open(self) -> Chain:
        """Open all layers. Errors of the first one as `Store.open`, of a pinned generation as `open_view`."""
        if self.scope is Scope.RUNNER:
            first = self._open(self._settings.cache_dir or self._runner_root)
            self.chain = Chain(first, self._seeds(), sink=self._sink)
        else:
            lower = self._runner_layer() if self._settings.shared else []
            root = self._job_root()
            self._refuse_shared_folder(root)
            if self._runner is not None and _same(root, self._runner.root):
                self._runner = None
            self._register(root)
            first = self._open(root)
            self.chain = Chain(first, [*lower, *self._seeds()], name="job", sink=self._sink)
        return self.chain

    @property
    def writable(self) -> list[Layout]:
        """The stores that this job may write: its own, and the runner's when it is trusted."""
        stores = [self.chain.first] if self.chain is not None else []
        if self._runner is not None:
            stores.append(self._runner)
        return [each.layout for each in stores]

    def open_for_reading(self) -> list[NamedLayer]:
        """Open what there is already, this user's store first, to take things from it; nothing is written."""
        found = []
        root = self._settings.cache_dir or self._runner_root
        with suppress(StoreError, PolicyError):
            found.append(NamedLayer(name="runner", layer=self._open_for_reading(root)))
        return [*found, *self._seeds()]

    def promote(self) -> None:
        """Publish what was made in this job's own layer to the runner's. A failure is told, and fails nothing."""
        if self.chain is None or self._runner is None or not self.chain.made:
            return
        from ..store.transfer import transfer

        try:
            count = transfer(self.chain.made, self.chain.first, self._runner)
        except (StoreError, IntegrityError) as error:
            self._tell_not_promoted(error)
        else:
            self._sink(Noticed(message=f"promoted {count} entries to {self._runner.root}", detail=True))

    def close(self) -> None:
        """Remove a temporary store, but for logs of failed builds that lie in it."""
        if self._temporary is None:
            return
        with suppress(OSError):
            for name in os.listdir(system_path(self._temporary)):
                if name != "logs":
                    remove_tree(self._temporary / name, budget=_REMOVAL_BUDGET, sink=self._sink)
            os.rmdir(system_path(self._temporary / "logs"))
        try:
            os.rmdir(system_path(self._temporary))
        except FileNotFoundError:
            pass
        except OSError:
            return  # a clean-up of the runner layer finds it
        if self._record is not None:
            self._record.forget()

    def _open(self, root: Path) -> Store:
        return Store.open(root, checks=self._checks, retry_budget=self._settings.retry_budget, sink=self._sink)

    def _open_for_reading(self, root: Path) -> Store:
        budget = self._settings.retry_budget
        return Store.open_for_reading(root, checks=self._checks, retry_budget=budget, sink=self._sink)

    def _job_root(self) -> Path:
        if self._settings.cache_dir is not None:
            return self._settings.cache_dir
        parent = self._settings.scratch or Path(tempfile.gettempdir())
        self._temporary = parent.absolute() / f"safe-install-job-{secrets.token_hex(8)}"
        return self._temporary

    def _refuse_shared_folder(self, root: Path) -> None:
        """An untrusted job's own store is no store of others."""
        if self._settings.trust is not Trust.UNTRUSTED:
            return
        shared = [self._runner_root, *(each.path for each in self._settings.seed)]
        if any(_same(root, each) for each in shared):
            raise PolicyError(
                f"an untrusted job may not write to {root}, which other jobs read",
                code="untrusted",
                hint="choose a folder of this job alone with --cache-dir",
            )

    def _runner_layer(self) -> list[NamedLayer]:
        if self._settings.trust is Trust.TRUSTED:
            try:
                self._runner = self._open(self._runner_root)
            except (StoreError, PolicyError) as error:
                self._tell_not_promoted(error)
            else:
                return [NamedLayer(name="runner", layer=self._runner)]
        try:
            return [NamedLayer(name="runner", layer=self._open_for_reading(self._runner_root))]
        except (StoreError, PolicyError) as error:
            # Nobody asked for this one by name, and a runner's first job finds none.
            if error.code != "store-missing" or self._settings.runner_dir is not None:
                self._sink(layer_passed_by("runner", error.message))
            return []

    def _seeds(self) -> list[NamedLayer]:
        from ..store.seed_view import open_view

        found = []
        for number, reference in enumerate(self._settings.seed if self._settings.shared else (), start=1):
            name = f"seed {number}"
            try:
                budget = self._settings.retry_budget
                view = open_view(reference, checks=self._checks, retry_budget=budget, sink=self._sink)
            except (StoreError, PolicyError) as error:
                self._sink(layer_passed_by(name, error.message))
            else:
                found.append(NamedLayer(name=name, layer=view))
        return found

    def _register(self, root: Path) -> None:
        if self._runner is None:
            return
        from ..store.jobs import register

        try:
            self._record = register(
                self._runner.layout,
                root.absolute(),
                job=self._job,
                budget=self._settings.retry_budget,
                sink=self._sink,
            )
        except StoreError as error:
            message = f"no clean-up will find the store of this job: {error.message}"
            self._sink(SteppedDown(kind="not-registered", message=message))

    def _tell_not_promoted(self, error: SafeInstallError) -> None:
        message = f"what this job makes stays in its own store: {error.message}"
        self._sink(SteppedDown(kind="not-promoted", message=message))


def _same(one: Path, other: Path) -> bool:
    """Whether two paths lead to one folder, which need not exist."""
    if os.path.realpath(one) == os.path.realpath(other):
        return True
    try:
        return os.path.samefile(system_path(one), system_path(other))
    except OSError:
        return False
