"""Elements that many resources hold: made once, checked once, never changed.

The same coded value comes in every message of a hospital: the same test, unit, interpretation. `Shared` is such an element.
It is a dict like any other to readers and to JSON; changing it is an error, because everybody else's would change too: copy it
with `dict(...)` or `{**...}` first.
"""

from __future__ import annotations

from typing import Any, NoReturn


class Shared(dict[str, Any]):
    """An element that must not be changed in place."""

    __slots__ = ("sound",)

    def __init__(self, element: dict[str, Any]) -> None:
        super().__init__(element)
        self.sound: object = None
        """The shape that found this element sound; set by `mappings/fhir/check.py`."""

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("a shared element is copied before it is changed")

    __setitem__ = _refuse
    __delitem__ = _refuse
    __ior__ = _refuse
    clear = _refuse
    pop = _refuse
    popitem = _refuse
    setdefault = _refuse
    update = _refuse

    def __copy__(self) -> dict[str, Any]:
        return dict(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Shared:
        return self

    def __reduce__(self) -> tuple[type[dict[str, Any]], tuple[dict[str, Any]]]:
        return dict, (dict(self),)
