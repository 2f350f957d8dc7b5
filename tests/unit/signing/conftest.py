from __future__ import annotations

import pytest

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
