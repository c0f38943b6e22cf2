from __future__ import annotations

import struct
import sysconfig

import pytest
from packaging.tags import platform_tags

from safe_install.install.tags import Libc, linux_platforms, running_libc, wheel_tags

FACTS = {
    "version": [3, 12, 4],
    "debug": False,
    "gil_disabled": False,
    "platform": "linux-x86_64",
    "pointer_bits": 64,
    "libc": ["musl", "1.2.4"],
    "markers": {"platform_machine": "x86_64"},
    "mac_version": "",
}


@pytest.mark.skipif(not sysconfig.get_platform().startswith("linux"), reason="compares with a Linux that runs us")
def test_what_is_worked_out_for_a_foreign_linux_is_what_packaging_says_at_home() -> None:
    worked_out = linux_platforms(sysconfig.get_platform(), struct.calcsize("P") * 8, Libc.of(*running_libc()))
    assert list(worked_out) == list(platform_tags())


def test_old_names_of_manylinux_follow_the_version_that_they_stand_for() -> None:
    """PEP 600: ``manylinux2014`` is ``manylinux_2_17``, and so on down to glibc 2.5 on x86."""
    found = list(linux_platforms("linux-x86_64", 64, Libc("glibc", 2, 17)))
    assert found[:3] == ["linux_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"]
    assert found[-2:] == ["manylinux_2_5_x86_64", "manylinux1_x86_64"]


def test_other_architectures_begin_at_glibc_2_17() -> None:
    found = list(linux_platforms("linux-aarch64", 64, Libc("glibc", 2, 18)))
    assert found == [
        "linux_aarch64",
        "manylinux_2_18_aarch64",
        "manylinux_2_17_aarch64",
        "manylinux2014_aarch64",
    ]


def test_musl_accepts_every_earlier_minor_version() -> None:
    """PEP 656."""
    found = list(linux_platforms("linux-aarch64", 64, Libc("musl", 1, 2)))
    assert found == ["linux_aarch64", "musllinux_1_2_aarch64", "musllinux_1_1_aarch64", "musllinux_1_0_aarch64"]


def test_a_32_bit_process_on_a_64_bit_kernel_takes_32_bit_wheels() -> None:
    assert next(linux_platforms("linux-x86_64", 32, Libc("glibc", 2, 31))) == "linux_i686"
    assert list(linux_platforms("linux-aarch64", 32, Libc("", 0, 0))) == ["linux_armv8l", "linux_armv7l"]


def test_an_unknown_c_library_takes_only_what_was_built_here() -> None:
    assert list(linux_platforms("linux-x86_64", 64, Libc.of("", ""))) == ["linux_x86_64"]


def test_tags_of_a_musl_python_never_name_manylinux() -> None:
    found = wheel_tags(FACTS)
    assert found[0] == "cp312-cp312-linux_x86_64"
    assert "cp312-abi3-musllinux_1_2_x86_64" in found
    assert not [tag for tag in found if "manylinux" in tag]
    assert found[-1] == "py30-none-any"


def test_debug_builds_prefer_their_own_abi_and_load_the_ordinary_one() -> None:
    found = wheel_tags(FACTS | {"debug": True})
    assert found.index("cp312-cp312d-linux_x86_64") < found.index("cp312-cp312-linux_x86_64")


def test_free_threaded_builds_load_no_stable_abi_of_ordinary_ones() -> None:
    """PEP 703 and the documentation of ``packaging.tags``: ``abi3`` needs the GIL."""
    found = wheel_tags(FACTS | {"version": [3, 13, 0], "gil_disabled": True})
    assert found[0] == "cp313-cp313t-linux_x86_64"
    assert not [tag for tag in found if "-abi3-" in tag]


def test_windows_has_one_platform() -> None:
    found = wheel_tags(FACTS | {"platform": "win-amd64", "libc": ["", ""]})
    assert found[0] == "cp312-cp312-win_amd64"
    assert {tag.rpartition("-")[2] for tag in found} == {"win_amd64", "any"}


def test_a_mac_accepts_wheels_of_earlier_systems() -> None:
    mac = {"platform": "macosx-11.0-arm64", "libc": ["", ""], "mac_version": "14.5"}
    found = wheel_tags(FACTS | mac | {"markers": {"platform_machine": "arm64"}})
    assert found[0] == "cp312-cp312-macosx_14_0_arm64"
    assert "cp312-cp312-macosx_11_0_universal2" in found
