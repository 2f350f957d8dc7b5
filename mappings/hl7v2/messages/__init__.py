"""One module per family of messages: `adt.py`, `oru.py`.

A module declares the triggers it serves in `TRIGGERS` and maps with `map_message(draft) -> None`; a trigger without event
(`ACK`) stands for every event of its type. Modules are found by name; adding a message type is adding a file.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from mappings.hl7v2.draft import Draft

Mapper = Callable[[Draft], None]


@cache
def mappers() -> dict[str, Mapper]:
    """Give the mapper of every trigger, such as `ADT^A01`."""
    found: dict[str, Mapper] = {}
    for entry in iter_modules(__path__):
        module = import_module(f"{__name__}.{entry.name}")
        for trigger in module.TRIGGERS:
            if trigger in found:
                raise RuntimeError(f"two modules serve {trigger}")
            found[trigger] = module.map_message
    return found


def mapper_of(trigger: str) -> Mapper | None:
    """Give the mapper of a trigger, else that of every event of its type."""
    return mappers().get(trigger) or mappers().get(trigger.partition("^")[0])
