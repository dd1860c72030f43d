"""Grounding: where the values of a result stand in the document that they were read from.

``ground`` finds one value, ``ground_result`` all values of a result; both work on a ``WordIndex``, which is made once
for a document.
"""

from docfleet.tools.sdk.grounding.index import WordIndex
from docfleet.tools.sdk.grounding.results import ground, ground_result

__all__ = ["WordIndex", "ground", "ground_result"]
