"""Configuration: read whole, or every problem at once with file, line and remedy."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gateway import probes
from gateway.configuration import load
from gateway.faults import ConfigInvalid
from gateway.text import text
from gateway.verification import Verifier
from signing.evidence import Evidence
from tests.conftest import HandClock
from tests.site import destinations, write_site
from tests.unit.signing import attacks_foreign
from tests.unit.signing.forge import World

ADDRESSES = {
    "insurance_portal": "http://127.0.0.1:1",
    "moh_axis": "http://127.0.0.1:2",
    "national_coordination": "http://127.0.0.1:3",
}


def problems(folder: Path) -> list[tuple[int, str]]:
    with pytest.raises(ConfigInvalid) as caught:
        load(folder)
    return [(problem.code, problem.where) for problem in caught.value.problems]


def change(path: Path, old: str, new: str) -> None:
    content = path.read_text(encoding="utf-8")
    assert old in content
    path.write_text(content.replace(old, new, 1), encoding="utf-8")


def line_of(path: Path, part: str) -> int:
    return next(n for n, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1) if part in line)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_site(tmp_path_factory.mktemp("site"), destinations=destinations(ADDRESSES))


@pytest.fixture
def site(made: Path, tmp_path: Path) -> Path:
    import shutil

    return Path(shutil.copytree(made, tmp_path / "site"))


@pytest.mark.parametrize(
    "base", ["cong.vn/dicom-web", "https://a:b@cong.vn/dicom-web", "https://cong.vn/dicom-web/", "https://cong.vn/?a"]
)
def test_where_studies_are_fetched_is_an_address_that_uids_can_follow(site: Path, base: str) -> None:
    node = site / "node.toml"
    node.write_text(f'{node.read_text(encoding="utf-8")}\n[http]\ndicomweb_base = "{base}"\n', encoding="utf-8")
    assert problems(site) == [(1004, f"node.toml:{line_of(node, 'dicomweb_base')}")]


def test_a_good_configuration_becomes_a_plan(site: Path) -> None:
    plan = load(site)
    assert plan.facility.code == "01999"
    assert set(plan.routes) == set(ADDRESSES)
    assert plan.routes["moh_axis"].common.retry.first == timedelta(milliseconds=50)
    assert plan.store_url == f"sqlite:///{site / 'ledger' / 'ledger.db'}"
    assert plan.transport == plan.signing
    (channel,) = plan.channels
    assert channel.accepts("ADT^A01")
    assert "password" not in repr(plan.routes["moh_axis"].settings.password)


def test_ten_mistakes_are_told_at_once_with_file_and_line(site: Path) -> None:
    node, channel = site / "node.toml", site / "channels" / "his.toml"
    change(node, 'code = "01999"', 'code = "1999"')  # 1 value
    change(node, 'lease = "2s"', 'lease = "2 seconds"')  # 2 form
    change(node, "workers = 1", 'workers = "one"')  # 3 type
    change(node, "governing_body", "goverming_body")  # 4 slip of the pen
    change(node, "secret:store-keys", "secret:nowhere")  # 5 secret
    change(node, 'trust = ["keys/ca.pem"]', 'trust = ["keys/none.pem"]')  # 6 file
    change(channel, 'tls = "none"', 'tls = "off"')  # 7 choice
    change(channel, '"lab_report"', '"lab_raport"')  # 8 paper
    change(channel, 'kind = "moh_axis"', 'kind = "moh_axes"')  # 9 kind
    change(channel, 'basis = "test"', "")  # 10 basis of the first destination
    found = problems(site)
    expected = {
        (1004, f"node.toml:{line_of(node, 'code =')}"),
        (1004, f"node.toml:{line_of(node, 'lease')}"),
        (1004, f"node.toml:{line_of(node, 'workers')}"),
        (1002, f"node.toml:{line_of(node, 'goverming')}"),
        (1006, f"node.toml:{line_of(node, 'nowhere')}"),
        (1009, f"node.toml:{line_of(node, 'trust')}"),
        (1004, f"channels/his.toml:{line_of(channel, 'tls =')}"),
        (1005, f"channels/his.toml:{line_of(channel, 'produce')}"),
        (1005, f"channels/his.toml:{line_of(channel, 'moh_axes')}"),
        (1003, f"channels/his.toml:{line_of(channel, '[[destination]]')}"),
    }
    assert expected <= set(found)
    for code, _ in found:
        assert "LT" not in text(code, "vi").what
        assert text(code, "en").do


def test_broken_toml_names_the_line(site: Path) -> None:
    (site / "channels" / "his.toml").write_text('name = "his"\nsource = {\n', encoding="utf-8")
    (problem,) = problems(site)
    assert problem[0] == 1001
    assert problem[1].startswith("channels/his.toml:")


def test_an_empty_folder_says_what_is_missing(tmp_path: Path) -> None:
    assert (1001, "node.toml") in problems(tmp_path)


def test_latin_1_is_not_utf_8(site: Path) -> None:
    (site / "node.toml").write_bytes("name = 'Bệnh'".encode("utf-16"))
    assert (1001, "node.toml") in problems(site)


def test_a_secret_may_come_from_the_environment(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (site / "secrets" / "destinations").unlink()
    assert {code for code, _ in problems(site)} == {1006}
    monkeypatch.setenv("LIENTHONG_SECRET_DESTINATIONS", "from the environment")
    assert load(site).routes["moh_axis"].settings.password == "from the environment"


def test_a_secret_written_out_is_refused_and_not_repeated(site: Path) -> None:
    change(site / "channels" / "his.toml", '"secret:destinations"', '"hunter2"')
    with pytest.raises(ConfigInvalid) as caught:
        load(site)
    (problem,) = caught.value.problems
    assert problem.code == 1004
    assert "hunter2" not in str(problem)


def test_one_name_for_two_destinations_is_refused(site: Path) -> None:
    channel = site / "channels" / "his.toml"
    other = channel.read_text(encoding="utf-8").replace('name = "his"', 'name = "lis"', 1)
    (site / "channels" / "lis.toml").write_text(other, encoding="utf-8")
    assert set(load(site).routes) == set(ADDRESSES)
    change(site / "channels" / "lis.toml", "http://127.0.0.1:1", "http://127.0.0.1:9")
    assert {code for code, _ in problems(site)} == {1008}


def test_the_realm_of_cda_is_a_table(site: Path) -> None:
    node = site / "node.toml"
    assert load(site).cda.realm == "VN"
    oids = '\n[cda]\ntemplate = "2.16.704.9"\n[cda.oids]\n"http://fhir.hl7.org.vn/core/sid/cccd" = "2.16.704.1"\n'
    node.write_text(node.read_text(encoding="utf-8") + oids, encoding="utf-8")
    assert load(site).cda.template == "2.16.704.9"
    assert load(site).cda.oids == {"http://fhir.hl7.org.vn/core/sid/cccd": "2.16.704.1"}


@pytest.mark.parametrize(
    ("table", "line"),
    [
        ('realm = "Việt Nam"', 'realm = "Việt Nam"'),
        ('template = "gốc"', 'template = "gốc"'),
        ('oids = "2.16"', 'oids = "2.16"'),
        ('oids = { "http://x" = "2.x" }', "oids = {"),
    ],
)
def test_a_wrong_realm_is_told_with_its_line(site: Path, table: str, line: str) -> None:
    node = site / "node.toml"
    node.write_text(f"{node.read_text(encoding='utf-8')}\n[cda]\n{table}\n", encoding="utf-8")
    assert problems(site) == [(1004, f"node.toml:{line_of(node, line)}")]


SIGNERS = """
[[signer]]
code = "BS1"
name = "Lê Quang Minh"
roles = ["treating_doctor"]
key = { kind = "pkcs12", file = "keys/bs1.p12" }

