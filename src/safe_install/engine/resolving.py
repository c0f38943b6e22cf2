"""What ``install`` and ``lock`` have in common: the question that is put to the resolver."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..models import PrereleasePolicy
from ..resolve.request import Resolution, ResolveRequest
from ..resolve.resolver import resolve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packaging.utils import NormalizedName

    from ..models import CoreMetadata, Interpreter
    from .inputs import Asked
    from .session import Session
    from .workshop import Workshop


def resolve_asked(
    session: Session,
    workshop: Workshop,
    interpreter: Interpreter,
    asked: Asked,
    *,
    installed: Mapping[NormalizedName, CoreMetadata] | None = None,
) -> Resolution:
    """Resolve *asked* under this call's settings. Errors as `resolve`."""
    settings = session.settings
    request = ResolveRequest(
        requirements=tuple(asked.requirements),
        constraints=tuple(asked.constraints),
        overrides=tuple(asked.overrides),
        installed=installed or {},
        strategy=settings.resolution,
        prereleases=PrereleasePolicy.ALLOW if asked.prereleases else settings.prereleases,
        format_control=session.format_control,
        exclude_newer=settings.exclude_newer,
        prefer_binary=asked.prefer_binary,
        no_deps=settings.no_deps,
    )
    return resolve(request, workshop.metadata, interpreter, session.sink)
