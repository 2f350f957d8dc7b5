"""Logs without patients: an error is told by its type and place, never by its text (promise P9).

Python's own errors quote what they choked on (`invalid literal for int(): 'Nguyễn…'`), so their texts and tracebacks with
source lines are not logged; type, file, line and function are enough to find the place.
"""

from __future__ import annotations

import logging
import sys
import traceback
import warnings

from mappings.formats.faults import Fault


def describe(error: BaseException) -> str:
    """Return type and innermost places of an error; the whole text only for a fault of ours, which is free of data."""
    if isinstance(error, Fault):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    places = " < ".join(
        f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} {frame.name}" for frame in reversed(frames)
    )
    return f"{type(error).__name__} at {places or 'unknown place'}"


class _Formatter(logging.Formatter):
    def formatException(self, ei: object) -> str:  # noqa: N802 - logging's own name
        error = sys.exc_info()[1] if not isinstance(ei, tuple) else ei[1]
        return describe(error) if isinstance(error, BaseException) else ""


def configure(level: str = "INFO") -> None:
    """Log to standard error, one line per record, tracebacks reduced to places."""
    logging.raiseExceptions = False  # a log line that fails would print its arguments
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("psycopg").setLevel(logging.ERROR)  # a collision between nodes is told by the store
    for quoting in ("pydicom", "pynetdicom"):  # both tell what they choked on, also as warnings
        logging.getLogger(quoting).setLevel(logging.CRITICAL)
        warnings.filterwarnings("ignore", module=quoting)
    for noisy in ("httpx", "httpcore", "alembic", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
