"""Write docs/connectors.md from the settings themselves: what can be set, of which form, with which default, for what.

    python docs/generate_connectors.py            write the page
    python docs/generate_connectors.py --check    exit 1 when the page is not what the settings say

A setting is a field of a frozen dataclass, and its meaning is the string literal under the field; this reads both.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from textwrap import dedent
from typing import Any, Literal

from connectors import kinds
from connectors.dicom_peer import PacsSettings
from gateway import settings
from gateway.delivery.limits import Breaker, Limit
from gateway.delivery.retry import Retry
from mappings import documents
from mappings.bhyt.settings import Settings as InsuranceSettings
from mappings.cda import Settings as CdaSettings
from mappings.formats.values import Secret, Size
from mappings.systems import Systems
from signing import keys

PAGE = Path(__file__).with_name("connectors.md")

_FORMS: dict[object, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true, false",
    Secret: '`"secret:name"`',
    Size: "size, `64KB`, `20MB`",
    timedelta: "duration, `5s`, `24h`",
}
_UNITS = (("d", 86400.0), ("h", 3600.0), ("m", 60.0), ("s", 1.0))
_POLICIES = (Retry, Limit, Breaker)

_HEAD = """\
# Settings: node, channels, connectors, keys

<!-- Written by docs/generate_connectors.py from the code; a test fails when it is stale. Do not edit by hand. -->

Every setting there is, with its form, its default and its meaning. **required** has no default. How the files lie
together, with a whole example: [operations.md](operations.md). `lienthong check` names every mistake with file, line
and remedy.

*Trang này liệt kê mọi thông số, được sinh ra từ mã nguồn nên bằng tiếng Anh; cách cài đặt, ví dụ đầy đủ và giải thích bằng
tiếng Việt: [van-hanh.md](van-hanh.md).*

