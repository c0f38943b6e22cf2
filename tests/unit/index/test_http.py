"""Pages, parts and whole files come over HTTP through every failure that passes; the others have a name."""

from __future__ import annotations

import base64
import errno
import hashlib
import io
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from safe_install.errors import ExitCode, IntegrityError, NetworkError, StoreError
from safe_install.events import Event, Retried
from safe_install.index.connections import Connections
from safe_install.index.http import PageAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from helpers.index import LocalIndex
    from unit.index.conftest import KeyringContents, MakeHttp

    from safe_install.index.http import HttpClient
    from safe_install.index.transfer import Downloaded

DATA = bytes(range(256)) * 4096  # 1 MiB, no two places alike within a chunk


def page(http: HttpClient, index: LocalIndex, project: str = "demo", root: str | None = None) -> PageAnswer:
    url = root or index.url
    return http.get_page(f"{url}{project}/", what=f"the page of {project}", index=url)


def download(http: HttpClient, index: LocalIndex, name: str, *, size: int | None = None) -> tuple[Downloaded, bytes]:
    target = io.BytesIO()
    done = http.download(index.file_url(name), target, what=name, algorithms=["sha256", "md5"], size=size)
    return done, target.getvalue()


def test_a_page_comes_with_its_headers_and_an_unknown_project_is_no_error(
    local_index: LocalIndex, make_http: MakeHttp
) -> None:
    local_index.add("demo-1.0.tar.gz", DATA)
    http = make_http()
    found = page(http, local_index)
    assert found.outcome == "found"
    assert found.headers["content-type"] == "application/vnd.pypi.simple.v1+json"
    assert b"demo-1.0.tar.gz" in found.body
    assert page(http, local_index, "unknown").outcome == "unknown"


def test_validators_spare_the_body(local_index: LocalIndex, make_http: MakeHttp) -> None:
    local_index.add("demo-1.0.tar.gz", DATA)
    http = make_http()
    etag = page(http, local_index).headers["etag"]
    url = local_index.url + "demo/"
    answer = http.get_page(url, what="the page of demo", validators={"If-None-Match": etag})
    assert (answer.outcome, answer.body) == ("unchanged", b"")


def test_connections_are_reused_even_after_errors(local_index: LocalIndex, make_http: MakeHttp) -> None:
    local_index.add("demo-1.0.tar.gz", DATA)
    http = make_http()
    for project in ("demo", "unknown", "demo", "unknown"):
        page(http, local_index, project)
    assert local_index.connections == 1


@pytest.mark.parametrize(
    ("status", "code", "hint"),
    [
        (401, "index-unauthorized", "SAFE_INSTALL_CREDENTIALS_127_0_0_1_"),
        (403, "index-unauthorized", "rights"),
        (407, "index-unauthorized", "proxy"),
        (410, "server-error", "try again"),
        (429, "rate-limited", "--concurrent-downloads"),
        (500, "server-error", "try again"),
        (503, "server-error", "try again"),
    ],
)
def test_a_bad_answer_for_a_page_has_a_name_and_is_never_unknown(
    local_index: LocalIndex, make_http: MakeHttp, status: int, code: str, hint: str
) -> None:
    local_index.fail(status=status)
    with pytest.raises(NetworkError) as caught:
        page(make_http(), local_index)
    error = caught.value
    assert (error.code, error.exit_code) == (code, ExitCode.NETWORK)
    assert str(status) in error.message
    assert "the page of demo" in error.message
    assert f"from {local_index.url}demo/" in error.context
    assert hint in (error.hint or "")


def test_a_truncated_page_has_a_name_and_is_tried_again(local_index: LocalIndex, make_http: MakeHttp) -> None:
    local_index.add("demo-1.0.tar.gz", DATA)
    local_index.fail(cut_after=20)
    with pytest.raises(NetworkError) as caught:
        page(make_http(), local_index)
    assert caught.value.code == "truncated-body"
    local_index.fail(cut_after=20)
    assert b"demo-1.0.tar.gz" in page(make_http(retry_budget=60.0), local_index).body


