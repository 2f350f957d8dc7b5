"""Read the signing policies of a hospital, `signing.toml`; the values are `signing/policy.py` and `signing/forms.py`.

Requirement: S3.6–S3.8
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import fields
from datetime import date
from typing import Any

from mappings.formats.values import parse_duration
from signing.algorithms import ALGORITHMS
from signing.forms import CANONICAL, LEVELS, REFERENCES, SIGNATURES, USUAL, Form, Forms, Rule
from signing.policy import CONDITIONS, DEFAULT_WARNING, SEAL, Delegation, Part, Policies, Policy, Step

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,11}")
_ROLE = re.compile(r"[a-z][a-z_]{0,47}")


def read(text: str) -> Policies:
    """Read the policies of a hospital; raise ValueError(`line: what is wrong; what to write`) at the first problem."""
    try:
        top = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        line = re.search(r"line (\d+)", str(problem))
        raise ValueError(f"{line[1] if line else 1}: {problem}; correct the TOML there") from None
    reader = _Reader(_lines(text))
    reader.only("", top, {"policy", "delegation", "high_legal_value", "form"})
    policies = tuple(reader.policy(path, table) for path, table in reader.tables("policy", top))
    seen: dict[str, str] = {}
    for index, policy in enumerate(policies):
        for paper in policy.papers or ("",):
            if paper in seen:
                reader.fail(f"policy[{index}].papers", f"{paper or 'all others'}: a policy before has them", "keep one")
            seen[paper] = paper
    delegations = tuple(reader.delegation(path, table) for path, table in reader.tables("delegation", top))
    forms = Forms(tuple(reader.form(path, table) for path, table in reader.tables("form", top)))
    return Policies(policies, delegations, reader.names("high_legal_value", top), forms)


class _Reader:
    """Turn tables into values; `lines` says where each stands."""

    def __init__(self, lines: Mapping[str, int]) -> None:
        self._lines = lines

    def fail(self, path: str, problem: str, remedy: str) -> None:
        nearest = path
        while nearest and nearest not in self._lines:
            nearest = nearest[: max(nearest.rfind("["), nearest.rfind("."), 0)]
        name = path.rpartition(".")[2]
        raise ValueError(f"{self._lines.get(nearest, 1)}: {name}: {problem}; {remedy}")

    def only(self, path: str, table: Any, known: Collection[str]) -> None:
        if not isinstance(table, dict):
            self.fail(path, "a table is expected", 'write { role = "nurse" }')
        for key in table:
            if key not in known:
                self.fail(f"{path}.{key}".lstrip("."), "unknown", f"known here: {', '.join(sorted(known))}")

    def tables(self, name: str, table: Mapping[str, Any], path: str = "") -> Iterable[tuple[str, Any]]:
        value = table.get(name, [])
        if not isinstance(value, list):
            self.fail(f"{path}.{name}".lstrip("."), "one table", f"write [[{name}]]")
        return [(f"{path}.{name}[{index}]".lstrip("."), one) for index, one in enumerate(value)]

    def policy(self, path: str, table: Any) -> Policy:
        self.only(path, table, {"papers", "within", "within_emergency", "warn", "level", "step"})
        steps = tuple(self.step(place, one) for place, one in self.tables("step", table, path))
        last = steps[-1] if steps else None
        if last is None or last.parts != (Part(SEAL),):
            self.fail(path, "does not end with the seal", f'write a last step with role = "{SEAL}" and no condition')
        names = [step.name for step in steps]
        for index, name in enumerate(names):
            if name in names[:index]:
                self.fail(f"{path}.step[{index}].name", f"{name} stands twice", "give each step a name of its own")
            if index < len(steps) - 1 and any(part.role == SEAL for part in steps[index].parts):
                self.fail(f"{path}.step[{index}].role", "the seal is not last", "move it to the end")
        warn = table.get("warn", DEFAULT_WARNING)
        if not isinstance(warn, (int, float)) or isinstance(warn, bool) or not 0 < warn <= 1:
            self.fail(f"{path}.warn", "not a share of the time", "write a number such as 0.75")
        within, emergency = self.seconds(f"{path}.within", table), self.seconds(f"{path}.within_emergency", table)
        level = table.get("level", "")
        if "level" in table and level not in LEVELS:
            self.fail(f"{path}.level", "not a level", f"one of {', '.join(LEVELS)}")
        return Policy(self.names("papers", table, path), steps, within, emergency, float(warn), level)

    def step(self, path: str, table: Any) -> Step:
        own = {"name", "within", "countersigns"}
        single = {field.name for field in fields(Part)} - {"classes"} | {"class"}
        self.only(path, table, own | single | {"parallel"})
        if ("role" in table) == ("parallel" in table):
            self.fail(path, "one of role and parallel says who signs", 'write role = "treating_doctor"')
        if "parallel" in table:
            for key in table.keys() & single:
                self.fail(f"{path}.{key}", "belongs to one signature", "write it inside parallel = [{ … }]")
            places = self.tables("parallel", table, path)
            for place, one in places:
                self.only(place, one, single)
            parts = tuple(self.part(place, one) for place, one in places)
            roles = [part.role for part in parts]
            if len(parts) < 2 or len(set(roles)) < len(roles):
                self.fail(f"{path}.parallel", "two roles or more, each once", 'write [{ role = "a" }, { role = "b" }]')
        else:
            parts = (self.part(path, table),)
        name = table.get("name", parts[0].role.replace("_", "-")[:12].strip("-"))
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            self.fail(f"{path}.name", "not a name", "small letters, digits and dashes, 12 at most")
        countersigns = self.flag(f"{path}.countersigns", table)
        return Step(name, parts, self.seconds(f"{path}.within", table), countersigns)

    def part(self, path: str, table: Mapping[str, Any]) -> Part:
        role = self.role(f"{path}.role", table.get("role"))
        skippers = tuple(
            self.role(f"{path}.may_be_skipped_by", name) for name in self.names("may_be_skipped_by", table, path)
        )
        part = Part(
            role,
            self.flag(f"{path}.optional", table),
            skippers,
            self.conditions("when", table, path),
            self.names("class", table, path),
            self.conditions("in_person", table, path),
        )
        if part.role == SEAL and part != Part(SEAL):
            self.fail(path, "the seal is neither left out nor conditional", "take its other settings away")
        return part

    def delegation(self, path: str, table: Any) -> Delegation:
        self.only(path, table, {field.name for field in fields(Delegation)})
        for key in ("of", "to"):
            if not isinstance(table.get(key), str) or not table[key]:
                self.fail(f"{path}.{key}", "a code of the staff is expected", f'write {key} = "BS001"')
        role = self.role(f"{path}.role", table.get("role"))
        if role == SEAL:
            self.fail(f"{path}.role", "nobody stands in for the seal", "name the role of a person")
        since, until = self.day(f"{path}.since", table), self.day(f"{path}.until", table)
        if until < since:
            self.fail(f"{path}.until", "before since", "write a later day")
        if table["of"] == table["to"]:
            self.fail(f"{path}.to", "the same person", "name who stands in")
        basis = table.get("basis", "")
        if not isinstance(basis, str):
            self.fail(f"{path}.basis", "text is expected", 'write basis = "QĐ 12/QĐ-BV"')
        return Delegation(table["of"], table["to"], role, since, until, self.names("papers", table, path), basis)

    def form(self, path: str, table: Any) -> Rule:
        settings = {
            "signature": SIGNATURES,
            "reference": REFERENCES,
            "canonical": tuple(CANONICAL),
            "level": LEVELS,
        }
        self.only(path, table, {"papers", "destinations", "algorithm", "provenance", *settings})
        chosen: dict[str, str] = {}
        for name, known in settings.items():
            value = table.get(name, "")
            if name in table and value not in known:
                self.fail(f"{path}.{name}", "not known", f"one of {', '.join(known)}")
            chosen[name] = value
        named = table.get("algorithm", [])
        algorithms = self.names("algorithm", {"algorithm": [named] if isinstance(named, str) else named}, path)
        for one in algorithms:
            if one not in ALGORITHMS:
                self.fail(f"{path}.algorithm", f"{one} is none", f"known: {', '.join(ALGORITHMS)}")
        provenance = "yes" if self.flag(f"{path}.provenance", table) else ""
        form = Form(**chosen, algorithms=algorithms, provenance=provenance)
        if form == USUAL:
            self.fail(path, "states nothing", 'write what it is for, such as reference = "parts"')
        papers, destinations = self.names("papers", table, path), self.names("destinations", table, path)
        return Rule(form, papers, destinations, self.line(path))

    def line(self, path: str) -> int:
        return self._lines.get(path, 1)

    def role(self, path: str, value: Any) -> str:
        if not isinstance(value, str) or not _ROLE.fullmatch(value):
            self.fail(path, "not a role", 'write one such as "treating_doctor", "head_of_department", "director"')
        return str(value)

    def conditions(self, name: str, table: Mapping[str, Any], path: str) -> tuple[str, ...]:
        found = self.names(name, table, path)
        for one in found:
            if one not in CONDITIONS:
                self.fail(f"{path}.{name}", f"{one} is no condition", f"known: {', '.join(CONDITIONS)}")
        return found

    def names(self, name: str, table: Mapping[str, Any], path: str = "") -> tuple[str, ...]:
        value = table.get(name, [])
        if not isinstance(value, list) or any(not isinstance(one, str) or not one for one in value):
            self.fail(f"{path}.{name}".lstrip("."), "a list of names is expected", f'write {name} = ["a", "b"]')
        return tuple(value)

    def flag(self, path: str, table: Mapping[str, Any]) -> bool:
        value = table.get(path.rpartition(".")[2], False)
        if not isinstance(value, bool):
            self.fail(path, "neither true nor false", "write true")
        return bool(value)

    def seconds(self, path: str, table: Mapping[str, Any]) -> int:
        value = table.get(path.rpartition(".")[2])
        if value is None:
            return 0
        try:
            found = round(parse_duration(value).total_seconds())
        except (ValueError, TypeError, AttributeError):
            found = 0
        if found <= 0:
            self.fail(path, "not a time", 'write one such as "24h" or "3d"')
        return found

    def day(self, path: str, table: Mapping[str, Any]) -> date:
        value = table.get(path.rpartition(".")[2])
        if type(value) is not date:
            self.fail(path, "not a day", "write one such as 2026-11-21, without quotes")
        assert isinstance(value, date)
        return value


def _lines(text: str) -> dict[str, int]:
    """Map `policy[0].step[1].role` and the like to lines counted from 1."""
    lines: dict[str, int] = {}
    counts: dict[str, int] = {}
    prefix = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\[\s*([\w.]+)\s*\]\]", line):
            prefix = ""
            *above, name = header[1].split(".")
            for part in above:
                prefix = f"{prefix}.{part}".lstrip(".")
                prefix = f"{prefix}[{counts[prefix] - 1}]" if prefix in counts else prefix
            prefix = f"{prefix}.{name}".lstrip(".")
            counts[prefix] = counts.get(prefix, 0) + 1
            prefix = f"{prefix}[{counts[prefix] - 1}]"
            lines[prefix] = number
        elif key := re.match(r"\s*([\w-]+)\s*=", line):
            lines.setdefault(f"{prefix}.{key[1]}".lstrip("."), number)
    return lines
