"""Private environments for builds, filled from the same store as every other one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ..install.apply import apply
from ..install.environment import Environment, recognise
from ..install.installed import read_installed
from ..install.making import Applied, ApplyOptions
from ..models import FormatControl, Isolation
from ..resolve.request import ResolveRequest
from ..resolve.requirement import WantedRequirement
from ..resolve.resolver import resolve
from .vanishing import survive_vanishing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from packaging.requirements import Requirement
    from packaging.utils import NormalizedName

    from ..models import Interpreter
    from ..protocols import BuildEnvironment
    from .workshop import Workshop


@dataclass(kw_only=True)
class PrivateEnvironment:
    """An environment of one build. :param asked: everything that it was filled with so far."""

    environment: Environment
    asked: list[Requirement] = field(default_factory=list)

    @property
    def python(self) -> str:
        """Path of its interpreter."""
        return self.environment.python

    @property
    def scripts(self) -> Path:
        """Its folder of commands."""
        from pathlib import Path

        return Path(self.environment.scripts)


class Filler:
    """A `safe_install.protocols.EnvironmentFiller` for the builds of one session.

    Nobody else knows these environments, so no lock is taken; bytecode is not compiled, since most of what is in
    them runs once.
    """

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._session = workshop.session

    def create(self, folder: Path, interpreter: Interpreter) -> BuildEnvironment:
        """As the protocol says."""
        private = PrivateEnvironment(environment=Environment.at(folder, interpreter))
        options = replace(self._options(), skeleton=self._session.skeleton(interpreter))
        apply(recognise(folder), private.environment, (), options=options, sink=self._session.sink)
        return private

    def fill(self, environment: BuildEnvironment, requirements: Iterable[Requirement]) -> Mapping[str, str]:
        """As the protocol says. What was asked for earlier still holds."""
        assert isinstance(environment, PrivateEnvironment)  # the protocol hands back what `create` made
        environment.asked += requirements
        if not environment.asked:
            return {}
        interpreter = environment.environment.interpreter
        pins = resolve(self._request(environment), self._workshop.metadata, interpreter, self._session.sink).pins
        present = read_installed(environment.environment)
        new = [pin for pin in pins if not _is_there(present, pin.name, pin.version)]
        replaced = [item for pin in new for item in present.get(pin.name, ())]

        def install() -> Applied:
            return apply(
                recognise(environment.environment.root),
                environment.environment,
                [each.wheel for each in self._workshop.supply.prepare(new)],
                replaced,
                options=self._options(),
                sink=self._session.sink,
            )

        survive_vanishing(install, self._session.sink)
        return {pin.name: str(pin.version) for pin in pins}

    def _request(self, environment: PrivateEnvironment) -> ResolveRequest:
        folder = self._session.surroundings.folder
        control = self._session.format_control
        return ResolveRequest(
            requirements=tuple(
                WantedRequirement.of(each, base=folder, origin="the build system") for each in environment.asked
            ),
            constraints=tuple(self._session.build_constraints),
            # `--no-binary :all:` asks for builds of what is installed; building every build tool from source as well
            # ends in setuptools, which needs itself.
            format_control=FormatControl(only_binary=control.only_binary, no_binary=control.no_binary - {":all:"}),
            exclude_newer=self._session.settings.exclude_newer,
        )

    def _options(self) -> ApplyOptions:
        return ApplyOptions(
            app_data=lambda: self._session.app_data,
            compile_bytecode=False,
            own_files=self._session.settings.isolation is Isolation.STRICT,
            retry_budget=self._session.settings.retry_budget,
            variables=self._session.surroundings.variables,
            check_wheels=False,
        )


def _is_there(present: Mapping[NormalizedName, object], name: NormalizedName, version: object) -> bool:
    items = present.get(name)
    return isinstance(items, list) and len(items) == 1 and items[0].version == version
