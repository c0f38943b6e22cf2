"""The wheel tags that an interpreter accepts, worked out from what its probe told.

`packaging` can list them for the interpreter that runs it. For another one its functions take the version and the ABI
as arguments, but the platforms only from the running process. So those are taken from there where both run on the same
platform and C library, and are worked out here by the rules of PEP 600 and PEP 656 where they do not.
"""

from __future__ import annotations

import functools
import re
import struct
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from packaging import tags

from . import _probe

Facts: TypeAlias = Mapping[str, Any]
"""The document that `_probe.py` prints."""

# PEP 600: the names that came before it, by glibc version.
_LEGACY_MANYLINUX = {(2, 17): "manylinux2014", (2, 12): "manylinux2010", (2, 5): "manylinux1"}
# PEP 513 and PEP 599: nothing older was ever defined, and for other architectures than x86 nothing below 2.17.
_OLDEST_X86 = 5
_OLDEST_OTHER = 17
# Architectures that manylinux is defined for whatever the ABI of the executable; the rest need more than their name.
_MANYLINUX_MACHINES = frozenset({"x86_64", "i686", "aarch64", "ppc64", "ppc64le", "s390x", "loongarch64", "riscv64"})


class Libc(NamedTuple):
    """A C library and its version."""

    name: str
    major: int
    minor: int

    @classmethod
    def of(cls, name: str, version: str) -> Libc:
        """Read a version that may carry a suffix of its distributor; unknown is ``("", 0, 0)``."""
        match = re.match(r"(\d+)\.(\d+)", version)
        return cls(name, int(match[1]), int(match[2])) if match else cls("", 0, 0)


def wheel_tags(facts: Facts) -> tuple[str, ...]:
    """Return every tag that the interpreter accepts, best first, in the order of `packaging.tags.sys_tags`."""
    major, minor = facts["version"][:2]
    abis = _abis(major, minor, debug=facts["debug"], threaded=facts["gil_disabled"])
    platforms = _platforms(facts)
    found = [
        *tags.cpython_tags((major, minor), abis, platforms),
        *tags.compatible_tags((major, minor), f"cp{major}{minor}", platforms),
    ]
    return tuple(dict.fromkeys(map(str, found)))


def _abis(major: int, minor: int, *, debug: bool, threaded: bool) -> list[str]:
    plain = f"cp{major}{minor}" + ("t" if threaded else "")
    # Since Python 3.8 a debug build loads modules of ordinary builds too (PEP 3149, as amended).
    return [f"{plain}d", plain] if debug else [plain]


def _platforms(facts: Facts) -> Sequence[str]:
    ours = (sysconfig.get_platform(), struct.calcsize("P") * 8, running_libc())
    theirs = (facts["platform"], facts["pointer_bits"], tuple(facts["libc"]))
    if ours == theirs:
        return list(tags.platform_tags())
    if facts["platform"].startswith("linux-"):
        return list(linux_platforms(facts["platform"], facts["pointer_bits"], Libc.of(*facts["libc"])))
    if facts["platform"].startswith("macosx-"):
        version = tuple(int(part) for part in facts["mac_version"].split(".")[:2])
        machine = facts["markers"]["platform_machine"]
        return list(tags.mac_platforms((version[0], version[1] if len(version) > 1 else 0), machine))
    return [facts["platform"].replace("-", "_").replace(".", "_")]


def linux_platforms(platform: str, pointer_bits: int, libc: Libc) -> Iterator[str]:
    """Yield the platform tags of a Linux with this `sysconfig.get_platform` and C library, best first."""
    machine = platform.removeprefix("linux-").replace("-", "_").replace(".", "_")
    if pointer_bits == 32:
        # A 32-bit process on a 64-bit kernel.
        machine = {"x86_64": "i686", "aarch64": "armv8l"}.get(machine, machine)
    machines = ["armv8l", "armv7l"] if machine == "armv8l" else [machine]
    for name in machines:
        yield f"linux_{name}"
    for name in machines:
        if libc.name == "glibc" and name in _MANYLINUX_MACHINES:
            yield from _manylinux(name, libc)
        elif libc.name == "musl":
            for minor in range(libc.minor, -1, -1):
                yield f"musllinux_{libc.major}_{minor}_{name}"


def _manylinux(machine: str, libc: Libc) -> Iterator[str]:
    oldest = _OLDEST_X86 if machine in {"x86_64", "i686"} else _OLDEST_OTHER
    for minor in range(libc.minor, oldest - 1, -1):
        yield f"manylinux_{libc.major}_{minor}_{machine}"
        if legacy := _LEGACY_MANYLINUX.get((libc.major, minor)):
            yield f"{legacy}_{machine}"


@functools.cache
def running_libc() -> tuple[str, str]:
    """The C library of this process, told by the same code that describes a target."""
    return _probe.libc()