A secret is never written in these files: `"secret:name"` is found in the environment as `LIENTHONG_SECRET_NAME` (other
signs than letters and digits become `_`), else in the file `secrets/name` beside node.toml. Durations: `250ms`, `5s`,
`15m`, `24h`, `7d`. Sizes: `64KB`, `20MB`, `1GB`, in powers of 1024.
"""


def page() -> str:
    """Give the whole page."""
    return "\n".join([_HEAD, *_node(), *_keys(), *_channel(), *_sources(), *_destinations()])


def stale(path: Path = PAGE) -> bool:
    """Say whether a page is not what the settings say now."""
    return not path.is_file() or path.read_text(encoding="utf-8") != page()


def _node() -> Iterator[str]:
    yield "## node.toml\n"
    for name, cls in (
        ("facility", settings.FacilitySettings),
        ("node", settings.NodeSettings),
        ("store", settings.StoreSettings),
        ("systems", Systems),
        ("cda", CdaSettings),
        ("http", settings.HttpSettings),
        ("verify", settings.VerifySettings),
        ("trace", settings.TraceSettings),
        ("insurance", InsuranceSettings),
    ):
        yield f"### `[{name}]`\n\n{_doc(cls)}\n"
        yield _table(cls)
    yield f"### `[[api.client]]`\n\n{_doc(settings.ClientSettings)}\n"
    yield _table(settings.ClientSettings)
    yield f"### `[[pacs]]`\n\n{_doc(PacsSettings)}\n"
    yield _table(PacsSettings)
    yield f"### `[[signer]]`\n\n{_doc(settings.SignerSettings)}\n"
    yield _table(settings.SignerSettings)
    yield (
        "`key = { kind = …, … }` is that key, with the settings of its kind below; a secret that is left out, such as the PIN, "
        "is asked for when the person signs. Without `key` the person signs elsewhere.\n"
    )


def _keys() -> Iterator[str]:
    yield "### `[signing]` and `[transport]`\n"
    yield (
        "`[signing]` is the key that signs papers; `[transport]` the key that seals envelopes, the signing key when it is "
        f"not written. `kind` is one of {_names(keys.kinds())}, `pkcs12` unless written. `trust` is a list of PEM files "
        "of roots; `lienthong check` reads them. `file` and `trust` count from the folder of node.toml.\n"
    )
    for kind in keys.kinds():
        cls = keys.key_settings(kind)
        yield f'#### `kind = "{kind}"`\n\n{_doc(inspect.getmodule(cls))}\n'
        yield _table(cls)


def _channel() -> Iterator[str]:
    yield "## channels/*.toml\n\nOne file is one channel.\n"
    yield _table(settings.ChannelSettings)
    yield "Papers for `produce`:\n"
    yield "\n".join(f"- `{paper}`: {documents.title(paper)}" for paper in documents.DOCUMENTS) + "\n"
    yield "### `source = { kind = … }`\n\nWhat listens; the kinds are below.\n"
    yield f"### `[[destination]]`\n\n{_doc(settings.RouteSettings)} `kind` chooses one of the kinds below.\n"
    yield _table(settings.RouteSettings)
    for policy in _POLICIES:
        yield f"#### `{policy.__name__.lower()} = {{ … }}`\n\n{_doc(policy)}\n"
        yield _table(policy)
    yield f"### `[[test]]`\n\n{_doc(settings.Test)} Both files are named from the folder `channels/`.\n"
    yield _table(settings.Test)


def _sources() -> Iterator[str]:
    for kind in kinds.source_kinds():
        cls, made = kinds.load_source(kind)
        yield f"## Source `{kind}`\n\n{_doc(inspect.getmodule(made))}\n"
        yield _table(cls)


def _destinations() -> Iterator[str]:
    for kind in kinds.destination_kinds():
        cls, made = kinds.load_destination(kind)
        yield f"## Destination `{kind}`\n\n{_doc(inspect.getmodule(made))}\n\n{_carries(cls)}\n"
        yield _table(cls)


def _carries(cls: type[Any]) -> str:
    takes = cls.takes
    if isinstance(takes, str):
        return f"Carries the rendition `{takes}`."
    return "Which rendition it carries is a setting."


def _table(cls: type[Any]) -> str:
    hints, meanings = typing.get_type_hints(cls), _meanings(cls)
    rows = ["| setting | form | default | meaning |", "|---|---|---|---|"]
    for field in dataclasses.fields(cls):
        cells = (f"`{field.name}`", _form(hints[field.name]), _default(field), meanings.get(field.name, ""))
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows) + "\n"


def _meanings(cls: type[Any]) -> dict[str, str]:
    """Read the string literal under each field, those of the classes above too."""
    found: dict[str, str] = {}
    for above in filter(dataclasses.is_dataclass, cls.__bases__):
        found |= _meanings(above)
    (body,) = ast.parse(dedent(inspect.getsource(cls))).body
    assert isinstance(body, ast.ClassDef)
    for field, under in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            text = under.value.value if isinstance(under, ast.Expr) and isinstance(under.value, ast.Constant) else ""
            found[field.target.id] = " ".join(str(text).split())
    return found


def _form(hint: Any) -> str:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _form(next(arg for arg in inner if arg is not type(None)))
    if origin is tuple:
        return f"list of {_form(inner[0])}"
    if origin is Mapping:
        return f"table of {_form(inner[1])}"
    if origin is Literal:
        return ", ".join(f'`"{choice}"`' for choice in inner)
    if dataclasses.is_dataclass(hint):
        return "table, see below"
    return _FORMS.get(hint, "path of a file" if hint is Path else "text")


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default_factory is not dataclasses.MISSING:
        return "its defaults"
    if field.default is dataclasses.MISSING:
        return "**required**"
    return f"`{_written(field.default)}`"


def _written(value: object) -> str:
    """Write a value as configuration would."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
        unit, size = next(((u, s) for u, s in _UNITS if seconds and seconds % s == 0), ("ms", 0.001))
        return f'"{round(seconds / size)}{unit}"'
    if isinstance(value, Size):
        unit, size = next(((u, s) for u, s in (("MB", 1024**2), ("KB", 1024)) if value % s == 0), ("B", 1))
        return f'"{value // size}{unit}"'
    if isinstance(value, tuple):
        return "[" + ", ".join(_written(entry) for entry in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _doc(thing: object) -> str:
    """Give a docstring, its paragraphs in one line each."""
    text = inspect.cleandoc(getattr(thing, "__doc__", None) or "")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _names(values: tuple[str, ...]) -> str:
    return ", ".join(f"`{value}`" for value in values)


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        sys.exit(1 if stale() else 0)
    PAGE.write_text(page(), encoding="utf-8")
