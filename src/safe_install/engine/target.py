"""The environment that a command is about, and how it is made and told about."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..errors import TargetError
from ..install.attaching import attached_to
from ..install.environment import Environment, Place, recognise
from ..install.making import ApplyOptions, apply_attached
from ..models import Isolation, LinkMode
from ..store.trees import TREE

if TYPE_CHECKING:
    from pathlib import Path

    from ..install.environment import EnvironmentState
    from ..install.making import Applied
    from ..models import Interpreter
    from .session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The environment to change. :param interpreter: its own, or the one to make it from."""

    root: str
    interpreter: Interpreter
    state: EnvironmentState

    @property
    def environment(self) -> Environment:
        """Its paths. Errors as `Environment.at`."""
        return Environment.at(self.root, self.interpreter)


def find_target(session: Session, *, exact: bool = False) -> Target:
    """Look at ``--venv`` and find the interpreter that belongs to it.

    :param exact: as for `seen`.
    :raises TargetError: the place holds something else, the interpreter cannot be used, or ``--python`` asks for
        another one than the environment has.
    """
    settings = session.settings
    state = seen(session, recognise(settings.venv), exact=exact)
    if state.python is None:
        return Target(root=state.root, interpreter=session.interpreter(settings.python), state=state)
    interpreter = session.interpreters.describe(state.python)
    if settings.python is not None:
        _refuse_other_python(session, state, interpreter)
    return Target(root=state.root, interpreter=interpreter, state=state)


def seen(session: Session, state: EnvironmentState, *, exact: bool) -> EnvironmentState:
    """Return *state*; as that of no environment where it is attached to an image, or shall be, and so gives way.

    :param exact: nothing that was installed shall stay; otherwise an environment is one.
    """
    if not exact or state.place is not Place.VIRTUAL:
        return state
    if session.settings.link_mode is LinkMode.ATTACH or attached_to(state.root) is not None:
        return replace(state, place=Place.REPLACED)
    return state


def _refuse_other_python(session: Session, state: EnvironmentState, interpreter: Interpreter) -> None:
    asked = session.interpreter(session.settings.python)
    if asked.version[:2] != interpreter.version[:2]:
        raise TargetError(
            f"the environment {state.root} has Python {interpreter.version_text}, not {asked.version_text}",
            code="environment-python-differs",
            hint="remove it, name another place with --venv, or leave --python out",
        )


def apply_options(session: Session, target: Target) -> ApplyOptions:
    """Return how this environment is changed."""
    return ApplyOptions(
        app_data=lambda: session.app_data,
        skeleton=None if target.state.exists else session.skeleton(target.interpreter),
        link_mode=session.settings.link_mode,
        own_files=session.settings.isolation is Isolation.STRICT,
        compile_bytecode=session.settings.compile_bytecode,
        retry_budget=session.settings.retry_budget,
        variables=session.surroundings.variables,
        check_wheels=False,  # the store checks each when it hands it out
    )


def layout_of(session: Session, target: Target, applied: Applied | None) -> dict[str, str]:
    """Return what the report says of paths and modes. :param applied: None when nothing was changed."""
    modes = sorted(mode.value for mode in applied.link_modes) if applied else []
    layout = {
        "venv": target.root,
        "python": target.environment.python,
        "cache_dir": str(session.store.root),
        "link_mode": "+".join(modes) or session.settings.link_mode.value,
    }
    if applied and applied.link_reason:
        layout["link_mode_reason"] = applied.link_reason
    return layout


def attach(session: Session, state: EnvironmentState, target: Target, image: Path, options: ApplyOptions) -> Applied:
    """Make the environment refer to the image in the folder *image*. Errors as `apply_attached`."""
    applied = apply_attached(state, target.environment, image / TREE, options=options, sink=session.sink)
    session.keep_for(target.root, image)
    return applied
