"""How much of one object is read. Values of settings; numbers are bytes unless they say otherwise."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bound the memory that one header takes, whatever the object says about itself."""

    value: int = 64 * 1024
    """Longest value, and longest sequence of a picture, that is kept; longer ones are left out with their length."""
    private_binary: int = 1024
    """Longest binary value of a private attribute that is kept: makers put whole protocols into every slice."""
    header: int = 4 * 1024**2
    """All values kept of one picture; the rest is left out and noticed."""
    whole: int = 16 * 1024**2
    """All values of an object that is read whole (SR, KO, PR, encapsulated document); a larger one is a fault."""
    inflated: int = 64 * 1024**2
    """What a deflated header may become."""
    depth: int = 64
    """Sequences within sequences."""


DEFAULT = Limits()