[[signer]]
code = "GD1"
name = "Bùi Thị Bảy"
roles = ["director"]
"""
HEAD, DOCTOR = 'accepts = "head"', 'accepts = "doctor"'
POLICY = """
[[policy]]
papers = ["discharge_paper"]
[[policy.step]]
name = "doctor"
role = "treating_doctor"
[[policy.step]]
role = "seal"
"""


def test_who_signs_what_is_part_of_the_plan(site: Path) -> None:
    with (site / "node.toml").open("a", encoding="utf-8") as node:
        node.write(SIGNERS)
    (site / "signing.toml").write_text(POLICY, encoding="utf-8")
    change(site / "channels" / "his.toml", 'kind = "moh_axis"', 'kind = "moh_axis"\naccepts = "doctor"')
    plan = load(site)
    key = plan.signers["BS1"].key
    assert key is not None
    assert key.asks == ("password",), "what is not written is asked for when the key is opened"
    assert "password" not in key.options
    assert plan.signers["GD1"].key is None
    assert plan.policies.steps == ("doctor", "seal")
    assert plan.routes["moh_axis"].renditions == ("cda@doctor", "cda")


def test_only_what_a_key_cannot_do_without_is_asked_for_before_it_is_opened(site: Path) -> None:
    """A remote service says by itself whether it wants a PIN and a code."""
    with (site / "node.toml").open("a", encoding="utf-8") as node:
        node.write(
            '[[signer]]\ncode = "BS1"\nname = "Lê Quang Minh"\nroles = ["treating_doctor"]\n'
            'key = { kind = "remote", url = "https://c.test/csc/v2", credential = "c", user = "u", password = "secret:keys" }\n'
        )
    key = load(site).signers["BS1"].key
    assert key is not None
    assert key.asks == ()


def test_without_a_policy_the_seal_is_all(site: Path) -> None:
    plan = load(site)
    assert (plan.policies.policies, dict(plan.signers)) == ((), {})
    assert plan.routes["moh_axis"].renditions == ("cda",)


def test_what_is_wrong_about_signers_is_told_with_the_rest(site: Path) -> None:
    node, channel = site / "node.toml", site / "channels" / "his.toml"
    with node.open("a", encoding="utf-8") as file:
        file.write(SIGNERS.replace("GD1", "BS1").replace('kind = "pkcs12"', 'kind = "pkcs12", fyle = "x"'))
    policy = POLICY.replace("discharge_paper", "discharge").replace("treating_doctor", "nurse")
    policy += '[[delegation]]\nof = "BS1"\nto = "XX"\nrole = "nurse"\nsince = 2026-01-01\nuntil = 2026-02-01\n'
    (site / "signing.toml").write_text(policy, encoding="utf-8")
    change(channel, 'kind = "moh_axis"', 'accepts = "head"\nkind = "moh_axis"')
    change(channel, 'kind = "insurance_portal"', 'accepts = "doctor"\nkind = "insurance_portal"')
    found = problems(site)
    last = len(node.read_text(encoding="utf-8").splitlines())
    for expected in (
        (1002, f"node.toml:{line_of(node, 'fyle')}"),
        (1008, f"node.toml:{last - 2}"),
        (1005, "signing.toml"),
        (1003, "signing.toml"),
        (1004, "signing.toml"),
        (1004, f"channels/his.toml:{line_of(channel, HEAD)}"),
        (1004, f"channels/his.toml:{line_of(channel, DOCTOR)}"),
    ):
        assert expected in found, (expected, found)
    (site / "signing.toml").write_text(POLICY.replace('role = "seal"', "role = 4"), encoding="utf-8")
    assert (1004, "signing.toml:8") in problems(site)


FORM = "\n[[form]]\n"


@pytest.mark.parametrize(
    ("rule", "code", "told"),
    [
        ('papers = ["discharge"]\nalgorithm = "RS256"', 1005, "papers: discharge; known: "),
        (
            'destinations = ["portal"]\nalgorithm = "RS256"',
            1004,
            "destinations: portal; write the name or kind of one: ",
        ),
        (
            'destinations = ["moh_axis"]\nreference = "parts"',
            1004,
            "moh_axis takes cda, which has no parts that are signed",
        ),
        ('destinations = ["moh_axis"]\nreference = "detached"', 1004, "moh_axis takes one file only"),
        (
            'destinations = ["moh_axis"]\ncanonical = "fhir"',
            1004,
            "moh_axis takes cda: canonical and provenance are for FHIR",
        ),
        ('reference = "detached"', 1004, "reference: a file beside the paper is for destinations that take two"),
        ('reference = "half"', 1004, "reference: not known"),
    ],
)
def test_a_form_that_does_not_fit_is_told_with_its_line(site: Path, rule: str, code: int, told: str) -> None:
    (site / "signing.toml").write_text(f"{POLICY_OF_SEAL}{FORM}{rule}\n", encoding="utf-8")
    with pytest.raises(ConfigInvalid) as caught:
        load(site)
    (problem,) = caught.value.problems
    line = line_of(site / "signing.toml", "reference" if "half" in rule else "[[form]]")
    assert (problem.code, problem.where) == (code, f"signing.toml:{line}")
    assert problem.detail.startswith(told)


def test_a_destination_with_a_form_of_its_own(site: Path) -> None:
    rule = f'{FORM}destinations = ["insurance_portal"]\nreference = "parts"\n'
    (site / "signing.toml").write_text(rule, encoding="utf-8")
    plan = load(site)
    own = plan.routes["insurance_portal"]
    assert own.renditions == (own.own_kind, "gdbhyt")
    assert len(own.own_kind) <= 16, "as wide as the column"
    assert plan.routes["moh_axis"].renditions == ("cda",)


POLICY_OF_SEAL = '[[policy]]\n[[policy.step]]\nrole = "seal"\n'
PROOF = """
[proof]
level = "B-LTA"
trust = ["keys/ca.pem"]
grace = "30s"

