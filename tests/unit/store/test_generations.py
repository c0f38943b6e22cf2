"""A generation is named by its bytes, the pointer carries its own checksum, and what is damaged is refused."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.stores import digest_of

from safe_install.errors import IntegrityError, StoreError
from safe_install.models import Digest
from safe_install.store.documents import encode_document
from safe_install.store.generations import (
    Generation,
    ListedTree,
    Pointer,
    Switch,
    decode_generation,
    decode_pointer,
)

PATH = Path("/seed/generations/x.json")
A, B, C = map(digest_of, "abc")
FULL = Generation(
    trees={"wheels-1": {A: ListedTree(B, "demo-1-py3-none-any.whl")}},
    files=frozenset({C}),
    documents={"built-1": {"name": A}},
    pages={"other": B},
)


def history(*digests: Digest) -> Pointer:
    return Pointer(tuple(Switch(digest, float(number)) for number, digest in enumerate(digests, start=1)))


class TestGeneration:
    def test_what_is_written_is_read(self) -> None:
        assert decode_generation(FULL.encode(), FULL.digest, PATH) == FULL

    def test_its_name_is_the_digest_of_its_bytes_and_follows_from_its_entries(self) -> None:
        assert FULL.digest == hashlib.sha256(FULL.encode()).hexdigest()
        other_way = Generation(
            pages=FULL.pages,
            documents={"selections-1": {}, **FULL.documents},
            files=frozenset(reversed(list(FULL.files))),
            trees=FULL.trees,
        )
        assert other_way.digest == FULL.digest

    @pytest.mark.parametrize(
        "other",
        [
            replace(FULL, trees={"wheels-1": {A: ListedTree(C, "demo-1-py3-none-any.whl")}}),
            replace(FULL, files=frozenset()),
            replace(FULL, documents={"built-1": {"name": B}}),
            replace(FULL, pages={"other": C}),
        ],
    )
    def test_any_other_content_has_another_name(self, other: Generation) -> None:
        assert other.digest != FULL.digest

    @pytest.mark.parametrize("damage", [b"", b"{}", FULL.encode()[:-1], FULL.encode() + b" ", b"\0" * 100])
    def test_damaged_bytes_are_refused(self, damage: bytes) -> None:
        with pytest.raises(IntegrityError) as caught:
            decode_generation(damage, FULL.digest, PATH)
        assert caught.value.code == "generation-damaged"

    @pytest.mark.parametrize(
        "change",
        [
            {"trees": {"wheels-1": {"../../etc": [A, "x"]}}},
            {"trees": {"wheels-1": {A: ["..", "x"]}}},
            {"trees": []},
            {"files": ["/etc/passwd"]},
            {"files": None},
            {"documents": {"built-1": {"name": "x"}}},
            {"pages": 1},
            {"format": "1"},
        ],
    )
    def test_content_that_has_its_digest_and_makes_no_sense_is_refused(self, change: dict[str, object]) -> None:
        data = json.dumps(json.loads(FULL.encode()) | change).encode()
        with pytest.raises(IntegrityError) as caught:
            decode_generation(data, Digest(hashlib.sha256(data).hexdigest()), PATH)
        assert caught.value.code == "generation-damaged"

    def test_a_newer_format_is_told_as_such(self) -> None:
        data = json.dumps({"format": 2}).encode()
        with pytest.raises(StoreError) as caught:
            decode_generation(data, Digest(hashlib.sha256(data).hexdigest()), PATH)
        assert caught.value.code == "seed-newer-format"

    def test_two_are_joined_and_the_later_answers(self) -> None:
        joined = FULL | Generation(
            trees={"wheels-1": {B: ListedTree(A, "other-1-py3-none-any.whl")}},
            documents={"built-1": {"name": C, "new": A}},
        )
        assert set(joined.wheels) == {A, B}
        assert joined.files == {C}
        assert joined.documents == {"built-1": {"name": C, "new": A}}
        assert joined.pages == FULL.pages

    def test_documents_and_pages_are_files_too(self) -> None:
        assert FULL.all_files == {A, B, C}

    def test_nothing_is_nothing(self) -> None:
        assert not Generation()
        assert FULL


class TestPointer:
    def test_what_is_written_is_read(self) -> None:
        assert decode_pointer(history(A, B).encode(), PATH) == history(A, B)

    def test_the_last_switch_is_current(self) -> None:
        assert history(A, B).current == B
        assert history(A).then(B, 9.0).history == (Switch(A, 1.0), Switch(B, 9.0))

    def test_a_switch_to_the_current_one_changes_nothing(self) -> None:
        assert history(A, B).then(B, 9.0) == history(A, B)

    def test_the_history_does_not_grow_for_ever(self) -> None:
        pointer = history(A)
        for number in range(1000):
            pointer = pointer.then(B if pointer.current == A else A, float(number))
        assert len(pointer.history) == 200

    def test_rolling_back_leads_ever_further_back(self) -> None:
        pointer = history(A, B, C)
        assert pointer.before() == B
        pointer = pointer.then(B, 4.0)
        assert pointer.before() == A
        assert pointer.then(A, 5.0).before() is None

    def test_since_when_each_was_replaced(self) -> None:
        assert history(A, B, C).replaced() == {A: 2.0, B: 3.0}
        assert history(A, B, A).replaced() == {B: 3.0}
        assert list(history(A, B, A, C).replaced()) == [B, A]
        assert history(A).replaced() == {}

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"\0" * 50,
            history(A).encode()[:-2],
            encode_document({"format": 1, "history": []}),
            encode_document({"format": 1, "history": [["..", 1]]}),
            encode_document({"format": 1}),
            encode_document({"history": []}),
        ],
    )
    def test_damage_is_refused(self, data: bytes) -> None:
        with pytest.raises(IntegrityError) as caught:
            decode_pointer(data, PATH)
        assert caught.value.code == "seed-damaged"

    def test_a_newer_format_is_told_as_such(self) -> None:
        with pytest.raises(StoreError) as caught:
            decode_pointer(encode_document({"format": 2, "anything": 1}), PATH)
        assert caught.value.code == "seed-newer-format"
