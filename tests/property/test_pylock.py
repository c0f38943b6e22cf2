"""What is locked is what is read back, for every resolution."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import hypothesis.strategies as st
from helpers.universe import interpreter
from hypothesis import given
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from safe_install.models import Hashes, Pin, RemoteFile
from safe_install.resolve.markers import Consulted
from safe_install.resolve.pylock import read_pylock, select
from safe_install.resolve.pylock_writer import write_pylock
from safe_install.resolve.request import Resolution

PYTHON = interpreter("3.11.7")
BASE = Path("/locks").absolute()
TAGS = [
    "py3-none-any",
    "py2.py3-none-any",
    "cp311-cp311-manylinux_2_17_x86_64",
    "cp38-abi3-win_amd64",
    "cp312-cp312-macosx_11_0_arm64",
]
NAMES = st.from_regex(r"[a-z][a-z0-9]{0,4}(-[a-z0-9]{1,4})?", fullmatch=True).map(canonicalize_name)
VERSIONS = st.from_regex(
    r"[0-9]{1,2}(\.[0-9]{1,2}){0,2}((a|rc)[0-9])?(\.post[0-9])?(\+[a-z]{1,3})?", fullmatch=True
).map(Version)
TIMES = st.datetimes(datetime(2005, 1, 1), datetime(2035, 1, 1), timezones=st.just(timezone(timedelta(hours=3)))).map(  # noqa: DTZ001 - hypothesis wants naive bounds
    lambda time: time.replace(microsecond=0)
)
MARKERS = st.sampled_from(
    [
        'sys_platform == "linux"',
        'python_version >= "3.13"',
        'extra == "x"',
        'platform_machine == "x86_64" or os_name == "nt"',
    ]
)


@st.composite
def files(draw: st.DrawFn, name: NormalizedName, version: Version) -> tuple[RemoteFile, ...]:
    escaped = name.replace("-", "_")
    stems = [f"{escaped}-{version}-{tags}.whl" for tags in draw(st.lists(st.sampled_from(TAGS), unique=True))]
    # Something always fits, so that reading the lock back cannot be refused.
    sdist = f"{escaped}-{version}.tar.gz"
    return tuple(
        RemoteFile(
            url=f"https://files.test/{draw(st.sampled_from(['a', 'b/c']))}/{filename.replace('+', '%2B')}",
            filename=filename,
            hashes=Hashes.of({"sha256": draw(st.from_regex(r"[0-9a-f]{64}", fullmatch=True))}),
            size=draw(st.none() | st.integers(0, 10**10)),
            upload_time=draw(st.none() | TIMES),
            index="https://index.test/simple",
        )
        for filename in [*sorted(stems), sdist]
    )


@st.composite
def resolutions(draw: st.DrawFn) -> Resolution:
    names = sorted(draw(st.lists(NAMES, max_size=6, unique=True)))
    pins = []
    for name in names:
        version = draw(VERSIONS)
        pins.append(
            Pin(
                name=name,
                version=version,
                files=draw(files(name, version)),
                requested=True,
                dependencies=tuple(sorted(draw(st.lists(st.sampled_from(names), unique=True)))),
                requires_python=draw(st.sampled_from([None, ">=3.8", "!=3.9.*,>=3.7"])),
            )
        )
    consulted = draw(st.lists(MARKERS, unique=True))
    return Resolution(pins=tuple(pins), consulted=tuple(Consulted(marker, "") for marker in consulted))


@given(resolutions())
def test_a_lock_reads_back_as_the_resolution_it_was_written_from(resolution: Resolution) -> None:
    text = write_pylock(resolution, PYTHON, base=BASE)

    found = select(read_pylock(text, BASE / "pylock.toml"), PYTHON)

    def facts(pin: Pin) -> object:
        return (
            (pin.name, pin.version, pin.requested, pin.dependencies, pin.requires_python),
            [
                (f.url, f.filename, f.hashes, f.size, f.index, f.upload_time and f.upload_time.astimezone(UTC))
                for f in pin.files
            ],
        )

    assert [facts(pin) for pin in found] == [facts(pin) for pin in resolution.pins]


@given(resolutions(), st.randoms())
def test_the_text_does_not_depend_on_any_order(resolution: Resolution, chance: random.Random) -> None:
    pins = list(resolution.pins)
    chance.shuffle(pins)
    consulted = list(resolution.consulted)
    chance.shuffle(consulted)
    shuffled = [
        Pin(
            name=pin.name,
            version=pin.version,
            files=tuple(chance.sample(pin.files, len(pin.files))),
            dependencies=pin.dependencies,
            requires_python=pin.requires_python,
        )
        for pin in pins
    ]

    again = Resolution(pins=tuple(shuffled), consulted=tuple(consulted))

    assert write_pylock(again, PYTHON, base=BASE) == write_pylock(resolution, PYTHON, base=BASE)
