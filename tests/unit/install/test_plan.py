from __future__ import annotations

from typing import Any

from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from safe_install.install.installed import Installed, Kind
from safe_install.install.plan import Changes, Wanted, plan_changes


def name(text: str) -> NormalizedName:
    return canonicalize_name(text)


def installed(project: str, version: str = "1.0", *, record: bool = True, direct_url: Any = None) -> Installed:
    return Installed(
        name=name(project),
        raw_name=project,
        version=Version(version),
        kind=Kind.DIST_INFO,
        library="site",
        info=f"{project}-{version}.dist-info",
        files=frozenset({"METADATA", "RECORD"} if record else {"METADATA"}),
        direct_url=direct_url,
    )


def plan(wanted: dict[str, Wanted], present: list[Installed], **options: Any) -> Changes:
    found: dict[NormalizedName, list[Installed]] = {}
    for item in present:
        found.setdefault(item.name, []).append(item)
    settings = {"exact": True} | options
    return plan_changes({name(key): value for key, value in wanted.items()}, found, **settings)


ONE = Wanted(version=Version("1.0"))


def test_what_matches_is_kept_and_nothing_changes() -> None:
    changes = plan({"a": Wanted(version=Version("1"))}, [installed("a", "1.0")])
    assert changes.keep == ("a",)
    assert not changes


def test_exact_removes_everything_else_pip_included() -> None:
    changes = plan({"a": ONE}, [installed("a"), installed("pip"), installed("setuptools")])
    assert list(changes.remove) == ["pip", "setuptools"]
    assert [str(item) for item in changes.removed] == ["pip==1.0", "setuptools==1.0"]


def test_what_is_to_be_kept_survives_exact() -> None:
    changes = plan({}, [installed("pip"), installed("b")], keep={name("pip")})
    assert (changes.keep, list(changes.remove)) == (("pip",), ["b"])


def test_without_exact_nothing_is_removed() -> None:
    changes = plan({"a": ONE}, [installed("b")], exact=False)
    assert (changes.install, changes.keep, changes.remove) == (("a",), ("b",), {})


def test_another_version_is_replaced() -> None:
    changes = plan({"a": ONE}, [installed("a", "2.0")])
    assert list(changes.replace) == ["a"]
    assert changes.needed == ("a",)


def test_what_a_killed_installer_left_is_replaced() -> None:
    assert plan({"a": ONE}, [installed("a", record=False)]).replace
    assert plan({"a": ONE}, [installed("a"), installed("a", "0.9")]).replace


def test_an_unknown_version_is_installed_anew() -> None:
    assert plan({"a": Wanted(version=None)}, [installed("a")]).replace


def test_reinstall_replaces_what_matches() -> None:
    assert plan({"a": ONE}, [installed("a")], reinstall={name("a")}).replace


def test_another_origin_is_another_distribution() -> None:
    url = {"url": "https://example.org/a.whl", "archive_info": {"hash": "sha256=ab"}}
    wanted = {"a": Wanted(version=Version("1.0"), direct_url=url)}
    assert plan(wanted, [installed("a")]).replace
    assert plan({"a": ONE}, [installed("a", direct_url=url)]).replace
    modern = {"url": url["url"], "archive_info": {"hashes": {"sha256": "ab"}}}
    assert not plan(wanted, [installed("a", direct_url=modern)])
    other = {"url": url["url"], "archive_info": {"hashes": {"sha256": "cd"}}}
    assert plan(wanted, [installed("a", direct_url=other)]).replace
    unhashed = {"url": url["url"], "archive_info": {}}
    assert not plan(wanted, [installed("a", direct_url=unhashed)])


def test_another_commit_or_kind_of_source_is_another_distribution() -> None:
    def vcs(commit: str) -> dict[str, object]:
        return {"url": "https://example.org/a", "vcs_info": {"vcs": "git", "commit_id": commit}}

    wanted = {"a": Wanted(version=Version("1.0"), direct_url=vcs("1" * 40))}
    assert not plan(wanted, [installed("a", direct_url=vcs("1" * 40))])
    assert plan(wanted, [installed("a", direct_url=vcs("2" * 40))]).replace
    assert plan(wanted, [installed("a", direct_url={"url": "https://example.org/a", "dir_info": {}})]).replace
