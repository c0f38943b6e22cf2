from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from unearth import PackageFinder

from safe_install.engine.indexes import FileOptions, IndexDefaults, index_settings
from safe_install.engine.session import Surroundings
from safe_install.index.settings import IndexSettings, default_index_url
from safe_install.settings import Settings

OURS, FILE, PIP = "https://ours.test/simple", "https://file.test/simple", "https://pip.test/simple"


def settle(ours: dict[str, Any] | None = None, file: dict[str, Any] | None = None, **pip: Any) -> IndexSettings:
    surroundings = Surroundings(
        variables={}, folder=Path("/w"), python="python", cache_dir=Path("/c"), index_defaults=IndexDefaults(**pip)
    )
    return index_settings(Settings(**(ours or {})), surroundings, FileOptions(**(file or {})))


def test_without_any_setting_the_library_knows_the_index() -> None:
    assert settle().index_urls == (default_index_url(),)
    assert default_index_url() == PackageFinder().sources[0]["url"]


def test_the_default_index_is_known_without_a_second_http_library() -> None:
    code = "import sys; from safe_install.index.settings import default_index_url as d; d(); assert 'requests' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_library_is_asked_where_its_text_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert default_index_url() == PackageFinder().sources[0]["url"]


@pytest.mark.parametrize(
    ("ours", "file", "expected"),
    [({}, {}, PIP), ({}, {"index_url": FILE}, FILE), ({"index_url": OURS}, {"index_url": FILE}, OURS)],
)
def test_first_that_says_something_holds(ours: dict[str, Any], file: dict[str, Any], expected: str) -> None:
    assert settle(ours, file, index_url=PIP).index_urls == (expected,)


def test_further_indexes_are_asked_first() -> None:
    found = settle({"extra_index_url": (OURS,)}, {"extra_index_urls": (FILE, OURS)}, index_url=PIP)
    assert found.index_urls == (OURS, FILE, PIP)


def test_further_indexes_of_pip_count_where_nobody_else_names_any() -> None:
    pip: dict[str, Any] = {"index_url": PIP, "extra_index_urls": ("https://more.test/simple",)}
    assert settle(**pip).index_urls == ("https://more.test/simple", PIP)
    assert settle({"extra_index_url": (OURS,)}, **pip).index_urls == (OURS, PIP)


@pytest.mark.parametrize(
    "where", [({"no_index": True}, {}, {}), ({}, {"no_index": True}, {}), ({}, {}, {"no_index": True})]
)
def test_no_index_of_anybody_asks_none(where: tuple[dict[str, Any], dict[str, Any], dict[str, Any]]) -> None:
    ours, file, pip = where
    assert settle(ours, file, index_url=PIP, **pip).index_urls == ()


def test_own_index_beats_pips_no_index() -> None:
    assert settle({"index_url": OURS}, no_index=True).index_urls == (OURS,)


def test_time_out_of_pip_holds_where_ours_is_not_set() -> None:
    assert settle().timeout == IndexSettings().timeout == 30.0
    assert settle(timeout=180.0).timeout == 180.0
    assert settle({"timeout": 5.0}, timeout=180.0).timeout == 5.0
    assert settle({"timeout": 30.0}, timeout=180.0).timeout == 30.0, "what is said counts, be it the default or not"


def test_trusted_hosts_of_all_are_trusted() -> None:
    found = settle({"trusted_host": ("a",)}, {"trusted_hosts": ("b", "a")}, trusted_hosts=("c",))
    assert found.trusted_hosts == ("a", "b", "c")


def test_certificates_and_proxy_of_pip_are_used() -> None:
    found = settle(cert=Path("/ca.pem"), client_cert=Path("/me.pem"), proxy="http://proxy.test:3128")
    assert (found.cert, found.client_cert, found.proxy) == (Path("/ca.pem"), Path("/me.pem"), "http://proxy.test:3128")


@pytest.mark.parametrize(("ours", "pip"), [("disabled", False), ("auto", True)])
def test_keyring_can_be_switched_off_by_either(ours: str, pip: bool) -> None:
    assert settle({"keyring_provider": ours}, keyring_disabled=pip).keyring is False


def test_later_file_replaces_the_index_and_adds_to_the_rest() -> None:
    first = FileOptions(index_url=PIP, find_links=("a",), only_binary=("x",))
    both = first.joined(FileOptions(index_url=FILE, find_links=("b", "a"), only_binary=("y",), no_index=True))
    assert both == FileOptions(index_url=FILE, find_links=("a", "b"), only_binary=("x", "y"), no_index=True)
    assert both.joined(FileOptions()).index_url == FILE
