"""Builds run on copies, in private environments, within limits; what they answer is not taken on trust."""

from __future__ import annotations

import json
import os
import sys
import threading
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from helpers.processes import wait_until, wait_until_gone
from helpers.projects import BareFiller, project
from packaging.utils import canonicalize_name
from packaging.version import Version

from safe_install import __version__
from safe_install.build.builder import Builder, BuildOrder
from safe_install.errors import BuildError, SafeInstallError

if TYPE_CHECKING:
    from collections.abc import Callable

    from safe_install.fs.scratch import Scratch
    from safe_install.models import Interpreter

    MakeBuilder = Callable[..., Builder]

DEMO = canonicalize_name("demo")


class Site:
    """Orders builds of the trees in ``tests/projects``, and looks at what they leave."""

    def __init__(self, folder: Path, scratch: Scratch, logs: Path, interpreter: Interpreter) -> None:
        self.folder = folder
        self.scratch = scratch
        self.logs = logs
        self.interpreter = interpreter

    def order(self, tree: str, /, **options: Any) -> BuildOrder:
        return BuildOrder(source_tree=project(tree, self.folder), interpreter=self.interpreter, **options)

    def failure(self, builder: Builder, order: BuildOrder, code: str) -> BuildError:
        """Check that a build fails as it should, and leaves nothing but its log."""
        with pytest.raises(BuildError) as caught:
            builder.build_wheel(order)
        assert caught.value.code == code, caught.value
        assert not self.left()
        return caught.value

    def left(self) -> list[Path]:
        return list(self.scratch.root.iterdir())


@pytest.fixture
def site(tmp_path: Path, scratch: Scratch, logs: Path, interpreter: Interpreter) -> Site:
    return Site(tmp_path / "sources", scratch, logs, interpreter)


@pytest.fixture(autouse=True)
def _sources(tmp_path: Path) -> None:
    (tmp_path / "sources").mkdir()


def seen(wheel: Path) -> dict[str, Any]:
    with zipfile.ZipFile(wheel) as archive:
        found: dict[str, Any] = json.loads(archive.read("seen.json"))
    return found


def snapshot(tree: Path) -> dict[str, bytes]:
    return {path.relative_to(tree).as_posix(): path.read_bytes() for path in tree.rglob("*") if path.is_file()}


def test_a_wheel_is_built_checked_and_all_that_stays(site: Site, builder: MakeBuilder) -> None:
    order = site.order("plain", name=DEMO, version=Version("1.0"))
    wheel = builder().build_wheel(order)
    assert (wheel.name, wheel.version) == ("demo", Version("1.0"))
    assert wheel.path.name == "demo-1.0-py3-none-any.whl"
    assert site.left() == [wheel.path.parent]
    assert not site.logs.exists()


def test_what_a_build_does_to_its_source_stays_in_the_copy(site: Site, builder: MakeBuilder) -> None:
    order = site.order("writes_into_tree")
    before = snapshot(site.folder)
    wheel = builder().build_wheel(order)
    assert snapshot(site.folder) == before
    with zipfile.ZipFile(wheel.path) as archive:
        assert archive.read("demo/__init__.py").splitlines() == [b"edited = True"]


def test_a_disposable_tree_is_built_where_it_is(site: Site, builder: MakeBuilder) -> None:
    order = site.order("writes_into_tree", disposable=True)
    builder().build_wheel(order)
    assert (order.source_tree / "build" / "left.o").exists()


def test_an_editable_wheel_refers_to_the_tree_itself(site: Site, builder: MakeBuilder) -> None:
    order = site.order("plain", editable=True)
    wheel = builder().build_wheel(order)
    with zipfile.ZipFile(wheel.path) as archive:
        assert archive.read("__editable__.demo.pth").decode().strip() == str(order.source_tree)


def test_a_backend_without_editable_wheels_is_told(site: Site, builder: MakeBuilder) -> None:
    site.failure(builder(), site.order("no_editable", editable=True), "editable-unsupported")


def test_a_project_in_a_subdirectory_sees_the_whole_tree(site: Site, builder: MakeBuilder, tmp_path: Path) -> None:
    inner = project("shows_variables", site.folder)
    tree = tmp_path / "repository"
    (tree / "packages").mkdir(parents=True)
    inner.rename(tree / "packages" / "demo")
    order = BuildOrder(source_tree=tree, interpreter=site.interpreter, subdirectory="packages/demo")
    folder = Path(seen(builder().build_wheel(order).path)["folder"])
    assert folder.parts[-3:] == ("repository", "packages", "demo")


def test_metadata_are_prepared_without_a_wheel(site: Site, builder: MakeBuilder) -> None:
    prepared = builder().metadata(site.order("plain"))
    assert b"Requires-Dist: other>=1" in prepared.data
    assert prepared.wheel is None
    assert not site.left()


def test_a_backend_that_must_build_for_its_metadata_hands_out_the_wheel(site: Site, builder: MakeBuilder) -> None:
    prepared = builder().metadata(site.order("no_prepare"))
    assert b"Requires-Dist: other>=1" in prepared.data
    assert prepared.wheel is not None
    assert site.left() == [prepared.wheel.path.parent]


