"""Other people's messages against a running node: every one answered, every one accounted for, no field vanishes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from tests.servers import wait_until
from tests.site import cli, cli_json, running_node, write_site


def test_every_message_of_the_corpus_is_answered_and_accounted_for(corpora: Path, tmp_path: Path) -> None:
    config = write_site(tmp_path)
    files = sorted((corpora / "hl7v2").rglob("*.hl7"))
    with running_node(config) as node:
        host, port = node.address()
        sent = json.loads(cli("send", str(corpora / "hl7v2"), "--to", f"{host}:{port}", "--json").stdout)["messages"]

        def settled() -> bool:
            return not cli_json("messages", "--config", str(config), "--state", "received")

        wait_until(settled, 120)
        rows = cli_json("messages", "--config", str(config))
    assert {Path(message["file"]) for message in sent} == set(files)
    assert {code for message in sent for code in message["answer"].split()} <= {"AA", "AE", "AR", "CA", "CE", "CR"}

    digests = {row["sha256"] for row in rows}
    assert {hashlib.sha256(file.read_bytes()).hexdigest() for file in files} <= digests
    assert {row["state"] for row in rows} <= {"mapped", "kept", "error", "duplicate"}
    for row in rows:
        if row["state"] in ("mapped", "kept"):
            coverage = row["coverage"]
            positions = [*coverage["mapped"], *coverage["ignored"], *coverage["unknown"]]
            assert positions
            assert len(positions) == len(set(positions))
        elif row["state"] == "error":
            assert row["fault"]["do"]
    log = (config / "node.log").read_text(encoding="utf-8")
    assert "Traceback" not in log
    assert " ERROR " not in log
