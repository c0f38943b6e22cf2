"""`safe_install.redact`."""

from __future__ import annotations

import pytest

from safe_install.redact import redact_url, secrets_in


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://me:word@host/simple", {"word"}),
        ("https://token@host/simple https://a:bbb%21@other", {"token", "bbb%21", "bbb!"}),
        ("--index-url https://host/a@b", set()),
        ("git+ssh://git@host/x", set()),
        ("https://token:@host/", {"token"}),
        ("https://token:x-oauth-basic@host/", {"token"}),
        ("https://u:p@ss@host/simple", {"p@ss"}),
        ("https://host/simple?private_token=SECRET&x=1", {"SECRET"}),
        ("https://u:p@host/", set()),
    ],
)
def test_credentials_of_urls(text: str, expected: set[str]) -> None:
    assert secrets_in(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("get https://me:word@host/x and https://host/y", "get https://***@host/x and https://host/y"),
        ("https://u:p@ss@host/x", "https://***@host/x"),
        ("https://host/x?a=1&private_token=abc&b=2", "https://host/x?a=1&private_token=***&b=2"),
        ("see https://host/a@b", "see https://host/a@b"),
    ],
)
def test_nothing_secret_is_left(text: str, expected: str) -> None:
    assert redact_url(text) == expected
