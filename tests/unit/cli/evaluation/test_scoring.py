"""Results against labels, leaf by leaf."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docfleet.cli.evaluation.scoring import Mismatch, Score, compare, is_equal, leaves

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def counts(label: dict[str, Any], result: dict[str, Any]) -> tuple[int, int, int]:
    score = compare(label, result, label).score
    return score.right, score.labelled, score.answered


def test_a_leaf_is_right_wrong_missing_or_surplus() -> None:
    label = {"number": "A-1", "gross": 12.5, "due": "2026-01-02", "iban": None}
    result = {"number": "a 1", "gross": 12.51, "iban": "DE1", "unlabelled": "x"}
    comparison = compare(label, result, label)
    assert comparison.right == ["/number"]
    assert comparison.mismatches == [
        Mismatch("/gross", 12.5, 12.51),
        Mismatch("/due", expected="2026-01-02"),
        Mismatch("/iban", found="DE1"),
    ]
    score = comparison.score
    assert (score.right, score.labelled, score.answered) == (1, 3, 3)
    assert (score.precision, score.recall, score.f1) == (1 / 3, 1 / 3, 1 / 3)


@pytest.mark.parametrize(
    ("label", "result", "equal"),
    [
        (12.5, "12.50", True),
        ("9.00", 9, True),
        (0.1 + 0.2, 0.3, True),
        ("ACME  Ltd.", "acme ltd", True),
        ("\uff21\uff11", "a1", True),
        ("12", "1 2", True),
        (1, 2, False),
        ("-5", "5", False),
        (-5, 5, False),
        (True, "true", False),
        (1, True, False),
        ("€ 5", "$ 5", False),
        ("nan", "inf", False),
        ("NaN", "nan", True),
        ("1_0", 10, False),
        ("1,5", 15, False),
        (10**400, 10**400, True),
    ],
)
def test_leaves_that_mean_the_same_are_equal(label: Any, result: Any, *, equal: bool) -> None:
    assert is_equal(label, result) is equal


def test_items_of_a_list_are_paired_by_similarity_whatever_their_order() -> None:
    label = {"lines": [{"name": "pen", "sum": 1}, {"name": "ink", "sum": 2}]}
    result = {"lines": [{"name": "ink", "sum": 2}, {"name": "paper", "sum": 7}, {"name": "pen", "sum": 3}]}
    comparison = compare(label, result, label)
    assert sorted(comparison.right) == ["/lines/0/name", "/lines/0/sum", "/lines/2/name"]
    assert Mismatch("/lines/2/sum", 1, 3) in comparison.mismatches
    assert Mismatch("/lines/1/name", found="paper") in comparison.mismatches
    assert counts(label, result) == (3, 4, 6)


def test_items_that_share_nothing_are_no_pair() -> None:
    assert counts({"tags": ["a", "b"]}, {"tags": ["c", "a"]}) == (1, 2, 2)


def test_a_value_of_another_kind_is_wrong_on_both_sides() -> None:
    assert counts({"x": {"a": 1, "b": 2}}, {"x": "12"}) == (0, 2, 1)


def test_names_are_escaped_as_json_pointers() -> None:
    assert dict(leaves({"a/b": {"c~d": [1]}})) == {"/a~1b/c~0d/0": 1}


def test_nothing_at_all_is_right() -> None:
    assert Score().f1 == Score().precision == Score().recall == 1.0


@given(st.dictionaries(st.text(max_size=3), JSON, max_size=4))
def test_a_result_like_its_label_is_right(label: dict[str, Any]) -> None:
    comparison = compare(label, label, label)
    assert comparison.mismatches == [] and comparison.score.f1 == 1.0


@given(st.dictionaries(st.just("f"), JSON), st.dictionaries(st.just("f"), JSON))
def test_each_leaf_is_counted_once(label: dict[str, Any], result: dict[str, Any]) -> None:
    score = compare(label, result, ["f"]).score
    assert score.labelled == len(list(leaves(label.get("f"))))
    assert score.answered == len(list(leaves(result.get("f"))))
    assert score.right <= min(score.labelled, score.answered)
