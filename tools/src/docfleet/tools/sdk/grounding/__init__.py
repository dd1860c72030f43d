"""Grounding: where the values of a result stand in the document that they were read from.

``ground`` finds one value, ``ground_result`` all values of a result, ``report`` adds checks and the confidence of each
field. All work on a ``WordIndex``, which is made once for a document.
"""

from docfleet.tools.sdk.grounding.confidence import Calibration, Sample, calibrate, confidence
from docfleet.tools.sdk.grounding.index import WordIndex
from docfleet.tools.sdk.grounding.reports import calibration_of, report
from docfleet.tools.sdk.grounding.results import ground, ground_result

__all__ = [
    "Calibration",
    "Sample",
    "WordIndex",
    "calibrate",
    "calibration_of",
    "confidence",
    "ground",
    "ground_result",
    "report",
]
