"""What a resolution is asked, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..models import FormatControl, PrereleasePolicy, ResolutionStrategy
from .candidates import Rules

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from packaging.utils import NormalizedName
    from packaging.version import Version

    from ..models import CoreMetadata, Pin
    from .markers import Consulted
    from .requirement import WantedRequirement


@dataclass(frozen=True, kw_only=True)
class ResolveRequest:
    """The question.

    :param constraints: restrict versions, and may name URLs, of what somebody else asks for.
    :param overrides: replace what anybody asks of their projects; one whose marker does not hold removes the project.
    :param installed: what the environment has; taken without asking an index wherever it satisfies.
        Leave out what shall be upgraded.
    :param preferred: versions to take where they satisfy, such as those of an earlier lock.
    :param exclude_newer: aware; files uploaded later do not exist.
    :param prefer_binary: an older version with a wheel beats a newer one without (pip's ``--prefer-binary``).
    """

    requirements: tuple[WantedRequirement, ...]
    constraints: tuple[WantedRequirement, ...] = ()
    overrides: tuple[WantedRequirement, ...] = ()
    installed: Mapping[NormalizedName, CoreMetadata] = field(default_factory=dict)
    preferred: Mapping[NormalizedName, Version] = field(default_factory=dict)
    strategy: ResolutionStrategy = ResolutionStrategy.HIGHEST
    prereleases: PrereleasePolicy = PrereleasePolicy.IF_NECESSARY
    format_control: FormatControl = field(default_factory=FormatControl)
    exclude_newer: datetime | None = None
    prefer_binary: bool = False
    no_deps: bool = False

    @property
    def rules(self) -> Rules:
        """Which files may be used at all."""
        return Rules(format_control=self.format_control, exclude_newer=self.exclude_newer)


@dataclass(frozen=True, kw_only=True)
class Resolution:
    """The answer.

    :param pins: sorted by name. One without files and without direct source is installed already.
    :param consulted: every marker that was evaluated on the way, sorted.
    :param markers_consulted: the variables on which an answer rests; ``python_version`` and
        ``python_full_version`` count when a marker names them.
    """

    pins: tuple[Pin, ...]
    consulted: tuple[Consulted, ...] = ()
    markers_consulted: frozenset[str] = frozenset()
