"""What a Python is, as a document for JSON."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from ..models import Interpreter

if TYPE_CHECKING:
    from collections.abc import Mapping


def interpreter_to_document(interpreter: Interpreter) -> dict[str, Any]:
    """Return *interpreter* as plain values for JSON."""
    return {field.name: getattr(interpreter, field.name) for field in dataclasses.fields(interpreter)}


def interpreter_from_document(document: Mapping[str, Any]) -> Interpreter:
    """Return what `interpreter_to_document` was given; unknown keys are ignored.

    :raises ValueError: a key is missing, or a value has a shape that it never has.
    """
    names = {field.name for field in dataclasses.fields(Interpreter)}
    values = {key: value for key, value in document.items() if key in names}
    try:
        major, minor, micro = map(int, values["version"])
        name, version = map(str, values["libc"])
        values["version"], values["libc"] = (major, minor, micro), (name, version)
        values["tag_texts"] = tuple(map(str, values["tag_texts"]))
        return Interpreter(**values)
    except (KeyError, TypeError) as error:
        raise ValueError(f"not the description of an interpreter: {error}") from error
