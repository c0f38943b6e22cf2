"""The backends that people use, fetched from a real index."""

from __future__ import annotations

import subprocess
import zipfile
from email.parser import BytesParser
from typing import TYPE_CHECKING

import pytest
from helpers.projects import PipFiller, project
from packaging.utils import canonicalize_name
from packaging.version import Version

from safe_install.build.builder import Builder, BuildOrder
from safe_install.build.sdist import unpack_sdist
from safe_install.errors import BuildError
from safe_install.metadata import parse_core_metadata

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from safe_install.models import Interpreter

    MakeBuilder = Callable[..., Builder]

pytestmark = pytest.mark.index

BACKENDS = {
    "setuptools_project": "setuptools",
    "flit_project": "flit-core",
    "hatchling_project": "hatchling",
    "poetry_project": "poetry-core",
}


def tree_of(name: str, folder: Path) -> Path:
    """A tree without the in-tree backend, which setuptools would take for a second package."""
    import shutil

    tree = project(name, folder)
    shutil.rmtree(tree / "_backend")
    (tree / "demo" / "__init__.py").write_text('__version__ = "1.0"\n\ndef main():\n    print("hello")\n')
    return tree


@pytest.mark.parametrize("name", sorted(BACKENDS))
def test_a_wheel_and_its_metadata_agree(
    name: str, tmp_path: Path, builder: MakeBuilder, interpreter: Interpreter
) -> None:
    order = BuildOrder(
        source_tree=tree_of(name, tmp_path),
        interpreter=interpreter,
        name=canonicalize_name("demo"),
        version=Version("1.0"),
    )
    making = builder(PipFiller())
    prepared = making.metadata(order)
    wheel = making.build_wheel(order)
    assert prepared.wheel is None
    assert canonicalize_name(BACKENDS[name]) in {canonicalize_name(one) for one in wheel.provenance.requirements}
    with zipfile.ZipFile(wheel.path) as archive:
        assert {"demo/__init__.py", "demo-1.0.dist-info/RECORD"} <= set(archive.namelist())
        built = archive.read("demo-1.0.dist-info/METADATA")
        assert b"demo = demo:main" in archive.read("demo-1.0.dist-info/entry_points.txt").replace(b"demo=", b"demo = ")
    assert BytesParser().parsebytes(prepared.data).items() == BytesParser().parsebytes(built).items()
    told = parse_core_metadata(built, where="METADATA")
    assert [str(requirement) for requirement in told.requires_dist] == ["other>=1"]
    assert set(order.source_tree.iterdir()) == {order.source_tree / "demo", order.source_tree / "pyproject.toml"}


@pytest.mark.parametrize("name", sorted(BACKENDS))
def test_an_editable_wheel_is_built(name: str, tmp_path: Path, builder: MakeBuilder, interpreter: Interpreter) -> None:
    order = BuildOrder(source_tree=tree_of(name, tmp_path), interpreter=interpreter, editable=True)
    wheel = builder(PipFiller()).build_wheel(order)
    assert wheel.name == "demo"
    with zipfile.ZipFile(wheel.path) as archive:
        assert any(member.endswith(".pth") for member in archive.namelist())


def test_a_bare_setup_py_is_built(tmp_path: Path, builder: MakeBuilder, interpreter: Interpreter) -> None:
    order = BuildOrder(source_tree=tree_of("legacy_setup_py", tmp_path), interpreter=interpreter)
    wheel = builder(PipFiller()).build_wheel(order)
    assert (wheel.name, wheel.version) == ("demo", Version("1.0"))


def test_a_setup_py_that_is_no_python_is_told_with_its_line(
    tmp_path: Path, builder: MakeBuilder, interpreter: Interpreter
) -> None:
    order = BuildOrder(source_tree=tree_of("setup_py_broken", tmp_path), interpreter=interpreter)
    with pytest.raises(BuildError) as caught:
        builder(PipFiller()).build_wheel(order)
    assert caught.value.code == "build-failed"
    assert any("SyntaxError" in line for line in caught.value.context)


@pytest.mark.parametrize(
    ("requirement", "module"),
    [("six==1.16.0", "six.py"), ("docopt==0.6.2", "docopt.py"), ("idna==3.7", "idna/core.py")],
)
def test_published_sdists_are_unpacked_and_built(
    requirement: str, module: str, tmp_path: Path, builder: MakeBuilder, interpreter: Interpreter
) -> None:
    command = [interpreter.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(tmp_path)]
    command += ["--no-binary", requirement.partition("==")[0], requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    archives = [path for path in tmp_path.iterdir() if path.suffix in {".gz", ".zip"}]
    assert archives, done.stderr
    top = unpack_sdist(archives[0], tmp_path / "tree", filename=archives[0].name)
    name, version = requirement.split("==")
    order = BuildOrder(
        source_tree=top,
        interpreter=interpreter,
        disposable=True,
        name=canonicalize_name(name),
        version=Version(version),
    )
    with zipfile.ZipFile(builder(PipFiller()).build_wheel(order).path) as archive:
        assert module in archive.namelist()