def test_a_missing_file_has_a_name(local_index: LocalIndex, make_http: MakeHttp) -> None:
    with pytest.raises(NetworkError) as caught:
        download(make_http(), local_index, "gone-1.0.tar.gz")
    assert caught.value.code == "not-found"


def test_an_index_that_is_down_has_a_name(make_http: MakeHttp) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(NetworkError) as caught:
        make_http().get_page(f"http://127.0.0.1:{port}/simple/demo/", what="the page of demo")
    assert caught.value.code == "index-unreachable"
    assert "refused" in caught.value.message


@pytest.mark.parametrize("url", ["ftp://h.example/x/", "http://h.example:port/", "http://[::1/"])
def test_a_url_that_is_none_has_a_name(make_http: MakeHttp, url: str) -> None:
    with pytest.raises(NetworkError) as caught:
        make_http().get_page(url, what="the page of demo")
    assert caught.value.code == "invalid-url"


def test_a_page_of_another_kind_has_a_name(local_index: LocalIndex, make_http: MakeHttp) -> None:
    local_index.add("demo-1.0.tar.gz", DATA)
    local_index.fail(headers={"Content-Type": "application/xml"})
    with pytest.raises(NetworkError) as caught:
        page(make_http(), local_index)
    assert caught.value.code == "wrong-content-type"
    assert "application/xml" in caught.value.message


def test_a_sign_in_page_instead_of_a_file_has_a_name(local_index: LocalIndex, make_http: MakeHttp) -> None:
    local_index.add("demo-1.0.tar.gz", DATA)
    local_index.fail(headers={"Content-Type": "text/html"}, body=b"<h1>Welcome to the network</h1>")
    with pytest.raises(NetworkError) as caught:
        download(make_http(), local_index, "demo-1.0.tar.gz")
    assert caught.value.code == "wrong-content-type"


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 522])
def test_what_passes_is_tried_again_and_told(
    local_index: LocalIndex, make_http: MakeHttp, events: list[Event], status: int
) -> None:
    local_index.add("demo-1.0.tar.gz", DATA)
    local_index.fail(status=status)
    assert page(make_http(retry_budget=60.0), local_index).outcome == "found"
    (retried,) = [event for event in events if isinstance(event, Retried)]
    assert str(status) in retried.reason
    assert retried.operation == "read the page of demo"


def test_a_reset_connection_is_tried_again(local_index: LocalIndex, make_http: MakeHttp, events: list[Event]) -> None:
    local_index.add("demo-1.0.tar.gz", DATA)
    local_index.fail(reset=True)
    assert page(make_http(retry_budget=60.0), local_index).outcome == "found"
    assert [type(event) for event in events] == [Retried]


@pytest.mark.parametrize("status", [400, 401, 403, 410, 501])
def test_what_does_not_pass_is_reported_at_once(local_index: LocalIndex, make_http: MakeHttp, status: int) -> None:
    local_index.fail(status=status, times=2)
    with pytest.raises(NetworkError):
        page(make_http(retry_budget=60.0), local_index)
    assert local_index.count() == 1


def test_retry_after_is_honoured(local_index: LocalIndex, make_http: MakeHttp, events: list[Event]) -> None:
    local_index.add("demo-1.0.tar.gz", DATA)
    local_index.fail(status=429, headers={"Retry-After": "1"})
    assert page(make_http(retry_budget=60.0), local_index).outcome == "found"
    (retried,) = [event for event in events if isinstance(event, Retried)]
    assert retried.pause == 1.0


def test_retry_after_beyond_the_budget_is_reported_at_once(local_index: LocalIndex, make_http: MakeHttp) -> None:
    local_index.fail(status=503, headers={"Retry-After": "Fri, 31 Dec 2120 23:59:59 GMT"})
    with pytest.raises(NetworkError) as caught:
        page(make_http(retry_budget=60.0), local_index)
    assert local_index.count() == 1
    assert any("asks to wait" in line for line in caught.value.context)


