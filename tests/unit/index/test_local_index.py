"""The index server of the tests does what the tests that use it rely on."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from helpers.index import LocalIndex


def fetch(url: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    request = urllib.request.Request(url, headers={name.replace("_", "-"): value for name, value in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return response.status, dict(response.headers), response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


def test_pages_come_as_json_or_html_as_the_client_accepts(local_index: LocalIndex) -> None:
    local_index.add("demo-1.0.tar.gz", b"abc", yanked="broken", requires_python=">=3.9,<4")
    _, _, page = fetch(local_index.url + "demo/", Accept="application/vnd.pypi.simple.v1+json")
    (file,) = json.loads(page)["files"]
    assert (file["filename"], file["size"], file["yanked"]) == ("demo-1.0.tar.gz", 3, "broken")
    assert fetch(urllib.parse.urljoin(local_index.url + "demo/", file["url"]))[2] == b"abc"
    _, headers, page = fetch(local_index.url + "demo/", Accept="text/html")
    assert headers["Content-Type"].startswith("text/html")
    assert b'data-requires-python="&gt;=3.9,&lt;4"' in page


def test_ranges_and_validators(local_index: LocalIndex) -> None:
    local_index.add("demo-1.0.tar.gz", b"0123456789")
    url = local_index.file_url("demo-1.0.tar.gz")
    assert fetch(url, Range="bytes=2-4")[::2] == (206, b"234")
    assert fetch(url, Range="bytes=-3")[::2] == (206, b"789")
    assert fetch(url, Range="bytes=7-", If_Range='"other"')[::2] == (200, b"0123456789")
    local_index.ranges = False
    assert fetch(url, Range="bytes=2-4")[::2] == (200, b"0123456789")
    etag = fetch(local_index.url + "demo/")[1]["ETag"]
    assert fetch(local_index.url + "demo/", If_None_Match=etag)[0] == 304


def test_faults_hit_the_planned_requests_only(local_index: LocalIndex) -> None:
    local_index.add("demo-1.0.tar.gz", b"0123456789")
    page, file = local_index.url + "demo/", local_index.file_url("demo-1.0.tar.gz")
    local_index.fail(status=503, path="/simple/*", headers={"Retry-After": "1"})
    assert fetch(file)[0] == 200
    assert fetch(page)[0] == 503
    assert fetch(page)[0] == 200
    local_index.fail(cut_after=4)
    with pytest.raises(http.client.IncompleteRead):
        fetch(file)
    local_index.fail(reset=True)
    with pytest.raises(OSError):
        fetch(file)
    local_index.credentials = ("user", "secret")
    assert fetch(page)[0] == 401
    assert local_index.count("/simple/demo/") == 3
    assert local_index.count("/files/*") == 3
