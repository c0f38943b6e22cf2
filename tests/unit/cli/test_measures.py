from __future__ import annotations

from pathlib import Path

import pytest

from safe_install.cli.measures import duration, size
from safe_install.cli.settings_sources import read_settings
from safe_install.errors import InputError


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        ("4096", 4096),
        (4096, 4096),
        ("10GB", 10_000_000_000),
        ("10G", 10_000_000_000),
        ("500 MB", 500_000_000),
        ("500mb", 500_000_000),
        ("1.5kB", 1500),
        ("12 B", 12),
        ("2GiB", 2 << 30),
        ("1kib", 1024),
        ("3TB", 3_000_000_000_000),
    ],
)
def test_size_is_read(text: object, count: int) -> None:
    assert size(text) == count


@pytest.mark.parametrize(
    "text", ["", "GB", "-1", -1, "1 XB", "1GBit", "ten", "1Gi", 1.5, True, None, "1e9", "1,5GB", "٣"]
)
def test_what_is_no_size_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="10GB"):
        size(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        (90, 90),
        ("90", 90),
        ("1.5", 1.5),
        ("30s", 30),
        ("30m", 1800),
        ("12h", 43_200),
        ("7d", 604_800),
        ("7 d", 604_800),
        ("2W", 1_209_600),
        ("1d12h", 129_600),
        ("1d 12h", 129_600),
        ("0.5h", 1800),
    ],
)
def test_duration_is_read(text: object, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "d", "-1d", -1, "7x", "1d2", "soon", float("nan"), float("inf"), True, None, "٣d"]
)
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="7d"):
        duration(text)


def test_settings_have_sizes_and_durations(tmp_path: Path) -> None:
    (tmp_path / "safe-install.toml").write_text('max-size = "10GB"\nmin-free = 1000\n')
    settings = read_settings({}, {"SAFE_INSTALL_MAX_AGE": "30d"}, tmp_path)
    assert (settings.max_size, settings.min_free, settings.max_age) == (10_000_000_000, 1000, 2_592_000)
    with pytest.raises(InputError, match="SAFE_INSTALL_MAX_AGE"):
        read_settings({}, {"SAFE_INSTALL_MAX_AGE": "long"}, tmp_path)
