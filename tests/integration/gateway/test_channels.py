"""The example channels load, and their own tests hold; a changed expectation is told by `lienthong check`."""

from __future__ import annotations

import shutil
from pathlib import Path

from gateway import probes
from gateway.configuration import load
from tests.site import cli, write_site

EXAMPLES = Path(__file__).resolve().parents[3] / "channels"


def site_with_examples(folder: Path) -> Path:
    config = write_site(folder)
    shutil.rmtree(config / "channels")
    shutil.copytree(EXAMPLES, config / "channels")
    for name in ("bhyt-folder.toml", "lab-table.toml"):
        files = config / "channels" / name
        files.write_text(files.read_text(encoding="utf-8").replace("/var/lib/lienthong", str(folder)), encoding="utf-8")
    for name in ("bhyt", "giay-to", "xet-nghiem"):
        (folder / name).mkdir()
    for name in ("bhyt-01999", "emrhub", "hoi-chan-tu-xa"):
        (config / "secrets" / name).write_text("a secret of a test")
    return config


def test_the_examples_hold(tmp_path: Path) -> None:
    plan = load(site_with_examples(tmp_path))
    assert [channel.tests for channel in plan.channels if not channel.tests] == []
    assert list(probes.problems(plan)) == []


def test_a_channel_test_that_fails_is_a_problem_with_file_and_line(tmp_path: Path) -> None:
    config = site_with_examples(tmp_path)
    expected = config / "channels" / "his-adt.discharge.fhir.json"
    expected.write_text(expected.read_text(encoding="utf-8").replace("female", "male"), encoding="utf-8")
    (problem,) = probes.problems(load(config))
    assert problem.code == 1012
    assert problem.where.startswith("channels/his-adt.toml:")
    done = cli("check", "--config", str(config))
    assert done.returncode == 1
    assert "LT1012" in done.stderr


def test_a_source_that_could_not_begin_is_a_problem(tmp_path: Path) -> None:
    config = write_site(tmp_path, produce=())
    channel = config / "channels" / "his.toml"
    mllp = '{ kind = "mllp", listen = "127.0.0.1:0", tls = "none" }'
    text = channel.read_text(encoding="utf-8")
    assert mllp in text
    keys = 'private_key = "keys/facility.pem"'
    for source, code in (
        ('{ kind = "folder", folder = "drop" }', "LT2106"),
        (
            f'{{ kind = "sftp", host = "his", username = "u", folder = "/out", {keys}, known_hosts = "absent" }}',
            "LT2110",
        ),
        (f'{{ kind = "http", listen = "127.0.0.1:0", certificate = "keys/ca.pem", {keys} }}', "LT2105"),
        (f'{{ kind = "mllp", listen = "127.0.0.1:0", certificate = "keys/ca.pem", {keys} }}', "LT2105"),
    ):
        channel.write_text(text.replace(mllp, source), encoding="utf-8")
        (problem,) = probes.problems(load(config))
        assert code in problem.detail
    channel.write_text(text.replace(mllp, '{ kind = "folder", folder = "drop" }'), encoding="utf-8")
    (config / "drop").mkdir()
    assert list(probes.problems(load(config))) == []
    assert list((config / "drop").iterdir()) == []
