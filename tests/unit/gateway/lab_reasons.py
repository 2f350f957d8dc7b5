"""The reasons that the mapping of laboratory instruments gives for fields that are ignored or unknown."""

from __future__ import annotations

from mappings.lab import fields, profiles, reasons, report


def lab_reasons() -> set[str]:
    """Collect them from the tables and the dialects."""
    found = {said for name, said in vars(reasons).items() if name.isupper()}
    found |= {reason for table in fields.IGNORED.values() for reason in table.values()} | set(fields.WHOLE.values())
    found |= report.REASONS
    return found | {reason for one in profiles.profiles().values() for reason in one.left_out.values()}