def test_metadata_of_an_editable_are_asked_for_as_such(site: Site, builder: MakeBuilder, tmp_path: Path) -> None:
    log = tmp_path / "calls"
    make = builder(available={"SAFE_INSTALL_TEST_BUILD_LOG": str(log)}, declared=("SAFE_INSTALL_TEST_BUILD_LOG",))
    assert make.metadata(site.order("plain", editable=True)).data
    assert "prepare_metadata_for_build" in log.read_text()


def test_prepared_metadata_of_another_project_are_refused(site: Site, builder: MakeBuilder) -> None:
    with pytest.raises(BuildError) as caught:
        builder().metadata(site.order("plain", name=canonicalize_name("other")))
    assert caught.value.code == "build-mismatch"


def test_a_build_sees_only_what_is_listed_and_declared(site: Site, builder: MakeBuilder) -> None:
    available = {"PATH": os.defpath, "MINE": "1", "TOKEN": "secret", "CFLAGS": "-O1", "PYTHONPATH": "/evil"}
    found = seen(builder(available=available, declared=("MINE",)).build_wheel(site.order("shows_variables")).path)
    variables = found["variables"]
    assert {name for name in available if name in variables} == {"PATH", "MINE", "CFLAGS"}
    assert variables["PATH"].endswith(os.defpath)
    assert variables["TMPDIR"].startswith(str(site.scratch.root))
    assert found["stdin"] == ""
    assert found["prefix"].startswith(str(site.scratch.root))
    if sys.platform != "win32":
        assert found["umask"] == 0o022


def test_config_settings_reach_the_backend(site: Site, builder: MakeBuilder) -> None:
    settings: dict[str, str | list[str]] = {"one": "1", "many": ["a", "b"]}
    order = site.order("shows_variables", config_settings=settings)
    assert seen(builder().build_wheel(order).path)["config_settings"] == settings


def test_without_isolation_the_target_interpreter_builds(site: Site, builder: MakeBuilder) -> None:
    filler = BareFiller()
    wheel = builder(filler, isolation=False).build_wheel(site.order("shows_variables"))
    assert seen(wheel.path)["prefix"] == sys.prefix
    assert not wheel.provenance.isolated
    assert filler.wanted == []


def test_what_the_backend_asks_for_is_installed_after_its_own_requirements(site: Site, builder: MakeBuilder) -> None:
    order = site.order("lies", config_settings={"requires": '["more>=1"]', "answer": "1"})
    text = (order.source_tree / "pyproject.toml").read_text().replace("[]", '["first"]')
    (order.source_tree / "pyproject.toml").write_text(text)
    filler = BareFiller()
    site.failure(builder(filler), order, "build-answer-wrong")
    assert filler.wanted == ["first", "more>=1"]


def test_provenance_says_what_was_really_used(site: Site, builder: MakeBuilder) -> None:
    order = site.order("plain")
    text = (order.source_tree / "pyproject.toml").read_text().replace("[]", '["zeta", "alpha"]')
    (order.source_tree / "pyproject.toml").write_text(text)
    document = json.loads(json.dumps(builder().build_wheel(order).provenance.to_json()))
    assert list(document["requirements"].items()) == [("alpha", "0"), ("zeta", "0")]
    assert document["backend"] == "in_tree_backend"
    assert document["frontend"] == f"safe-install {__version__}"
    assert document["python"] == site.interpreter.version_text
    assert document["built_at"].endswith("Z")
    assert document["host"]


def test_a_failure_shows_the_end_of_the_log_and_keeps_the_whole(site: Site, builder: MakeBuilder) -> None:
    error = site.failure(builder(), site.order("fails", name=DEMO, version=Version("1.0")), "build-failed")
    assert error.message.startswith("building demo 1.0 failed: the hook build_wheel of its backend behaviour")
    text = "\n".join(error.context)
    assert "RuntimeError: this project cannot be built" in text
    assert "| redtext" not in text
    assert "secret" not in text
    assert "line 0\n" not in text
    (kept,) = site.logs.iterdir()
    assert error.context[0] == f"the whole log: {kept}"
    assert "line 0\n" in kept.read_text()
    assert "secret" not in kept.read_text()


def test_a_backend_that_cannot_be_imported_is_told(site: Site, builder: MakeBuilder) -> None:
    error = site.failure(builder(), site.order("backend_missing"), "backend-missing")
    assert "nowhere.to_be_found" in error.message
    assert any("ModuleNotFoundError" in line for line in error.context)


def test_a_backend_that_leaves_without_an_answer_has_failed(site: Site, builder: MakeBuilder) -> None:
    assert "without an answer" in site.failure(builder(), site.order("exits_early"), "build-failed").message


