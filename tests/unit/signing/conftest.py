from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from lxml import etree
from signxml.xades.xades import XAdESSignatureConfiguration, XAdESVerifier

from signing.testing import Authority, MemoryKey


@pytest.fixture(scope="session")
def root() -> Authority:
    return Authority.root()


@pytest.fixture(scope="session")
def issuing(root: Authority) -> Authority:
    return root.intermediate()


@pytest.fixture(scope="session")
def key(issuing: Authority) -> MemoryKey:
    return issuing.issue("Nguyễn Thị Ánh", title="Bác sĩ", organisation="Bệnh viện Thử", identifier="MST:0100000000")


@dataclass(frozen=True)
class Judge:
    """signxml, with our root."""

    roots: str

    def __call__(self, signed: bytes, references: int = 2, location: str = ".//") -> etree._Element:
        """Let it verify one XAdES signature, schema and all, and give its SignedSignatureProperties."""
        config = XAdESSignatureConfiguration(expect_references=references, location=location)
        results = XAdESVerifier().verify(signed, ca_pem_file=self.roots, expect_config=config)
        found = [result for result in results if hasattr(result, "signed_properties")]
        properties: etree._Element = found[0].signed_properties
        return properties


@pytest.fixture(scope="session")
def judged(root: Authority, tmp_path_factory: pytest.TempPathFactory) -> Judge:
    file: Path = tmp_path_factory.mktemp("roots") / "ca.pem"
    file.write_bytes(root.pem())
    return Judge(str(file))
