"""`safe_install.resolve.requirements_file`: every line form of pip's "Requirements File Format"."""

from __future__ import annotations

from pathlib import Path

import pytest

from safe_install.errors import InputError
from safe_install.events import Event, Noticed
from safe_install.models import ArchiveSource, DirectorySource, Hashes
from safe_install.resolve.requirements_file import (
    ParsedRequirements,
    parse_requirements_file,
    parse_requirements_text,
)

DIGEST = "0" * 64


def parse(text: str, *, environ: dict[str, str] | None = None) -> ParsedRequirements:
    return parse_requirements_text(text, name="r.txt", cwd=Path("/cwd").absolute(), environ=environ or {})


def mistake(text: str) -> InputError:
    with pytest.raises(InputError) as caught:
        parse(text)
    return caught.value


def names(parsed: ParsedRequirements) -> list[str | None]:
    return [wanted.name for wanted in parsed.requirements]


def test_requirements_come_with_their_file_and_line() -> None:
    parsed = parse("\n# first\nfoo==1.0\n\nbar \\\n >= 2\n")

    assert [(wanted.text, wanted.origin) for wanted in parsed.requirements] == [
        ("foo==1.0", "r.txt:3"),
        ("bar>=2", "r.txt:5"),
    ]


@pytest.mark.parametrize(
    "line",
    [
        f"foo==1.0 --hash=sha256:{DIGEST} --hash=sha256:{'1' * 64}",
        f"foo==1.0 --hash sha256:{DIGEST} --hash 'sha256:{'1' * 64}'",
        f"foo==1.0 \\\n    --hash=sha256:{DIGEST} \\\n    --hash=SHA256:{'1' * 64}  # both",
    ],
)
def test_digests_stand_behind_a_requirement(line: str) -> None:
    parsed = parse(line)

    assert parsed.requirements[0].hashes == Hashes.of({"sha256": [DIGEST, "1" * 64]})
    assert parsed.names_hashes


def test_the_digest_in_a_url_counts_like_an_option() -> None:
    parsed = parse(f"foo @ https://h.test/foo-1.0.zip#sha256={DIGEST}")

    assert parsed.requirements[0].hashes == Hashes.of({"sha256": DIGEST})


def test_config_settings_add_up_to_strings_and_lists() -> None:
    parsed = parse("foo -C a=1 --config-settings b=2 --config-setting='c=x y' -Ca=3 --config-settings=d=e=f")

    assert parsed.requirements[0].config_settings == {"a": ["1", "3"], "b": "2", "c": "x y", "d": "e=f"}


@pytest.mark.parametrize("spelling", ["-i {}", "-i{}", "--index-url {}", "--index-url={}", "--pypi-url={}", "-i '{}'"])
def test_an_index_is_named_in_every_spelling(spelling: str) -> None:
    assert parse(spelling.format("https://h.test/simple")).index_url == "https://h.test/simple"


def test_all_other_options_are_collected_in_order() -> None:
    parsed = parse(
        "--index-url https://one.test\n-i https://two.test\n--extra-index-url https://x.test\n"
        "--extra-index-url=https://y.test\n--no-index\n--no-binary :all:\n--only-binary=foo,bar\n--only-binary :none:\n"
        "--prefer-binary\n--require-hashes\n--pre\n--trusted-host h.test:8080\n-f https://links.test/page.html\n"
    )

    assert parsed == ParsedRequirements(
        index_url="https://two.test",
        extra_index_urls=("https://x.test", "https://y.test"),
        no_index=True,
        find_links=("https://links.test/page.html",),
        no_binary=(":all:",),
        only_binary=("foo,bar", ":none:"),
        prefer_binary=True,
        require_hashes=True,
        pre=True,
        trusted_hosts=("h.test:8080",),
    )


def test_several_options_may_share_a_line() -> None:
    parsed = parse("--pre --no-index --extra-index-url https://x.test")

    assert (parsed.pre, parsed.no_index, parsed.extra_index_urls) == (True, True, ("https://x.test",))


@pytest.mark.parametrize("line", ["-e ./x[dev]", "--editable=./x[dev]", "-e './x[dev]'", "--editable ./x[dev]"])
def test_an_editable_is_relative_to_the_working_directory(line: str) -> None:
    wanted = parse(line).requirements[0]

    assert wanted.direct == DirectorySource(path=Path("/cwd/x").absolute(), editable=True)
    assert wanted.extras == {"dev"}


