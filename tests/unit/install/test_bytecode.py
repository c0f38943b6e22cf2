from __future__ import annotations

import importlib.util
import itertools
import marshal
import os
import signal
import stat
import sys
import threading
from pathlib import Path
from typing import NamedTuple

import pytest
from helpers.capabilities import unix_only
from helpers.environments import this_interpreter

from safe_install.errors import TargetError
from safe_install.events import Event, PhaseAdvanced, ignore
from safe_install.install.bytecode import Compiling, Source, bytecode_path, compile_sources

PYTHON = this_interpreter().executable


def cached(path: Path) -> Path:
    return Path(importlib.util.cache_from_source(str(path)))


def write(folder: Path, **files: str) -> list[Source]:
    found = []
    for name, content in files.items():
        (folder / f"{name}.py").write_text(content)
        found.append(Source(str(folder / f"{name}.py"), f"/final/{name}.py"))
    return found


def test_bytecode_is_valid_for_the_time_of_the_store_and_names_the_final_path(tmp_path: Path) -> None:
    sources = write(tmp_path, a="def f(): pass\n")
    os.utime(tmp_path / "a.py", ns=(998877660_000000000, 998877660_000000000))
    assert compile_sources(Compiling(executable=PYTHON), sources, sink=ignore) == {0}
    content = cached(tmp_path / "a.py").read_bytes()
    assert content[4:8] == b"\0\0\0\0", "invalidated by time, as pip's (PEP 552)"
    assert int.from_bytes(content[8:12], "little") == 998877660
    assert marshal.loads(content[16:]).co_filename == "/final/a.py"


def test_time_decides_even_where_builds_are_reproducible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    compile_sources(Compiling(executable=PYTHON), write(tmp_path, a=""), sink=ignore)
    assert cached(tmp_path / "a.py").read_bytes()[4:8] == b"\0\0\0\0"


def test_files_that_do_not_compile_are_passed_over(tmp_path: Path) -> None:
    sources = write(tmp_path, a="x = 1", b="print 'two'", c="y = '\\d'", d="{{ a template }}")
    (tmp_path / "e.py").write_bytes(b"# coding: klingon\n")
    (tmp_path / "f.py").write_bytes(b"x = '\xff'\n")
    sources += [Source(str(tmp_path / f"{name}.py"), name) for name in ("e", "f", "missing")]
    assert compile_sources(Compiling(executable=PYTHON), sources, sink=ignore) == {0, 2}
    assert {path.name.partition(".")[0] for path in (tmp_path / "__pycache__").iterdir()} == {"a", "c"}


def test_a_source_without_write_bit_has_bytecode_that_its_owner_can_replace(tmp_path: Path) -> None:
    sources = write(tmp_path, a="")
    (tmp_path / "a.py").chmod(0o444)
    compile_sources(Compiling(executable=PYTHON), sources, sink=ignore)
    assert cached(tmp_path / "a.py").stat().st_mode & stat.S_IWUSR


def test_many_files_are_all_counted_once(tmp_path: Path) -> None:
    sources = write(tmp_path, **{f"m{number}": f"x = {number}" for number in range(150)})
    events: list[Event] = []
    assert compile_sources(Compiling(executable=PYTHON, workers=3), sources, sink=events.append) == set(range(150))
    assert sum(event.amount for event in events if isinstance(event, PhaseAdvanced)) == 150


class Timed(NamedTuple):
    """What the compiler of `timed` did for one file."""

    begun: float
    ended: float
    process: str
    source: str


def timed(folder: Path, sources: list[Source]) -> list[Timed]:
    """Compile *sources* in three workers with a compiler that is slow for large files, and tells when it had what."""
    fake = folder / "python"
    fake.write_text(
        f"#!{sys.executable}\nimport json, os, sys, time\n"
        "for line in sys.stdin:\n"
        "    number, source, _, _ = json.loads(line)\n"
        "    begun = time.monotonic()\n"
        "    time.sleep(0.001 if 'small' in source else 0.05)\n"
        f"    with open({str(folder / 'log')!r}, 'a') as log: print(begun, time.monotonic(), os.getpid(), source, file=log)\n"
        "    print(number, 1, flush=True)\n"
    )
    fake.chmod(0o755)
    assert compile_sources(Compiling(executable=str(fake), workers=3), sources, sink=ignore) == set(range(len(sources)))
    lines = [line.split() for line in (folder / "log").read_text().splitlines()]
    return [Timed(float(begun), float(ended), *rest) for begun, ended, *rest in lines]