@pytest.mark.parametrize(
    "answer", ['"../evil-1.0-py3-none-any.whl"', '"missing-1.0-py3-none-any.whl"', "17", "null", '"."', '""']
)
def test_an_answer_that_names_no_wheel_in_its_folder_is_refused(site: Site, builder: MakeBuilder, answer: str) -> None:
    site_order = site.order("lies", config_settings={"answer": answer})
    with pytest.raises(BuildError) as caught:
        builder().build_wheel(site_order)
    assert caught.value.code == "build-answer-wrong"


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_a_link_is_no_wheel(site: Site, builder: MakeBuilder) -> None:
    order = site.order("lies", config_settings={"answer": '"link-1.0-py3-none-any.whl"'})
    with pytest.raises(BuildError) as caught:
        builder().build_wheel(order)
    assert caught.value.code == "build-answer-wrong"


@pytest.mark.parametrize("answer", ['"../x.dist-info"', '"missing.dist-info"', "null", '"x"'])
def test_an_answer_that_names_no_metadata_in_its_folder_is_refused(
    site: Site, builder: MakeBuilder, answer: str
) -> None:
    with pytest.raises(BuildError) as caught:
        builder().metadata(site.order("lies", config_settings={"answer": answer}))
    assert caught.value.code == "build-answer-wrong"


@pytest.mark.parametrize("requires", ['"setuptools"', "[1]", '["not a requirement"]', "null", "7"])
def test_requirements_that_are_none_are_refused(site: Site, builder: MakeBuilder, requires: str) -> None:
    site.failure(builder(), site.order("lies", config_settings={"requires": requires}), "build-answer-wrong")


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"filename": "other-1.0-py3-none-any.whl"}, "built-wheel-invalid"),
        ({"filename": "demo-1.0-cp27-none-any.whl"}, "build-mismatch"),
        ({"filename": "demo.whl"}, "built-wheel-invalid"),
        ({"filename": "demo-1.0-py3-none-any.whl", "content": "no zip"}, "built-wheel-invalid"),
    ],
)
def test_a_wrong_wheel_is_refused_and_removed(
    site: Site, builder: MakeBuilder, settings: dict[str, str], code: str
) -> None:
    site.failure(builder(), site.order("wrong_wheel", config_settings=settings), code)


def test_a_wheel_of_another_version_than_expected_is_refused(site: Site, builder: MakeBuilder) -> None:
    site.failure(builder(), site.order("plain", name=DEMO, version=Version("2.0")), "build-mismatch")


@pytest.mark.filterwarnings("error")
def test_a_warning_of_the_backend_is_neither_printed_nor_an_error(
    site: Site, builder: MakeBuilder, capfd: pytest.CaptureFixture[str]
) -> None:
    builder().build_wheel(site.order("warns"))
    assert capfd.readouterr() == ("", "")


def test_a_build_that_hangs_is_killed_with_its_children(site: Site, builder: MakeBuilder, tmp_path: Path) -> None:
    note = tmp_path / "note"
    limited = builder(available={"DEMO_NOTE": str(note)}, declared=("DEMO_NOTE",), time_limit=4.0)
    error = site.failure(limited, site.order("hangs"), "build-timeout")
    assert "longer than 4 s" in error.message
    assert "| waiting for ever" in error.context
    wait_until_gone(int(number) for number in note.read_text().split())


def test_all_builds_can_be_ended_from_another_thread(site: Site, builder: MakeBuilder, tmp_path: Path) -> None:
    note = tmp_path / "note"
    running = builder(available={"DEMO_NOTE": str(note)}, declared=("DEMO_NOTE",))
    order = site.order("hangs")
    codes: list[str] = []

    def work() -> None:
        try:
            running.build_wheel(order)
        except SafeInstallError as error:
            codes.append(error.code)

    thread = threading.Thread(target=work)
    thread.start()
    wait_until(note.exists)
    running.cancel()
    thread.join(30)
    assert codes == ["build-cancelled"]
    assert not site.left()
    wait_until_gone(int(number) for number in note.read_text().split())


@pytest.mark.skipif(os.name == "nt", reason="a parent that has ended leaves no trace of its children there")
def test_what_a_build_left_running_does_not_outlive_it(site: Site, builder: MakeBuilder, tmp_path: Path) -> None:
    note = tmp_path / "note"
    wheel = builder(available={"DEMO_NOTE": str(note)}, declared=("DEMO_NOTE",)).build_wheel(site.order("leaves_child"))
    wait_until_gone([int(note.read_text())])
    assert site.left() == [wheel.path.parent]


def test_a_tree_that_is_none_fails_before_anything_is_made(site: Site, builder: MakeBuilder, tmp_path: Path) -> None:
    order = BuildOrder(source_tree=tmp_path / "missing", interpreter=site.interpreter)
    site.failure(builder(), order, "not-a-source-tree")
    site.failure(builder(), site.order("toml_broken"), "build-system-invalid")


def test_an_error_of_the_filler_passes_through_and_leaves_nothing(site: Site, builder: MakeBuilder) -> None:
    class Failing(BareFiller):
        def fill(self, environment: object, requirements: object) -> dict[str, str]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        builder(Failing()).build_wheel(site.order("plain"))
    assert not site.left()
