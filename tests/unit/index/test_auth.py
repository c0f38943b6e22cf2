"""Credentials are found where users keep them, go to their own origin only, and never show."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from safe_install.index.auth import Credentials, Login, origin_of, split_login, variable_name

if TYPE_CHECKING:
    from pathlib import Path

    from unit.index.conftest import KeyringContents

    from safe_install.events import Event

HOST = "packages.example"
URL = f"https://{HOST}/simple/"


def credentials(
    *index_urls: str, variables: dict[str, str] | None = None, keyring: bool = False, events: list[Event] | None = None
) -> Credentials:
    sink = (events if events is not None else []).append
    return Credentials(index_urls, variables=variables or {}, keyring=keyring, sink=sink)


def test_logins_are_split_from_urls_and_unquoted() -> None:
    assert split_login("https://us%40er:p%3Ass@h.example:8443/x?y=a@b") == (
        "us@er",
        "p:ss",
        "https://h.example:8443/x?y=a@b",
    )
    assert split_login("https://token@h.example/x") == ("token", None, "https://h.example/x")
    assert split_login("https://h.example/a@b") == (None, None, "https://h.example/a@b")


def test_origins_know_default_ports() -> None:
    assert origin_of("https://h.example/x") == origin_of("https://H.example:443/y")
    assert origin_of("https://h.example/x") != origin_of("http://h.example/x")


def test_a_password_never_shows_in_a_text() -> None:
    assert "secret" not in repr(Login("user", "secret"))
    assert "secret" not in Login("user", "secret").identity()


def test_identities_differ_by_user_and_by_password() -> None:
    logins = [Login("a", "x"), Login("a", "y"), Login("b", "x")]
    assert len({login.identity() for login in logins}) == 3
    assert Login("a", "x").identity() == Login("a", "x").identity()


def test_the_url_beats_the_variable_and_that_the_index_url_and_that_the_netrc_file(tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine {HOST} login n password netrc\n")
    files = {"NETRC": str(netrc)}
    variable = {variable_name(URL): "v:variable:with:colons"}
    index = f"https://i:index@{HOST}/simple/"
    page = URL + "demo/"
    assert credentials(index, variables=files | variable).known(f"https://u:url@{HOST}/x") == Login("u", "url")
    assert credentials(index, variables=files | variable).known(page) == Login("v", "variable:with:colons")
    assert credentials(index, variables=files).known(page) == Login("i", "index")
    assert credentials(URL, variables=files).known(page) == Login("n", "netrc")
    assert credentials(URL).known(page) is None


def test_a_variable_is_named_after_host_and_port() -> None:
    assert variable_name("https://my-host.example/simple") == "SAFE_INSTALL_CREDENTIALS_MY_HOST_EXAMPLE"
    assert variable_name("http://127.0.0.1:8080/") == "SAFE_INSTALL_CREDENTIALS_127_0_0_1_8080"


def test_credentials_of_an_index_go_to_its_origin_only() -> None:
    known = credentials(f"https://u:secret@{HOST}/simple/").known
    assert known(f"https://{HOST}/files/x.whl") == Login("u", "secret")
    for elsewhere in (f"http://{HOST}/x", f"https://{HOST}:8443/x", f"https://other.{HOST}/x", "https://cdn.example/x"):
        assert known(elsewhere) is None


def test_of_two_indexes_on_one_host_the_nearest_or_the_own_one_counts() -> None:
    known = credentials(f"https://a:1@{HOST}/team-a/simple/", f"https://b:2@{HOST}/team-b/simple/").known
    assert known(f"https://{HOST}/team-b/simple/demo/") == Login("b", "2")
    assert known(f"https://{HOST}/team-a/files/x.whl") == Login("a", "1")
    assert known(f"https://{HOST}/files/x.whl", index=f"https://{HOST}/team-b/simple/") == Login("b", "2")


def test_a_netrc_file_in_the_home_folder_is_found_and_a_user_name_in_the_url_chooses(tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text(f"machine {HOST} login n password netrc\n")
    known = credentials(URL, variables={"HOME": str(tmp_path)}).known
    assert known(URL) == Login("n", "netrc")
    assert known(f"https://n@{HOST}/") == Login("n", "netrc")
    assert known(f"https://somebody@{HOST}/") == Login("somebody", "")


def test_a_broken_netrc_file_is_told_without_its_content(tmp_path: Path, events: list[Event]) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine {HOST} login n passwort s3cret\n")
    assert credentials(URL, variables={"NETRC": str(netrc)}, events=events).known(URL) is None
    (notice,) = events
    assert "line 1" in str(notice)
    assert "s3cret" not in str(notice)


def test_a_user_name_alone_is_sent_with_an_empty_password() -> None:
    assert credentials(f"https://token@{HOST}/simple/").known(URL) == Login("token", "")


def test_the_keyring_is_asked_after_a_refusal_and_once(keyring_backend: KeyringContents) -> None:
    keyring_backend.secrets[URL, None] = ("k", "keyring")
    found = credentials(URL, keyring=True)
    assert found.known(URL + "demo/") is None
    assert not keyring_backend.asked
    assert found.after_refusal(URL + "demo/") == Login("k", "keyring")
    assert found.known(URL + "other/") == Login("k", "keyring")
    assert found.after_refusal(URL + "other/") is None
    assert keyring_backend.asked == [(URL, None)]


def test_the_keyring_is_asked_at_once_when_the_user_name_is_known(keyring_backend: KeyringContents) -> None:
    keyring_backend.secrets[HOST, "u"] = ("u", "keyring")
    found = credentials(f"https://u@{HOST}/simple/", keyring=True)
    assert found.known(URL) == Login("u", "keyring")
    assert found.after_refusal(URL) is None
    assert keyring_backend.asked == [(URL, "u"), (HOST, "u")]


def test_the_keyring_is_not_asked_when_it_is_switched_off(keyring_backend: KeyringContents) -> None:
    keyring_backend.secrets[URL, None] = ("k", "keyring")
    assert credentials(URL, keyring=False).after_refusal(URL) is None
    assert not keyring_backend.asked


def test_a_broken_keyring_is_told_and_fails_nothing(
    keyring_backend: KeyringContents, events: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(service: str, username: str | None) -> None:
        raise RuntimeError("the secret s3cret is locked")

    monkeypatch.setattr(sys.modules["keyring"], "get_credential", broken)
    assert credentials(URL, keyring=True, events=events).after_refusal(URL) is None
    (notice,) = events
    assert "RuntimeError" in str(notice)
    assert "s3cret" not in str(notice)