@unix_only
def test_large_files_are_compiled_one_at_a_time_each_by_a_process_of_its_own(tmp_path: Path) -> None:
    sources = [Source(f"/x/small{number}.py", "", 1000) for number in range(99)]
    sources += [Source(f"/x/large{number}.py", "", 1024 * 1024) for number in range(5)]
    large = sorted(done for done in timed(tmp_path, sources) if "large" in done.source)
    assert all(earlier.ended <= later.begun for earlier, later in itertools.pairwise(large))
    assert len({done.process for done in large}) == 5


@unix_only
def test_nothing_is_compiled_beside_a_huge_file(tmp_path: Path) -> None:
    sources = [Source(f"/x/small{number}.py", "", 1000) for number in range(99)]
    sources += [Source(f"/x/huge{number}.py", "", 2 * 1024 * 1024) for number in range(2)]
    done = timed(tmp_path, sources)
    last = max(each.ended for each in done if "huge" in each.source)
    assert last <= min(each.begun for each in done if "small" in each.source)


@unix_only
def test_a_worker_that_cannot_be_had_for_a_huge_file_lets_nobody_wait(tmp_path: Path) -> None:
    sources = [Source("/x/huge.py", "", 2 * 1024 * 1024), *(Source(f"/x/{number}.py", "", 1) for number in range(99))]
    with pytest.raises(TargetError, match="could not compile"):
        compile_sources(Compiling(executable=str(tmp_path / "missing"), workers=3), sources, sink=ignore)


def test_nothing_to_do_starts_nothing() -> None:
    assert compile_sources(Compiling(executable="/nonexistent/python"), [], sink=ignore) == set()


@unix_only
def test_a_file_that_takes_too_long_is_passed_over_and_the_rest_is_done(tmp_path: Path) -> None:
    sources = write(tmp_path, a="x = 1", slow="", b="y = 2")
    (tmp_path / "slow.py").unlink()
    os.mkfifo(tmp_path / "slow.py")
    assert compile_sources(Compiling(executable=PYTHON, workers=1, timeout=1.0), sources, sink=ignore) == {0, 2}


@unix_only
def test_a_compiler_that_dies_costs_one_file(tmp_path: Path) -> None:
    fake = tmp_path / "python"
    fake.write_text(
        f"#!{sys.executable}\nimport json, os, sys\n"
        "for line in sys.stdin:\n"
        "    number, source, _, _ = json.loads(line)\n"
        "    if 'deadly' in source: os.kill(os.getpid(), 9)\n"
        "    print(number, 1, flush=True)\n"
    )
    fake.chmod(0o755)
    sources = [Source(f"/x/{name}.py", "") for name in ("a", "deadly", "b", "deadly2", "c")]
    assert compile_sources(Compiling(executable=str(fake), workers=1), sources, sink=ignore) == {0, 2, 4}


@unix_only
def test_an_interpreter_that_always_dies_is_broken(tmp_path: Path) -> None:
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\nexit 1\n")
    fake.chmod(0o755)
    with pytest.raises(TargetError) as caught:
        compile_sources(Compiling(executable=str(fake)), [Source(f"/x/{n}.py", "") for n in range(99)], sink=ignore)
    assert caught.value.code == "interpreter-broken"


def test_an_interpreter_that_cannot_be_started_is_broken(tmp_path: Path) -> None:
    with pytest.raises(TargetError) as caught:
        compile_sources(Compiling(executable=str(tmp_path / "none")), write(tmp_path, a=""), sink=ignore)
    assert caught.value.code == "interpreter-broken"


@unix_only
def test_ctrl_c_ends_the_compilers_and_their_threads(tmp_path: Path) -> None:
    """The compiler reads a pipe that never ends; that it is gone is seen by writing into it."""
    os.mkfifo(tmp_path / "endless.py")
    sources = [Source(str(tmp_path / "endless.py"), "")]
    main = threading.get_ident()
    pipes: list[int] = []

    def interrupt() -> None:
        pipes.append(os.open(tmp_path / "endless.py", os.O_WRONLY))  # waits for the compiler
        signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        compile_sources(Compiling(executable=PYTHON, workers=1), sources, sink=ignore)
    thread.join()
    with pytest.raises(BrokenPipeError):
        os.write(pipes[0], b"x")
    os.close(pipes[0])
    for left in [thread for thread in threading.enumerate() if thread.name.startswith("compile-")]:
        left.join(10)
        assert not left.is_alive()


def test_bytecode_lies_where_its_interpreter_looks() -> None:
    expected = importlib.util.cache_from_source("a/b.py").replace(os.sep, "/")
    assert bytecode_path("a/b.py", this_interpreter()) == expected
    assert bytecode_path("b.c.py", this_interpreter()) == f"__pycache__/b.c.{this_interpreter().cache_tag}.pyc"
