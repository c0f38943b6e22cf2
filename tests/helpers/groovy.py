"""Pipelines of Jenkins on Groovy 2.4, the language that Jenkins runs, with steps that really do what theirs do."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.missing_parts import missing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HERE = Path(__file__).parents[1] / "doors" / "jenkins"
_JAR = Path("/usr/share/java/groovy-all.jar")
_RESULT = "result.json"
_REMEDY = "apt-get install groovy (as tests/install-parts.sh does)"


@dataclass(frozen=True)
class Pipeline:
    """What a pipeline's script did. :param log: what its steps did, in order."""

    value: Any
    error: str | None
    log: Sequence[Mapping[str, str]]
    groovy: str

    @property
    def said(self) -> str:
        """What its shells printed."""
        return "".join(each.get("sh", "") + each.get("bat", "") for each in self.log)


def run_pipeline(
    script: str,
    *,
    library: Path,
    folder: Path,
    variables: Mapping[str, str],
    windows: Mapping[str, object] | None = None,
) -> Pipeline:
    """Run *script* in ``folder/work space`` with the steps of *library*.

    :param windows: of an agent that is one: ``drive``, the folder that its drive D: is; ``variables``; and ``command``,
        which runs what a file with ``environment``, ``folder`` and ``script`` says.
    """
    process = start_pipeline(script, library=library, folder=folder, variables=variables, windows=windows)
    try:
        said, _ = process.communicate(timeout=200)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, said
    document = json.loads((folder / _RESULT).read_text(encoding="utf-8"))
    return Pipeline(document.get("value"), document.get("error"), document["log"], document["groovy"])


def start_pipeline(
    script: str,
    *,
    library: Path,
    folder: Path,
    variables: Mapping[str, str],
    windows: Mapping[str, object] | None = None,
) -> subprocess.Popen[str]:
    """As `run_pipeline`, without waiting; at the head of a process group of its own."""
    java = shutil.which("java")
    if java is None or not _JAR.exists():
        missing("Groovy", _REMEDY)
    workspace = folder / "work space"
    workspace.mkdir(exist_ok=True)
    source = folder / "pipeline.groovy"
    source.write_text(script, encoding="utf-8")
    described = folder / "windows.json"
    described.write_text(json.dumps(windows or {}), encoding="utf-8")
    options: list[str | Path] = ["-Xshare:auto", "-Dfile.encoding=UTF-8", f"-Dstubs={HERE / 'stubs'}", "-cp", _JAR]
    command = [
        java,
        *options,
        "groovy.ui.GroovyMain",
        HERE / "run.groovy",
        library,
        workspace,
        folder / _RESULT,
        source,
    ]
    return subprocess.Popen(
        [*command, described],
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8", **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
