"""The values of a whole result: rows in order, neighbours together, every pointer once."""

from __future__ import annotations

import pytest

from docfleet.core.evidence import MatchKind
from docfleet.tools.sdk.grounding import WordIndex, ground_result, report, results
from docfleet.tools.sdk.words import Page
from tests.unit.tools.sdk.grounding.test_ground import LETTER, LINE, page


def row_of(top: float) -> int:
    return round((top - 20) / LINE)


def test_pointers_are_escaped_and_values_without_a_place_are_left_out() -> None:
    found = ground_result(
        {"a/b": {"c~d": "x1"}, "none": None, "yes": True, "blank": " ", "list": ["x1"]}, WordIndex([page("x1")])
    )
    assert sorted(found) == ["/a~1b/c~0d", "/list/0"]


def test_a_value_without_a_match_says_so() -> None:
    assert ground_result({"a": "zebra"}, WordIndex([page("x1")]))["/a"].match is MatchKind.NONE


def test_equal_values_of_a_row_are_taken_column_by_column() -> None:
    words = WordIndex(
        [
            page(
                "Item      Price   Qty   Sum",
                "Bolt      5       1     5",
                "Nut       1       1     1",
                "Washer    2       3     6",
            )
        ]
    )
    items = [
        {"item": "Bolt", "price": 5, "qty": 1, "sum": 5},
        {"item": "Nut", "price": 1, "qty": 1, "sum": 1},
        {"item": "Washer", "price": 2, "qty": 3, "sum": 6},
    ]
    found = ground_result({"items": items}, words)
    for number in range(3):
        for name, column in (("item", 0), ("price", 10), ("qty", 18), ("sum", 24)):
            box = found[f"/items/{number}/{name}"].boxes[0]
            assert (row_of(box.top), box.left / LETTER) == (number + 1, column), (number, name)


def test_equal_rows_are_taken_in_order() -> None:
    words = WordIndex([page("Fee   10.00", "Tax    2.00", "Fee   10.00", "Fee   10.00")])
    items = [{"name": "Fee", "amount": 10.0}, {"name": "Fee", "amount": 10.0}, {"name": "Fee", "amount": 10.0}]
    found = ground_result({"items": items}, words)
    assert [row_of(found[f"/items/{number}/amount"].boxes[0].top) for number in range(3)] == [0, 2, 3]


def test_rows_of_two_pages_stay_on_their_pages() -> None:
    words = WordIndex([page("A1   7", "A2   8"), page("A3   7", "A4   8")])
    items = [{"code": f"A{number}", "count": 7 + (number + 1) % 2} for number in (1, 2, 3, 4)]
    found = ground_result({"items": items}, words)
    assert [found[f"/items/{at}/count"].page for at in range(4)] == [1, 1, 2, 2]


def test_a_row_does_not_take_values_of_another_page() -> None:
    words = WordIndex([page("Codes", "A1   7.25", "B2   8.25"), page("nothing"), page("Spare parts of another kind")])
    found = ground_result({"items": [{"code": "A1", "price": 7.25, "name": "Spare parts"}]}, words)
    assert found["/items/0/code"].page == 1 and found["/items/0/name"].match is MatchKind.NONE


def test_fields_with_the_same_value_stand_at_different_places() -> None:
    words = WordIndex([page("Assets", "Total   55.725"), page("Liabilities", "Total   55.725")])
    found = ground_result({"totalAssets": 55725, "totalLiabilities": 55725}, words)
    assert (found["/totalAssets"].page, found["/totalLiabilities"].page) == (1, 2)


def test_an_ambiguous_value_stands_near_its_neighbours() -> None:
    words = WordIndex([page("Sender", "Berlin", *["-"] * 20, "Recipient", "Alice Smith", "Berlin")])
    found = ground_result({"recipient": {"name": "Alice Smith", "town": "Berlin"}}, words)
    assert row_of(found["/recipient/town"].boxes[0].top) == 24


def test_labels_of_fields_are_used() -> None:
    words = WordIndex([page("Liefertermin 01.02.2024", "x", "Rechnungsdatum 01.02.2024")])
    found = ground_result({"date": "2024-02-01"}, words, {"/date": ("invoice date", "rechnungsdatum")})
    assert row_of(found["/date"].boxes[0].top) == 2


def test_a_list_of_texts_is_in_order() -> None:
    found = ground_result(["b", "a", "b"], WordIndex([page("b", "a", "b")]))
    assert [row_of(found[f"/{at}"].boxes[0].top) for at in range(3)] == [0, 1, 2]


def test_a_result_without_words_has_no_places() -> None:
    assert ground_result({"a": 1, "b": ["x"]}, WordIndex([Page("")])) == ground_result(
        {"a": 1, "b": ["x"]}, WordIndex([])
    )


def test_a_long_list_is_grounded_as_far_as_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "MAX_FIELDS", 7)
    words = WordIndex([page(*[f"code{number} {number}" for number in range(9)])])
    result = {"title": "code0", "items": [{"code": f"code{number}", "count": number} for number in range(9)]}
    assert sorted(ground_result(result, words))[-2:] == ["/items/2/count", "/title"]
    assert report(result, words).omitted == 19 - 7
