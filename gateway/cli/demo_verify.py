"""Verify every paper of the demo's folder as a stranger would: `lienthong verify`, and xmlsec1 where it is installed.

The issuers are asked whether certificates were revoked: the sandbox's OCSP has to run.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.cli.demo_people import DEPUTY, HEAD
from gateway.cli.demo_signing import Incident
from gateway.cli.demo_site import FACILITY
from mappings.formats import safe_xml

_DS = "http://www.w3.org/2000/09/xmldsig#"
_XADES = "http://uri.etsi.org/01903/v1.3.2#"
_PARALLEL = os.cpu_count() or 1


@dataclass(frozen=True)
class Verified:
    """What they said."""

    verdicts: Mapping[str, int]
    """Of `lienthong verify` → papers."""
    incomplete: Sequence[str]
    """CDA documents that do not bear the signatures of a doctor, a head or deputy, and the seal."""
    xmlsec1: tuple[int, int] | None
    """(signatures that hold, those that do not); None where it is not installed."""
    before: int
    """Signatures of the lost token's key on these papers, from before its suspension."""
    after: int
    outside: str
    """The verdict on what was signed past the desk, and why."""

    @property
    def closes(self) -> bool:
        """Tell whether everything is as it has to be."""
        strange = self.xmlsec1 is not None and self.xmlsec1[1]
        return (
            set(self.verdicts) == {"valid"}
            and not (self.incomplete or strange or self.after)
            and self.outside.startswith("invalid")
        )


async def verify(place: Path, serials: Mapping[str, str], incident: Incident) -> Verified:
    """Verify what `demo_report.export` wrote below `place`. `serials`: code of the staff → serial number."""
    trust = place / "config" / "keys" / "ca.pem"
    papers = sorted(path for path in (place / "papers").iterdir() if path.suffix in (".xml", ".json"))
    share = -(-len(papers) // _PARALLEL)
    chunks = [papers[start : start + share] for start in range(0, len(papers), share)]
    *told, outside = await asyncio.gather(
        *(_lienthong_verify(trust, chunk) for chunk in chunks), _lienthong_verify(trust, [place / incident.outside])
    )
    every = [one for chunk in told for one in chunk]
    people = {serial.lower().lstrip("0"): code for code, serial in serials.items()}
    own = incident.serial.lower().lstrip("0")
    at = datetime.fromisoformat(incident.at)
    times = [datetime.fromisoformat(s["time"]) for one in every for s in one["signers"] if _serial(s) == own]
    (forged,) = outside
    codes = " ".join(reason["code"] for reason in forged["reasons"])
    return Verified(
        verdicts=dict(Counter(one["verdict"] for one in every)),
        incomplete=[one["file"] for one in every if one["file"].endswith(".cda.xml") and not _complete(one, people)],
        xmlsec1=await _xmlsec1(trust, [path for path in papers if path.suffix == ".xml"]),
        before=sum(time < at for time in times),
        after=sum(time >= at for time in times),
        outside=f"{forged['verdict']} {codes}".strip(),
    )


def _serial(signer: Mapping[str, Any]) -> str:
    return str(signer["serial"]).replace(":", "").lower().lstrip("0")


def _complete(told: Mapping[str, Any], people: Mapping[str, str]) -> bool:
    codes = [people.get(_serial(signer), "") for signer in told["signers"]]
    steps = ["doctor" if c.startswith("BS") else "head" if c in (HEAD, DEPUTY) else c for c in codes]
    return steps == ["doctor", "head", FACILITY]


async def _lienthong_verify(trust: Path, papers: Sequence[Path]) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "gateway.cli", "verify", "--trust", str(trust), "--json", *map(str, papers)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    found = json.loads(said)
    return found if isinstance(found, list) else [found]


async def _xmlsec1(trust: Path, papers: Sequence[Path]) -> tuple[int, int] | None:
    """Count the signatures that xmlsec1 calls good, and the others."""
    program = shutil.which("xmlsec1")
    if program is None:
        return None
    command = [program, "--verify", "--trusted-pem", str(trust), "--id-attr:Id", f"{_XADES}:SignedProperties"]

    async def good(position: int, some: Sequence[Path]) -> int:
        """Count those whose signature at `position` holds; one run judges many papers, and stops at the first bad one."""
        process = await asyncio.create_subprocess_exec(
            *command,
            *("--node-xpath", f"(//*[local-name()='Signature' and namespace-uri()='{_DS}'])[{position}]"),
            *map(str, some),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        if await process.wait() == 0:
            return len(some)
        return 0 if len(some) == 1 else sum([await good(position, [one]) for one in some])

    counts = {paper: _signatures(paper) for paper in papers}
    runs = [
        (position, [paper for paper in papers if counts[paper] >= position])
        for position in range(1, max(counts.values(), default=0) + 1)
    ]
    held = sum(await asyncio.gather(*(good(position, some) for position, some in runs)))
    return held, sum(counts.values()) - held


def _signatures(paper: Path) -> int:
    return len(list(safe_xml.parse(paper.read_bytes()).iter(f"{{{_DS}}}Signature")))