[[proof.authority]]
url = "http://127.0.0.1:1/tsa"
policy = "1.3.6.1.4.1.99999.1"

[[proof.authority]]
url = "https://127.0.0.1:2/tsa"
user = "bv"
password = "secret:destinations"
trust = ["keys/facility.pem"]
"""


def add(path: Path, more: str) -> None:
    path.write_text(path.read_text(encoding="utf-8") + more, encoding="utf-8")


def test_who_gives_time_stamps(site: Path) -> None:
    assert load(site).level_of("lab_report") == "B-B"
    add(site / "node.toml", PROOF)
    (site / "signing.toml").write_text(
        '[[policy]]\npapers = ["lab_report"]\nlevel = "B-T"\n[[policy.step]]\nrole = "seal"\n'
    )
    plan = load(site)
    first, second = plan.proof.authority
    assert (first.policy, second.user, Path(second.trust[0]).name) == ("1.3.6.1.4.1.99999.1", "bv", "facility.pem")
    assert plan.proof.grace == timedelta(seconds=30)
    assert [plan.level_of(paper) for paper in ("lab_report", "referral")] == ["B-T", "B-LTA"]


def test_with_an_authority_papers_are_provable_without_another_word(site: Path) -> None:
    add(site / "node.toml", PROOF.replace('level = "B-LTA"\n', ""))
    assert load(site).level_of("referral") == "B-LT"


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ('"keys/ca.pem"', '"keys/none.pem"', 1009),
        ('"keys/facility.pem"', '"keys/none.pem"', 1009),
        ("http://127.0.0.1:1/tsa", "127.0.0.1:1", 1004),
        ("1.3.6.1.4.1.99999.1", "timestamps", 1004),
        ("B-LTA", "B-LTV", 1004),
        ("secret:destinations", "secret:none", 1006),
        ("grace", "gracious", 1002),
    ],
)
def test_a_wrong_setting_of_proofs_is_told(site: Path, old: str, new: str, code: int) -> None:
    add(site / "node.toml", PROOF.replace(old, new))
    assert code in [found for found, where in problems(site) if where.startswith("node.toml:")]


def test_roots_that_are_none_are_told_before_the_start(site: Path) -> None:
    add(site / "node.toml", PROOF)
    assert list(probes.problems(load(site))) == []
    (site / "keys" / "facility.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    assert [one.where for one in probes.problems(load(site))] == ["proof.authority"]


def test_a_level_needs_somebody_who_stamps(site: Path) -> None:
    add(site / "node.toml", '\n[proof]\nlevel = "B-T"\n')
    (site / "signing.toml").write_text('[[policy]]\nlevel = "B-LT"\n[[policy.step]]\nrole = "seal"\n')
    assert [code for code, _ in problems(site)] == [1004]
    change(site / "node.toml", 'level = "B-T"', "")
    assert problems(site) == [(1003, "signing.toml")]
    (site / "signing.toml").write_text('\n[[form]]\npapers = ["referral"]\nlevel = "B-T"\n')
    assert problems(site) == [(1003, "signing.toml:2")]


def test_a_level_needs_issuers_who_are_asked(site: Path) -> None:
    add(site / "node.toml", PROOF.replace('level = "B-LTA"', 'level = "B-T"\nrevocation = []'))
    (site / "signing.toml").write_text('[[form]]\npapers = ["referral"]\nlevel = "B-T"\n[[form]]\nlevel = "B-LT"\n')
    assert problems(site) == [(1003, "signing.toml:4")]


def test_a_destination_may_want_another_level(site: Path) -> None:
    add(site / "node.toml", PROOF.replace("B-LTA", "B-LT"))
    name = next(iter(load(site).routes))
    (site / "signing.toml").write_text(f'[[form]]\ndestinations = ["{name}"]\nlevel = "B-LTA"\n')
    plan = load(site)
    route = plan.routes[name]
    assert (plan.level_of("referral"), plan.level_of("referral", route.rendition)) == ("B-LT", "B-LT")
    kinds = (route.own_kind, f"{route.own_kind}.s", route.own_early_kind)
    assert [plan.level_of("referral", kind) for kind in kinds] == ["B-LTA"] * 3
    assert plan.level_of("referral", "cda+0000") == "B-LT", "a destination that is gone has no wishes"
    assert all(len(kind) <= 16 for kind in kinds), "as wide as the column"


def test_a_node_judges_by_the_policies_of_its_folder(site: Path) -> None:
    (make,) = (one.make for one in attacks_foreign.CASES if one.name == "policy not at hand")
    data = str(make(World())).encode()
    add(site / "node.toml", '\n[verify]\npolicies = "policies"\n')
    assert [code for code, _ in problems(site)] == [1004]
    (site / "policies").mkdir()

    def judged() -> list[int]:
        nowhere: Any = SimpleNamespace(read_now=lambda _: Evidence())  # nothing was issued here
        verifier = Verifier(load(site), nowhere, HandClock(0))
        found = verifier._judge(data)
        verifier.close()
        return [one.code for one in (*found.reasons, *found.warnings) if one.code in (5202, 5206)]

    assert judged() == [5206]
    (site / "policies" / "mau.txt").write_bytes(attacks_foreign.DOCUMENT_OF_POLICY)
    assert judged() == []
    change(site / "node.toml", 'policies = "policies"', "")
    assert judged() == [5202]
