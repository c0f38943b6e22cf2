"""What makes two builds the same (design section 8): everything that is declared, and nothing that needs a network.

Which build requirements are taken is decided by the index at the time of the build. That is no part of the key but of
the provenance: with it, a key could not be computed offline, and every upload of setuptools would build the world
anew. Whoever wants it fixed has ``--build-constraint``, which is a part.

Builds without isolation, of local folders and of uncommitted trees have no key: what they depend on is not declared.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from ..models import Digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..models import Interpreter

_FORMAT = 1
"""Raised when the meaning of a field changes, so that older entries are not found any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """The system that a build links against (uv#19185, uv#3599: an extension from elsewhere does not load).

    :param release: the distribution and its version, such as ``debian 12``, or Windows' or macOS' version.
    :param architecture: of the machine, such as ``x86_64``; that of the interpreter is in its tags.
    """

    system: str
    release: str
    architecture: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildKeyInputs:
    """All that a build depends on by declaration.

    :param source: SHA-256 of the sdist, or of a VCS tree's archive.
    :param subdirectory: where in it the project lies.
    :param constraints: what restricts build requirements, as digests of their texts, in the order in which it holds:
        the files of ``--build-constraint``, and a line for each other option that narrows them.
    :param variables: `safe_install.build.variables.key_variables`. Only their digest is ever written.
    """

    source: Digest
    subdirectory: str | None = None
    constraints: tuple[Digest, ...] = ()
    config_settings: Mapping[str, str | list[str]] = field(default_factory=dict)
    implementation: str
    cache_tag: str
    tags: tuple[str, ...]
    libc: tuple[str, str]
    host: HostFacts
    variables: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        source: Digest,
        *,
        interpreter: Interpreter,
        host: HostFacts,
        variables: Mapping[str, str],
        subdirectory: str | None = None,
        constraints: tuple[Digest, ...] = (),
        config_settings: Mapping[str, str | list[str]] | None = None,
    ) -> BuildKeyInputs:
        """Take from *interpreter* what a build depends on: not where it lies, and not its patch release."""
        return cls(
            source=source,
            subdirectory=subdirectory,
            constraints=constraints,
            config_settings=config_settings or {},
            implementation=interpreter.implementation,
            cache_tag=interpreter.cache_tag,
            tags=tuple(interpreter.tag_texts),
            libc=interpreter.libc,
            host=host,
            variables=variables,
        )


def build_key(inputs: BuildKeyInputs) -> Digest:
    """Return the digest that names the result of a build. The order of mappings does not matter."""
    document: dict[str, Any] = {one.name: getattr(inputs, one.name) for one in fields(inputs)}
    document |= {
        "format": _FORMAT,
        "config_settings": dict(inputs.config_settings),
        "host": asdict(inputs.host),
        "variables": dict(inputs.variables),
    }
    # ASCII and no spaces, so that the text is one and the same for every Python; JSON keeps the borders of the parts.
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return Digest(hashlib.sha256(text.encode("ascii")).hexdigest())


def host_facts() -> HostFacts:
    """Describe the machine that this process runs on."""
    return HostFacts(system=platform.system(), release=_release(), architecture=platform.machine())


def _release() -> str:
    if sys.platform == "win32" or sys.platform == "darwin":
        return platform.release() if sys.platform == "win32" else platform.mac_ver()[0]
    try:
        found = platform.freedesktop_os_release()
    except OSError:
        return platform.release()
    return f"{found.get('ID', 'linux')} {found.get('VERSION_ID', '')}".strip()
