"""What a build really used; kept beside the pointer to its wheel (design section 8)."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Facts of one build. Nothing here decides anything; the build key does.

    :param requirements: name to version of what the private environment held; empty without isolation.
    :param frontend: such as ``safe-install 1.0``.
    :param host: the name of the machine.
    :param built_at: when the build began, in UTC, as RFC 3339 text to the second.
    :param seconds: how long it took, environment included.
    """

    requirements: Mapping[str, str]
    backend: str
    frontend: str
    python: str
    isolated: bool
    built_at: str
    seconds: float
    host: str = field(default_factory=platform.node)
    platform: str = field(default_factory=platform.platform)

    def to_json(self) -> dict[str, Any]:
        """Return it for `json.dump`, requirements sorted by name."""
        return {**asdict(self), "requirements": dict(sorted(self.requirements.items()))}


def now_text() -> str:
    """Return the present time for `Provenance.built_at`."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
