"""The tool is made with nothing but Python, by as many jobs at once as there are, and is whole or not there."""

from __future__ import annotations

import ast
import hashlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
import zipfile
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import packaging
import pytest
from helpers.capabilities import needs_rights, needs_symlinks, unix_only
from helpers.repacked import repack
from helpers.wheels import make_wheel
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from helpers.index import LocalIndex

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "bootstrap" / "ci_install.py"
MAIN = "import sys, demo, packaging\nprint('tool', demo.__version__, *sys.argv)\nsys.exit(len(sys.argv) - 1)\n"


@dataclass
class Bootstrap:
    """Runs the script for a package that needs two wheels, in surroundings that hold nothing of this machine."""

    folder: Path
    index: LocalIndex
    variables: dict[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    isolation: str = "-I"

    @property
    def tools(self) -> Path:
        return self.folder / "tools"

    def arguments(self, *arguments: str) -> list[str]:
        own = ["--lock", str(self.folder / "lock.txt"), "--source", str(self.folder / "src")]
        own += ["--tool-dir", str(self.tools)]
        return [sys.executable, self.isolation, str(SCRIPT), *own, *self.options, *arguments]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.arguments(*arguments),
            env=self.variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
        )

    def __call__(self, *arguments: str, code: int = 0) -> str:
        """Run it, hold it to its exit code, and return what it said."""
        with self.start(*arguments) as process:
            stdout, stderr = process.communicate(timeout=60)
        assert process.returncode == code, f"{process.returncode} instead of {code}\n{stdout}\n{stderr}"
        assert "Traceback" not in stderr
        return stdout + stderr

    def made(self) -> list[str]:
        """What the folder of tools holds."""
        return sorted(os.listdir(self.tools)) if self.tools.exists() else []

    def write_lock(self, wheels: Mapping[str, bytes]) -> None:
        lines = []
        for filename, content in wheels.items():
            name, version = filename.split("-")[:2]
            lines.append(f"{name}=={version} \\\n    --hash=sha256:{hashlib.sha256(content).hexdigest()}\n")
        lines.append(f"absent==1.0 ; python_version < '3' \\\n    --hash=sha256:{'0' * 64}\n")
        (self.folder / "lock.txt").write_text("# comment\n" + "".join(lines), encoding="utf-8")


@pytest.fixture
def wheels() -> dict[str, bytes]:
    """The real packaging, which the script imports, and one more."""
    found = dict([make_wheel("demo", "1.0")])
    folder = Path(packaging.__file__).parent
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for file in sorted(folder.rglob("*.py")):
            archive.write(file, file.relative_to(folder.parent).as_posix())
        archive.writestr(f"packaging-{packaging.__version__}.dist-info/METADATA", "Name: packaging\n")
    found[f"packaging-{packaging.__version__}-py3-none-any.whl"] = buffer.getvalue()
    return found


@pytest.fixture
def bootstrap(tmp_path: Path, local_index: LocalIndex, wheels: dict[str, bytes]) -> Bootstrap:
    package = tmp_path / "src" / "safe_install"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(MAIN, encoding="utf-8")
    for filename, content in wheels.items():
        local_index.add(filename, content, metadata=False)
    variables = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    variables |= {"HOME": str(tmp_path), "PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": local_index.url}
    bootstrap = Bootstrap(tmp_path, local_index, variables)
    bootstrap.write_lock(wheels)
    return bootstrap


def test_it_runs_what_it_made_and_hands_on_arguments_and_exit_code(bootstrap: Bootstrap) -> None:
    assert bootstrap("--", "sync", "--", "-x", code=3) == "tool 1.0 ci-install sync -- -x\n"
    requests = bootstrap.index.count()
    assert bootstrap() == "tool 1.0 ci-install\n"
    assert bootstrap.index.count() == requests
    assert len(bootstrap.made()) == 1


@pytest.mark.parametrize("form", ["json", "html"])
def test_either_form_of_page_is_read(bootstrap: Bootstrap, form: Literal["json", "html"]) -> None:
    bootstrap.index.form = form
    assert bootstrap() == "tool 1.0 ci-install\n"


def test_sixteen_cold_starts_at_once_make_one_tool(bootstrap: Bootstrap) -> None:
    processes = [bootstrap.start() for _ in range(16)]
    said = [process.communicate(timeout=120) for process in processes]
    assert said == [("tool 1.0 ci-install\n", "")] * 16
    assert len(bootstrap.made()) == 1


