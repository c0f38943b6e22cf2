"""``ci-install init``: write a pipeline file for the project at hand."""

from __future__ import annotations

import difflib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ...doors import LOCK_NAMES
from ...errors import InputError, StoreError
from ..call import Call, perform
from ..output import write_result

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PAGES = Path(__file__).parents[1] / "pages" / "init"
_VERSIONS = tuple(f"3.{minor}" for minor in range(8, 15))
_USUAL = "3.13"
_OLDEST = 11  # 3.11
_CLASSIFIER = re.compile(r"Programming Language :: Python :: (3\.[0-9]{1,3})")
_PYTHON_FILE = re.compile(r"(?:cpython-)?(3\.[0-9]{1,3})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One platform. :param path: of its pipeline file. :param source: how that names safe-install by default."""

    path: str
    template: str
    source: str


TARGETS: Final[Mapping[str, Target]] = {
    "github": Target(path=".github/workflows/safe-install.yml", template="github.yml.j2", source="org/safe-install@v1"),
    "gitlab": Target(
        path=".gitlab-ci.yml",
        template="gitlab.yml.j2",
        source="$CI_SERVER_FQDN/org/safe-install/safe-install@1",
    ),
    "jenkins": Target(path="Jenkinsfile", template="jenkins.groovy.j2", source="safe-install@v1"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """What was found out about a project.

    :param locks: what is installed.
    :param pythons: versions to test with, such as ``3.12``, oldest first.
    :param test: the command that runs its tests.
    """

    locks: tuple[str, ...]
    pythons: tuple[str, ...]
    test: str

    @property
    def pythons_of_images(self) -> list[str]:
        """Those whose image brings a Python that runs ci-install."""
        return [version for version in self.pythons if _minor(version) >= _OLDEST] or [_USUAL]


def run(
    options: Mapping[str, Any], *, platform: str, check: bool, force: bool, test: str | None, source: str | None
) -> int:
    """Write the pipeline file of *platform*, or compare it; return the exit code."""

    def work(call: Call) -> None:
        target = TARGETS[platform]
        path = Path(target.path)
        text = render(target, find_out(Path.cwd(), test=test), source or target.source)
        before = _read(path)
        if before == text:
            call.screen.line(f"{path} is up to date")
            return
        if before is not None:
            write_result("".join(_difference(before, text, str(path))))
        if check:
            raise InputError(
                f"{path} is not there" if before is None else f"{path} is not up to date",
                code="pipeline-outdated",
                hint=f"ci-install init {platform}" + ("" if before is None else " --force"),
            )
        if before is not None and not force:
            raise InputError(
                f"{path} is there and says something else",
                code="pipeline-exists",
                hint="read the difference above, and replace the file with --force",
            )
        _write(path, text)
        call.screen.line(f"wrote {path}")

    return perform("init", options, None, work, use_scratch=False, reports=False)


def find_out(folder: Path, *, test: str | None = None) -> Project:
    """Look at the project in *folder*.

    :raises InputError: ``no-lock``: there is nothing to install; ``configuration-invalid``: its pyproject.toml.
    """
    locks = tuple(name for name in LOCK_NAMES if (folder / name).is_file())[:1]
    if not locks:
        raise InputError(
            f"there is no {' and no '.join(LOCK_NAMES)} in {folder}",
            code="no-lock",
            hint="make one with `ci-install lock -r requirements.in -o pylock.toml`",
        )
    pyproject = _pyproject(folder)
    return Project(
        locks=locks,
        pythons=_pythons(folder, pyproject),
        test=test or _test_command(folder, pyproject),
    )


def render(target: Target, project: Project, source: str) -> str:
    """Return the pipeline file."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_PAGES),
        autoescape=False,  # noqa: S701 - YAML and Groovy are no HTML
        trim_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["quoted"] = json.dumps
    environment.filters["groovy"] = _groovy
    return environment.get_template(target.template).render(project=project, source=source)


def _groovy(text: str) -> str:
    """*text* as a literal of Groovy in which nothing is replaced."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r")
    return f"'{escaped}'"


def _pyproject(folder: Path) -> dict[str, Any]:
    import tomllib

    path = folder / "pyproject.toml"
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {error}", code="configuration-invalid") from error


def _pythons(folder: Path, pyproject: Mapping[str, Any]) -> tuple[str, ...]:
    """The versions that the project says it supports: classifiers, ``requires-python``, ``.python-version``."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    project = pyproject.get("project")
    project = project if isinstance(project, dict) else {}
    classifiers = project.get("classifiers")
    found = {match[1] for text in _texts(classifiers) if (match := _CLASSIFIER.fullmatch(text))}
    required = project.get("requires-python")
    if not found and isinstance(required, str):
        try:
            allowed = SpecifierSet(required)
        except InvalidSpecifier as error:
            raise InputError(f"requires-python of pyproject.toml: {error}", code="configuration-invalid") from error
        # A patch version high enough for bounds such as >=3.9.2.
        found = {version for version in _VERSIONS if allowed.contains(f"{version}.99")}
        if not found:
            raise InputError(
                f"requires-python of pyproject.toml is {required}, which allows none of {', '.join(_VERSIONS)}",
                code="configuration-invalid",
                hint="name the Pythons in the classifiers of the project",
            )
    if not found and (text := _read(folder / ".python-version")):
        found = {match[1] for line in text.splitlines() if (match := _PYTHON_FILE.match(line.strip()))}
    # Whatever says nothing is not to depend on the Python that runs this: `--check` would.
    found = found or {_USUAL}
    return tuple(sorted(found, key=_minor))


def _minor(version: str) -> int:
    return int(version.partition(".")[2])


def _texts(values: object) -> Sequence[str]:
    return [each for each in values if isinstance(each, str)] if isinstance(values, list) else []


def _test_command(folder: Path, pyproject: Mapping[str, Any]) -> str:
    tool = pyproject.get("tool")
    tables = set(tool) if isinstance(tool, dict) else set()
    if (folder / "noxfile.py").is_file():
        return "python -m nox"
    if "tox" in tables or (folder / "tox.ini").is_file():
        return "python -m tox"
    has_pytest = "pytest" in tables or any((folder / name).is_file() for name in ("pytest.ini", "conftest.py"))
    if has_pytest or (folder / "tests" / "conftest.py").is_file() or any((folder / "tests").glob("test_*.py")):
        return "python -m pytest"
    return "python -m unittest"


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {error}", code="file-unreadable") from error


def _write(path: Path, text: str) -> None:
    from ...fs.atomic import write_atomically

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A link stays one.
        write_atomically(os.path.realpath(path), text.encode("utf-8"))
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}", code="file-unwritable") from error


def _difference(before: str, after: str, name: str) -> list[str]:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), name, name, lineterm="")
    return [f"{line}\n" for line in lines]
