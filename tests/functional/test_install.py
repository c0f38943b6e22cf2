"""``ci-install install``: what is asked for and what that needs, added to what is there."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from helpers.missing_parts import program
from helpers.wheels import write_source_tree, write_wheel

if TYPE_CHECKING:
    from helpers.command import Command
    from helpers.stocked_index import StockedIndex


def test_dependencies_come_along(command: Command, index: StockedIndex) -> None:
    index.wheel("app", requires_dist=["lib>=2", "extra-only ; extra == 'x'"])
    index.wheel("lib", "1.0")
    index.wheel("lib", "2.5")
    result = command("install", "app")
    assert command.installed() == {"app": "1.0", "lib": "2.5"}
    assert result.counts["fetched"] == 2


def test_what_is_there_stays(command: Command, index: StockedIndex) -> None:
    index.wheel("alpha")
    index.wheel("beta")
    command("install", "alpha")
    command("install", "beta")
    assert command.installed() == {"alpha": "1.0", "beta": "1.0"}


def test_version_that_fits_is_kept_though_a_newer_one_exists(command: Command, index: StockedIndex) -> None:
    index.wheel("lib", "1.0")
    command("install", "lib")
    index.wheel("lib", "2.0")
    index.wheel("app", requires_dist=["lib"])
    result = command("install", "app", "lib>=1")
    assert command.installed() == {"app": "1.0", "lib": "1.0"}
    assert result.actions == {"app": "installed", "lib": "kept"}


def test_version_that_does_not_fit_is_replaced(command: Command, index: StockedIndex) -> None:
    index.wheel("lib", "1.0")
    command("install", "lib")
    index.wheel("lib", "2.0")
    result = command("install", "lib>=2")
    assert command.installed() == {"lib": "2.0"}
    assert result.actions == {"lib": "replaced"}


def test_upgrade_takes_the_newest(command: Command, index: StockedIndex) -> None:
    index.wheel("lib", "1.0")
    command("install", "lib")
    index.wheel("lib", "2.0")
    command("install", "lib", "--upgrade")
    assert command.installed() == {"lib": "2.0"}


def test_what_is_satisfied_asks_nobody(command: Command, index: StockedIndex) -> None:
    index.wheel("lib", "1.0")
    command("install", "lib")
    index.forget()
    with command.unchanged():
        command("install", "lib")
    assert index.files_read() == 0


def test_extras_are_installed(command: Command, index: StockedIndex) -> None:
    index.wheel("app", extras=["fast"], requires_dist=["speedup ; extra == 'fast'"])
    index.wheel("speedup")
    command("install", "app[fast]")
    assert command.installed() == {"app": "1.0", "speedup": "1.0"}


def test_conflict_is_explained_by_its_chain(command: Command, index: StockedIndex) -> None:
    index.wheel("left", requires_dist=["lib<2"])
    index.wheel("right", requires_dist=["lib>=2"])
    index.wheel("lib", "1.0")
    index.wheel("lib", "2.0")
    with command.unchanged():
        result = command("install", "left", "right", code=1)
    assert all(each in result.stderr for each in ("left", "right", "lib<2", "lib>=2"))
    assert index.files_read() == 0


def test_project_that_nobody_knows_is_told(command: Command) -> None:
    with command.unchanged():
        result = command("install", "absent", code=1)
    assert "absent" in result.stderr


def test_wheel_by_url_is_recorded(command: Command, index: StockedIndex) -> None:
    index.wheel("alpha", requires_dist=["lib"])
    index.wheel("lib")
    url = index.file_url("alpha-1.0-py3-none-any.whl")
    command("install", f"alpha @ {url}")
    assert command.installed() == {"alpha": "1.0", "lib": "1.0"}
    [record] = command.venv.rglob("alpha-1.0.dist-info/direct_url.json")
    assert url in record.read_text()
    assert not list(command.venv.rglob("lib-1.0.dist-info/direct_url.json"))


def test_wheel_by_path_needs_no_index(command: Command, index: StockedIndex) -> None:
    path = write_wheel(command.folder / "dist", "alpha")
    command("install", path)
    assert command.installed() == {"alpha": "1.0"}
    assert index.count() == 0


def test_local_folder_is_built_anew_each_time(command: Command, project: Path) -> None:
    command("install", "./project")
    assert command.run_python("import demo; print(demo.__version__)") == "1.0"
    (project / "demo" / "__init__.py").write_text("__version__ = 'edited'\n")
    command("install", "./project")
    assert command.run_python("import demo; print(demo.__version__)") == "edited"
    assert not list((command.store / "wheels-1").glob("*/*/manifest.json"))


def test_editable_shows_later_edits(command: Command, project: Path) -> None:
    command("install", "-e", "./project")
    (project / "demo" / "__init__.py").write_text("__version__ = 'edited'\n")
    assert command.run_python("import demo; print(demo.__version__)") == "edited"
    [record] = command.venv.rglob("demo-1.0.dist-info/direct_url.json")
    assert '"editable": true' in record.read_text().replace('":true', '": true')


def test_sdist_is_built_once_for_all_environments(command: Command, index: StockedIndex, builds: Builds) -> None:
    index.sdist("demo")
    first = command("install", "demo", *builds.option)
    second = command("install", "demo", *builds.option, "--venv", "second")
    assert (first.counts["built"], second.counts["built"], second.counts["reused"]) == (1, 0, 1)
    assert builds.done == ["build_wheel demo 1.0"]
    assert command.installed(command.folder / "second") == {"demo": "1.0"}


def test_config_setting_makes_another_build(command: Command, index: StockedIndex, builds: Builds) -> None:
    index.sdist("demo")
    command("install", "demo", *builds.option)
    command("install", "demo", *builds.option, "--venv", "second", "-C", "colour=blue")
    assert builds.done == ["build_wheel demo 1.0"] * 2
    [settings] = (command.folder / "second").rglob("demo_config_settings.json")
    assert settings.read_text() == '{"colour": "blue"}'


def test_build_requirements_come_from_the_index(command: Command, index: StockedIndex) -> None:
    index.sdist("demo", build_requires=["tool>=1"])
    index.wheel("tool", "1.5")
    command("install", "demo")
    assert command.installed() == {"demo": "1.0"}
    assert index.count("/files/simple/tool-1.5-*.whl") == 1


def test_build_constraint_narrows_build_requirements(command: Command, index: StockedIndex) -> None:
    index.sdist("demo", build_requires=["tool"])
    index.wheel("tool", "1.5")
    index.wheel("tool", "2.0")
    command.write("build.txt", "tool<2\n")
    command("install", "demo", "--build-constraint", "build.txt")
    assert index.count("/files/simple/tool-1.5-*.whl") == 1
    assert index.count("/files/simple/tool-2.0-*.whl") == 0


def test_failed_build_shows_the_end_of_its_log_and_keeps_it(command: Command, index: StockedIndex) -> None:
    index.sdist("demo", failure="the compiler is on holiday")
    with command.unchanged():
        result = command("install", "demo", code=6)
    assert "the compiler is on holiday" in result.stderr
    [log] = (command.store / "logs").iterdir()
    assert str(log) in result.stderr
    assert "the compiler is on holiday" in log.read_text()


def test_build_that_takes_too_long_is_ended(command: Command, index: StockedIndex) -> None:
    index.sdist("demo", sleep=300)
    with command.unchanged():
        result = command("install", "demo", "--build-timeout", "1", code=6)
    assert "--build-timeout" in result.stderr


def test_two_sdists_that_need_each_other_to_be_built_are_a_circle(command: Command, index: StockedIndex) -> None:
    index.sdist("egg", build_requires=["hen"])
    index.sdist("hen", build_requires=["egg"])
    with command.unchanged():
        result = command("install", "egg", code=6)
    assert result.error == "build-cycle"


def test_only_binary_refuses_to_build(command: Command, index: StockedIndex) -> None:
    index.wheel("demo", "1.0")
    index.sdist("demo", "2.0")
    command("install", "demo", "--only-binary", ":all:")
    assert command.installed() == {"demo": "1.0"}


def test_no_binary_builds_though_there_is_a_wheel(command: Command, index: StockedIndex, builds: Builds) -> None:
    index.wheel("demo", "1.0")
    index.sdist("demo", "1.0")
    result = command("install", "demo", "--no-binary", "demo", *builds.option)
    assert result.counts["built"] == 1
    assert builds.done == ["build_wheel demo 1.0"]


def test_git_repository_with_a_subdirectory(command: Command, repository: str) -> None:
    command("install", f"demo @ git+{repository}@v1#subdirectory=python/demo")
    assert command.run_python("import demo; print(demo.__version__)") == "1.0"
    [record] = command.venv.rglob("demo-1.0.dist-info/direct_url.json")
    text = record.read_text()
    assert '"requested_revision":"v1"' in text.replace(": ", ":")
    assert '"subdirectory":"python/demo"' in text.replace(": ", ":")


@pytest.mark.parametrize("options", [[], ["--no-build-isolation"]])
def test_two_projects_of_one_repository(command: Command, repository: str, options: list[str]) -> None:
    wanted = [f"{name} @ git+{repository}@v1#subdirectory=python/{name}" for name in ("demo", "other")]
    command("install", *wanted, *options)
    assert command.installed() == {"demo": "1.0", "other": "1.0"}
    assert command.run_python("import demo, other; print(demo.__version__, other.__version__)") == "1.0 1.0"


def test_commit_of_a_repository_is_built_once(command: Command, repository: str, builds: Builds) -> None:
    requirement = f"demo @ git+{repository}@v1#subdirectory=python/demo"
    command("install", requirement, *builds.option)
    command("install", requirement, *builds.option, "--venv", "second")
    assert builds.done.count("build_wheel demo 1.0") == 1


def test_constraints_restrict_without_asking(command: Command, index: StockedIndex) -> None:
    index.wheel("app", requires_dist=["lib"])
    for version in ("1.0", "2.0"):
        index.wheel("lib", version)
    command.write("constraints.txt", "lib<2\nother==9\n")
    command("install", "app", "-c", "constraints.txt")
    assert command.installed() == {"app": "1.0", "lib": "1.0"}


def test_overrides_replace_what_distributions_ask_for(command: Command, index: StockedIndex) -> None:
    index.wheel("app", requires_dist=["lib<2"])
    for version in ("1.0", "2.0"):
        index.wheel("lib", version)
    command.write("overrides.txt", "lib>=2\n")
    command("install", "app", "--override", "overrides.txt")
    assert command.installed() == {"app": "1.0", "lib": "2.0"}


def test_groups_of_a_project_and_of_another_file(command: Command, index: StockedIndex) -> None:
    for name in ("alpha", "beta", "gamma"):
        index.wheel(name)
    command.write(
        "pyproject.toml", '[dependency-groups]\ntest = ["alpha", {include-group = "base"}]\nbase = ["beta"]\n'
    )
    command.write("sub/pyproject.toml", '[dependency-groups]\ndocs = ["gamma"]\n')
    command("install", "--group", "test", "--group", "sub/pyproject.toml:docs")
    assert set(command.installed()) == {"alpha", "beta", "gamma"}


def test_project_file_gives_its_dependencies_only(command: Command, index: StockedIndex) -> None:
    index.wheel("alpha")
    command.write("pyproject.toml", '[project]\nname = "app"\nversion = "1"\ndependencies = ["alpha"]\n')
    command("install", "-r", "pyproject.toml")
    assert command.installed() == {"alpha": "1.0"}


def test_requirements_file_names_its_own_index(command: Command, index: StockedIndex) -> None:
    index.wheel("alpha", root="private")
    command.use(None)
    command.write("requirements.txt", f"--index-url {index.root('private')}\nalpha\n")
    command("install", "-r", "requirements.txt")
    assert command.installed() == {"alpha": "1.0"}


def test_requirements_file_may_name_find_links_and_no_index(command: Command, index: StockedIndex) -> None:
    write_wheel(command.folder / "wheels", "alpha")
    command.write("requirements.txt", "--no-index\n--find-links wheels\nalpha\n")
    command("install", "-r", "requirements.txt")
    assert command.installed() == {"alpha": "1.0"}
    assert index.count() == 0


def test_nested_requirements_and_constraints_files(command: Command, index: StockedIndex) -> None:
    for version in ("1.0", "2.0"):
        index.wheel("alpha", version)
    index.wheel("beta")
    command.write("requirements/base.txt", "-c limits.txt\nalpha\n")
    command.write("requirements/limits.txt", "alpha<2\n")
    command.write("all.txt", "-r requirements/base.txt\nbeta\n")
    command("install", "-r", "all.txt")
    assert command.installed() == {"alpha": "1.0", "beta": "1.0"}


def test_requirements_file_on_a_server(command: Command, index: StockedIndex) -> None:
    index.wheel("alpha")
    url = index.add_page("/requirements.txt", b"alpha==1.0\n", content_type="text/plain")
    command("install", "-r", url)
    assert command.installed() == {"alpha": "1.0"}


def test_no_deps_leaves_dependencies_out(command: Command, index: StockedIndex) -> None:
    index.wheel("app", requires_dist=["lib"])
    command("install", "app", "--no-deps")
    assert command.installed() == {"app": "1.0"}


def test_pre_releases_only_on_request(command: Command, index: StockedIndex) -> None:
    index.wheel("lib", "1.0")
    index.wheel("lib", "2.0rc1")
    command("install", "lib")
    assert command.installed() == {"lib": "1.0"}
    command("install", "lib", "--pre", "--upgrade")
    assert command.installed() == {"lib": "2.0rc1"}


def test_files_that_are_too_new_are_as_good_as_absent(command: Command, index: StockedIndex) -> None:
    index.wheel("lib", "1.0", upload_time="2024-01-01T00:00:00Z")
    index.wheel("lib", "2.0", upload_time="2025-01-01T00:00:00Z")
    command("install", "lib", "--exclude-newer", "2024-06-01")
    assert command.installed() == {"lib": "1.0"}


def test_lowest_direct_is_for_what_is_asked_for_itself(command: Command, index: StockedIndex) -> None:
    for version in ("1.0", "2.0"):
        index.wheel("app", version, requires_dist=["lib>=1"])
        index.wheel("lib", version)
    command("install", "app>=1", "--resolution", "lowest-direct")
    assert command.installed() == {"app": "1.0", "lib": "2.0"}


def test_require_hashes_refuses_what_has_none(command: Command, index: StockedIndex) -> None:
    offered = index.wheel("app", requires_dist=["lib"])
    index.wheel("lib")
    command.write("requirements.txt", f"app==1.0 --hash=sha256:{offered.sha256}\n")
    with command.unchanged():
        result = command("install", "-r", "requirements.txt", code=9)
    assert result.error == "hashes-required"
    assert "lib==1.0" in result.stderr
    assert index.files_read() == 0


def test_yanked_version_is_only_taken_when_pinned(command: Command, index: StockedIndex) -> None:
    index.wheel("lib", "1.0")
    index.wheel("lib", "2.0", yanked="it eats files")
    command("install", "lib")
    assert command.installed() == {"lib": "1.0"}
    result = command("install", "lib==2.0")
    assert command.installed() == {"lib": "2.0"}
    assert "it eats files" in result.stderr


def test_first_index_that_knows_a_project_decides(command: Command, index: StockedIndex) -> None:
    index.wheel("lib", "1.0", root="private")
    index.wheel("lib", "9.0")
    extra = ("--extra-index-url", index.root("private"))
    command("install", "lib", *extra)
    assert command.installed() == {"lib": "1.0"}
    command("install", "lib", *extra, "--upgrade", "--index-strategy", "unsafe-best-match")
    assert command.installed() == {"lib": "9.0"}


def test_build_without_isolation_sees_the_environment(command: Command, index: StockedIndex, builds: Builds) -> None:
    index.wheel("tool")
    index.sdist("demo", build_requires=["tool"])
    command("install", "tool")
    command("install", "demo", "--no-build-isolation", *builds.option)
    assert command.installed() == {"demo": "1.0", "tool": "1.0"}
    command("install", "tool", "--venv", "second")
    command("install", "demo", "--no-build-isolation", *builds.option, "--venv", "second")
    assert builds.done.count("build_wheel demo 1.0") == 2


def test_declared_variable_reaches_the_build_and_others_do_not(command: Command, project: Path) -> None:
    backend = project / "_backend" / "in_tree_backend.py"
    backend.write_text(
        backend.read_text()
        + "\nimport os\n(Path.cwd() / 'demo' / 'seen.txt').write_text(f\"{os.environ.get('SEEN')} {os.environ.get('HIDDEN')}\")\n"
    )
    command("install", "./project", "--build-env", "SEEN", SEEN="yes", HIDDEN="yes")
    [seen] = command.venv.rglob("demo/seen.txt")
    assert seen.read_text() == "yes None"


class Builds:
    """A file in which the in-tree backend notes what it is called for. :ivar option: lets builds see it."""

    option = ("--build-env", "SAFE_INSTALL_TEST_BUILD_LOG")

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def done(self) -> list[str]:
        """The wheel builds so far."""
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return [line for line in lines if line.startswith("build_")]


@pytest.fixture
def builds(command: Command) -> Builds:
    path = command.home / "builds.log"
    command.variables["SAFE_INSTALL_TEST_BUILD_LOG"] = str(path)
    return Builds(path)


@pytest.fixture
def project(command: Command) -> Path:
    """A source tree of ``demo`` 1.0 in ``project``."""
    return unpacked(command.folder, "project")


def unpacked(folder: Path, name: str, project: str = "demo") -> Path:
    """Unpack an sdist of *project* as ``folder/name``."""
    return write_source_tree(folder, project).rename(folder / name)


@pytest.fixture
def repository(command: Command) -> str:
    """The URL of a repository with ``demo`` and ``other`` in folders below ``python``, tagged ``v1``."""
    git = program("git", "install git")
    root = command.home / "repository"
    (root / "python").mkdir(parents=True)
    for name in ("demo", "other"):
        unpacked(root / "python", name, name)
    identity = ["-c", "user.name=t", "-c", "user.email=t@t.test", "-c", "init.defaultBranch=main"]
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "one"], ["tag", "v1"]):
        subprocess.run([git, *identity, *arguments], check=True, cwd=root, env=command.variables)
    return root.as_uri()
