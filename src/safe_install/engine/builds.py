"""Wheels and metadata made from source: found by their build key, or built once and published under it.

A build of a local tree, or without isolation, depends on things that no key can name; its wheel is unpacked into
scratch and never shared (design section 8).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from ..build.builder import Builder, BuildOrder, BuildSettings, BuiltWheel
from ..build.key import BuildKeyInputs, build_key, host_facts
from ..build.static import static_metadata
from ..build.variables import key_variables
from ..errors import BuildError
from ..fs.hashing import hash_file
from ..install.archive import unpacked_size
from ..models import Digest, Hashes
from ..store.flight import Landed
from ..store.layout import BUILT
from ..store.trees import TreeWriter, WheelTree
from .jobs import KeyedOnce
from .sources import OpenSource, Sources, describe_source

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from packaging.utils import NormalizedName
    from packaging.version import Version

    from ..models import DirectSource, Interpreter, Pin, RemoteFile
    from ..protocols import EnvironmentFiller
    from ..store.flight import Flight
    from .artifacts import Artifacts
    from .report import Origin
    from .session import Session

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A wheel that was built, or found by its build key.

    :param source: for a direct source, the same with everything mutable pinned.
    :param digests: of the source archive, for ``direct_url.json``.
    """

    tree: WheelTree
    origin: Origin
    source: DirectSource | None = None
    digests: Mapping[str, str] = field(default_factory=dict)


