from __future__ import annotations

import json
import threading

from safe_install.engine.report import DistributionResult, Outcome, Recorder, report_document
from safe_install.errors import IntegrityError
from safe_install.events import Awaited, Fetched, PhaseEnded, Retried, SteppedDown


def result(name: str, action: str = "installed", origin: str = "fetched", source: str = "") -> DistributionResult:
    return DistributionResult(
        name=name,
        version="1.0",
        key=f"{name}==1.0",
        source=source,
        origin=origin,  # type: ignore[arg-type]  # one of the literals
        action=action,  # type: ignore[arg-type]  # so here
    )


def test_counts_are_of_what_was_done() -> None:
    outcome = Outcome(
        distributions=[
            result("a"),
            result("b", origin="built"),
            result("c", origin="store"),
            result("d", origin="store", action="kept"),
        ],
        removed=["e==1"],
        files=7,
        bytes=70,
    )
    document = report_document("sync", Recorder(), outcome, None)
    counts = document["counts"]
    assert isinstance(counts, dict)
    shown = {name: counts[name] for name in ("fetched", "built", "reused", "kept", "removed", "files", "bytes")}
    assert shown == {"fetched": 1, "built": 1, "reused": 1, "kept": 1, "removed": 1, "files": 7, "bytes": 70}
    assert (document["outcome"], document["exit_code"], document["error"]) == ("done", 0, None)


def test_events_are_added_up_by_distribution() -> None:
    recorder = Recorder()
    recorder.note(Fetched(what="a==1.0", bytes=10))
    recorder.note(Fetched(what="page", bytes=5))
    recorder.note(PhaseEnded(phase="fetch", key="a==1.0", seconds=0.5))
    recorder.note(PhaseEnded(phase="fetch", key="a==1.0", seconds=0.25))
    recorder.note(Retried(operation="x", reason="y", pause=1))
    recorder.note(Awaited(what="x"))
    recorder.note(SteppedDown(kind="lock-passed-by", message="z"))
    document = report_document("sync", recorder, Outcome(distributions=[result("a")]), None)
    text = json.loads(json.dumps(document))
    assert text["distributions"][0]["bytes_fetched"] == 10
    assert text["distributions"][0]["seconds"] == {"fetch": 0.75}
    assert text["counts"]["bytes_fetched"] == 15
    assert [text["counts"][name] for name in ("retries", "waited_for", "locks_passed_by")] == [1, 1, 1]
    assert text["step_downs"] == [{"kind": "lock-passed-by", "reason": "z"}]


def test_events_of_many_threads_are_all_counted() -> None:
    recorder = Recorder()

    def tell() -> None:
        for _ in range(1000):
            recorder.note(Fetched(what="a", bytes=1))

    threads = [threading.Thread(target=tell) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert recorder.bytes_fetched == recorder.bytes_by_key["a"] == 8000


def test_no_secret_of_a_url_is_in_the_document() -> None:
    url = "https://user:hidden@index.test/a.whl?X-Amz-Signature=hidden"
    error = IntegrityError(f"bad {url}", code="hash-mismatch", context=(f"from {url}",), hint=f"look at {url}")
    recorder = Recorder()
    recorder.note(SteppedDown(kind="x", message=f"passed by {url}"))
    document = report_document("sync", recorder, Outcome(distributions=[result("a", source=url)]), error)
    text = json.dumps(document)
    assert "hidden" not in text
    assert text.count("***@index.test") == 5


def test_error_decides_the_exit_code() -> None:
    document = report_document("sync", Recorder(), None, IntegrityError("bad", code="hash-mismatch", hint="do"))
    assert (document["outcome"], document["exit_code"]) == ("failed", 4)
    assert document["error"] == {"code": "hash-mismatch", "message": "bad", "context": [], "hint": "do"}