def test_an_editable_takes_a_marker_and_a_path_with_spaces() -> None:
    first, second = parse("-e ./x ; python_version > '3'\n-e \"./with space\"").requirements

    assert str(first.marker) == 'python_version > "3"'
    assert second.direct == DirectorySource(path=Path("/cwd/with space").absolute(), editable=True)


def test_a_variable_is_put_in_wherever_it_stands() -> None:
    parsed = parse(
        "-i https://${USER}:${TOKEN}@h.test\nfoo==${VERSION}\nbar # ${TOKEN}", environ={"TOKEN": "t", "VERSION": "2"}
    )

    assert parsed.index_url == "https://${USER}:t@h.test"
    assert parsed.requirements[0].text == "foo==2"


def test_a_feature_of_pip_is_accepted_and_told() -> None:
    told: list[Event] = []

    parse_requirements_text("--use-feature=fast-deps\nfoo", name="r.txt", cwd=Path.cwd(), environ={}, sink=told.append)

    assert [event.message for event in told if isinstance(event, Noticed)] == [
        "r.txt:1: --use-feature=fast-deps has no meaning here"
    ]


def test_nested_files_are_relative_to_the_file_that_names_them(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "r.txt").write_text("-r sub/a.txt\n-c sub/c.txt\nroot\n")
    (tmp_path / "sub" / "a.txt").write_text("a\n--requirement=b.txt\n")
    (tmp_path / "sub" / "b.txt").write_text("./local\n")
    (tmp_path / "sub" / "c.txt").write_text("c<2\n-r d.txt\n")
    (tmp_path / "sub" / "d.txt").write_text("d<2\n")

    parsed = parse_requirements_file("r.txt", cwd=tmp_path, environ={})

    assert names(parsed) == ["a", None, "root"]
    assert parsed.requirements[1].direct == DirectorySource(path=tmp_path / "local")
    assert [(wanted.name, wanted.origin) for wanted in parsed.constraints] == [
        ("c", "sub/c.txt:1"),
        ("d", "sub/d.txt:1"),
    ]


def test_find_links_are_relative_to_their_file_where_that_exists(tmp_path: Path) -> None:
    (tmp_path / "sub" / "wheels").mkdir(parents=True)
    (tmp_path / "sub" / "r.txt").write_text("-f wheels\n--find-links elsewhere\n--find-links=file:///abs\n")

    parsed = parse_requirements_file("sub/r.txt", cwd=tmp_path, environ={})

    assert parsed.find_links == (str(tmp_path / "sub" / "wheels"), str(tmp_path / "elsewhere"), "file:///abs")