class Builds:
    """Builds for one session. Safe to use from many threads; who wants what is being built waits for it.

    :param chain: the projects for whose builds this one is needed.
    :param flight: the innermost of those builds that other processes may wait for.
    """

    def __init__(
        self,
        session: Session,
        artifacts: Artifacts,
        filler: Callable[[tuple[NormalizedName, ...], Flight | None], EnvironmentFiller],
        *,
        chain: tuple[NormalizedName, ...] = (),
        flight: Flight | None = None,
    ) -> None:
        self._session = session
        self._artifacts = artifacts
        self._filler = filler
        self._chain = chain
        self._flight = flight
        self._sources = Sources(session, artifacts)
        self._once = KeyedOnce()
        # A build uses all cores by itself when it can; more than one a core only makes all of them slow.
        self._slots = threading.BoundedSemaphore(os.cpu_count() or 1)
        # What a build needs is built in the place of that build.
        self._turn: AbstractContextManager[object] = contextlib.nullcontext() if chain else self._slots

    def from_file(self, pin: Pin, file: RemoteFile, interpreter: Interpreter, *, hashes: Hashes, key: str) -> Made:
        """Return the wheel of an sdist of an index.

        :raises BuildError: the build failed; its log is kept.
        :raises NetworkError, IntegrityError: as `Artifacts.sdist`.
        """
        source = self._sources.sdist(file, hashes=hashes, key=key)
        tree, origin = self._wheel(source, interpreter, pin, key=key)
        return Made(tree=tree, origin=origin)

    def from_source(self, pin: Pin, interpreter: Interpreter, *, key: str) -> Made:
        """Return the wheel of a pin's direct source. Errors as `from_file`."""
        assert pin.direct is not None
        opened = self._sources.direct(pin.direct, hashes=pin.hashes, key=key)
        tree, origin = self._wheel(opened, interpreter, pin, key=key)
        return Made(tree=tree, origin=origin, source=opened.pinned, digests=opened.digests)

    def known(self, pin: Pin, file: RemoteFile, interpreter: Interpreter) -> WheelTree | None:
        """Return the wheel that was built from an sdist of known digest, if it was; touches no network."""
        digest = file.hashes.sha256
        if digest is None:
            return None
        key = self._key(digest, None, interpreter, pin.config_settings)
        return self._find(key) if key is not None else None

    def metadata_of_file(self, name: NormalizedName, file: RemoteFile, interpreter: Interpreter) -> bytes:
        """Return the core metadata of an sdist. Errors as `from_file`."""
        return self._metadata(self._sources.sdist(file, hashes=Hashes(), key=file.filename), interpreter, name=name)

    def metadata_of_source(self, source: DirectSource, interpreter: Interpreter) -> tuple[DirectSource, bytes]:
        """Return the core metadata of a direct source, and the source with everything mutable pinned."""
        opened = self._sources.direct(source, hashes=Hashes(), key=describe_source(source))
        return opened.pinned or source, self._metadata(opened, interpreter, name=None)

    # Metadata

    def _metadata(self, source: OpenSource, interpreter: Interpreter, *, name: NormalizedName | None) -> bytes:
        """What a wheel of *source* would say, from its static metadata, the store, or its backend."""
        key = self._source_key(source, interpreter, {})
        if key is not None and (known := self._known_metadata(key)) is not None:
            return known
        # The PKG-INFO of a local tree may be of a time before its last change; that of an archive may not.
        if source.digest is not None and source.subdirectory is None:
            static = static_metadata(source.tree())
            if static is not None:
                return static
        subject = f"metadata of {source.subject}"

        def prepare(builder: Builder) -> bytes:
            order = self._order(source, interpreter, {}, name=name, version=None, key=subject)
            prepared = builder.metadata(order)
            if key is not None:
                # Latin-1 gives back the same bytes, whatever they are.
                document = {"metadata": prepared.data.decode("latin-1")}
                self._session.store.publish_document(BUILT, _metadata_key(key), document)
                if prepared.wheel is not None:
                    self._publish(prepared.wheel, key)
            return prepared.data

        def work() -> bytes:
            return self._share(key, f"the {subject}", self._known_metadata, prepare, name=name).value

        return self._once.get(("metadata", *source.identity), work)

    def _known_metadata(self, key: Digest) -> bytes | None:
        """What the store has of a source: in the wheel that was built from it, or as it was prepared."""
        from .metadata_source import read_wheel_metadata

        if (tree := self._find(key)) is not None:
            return read_wheel_metadata(tree)
        known = self._session.store.document(BUILT, _metadata_key(key))
        return None if known is None else str(known["metadata"]).encode("latin-1")

    # Wheels

    def _wheel(self, source: OpenSource, interpreter: Interpreter, pin: Pin, *, key: str) -> tuple[WheelTree, Origin]:
        shared_key = self._source_key(source, interpreter, pin.config_settings)
        if shared_key is not None and (found := self._find(shared_key)) is not None:
            return found, "store"

        def build(builder: Builder) -> WheelTree:
            order = self._order(source, interpreter, pin.config_settings, name=pin.name, version=pin.version, key=key)
            built = builder.build_wheel(order)
            return self._publish(built, shared_key) if shared_key is not None else self._keep_private(built)

        def work() -> Landed[WheelTree]:
            return self._share(shared_key, f"the build of {source.subject}", self._find, build, name=pin.name)

        landed = self._once.get(("wheel", *source.identity), work, is_valid=lambda landed: landed.value.folder.exists())
        return landed.value, "built" if landed.made else "store"

    def _order(
        self,
        source: OpenSource,
        interpreter: Interpreter,
        config_settings: Mapping[str, str | list[str]],
        *,
        name: NormalizedName | None,
        version: Version | None,
        key: str,
    ) -> BuildOrder:
        return BuildOrder(
            source_tree=source.tree(),
            interpreter=interpreter,
            config_settings={**self._session.settings.config_setting, **config_settings},
            editable=source.editable,
            subdirectory=source.subdirectory,
            name=name,
            version=version,
            key=key,
        )

    def _publish(self, built: BuiltWheel, key: Digest) -> WheelTree:
        """Make a built wheel an entry of the store, and the build key lead to it.

        Two builds of one key seldom make the same bytes. Whose pointer was there first is used by everybody, so that
        all environments get the same wheel; a pointer whose wheel is gone is replaced.
        """
        store = self._session.store
        digest = Digest(hash_file(built.path)["sha256"])
        tree = store.wheel(digest)
        if tree is None:
            tree = store.with_room(lambda: self._unpack_into_store(built, digest), lambda: unpacked_size(built.path))
        document = {"wheel": digest, "filename": built.path.name, "provenance": built.provenance.to_json()}
        if store.publish_document(BUILT, key, document)["wheel"] == digest:
            return tree
        if (first := self._find(key)) is not None:
            return first
        store.publish_document(BUILT, key, document, replace=True)
        return tree

    def _unpack_into_store(self, built: BuiltWheel, digest: Digest) -> WheelTree:
        store = self._session.store
        with store.stage_tree() as writer:
            self._unpack(built, writer)
            return store.publish_wheel(writer.folder, writer.finish(digest=digest, filename=built.path.name))

    def _keep_private(self, built: BuiltWheel) -> WheelTree:
        """Unpack a built wheel in scratch, for this process alone."""
        digest = Digest(hash_file(built.path)["sha256"])
        writer = TreeWriter(self._session.scratch.folder("tree"))
        self._unpack(built, writer)
        manifest = writer.finish(digest=digest, filename=built.path.name)
        return WheelTree(digest=digest, folder=writer.folder, manifest=manifest)

    def _unpack(self, built: BuiltWheel, writer: TreeWriter) -> None:
        self._artifacts.unpack(
            built.path,
            writer,
            filename=built.path.name,
            name=built.name,
            version=built.version,
            key=f"{built.name}=={built.version}",
        )

    def _find(self, key: Digest) -> WheelTree | None:
        for document in self._session.store.documents(BUILT, key):
            wheel = document.get("wheel")
            if isinstance(wheel, str) and (tree := self._session.store.wheel(Digest(wheel))) is not None:
                return tree
        return None

    # Keys

    def _source_key(
        self, source: OpenSource, interpreter: Interpreter, config_settings: Mapping[str, str | list[str]]
    ) -> Digest | None:
        if source.digest is None:
            return None
        return self._key(source.digest, source.subdirectory, interpreter, config_settings)

    def _key(
        self,
        digest: Digest,
        subdirectory: str | None,
        interpreter: Interpreter,
        config_settings: Mapping[str, str | list[str]],
    ) -> Digest | None:
        """The build key, or None for builds that are never shared."""
        settings = self._session.settings
        if not settings.build_isolation:
            return None
        return build_key(
            BuildKeyInputs.of(
                digest,
                interpreter=interpreter,
                host=host_facts(),
                subdirectory=subdirectory,
                constraints=self._session.build_constraint_digests,
                config_settings={**settings.config_setting, **config_settings},
                variables=key_variables(self._session.surroundings.variables, settings.build_env),
            )
        )

    # Running

    def _share(
        self,
        key: Digest | None,
        what: str,
        look: Callable[[Digest], T | None],
        work: Callable[[Builder], T],
        *,
        name: NormalizedName | None,
    ) -> Landed[T]:
        """Run *work* with a builder, when it is this build's turn and no other process does the same.

        :param key: by which the result is found with *look*; None for what is never shared.
        :param what: for messages.
        :param name: of the project.
        :raises BuildError: ``build-cycle``: the project is needed to build itself.
        """
        self._refuse_circle(name)

        def run(flight: Flight | None) -> T:
            self._session.cancellation.check()
            chain = (*self._chain, name) if name is not None else self._chain
            builder = Builder(self._filler(chain, flight), self._session.scratch, self._settings(), self._session.sink)
            with self._session.stoppable(builder.cancel):
                return work(builder)

        if key is None:
            with self._turn:
                return Landed(value=run(self._flight), made=True)
        return self._session.flights.get(
            "build", key, what=what, look=lambda: look(key), make=run, turn=self._turn, parent=self._flight
        )

    def _refuse_circle(self, name: NormalizedName | None) -> None:
        if name is not None and name in self._chain:
            raise BuildError(
                f"cannot build {name}: it is needed to build itself",
                code="build-cycle",
                context=(" needs ".join((*self._chain, name)),),
                hint=f"allow a wheel of {name}, for example with --only-binary {name}",
            )

    def _settings(self) -> BuildSettings:
        settings = self._session.settings
        return BuildSettings(
            log_folder=self._session.store.logs,
            available=self._session.surroundings.variables,
            declared=settings.build_env,
            isolation=settings.build_isolation,
            time_limit=settings.build_timeout,
            left_out=(self._session.store.root,),
        )


def _metadata_key(key: Digest) -> Digest:
    return Digest(hashlib.sha256(json.dumps(["metadata", key]).encode()).hexdigest())