def test_killed_at_any_moment_it_leaves_what_the_next_one_can_do_without(bootstrap: Bootstrap) -> None:
    began = time.monotonic()
    bootstrap()
    taken = time.monotonic() - began
    for position in range(12):
        (bootstrap.folder / "src" / "safe_install" / "again.py").write_text(f"x = {position}\n", encoding="utf-8")
        process = bootstrap.start()
        time.sleep(taken * position / 10)
        process.kill()
        process.communicate()
        assert bootstrap() == "tool 1.0 ci-install\n"
    left = [name for name in bootstrap.made() if name.startswith(".")]
    for name in left:
        os.utime(bootstrap.tools / name, (0, 0))
    (bootstrap.folder / "src" / "safe_install" / "again.py").unlink()
    (bootstrap.folder / "src" / "safe_install" / "more.py").touch()
    bootstrap()
    assert [name for name in bootstrap.made() if name.startswith(".")] == []


@pytest.mark.skipif(os.name == "nt", reason="a console is needed to send Ctrl-C there")
def test_ctrl_c_leaves_nothing(bootstrap: Bootstrap) -> None:
    bootstrap.index.fail(path="/files/*", stall_after=50, times=9)
    process = bootstrap.start()
    while bootstrap.index.count("/files/*") == 0:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert bootstrap.made() == []


def test_a_damaged_tool_is_made_again(bootstrap: Bootstrap) -> None:
    bootstrap()
    (tool,) = bootstrap.made()
    os.truncate(bootstrap.tools / tool / "demo" / "__init__.py", 0)
    assert bootstrap() == "tool 1.0 ci-install\n"
    assert bootstrap.made() == [tool]


def test_only_what_killed_jobs_left_is_removed(bootstrap: Bootstrap) -> None:
    """Somebody may name a folder that holds other things."""
    bootstrap.tools.mkdir()
    own = f".{'0' * 16}-cpython-311.{'1' * 16}"
    for name in (".git", own):
        (bootstrap.tools / name / "x").mkdir(parents=True)
        os.utime(bootstrap.tools / name, (0, 0))
    bootstrap()
    assert ".git" in bootstrap.made()
    assert own not in bootstrap.made()


@needs_symlinks
def test_a_source_with_links_has_no_name(bootstrap: Bootstrap) -> None:
    """What a link shows could be changed without another name, and then be run by whoever has the same tool folder."""
    (bootstrap.folder / "elsewhere").mkdir()
    (bootstrap.folder / "src" / "safe_install" / "more").symlink_to(bootstrap.folder / "elsewhere")
    assert "error[no-source]" in bootstrap(code=2)


@needs_rights
def test_a_tool_that_this_user_may_not_read_is_no_damage(bootstrap: Bootstrap) -> None:
    bootstrap()
    (tool,) = bootstrap.made()
    (bootstrap.tools / tool).chmod(0)
    try:
        assert "error[tool-unusable]" in bootstrap(code=7)
    finally:
        (bootstrap.tools / tool).chmod(0o755)
    assert bootstrap() == "tool 1.0 ci-install\n"


@unix_only
def test_other_users_may_run_the_tool(bootstrap: Bootstrap) -> None:
    bootstrap()
    (tool,) = bootstrap.made()
    assert (bootstrap.tools / tool).stat().st_mode & 0o777 == 0o755


@unix_only
def test_without_a_home_a_folder_has_to_be_named(bootstrap: Bootstrap) -> None:
    del bootstrap.variables["HOME"]
    code = "import os, runpy, sys; os.path.expanduser = lambda text: text; "
    arguments = [each for each in bootstrap.arguments() if each not in {"--tool-dir", str(bootstrap.tools)}]
    run = f"sys.argv[:] = {arguments[2:]!r}; runpy.run_path(sys.argv[0], run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code + run], env=bootstrap.variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 7
    assert "error[no-tool-dir]" in done.stderr


@pytest.mark.parametrize("url", ["ftp://x/", "https://x:port/simple", "https://me:s3cr/et@host/simple", "/srv/simple"])
def test_an_index_that_is_none_is_refused_and_not_shown(bootstrap: Bootstrap, url: str) -> None:
    bootstrap.variables["PIP_INDEX_URL"] = url
    said = bootstrap(code=2)
    assert "error[invalid-url]" in said
    assert "s3cr" not in said


@pytest.mark.parametrize("body", [b'{"files": [{"filename": 3}]}', b"[]", b"{"])
def test_a_page_that_is_none_is_an_error(bootstrap: Bootstrap, body: bytes) -> None:
    kind = {"Content-Type": "application/vnd.pypi.simple.v1+json"}
    bootstrap.index.fail(path="/simple/packaging/", status=200, headers=kind, body=body)
    assert "error[malformed-page]" in bootstrap(code=3)


def test_another_source_or_lock_is_another_tool(bootstrap: Bootstrap) -> None:
    bootstrap()
    (bootstrap.folder / "src" / "safe_install" / "more.py").touch()
    bootstrap()
    with (bootstrap.folder / "lock.txt").open("a", encoding="utf-8") as stream:
        stream.write("# changed\n")
    bootstrap()
    assert len(bootstrap.made()) == 3


