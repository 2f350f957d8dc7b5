"""Who signs a paper, in which order, by when and for whom: the values of a hospital's policies.

Without a word from the hospital the facility's seal is the only signature. Here are rules about roles and names of papers; who
holds a role, what papers there are and what has been signed is known elsewhere. `signing/policy_toml.py` reads them.

Requirement: S3.6–S3.8
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from signing.forms import Forms

SEAL = "seal"
"""The role of the organisation: the node itself signs for it."""
CONDITIONS = ("death", "high_legal_value", "patient_request", "emergency")
"""What a step may depend on, besides the class of the visit."""
DEFAULT_WARNING = 0.75


@dataclass(frozen=True)
class Case:
    """What is known of one paper when its policy is chosen."""

    conditions: frozenset[str] = frozenset()
    visit_class: str = ""
    """FHIR class of the visit, such as `IMP`."""


@dataclass(frozen=True)
class Part:
    """One signature of a step."""

    role: str
    optional: bool = False
    """True when the paper goes on without it once its time has passed, or its holder leaves it out."""
    may_be_skipped_by: tuple[str, ...] = ()
    """Roles that may leave it out."""
    when: tuple[str, ...] = ()
    """Conditions of which one has to hold; empty = always."""
    classes: tuple[str, ...] = ()
    """Classes of visit it is for; empty = any."""
    in_person: tuple[str, ...] = ()
    """Conditions under which nobody may stand in."""

    def is_for(self, case: Case) -> bool:
        fits = not self.classes or case.visit_class in self.classes
        return fits and (not self.when or not case.conditions.isdisjoint(self.when))


@dataclass(frozen=True)
class Step:
    """Signatures that may be given in any order, after all of the steps before."""

    name: str
    parts: tuple[Part, ...]
    within: int = 0
    """Seconds after the event; 0 = as the policy says."""
    countersigns: bool = False
    """True when it also covers the signatures that stand there, and not the paper alone."""


@dataclass(frozen=True)
class Policy:
    papers: tuple[str, ...]
    """Empty: every paper that no other policy names."""
    steps: tuple[Step, ...]
    within: int = 0
    """Seconds after the event in which everybody has to have signed; 0 = as the rules of the paper say."""
    within_emergency: int = 0
    """The same for emergency visits; 0 = `within`."""
    warn: float = DEFAULT_WARNING
    """Share of the time after which is warned."""
    level: str = ""
    """One of LEVELS, for every signature on these papers; empty = as the node's settings say. A form may say otherwise."""


DEFAULT = Policy((), (Step(SEAL, (Part(SEAL),)),))


@dataclass(frozen=True)
class Wanted:
    """One signature that a paper needs."""

    number: int
    """Of the step, from 1."""
    step: str
    part: Part
    within: int
    """Seconds after the event; 0 = as the rules of the paper say."""
    warn: float
    countersigns: bool
    in_person: bool
    """Nobody may stand in."""


@dataclass(frozen=True)
class Delegation:
    """Somebody signs for somebody else, in one role, for a time."""

    of: str
    to: str
    role: str
    since: date
    until: date
    papers: tuple[str, ...] = ()
    """Empty: all."""
    basis: str = ""
    """The decision that says so."""

    def covers(self, role: str, paper: str, on: date) -> bool:
        return self.role == role and self.since <= on <= self.until and (not self.papers or paper in self.papers)


@dataclass(frozen=True)
class Policies:
    policies: tuple[Policy, ...] = ()
    delegations: tuple[Delegation, ...] = ()
    high_legal_value: tuple[str, ...] = ()
    """Papers that count as such."""
    forms: Forms = field(default_factory=Forms)
    """How each is signed."""

    def of(self, paper: str) -> Policy:
        """Give the policy that names the paper, else the one for all others, else the seal alone."""
        named = (one for one in self.policies if paper in one.papers)
        others = (one for one in self.policies if not one.papers)
        return next(named, None) or next(others, None) or DEFAULT

    def level(self, paper: str, *destination: str) -> str:
        """Give the level that signatures on a paper have to reach; an empty text where nothing is said.

        With a destination, given by its name and kind: what holds for that.
        """
        return self.forms.of(paper, *destination).level or self.of(paper).level

    def wanted(self, paper: str, case: Case) -> tuple[Wanted, ...]:
        """Give the signatures that a paper needs in this case, in order; the seal is the last."""
        policy = self.of(paper)
        conditions = case.conditions | ({"high_legal_value"} if paper in self.high_legal_value else set())
        case = Case(conditions, case.visit_class)
        emergency = "emergency" in conditions
        usual = policy.within_emergency or policy.within if emergency else policy.within
        return tuple(
            Wanted(
                number,
                step.name,
                part,
                step.within or usual,
                policy.warn,
                step.countersigns,
                not conditions.isdisjoint(part.in_person),
            )
            for number, step in enumerate(policy.steps, 1)
            for part in step.parts
            if part.is_for(case)
        )

    def delegated_to(self, code: str, role: str, paper: str, on: date) -> tuple[str, ...]:
        """Give those for whom this person may sign in a role on a day. A delegate passes nothing on."""
        return tuple(one.of for one in self.delegations if one.to == code and one.covers(role, paper, on))

    @property
    def papers(self) -> tuple[str, ...]:
        """Every paper that is named."""
        named = [name for policy in self.policies for name in policy.papers]
        named += [name for delegation in self.delegations for name in delegation.papers]
        return tuple(dict.fromkeys((*named, *self.high_legal_value)))

    @property
    def roles(self) -> tuple[str, ...]:
        """Every role that signs, the seal aside."""
        found = (part.role for one in self.policies for step in one.steps for part in step.parts)
        return tuple(dict.fromkeys(role for role in found if role != SEAL))

    @property
    def steps(self) -> tuple[str, ...]:
        """The name of every step."""
        return tuple(dict.fromkeys(step.name for one in (*self.policies, DEFAULT) for step in one.steps))
