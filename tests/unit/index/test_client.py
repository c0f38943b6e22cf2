"""Which indexes are asked, in which order, for what; and what the files and their metadata are."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from helpers.index import LocalIndex
from helpers.wheels import make_sdist, make_wheel, write_sdist, write_wheel
from packaging.utils import canonicalize_name

from safe_install.errors import InputError, IntegrityError, NetworkError
from safe_install.events import Fetched, Noticed, PhaseAdvanced, PhaseEnded, PhaseStarted
from safe_install.index.client import Downloaded
from safe_install.models import Hashes, IndexStrategy, RemoteFile

if TYPE_CHECKING:
    from pathlib import Path

    from unit.index.conftest import MakeClient

    from safe_install.events import Event
    from safe_install.index.client import IndexClient
    from safe_install.store.store import Store

DEMO = canonicalize_name("demo")


def names(client: IndexClient, project: str = "demo") -> list[str]:
    return sorted(file.filename for file in client.files(canonicalize_name(project)))


def offer(index: LocalIndex, version: str, *, root: str = "simple", **options: object) -> str:
    filename, data = make_wheel("demo", version)
    index.add(filename, data, root=root, **options)  # type: ignore[arg-type]  # the options of LocalIndex.add
    return filename


@pytest.mark.parametrize("form", ["json", "html"])
def test_a_project_is_read_from_either_form_of_page(
    local_index: LocalIndex, make_client: MakeClient, form: str
) -> None:
    local_index.form = form  # type: ignore[assignment]  # one of its values
    filename, data = make_wheel("demo", "1.0")
    offered = local_index.add(filename, data, yanked="old", requires_python=">=3.9")
    (file,) = make_client(local_index.url).files(DEMO)
    assert file.url == local_index.file_url(filename)
    assert file.hashes.sha256 == offered.sha256
    assert (file.yanked, file.requires_python, file.metadata) == ("old", ">=3.9", True)
    assert file.index == local_index.url
    assert file.size == (len(data) if form == "json" else None)


def test_the_first_index_that_knows_the_project_decides(local_index: LocalIndex, make_client: MakeClient) -> None:
    """A higher version on a later index is what dependency confusion looks like."""
    private, public = local_index.root("private"), local_index.root("public")
    offer(local_index, "1.0", root="private")
    offer(local_index, "99.0", root="public")
    client = make_client(private, public)
    assert names(client) == ["demo-1.0-py3-none-any.whl"]
    assert local_index.count("/public/*") == 0


def test_an_index_that_does_not_know_the_project_passes_it_on(local_index: LocalIndex, make_client: MakeClient) -> None:
    offer(local_index, "99.0", root="public")
    assert names(make_client(local_index.root("private"), local_index.root("public"))) == ["demo-99.0-py3-none-any.whl"]


def test_the_unsafe_strategy_asks_all(local_index: LocalIndex, make_client: MakeClient) -> None:
    offer(local_index, "1.0", root="private")
    offer(local_index, "99.0", root="public")
    client = make_client(
        local_index.root("private"), local_index.root("public"), strategy=IndexStrategy.UNSAFE_BEST_MATCH
    )
    assert names(client) == ["demo-1.0-py3-none-any.whl", "demo-99.0-py3-none-any.whl"]


@pytest.mark.parametrize("strategy", list(IndexStrategy))
@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_an_index_that_fails_is_never_taken_for_one_that_does_not_know(
    local_index: LocalIndex, make_client: MakeClient, status: int, strategy: IndexStrategy
) -> None:
    """Else whoever disturbs the private index makes us take the project from the public one."""
    offer(local_index, "99.0", root="public")
    local_index.fail(path="/private/*", status=status, times=99)
    client = make_client(local_index.root("private"), local_index.root("public"), strategy=strategy)
    with pytest.raises(NetworkError):
        client.files(DEMO)


def test_an_index_that_answers_nonsense_is_never_taken_for_one_that_does_not_know(
    local_index: LocalIndex, make_client: MakeClient
) -> None:
    offer(local_index, "99.0", root="public")
    json_type = {"Content-Type": "application/vnd.pypi.simple.v1+json"}
    local_index.add("demo-1.0.tar.gz", b"x", root="private")
    local_index.fail(path="/private/*", headers=json_type, body=b"{}")
    with pytest.raises(NetworkError) as caught:
        make_client(local_index.root("private"), local_index.root("public")).files(DEMO)
    assert caught.value.code == "malformed-page"


def test_a_page_without_files_decides_too(local_index: LocalIndex, make_client: MakeClient) -> None:
    """It may be a name that somebody reserved."""
    local_index.add_page("/private/demo/", b"<!DOCTYPE html><html></html>")
    offer(local_index, "99.0", root="public")
    assert names(make_client(local_index.root("private"), local_index.root("public"))) == []


def test_a_project_is_asked_for_once_whoever_asks(local_index: LocalIndex, make_client: MakeClient) -> None:
    offer(local_index, "1.0")
    local_index.fail(pause=0.2)
    client = make_client(local_index.url)
    client.prefetch([DEMO])
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: names(client), range(8)))
    assert results == [["demo-1.0-py3-none-any.whl"]] * 8
    assert local_index.count("/simple/demo/") == 1


def test_many_projects_are_read_ahead_at_once(local_index: LocalIndex, make_client: MakeClient) -> None:
    projects = [canonicalize_name(f"project-{number}") for number in range(12)]
    together = threading.Barrier(len(projects), timeout=60)
    original = local_index.content

    def content(path: str, accept: str) -> tuple[str, bytes] | None:
        together.wait()
        return original(path, accept)

    local_index.content = content  # type: ignore[method-assign]  # lets no page go before all were asked for
    client = make_client(local_index.url)
    client.prefetch(projects)
    assert [list(client.files(name)) for name in projects] == [[]] * len(projects)


def test_an_error_is_remembered_and_raised_to_everybody(local_index: LocalIndex, make_client: MakeClient) -> None:
    local_index.fail(status=500, times=99)
    client = make_client(local_index.url)
    client.prefetch([DEMO])
    for _ in range(2):
        with pytest.raises(NetworkError):
            client.files(DEMO)
    assert local_index.count() == 1


def test_find_links_add_to_what_the_index_offers(
    local_index: LocalIndex, make_client: MakeClient, tmp_path: Path
) -> None:
    offer(local_index, "1.0")
    write_wheel(tmp_path / "links", "demo", "2.0")
    write_sdist(tmp_path / "links", "demo", "3.0")
    write_wheel(tmp_path / "links", "demo-other", "1.0")
    offer(local_index, "4.0", root="page")
    single = write_wheel(tmp_path, "demo", "5.0")
    client = make_client(
        local_index.url, find_links=(str(tmp_path / "links"), local_index.links("page"), single.as_uri())
    )
    assert names(client) == [
        "demo-1.0-py3-none-any.whl",
        "demo-2.0-py3-none-any.whl",
        "demo-3.0.tar.gz",
        "demo-4.0-py3-none-any.whl",
        "demo-5.0-py3-none-any.whl",
    ]
    assert names(client, "demo-other") == ["demo_other-1.0-py3-none-any.whl"]


def test_files_with_a_digest_come_from_all_indexes_and_from_links_that_may_have_it(
    local_index: LocalIndex, make_client: MakeClient, tmp_path: Path
) -> None:
    for version in ("1.0", "2.0"):
        offer(local_index, version)
        offer(local_index, version, root="other")
    write_wheel(tmp_path, "demo", "3.0")
    client = make_client(local_index.url, local_index.root("other"), find_links=(str(tmp_path),))
    wanted = Hashes.of({"sha256": hashlib.sha256(make_wheel("demo", "2.0")[1]).hexdigest()})
    found = [file.filename for file in client.files_with(wanted, DEMO)]
    assert found == ["demo-3.0-py3-none-any.whl", "demo-2.0-py3-none-any.whl", "demo-2.0-py3-none-any.whl"]


def test_no_index_asks_find_links_only(local_index: LocalIndex, make_client: MakeClient, tmp_path: Path) -> None:
    write_wheel(tmp_path, "demo", "2.0")
    client = make_client(local_index.url, no_index=True, find_links=(str(tmp_path),))
    assert names(client) == ["demo-2.0-py3-none-any.whl"]
    assert not local_index.requests


def test_find_links_that_are_not_there_are_told_and_ignored(
    local_index: LocalIndex, make_client: MakeClient, tmp_path: Path, events: list[Event]
) -> None:
    offer(local_index, "1.0")
    missing_page = f"{local_index.base}/nowhere.html"
    client = make_client(local_index.url, find_links=(str(tmp_path / "absent"), missing_page))
    assert names(client) == ["demo-1.0-py3-none-any.whl"]
    assert names(client, "other") == []
    notices = [event.message for event in events if isinstance(event, Noticed) and not event.detail]
    assert len(notices) == 2
    assert str(tmp_path / "absent") in notices[0]
    assert missing_page in notices[1]


def test_a_find_links_page_that_fails_is_an_error(local_index: LocalIndex, make_client: MakeClient) -> None:
    local_index.fail(status=500)
    with pytest.raises(NetworkError):
        make_client(find_links=(local_index.links(),)).files(DEMO)


def test_files_that_cannot_be_used_are_told_as_a_detail(
    local_index: LocalIndex, make_client: MakeClient, events: list[Event]
) -> None:
    local_index.add("demo-1.0-none.whl", b"x")
    assert names(make_client(local_index.url)) == []
    assert any(isinstance(event, Noticed) and event.detail and "demo-1.0-none.whl" in event.message for event in events)


def test_local_indexes_work_by_path_and_by_url(tmp_path: Path, make_client: MakeClient) -> None:
    wheel = write_wheel(tmp_path / "files", "demo", "1.0")
    page = tmp_path / "simple" / "demo" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text(f'<a href="../../files/{wheel.name}">x</a>')
    for url in (str(tmp_path / "simple"), (tmp_path / "simple").as_uri() + "/"):
        client = make_client(url, offline=True)
        (file,) = client.files(DEMO)
        target = io.BytesIO()
        done = client.download(file, target, algorithms=["sha256"], key="demo")
        assert target.getvalue() == wheel.read_bytes()
        assert done.hashes["sha256"] == hashlib.sha256(wheel.read_bytes()).hexdigest()
        assert b"Name: demo" in (client.metadata_bytes(file) or b"")


@pytest.mark.parametrize("location", ["ftp://h.example/simple", "https://", "http://h.example:port/", "http://[::1/"])
def test_a_location_that_is_not_understood_is_refused(make_client: MakeClient, location: str) -> None:
    with pytest.raises(InputError) as caught:
        make_client(location)
    assert caught.value.code == "invalid-url"
    with pytest.raises(InputError) as caught:
        make_client(find_links=(location,))
    assert location in caught.value.message


def test_credentials_of_the_index_url_serve_its_files_and_stay_out_of_them(
    local_index: LocalIndex, make_client: MakeClient, events: list[Event]
) -> None:
    local_index.credentials = ("user", "s3cret")
    filename = offer(local_index, "1.0")
    client = make_client(local_index.root("simple", login="user:s3cret"))
    (file,) = client.files(DEMO)
    assert "s3cret" not in repr(file)
    assert client.metadata_bytes(file) is not None
    assert client.download(file, io.BytesIO(), algorithms=[], key="demo").size > 0
    assert local_index.count(f"/files/simple/{filename}*") == 2
    assert "s3cret" not in repr(events)


# Metadata


def test_the_metadata_file_of_the_index_is_taken_and_checked(local_index: LocalIndex, make_client: MakeClient) -> None:
    filename = offer(local_index, "1.0", metadata=b"Name: demo\nVersion: 1.0\n")
    client = make_client(local_index.url)
    (file,) = client.files(DEMO)
    assert client.metadata_bytes(file) == b"Name: demo\nVersion: 1.0\n"
    assert local_index.count(f"/files/simple/{filename}") == 0


def test_a_metadata_file_that_is_not_what_was_promised_is_refused(
    local_index: LocalIndex, make_client: MakeClient, store: Store
) -> None:
    offer(local_index, "1.0")
    local_index.fail(path="*.metadata", body=b"Name: evil\n", times=99)
    client = make_client(local_index.url, store=store)
    (file,) = client.files(DEMO)
    for _ in range(2):
        with pytest.raises(IntegrityError) as caught:
            client.metadata_bytes(file)
        assert caught.value.code == "hash-mismatch"
        text = str(caught.value)
        assert str(file.metadata_hashes.sha256) in text
        assert hashlib.sha256(b"Name: evil\n").hexdigest() in text


def test_metadata_is_kept_in_the_store_and_found_offline(
    local_index: LocalIndex, make_client: MakeClient, store: Store
) -> None:
    offer(local_index, "1.0")
    client = make_client(local_index.url, store=store)
    (file,) = client.files(DEMO)
    first = client.metadata_bytes(file)
    local_index.forget()
    offline = make_client(local_index.url, store=store, offline=True)
    (file,) = offline.files(DEMO)
    assert offline.metadata_bytes(file) == first
    assert not local_index.requests


def test_without_a_metadata_file_only_the_end_of_the_wheel_is_read(
    local_index: LocalIndex, make_client: MakeClient
) -> None:
    filename, data = make_wheel("demo", "1.0", files={"demo/data.bin": bytes(range(256)) * 4096})
    local_index.add(filename, data, metadata=False)
    client = make_client(local_index.url)
    (file,) = client.files(DEMO)
    assert b"Name: demo" in (client.metadata_bytes(file) or b"")
    assert all("Range" in request.headers for request in local_index.requests if request.path.startswith("/files"))


def test_a_promised_metadata_file_that_is_missing_falls_back_to_the_wheel(
    local_index: LocalIndex, make_client: MakeClient, events: list[Event]
) -> None:
    offer(local_index, "1.0")
    local_index.fail(path="*.metadata", status=404)
    client = make_client(local_index.url)
    (file,) = client.files(DEMO)
    assert b"Name: demo" in (client.metadata_bytes(file) or b"")
    assert any(isinstance(event, Noticed) and "no metadata file" in event.message for event in events)


def test_where_neither_works_the_whole_file_has_to_tell(local_index: LocalIndex, make_client: MakeClient) -> None:
    local_index.ranges = False
    offer(local_index, "1.0", metadata=False)
    filename, data = make_sdist("demo", "2.0")
    local_index.add(filename, data, metadata=False)
    client = make_client(local_index.url)
    assert [client.metadata_bytes(file) for file in client.files(DEMO)] == [None, None]


def test_an_sdist_gives_the_metadata_file_of_its_index(local_index: LocalIndex, make_client: MakeClient) -> None:
    filename, data = make_sdist("demo", "2.0")
    local_index.add(filename, data, metadata=b"Metadata-Version: 2.2\n")
    client = make_client(local_index.url)
    (file,) = client.files(DEMO)
    assert client.metadata_bytes(file) == b"Metadata-Version: 2.2\n"


def test_metadata_that_needs_the_network_is_an_error_offline(local_index: LocalIndex, make_client: MakeClient) -> None:
    client = make_client(offline=True)
    file = RemoteFile(url=local_index.file_url("demo-1.0-py3-none-any.whl"), filename="demo-1.0-py3-none-any.whl")
    with pytest.raises(NetworkError) as caught:
        client.metadata_bytes(file)
    assert caught.value.code == "offline"


def test_a_local_metadata_file_is_read_and_checked(tmp_path: Path, make_client: MakeClient) -> None:
    wheel = write_wheel(tmp_path, "demo", "1.0")
    beside = wheel.with_name(f"{wheel.name}.metadata")
    beside.write_bytes(b"Name: beside\n")
    digest = hashlib.sha256(b"Name: beside\n").hexdigest()
    promised = RemoteFile(
        url=wheel.as_uri(), filename=wheel.name, metadata=True, metadata_hashes=Hashes.of({"sha256": digest})
    )
    assert make_client().metadata_bytes(promised) == b"Name: beside\n"
    beside.write_bytes(b"Name: changed\n")
    with pytest.raises(IntegrityError):
        make_client().metadata_bytes(promised)
    beside.unlink()
    assert b"Name: demo" in (make_client().metadata_bytes(promised) or b"")


def test_damaged_metadata_in_the_store_is_read_anew(
    local_index: LocalIndex, make_client: MakeClient, store: Store
) -> None:
    offer(local_index, "1.0")
    client = make_client(local_index.url, store=store)
    (file,) = client.files(DEMO)
    first = client.metadata_bytes(file)
    digest = file.metadata_hashes.sha256
    assert digest is not None
    kept = store.file(digest)
    assert kept is not None
    before = kept.stat()
    kept.chmod(0o644)
    kept.write_bytes(b"Name: damaged\n")
    os.utime(kept, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert make_client(local_index.url, store=store).metadata_bytes(file) == first
    assert local_index.count("*.metadata") == 2


def test_a_local_wheel_that_vanished_has_a_name(tmp_path: Path, make_client: MakeClient) -> None:
    file = RemoteFile(url=(tmp_path / "gone-1.0-py3-none-any.whl").as_uri(), filename="gone-1.0-py3-none-any.whl")
    client = make_client()
    with pytest.raises(NetworkError) as caught:
        client.metadata_bytes(file)
    assert caught.value.code == "not-found"
    with pytest.raises(NetworkError) as caught:
        client.download(file, io.BytesIO(), algorithms=[], key="gone")
    assert caught.value.code == "not-found"


# Downloads


def test_a_download_is_told_from_start_to_end(
    local_index: LocalIndex, make_client: MakeClient, events: list[Event]
) -> None:
    filename, data = make_wheel("demo", "1.0")
    local_index.add(filename, data)
    client = make_client(local_index.url)
    (file,) = client.files(DEMO)
    events.clear()
    target = io.BytesIO()
    done = client.download(file, target, algorithms=["sha256"], key="the key")
    assert done == Downloaded(size=len(data), hashes={"sha256": hashlib.sha256(data).hexdigest()})
    assert file.hashes.matches(done.hashes)
    assert events[0] == PhaseStarted(phase="fetch", key="the key", label=filename, total=len(data))
    assert isinstance(events[-1], PhaseEnded)
    assert sum(event.amount for event in events if isinstance(event, PhaseAdvanced)) == len(data)
    assert [event for event in events if isinstance(event, Fetched)] == [Fetched(what="the key", bytes=len(data))]


def test_bytes_that_came_twice_are_counted_twice(
    local_index: LocalIndex, make_client: MakeClient, events: list[Event]
) -> None:
    local_index.ranges = False
    local_index.add("demo-1.0.tar.gz", bytes(10_000))
    local_index.fail(path="/files/*", cut_after=4000)
    client = make_client(local_index.url, retry_budget=60.0)
    (file,) = client.files(DEMO)
    client.download(file, io.BytesIO(), algorithms=[], key="demo")
    assert Fetched(what="demo", bytes=14_000) in events
    assert sum(event.amount for event in events if isinstance(event, PhaseAdvanced)) == 10_000


def test_a_download_that_fails_ends_its_phase_too(
    local_index: LocalIndex, make_client: MakeClient, events: list[Event]
) -> None:
    file = RemoteFile(url=local_index.file_url("gone-1.0.tar.gz"), filename="gone-1.0.tar.gz", hashes=Hashes())
    with pytest.raises(NetworkError):
        make_client().download(file, io.BytesIO(), algorithms=[], key="gone")
    assert isinstance(events[-1], PhaseEnded)


def test_no_more_downloads_run_at_once_than_allowed(local_index: LocalIndex, make_client: MakeClient) -> None:
    local_index.add("demo-1.0.tar.gz", b"x" * 100)
    client = make_client(local_index.url, concurrent_downloads=2)
    (file,) = client.files(DEMO)
    running, most, lock = 0, 0, threading.Lock()
    original = local_index.content

    def content(path: str, accept: str) -> tuple[str, bytes] | None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        local_index.wait_for_close(0.05)
        with lock:
            running -= 1
        return original(path, accept)

    local_index.content = content  # type: ignore[method-assign]  # counts who is served at once
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda n: client.download(file, io.BytesIO(), algorithms=[], key=str(n)), range(6)))
    assert most == 2


def test_a_download_is_an_error_offline(local_index: LocalIndex, make_client: MakeClient) -> None:
    file = RemoteFile(url=local_index.file_url("demo-1.0.tar.gz"), filename="demo-1.0.tar.gz")
    with pytest.raises(NetworkError) as caught:
        make_client(offline=True).download(file, io.BytesIO(), algorithms=[], key="demo")
    assert caught.value.code == "offline"
    assert "demo-1.0.tar.gz" in caught.value.message


def test_a_direct_url_that_holds_credentials_is_read_with_them(
    local_index: LocalIndex, make_client: MakeClient, events: list[Event]
) -> None:
    local_index.credentials = ("user", "s3cret")
    local_index.add("demo-1.0.tar.gz", b"x" * 100)
    url = local_index.file_url("demo-1.0.tar.gz").replace("://", "://user:s3cret@")
    file = RemoteFile(url=url, filename="demo-1.0.tar.gz")
    assert make_client().download(file, io.BytesIO(), algorithms=[], key="demo").size == 100
    with pytest.raises(NetworkError) as caught:
        make_client().metadata_bytes(
            replace(file, url=url.replace("s3cret", "wr0ng"), filename="demo-1-py3-none-any.whl")
        )
    assert caught.value.code == "index-unauthorized"
    assert "wr0ng" not in str(caught.value)
    assert "s3cret" not in repr(events)


def test_closing_twice_is_fine_and_what_comes_later_is_refused(
    local_index: LocalIndex, make_client: MakeClient
) -> None:
    client = make_client(local_index.url)
    client.files(DEMO)
    client.close()
    client.close()
    client.prefetch([canonicalize_name("other")])
    with pytest.raises(NetworkError) as caught:
        client.files(canonicalize_name("another"))
    assert caught.value.code == "stopped"


def test_local_work_imports_no_http_client(tmp_path: Path) -> None:
    write_wheel(tmp_path, "demo", "1.0")
    script = (
        "import sys; from safe_install.events import ignore; from safe_install.index.client import *;"
        f"client = IndexClient(IndexSettings(find_links=({str(tmp_path)!r},), no_index=True), None, ignore);"
        "(file,) = client.files('demo'); assert client.metadata_bytes(file); client.close();"
        "print('httpx' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"
