"""Labels of real documents, grounded in their words: how many, on the right page, at what cost.

    python bench/grounding.py [DATA_FOLDER] [--missing]

DATA_FOLDER (default: ``DOCFLEET_TEST_DATA``, else ``../shared/data``) holds ``docubench`` with ``documents`` and
``labels``. The right page is known for labels that stand, as they are written, in the text of one page only.
``--missing`` lists the labels without a match.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections import Counter
from pathlib import Path

from docfleet.core.errors import DocfleetError
from docfleet.core.settings import environment
from docfleet.tools.builtin.text_extractor.document import ReadOptions
from docfleet.tools.builtin.text_extractor.tool import reader_of, tool
from docfleet.tools.sdk import media
from docfleet.tools.sdk.grounding import WordIndex, dates, ground_result
from docfleet.tools.sdk.grounding.results import value_at
from docfleet.tools.sdk.words import Page, pack, unpack

_SHORTEST = 4  # characters of a label whose page is taken from the text
Totals = Counter[str]


def pages_of(path: Path) -> list[Page]:
    """The pages as a later tool gets them, with their text."""
    settings = {name: rule.get("default") for name, rule in tool.config.spec["properties"].items()}
    reading = ReadOptions.from_settings(settings, lambda *_: None)
    pages = reader_of(media.detect(path, path.name))(path, reading).pages
    words = unpack(pack(pages))
    for page, read in zip(words, pages, strict=True):
        page.text = read.text
    return words


def page_by_text(value: object, pages: list[Page]) -> int | None:
    """The page that has the value as it is written, where it is the only one."""
    written = [str(value)]
    if isinstance(value, int | float):
        plain = f"{abs(value):,.2f}"
        written = [plain, plain.translate(str.maketrans(",.", ".,")), plain.removesuffix(".00")]
    written = [text for text in written if len(text) >= _SHORTEST]
    pattern = re.compile("|".join(rf"(?<![\w.,]){re.escape(text)}(?![\w.,]*\d)" for text in written))
    found = [number for number, page in enumerate(pages, start=1) if written and pattern.search(page.text)]
    return found[0] if len(found) == 1 else None


def measure(path: Path, labels: Path, totals: Totals, *, missing: bool) -> None:
    """Ground the labels of one document, and print its line."""
    label = json.loads(labels.read_text("utf-8"))
    pages = pages_of(path)
    started = time.process_time()
    found = ground_result(label, WordIndex(pages))
    seconds = time.process_time() - started
    known = {pointer: page_by_text(value_at(label, pointer), pages) for pointer, each in found.items() if each.page}
    paged = {pointer: page for pointer, page in known.items() if page is not None and len(pages) > 1}
    right = sum(found[pointer].page == page for pointer, page in paged.items())
    kinds = Counter(each.match.value for each in found.values())
    totals.update(
        leaves=len(found), grounded=len(known), paged=len(paged), right=right, microseconds=int(seconds * 1e6)
    )
    print(
        f"{path.name:16} {len(pages):3} pages  {len(known):4} of {len(found):4} grounded  {right:3} of {len(paged):3} "
        f"on the page of their text  {1000 * seconds / max(len(found), 1):5.2f} ms a field  "
        + ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    )
    if missing:
        for pointer, each in found.items():
            if not each.page or (pointer in paged and paged[pointer] != each.page):
                print(f"    {pointer} {value_at(label, pointer)!r} page {each.page} (text: {known.get(pointer)})")


def main() -> int:
    """Print a line for each document, and the sum."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--missing"]
    default = environment().get("DOCFLEET_TEST_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data"
    data = Path(arguments[0] if arguments else default) / "docubench"
    if not data.is_dir():
        print(f"no labelled documents at {data}: name the folder above it as the first argument", file=sys.stderr)
        return 2
    dates.months()  # as the tool preloads them
    totals: Totals = Counter()
    for path in sorted((data / "documents").glob("*.pdf")):
        try:
            measure(path, data / "labels" / f"{path.stem}.json", totals, missing="--missing" in sys.argv)
        except DocfleetError as error:
            print(f"{path.name:16} {error.message}")
    print(
        f"grounded {totals['grounded'] / totals['leaves']:.1%} of {totals['leaves']} labels, "
        f"{totals['right'] / max(totals['paged'], 1):.1%} of {totals['paged']} on the page of their text, "
        f"{totals['microseconds'] / 1000 / totals['leaves']:.2f} ms CPU a field"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
