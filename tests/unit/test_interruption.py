from __future__ import annotations

import signal
import subprocess
import sys
import textwrap

import pytest

from safe_install import interruption
from safe_install.interruption import interrupt, shielded


@pytest.fixture(autouse=True)
def hears_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the last interrupt of this process were long ago."""
    monkeypatch.setattr(interruption, "_raised_at", -interruption._DEAF_SECONDS)


def strike() -> None:
    """What the interpreter does when a signal comes in just here."""
    interrupt(signal.SIGINT, sys._getframe(1))


def test_interrupt_is_raised_at_once_outside_of_shields() -> None:
    with pytest.raises(KeyboardInterrupt):
        strike()


def test_interrupt_waits_for_the_end_of_a_shielded_function() -> None:
    done = []

    @shielded
    def put_back() -> None:
        strike()
        done.append("put back")

    with pytest.raises(KeyboardInterrupt):
        put_back()
    assert done == ["put back"]


def test_interrupt_waits_for_the_outermost_shield() -> None:
    done = []

    @shielded
    def inner() -> None:
        strike()

    @shielded
    def outer() -> None:
        inner()
        done.append("after inner")

    with pytest.raises(KeyboardInterrupt):
        outer()
    assert done == ["after inner"]


def test_interrupt_comes_instead_of_an_error_of_the_shielded_function() -> None:
    @shielded
    def fail() -> None:
        strike()
        raise OSError("no")

    with pytest.raises(KeyboardInterrupt) as caught:
        fail()
    assert isinstance(caught.value.__context__, OSError)


def test_shield_returns_what_the_function_returns() -> None:
    @shielded
    def double(number: int) -> int:
        """Doubles."""
        return 2 * number

    assert double(2) == 4
    assert double.__doc__ == "Doubles."


def test_second_interrupt_within_a_moment_is_the_same_one() -> None:
    with pytest.raises(KeyboardInterrupt):
        strike()
    strike()


def test_exit_of_a_context_manager_is_shielded_from_its_first_instruction() -> None:
    """The signal comes at random moments of a loop that does nothing but enter and leave; no exit may be cut."""
    script = textwrap.dedent("""
        import signal
        from safe_install.interruption import interrupt, shielded
        import safe_install.interruption as module
        module._DEAF_SECONDS = 0.0
        module._raised_at = 0.0
        signal.signal(signal.SIGALRM, interrupt)

        class Manager:
            entered = left = 0
            def __enter__(self):
                Manager.entered += 1
            @shielded
            def __exit__(self, *rest):
                for _ in range(10):
                    pass
                Manager.left += 1

        hits = 0
        for turn in range(2000):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.00001 + turn % 50 * 0.000001)
                for _ in range(100):
                    with Manager():
                        pass
                signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:
                hits += 1
        print(hits, Manager.entered - Manager.left)
    """)
    if not hasattr(signal, "setitimer"):
        pytest.skip("there are no interval timers on this system")
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    hits, cut = map(int, done.stdout.split())
    assert hits > 0
    assert cut == 0