def test_a_download_is_written_hashed_and_asked_for_unencoded(local_index: LocalIndex, make_http: MakeHttp) -> None:
    local_index.add("demo-1.0.tar.gz", DATA)
    done, written = download(make_http(), local_index, "demo-1.0.tar.gz", size=len(DATA))
    assert written == DATA
    assert (done.size, done.hashes["sha256"]) == (len(DATA), hashlib.sha256(DATA).hexdigest())
    assert set(done.hashes) == {"sha256", "md5"}
    assert local_index.requests[0].headers["Accept-Encoding"] == "identity"


def test_a_file_marked_as_encoded_is_kept_as_it_was_sent(local_index: LocalIndex, make_http: MakeHttp) -> None:
    """Some servers say ``Content-Encoding: gzip`` of a ``.tar.gz``; its digest is that of the compressed bytes."""
    local_index.add("demo-1.0.tar.gz", DATA)
    local_index.fail(headers={"Content-Encoding": "gzip"})
    assert download(make_http(), local_index, "demo-1.0.tar.gz")[1] == DATA


def test_a_broken_download_goes_on_where_it_broke(
    local_index: LocalIndex, make_http: MakeHttp, events: list[Event]
) -> None:
    local_index.add("demo-1.0.tar.gz", DATA)
    local_index.fail(cut_after=400_000)
    done, written = download(make_http(retry_budget=60.0), local_index, "demo-1.0.tar.gz", size=len(DATA))
    assert written == DATA
    assert done.hashes["sha256"] == hashlib.sha256(DATA).hexdigest()
    _, second = local_index.requests
    assert second.headers["Range"] == "bytes=400000-"
    assert second.headers["If-Range"].startswith('"')
    assert sum(local_index.bytes_sent.values()) == len(DATA)
    assert any(isinstance(event, Retried) and "400,000 bytes" in event.reason for event in events)


def test_a_file_that_changed_meanwhile_is_fetched_anew(local_index: LocalIndex, make_http: MakeHttp) -> None:
    local_index.add("demo-1.0.tar.gz", DATA)
    local_index.fail(cut_after=400_000, headers={"ETag": '"an-older-version"'})
    came: list[int] = []
    target = io.BytesIO()
    url = local_index.file_url("demo-1.0.tar.gz")
    http = make_http(retry_budget=60.0)
    done = http.download(url, target, what="demo", algorithms=["sha256"], on_bytes=came.append)
    assert target.getvalue() == DATA
    assert done.hashes["sha256"] == hashlib.sha256(DATA).hexdigest()
    assert -400_000 in came
    assert sum(came) == len(DATA)


@pytest.mark.parametrize(("ranges", "etags"), [(False, True), (True, False)])
def test_a_server_that_cannot_resume_sends_everything_again(
    local_index: LocalIndex, make_http: MakeHttp, ranges: bool, etags: bool
) -> None:
    local_index.ranges, local_index.etags = ranges, etags
    local_index.add("demo-1.0.tar.gz", DATA)
    local_index.fail(cut_after=400_000)
    assert download(make_http(retry_budget=60.0), local_index, "demo-1.0.tar.gz")[1] == DATA


def test_a_server_that_resumes_elsewhere_is_not_believed(local_index: LocalIndex, make_http: MakeHttp) -> None:
    local_index.add("demo-1.0.tar.gz", DATA)
    local_index.fail(cut_after=400_000)
    local_index.fail(headers={"Content-Range": f"bytes 0-{len(DATA) - 1}/{len(DATA)}"})
    assert download(make_http(retry_budget=60.0), local_index, "demo-1.0.tar.gz")[1] == DATA


def test_a_body_that_stays_truncated_has_a_name(local_index: LocalIndex, make_http: MakeHttp) -> None:
    local_index.add("demo-1.0.tar.gz", DATA)
    local_index.fail(cut_after=1000, times=99)
    with pytest.raises(NetworkError) as caught:
        download(make_http(), local_index, "demo-1.0.tar.gz")
    assert caught.value.code == "truncated-body"
    assert "1,000 bytes" in caught.value.message


def test_a_stalled_connection_is_given_up_and_the_download_goes_on(
    local_index: LocalIndex, make_http: MakeHttp, events: list[Event]
) -> None:
    local_index.add("demo-1.0.tar.gz", DATA)
    local_index.fail(stall_after=300_000)
    http = make_http(timeout=0.3, retry_budget=60.0)
    assert download(http, local_index, "demo-1.0.tar.gz")[1] == DATA
    assert any(isinstance(event, Retried) and "stalled" in event.reason for event in events)


