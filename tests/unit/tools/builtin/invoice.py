"""The text of an invoice."""

from __future__ import annotations

INVOICE = """
 Harbour Light Ltd.                       Invoice no.     Invoice date      Customer
                                          HL/2026-17      03.02.2026        4711

 2 items of something         2           10,00           20,00
 Subtotal                                                 20,00
 VAT 19%                                                   3,80
 Total due                                              € 23,80
"""
