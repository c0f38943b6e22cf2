from __future__ import annotations

from safe_install.install.record import installed_record, read_record, row_of


def rows(content: bytes) -> list[str]:
    assert content.endswith(b"\r\n")
    return content.decode().split("\r\n")[:-1]


def test_rows_are_sorted_moved_and_joined_as_pip_does() -> None:
    record = "pkg/b.py,sha256=B,2\nd.data/scripts/s,sha256=S,3\nd.dist-info/RECORD,,\n"
    content = installed_record(
        record,
        moved={"d.data/scripts/s": "../../../bin/s"},
        own=[row_of("d.dist-info/INSTALLER", b"pip\n")],
        unhashed=["pkg/__pycache__/b.cpython-311.pyc"],
        unlisted=["d.dist-info/RECORD"],
    )
    assert rows(content) == [
        "../../../bin/s,sha256=S,3",
        "d.dist-info/INSTALLER,sha256=zuuue4knoyJ-UwPPXg8fezS7VCrXJQrAP7zeNuwvFQg,4",
        "d.dist-info/RECORD,,",
        "pkg/__pycache__/b.cpython-311.pyc,,",
        "pkg/b.py,sha256=B,2",
    ]


def test_what_we_wrote_replaces_the_row_of_the_wheel() -> None:
    content = installed_record(
        "bin,sha256=OLD,1\n", moved={"bin": "../x"}, own=[row_of("../x", b"")], unhashed=[], unlisted=[]
    )
    assert rows(content) == ["../x,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0"]


def test_a_record_that_forgets_itself_gets_a_row() -> None:
    content = installed_record("a,sha256=A,1\n", moved={}, own=[], unhashed=[], unlisted=["d.dist-info/RECORD"])
    assert rows(content) == ["a,sha256=A,1", "d.dist-info/RECORD,,"]


def test_names_with_commas_and_quotes_survive() -> None:
    content = installed_record('"a,b",,\n"q""q",,\n', moved={}, own=[], unhashed=['c"d.pyc'], unlisted=[])
    assert read_record(content) == ["a,b", 'c"d.pyc', 'q"q']


def test_short_rows_are_filled_up() -> None:
    assert rows(installed_record("a\n\nb,sha256=x\n", moved={}, own=[], unhashed=[], unlisted=[])) == ["a,,", "b,,"]


def test_a_name_that_is_not_utf_8_can_be_read_back() -> None:
    assert read_record(b"\xff.py,,\r\n") == ["\udcff.py"]
