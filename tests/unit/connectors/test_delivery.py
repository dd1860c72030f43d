"""The names of delivered output files."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docfleet.connectors.delivery import deliver_files, output_path
from docfleet.connectors.memory import MemoryFileSystem
from docfleet.connectors.paths import path_parts
from docfleet.core.errors import FileMissing, ToolResultInvalid

NAME = st.text(alphabet="ab.-_é ", min_size=1, max_size=150).filter(
    lambda name: name not in (".", "..") and len(name.encode()) <= 255
)
KEY = st.text(alphabet="ab-1", min_size=1, max_size=20)


def test_names_a_person_likes() -> None:
    tag = output_path("a.txt", "k1", "a.pdf").removeprefix("a-").removesuffix(".txt")
    assert output_path("invoice.json", "k1", "invoice.pdf") == f"invoice-{tag}.json"
    assert output_path("paid/invoice.pdf", "k1", "invoice.pdf") == f"paid/invoice-{tag}.pdf"
    assert output_path("pages/1.txt", "k1", "invoice.pdf") == f"invoice-{tag}/pages/1.txt"
    assert output_path("result.json", "k1", "invoice.pdf") == f"invoice-{tag}/result.json"
    assert output_path("invoice", "k1", "invoice.pdf") == f"invoice-{tag}/invoice"
    assert output_path("pages/1.txt", "k1") == f"pages/1-{tag}.txt"
    assert output_path(f"x-{tag}/invoice.pdf", "k1", "invoice.pdf") == f"invoice-{tag}/x-{tag}/invoice.pdf"
    long_key = output_path("a.txt", "0f8fad5b-d9cb-469f-a165-70867728950e", "a.pdf")
    assert len(long_key) == len("a-.txt") + 12


@given(st.lists(st.tuples(KEY, NAME, NAME), min_size=2, max_size=2, unique=True))
def test_two_outputs_never_share_a_name_and_none_is_the_others_folder(pair: list[tuple[str, str, str]]) -> None:
    (key, source, output), (other_key, other_source, other_output) = pair
    if key == other_key and (source != other_source or output == other_output):
        return  # one key is one source file
    one = path_parts(output_path(output, key, source))
    two = path_parts(output_path(other_output, other_key, other_source))
    shorter = min(len(one), len(two))
    assert one[:shorter] != two[:shorter] or (len(one) == len(two) and one != two)


@given(KEY, NAME, NAME)
def test_a_name_is_stable_and_fits(key: str, source: str, output: str) -> None:
    assert output_path(output, key, source) == output_path(output, key, source)
    assert all(len(part.encode()) <= 255 for part in path_parts(output_path(output, key, source)))


def test_a_repeated_delivery_replaces_and_a_second_file_of_the_same_name_does_not(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.json").write_text("1")
    (tmp_path / "sub" / "b.txt").write_text("2")
    target = MemoryFileSystem()
    first = deliver_files(target, tmp_path, "/out", "key-of-file-one", "a.pdf").locations
    (tmp_path / "a.json").write_text("1 again")
    assert deliver_files(target, tmp_path, "out/", "key-of-file-one", "a.pdf").locations == first
    second = deliver_files(target, tmp_path, "out", "key-of-file-two", "a.pdf").locations
    assert not set(first) & set(second)
    assert len(list(target.list_files("out", recursive=True))) == 4
    with target.open(first[0]) as content:
        assert content.read() == b"1 again"


def test_no_outputs_is_an_empty_delivery_and_no_folder_an_error(tmp_path: Path) -> None:
    assert deliver_files(MemoryFileSystem(), tmp_path, "out", "k").locations == []
    with pytest.raises(FileMissing):
        deliver_files(MemoryFileSystem(), tmp_path / "missing", "out", "k")


def test_an_output_that_points_elsewhere_is_refused(tmp_path: Path) -> None:
    outputs = tmp_path / "outputs"
    outputs.mkdir()
    (tmp_path / "secret").write_text("s")
    (outputs / "a.txt").symlink_to(tmp_path / "secret")
    target = MemoryFileSystem()
    with pytest.raises(ToolResultInvalid, match=r"a\.txt"):
        deliver_files(target, outputs, "out", "k")
    assert list(target.list_files(recursive=True)) == []


def test_content_is_copied_byte_for_byte(tmp_path: Path) -> None:
    content = bytes(range(256)) * 9000
    (tmp_path / "a.bin").write_bytes(content)
    target = MemoryFileSystem()
    (location,) = deliver_files(target, tmp_path, "/", "k").locations
    with target.open(location) as delivered:
        assert io.BytesIO(content).read() == delivered.read()
