"""The table of guards follows the code: each edit still finds its text, each named test still exists."""

from __future__ import annotations

import pytest

from tests.faults.mutations import MUTANTS
from tests.faults.mutations.mutant import Mutant
from tests.repository import REPOSITORY


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.guard)
def test_a_mutant_applies(mutant: Mutant) -> None:
    for edit in mutant.edits:
        assert (REPOSITORY / edit.file).read_text("utf-8").count(edit.old) == 1, f"{edit.file}: {edit.old}"
    path, _, name = mutant.test.partition("::")
    assert f"def {name.partition('[')[0]}(" in (REPOSITORY / path).read_text("utf-8"), mutant.test