def test_a_slow_download_that_moves_is_not_given_up(
    local_index: LocalIndex, make_http: MakeHttp, events: list[Event]
) -> None:
    """It takes far longer than the time-out, but never so long between two pieces."""
    local_index.add("demo-1.0.tar.gz", DATA[:16_000])
    local_index.fail(piece=1000, pause=0.25)
    assert download(make_http(timeout=3.0), local_index, "demo-1.0.tar.gz")[1] == DATA[:16_000]
    assert not events


@pytest.mark.parametrize(("announced", "found"), [(len(DATA) - 1, "more"), (len(DATA) + 1, f"{len(DATA):,}")])
def test_another_size_than_announced_is_refused(
    local_index: LocalIndex, make_http: MakeHttp, announced: int, found: str
) -> None:
    local_index.add("demo-1.0.tar.gz", DATA)
    with pytest.raises(IntegrityError) as caught:
        download(make_http(retry_budget=60.0), local_index, "demo-1.0.tar.gz", size=announced)
    assert caught.value.code == "size-mismatch"
    assert f"{announced:,}" in caught.value.message
    assert found in caught.value.message
    assert local_index.count() == 1


def test_a_full_disk_is_an_error_of_the_disk(local_index: LocalIndex, make_http: MakeHttp) -> None:
    class FullDisk(io.BytesIO):
        name = "/scratch/download"

        def write(self, data: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    local_index.add("demo-1.0.tar.gz", DATA)
    http = make_http(retry_budget=60.0)
    with pytest.raises(StoreError) as caught:
        http.download(local_index.file_url("demo-1.0.tar.gz"), FullDisk(), what="demo", algorithms=[])
    assert (caught.value.code, caught.value.exit_code) == ("disk-full", ExitCode.STORE)
    assert "demo" in caught.value.message
    assert local_index.count() == 1


def test_redirects_are_followed_and_links_are_relative_to_where_they_lead(
    local_index: LocalIndex, make_http: MakeHttp
) -> None:
    local_index.add("demo-1.0.tar.gz", DATA)
    local_index.fail(status=302, headers={"Location": "/simple/demo/"}, body=b"over there")
    found = make_http().get_page(f"{local_index.base}/old/demo/", what="the page of demo")
    assert found.url == local_index.url + "demo/"


@pytest.mark.parametrize(
    ("target", "code"), [("/simple/demo/", "too-many-redirects"), ("file:///etc/passwd", "invalid-url")]
)
def test_endless_and_foreign_redirects_are_refused(
    local_index: LocalIndex, make_http: MakeHttp, target: str, code: str
) -> None:
    local_index.fail(status=302, times=99, headers={"Location": target})
    with pytest.raises(NetworkError) as caught:
        page(make_http(retry_budget=60.0), local_index)
    assert caught.value.code == code


def test_credentials_are_sent_to_their_host_and_not_along_a_redirect(
    local_index: LocalIndex, make_http: MakeHttp
) -> None:
    local_index.add("demo-1.0.tar.gz", DATA)
    other_host = local_index.base.replace("127.0.0.1", "localhost")
    local_index.fail(status=302, headers={"Location": f"{other_host}/simple/demo/"})
    root = local_index.root("simple", login="user:secret")
    page(make_http(root), local_index, root=root)
    first, second = local_index.requests
    assert first.headers["Authorization"] == "Basic " + base64.b64encode(b"user:secret").decode()
    assert second.headers["Host"].startswith("localhost")
    assert "Authorization" not in second.headers


def test_a_401_is_answered_with_what_the_keyring_knows_and_only_once(
    local_index: LocalIndex, make_http: MakeHttp, keyring_backend: KeyringContents
) -> None:
    local_index.add("demo-1.0.tar.gz", DATA)
    local_index.credentials = ("user", "secret")
    keyring_backend.secrets[local_index.url, None] = ("user", "secret")
    http = make_http(local_index.url, keyring=True)
    assert page(http, local_index).outcome == "found"
    assert page(http, local_index).outcome == "found"
    assert ["Authorization" in request.headers for request in local_index.requests] == [False, True, True]
    assert len(keyring_backend.asked) == 1


def test_wrong_credentials_of_the_keyring_are_tried_once(
    local_index: LocalIndex, make_http: MakeHttp, keyring_backend: KeyringContents
) -> None:
    local_index.credentials = ("user", "secret")
    keyring_backend.secrets[local_index.url, None] = ("user", "wr0ng")
    with pytest.raises(NetworkError) as caught:
        page(make_http(local_index.url, keyring=True, retry_budget=60.0), local_index)
    assert caught.value.code == "index-unauthorized"
    assert "wr0ng" not in str(caught.value)
    assert local_index.count() == 2


def test_nothing_secret_is_in_errors_and_events(
    local_index: LocalIndex, make_http: MakeHttp, events: list[Event]
) -> None:
    root = local_index.root("simple", login="user:s3cret")
    local_index.fail(status=503)
    local_index.fail(status=401)
    with pytest.raises(NetworkError) as caught:
        page(make_http(root, retry_budget=60.0), local_index, root=root)
    error = caught.value
    assert error.code == "index-unauthorized"
    assert events
    for text in (str(error), repr(error), error.hint, repr(error.__cause__), *map(str, events)):
        assert "s3cret" not in str(text)


def test_a_proxy_is_used_with_its_credentials_and_they_stay_secret(
    local_index: LocalIndex, make_http: MakeHttp
) -> None:
    local_index.add("demo-1.0.tar.gz", DATA)
    proxy = local_index.base.replace("://", "://user:s3cret@")
    http = make_http(proxy=proxy)
    found = http.get_page("http://index.invalid/simple/demo/", what="the page of demo")
    assert found.outcome == "found"
    assert local_index.requests[0].headers["Host"] == "index.invalid"
    assert "Proxy-Authorization" in local_index.requests[0].headers
    local_index.fail(status=407)
    with pytest.raises(NetworkError) as caught:
        http.get_page("http://index.invalid/simple/demo/", what="the page of demo")
    assert "s3cret" not in str(caught.value) + str(caught.value.hint)


@pytest.mark.parametrize(("status", "code"), [(407, "index-unauthorized"), (403, "index-unreachable")])
def test_a_proxy_that_refuses_https_has_a_name(
    local_index: LocalIndex, make_http: MakeHttp, status: int, code: str
) -> None:
    local_index.fail(status=status, times=99)
    with pytest.raises(NetworkError) as caught:
        make_http(proxy=local_index.base, retry_budget=60.0).get_page("https://index.invalid/simple/demo/", what="it")
    assert caught.value.code == code
    assert f"the proxy answered {status}" in caught.value.message
    assert "--proxy" in (caught.value.hint or "")


def test_proxy_variables_and_no_proxy_are_heeded(
    local_index: LocalIndex, make_http: MakeHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    local_index.add("demo-1.0.tar.gz", DATA)
    monkeypatch.setenv("HTTP_PROXY", local_index.base)
    monkeypatch.setenv("NO_PROXY", "direct.invalid")
    http = make_http()
    assert http.get_page("http://index.invalid/simple/demo/", what="it").outcome == "found"
    with pytest.raises(NetworkError):
        http.get_page("http://direct.invalid/simple/demo/", what="it")


@pytest.mark.parametrize("proxy", ["nonsense", "gopher://h.example"])
def test_a_proxy_that_is_none_has_a_name(make_http: MakeHttp, proxy: str) -> None:
    with pytest.raises(NetworkError) as caught:
        make_http(proxy=proxy)
    assert caught.value.code == "invalid-url"


def test_a_part_of_a_file_is_read(local_index: LocalIndex, make_http: MakeHttp) -> None:
    local_index.add("demo-1.0.tar.gz", DATA)
    http, url = make_http(), local_index.file_url("demo-1.0.tar.gz")
    assert http.read_range(url, "10-19", what="it") == (10, DATA[10:20], len(DATA))
    assert http.read_range(url, "-5", what="it") == (len(DATA) - 5, DATA[-5:], len(DATA))


def test_that_a_server_has_no_ranges_is_learned_once_and_costs_no_body(
    local_index: LocalIndex, make_http: MakeHttp
) -> None:
    local_index.ranges = False
    local_index.add("demo-1.0.tar.gz", DATA * 32)
    http, url = make_http(), local_index.file_url("demo-1.0.tar.gz")
    assert http.read_range(url, "0-9", what="it") is None
    assert http.read_range(url, "0-9", what="it") is None
    assert local_index.count() == 1
    assert local_index.requests[0].headers["Range"] == "bytes=0-9"


def test_a_small_file_is_read_up_to_its_limit(local_index: LocalIndex, make_http: MakeHttp) -> None:
    local_index.add("demo-1.0.tar.gz", DATA)
    http, url = make_http(), local_index.file_url("demo-1.0.tar.gz")
    assert http.read_file(url, what="it", limit=len(DATA)) == DATA
    assert http.read_file(url + ".metadata", what="it", limit=10) is None
    with pytest.raises(NetworkError) as caught:
        http.read_file(url, what="it", limit=len(DATA) - 1)
    assert caught.value.code == "too-large"


def reading(http: HttpClient, index: LocalIndex) -> tuple[threading.Thread, list[NetworkError]]:
    """Read a page in a thread; return it, and the list that gets its error."""
    errors = list[NetworkError]()

    def work() -> None:
        try:
            page(http, index)
        except NetworkError as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    return thread, errors


def test_closing_ends_a_download_that_waits(local_index: LocalIndex, make_http: MakeHttp) -> None:
    local_index.add("demo-1.0.tar.gz", DATA)
    local_index.fail(stall_after=300_000)
    http = make_http(timeout=120.0, retry_budget=120.0)
    stalled, errors = threading.Event(), list[NetworkError]()

    def watch(_count: int) -> None:
        stalled.set()

    def work() -> None:
        try:
            url = local_index.file_url("demo-1.0.tar.gz")
            http.download(url, io.BytesIO(), what="demo", algorithms=[], on_bytes=watch)
        except NetworkError as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert stalled.wait(60)
    http.close()
    thread.join(60)
    assert not thread.is_alive()
    assert [error.code for error in errors] == ["stopped"]


def test_closing_ends_a_wait_for_an_answer_that_has_not_begun(local_index: LocalIndex, make_http: MakeHttp) -> None:
    local_index.add("demo-1.0.tar.gz", DATA)
    local_index.fail(pause=60.0)
    http = make_http(timeout=120.0, retry_budget=120.0)
    thread, errors = reading(http, local_index)
    while not local_index.requests:
        time.sleep(0.01)
    http.close()
    thread.join(30)
    assert not thread.is_alive()
    assert [error.code for error in errors] == ["stopped"]


def test_closing_ends_a_connection_that_is_only_just_being_made(
    local_index: LocalIndex, make_http: MakeHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody could wake the thread later: by then nothing is closed any more."""
    local_index.add("demo-1.0.tar.gz", DATA)
    local_index.fail(pause=60.0)
    http = make_http(timeout=120.0, retry_budget=120.0)
    connecting, closed = threading.Event(), threading.Event()
    trace = Connections.trace

    def wait_for_the_end(self: Connections, event: str, facts: Mapping[str, Any]) -> None:
        if event.endswith("connect_tcp.started"):
            connecting.set()
            assert closed.wait(60)
        trace(self, event, facts)

    monkeypatch.setattr(Connections, "trace", wait_for_the_end)
    thread, errors = reading(http, local_index)
    assert connecting.wait(60)
    http.close()
    closed.set()
    thread.join(30)
    assert not thread.is_alive()
    assert [error.code for error in errors] == ["stopped"]


def test_closing_ends_a_pause(local_index: LocalIndex, make_http: MakeHttp) -> None:
    http = make_http(retry_budget=600.0)
    local_index.fail(status=503, headers={"Retry-After": "500"}, times=9)
    closer = threading.Timer(0.2, http.close)
    closer.start()
    with pytest.raises(NetworkError) as caught:
        page(http, local_index)
    closer.join()
    assert caught.value.code == "stopped"
