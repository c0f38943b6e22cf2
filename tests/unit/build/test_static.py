"""PKG-INFO stands for a build only where PEP 643 says that every wheel must say the same."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from safe_install.build.static import static_metadata

if TYPE_CHECKING:
    from pathlib import Path


def written(folder: Path, *lines: str, version: str = "2.2") -> Path:
    text = "\n".join((f"Metadata-Version: {version}", "Name: demo", "Version: 1.0", *lines, ""))
    (folder / "PKG-INFO").write_text(text)
    return folder


@pytest.mark.parametrize("version", ["2.2", "2.3", "2.4", "2.10"])
@pytest.mark.parametrize("dynamic", ["", "Dynamic: Classifier", "Dynamic: License-File"])
def test_static_metadata_saves_a_build(tmp_path: Path, version: str, dynamic: str) -> None:
    tree = written(tmp_path, "Requires-Dist: other", dynamic, version=version)
    assert static_metadata(tree) == (tmp_path / "PKG-INFO").read_bytes()


@pytest.mark.parametrize("field", ["Requires-Dist", "requires-dist", "Requires-Python", "Provides-Extra"])
def test_a_dynamic_field_that_is_needed_asks_for_a_build(tmp_path: Path, field: str) -> None:
    assert static_metadata(written(tmp_path, "Dynamic: Classifier", f"Dynamic: {field}")) is None


@pytest.mark.parametrize("version", ["1.0", "2.1", "unknown"])
def test_older_metadata_promises_nothing(tmp_path: Path, version: str) -> None:
    assert static_metadata(written(tmp_path, version=version)) is None


def test_a_tree_without_pkg_info_asks_for_a_build(tmp_path: Path) -> None:
    assert static_metadata(tmp_path) is None


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_a_link_is_not_followed(tmp_path: Path) -> None:
    written(tmp_path).joinpath("PKG-INFO").rename(tmp_path / "elsewhere")
    (tmp_path / "PKG-INFO").symlink_to("elsewhere")
    assert static_metadata(tmp_path) is None
