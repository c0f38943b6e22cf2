"""The build key, after design section 8: "The key holds: sdist digest, build constraints and config settings,
interpreter ABI and platform tags, OS release and libc version, architecture, and the variables that the build sees."
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import fields, replace
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from safe_install.build.key import BuildKeyInputs, HostFacts, build_key, host_facts
from safe_install.models import Digest

texts = st.text(max_size=12)
digests = st.text("0123456789abcdef", min_size=64, max_size=64).map(Digest)
settings = st.dictionaries(texts, st.one_of(texts, st.lists(texts, max_size=3)), max_size=4)
hosts = st.builds(HostFacts, system=texts, release=texts, architecture=texts)

STRATEGIES: dict[str, st.SearchStrategy[Any]] = {
    "source": digests,
    "subdirectory": st.one_of(st.none(), texts),
    "constraints": st.lists(digests, max_size=3).map(tuple),
    "config_settings": settings,
    "implementation": texts,
    "cache_tag": texts,
    "tags": st.lists(texts, max_size=4).map(tuple),
    "libc": st.tuples(texts, texts),
    "host": hosts,
    "variables": st.dictionaries(texts, texts, max_size=4),
}
inputs = st.builds(BuildKeyInputs, **STRATEGIES)


def test_every_input_has_a_strategy() -> None:
    assert {one.name for one in fields(BuildKeyInputs)} == set(STRATEGIES)


@given(inputs, st.sampled_from(sorted(STRATEGIES)), st.data())
def test_every_single_input_changes_the_key(one: BuildKeyInputs, name: str, data: st.DataObject) -> None:
    value = data.draw(STRATEGIES[name])
    assume(value != getattr(one, name))
    assert build_key(replace(one, **{name: value})) != build_key(one)


@given(inputs, st.sampled_from(["system", "release", "architecture"]), texts)
def test_every_fact_about_the_host_changes_the_key(one: BuildKeyInputs, name: str, value: str) -> None:
    assume(value != getattr(one.host, name))
    host = replace(one.host, **{name: value})
    assert build_key(replace(one, host=host)) != build_key(one)


@given(inputs)
def test_the_order_of_mappings_does_not_change_the_key(one: BuildKeyInputs) -> None:
    turned = replace(
        one,
        config_settings=dict(reversed(list(one.config_settings.items()))),
        variables=dict(reversed(list(one.variables.items()))),
    )
    assert build_key(turned) == build_key(one)


@given(inputs)
def test_the_key_is_a_digest_and_the_same_every_time(one: BuildKeyInputs) -> None:
    key = build_key(one)
    assert len(key) == 64
    assert key == build_key(replace(one))


@given(st.dictionaries(texts, texts, min_size=1, max_size=3), inputs)
def test_a_value_never_slips_from_one_mapping_into_another(mapping: dict[str, str], one: BuildKeyInputs) -> None:
    as_settings = replace(one, config_settings=mapping, variables={})
    as_variables = replace(one, config_settings={}, variables=mapping)
    assert build_key(as_settings) != build_key(as_variables)


def test_a_list_of_one_setting_is_not_that_setting() -> None:
    base = BuildKeyInputs(
        source=Digest("0" * 64),
        implementation="cpython",
        cache_tag="cpython-311",
        tags=("py3-none-any",),
        libc=("glibc", "2.36"),
        host=HostFacts(system="Linux", release="debian 12", architecture="x86_64"),
    )
    one = replace(base, config_settings={"key": "value"})
    other = replace(base, config_settings={"key": ["value"]})
    assert build_key(one) != build_key(other)


def test_the_key_is_the_same_in_another_process_with_another_hash_seed() -> None:
    script = (
        "from safe_install.build.key import *\n"
        "host = HostFacts(system='Linux', release='r', architecture='a')\n"
        "print(build_key(BuildKeyInputs(source='0' * 64, implementation='i', cache_tag='c', tags=('t',), libc=('', ''),"
        " host=host, variables={'A': '1', 'B': '2'}, config_settings={'x': ['1'], 'y': '2'})))\n"
    )
    keys = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(keys) == 1


def test_the_facts_of_this_host_are_known_and_stable() -> None:
    facts = host_facts()
    assert facts.system
    assert facts.architecture
    assert facts == host_facts()
