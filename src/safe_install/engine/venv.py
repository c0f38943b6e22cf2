"""``venv``: make an empty environment, or one with pip."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name, parse_wheel_filename

from ..errors import TargetError
from ..install.creation import bundled_pip
from ..install.environment import recognise
from ..models import Pin, RemoteFile
from .environments import change_environment
from .target import Target
from .workshop import Workshop

if TYPE_CHECKING:
    from ..models import Interpreter
    from .report import Outcome
    from .session import Session


def make_environment(session: Session, folder: str, *, with_pip: bool) -> Outcome:
    """Make an environment at *folder*, relative to the working folder.

    :param with_pip: put the pip into it that the virtualenv library brings; no network is needed.
    :raises TargetError: ``environment-exists``, or see `recognise` and `apply`.
    """
    root = str(session.surroundings.folder / folder)
    state = recognise(root)
    if state.exists:
        raise TargetError(
            f"there is an environment at {state.root} already",
            code="environment-exists",
            hint="remove it first, or fill it with `ci-install sync` or `ci-install install`",
        )
    interpreter = session.interpreter(session.settings.python)
    pins = [_pip(interpreter)] if with_pip else []
    target = Target(root=state.root, interpreter=interpreter, state=state)
    return change_environment(session, target, pins, Workshop(session, interpreter).supply, exact=False)


def _pip(interpreter: Interpreter) -> Pin:
    wheel = bundled_pip(interpreter)
    if wheel is None:
        raise TargetError(
            f"there is no pip for Python {interpreter.version_text} here",
            code="pip-missing",
            hint="make it without --with-pip, and install pip with `ci-install install pip`",
        )
    _, version, _, _ = parse_wheel_filename(wheel.name)
    file = RemoteFile(url=wheel.as_uri(), filename=wheel.name)
    return Pin(name=canonicalize_name("pip"), version=version, files=(file,), requested=True)
