"""The agent's rules without a socket: the table of a batch, pairing, who is let in."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from signing.agent import protocol
from signing.agent.batches import TRANSITIONS, Batch, Batches, Event, State
from signing.agent.guard import CODE_GOOD_FOR_S, Guard, origin_of
from signing.faults import AgentRefused

PAGE = "https://cong.benhvien.vn"


def request(name: str = "b", count: int = 2) -> protocol.Batch:
    papers = tuple(protocol.Paper(id=str(number), digest=bytes(32)) for number in range(count))
    return protocol.Batch(protocol=1, id=name, algorithm="RS256", certificate="0" * 64, documents=papers)


def batch_in(state: State) -> Batch:
    """Lead a new batch to a state."""
    ways: dict[State, list[Event]] = {
        State.WAITING: [],
        State.SIGNING: [Event.SIGN],
        State.DONE: [Event.LEAVE],
        State.STOPPED: [Event.STOP],
    }
    batch = Batch(request(), PAGE)
    assert all(batch.happen(event) for event in ways[state])
    return batch


@pytest.mark.parametrize(("state", "event"), [*itertools.product(State, Event)])
def test_every_cell_of_the_table(state: State, event: Event) -> None:
    batch, following = batch_in(state), TRANSITIONS.get((state, event))
    before = batch.state().version
    assert batch.happen(event, 5001) == (following is not None)
    after = batch.state()
    assert after.state == (following or state).value
    assert (after.version > before) == (following is not None)
    assert (after.fault == 5001) == (following is not None)


def test_what_ends_a_batch_leaves_out_what_is_not_signed() -> None:
    assert {document.state for document in batch_in(State.DONE).state().documents} == {"left out"}
    assert {document.state for document in batch_in(State.STOPPED).state().documents} == {"waiting"}


def test_the_same_batch_again_is_the_same_and_another_is_refused() -> None:
    batches = Batches()
    first = batches.add(request(), PAGE)
    assert batches.add(request(), PAGE) is first
    for other, owner in ((request(count=3), PAGE), (request(), "https://khac.vn")):
        with pytest.raises(AgentRefused):
            batches.add(other, owner)
    assert batches.find("b", "https://khac.vn") is None
    assert batches.find("b") is batches.find("b", PAGE) is first


def test_finished_batches_make_room_and_waiting_ones_do_not() -> None:
    batches = Batches()
    kept = [batches.add(request(f"b{number}"), PAGE) for number in range(20)]
    with pytest.raises(AgentRefused, match="waiting"):
        batches.add(request("more"), PAGE)
    kept[7].happen(Event.STOP)
    batches.add(request("more"), PAGE)
    assert batches.find("b7") is None
    assert batches.find("b6") is kept[6]


def test_one_id_twice_in_a_batch_is_refused() -> None:
    paper = protocol.Paper(id="a", digest=bytes(32))
    with pytest.raises(AgentRefused):
        Batches().add(msgspec.structs.replace(request(), documents=(paper, paper)), PAGE)


@pytest.mark.parametrize(
    "change",
    [
        {"protocol": 2},
        {"id": "../x"},
        {"id": ""},
        {"certificate": "AB" * 32},
        {"documents": []},
        {"documents": [{"id": "a", "digest": "AAAA"}]},
        {"documents": [{"id": "a", "digest": "A" * 44, "colour": 1}]},
        {"colour": 1},
    ],
)
def test_what_version_1_does_not_know_is_not_understood(change: dict[str, object]) -> None:
    good = msgspec.json.decode(msgspec.json.encode(request()))
    msgspec.json.decode(msgspec.json.encode(good), type=protocol.Batch)
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode({**good, **change}), type=protocol.Batch)


# ---- pairing ----


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def bearer(token: str, origin: str = PAGE) -> dict[str, str]:
    return {"authorization": f"Bearer {token}", "origin": origin}


def test_a_code_is_good_once_and_for_the_page_that_used_it() -> None:
    guard = Guard(frozenset({PAGE}))
    assert guard.pair("", PAGE) == ""
    code = guard.new_code()
    token = guard.pair(f"{code[:4]} {code[4:]}", PAGE)
    assert guard.admits(bearer(token))
    assert not guard.admits(bearer(token, "https://khac.vn"))
    assert not guard.admits({"authorization": f"Bearer {token}"})
    assert not guard.admits({"authorization": f"Basic {token}", "origin": PAGE})
    assert not guard.admits(bearer(token + "x"))
    assert guard.pair(code, PAGE) == ""
    guard.unpair()
    assert not guard.admits(bearer(token))


def test_an_old_code_and_five_wrong_ones_are_void() -> None:
    clock = Clock()
    guard = Guard(frozenset({PAGE}), clock)
    code = guard.new_code()
    clock.now = CODE_GOOD_FOR_S
    assert guard.code() == guard.pair(code, PAGE) == ""
    code = guard.new_code()
    assert not any(guard.pair("x" + code, PAGE) for _ in range(4))
    assert guard.pair(code, PAGE)
    code = guard.new_code()
    assert not any(guard.pair("x" + code, PAGE) for _ in range(5))
    assert guard.pair(code, PAGE) == ""


@pytest.mark.parametrize(
    ("headers", "known"),
    [
        ({}, True),
        ({"origin": PAGE}, True),
        ({"origin": "https://khac.vn"}, False),
        ({"origin": "null"}, False),
        ({"origin": ""}, False),
        ({"origin": PAGE + ".khac.vn"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-mode": "no-cors"}, False),
    ],
)
def test_only_pages_on_the_list_and_no_browser_without_an_origin(headers: dict[str, str], known: bool) -> None:
    assert Guard(frozenset({PAGE})).knows(headers) == known


def test_a_host_that_was_rebound_is_not_ours() -> None:
    guard = Guard(frozenset())
    guard.port = 47823
    assert guard.own_host("127.0.0.1:47823")
    for host in ("127.0.0.1", "127.0.0.1:80", "evil.vn:47823", "localhost:47823", "[::1]:47823", ""):
        assert not guard.own_host(host)


def test_an_entry_opens_once_and_forms_need_everything() -> None:
    guard = Guard(frozenset({PAGE}))
    guard.port = 1
    entry = guard.entry()
    cookie = guard.enter(entry)
    assert guard.enter(entry) == guard.enter("") == ""
    mine = {"cookie": f"other=1; lienthong_agent={cookie}", "origin": guard.own_origin}
    secret = guard.form_secret(mine)
    assert guard.form_is_ours(mine, secret)
    assert guard.form_is_ours({**mine, "sec-fetch-site": "same-origin"}, secret)
    for headers, given in (
        (mine, ""),
        (mine, secret + "x"),
        ({**mine, "cookie": "lienthong_agent=x"}, secret),
        ({**mine, "cookie": ""}, ""),
        ({**mine, "origin": PAGE}, secret),
        ({**mine, "origin": "null"}, secret),
        ({"cookie": mine["cookie"]}, secret),
        ({**mine, "sec-fetch-site": "cross-site"}, secret),
    ):
        assert not guard.form_is_ours(headers, given)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("https://Cong.BenhVien.vn", PAGE),
        ("https://cong.benhvien.vn/ky?x=1", PAGE),
        ("https://a.vn:8443", "https://a.vn:8443"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
        ("http://cong.benhvien.vn", None),
        ("cong.benhvien.vn", None),
        ("*", None),
        ("null", None),
    ],
)
def test_an_origin_is_read_from_an_address(text: str, wanted: str | None) -> None:
    if wanted is None:
        with pytest.raises(ValueError, match="https"):
            origin_of(text)
    else:
        assert origin_of(text) == wanted


def test_a_run_that_ends_by_surprise_leaves_the_batch_waiting() -> None:
    class Broken:
        chain = ()
        algorithms = ("RS256",)
        closed = False

        def close(self) -> None:
            self.closed = True

    batch, key = Batch(request(), PAGE), Broken()
    assert batch.choose([])
    with pytest.raises(IndexError):
        batch.run(lambda: key)  # type: ignore[arg-type,return-value]  # it has no certificate
    assert key.closed
    assert (batch.state().state, batch.state().fault) == ("waiting", 5001)
