"""The output of a tool: the same however it is cut, and bounded."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from docfleet.runner.logs import KEPT_BYTES, Output

LINES = st.lists(
    st.sampled_from([
        b"plain text", b'{"type":"LOG","level":"ERROR","log":"bad","error_code":"corrupt_file"}', b"{broken", b"",
        b'{"type":"LOG","log":"fine"}', b"\xff\xfe", b'{"type":"LOG","level":"FATAL","log":"worse"}',
    ]),
    max_size=12,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(lines=LINES, cuts=st.lists(st.integers(0, 400), max_size=8))
def test_output_is_the_same_however_it_is_cut(lines: list[bytes], cuts: list[int]) -> None:
    data = b"\n".join(lines)
    whole, pieces = Output(), Output()
    whole.feed(data)
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    for start, end in itertools.pairwise(places):
        pieces.feed(data[start:end])
    whole.finish()
    pieces.finish()
    errors = [line for line in lines if b"ERROR" in line or b"FATAL" in line]
    assert (whole.error is None) == (not errors)
    assert whole.error == pieces.error and whole.last_text == pieces.last_text
    assert pieces.total_bytes == len(data)


def test_a_flood_is_counted_and_its_end_is_kept() -> None:
    output = Output(run_id="r")
    for _ in range(50):
        output.feed(b"x" * 99_999 + b"\n")
    output.feed(b'{"type":"LOG","level":"ERROR","log":"the end","error_code":"corrupt_file"}\n')
    output.finish()
    assert output.total_bytes > 4 * KEPT_BYTES
    assert output.error is not None and output.error.log == "the end"
