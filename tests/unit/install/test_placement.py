from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import pytest
from helpers.environments import environment_at, wheel

from safe_install.errors import IntegrityError, StoreError
from safe_install.install.placement import Placement, place

SITE = environment_at(Path("/env")).parts["purelib"]
SCRIPTS = environment_at(Path("/env")).parts["scripts"]
HEADERS = environment_at(Path("/env")).parts["headers"]


def placed(tmp_path: Path, **options: Any) -> Placement:
    return place(wheel(tmp_path / "store", **options), environment_at(tmp_path / "env"), installer_name="us")


def targets(placement: Placement) -> set[str]:
    linked = {f"{part.target}/{name}".lstrip("/") for part in placement.linked for name in part.files}
    return linked | {file.path for file in placement.written}


def test_modules_and_metadata_go_to_the_library(tmp_path: Path) -> None:
    info = f"{SITE}/demo-1.0.dist-info"
    found = placed(tmp_path)
    assert targets(found) == {f"{SITE}/demo/__init__.py", f"{info}/METADATA", f"{info}/WHEEL", f"{info}/INSTALLER"}
    assert found.record_path == f"{info}/RECORD"
    assert found.sources == [f"{SITE}/demo/__init__.py"]


def test_data_is_spread_over_the_scheme_and_leaves_no_trace(tmp_path: Path) -> None:
    data = {"data/share/man/x.1": "m", "headers/sub/x.h": "h", "purelib/p.py": "", "platlib/l.py": "", "data/top": ""}
    found = targets(placed(tmp_path, name="De-Mo", data=data, scripts={"run": "#!/bin/sh\n"}))
    assert {"share/man/x.1", "top", f"{HEADERS}/de-mo/sub/x.h", f"{SITE}/p.py", f"{SITE}/l.py"} <= found
    assert f"{SCRIPTS}/run" in found
    assert not [path for path in found if ".data" in path]


def test_only_scripts_that_ask_for_it_are_rewritten(tmp_path: Path) -> None:
    found = placed(
        tmp_path, scripts={"a.py": "#!python\nprint()\n", "b": "#!/bin/sh\n", "c": "#!/usr/bin/env python\n"}
    )
    written = {file.path: file for file in found.written if file.path.startswith(SCRIPTS)}
    assert set(written) == {f"{SCRIPTS}/a.py"}
    assert written[f"{SCRIPTS}/a.py"].content.startswith(b"#!" + str(tmp_path).encode())
    assert written[f"{SCRIPTS}/a.py"].executable


def test_scripts_of_the_wheel_are_compiled_but_commands_are_not(tmp_path: Path) -> None:
    found = placed(tmp_path, scripts={"a.py": "#!python\n"}, entry_points="[console_scripts]\nb.py = demo:x\n")
    assert f"{SCRIPTS}/a.py" in found.sources
    assert f"{SCRIPTS}/b.py" not in found.sources


def test_wrappers_that_setuptools_made_are_left_out_but_their_row_stays(tmp_path: Path) -> None:
    """pip keeps the row with the path of the archive; see `scripts.is_command`."""
    found = placed(
        tmp_path, scripts={"demo-script.py": "#!python\n"}, entry_points="[console_scripts]\ndemo = demo:main\n"
    )
    assert f"{SCRIPTS}/demo-script.py" not in targets(found)
    assert {f"{SCRIPTS}/demo", f"{SCRIPTS}/demo.exe"} & targets(found)
    assert b"demo-1.0.data/scripts/demo-script.py,sha256=" in found.record([])


def test_what_the_installer_adds_is_listed_with_its_digest(tmp_path: Path) -> None:
    found = placed(tmp_path, requested=True, direct_url={"url": "file:///x", "dir_info": {}})
    record = found.record([f"{SITE}/demo/__pycache__/__init__.cpython-311.pyc"]).decode()
    document = b'{"dir_info": {}, "url": "file:///x"}'
    digest = base64.urlsafe_b64encode(hashlib.sha256(document).digest()).rstrip(b"=").decode()
    assert f"demo-1.0.dist-info/direct_url.json,sha256={digest},{len(document)}\r\n" in record
    assert "demo-1.0.dist-info/REQUESTED,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\r\n" in record
    assert "demo/__pycache__/__init__.cpython-311.pyc,,\r\n" in record
    assert {file.path.rpartition("/")[2]: file.content for file in found.written}["direct_url.json"] == document


def test_an_installer_file_of_the_wheel_is_replaced(tmp_path: Path) -> None:
    found = placed(tmp_path, files={"demo.py": "", "demo-1.0.dist-info/INSTALLER": "somebody\n"})
    assert found.record([]).decode().count("INSTALLER") == 1
    assert [file.content for file in found.written if file.path.endswith("INSTALLER")] == [b"us\n"]


def test_of_two_files_for_one_place_the_one_in_data_stays(tmp_path: Path) -> None:
    """pip writes the root of the archive first, then ``.data``."""
    found = placed(tmp_path, files={"x.py": "root"}, data={"purelib/x.py": "data!"})
    (size,) = [part.files["x.py"].size for part in found.linked if "x.py" in part.files]
    assert size == len("data!")


def test_platlib_decides_where_metadata_goes(tmp_path: Path) -> None:
    environment = environment_at(tmp_path / "env")
    object.__setattr__(environment, "parts", dict(environment.parts) | {"platlib": "lib64/site"})
    found = place(
        wheel(tmp_path / "store", root_is_purelib=False, data={"purelib/pure.py": ""}), environment, installer_name="us"
    )
    assert found.record_path == "lib64/site/demo-1.0.dist-info/RECORD"
    assert f"{SITE}/pure.py" in targets(found)
    assert f"../../{SITE}".encode() in found.record([])


@pytest.mark.parametrize(
    "data",
    [{"data/pyvenv.cfg": "home = /evil"}, {"data/PYVENV.CFG": ""}, {f"data/{SCRIPTS}/python3": "x"}],
    ids=["configuration", "configuration in another case", "interpreter"],
)
def test_nothing_replaces_what_makes_the_environment(tmp_path: Path, data: dict[str, str]) -> None:
    prepared = wheel(tmp_path / "store", data={"data/harmless": ""})
    entries = [
        entry._replace(path=entry.path.replace("data/harmless", next(iter(data))))
        for entry in prepared.tree.manifest.files
    ]
    object.__setattr__(prepared.tree, "manifest", prepared.tree.manifest._replace(files=tuple(entries)))
    with pytest.raises(IntegrityError) as caught:
        place(prepared, environment_at(tmp_path / "env"), installer_name="us")
    assert caught.value.code == "replaces-environment"


def test_a_tree_that_vanished_is_damage_of_the_store(tmp_path: Path) -> None:
    prepared = wheel(tmp_path / "store")
    (prepared.tree.tree / "demo-1.0.dist-info" / "WHEEL").unlink()
    with pytest.raises(StoreError) as caught:
        place(prepared, environment_at(tmp_path / "env"), installer_name="us")
    assert caught.value.code == "entry-damaged"