def test_a_whole_file_can_be_constraints(tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("foo<2\nbar @ https://h.test/bar-1.0.zip\n")

    parsed = parse_requirements_file(tmp_path / "c.txt", cwd=tmp_path, environ={}, constraint=True)

    assert [wanted.name for wanted in parsed.constraints] == ["foo", "bar"]
    assert isinstance(parsed.constraints[1].direct, ArchiveSource)
    assert parsed.requirements == ()


@pytest.mark.parametrize("line", ["-e ./x", "foo[extra]<2", "./x"])
def test_what_only_a_requirement_can_say_is_no_constraint(tmp_path: Path, line: str) -> None:
    (tmp_path / "c.txt").write_text(line)

    with pytest.raises(InputError) as caught:
        parse_requirements_file("c.txt", cwd=tmp_path, environ={}, constraint=True)

    assert caught.value.code == "constraint-invalid"


def test_files_are_read_from_a_server_with_their_relatives() -> None:
    served = {"https://h.test/a/r.txt": b"foo\n-r ../b.txt\n", "https://h.test/b.txt": b"bar\n"}

    parsed = parse_requirements_file("https://h.test/a/r.txt", cwd=Path("/"), environ={}, read_url=served.__getitem__)

    assert names(parsed) == ["foo", "bar"]
    with pytest.raises(InputError, match="no network"):
        parse_requirements_file("https://h.test/a/r.txt", cwd=Path("/"), environ={})


def test_a_file_that_includes_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("-r b.txt\n")
    (tmp_path / "b.txt").write_text("-r a.txt\n")

    with pytest.raises(InputError) as caught:
        parse_requirements_file("a.txt", cwd=tmp_path, environ={})

    assert caught.value.code == "requirements-cycle"
    assert "a.txt -> b.txt -> a.txt" in caught.value.message


def test_the_same_file_may_be_included_twice(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("-r b.txt\n-r b.txt\n")
    (tmp_path / "b.txt").write_text("foo\n")

    assert names(parse_requirements_file("a.txt", cwd=tmp_path, environ={})) == ["foo", "foo"]


def test_a_missing_file_is_named_with_who_asks_for_it(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\n-r b.txt\n")

    with pytest.raises(InputError) as nested:
        parse_requirements_file("a.txt", cwd=tmp_path, environ={})
    with pytest.raises(InputError) as first:
        parse_requirements_file("c.txt", cwd=tmp_path, environ={})

    assert (nested.value.code, nested.value.message) == (
        "file-not-found",
        "a.txt:2: cannot read b.txt: it does not exist",
    )
    assert first.value.code == "file-not-found"


def test_a_folder_is_no_requirements_file(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        parse_requirements_file(tmp_path, cwd=tmp_path, environ={})

    assert caught.value.code == "file-unreadable"


def test_an_encoding_that_does_not_fit_comes_with_advice(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"# \xe4\nfoo")

    with pytest.raises(InputError) as caught:
        parse_requirements_file("a.txt", cwd=tmp_path, environ={})

    assert caught.value.code == "file-encoding"
    assert caught.value.hint is not None
    assert "coding" in caught.value.hint


def test_a_malformed_requirement_is_shown_with_line_and_caret() -> None:
    error = mistake("foo\n\nbar >= 1.0 beer # why\n")

    assert error.code == "requirement-malformed"
    assert error.message.startswith("r.txt:3: ")
    assert error.context == ("bar >= 1.0 beer # why", " " * 11 + "^")


def test_a_mistake_in_a_continued_line_names_the_line_it_is_in() -> None:
    error = mistake(f"foo==1.0 \\\n    --hash=sha256:{DIGEST} \\\n    --hash=wrong\n")

    assert error.message.startswith("r.txt:3: ")
    assert error.context == ("    --hash=wrong", "           ^")


def test_an_unknown_option_is_refused_with_the_nearest_known_one() -> None:
    error = mistake("--extra-index https://h.test")

    assert (error.code, error.hint) == ("requirements-option-unknown", "did you mean --extra-index-url?")
    assert error.context == ("--extra-index https://h.test", "^")


def test_global_options_are_refused_with_what_to_use_instead() -> None:
    error = mistake("foo --global-option=--no-user-cfg")

    assert error.code == "requirements-option-refused"
    assert error.hint is not None
    assert "--config-settings" in error.hint


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("foo --hash=md5:abc", "does not accept the algorithm 'md5'"),
        ("foo --hash=sha256", "ALGORITHM:DIGEST"),
        ("foo -C novalue", "KEY=VALUE"),
        ("foo --pre", "stands on a line of its own"),
        ("foo -e ./x", "stands on a line of its own"),
        ("--hash=sha256:00", "behind a requirement"),
        ("--no-index=1", "takes no value"),
        ("-r", "needs a value"),
        ("-e", "needs a value"),
        ("-i 'open", "a quotation is not closed"),
        ("-i https://h.test stray", "expected an option"),
    ],
)
def test_options_that_make_no_sense_are_refused(line: str, message: str) -> None:
    assert message in mistake(line).message


def test_all_mistakes_of_a_file_are_reported_at_once() -> None:
    error = mistake("foo==1.0 bar\nok\n--nonsense\n-r missing.txt\n")

    assert error.message == "3 mistakes in requirements files"
    places = [line.partition(": ")[0] for line in error.context if line.startswith("r.txt:")]
    assert places == ["r.txt:1", "r.txt:3", "r.txt:4"]


def test_the_value_of_a_variable_never_appears_in_a_message() -> None:
    with pytest.raises(InputError) as caught:
        parse("-i https://user:${TOKEN}@h.test\nfoo==${TOKEN}\n", environ={"TOKEN": "top secret"})

    assert "secret" not in str(caught.value)
    assert "${TOKEN}" in str(caught.value)
