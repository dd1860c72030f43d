"""Which PDF pages have to be recognised from their picture, and how that joins what is typed on them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from docfleet.tools.builtin.text_extractor.document import ReadOptions
from docfleet.tools.sdk.words import Word

if TYPE_CHECKING:
    import pypdfium2 as pdfium
    from PIL.Image import Image

# A page that draws something and has fewer visible characters than this is a scan.
_FEW_CHARACTERS = 4
# Beyond this share, or this number, of doubtful characters the fonts of the page do not say what it reads.
_DOUBTFUL_SHARE, _DOUBTFUL_CHARACTERS = 0.1, 20
# A picture that covers the first share of the page is the page, if few words in few rows are typed on it. One that
# covers the second share is, if no more than a page number, a stamp or the line of a fax is typed.
_PAGE, _FEW_WORDS, _FEW_ROWS = 0.5, 40, 0.1
_PART, _LINE = 0.08, 15
# A picture that covers this share is read, too, where only a header and a caption are typed around it.
_FIGURE = 0.25
# Below this share of words and numbers, the text behind a scan is what a failed recognition left.
_PLAUSIBLE = 0.5
_TOKEN = re.compile(
    r"[\W_]?(?:[^\W\d_]{2,}|[aioAIOàéèyYeuöÖåÅ]|[+\-]?[\d.,:/\-]*\d[\d.,:/\-%€$£]*|[\w\-.'/@]{3,})[\W_]{0,2}"
)
# Words that are recognised in a photograph of no text are this doubtful on average.
_NO_TEXT = 0.45
_POINTS_PER_INCH = 72
# A picture narrower than this holds no word.
_WORD_PIXELS = 60
_DEEPEST = 3


def needs_ocr(page: pdfium.PdfPage, words: list[Word], doubtful: list[Word]) -> bool:
    """Whether the typed ``words`` of the page are not all of its text, or not its text."""
    visible = sum(len(word.text) for word in words)
    if visible < _FEW_CHARACTERS:
        return next(iter(page.get_objects(max_depth=2)), None) is not None
    in_doubt = sum(len(word.text) for word in doubtful)
    if in_doubt >= _DOUBTFUL_CHARACTERS or in_doubt > _DOUBTFUL_SHARE * visible:
        return True
    few, low = len(words) < _FEW_WORDS, _rows(words) < _FEW_ROWS * page.get_height()
    if not (few or low or not is_plausible(words)):
        return False
    shown = _shown_as_pictures(page)
    return shown >= (_FIGURE if few and low else _PAGE) or (
        shown >= _PART and (len(words) < _LINE or not is_plausible(words))
    )


def is_plausible(words: Iterable[Word]) -> bool:
    """Whether these could be words: a failed recognition leaves punctuation and single letters."""
    total = good = 0
    for word in words:
        total += len(word.text)
        good += len(word.text) if _TOKEN.fullmatch(word.text) or not word.text.isascii() else 0
    return good >= _PLAUSIBLE * total


def joined(typed: list[Word], seen: list[Word]) -> list[Word]:
    """The typed words, and those of the picture that stand elsewhere."""
    if typed and seen and sum(word.confidence or 0 for word in seen) < _NO_TEXT * len(seen):
        return typed
    return typed + [word for word in seen if not any(_covers(other, word) for other in typed)]


def _covers(typed: Word, seen: Word) -> bool:
    across = min(typed.right, seen.right) - max(typed.left, seen.left)
    down = min(typed.bottom, seen.bottom) - max(typed.top, seen.top)
    if across <= 0 or down <= 0:
        return False
    smaller = min(
        (typed.right - typed.left) * typed.height,
        (seen.right - seen.left) * seen.height,
    )
    return across * down > 0.4 * smaller


def _rows(words: list[Word]) -> float:
    """How much of the height of the page has words beside it."""
    covered, end = 0.0, float("-inf")
    for word in sorted(words, key=lambda word: word.top):
        covered += max(0.0, word.bottom - max(word.top, end))
        end = max(end, word.bottom)
    return covered


def _shown_as_pictures(page: pdfium.PdfPage) -> float:
    """The share of the page that pictures cover; a scan may come in strips."""
    import pypdfium2 as pdfium
    import pypdfium2.raw as raw

    left, bottom, right, top = (float(edge) for edge in page.get_bbox())
    area = 0.0
    for item in page.get_objects(max_depth=1):
        if item.type == raw.FPDF_PAGEOBJ_FORM:
            # Its parts have places in a space of its own.
            if next(iter(_images(item.raw, 1)), None) is None:
                continue
        elif item.type != raw.FPDF_PAGEOBJ_IMAGE:
            continue
        try:
            x0, y0, x1, y1 = item.get_bounds()
        except pdfium.PdfiumError:
            continue
        area += max(0.0, min(x1, right) - max(x0, left)) * max(0.0, min(y1, top) - max(y0, bottom))
    return area / max((right - left) * (top - bottom), 1.0)


def _images(form: object, depth: int) -> Iterator[object]:
    """The pictures in a form object."""
    import pypdfium2.raw as raw

    for index in range(max(raw.FPDFFormObj_CountObjects(form), 0)):
        item = raw.FPDFFormObj_GetObject(form, index)
        kind = raw.FPDFPageObj_GetType(item)
        if kind == raw.FPDF_PAGEOBJ_IMAGE:
            yield item
        elif kind == raw.FPDF_PAGEOBJ_FORM and depth < _DEEPEST:
            yield from _images(item, depth + 1)


def pictures(page: pdfium.PdfPage, reading: ReadOptions) -> Iterator[Image]:
    """The pictures on a page that could hold words, such as a letterhead that is one image."""
    import pypdfium2 as pdfium
    import pypdfium2.raw as raw

    for item in page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=_DEEPEST):
        width, height = item.get_px_size()
        if width >= _WORD_PIXELS and height >= _WORD_PIXELS // 3 and width * height <= reading.max_pixels:
            try:
                yield item.get_bitmap(render=True).to_pil()
            except pdfium.PdfiumError:
                continue  # one picture in an exotic encoding must not fail the page


def rendered(page: pdfium.PdfPage, reading: ReadOptions) -> Image:
    """The page as a grey picture, at the resolution of the settings or as large as they allow."""
    width, height = page.get_size()
    scale = reading.ocr_dpi / _POINTS_PER_INCH
    pixels = width * height * scale * scale
    if pixels > reading.max_pixels:
        # A poster is readable at a lower resolution too; a page is never refused for its size.
        scale *= (reading.max_pixels / pixels) ** 0.5
    picture: Image = page.render(scale=scale, grayscale=True).to_pil()
    return picture
