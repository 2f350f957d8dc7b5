"""Every value of a message: to compare two messages, and to write one anew."""

from __future__ import annotations

from mappings.formats import er7
from mappings.formats.er7_writer import Component, Repetition, Segment


def leaves(message: er7.Message) -> dict[str, str]:
    """Give position → text of every value that says something, null included."""
    found: dict[str, str] = {}
    for segment in message.segments:
        for n in segment.populated():
            place = f"{segment.position()}-{n}"
            if segment[n].is_null:
                found[place] = er7.NULL
            for r, one in enumerate(segment[n].repetitions, 1):
                for c, component in enumerate(components(one), 1):
                    for s, text in enumerate([component] if isinstance(component, str) else component, 1):
                        if text:
                            found[f"{place}[{r}].{c}.{s}"] = text
    return found


def components(one: er7.Repetition) -> tuple[Component, ...]:
    return tuple(
        er7.NULL
        if one.is_null_component(c)
        else one.c(c)
        if one.subcomponents(c) < 2
        else tuple(one.c(c, s) for s in range(1, one.subcomponents(c) + 1))
        for c in range(1, one.components + 1)
    )


def anew(message: er7.Message) -> list[Segment]:
    """Give the segments that say the same."""
    return [
        Segment(segment.name, {n: field(segment[n]) for n in segment.populated() if segment.name != "MSH" or n > 2})
        for segment in message.segments
    ]


def field(read: er7.Field) -> str | list[Repetition]:
    return er7.NULL if read.is_null else [components(one) for one in read.repetitions]
