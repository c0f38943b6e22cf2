from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from helpers.capabilities import unix_only
from helpers.environments import install, other_interpreters, this_interpreter
from packaging.markers import default_environment
from packaging.tags import sys_tags

from safe_install.errors import TargetError
from safe_install.install.interpreter import probe
from safe_install.install.interpreter_document import interpreter_from_document, interpreter_to_document


def imitation(folder: Path, script: str) -> str:
    """An executable that is no Python, whatever it says."""
    path = folder / "python"
    path.write_text("#!/bin/sh\n" + textwrap.dedent(script), encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_probe_finds_the_markers_and_tags_that_packaging_finds_for_itself() -> None:
    found = probe(sys.executable)
    assert dict(found.markers) == dict(default_environment())
    assert found.tag_texts == tuple(dict.fromkeys(map(str, sys_tags())))
    assert found.version == sys.version_info[:3]


def test_probe_keeps_the_link_by_which_an_environment_is_found(tmp_path: Path) -> None:
    install(tmp_path / "env", [], scratch=tmp_path)
    python = str(tmp_path / "env" / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
    found = probe(python)
    assert found.executable == python
    assert found.is_virtual
    assert found.prefix == str(tmp_path / "env")
    assert os.path.samefile(found.base_executable, this_interpreter().executable)
    assert found.relative_paths == this_interpreter().relative_paths


@pytest.mark.parametrize("executable", other_interpreters(), ids=lambda path: path.parts[-3])
def test_every_interpreter_of_this_machine_is_described_or_refused_as_too_old(executable: Path) -> None:
    said = subprocess.run(
        [executable, "-c", "import sys; print('%d %d' % sys.version_info[:2])"],
        capture_output=True,
        text=True,
        check=True,
    )
    version = tuple(map(int, said.stdout.split()))
    if version < (3, 8):
        with pytest.raises(TargetError) as caught:
            probe(str(executable))
        assert caught.value.code == "interpreter-too-old"
        assert ".".join(map(str, version)) in caught.value.message
        return
    found = probe(str(executable))
    name = f"cp{version[0]}{version[1]}"
    assert found.version[:2] == version
    assert found.cache_tag == f"cpython-{version[0]}{version[1]}"
    assert f"{name}-{name}-linux_x86_64" in found.tag_texts or sys.platform != "linux"
    assert f"{name}-none-any" in found.tag_texts
    assert found.externally_managed is None


def test_probe_is_blind_to_what_a_job_puts_in_its_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong json')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHONSTARTUP", str(tmp_path / "json.py"))
    monkeypatch.chdir(tmp_path)
    assert probe(sys.executable).version == sys.version_info[:3]


def test_missing_interpreter_is_named(tmp_path: Path) -> None:
    with pytest.raises(TargetError) as caught:
        probe(str(tmp_path / "nothing"))
    assert caught.value.code == "interpreter-missing"
    assert str(tmp_path / "nothing") in caught.value.message


@unix_only
def test_the_end_of_what_a_broken_interpreter_says_is_shown(tmp_path: Path) -> None:
    with pytest.raises(TargetError) as caught:
        probe(imitation(tmp_path, "echo libpython3.99.so: cannot open shared object >&2; exit 127"))
    assert caught.value.code == "interpreter-broken"
    assert "exit code 127" in caught.value.message
    assert caught.value.context == ("libpython3.99.so: cannot open shared object",)


@unix_only
def test_an_interpreter_that_hangs_is_broken(tmp_path: Path) -> None:
    with pytest.raises(TargetError) as caught:
        probe(imitation(tmp_path, "exec sleep 60"), timeout=0.2)
    assert caught.value.code == "interpreter-broken"
    assert "0.2 s" in caught.value.message


@unix_only
def test_a_file_that_cannot_be_run_is_broken_not_missing(tmp_path: Path) -> None:
    (tmp_path / "python").write_text("no program")
    with pytest.raises(TargetError) as caught:
        probe(str(tmp_path / "python"))
    assert caught.value.code == "interpreter-broken"


@unix_only
def test_an_old_python_that_cannot_read_the_probe_is_too_old(tmp_path: Path) -> None:
    old = imitation(tmp_path, 'case "$*" in *-c*) echo 2.7.18;; *) echo SyntaxError >&2; exit 1;; esac')
    with pytest.raises(TargetError) as caught:
        probe(old)
    assert caught.value.code == "interpreter-too-old"
    assert "2.7.18" in caught.value.message


@unix_only
def test_another_implementation_is_unsupported(tmp_path: Path) -> None:
    facts = interpreter_to_document(this_interpreter()) | {"implementation": "pypy"}
    facts["markers"] = dict(facts["markers"]) | {"platform_python_implementation": "PyPy"}
    (tmp_path / "facts.json").write_text(json.dumps(facts))
    with pytest.raises(TargetError) as caught:
        probe(imitation(tmp_path, f"cat {tmp_path}/facts.json"))
    assert caught.value.code == "interpreter-unsupported"
    assert "PyPy" in caught.value.message


def test_a_description_survives_json() -> None:
    found = this_interpreter()
    again = interpreter_from_document(json.loads(json.dumps(interpreter_to_document(found))))
    assert again == found
    assert again.tags == found.tags


@pytest.mark.parametrize("change", [{"version": [3]}, {"libc": None}, {"tag_texts": 7}])
def test_a_description_of_another_shape_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"interpreter|unpack"):
        interpreter_from_document(interpreter_to_document(this_interpreter()) | change)


def test_a_description_without_a_key_is_refused() -> None:
    document = interpreter_to_document(this_interpreter())
    del document["markers"]
    with pytest.raises(ValueError, match="markers"):
        interpreter_from_document(document)
