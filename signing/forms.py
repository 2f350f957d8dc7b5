"""How papers are signed, per paper and destination: the one table of what interfaces and hospitals ask for.

A rule states some settings for some papers and destinations; each setting comes from the first rule that fits and states it.
What no rule states is as usual: plain XML signatures by the seal alone and XAdES beside those of people, over the whole
document, with the first algorithm of the key; RFC 8785 for JSON.

Not here: who signs, and the level where no rule states one (`signing/policy.py`); which papers and destinations there are.

Requirement: S0.5, S0.10
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from signing import jws
from signing.faults import KeyUnsuitable

LEVELS = ("B-B", "B-T", "B-LT", "B-LTA")
"""How long a signature can be proved, each more than the one before (EN 319 132-1 §6)."""
SIGNATURES = ("xmldsig", "xades")
REFERENCES = ("whole", "parts", "detached")
CANONICAL = {"rfc8785": jws.RFC8785, "fhir": jws.FHIR_JSON}


@dataclass(frozen=True)
class Form:
    """How one file is signed; what is empty is as usual."""

    signature: str = ""
    """Of XML: one of SIGNATURES, for the seal; people sign with XAdES."""
    reference: str = ""
    """Of XML: one of REFERENCES. `parts` are the children of the root that the interface names, by their Ids."""
    algorithms: tuple[str, ...] = ()
    """Names in `signing.algorithms`, the first that the key can do is taken; empty = the key's usual one."""
    canonical: str = ""
    """Of JSON: one of CANONICAL. RFC 8785 writes 4.50 as 4.5, and HL7's validator then calls the signature wrong."""
    provenance: str = ""
    """Of a FHIR document: `yes` = Provenance says who signed which bytes, and bears a signature of the facility."""
    level: str = ""
    """One of LEVELS, which every signature in the file has to reach before it leaves."""

    @property
    def lasting(self) -> bool:
        """Whether proofs are to be put into signatures later."""
        return self.level not in ("", LEVELS[0])

    def algorithm(self, known: Sequence[str]) -> str:
        """Choose among what a key can do; empty = its usual one. Raises KeyUnsuitable."""
        if not self.algorithms:
            return ""
        chosen = next((one for one in self.algorithms if one in known), "")
        if not chosen:
            raise KeyUnsuitable("alg", f"{', '.join(self.algorithms)} asked for; this key does {', '.join(known)}")
        return chosen


USUAL = Form()
_SETTINGS = tuple(setting.name for setting in fields(Form))


@dataclass(frozen=True)
class Rule:
    form: Form
    papers: tuple[str, ...] = ()
    """Empty: every paper."""
    destinations: tuple[str, ...] = ()
    """Names or kinds; empty: whoever gets the paper."""
    line: int = 1
    """In the file."""

    def fits(self, paper: str, destination: Sequence[str]) -> bool:
        """Tell whether it is for a paper and for a destination, given by its name and kind; none: for everybody."""
        fits = not self.destinations or not set(self.destinations).isdisjoint(destination)
        return fits and (not self.papers or paper in self.papers)


@dataclass(frozen=True)
class Forms:
    rules: tuple[Rule, ...] = ()

    def of(self, paper: str, *destination: str) -> Form:
        """Give the form for a paper, and for a destination given by its name and kind; without one that for everybody else."""
        form = USUAL
        for rule in reversed(self.rules):
            if rule.fits(paper, destination):
                stated = {name: value for name in _SETTINGS if (value := getattr(rule.form, name))}
                form = replace(form, **stated)
        return form

    def name(self, *destination: str) -> bool:
        """Tell whether a rule names a destination, given by its name and kind."""
        return any(not set(rule.destinations).isdisjoint(destination) for rule in self.rules)
