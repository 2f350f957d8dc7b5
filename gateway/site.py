"""Load a hospital's own habits: the folder `site/` beside the channels.

`*.py` register replacements and segment readings with `mappings.hl7v2.site`; `*.csv` are code tables, read before the usual
table of the same name; `insurance/*.csv` are the lists of insurance files (`mappings/bhyt/lists.py`); `lab/*.toml` are dialects
of laboratory instruments (`mappings/lab/profiles.py`), `lab/ranges.csv` and `lab/critical.csv` limits of results
(`mappings/lab/limits.py`); `forms.toml` adds rows to printed papers, `rules.toml` says differently when a paper is due,
`devices.toml` which values of monitors are kept. Everything is loaded once per process, in the order of the file names, before
the first message. A file that cannot be used is one problem with file and line, and the start is refused.
"""

from __future__ import annotations

import difflib
import inspect
import re
import traceback
from collections.abc import Callable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from gateway.faults import ConfigInvalid, SiteInvalid
from mappings import codes
from mappings.bhyt import lists
from mappings.bhyt.faults import ListInvalid
from mappings.device import decimation
from mappings.documents import form, rules
from mappings.hl7v2 import mappers, site
from mappings.lab import limits, profiles

FOLDER = "site"
INSURANCE = "insurance"
LABORATORY = "lab"
_TABLES = {"forms.toml": form.add_own_rows, "rules.toml": rules.replace, "devices.toml": decimation.replace}


def load_site(folder: Path) -> None:
    """Load the site files in `folder`, forgetting what was loaded before; raise ConfigInvalid carrying every problem.

    A folder that is not there is an empty one.
    """
    site.forget()
    codes.forget()
    form.forget()
    rules.forget()
    decimation.forget()
    mappers()
    lists.use(lists.NONE)
    problems = [problem for path in sorted(folder.glob("*")) if path.is_file() for problem in _load(path)]
    problems += _insurance(folder / INSURANCE)
    problems += _laboratory(folder / LABORATORY)
    if problems:
        raise ConfigInvalid(tuple(problems))


def _insurance(folder: Path) -> Iterator[SiteInvalid]:
    """Take the lists of insurance files into use."""
    found: dict[str, lists.SiteList] = {}
    for path in sorted(folder.glob("*.csv")):
        try:
            found[path.stem] = lists.parse_list(path.stem, path.read_text(encoding="utf-8-sig"))
        except (ListInvalid, OSError, ValueError) as error:
            line = error.where.rpartition(":")[2] if isinstance(error, ListInvalid) else ""
            detail = error.detail if isinstance(error, ListInvalid) else type(error).__name__
            yield SiteInvalid(f"{FOLDER}/{INSURANCE}/{path.name}:{line if line.isdigit() else 1}", detail)
    lists.use(lists.Lists(found))


def _laboratory(folder: Path) -> Iterator[SiteInvalid]:
    """Take the dialects of instruments into use."""
    found: list[profiles.Profile] = []
    for path in sorted(folder.glob("*.toml")):
        try:
            found.append(profiles.parse(path.stem, path.read_text(encoding="utf-8")))
        except (ValueError, OSError) as error:
            line = re.search(r"line (\d+)", str(error))
            yield SiteInvalid(f"{FOLDER}/{LABORATORY}/{path.name}:{line[1] if line else 1}", str(error))
    profiles.use(found)
    tables: dict[str, list[limits.Limit]] = {}
    for path in (folder / f"{name}.csv" for name in ("ranges", "critical")):
        if path.is_file():
            try:
                tables[path.stem] = limits.parse(path.read_text(encoding="utf-8-sig"))
            except (ValueError, OSError) as error:
                number, _, detail = str(error).partition(": ")
                where = f"{FOLDER}/{LABORATORY}/{path.name}:{number if number.isdigit() else 1}"
                yield SiteInvalid(where, detail or str(error))
    limits.use(**tables)


def _load(path: Path) -> Iterator[SiteInvalid]:
    if path.suffix == ".py":
        yield from _python(path)
    elif path.suffix == ".csv":
        try:
            codes.extend(path.stem, path.read_text(encoding="utf-8"))
        except (ValueError, OSError) as error:
            line, _, detail = str(error).partition(": ")
            yield SiteInvalid(f"{FOLDER}/{path.name}:{line if line.isdigit() else 1}", detail or str(error))
    elif path.name in _TABLES:
        try:
            _TABLES[path.name](path.read_text(encoding="utf-8"))
        except (ValueError, TypeError, OSError) as error:
            yield SiteInvalid(f"{FOLDER}/{path.name}:1", str(error))


def _python(path: Path) -> Iterator[SiteInvalid]:
    spec = spec_from_file_location(f"lienthong_site_{path.stem}", path)
    if spec is None or spec.loader is None:
        yield SiteInvalid(f"{FOLDER}/{path.name}:1", "not a Python file")
        return
    before = dict(site.replacements())
    try:
        spec.loader.exec_module(module_from_spec(spec))
    except site.NotReplaceable as error:
        name = str(error)
        close = difflib.get_close_matches(name, site.replaceable_names(), n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        yield SiteInvalid(_place(path, error), f"no mapping function is called {name}{hint}")
        return
    except SyntaxError as error:
        yield SiteInvalid(f"{FOLDER}/{path.name}:{error.lineno or 1}", f"SyntaxError: {error.msg}")
        return
    except Exception as error:  # noqa: BLE001 - whatever the file does, it is a problem of that file
        yield SiteInvalid(_place(path, error), f"{type(error).__name__}: {error}")
        return
    for name, (own, usual) in site.replacements().items():
        if before.get(name, (None, None))[0] is not own and (wrong := _mismatch(own, usual)):
            yield SiteInvalid(f"{FOLDER}/{path.name}:{own.__code__.co_firstlineno}", f"{name}: {wrong}")


def _place(path: Path, error: Exception) -> str:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f"{FOLDER}/{path.name}:{lines[-1] if lines else 1}"


def _mismatch(own: Callable[..., Any], usual: Callable[..., Any]) -> str:
    """Say how the parameters of a replacement differ from those it is called with; `""` when they fit."""
    wanted = list(inspect.signature(usual).parameters)
    try:
        inspect.signature(own).bind(*wanted, usual=usual)
    except TypeError as error:
        return f"parameters should be ({', '.join([*wanted, 'usual'])}): {error}"
    return ""
