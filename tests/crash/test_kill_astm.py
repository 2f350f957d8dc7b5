"""Promise P1 towards an analyser: what it got ACK for is in the ledger, wherever the node is killed before or after."""

from __future__ import annotations

import hashlib
import socket
from collections import Counter
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway.configuration import load
from gateway.store import schema
from gateway.store.engine import make_engine
from tests.contract.analyser import ACK, ENQ, EOT, framed
from tests.site import DiedAtStart, NodeProcess, start_node, write_site

PLACES = (
    "message not committed",
    "message committed, not answered",
    "answered",
    "in the middle of a group commit",
)
"""From before the commit to after the ACK; the ACK to the last frame of a message leaves between the last two."""
CHANNEL = 'name = "analyser"\nsource = { kind = "astm", listen = "127.0.0.1:0", tls = "none" }\naccept = ["*"]\n'
MESSAGES = [b"H|\\^&|%d||analyser\rP|1\rR|1|^^^GLU|5.%d0\rL|1|N\r" % (number, number) for number in range(8)]


def transmit(address: tuple[str, int], message: bytes) -> bool:
    """Send a message in a session of its own; say whether its last frame was acknowledged."""
    try:
        with socket.create_connection(address, 5) as connection:
            connection.settimeout(20)
            records = [record + b"\r" for record in message.split(b"\r") if record]
            for part in (ENQ, *(framed(number, record) for number, record in enumerate(records, 1))):
                connection.sendall(part)
                if connection.recv(1) != ACK:
                    return False
            connection.sendall(EOT)
            return True
    except OSError:
        return False


@pytest.mark.parametrize("place", PLACES)
def test_killed_around_the_ack_nothing_acknowledged_is_lost_and_nothing_is_there_twice(
    place: str, tmp_path: Path
) -> None:
    config = write_site(tmp_path)
    (config / "channels" / "his.toml").unlink()
    (config / "channels" / "analyser.toml").write_text(CHANNEL, encoding="utf-8")
    acknowledged: Counter[bytes] = Counter()
    killed = 0
    try:
        node = start_node(config, "tests.crash.killing_node", LIENTHONG_TEST_KILL=f"{place}:3")
    except DiedAtStart as died:
        if died.args[0] != -9:
            raise
        killed += 1
        node = start_node(config)
    try:
        for message in MESSAGES:
            while not acknowledged[message]:
                if node.process.poll() is not None:
                    assert node.process.returncode == -9
                    killed += 1
                    close(node)
                    node = start_node(config)
                if transmit(node.address("analyser"), message):
                    acknowledged[message] += 1
                else:
                    node.process.wait(20)
    finally:
        node.stop()
        close(node)
    assert killed == 1
    engine = make_engine(load(config).store_url)
    with engine.connect() as connection:
        rows = connection.execute(sa.select(schema.message.c.sha256, schema.message.c.state)).all()
    engine.dispose()
    stored = Counter(row.sha256 for row in rows)
    ours = [hashlib.sha256(message).hexdigest() for message in MESSAGES]
    assert set(ours) == set(stored), "acknowledged and lost, or something else is there"
    again = {sha for sha, times in stored.items() if times > 1}
    assert len(again) <= 1, "only what was sent again is there again"
    states = [row.state for row in rows if row.sha256 in again]
    assert not again or states.count("duplicate") == len(states) - 1 == 1


def close(node: NodeProcess) -> None:
    assert node.process.stdout is not None
    node.process.stdout.close()
