"""`safe_install.resolve.resolver`: scenarios over an index in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from helpers.universe import Universe, interpreter, metadata
from packaging.utils import canonicalize_name
from packaging.version import Version

from safe_install.errors import BuildError, InputError, IntegrityError, NetworkError, RequirementsError
from safe_install.events import Event, Noticed, PhaseEnded, PhaseStarted, SteppedDown
from safe_install.models import (
    ArchiveSource,
    DirectorySource,
    FormatControl,
    Hashes,
    Pin,
    PrereleasePolicy,
    ResolutionStrategy,
    VcsSource,
)
from safe_install.resolve.request import Resolution, ResolveRequest
from safe_install.resolve.requirement import WantedRequirement, parse_requirement
from safe_install.resolve.resolver import resolve

PYTHON = interpreter("3.11.7")


@pytest.fixture
def universe() -> Universe:
    return Universe()


def wanted(*texts: str, base: Path = Path("/base")) -> tuple[WantedRequirement, ...]:
    return tuple(parse_requirement(text, base=base.absolute(), origin=f"r.txt:{i}") for i, text in enumerate(texts, 1))


def solve(universe: Universe, *texts: str, **request: object) -> Resolution:
    return resolve(ResolveRequest(requirements=wanted(*texts), **request), universe, PYTHON)  # type: ignore[arg-type]


def versions(resolution: Resolution) -> dict[str, str]:
    return {pin.name: str(pin.version) for pin in resolution.pins}


def pin(resolution: Resolution, name: str) -> Pin:
    return next(pin for pin in resolution.pins if pin.name == name)


def broken(name: str) -> BuildError:
    return BuildError(f"{name} could not be built", code="build-failed")


def test_the_newest_versions_that_go_together_are_chosen(universe: Universe) -> None:
    universe.add("app", "1.0", requires=["lib>=1", "util"])
    universe.add("lib", "1.0")
    universe.add("lib", "2.0", requires=["util<2"])
    universe.add("util", "1.0")
    universe.add("util", "2.0")

    assert versions(solve(universe, "app")) == {"app": "1.0", "lib": "2.0", "util": "1.0"}


def test_it_goes_back_when_a_newer_version_leads_nowhere(universe: Universe) -> None:
    universe.add("app", "1.0", requires=["a", "b"])
    for version in ("1.0", "2.0", "3.0"):
        universe.add("a", version, requires=[f"shared=={version}"])
        universe.add("b", version, requires=[f"shared=={version}"] if version < "3" else ["shared==2.5"])
        universe.add("shared", version)
    universe.add("shared", "2.5")

    assert versions(solve(universe, "app")) == {"app": "1.0", "a": "2.0", "b": "2.0", "shared": "2.0"}


def test_what_is_named_first_keeps_its_newest_version(universe: Universe) -> None:
    for name in ("a", "b"):
        universe.add(name, "1.0", requires=["shared<3"])
    universe.add("a", "2.0", requires=["shared<2"])
    universe.add("b", "2.0", requires=["shared>=2"])
    for version in ("1.0", "2.0"):
        universe.add("shared", version)

    assert versions(solve(universe, "a", "b")) == {"a": "2.0", "b": "1.0", "shared": "1.0"}
    assert versions(solve(universe, "b", "a")) == {"a": "1.0", "b": "2.0", "shared": "2.0"}


def test_a_circle_is_no_trouble(universe: Universe) -> None:
    universe.add("a", "1.0", requires=["b"])
    universe.add("b", "1.0", requires=["a[x]"])

    assert versions(solve(universe, "a")) == {"a": "1.0", "b": "1.0"}


def test_a_circle_that_nobody_needs_any_more_is_left_out(universe: Universe) -> None:
    """``a 2.0`` brings it, and has to give way only after it was decided."""
    universe.add("a", "2.0", requires=["b"])
    universe.add("a", "1.0")
    universe.add("b", "1.0", requires=["c"])
    universe.add("c", "1.0", requires=["b"])
    universe.add("d", "1.0", requires=["e"])
    universe.add("e", "1.0", requires=["f"])
    universe.add("f", "1.0", requires=["a<2"])

    assert versions(solve(universe, "a", "d")) == {"a": "1.0", "d": "1.0", "e": "1.0", "f": "1.0"}


def test_a_pin_tells_who_needs_it_and_what_it_needs(universe: Universe) -> None:
    universe.add("app", "1.0", requires=["Lib_One[x]", "gone; python_version < '3'"], requires_python=">=3.8")
    universe.add("lib-one", "1.0", extras=["x"], requires=["zed; extra == 'x'", "lib-one[y]"])
    universe.add("zed", "1.0")

    found = solve(universe, "app")
    app, lib = pin(found, "app"), pin(found, "lib-one")

    assert (app.requested, app.origin, app.dependencies, app.requires_python) == (
        True,
        "r.txt:1",
        ("lib-one",),
        ">=3.8",
    )
    assert (lib.requested, set(lib.extras), lib.dependencies) == (False, {"x", "y"}, ("zed",))
    assert [file.filename for file in app.files] == ["app-1.0-py3-none-any.whl"]


def test_a_pin_lists_files_for_other_interpreters_too(universe: Universe) -> None:
    universe.add("a", "1.0", files=["a-1.0-cp39-cp39-win32.whl", "a-1.0-py3-none-any.whl", "a-1.0.tar.gz", "a-1.0.zip"])

    names = [file.filename for file in pin(solve(universe, "a"), "a").files]

    assert names == ["a-1.0-cp39-cp39-win32.whl", "a-1.0-py3-none-any.whl", "a-1.0.tar.gz"]


def test_markers_are_those_of_the_target(universe: Universe) -> None:
    universe.add("app", "1.0", requires=["win; sys_platform == 'win32'", "nix; sys_platform == 'linux'"])
    universe.add("win", "1.0")
    universe.add("nix", "1.0")
    request = ResolveRequest(requirements=wanted("app", "other; python_version > '4'"))

    assert "nix" in versions(resolve(request, universe, PYTHON))
    assert "win" in versions(resolve(request, universe, interpreter("3.11.7", platform="windows")))


def test_only_the_variables_that_decide_are_reported(universe: Universe) -> None:
    universe.add("app", "1.0", requires=["a; sys_platform == 'win32'", "b; os_name == 'nt' and extra == 'x'"])

    found = solve(universe, "app", "c; python_version < '3'")

    assert found.markers_consulted == {"sys_platform", "python_version"}


class TestExtras:
    def test_an_extra_brings_what_it_needs(self, universe: Universe) -> None:
        universe.add("a", "1.0", extras=["x", "y"], requires=["b; extra == 'x'", "c; extra == 'y'"])
        universe.add("b", "1.0")
        universe.add("c", "1.0")

        assert versions(solve(universe, "a")) == {"a": "1.0"}
        assert versions(solve(universe, "a[x]")) == {"a": "1.0", "b": "1.0"}
        assert versions(solve(universe, "a[x,y]")) == {"a": "1.0", "b": "1.0", "c": "1.0"}

    def test_project_and_extra_have_one_version(self, universe: Universe) -> None:
        for version in ("1.0", "2.0", "3.0"):
            universe.add("a", version, extras=["x"], requires=["b>=3; extra == 'x'"] if version == "3.0" else ())
        universe.add("b", "2.0")
        universe.add("app", "1.0", requires=["a[x]"])

        assert versions(solve(universe, "a", "app")) == {"a": "2.0", "app": "1.0"}

    def test_an_extra_of_another_extra_is_followed(self, universe: Universe) -> None:
        universe.add("a", "1.0", extras=["all", "x"], requires=["a[x]; extra == 'all'", "b; extra == 'x'"])
        universe.add("b", "1.0")

        assert versions(solve(universe, "a[all]")) == {"a": "1.0", "b": "1.0"}

    def test_an_extra_that_does_not_exist_is_told(self, universe: Universe) -> None:
        universe.add("a", "1.0")
        told: list[Event] = []

        resolve(ResolveRequest(requirements=wanted("a[nope]")), universe, PYTHON, told.append)

        assert [event.message for event in told if isinstance(event, Noticed)] == ["a 1.0 has no extra named nope"]


class TestPreReleases:
    def test_they_are_taken_when_the_request_names_one(self, universe: Universe) -> None:
        universe.add("a", "1.0")
        universe.add("a", "2.0rc1")

        assert versions(solve(universe, "a")) == {"a": "1.0"}
        assert versions(solve(universe, "a>=2.0rc0")) == {"a": "2.0rc1"}
        assert versions(solve(universe, "a", prereleases=PrereleasePolicy.ALLOW)) == {"a": "2.0rc1"}
        assert versions(solve(universe, "a", constraints=wanted("a>=1.0rc1"))) == {"a": "2.0rc1"}

    def test_they_are_taken_when_nothing_else_does(self, universe: Universe) -> None:
        universe.add("a", "1.0")
        universe.add("a", "2.0rc1")
        universe.add("app", "1.0", requires=["a>=2.0rc0"])

        assert versions(solve(universe, "app")) == {"app": "1.0", "a": "2.0rc1"}

    def test_a_distribution_that_names_one_does_not_bring_newer_ones(self, universe: Universe) -> None:
        for version in ("1.0", "2.0", "3.0rc1"):
            universe.add("a", version)
        universe.add("app", "1.0", requires=["a>=2.0rc0"])

        assert versions(solve(universe, "app")) == {"app": "1.0", "a": "2.0"}


class TestConstraints:
    def test_they_restrict_and_ask_for_nothing(self, universe: Universe) -> None:
        universe.add("app", "1.0", requires=["a"])
        for version in ("1.0", "2.0"):
            universe.add("a", version)

        assert versions(solve(universe, "app", constraints=wanted("a<2", "unused==1"))) == {"app": "1.0", "a": "1.0"}

    def test_one_whose_marker_does_not_hold_restricts_nothing(self, universe: Universe) -> None:
        universe.add("a", "2.0")

        assert versions(solve(universe, "a", constraints=wanted("a<2; os_name == 'nt'"))) == {"a": "2.0"}

    def test_one_with_a_url_tells_where_to_take_it_from(self, universe: Universe) -> None:
        constraint = wanted("a @ https://h.test/a-3.0-py3-none-any.whl")[0]
        assert constraint.direct is not None
        universe.add_direct(constraint.direct, metadata("a", "3.0"))
        universe.add("a", "2.0")
        universe.add("app", "1.0", requires=["a>=2"])

        found = solve(universe, "app", constraints=(constraint,))

        assert pin(found, "a").direct == constraint.direct


class TestOverrides:
    def test_they_replace_what_anybody_asks(self, universe: Universe) -> None:
        universe.add("app", "1.0", requires=["a<2"])
        for version in ("1.0", "2.0"):
            universe.add("a", version)

        assert versions(solve(universe, "app", overrides=wanted("a>=2"))) == {"app": "1.0", "a": "2.0"}
        assert versions(solve(universe, "a<2", overrides=wanted("a>=2"))) == {"a": "2.0"}

    def test_one_that_never_holds_removes_the_project(self, universe: Universe) -> None:
        universe.add("app", "1.0", requires=["a"])

        assert versions(solve(universe, "app", overrides=wanted("a; python_version < '0'"))) == {"app": "1.0"}

    def test_extras_are_kept(self, universe: Universe) -> None:
        universe.add("app", "1.0", requires=["a[x]>=9"])
        universe.add("a", "1.0", extras=["x"], requires=["b; extra == 'x'"])
        universe.add("b", "1.0")

        assert versions(solve(universe, "app", overrides=wanted("a==1.0"))) == {"app": "1.0", "a": "1.0", "b": "1.0"}


class TestDirectSources:
    def add(self, universe: Universe, text: str, name: str, version: str, requires: Sequence[str] = ()) -> None:
        source = wanted(text)[0].direct
        assert source is not None
        universe.add_direct(source, metadata(name, version, requires=requires, extras=["x"]))

    def test_they_beat_the_index(self, universe: Universe) -> None:
        self.add(universe, "a @ https://h.test/a-0.5.zip", "a", "0.5")
        universe.add("a", "2.0")
        universe.add("app", "1.0", requires=["a"])

        found = solve(universe, "app", "a @ https://h.test/a-0.5.zip")

        assert isinstance(pin(found, "a").direct, ArchiveSource)
        assert pin(found, "a").files == ()

    def test_one_that_a_distribution_names_replaces_what_was_decided_before(self, universe: Universe) -> None:
        self.add(universe, "a @ https://h.test/a-0.5.zip", "a", "0.5")
        universe.add("a", "2.0")
        universe.add("app", "1.0", requires=["lib"])
        universe.add("lib", "1.0", requires=["a @ https://h.test/a-0.5.zip"])

        assert versions(solve(universe, "a", "app")) == {"a": "0.5", "app": "1.0", "lib": "1.0"}

    def test_they_have_extras_and_dependencies(self, universe: Universe) -> None:
        self.add(universe, "a @ https://h.test/a-0.5.zip", "a", "0.5", ["b", "c; extra == 'x'"])
        universe.add("app", "1.0", requires=["a[x]"])
        universe.add("b", "1.0")
        universe.add("c", "1.0")

        assert set(versions(solve(universe, "app", "a @ https://h.test/a-0.5.zip"))) == {"a", "app", "b", "c"}

    def test_two_different_ones_contradict_each_other(self, universe: Universe) -> None:
        self.add(universe, "a @ https://h.test/a-0.5.zip", "a", "0.5")
        self.add(universe, "a @ https://h.test/a-0.6.zip", "a", "0.6")

        with pytest.raises(RequirementsError) as caught:
            solve(universe, "a @ https://h.test/a-0.5.zip", "a @ https://h.test/a-0.6.zip")

        assert caught.value.code == "resolution-impossible"

    def test_a_version_that_others_do_not_want_contradicts_them(self, universe: Universe) -> None:
        self.add(universe, "a @ https://h.test/a-0.5.zip", "a", "0.5")

        with pytest.raises(RequirementsError, match="contradict one another about a"):
            solve(universe, "a>=1", "a @ https://h.test/a-0.5.zip")

    def test_a_repository_is_pinned_to_its_commit(self, universe: Universe) -> None:
        self.add(universe, "a @ git+https://h.test/a.git@main", "a", "1.0")

        source = pin(solve(universe, "a @ git+https://h.test/a.git@main"), "a").direct

        assert isinstance(source, VcsSource)
        assert (source.revision, source.commit_id) == ("main", "0123456789" * 4)

    def test_a_folder_without_name_is_asked_for_it(self, universe: Universe, tmp_path: Path) -> None:
        universe.add_direct(DirectorySource(path=tmp_path), metadata("my-project", "1.0"))
        request = ResolveRequest(requirements=wanted("./", base=tmp_path))

        assert pin(resolve(request, universe, PYTHON), "my-project").direct == DirectorySource(path=tmp_path)

    def test_a_folder_is_editable_when_anybody_wants_it_so(self, universe: Universe, tmp_path: Path) -> None:
        universe.add_direct(DirectorySource(path=tmp_path), metadata("my-project", "1.0"))
        plain = parse_requirement("my-project @ ./", base=tmp_path)
        editable = parse_requirement("./", base=tmp_path, editable=True)

        for order in ((plain, editable), (editable, plain)):
            found = resolve(ResolveRequest(requirements=order), universe, PYTHON)
            assert pin(found, "my-project").direct == DirectorySource(path=tmp_path, editable=True)

    def test_one_that_is_another_project_is_refused(self, universe: Universe) -> None:
        self.add(universe, "a @ https://h.test/x.zip", "b", "1.0")

        with pytest.raises(IntegrityError) as caught:
            solve(universe, "a @ https://h.test/x.zip")

        assert caught.value.code == "metadata-mismatch"

    def test_a_wheel_that_does_not_fit_is_refused_before_it_is_fetched(self, universe: Universe) -> None:
        with pytest.raises(RequirementsError) as caught:
            solve(universe, "https://h.test/a-1.0-cp27-cp27m-win32.whl")

        assert caught.value.code == "no-compatible-file"
        assert not universe.asked

    def test_a_path_that_does_not_exist_is_refused_unless_its_marker_excuses_it(self, universe: Universe) -> None:
        assert solve(universe, "./missing; os_name == 'nt'").pins == ()
        with pytest.raises(InputError) as caught:
            solve(universe, "./missing")

        assert caught.value.code == "file-not-found"


class TestWhatIsThere:
    def test_what_is_installed_stays_and_no_index_is_asked(self, universe: Universe) -> None:
        installed = {
            canonicalize_name(name): metadata(name, "1.0", requires=["b"] if name == "a" else ()) for name in "ab"
        }

        found = solve(universe, "a", installed=installed)

        assert versions(found) == {"a": "1.0", "b": "1.0"}
        assert pin(found, "a").files == ()
        assert not universe.asked

    def test_what_is_installed_goes_where_it_does_not_satisfy(self, universe: Universe) -> None:
        universe.add("a", "2.0")

        found = solve(universe, "a>=2", installed={canonicalize_name("a"): metadata("a", "1.0")})

        assert pin(found, "a").files

    def test_preferred_versions_are_taken_where_they_satisfy(self, universe: Universe) -> None:
        for version in ("1.0", "2.0", "3.0"):
            universe.add("a", version)
        preferred = {canonicalize_name("a"): Version("2.0")}

        assert versions(solve(universe, "a", preferred=preferred)) == {"a": "2.0"}
        assert versions(solve(universe, "a>2", preferred=preferred)) == {"a": "3.0"}
        assert versions(solve(universe, "a", preferred={canonicalize_name("a"): Version("9")})) == {"a": "3.0"}


class TestBrokenMetadata:
    def test_a_version_that_cannot_be_built_is_passed_over_and_told(self, universe: Universe) -> None:
        universe.add("a", "2.0", files=["a-2.0.tar.gz"], broken=broken("a 2.0"))
        universe.add("a", "1.0")
        told: list[Event] = []

        found = resolve(ResolveRequest(requirements=wanted("a")), universe, PYTHON, told.append)

        assert versions(found) == {"a": "1.0"}
        assert [(event.kind, event.message) for event in told if isinstance(event, SteppedDown)] == [
            ("version-skipped", "a 2.0 was passed over: a 2.0 could not be built")
        ]

    def test_its_error_is_raised_when_it_is_the_only_way(self, universe: Universe) -> None:
        universe.add("a", "1.0", broken=broken("a 1.0"))
        universe.add("app", "1.0", requires=["a"])

        with pytest.raises(BuildError, match=r"a 1\.0 could not be built"):
            solve(universe, "app")

    def test_not_every_version_is_tried(self, universe: Universe) -> None:
        for number in range(1, 20):
            universe.add("a", f"{number}.0", files=[f"a-{number}.0.tar.gz"], broken=broken(f"a {number}.0"))

        with pytest.raises(BuildError, match=r"a 19\.0 could not be built"):
            solve(universe, "a")

        assert sum(1 for kind, _ in universe.asked if kind == "metadata") == 5

    def test_metadata_of_another_project_are_refused(self, universe: Universe) -> None:
        universe.add("a", "1.0", claims="b")

        with pytest.raises(IntegrityError) as caught:
            solve(universe, "a")

        assert caught.value.code == "metadata-mismatch"

    def test_an_index_that_fails_is_never_passed_over(self, universe: Universe) -> None:
        universe.add("a", "2.0", broken=NetworkError("the index is down", code="server-error"))
        universe.add("a", "1.0")

        with pytest.raises(NetworkError):
            solve(universe, "a")

    def test_a_version_for_another_python_is_passed_over(self, universe: Universe) -> None:
        universe.add("a", "2.0", requires_python=">=3.12")
        universe.add("a", "1.0")

        assert versions(solve(universe, "a")) == {"a": "1.0"}


def test_the_lowest_versions_of_what_is_asked_for_directly(universe: Universe) -> None:
    for version in ("1.0", "1.5", "2.0"):
        universe.add("a", version, requires=["b"])
        universe.add("b", version)

    found = solve(universe, "a>=1.1", strategy=ResolutionStrategy.LOWEST_DIRECT)

    assert versions(found) == {"a": "1.5", "b": "2.0"}


def test_without_dependencies_no_metadata_are_read(universe: Universe) -> None:
    universe.add("a", "1.0", requires=["b"])

    assert versions(solve(universe, "a", no_deps=True)) == {"a": "1.0"}
    assert not [kind for kind, _ in universe.asked if kind == "metadata"]


def test_a_yanked_version_is_chosen_when_pinned_and_told(universe: Universe) -> None:
    universe.add("a", "2.0", yanked="it is broken")
    universe.add("a", "1.0")
    told: list[Event] = []

    assert versions(solve(universe, "a")) == {"a": "1.0"}
    resolve(ResolveRequest(requirements=wanted("a==2.0")), universe, PYTHON, told.append)

    assert [event.message for event in told if isinstance(event, Noticed)] == [
        "a 2.0 was yanked by its maintainers: it is broken"
    ]


def test_files_of_unknown_age_are_told_once(universe: Universe) -> None:
    universe.add("a", "1.0", upload_time=datetime(2023, 1, 1, tzinfo=UTC))
    universe.add("a", "2.0")
    told: list[Event] = []

    found = resolve(
        ResolveRequest(requirements=wanted("a"), exclude_newer=datetime(2024, 1, 1, tzinfo=UTC)),
        universe,
        PYTHON,
        told.append,
    )

    assert versions(found) == {"a": "1.0"}
    assert len([event for event in told if isinstance(event, Noticed)]) == 1


def test_formats_that_are_forbidden_are_in_no_pin(universe: Universe) -> None:
    universe.add("a", "1.0", files=["a-1.0-py3-none-any.whl", "a-1.0.tar.gz"])

    found = solve(universe, "a", format_control=FormatControl(only_binary=frozenset({":all:"})))

    assert [file.filename for file in pin(found, "a").files] == ["a-1.0-py3-none-any.whl"]


def test_digests_and_settings_of_a_requirement_stay_with_its_pin(universe: Universe) -> None:
    universe.add("a", "1.0")
    item = parse_requirement("a==1.0", base=Path("/"))
    settings: Mapping[str, str | list[str]] = {"key": "value"}
    asked = WantedRequirement(
        name=item.name, specifier=item.specifier, hashes=Hashes.of({"sha256": "ab"}), config_settings=settings
    )

    found = pin(resolve(ResolveRequest(requirements=(asked,)), universe, PYTHON), "a")

    assert (found.hashes, found.config_settings) == (Hashes.of({"sha256": "ab"}), settings)


def test_the_phase_is_told_also_when_it_fails(universe: Universe) -> None:
    told: list[Event] = []

    with pytest.raises(RequirementsError):
        resolve(ResolveRequest(requirements=wanted("nothing")), universe, PYTHON, told.append)

    assert [type(event) for event in told if isinstance(event, PhaseStarted | PhaseEnded)] == [PhaseStarted, PhaseEnded]


def test_every_question_is_asked_once_and_sdists_are_not_built_on_a_guess(universe: Universe) -> None:
    universe.add("app", "1.0", requires=["a", "b<2", "c"])
    universe.add("a", "1.0", requires=["b"])
    universe.add("b", "2.0", files=["b-2.0.tar.gz"])
    universe.add("b", "1.0", files=["b-1.0.tar.gz"])
    universe.add("c", "1.0", requires=["a", "b"])

    solve(universe, "app")

    questions = {question: count for question, count in universe.asked.items() if question[0] != "prefetch"}
    assert set(questions.values()) == {1}
    assert ("metadata", "b-2.0.tar.gz") not in questions


def test_a_large_graph_is_resolved_in_few_steps(universe: Universe) -> None:
    """150 projects with 40 versions each, where every version of a project wants a window of its neighbours."""
    for number in range(150):
        for version in range(1, 41):
            needs = [
                f"p{other}>={max(1, version - 8)},<={version + 2}" for other in (number + 1, number + 7) if other < 150
            ]
            universe.add(f"p{number}", f"{version}.0", requires=needs)
    told: list[Event] = []

    found = resolve(ResolveRequest(requirements=wanted("p0", "p3")), universe, PYTHON, told.append)

    assert len(found.pins) == 150
    assert {str(pin.version) for pin in found.pins} == {"40.0"}


def test_the_answer_does_not_depend_on_the_order_of_files(universe: Universe) -> None:
    shuffled = Universe()
    names = [f"a-1.0-cp3{minor}-cp3{minor}-win32.whl" for minor in range(7, 13)] + ["a-1.0.tar.gz"]
    universe.add("a", "1.0", files=names)
    shuffled.add("a", "1.0", files=list(reversed(names)))

    assert solve(universe, "a") == solve(shuffled, "a")


def test_files_of_other_projects_on_a_page_are_ignored(universe: Universe) -> None:
    universe.add("a", "1.0", files=["a-1.0.tar.gz", "a_b-9.0-py3-none-any.whl"])

    assert versions(solve(universe, "a")) == {"a": "1.0"}


def test_a_project_whose_newer_versions_all_meet_the_same_resistance_is_decided_before_it(universe: Universe) -> None:
    """Otherwise it would end at an ancient version that does not say what it cannot live with."""
    universe.add("old", "0.1")
    for number in range(1, 11):
        universe.add("old", f"1.{number}", requires=["shared<2"])
    universe.add("brings-old", "1.0", requires=["old"])
    universe.add("new", "1.0", requires=["shared"])
    universe.add("new", "2.0", requires=["shared>=2"])
    for version in ("1.9", "2.0"):
        universe.add("shared", version)

    found = versions(solve(universe, "brings-old", "new"))

    assert found == {"brings-old": "1.0", "old": "1.10", "new": "1.0", "shared": "1.9"}


def test_two_that_push_each_other_back_come_to_an_end(universe: Universe) -> None:
    for number in range(1, 9):
        universe.add("a", f"1.{number}", requires=["x<2", "y>=2"])
        universe.add("b", f"1.{number}", requires=["x>=2", "y<2"])
    for version in ("1.0", "2.0"):
        universe.add("x", version)
        universe.add("y", version)

    with pytest.raises(RequirementsError, match="contradict one another"):
        solve(universe, "a", "b")
