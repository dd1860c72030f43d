"""Names of companies: by the legal forms of many countries."""

from __future__ import annotations

import re

_FORMS = (
    r"s[do]n\.?\s*b[hn]d\.?", "bhd", "s/b", "enterprise", "trading", "restoran", "restaurant",
    r"pte\.?\s*ltd\.?", r"pvt\.?\s*ltd\.?", r"pty\.?\s*ltd\.?", r"ltd\.?", "limited", "llc", "llp", r"inc\.?",
    r"corp\.?", "plc", "gmbh", "ag", r"kg", "ohg", r"e\.\s?k\.", r"e\.\s?v\.", "gbr", "ug", r"a\.\s?g\.",
    "sarl", "sàrl", "sas", "sasu", "eurl", r"s\.?a\.?", r"s\.?r\.?l\.?", r"s\.?p\.?a\.?", r"s\.?l\.?u?\.?",
    "lda", "ltda", r"b\.?v\.?", r"n\.?v\.?", "ab", "as", "asa", "a/s", "aps", "oy", "oyj", "ehf",
    r"sp\.?\s*z\s*o\.?\s*o\.?", r"s\.?\s?r\.?\s?o\.?", r"a\.s\.", "kft", "zrt", "bt", r"d\.?o\.?o\.?",
    r"d\.d\.", "uab", "sia", "oü", r"a\.ş\.", r"ltd\.?\s*şti\.?", "ооо", "оао", "зао", "тов", "еоод", "оод",
    "ад", "ае", "επε", r"α\.?ε\.?", "pt", "cv",
)  # fmt: skip
LEGAL_FORM = re.compile(rf"(?<![\w.])(?:{'|'.join(_FORMS)})(?![\w])|株式会社|有限会社|有限公司|주식회사", re.IGNORECASE)
