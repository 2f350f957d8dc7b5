"""The URIs of identifier and code systems, in one table, because at least four bases circulate in Vietnam and none is official.

The default is the community guide (`http://fhir.hl7.org.vn/core`), which is closest to today's rules; numbers for which no
public URI was found live under our own base. Both bases can be replaced as a whole. See the fact sheet VN Core §1–§3, §8.
"""

from __future__ import annotations

from dataclasses import dataclass

DICOM = "http://dicom.nema.org/resources/ontology/DCM"
COUNTRY = "urn:iso:std:iso:3166"
LANGUAGE = "urn:ietf:bcp:47"
LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
SNOMED = "http://snomed.info/sct"
MDC = "urn:iso:std:iso:11073:10101"
"""Nomenclature of medical devices. Standard: ISO/IEEE 11073-10101"""
EUI64 = "urn:oid:1.2.840.10004.1.1.1.0.0.1.0.0.1.2680"
"""Numbers that makers give their devices (IEEE EUI-64), as the FHIR guides of devices name the system."""
ICD10 = "http://hl7.org/fhir/sid/icd-10"
V2_TABLE = "http://terminology.hl7.org/CodeSystem/v2-"
V3_ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"


@dataclass(frozen=True)
class Systems:
    """Build system URIs; `national` and `own` are bases without a trailing slash."""

    national: str = "http://fhir.hl7.org.vn/core"
    """Base of the systems that the national guide names."""
    own: str = "https://lienthong.vn/fhir"
    """Base of the systems for which no public URI was found."""

    @property
    def cccd(self) -> str:
        """Personal identification number, 12 digits."""
        return f"{self.national}/sid/cccd"

    @property
    def cmnd(self) -> str:
        """Old identity card, 9 digits; never padded to 12."""
        return f"{self.national}/sid/cmnd"

    @property
    def passport(self) -> str:
        return f"{self.national}/sid/passport"

    @property
    def bhyt(self) -> str:
        """Health insurance card in any of its three forms: 15, 10 or 12 characters, kept as received."""
        return f"{self.national}/sid/bhyt"

    @property
    def bhxh(self) -> str:
        """Social insurance number, 10 digits."""
        return f"{self.own}/sid/bhxh"

    @property
    def facility(self) -> str:
        """MA_CSKCB, five characters."""
        return f"{self.national}/sid/ma-cskcb"

    @property
    def gln(self) -> str:
        """Global location number of a facility, 13 digits (MA_GTIN_CSKCB)."""
        return f"{self.own}/sid/gln"

    @property
    def licence(self) -> str:
        """Practice licence of a practitioner (CCHN / GPHN), free text such as 000123/HNO-CCHN."""
        return f"{self.national}/sid/cchn"

    @property
    def episode(self) -> str:
        """MA_LK, unique per encounter and facility."""
        return f"{self.national}/sid/ma-lk"

    @property
    def staff(self) -> str:
        return f"{self.own}/sid/staff"

    @property
    def field(self) -> str:
        """Code system whose codes are field names of QĐ 3176 (PP_DIEUTRI, HUONG_DIEU_TRI …): text a paper needs and that
        HL7 v2 has no field for arrives as OBX with OBX-3 = `PP_DIEUTRI^…^QD3176`."""
        return f"{self.own}/CodeSystem/qd3176-field"

    @property
    def paper(self) -> str:
        """Code system of our paper names (discharge_paper, referral …)."""
        return f"{self.own}/CodeSystem/paper"

    @property
    def document(self) -> str:
        """Identifier system of documents we issue."""
        return f"{self.own}/sid/document"

    def local(self, facility: str, kind: str) -> str:
        """A number that means something inside one facility only: `patient`, `visit`, `order`, `filler`, `specimen` …"""
        return f"{self.own}/sid/{facility or 'unknown'}/{kind}"


DEFAULT = Systems()
