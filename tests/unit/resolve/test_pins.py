"""`safe_install.resolve.pins`: a requirements file as a lock."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.universe import interpreter
from packaging.utils import canonicalize_name
from packaging.version import Version

from safe_install.errors import InputError
from safe_install.models import DirectorySource, Hashes, Pin
from safe_install.resolve.pins import pins_from_requirements
from safe_install.resolve.requirements_file import parse_requirements_file, parse_requirements_text

PYTHON = interpreter("3.11.7")
ONE, TWO = "1" * 64, "2" * 64


def pins(text: str, cwd: Path = Path("/cwd")) -> list[Pin]:
    parsed = parse_requirements_text(text, name="r.txt", cwd=cwd.absolute(), environ={})
    return pins_from_requirements(parsed, PYTHON)


def refused(text: str) -> InputError:
    with pytest.raises(InputError) as caught:
        pins(text)
    return caught.value


def test_pinned_lines_become_pins_sorted_by_name() -> None:
    found = pins(f"foo==1.0 --hash=sha256:{ONE} -C a=b\nBar_Baz[x]===2.0\n")

    assert [(pin.name, str(pin.version), pin.requested, pin.origin) for pin in found] == [
        ("bar-baz", "2.0", True, "r.txt:2"),
        ("foo", "1.0", True, "r.txt:1"),
    ]
    assert found[1].hashes == Hashes.of({"sha256": ONE})
    assert (set(found[0].extras), found[1].config_settings) == ({"x"}, {"a": "b"})


def test_lines_whose_marker_does_not_hold_are_dropped_also_when_they_are_loose() -> None:
    assert [pin.name for pin in pins("foo==1.0\nbar; sys_platform == 'win32'\nbaz==1; os_name == 'posix'\n")] == [
        "baz",
        "foo",
    ]


def test_loose_lines_are_refused_all_at_once() -> None:
    error = refused("a>=1\nb==1.0\nc\nd==1.*\n")

    assert error.code == "requirement-not-pinned"
    assert error.context == ("a>=1 (r.txt:1)", "c (r.txt:3)", "d==1.* (r.txt:4)")
    assert error.hint is not None


def test_a_loose_line_is_fine_beside_a_pin_that_meets_it() -> None:
    assert [str(pin) for pin in pins("a>=1\na==2.0\n")] == ["a==2.0"]


@pytest.mark.parametrize(
    "text",
    [
        "a==1.0\na==2.0\n",
        "a==1.0\na>=2\n",
        "a==1.0\na @ https://h.test/a-1.0.zip\n",
        "a @ https://h.test/a-1.0.zip\na @ https://h.test/a-1.1.zip\n",
        f"a==1.0 --hash=sha256:{ONE}\na==1.0 --hash=sha256:{TWO}\n",
    ],
)
def test_lines_that_contradict_each_other_are_refused_with_both(text: str) -> None:
    error = refused(text)

    assert error.code == "requirements-contradict"
    assert [line.partition(": ")[0] for line in error.context] == ["r.txt:1", "r.txt:2"]


def test_the_same_pin_twice_is_joined() -> None:
    found = pins(f"a[x]==1.0 --hash=sha256:{ONE} --hash=sha256:{TWO}\na[y]==1.0 --hash=sha256:{TWO}\n")

    assert len(found) == 1
    assert set(found[0].extras) == {"x", "y"}
    assert found[0].hashes == Hashes.of({"sha256": TWO})


def test_a_constraint_must_agree(tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("a<2\nb<2; os_name == 'nt'\n")
    (tmp_path / "r.txt").write_text("-c c.txt\nb==3.0\n")
    (tmp_path / "bad.txt").write_text("-c c.txt\na==2.0\n")

    assert pins_from_requirements(parse_requirements_file("r.txt", cwd=tmp_path, environ={}), PYTHON)
    with pytest.raises(InputError) as caught:
        pins_from_requirements(parse_requirements_file("bad.txt", cwd=tmp_path, environ={}), PYTHON)

    assert caught.value.context == ("bad.txt:2: a==2.0", "c.txt:1: a<2")


def test_a_wheel_tells_its_version_and_a_folder_its_name(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "My.Project"\n')
    (tmp_path / "foo-1.0-py3-none-any.whl").touch()

    found = pins("./foo-1.0-py3-none-any.whl\n-e .\n", tmp_path)

    assert [(pin.name, pin.version) for pin in found] == [("foo", Version("1.0")), ("my-project", None)]
    assert found[1].direct == DirectorySource(path=tmp_path, editable=True)


def test_a_source_that_does_not_tell_its_name_is_asked_or_refused(tmp_path: Path) -> None:
    parsed = parse_requirements_text("git+https://h.test/x.git@abc", name="r.txt", cwd=tmp_path, environ={})

    found = pins_from_requirements(parsed, PYTHON, name_of=lambda _: canonicalize_name("x-project"))
    with pytest.raises(InputError) as caught:
        pins_from_requirements(parsed, PYTHON)

    assert found[0].name == "x-project"
    assert caught.value.code == "requirement-unnamed"
    assert caught.value.hint == "write NAME @ git+https://h.test/x.git@abc"


def test_a_path_that_does_not_exist_is_refused() -> None:
    assert refused("./missing-1.0-py3-none-any.whl").code == "file-not-found"
