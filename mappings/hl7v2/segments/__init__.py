"""One module per segment, named by it: `pid.py`, `obx.py`.

A module has mapping functions `<segment>_to_<resource>(segment, draft)` and a table `IGNORED`: field number → why it is left
out on purpose. Modules are found by name; adding a segment is adding a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.util import find_spec

SEQUENCE = "sequence number of the sender; order is kept by position"
LEDGER = "about the transport; kept in the ledger with the message"
BILLING = "billing; not part of the clinical record"

_NOTHING: Mapping[int, str] = {}


@cache
def ignored(name: str) -> Mapping[int, str]:
    """Give the fields of segment `name` that are left out on purpose, with the reason."""
    module = f"{__name__}.{name.lower()}"
    if find_spec(module) is None:
        return _NOTHING
    table: Mapping[int, str] = import_module(module).IGNORED
    return table
