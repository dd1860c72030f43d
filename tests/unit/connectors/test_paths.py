"""Path safety and the spelling of undecodable names."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docfleet.connectors.paths import decode_name, encode_name, path_parts, safe_join, safe_name, shorten_name
from docfleet.core.errors import UnsafePath


@given(st.binary(min_size=1))
def test_every_name_survives_the_encoding(raw: bytes) -> None:
    name = os.fsdecode(raw)
    encoded = encode_name(name)
    assert decode_name(encoded) == name
    assert json.loads(json.dumps(encoded, ensure_ascii=False).encode("utf-8")) == encoded


@given(st.text(alphabet="\\x5ce9ff0\udce9\udcff", max_size=12))
def test_names_that_look_encoded_survive_too(name: str) -> None:
    assert decode_name(encode_name(name)) == name


def test_an_ordinary_name_stays_as_it_is() -> None:
    for name in ("50% Rabatt.pdf", "Größe \u00fc 東京.pdf", "a\\b.txt", 'quo"te\n.txt', "\\x.txt"):
        assert encode_name(name) == name
    assert encode_name(os.fsdecode(b"caf\xe9.pdf")) == "caf\\xe9.pdf"


@pytest.mark.parametrize("path", ["../a", "a/../../b", "/etc/passwd", "a\0b", "x" * 256, "a/..", "é" * 128, "\ud800"])
def test_a_path_that_leaves_its_root_is_refused(path: str) -> None:
    with pytest.raises(UnsafePath):
        path_parts(path)


def test_paths_are_normalised_and_joined_below_the_root() -> None:
    assert path_parts("./a//b c/") == ("a", "b c")
    assert path_parts("") == ()
    assert safe_join("/", "a.txt") == "a.txt"
    assert safe_join("/out/x", "b/a.txt") == "out/x/b/a.txt"
    with pytest.raises(UnsafePath):
        safe_join("out", "../a.txt")
    with pytest.raises(UnsafePath):
        safe_join("../out", "a.txt")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\0"])
def test_a_name_is_one_name(name: str) -> None:
    with pytest.raises(UnsafePath):
        safe_name(name)


@given(st.text(), st.integers(min_value=0, max_value=40))
def test_a_shortened_name_fits_and_is_a_beginning(name: str, room: int) -> None:
    name = name.encode("utf-8", "ignore").decode()
    short = shorten_name(name, room)
    assert len(short.encode()) <= room
    assert name.startswith(short)
