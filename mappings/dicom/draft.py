"""The study being mapped: its objects, what has been made of them so far. Does not map anything itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydicom.datadict import keyword_for_tag

from mappings.dicom import faults
from mappings.dicom.attributes import Attributes, dt_of, has, moment_of, text
from mappings.dicom.body import Entry
from mappings.dicom.context import Context
from mappings.dicom.header import INSTANCE, STUDY
from mappings.hl7v2.datatypes import Element
from mappings.outcome import Notice, Resource

UID = "urn:dicom:uid"


class Draft:
    """Collect the resources of one study, each once."""

    def __init__(self, entries: Sequence[Entry], context: Context) -> None:
        self.entries = entries
        self.context = context
        self.uid = text(entries[0].attributes, STUDY)
        self.assigned: str = next((str(one.facts["assigned"]) for one in entries if one.facts.get("assigned")), "")
        """Number of the person whom somebody gave the study to, whatever its objects say; `""` = nobody did."""
        self.patient = ""
        """Reference to the Patient once known."""
        self.is_known = True
        """Whether the person has a number; without one, nothing is said of orders and visits that others have too."""
        self.encounter = ""
        self.request = ""
        """Reference to the ServiceRequest of the study, once known."""
        self.study = ""
        """Reference to the ImagingStudy."""
        self.document = ""
        """What positions within the document being mapped begin with, where there are several."""
        self.notices: list[Notice] = []
        self.content: dict[str, tuple[str, str]] = {}
        """Position of a content item → (`mapped`, `ignored` or `unknown`; where or why)."""
        self.used: dict[str, str] = {}
        """Path of an attribute that only some objects use → where it went, over what the tables say."""
        self.left: dict[str, str] = {}
        """Path of an attribute that only some objects leave out on purpose → why."""
        self.given_back: dict[str, str] = {}
        """Path of an attribute of which nothing could be made → why."""
        self._resources: dict[str, Resource] = {}
        self._assumed: dict[str, list[str]] = {}
        self._said: set[tuple[int, str]] = set()

    def add(self, resource: Resource) -> str:
        """Keep a resource and give its reference; one that is there already only gains what it lacked."""
        reference = f"{resource['resourceType']}/{resource['id']}"
        present = self._resources.setdefault(reference, resource)
        if present is not resource:
            for name, value in resource.items():
                present.setdefault(name, value)
        return reference

    def get(self, reference: str) -> Resource:
        """Give a resource kept before."""
        return self._resources[reference]

    @property
    def resources(self) -> list[Resource]:
        """What was kept."""
        return list(self._resources.values())

    @property
    def assumed(self) -> dict[str, tuple[str, ...]]:
        """What FHIR demands and no header says."""
        return {reference: tuple(dict.fromkeys(paths)) for reference, paths in self._assumed.items()}

    @property
    def subject(self) -> Element:
        """The Reference to the person."""
        return {"reference": self.patient}

    def assume(self, reference: str, *paths: str) -> None:
        """Say that elements are there because FHIR demands them."""
        self._assumed.setdefault(reference, []).extend(paths)

    def notice(self, code: int, where: str = "", detail: str = "") -> None:
        """Say something that a person should look at; the same of many objects once."""
        if (code, where) not in self._said:
            self._said.add((code, where))
            self.notices.append(Notice(code, where, detail))

    def give_back(self, path: str, reason: str) -> None:
        """Say that nothing came of an attribute, and let a person know."""
        self.given_back.setdefault(path, reason)
        self.notice(faults.VALUE_UNREADABLE, position(path))

    def first(self, tag: str) -> Attributes:
        """Give the first object that has a value there; an empty one when none has."""
        return next((entry.attributes for entry in self.entries if has(entry.attributes, tag)), {})

    def said(self, tag: str) -> str:
        """Give what the study says of itself; a person is told when its objects say different things."""
        found = dict.fromkeys(value for entry in self.entries if (value := text(entry.attributes, tag)))
        if len(found) > 1:
            self.notice(faults.CONTRADICTION, position(tag))
        return next(iter(found), "")

    def holders(self, tag: str) -> Iterator[Attributes]:
        """Give the data sets that have a value there, those alike once."""
        seen: set[int] = set()
        for entry in self.entries:
            element = entry.attributes.get(tag)
            if element is not None and len(element) > 1 and id(element) not in seen:
                seen.add(id(element))
                yield entry.attributes

    def moment(self, attributes: Attributes, day: str, time: str) -> str:
        """Read a date and a time of a data set as FHIR dateTime; `""` when there is none, or none that can be read."""
        said = text(attributes, day)
        if not said:
            return ""
        clock = text(attributes, time)
        found = moment_of(said, clock, self.offset(attributes), self.context.zone)
        if not found:
            self.give_back(day, "not a date")
            self.given_back.setdefault(time, "the time of no date")
        elif clock and "T" not in found:
            self.give_back(time, "not a time")
        return found

    def stamp(self, attributes: Attributes, tag: str, path: str = "") -> str:
        """Read a DT of a data set as FHIR dateTime."""
        said = text(attributes, tag)
        found = dt_of(said, self.offset(attributes), self.context.zone) if said else ""
        if said and not found:
            self.give_back(path or tag, "not a date and time")
        return found

    def offset(self, attributes: Attributes) -> str:
        """Give the offset from UTC that the object says, else the one the study says."""
        return text(attributes, "00080201") or text(self.entries[0].attributes, "00080201")


def position(path: str) -> str:
    """Write a path of tags as a position of the coverage: `(0040,0275)/(0040,1001) RequestedProcedureID`."""
    tags = path.split("/")
    return f"{'/'.join(f'({tag[:4]},{tag[4:]})' for tag in tags)} {keyword(tags[-1])}".rstrip()


def keyword(tag: str) -> str:
    """Give the keyword of an attribute; `""` for a private one."""
    return keyword_for_tag(int(tag, 16)) if int(tag[:4], 16) % 2 == 0 else ""


def reference(target: str, display: str = "") -> Element:
    """Write a Reference."""
    return {"reference": target, "display": display} if display else {"reference": target}


def uid_identifier(uid: str) -> Element:
    """Make the Identifier of a DICOM UID. Standard: FHIR R4 ImagingStudy §8.17.5.1"""
    return {"system": UID, "value": f"urn:oid:{uid}"}


def instance_uid(entry: Entry) -> str:
    """Give the SOPInstanceUID."""
    return text(entry.attributes, INSTANCE)
