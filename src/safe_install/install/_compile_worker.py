"""Compile Python files for the interpreter that runs this; a worker of `bytecode`, fed through a pipe.

Stand-alone, for CPython 3.8 to 3.14. Each line of standard input is a JSON list: a number, the path of a source file,
the path that tracebacks shall show, and the path of the bytecode, or null for where Python looks for it. For each, one
line comes back: the number, and 1 when it was compiled, else 0.
"""

from __future__ import annotations

import json
import os
import py_compile
import sys


def compile_file(source: str, shown: str, target: str | None) -> bool:
    """Write the bytecode of *source*, as `compileall` does; return False where that cannot be done."""
    try:
        # Timestamps even where SOURCE_DATE_EPOCH is set: what pip does, and what an edit in place needs.
        py_compile.compile(
            source,
            target,
            dfile=shown,
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.TIMESTAMP,
        )
    except (py_compile.PyCompileError, OSError, UnicodeError, ValueError, RecursionError, MemoryError):
        # Many distributions carry files of other Python versions and templates that are no Python.
        return False
    return True


def main() -> None:
    """Answer until the input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    # Nothing that a compiler prints may reach the answers.
    os.dup2(2, 1)
    for line in sys.stdin.buffer:
        number, source, shown, target = json.loads(line)
        answers.write(f"{number} {compile_file(source, shown, target):d}\n")
        answers.flush()


if __name__ == "__main__":
    main()