def test_a_wheel_that_is_not_that_of_the_lock_is_refused(bootstrap: Bootstrap, local_index: LocalIndex) -> None:
    """The page promises the right digest, and the file is another."""
    wrong = make_wheel("demo", "1.0", files={"demo/__init__.py": "evil = 1\n"})[1]
    local_index.fail(path="/files/*/demo-*", status=200, body=wrong)
    assert "error[hash-mismatch]" in bootstrap(code=4)
    assert bootstrap.made() == []


def test_a_wheel_that_is_missing_is_named(bootstrap: Bootstrap, wheels: dict[str, bytes]) -> None:
    bootstrap.write_lock({**wheels, "demo-1.0-py3-none-any.whl": b"another"})
    said = bootstrap(code=1)
    assert "error[no-compatible-file]" in said
    assert "demo" in said
    assert bootstrap.made() == []


@pytest.mark.parametrize("text", ["demo==1.0\n", "demo>=1.0 --hash=sha256:" + "0" * 64, "-r other.txt"])
def test_a_lock_without_versions_or_hashes_is_refused(bootstrap: Bootstrap, text: str) -> None:
    (bootstrap.folder / "lock.txt").write_text(text, encoding="utf-8")
    assert "error[lock-invalid]" in bootstrap(code=2)


def test_what_is_missing_is_named(bootstrap: Bootstrap) -> None:
    bootstrap.options = ("--lock", "absent.txt")
    assert "error[no-lock]" in bootstrap(code=2)
    bootstrap.options = ("--source", "absent")
    assert "error[no-source]" in bootstrap(code=2)
    bootstrap.options = ("--wheels", "absent")
    assert "error[no-wheels]" in bootstrap(code=2)
    bootstrap.options = ("--tool-dir", str(bootstrap.folder / "lock.txt"))
    assert "error[tool-unusable]" in bootstrap(code=7)


def test_an_index_that_does_not_answer_is_an_error(bootstrap: Bootstrap) -> None:
    bootstrap.index.fail(status=403, path="/simple/packaging/", times=1)
    said = bootstrap(code=3)
    assert "error[index-unreachable]" in said
    assert "403" in said


def test_an_index_that_is_busy_is_asked_again(bootstrap: Bootstrap) -> None:
    bootstrap.index.fail(status=503, path="/simple/demo/", times=1)
    assert bootstrap() == "tool 1.0 ci-install\n"


def test_offline_it_takes_the_wheels_of_a_prepared_folder(bootstrap: Bootstrap) -> None:
    assert "holds 2 wheels" in bootstrap("--prepare", str(bootstrap.folder / "wheels"))
    assert bootstrap.made() == []
    bootstrap.variables["PIP_INDEX_URL"] = "http://127.0.0.1:9/"
    bootstrap.options = ("--wheels", str(bootstrap.folder / "wheels"))
    assert bootstrap() == "tool 1.0 ci-install\n"


def test_credentials_of_the_index_are_sent_and_not_shown(bootstrap: Bootstrap, local_index: LocalIndex) -> None:
    bootstrap.variables["PIP_INDEX_URL"] = local_index.url.replace("://", "://me:s3cret@")
    local_index.credentials = ("me", "s3cret")
    assert bootstrap() == "tool 1.0 ci-install\n"
    bootstrap.variables["PIP_INDEX_URL"] = local_index.url.replace("://", "://me:wr0ng@")
    (bootstrap.folder / "src" / "safe_install" / "more.py").touch()
    assert "wr0ng" not in bootstrap(code=3)


def test_the_index_of_pips_files_is_asked(bootstrap: Bootstrap, local_index: LocalIndex) -> None:
    del bootstrap.variables["PIP_INDEX_URL"]
    configuration = bootstrap.folder / "pip.conf"
    configuration.write_text(f"[global]\nindex-url = {local_index.url}\n", encoding="utf-8")
    bootstrap.variables["PIP_CONFIG_FILE"] = str(configuration)
    assert bootstrap() == "tool 1.0 ci-install\n"


def test_it_needs_no_venv_no_ensurepip_and_no_pip(bootstrap: Bootstrap) -> None:
    """Debian takes the first two out of Python, and images the third."""
    blocked = "import sys; sys.modules.update(dict.fromkeys(('venv', 'ensurepip', 'pip', 'setuptools', 'site')))"
    run = f"import runpy; sys.argv[:] = {bootstrap.arguments()[2:]!r}; runpy.run_path(sys.argv[0], run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"{blocked}; {run}"],
        env=bootstrap.variables,
        capture_output=True,
        text=True,
        check=False,
        cwd=bootstrap.folder,
    )
    assert (done.stdout, done.stderr) == ("tool 1.0 ci-install\n", "")


