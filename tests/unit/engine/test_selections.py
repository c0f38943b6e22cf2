from __future__ import annotations

from pathlib import Path

import pytest
from helpers.universe import interpreter
from packaging.utils import canonicalize_name
from packaging.version import Version

from safe_install.engine.selections import Selections
from safe_install.models import FormatControl, Hashes, Pin, RemoteFile
from safe_install.store.chain import Chain
from safe_install.store.store import Store

ANY_FORMAT = FormatControl()
NAME = canonicalize_name("demo")
WHEEL, SDIST, STRANGER = "a" * 64, "b" * 64, "c" * 64


def file(filename: str, digest: str) -> RemoteFile:
    return RemoteFile(url=f"https://files.test/{filename}", filename=filename, hashes=Hashes.of({"sha256": digest}))


CHOSEN = file("demo-1.0-py3-none-any.whl", WHEEL)
OTHER = file("demo-1.0.tar.gz", SDIST)


def pin(*digests: str, files: tuple[RemoteFile, ...] = ()) -> Pin:
    return Pin(name=NAME, version=Version("1.0"), files=files, hashes=Hashes.of({"sha256": digests}))


@pytest.fixture
def store(tmp_path: Path) -> Chain:
    return Chain(Store.open(tmp_path / "store"))


def selections(store: Chain, python: str = "3.11.7", control: FormatControl = ANY_FORMAT) -> Selections:
    return Selections(store, interpreter(python), control)


def test_choice_is_found_again_without_its_url(store: Chain) -> None:
    selections(store).remember(pin(WHEEL, SDIST, files=(CHOSEN, OTHER)), CHOSEN)
    found = selections(store).find(pin(WHEEL, SDIST))
    assert found == RemoteFile(url="", filename=CHOSEN.filename, hashes=CHOSEN.hashes)


def test_choice_for_one_interpreter_says_nothing_of_another(store: Chain) -> None:
    selections(store).remember(pin(WHEEL, files=(CHOSEN,)), CHOSEN)
    assert selections(store, "3.12.1").find(pin(WHEEL)) is None


def test_choice_under_other_formats_is_another(store: Chain) -> None:
    selections(store).remember(pin(WHEEL, SDIST, files=(CHOSEN, OTHER)), CHOSEN)
    only_source = FormatControl(no_binary=frozenset({NAME}))
    assert selections(store, control=only_source).find(pin(WHEEL, SDIST)) is None


def test_choice_is_not_final_while_a_digest_is_on_no_page(store: Chain) -> None:
    """The file of that digest may be uploaded tomorrow, and be the better one."""
    selections(store).remember(pin(WHEEL, STRANGER, files=(CHOSEN, OTHER)), CHOSEN)
    assert selections(store).find(pin(WHEEL, STRANGER)) is None


def test_the_only_digest_is_final_whatever_is_listed(store: Chain) -> None:
    """A folder of wheels lists no digests, and no other file can be meant."""
    unlisted = RemoteFile(url="file:///wheels/demo-1.0-py3-none-any.whl", filename=CHOSEN.filename)
    selections(store).remember(pin(WHEEL, files=(unlisted,)), CHOSEN)
    found = selections(store).find(pin(WHEEL))
    assert found is not None
    assert found.filename == CHOSEN.filename


def test_other_digests_of_the_same_version_are_another_question(store: Chain) -> None:
    selections(store).remember(pin(WHEEL, SDIST, files=(CHOSEN, OTHER)), CHOSEN)
    assert selections(store).find(pin(SDIST)) is None


def test_pin_without_digests_is_never_remembered(store: Chain) -> None:
    selections(store).remember(pin(files=(CHOSEN,)), CHOSEN)
    assert selections(store).find(pin()) is None


def test_weaker_digests_are_no_final_answer(store: Chain) -> None:
    hashes = Hashes.of({"sha256": WHEEL, "md5": "d" * 32})
    asked = Pin(name=NAME, version=Version("1.0"), files=(CHOSEN,), hashes=hashes)
    selections(store).remember(asked, CHOSEN)
    assert selections(store).find(asked) is None
