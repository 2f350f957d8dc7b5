"""Codecs and the vocabulary every room shares: faults, ER7, charsets, XML, JSON, dates, identifiers, values."""
