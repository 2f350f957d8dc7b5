"""`/health` says whether the node can keep its promises."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path

from tests.site import running_node, write_site


def test_health_of_a_running_node(tmp_path: Path) -> None:
    config = write_site(tmp_path, health="127.0.0.1:0", produce=())
    with running_node(config) as node, urllib.request.urlopen(f"http://{node.listening['health']}/health") as answer:
        assert answer.status == 200
        assert json.load(answer)["status"] == "ok"
