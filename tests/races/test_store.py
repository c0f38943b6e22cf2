"""Real processes publish the same thing at the same moment; others are killed half way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from helpers.racers import PROCESSES, ROUNDS, digest_of, race

from safe_install.models import Digest
from safe_install.store import BUILT, Store
from safe_install.store.layout import Layout

if TYPE_CHECKING:
    from pathlib import Path


def litter(store: Store) -> list[str]:
    return os.listdir(store.root / "staging") + os.listdir(store.root / "trash")


@pytest.mark.parametrize("kind", ["publish_wheel", "publish_file", "publish_document"])
def test_of_many_who_publish_one_thing_exactly_one_wins_and_all_see_the_same(tmp_path: Path, kind: str) -> None:
    """They also make the store at the same moment, in the first round."""
    outcomes = race(tmp_path / "store", kind)
    for round_ in zip(*outcomes, strict=True):
        assert sum(outcome.won for outcome in round_) == 1
        assert all(outcome.valid for outcome in round_)
        assert [outcome.step_downs for outcome in round_] == [[]] * PROCESSES
    store = Store.open(tmp_path / "store")
    assert store.info().entries == ROUNDS
    assert litter(store) == []


@pytest.mark.parametrize("kind", ["publish_wheel", "publish_document"])
def test_of_many_who_find_a_damaged_entry_all_end_with_one_valid_entry(tmp_path: Path, kind: str) -> None:
    store = Store.open(tmp_path / "store")
    for round_ in range(ROUNDS):
        if kind == "publish_wheel":
            (Layout(store.root).wheel(digest_of(round_)) / "tree").mkdir(parents=True)
        else:
            Layout(store.root).document(BUILT, digest_of(round_)).write_bytes(b"{")
    outcomes = race(tmp_path / "store", kind)
    for round_outcomes in zip(*outcomes, strict=True):
        assert sum(outcome.won for outcome in round_outcomes) == 1
        assert all(outcome.valid for outcome in round_outcomes)
    assert store.info().entries == ROUNDS
    assert litter(store) == []


def test_of_many_who_write_one_page_every_reader_always_finds_one(tmp_path: Path) -> None:
    outcomes = race(tmp_path / "store", "publish_page")
    assert all(outcome.valid for found in outcomes for outcome in found)
    store = Store.open(tmp_path / "store")
    assert 1 <= len(Layout(store.root).page_versions(digest_of(0))) <= PROCESSES + 1
    assert litter(store) == []


VICTIM = """
import os, pathlib, sys, time
from safe_install.store import Store
from safe_install.store import publish

def stop(*arguments, **keywords):
    print("here", flush=True)
    time.sleep(600)

root, moment = pathlib.Path(sys.argv[1]), sys.argv[2]
store = Store.open(root)
with store.stage_tree() as writer:
    writer.add("demo/a.py", [b"x = 1\\n"], executable=False)
    if moment == "while-staging":
        stop()
    writer.add("demo/b.py", [b"x = 2\\n"], executable=False)
    if moment == "before-the-rename":
        publish.atomic.publish_folder = stop
    if moment == "while-filling-in-place":
        real = publish.atomic.add_name
        def denied(*arguments, **keywords):
            raise OSError(16, "held by a scanner")
        def second(source, target, **keywords):
            return stop() if target.endswith("b.py") else real(source, target, **keywords)
        publish.atomic.publish_folder, publish.atomic.add_name = denied, second
    store.publish_wheel(writer.folder, writer.finish(digest="ab" * 32, filename="demo.whl"))
"""


@pytest.mark.skipif(os.name == "nt", reason="kills by signal")
@pytest.mark.parametrize("moment", ["while-staging", "before-the-rename", "while-filling-in-place"])
def test_a_process_that_is_killed_leaves_nothing_visible_and_a_rerun_succeeds(tmp_path: Path, moment: str) -> None:
    command = [sys.executable, "-c", VICTIM, str(tmp_path / "store"), moment]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None
        assert victim.stdout.readline() == "here\n"
        victim.send_signal(signal.SIGKILL)
    assert victim.returncode == -signal.SIGKILL
    digest = Digest("ab" * 32)
    store = Store.open(tmp_path / "store")
    assert store.wheel(digest) is None
    assert store.info().entries == 0
    with store.stage_tree() as writer:
        writer.add("demo/a.py", [b"x = 1\n"], executable=False)
        store.publish_wheel(writer.folder, writer.finish(digest=digest, filename="demo.whl"))
    tree = store.wheel(digest)
    assert tree is not None
    assert [entry.path for entry in tree.manifest.files] == ["demo/a.py"]
