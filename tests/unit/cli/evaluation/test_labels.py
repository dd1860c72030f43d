"""A folder of labels."""

from __future__ import annotations

from pathlib import Path

import pytest

from docfleet.cli.evaluation.labels import Labels
from docfleet.core.errors import InvalidInput


def test_a_label_has_the_path_of_its_document(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.pdf.json").write_text('{"x": 1}')
    (tmp_path / "b.json").write_text('[{"y": 2}]')
    labels = Labels(tmp_path)
    assert labels.fields == ["y", "x"]
    assert labels.find("deep/a.pdf") == ("deep/a.pdf", {"x": 1})
    assert labels.find("b.tiff") == labels.find("b") == ("b", {"y": 2})
    assert labels.find("a.pdf") is None and labels.find("deep/a.png") is None


@pytest.mark.parametrize(
    ("content", "cause"),
    [("{", "not valid JSON"), ("[]", "is an object"), ("[{}, {}]", "is an object"), ("3", "is an object")],
)
def test_a_file_that_is_no_label_is_named(tmp_path: Path, content: str, cause: str) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(InvalidInput, match=f"a.json.*{cause}"):
        Labels(tmp_path)


def test_a_folder_without_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="holds no label"):
        Labels(tmp_path)
    with pytest.raises(InvalidInput, match="no such folder"):
        Labels(tmp_path / "none")
