"""Reads electronic invoices: Cross Industry Invoice (Factur-X, ZUGFeRD, XRechnung), UBL and FatturaPA."""