def test_without_pip_and_configuration_no_index_is_known(bootstrap: Bootstrap) -> None:
    del bootstrap.variables["PIP_INDEX_URL"]
    run = f"sys.argv[:] = {bootstrap.arguments()[2:]!r}; runpy.run_path(sys.argv[0], run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import runpy, sys; sys.modules['pip'] = None; {run}"],
        env=bootstrap.variables,
        capture_output=True,
        text=True,
        check=False,
        cwd=bootstrap.folder,
    )
    assert done.returncode == 3
    assert "error[no-index]" in done.stderr


@pytest.mark.parametrize("version", [(2, 7, 18), (3, 6, 8), (3, 10, 14)])
def test_a_python_that_is_too_old_is_told_what_is_needed(
    version: tuple[int, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = SCRIPT.read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 4))
    assert not re.search(r"\bf[\"']|->|:=|\basync\b|^from __future__", source, re.MULTILINE)
    monkeypatch.setattr(sys, "version_info", version)
    with pytest.raises(SystemExit) as ended:
        exec(compile(source, str(SCRIPT), "exec"), {"__name__": "__main__", "__file__": str(SCRIPT)})
    assert ended.value.code == 8
    assert f"is {version[0]}.{version[1]}\n" in capsys.readouterr().err


def test_members_outside_of_the_tool_are_refused(
    bootstrap: Bootstrap, local_index: LocalIndex, wheels: dict[str, bytes]
) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("../outside.py", "x = 1\n")
    changed = {**wheels, "demo-1.0-py3-none-any.whl": buffer.getvalue()}
    local_index.add("demo-1.0-py3-none-any.whl", buffer.getvalue(), metadata=False)
    bootstrap.write_lock(changed)
    assert "error[wheel-path]" in bootstrap(code=4)
    assert bootstrap.made() == []


def test_the_lock_of_the_repository_meets_what_the_project_needs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    locked = dict(
        re.findall(
            r"^([a-z0-9.-]+)==([^ ;]+)", (ROOT / "bootstrap" / "requirements.txt").read_text("utf-8"), re.MULTILINE
        )
    )
    waiting = [Requirement(text) for text in project["dependencies"]]
    seen = set()
    while waiting:
        each = waiting.pop()
        name = canonicalize_name(each.name)
        if each.marker is not None and not each.marker.evaluate({"extra": ""}):
            continue
        assert each.specifier.contains(locked[name]), f"{each} is not met by {locked[name]}"
        if name not in seen:
            seen.add(name)
            waiting += [Requirement(text) for text in metadata.requires(name) or ()]
    assert "packaging" in locked


@pytest.fixture(scope="module")
def real_parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the real command needs: a lock, and a folder with the wheels that it names."""
    folder = tmp_path_factory.mktemp("real parts")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (folder / "lock.txt").write_text(repack(project["dependencies"], folder / "wheels"), encoding="utf-8")
    return folder


@pytest.mark.slow
def test_the_real_command_is_made_by_many_at_once_and_installs(bootstrap: Bootstrap, real_parts: Path) -> None:
    """Of Python there is only the standard library, so that the tool is all it has."""
    bootstrap.isolation = "-IS"
    bootstrap.options = ("--lock", str(real_parts / "lock.txt"), "--source", str(ROOT / "src"))
    bootstrap.options += ("--wheels", str(real_parts / "wheels"))
    for name in ("USERPROFILE", "APPDATA", "LOCALAPPDATA", "TEMP", "TMP"):
        bootstrap.variables[name] = str(bootstrap.folder)
    processes = [bootstrap.start("--", "--version") for _ in range(4)]
    for process in processes:
        stdout, stderr = process.communicate(timeout=120)
        assert (process.returncode, stdout.partition(" ")[0], stderr) == (0, "ci-install", "")
    assert len(bootstrap.made()) == 1
    filename, content = make_wheel("local", "1.0")
    (bootstrap.folder / "offered").mkdir()
    (bootstrap.folder / "offered" / filename).write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    (bootstrap.folder / "requirements.txt").write_text(f"local==1.0 --hash=sha256:{digest}\n", encoding="utf-8")
    bootstrap("--", "sync", "requirements.txt", "--no-index", "--find-links", "offered")
    python = bootstrap.folder / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    subprocess.run([python, "-c", "import local; assert local.__version__ == '1.0'"], check=True)


@pytest.mark.index
@pytest.mark.slow
def test_the_real_command_starts_from_the_real_index(tmp_path: Path) -> None:
    environ: dict[str, Any] = {**os.environ, "SAFE_INSTALL_TOOL_DIR": str(tmp_path)}
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, SCRIPT, "--", "cache", "dir", "--json"],
            env=environ,
            check=True,
            capture_output=True,
            text=True,
        )
        assert json.loads(done.stdout)["cache_dir"]
