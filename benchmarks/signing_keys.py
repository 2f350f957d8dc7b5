"""Keys: what each provider adds to the bare signature of what holds the key."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from pkcs11 import Mechanism, ObjectClass

from benchmarks.figures import Row, per_call_us
from mappings.formats.values import FileName, Secret
from signing import token
from signing.agent.guard import Guard
from signing.agent.listener import holder, listening
from signing.agent.service import Agent
from signing.contract import ToSign
from signing.keys import agent, open_key, pkcs11
from signing.testing import Authority
from tests.signer import Signer
from tests.softhsm import MODULE, SoftHsm

PIN = Secret("472915")
DIGEST = bytes(range(32))
DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420") + DIGEST
SHA256 = Prehashed(hashes.SHA256())
BATCH = 300
_TURN = 240


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        root, hsm = Authority.root(), SoftHsm(Path(folder))
        rsa, curve = root.issue("R"), root.issue_elliptic("E", ec.SECP256R1())
        with _environment():
            hsm.start()
            for label, key in (("rsa", rsa), ("ec", curve)):
                hsm.add(label, PIN)
                hsm.put(label, PIN, key)
            (file := Path(folder) / "key.p12").write_bytes(rsa.pkcs12(PIN))
            bare = per_call_us(lambda: rsa.private_key.sign(DIGEST, padding.PKCS1v15(), SHA256))
            ours = _one_us(open_key("pkcs12", {"file": str(file), "password": PIN}))
            rows = [
                Row("RSA-2048 in memory, bare", bare, "us"),
                Row("the same through pkcs12", ours, "us", "bare", ours / bare),
            ]
            rows += _token("rsa", "RSA-2048", DIGEST_INFO, Mechanism.RSA_PKCS)
            rows += _token("ec", "ECDSA P-256", DIGEST, Mechanism.ECDSA)
            rows += _pool()
            rows += _agent()
            token.load(MODULE).library.finalize()
    return rows


def _one_us(key: Any) -> float:
    batch = [ToSign(DIGEST)]
    return per_call_us(lambda: next(key.sign_hashes(batch)))


def _token(label: str, name: str, data: bytes, mechanism: Mechanism) -> list[Row]:
    """Take turns, so that what else the machine does falls on both alike."""
    key = pkcs11.Key(pkcs11.Settings(module=FileName(MODULE), token=label, pin=PIN))
    session = token.find(token.load(MODULE), label).open()
    private = session.get_key(object_class=ObjectClass.PRIVATE_KEY)
    turns = [
        (per_call_us(lambda: private.sign(data, mechanism=mechanism), 0.2), _one_us(key), _per_signature_us(key))
        for _ in range(5)
    ]
    bare, one, batch = (median(column) for column in zip(*turns, strict=True))
    session.close()
    key.close()
    return [
        Row(f"SoftHSM {name}: python-pkcs11 alone", bare, "us"),
        Row(f"SoftHSM {name}: pkcs11, one at a time", one, "us", "alone (at most 1.25)", one / bare),
        Row(f"SoftHSM {name}: pkcs11, each of a batch of {BATCH}", batch, "us", "alone (at most 1.25)", batch / bare),
    ]


def _per_signature_us(key: Any) -> float:
    batch = [ToSign(DIGEST)] * BATCH
    started = time.process_time()
    for _ in key.sign_hashes(batch):
        pass
    return (time.process_time() - started) / BATCH * 1e6


def _pool() -> list[Row]:
    """Signatures a second by sessions, as many threads as sessions, in turns with the same number of bare sessions and threads.

    Ours cannot gain more from sessions than the token itself does, and that not more than two threads gain here without one.
    """
    rows: list[Row] = []
    for n in (1, 2, 4):
        key = pkcs11.Key(pkcs11.Settings(FileName(MODULE), "rsa", PIN, sessions=n))
        turns = [(_bare_rate(n), _fastest(partial(_signs, key), n, _TURN, best_of=1)) for _ in range(8)]
        key.close()
        bare, ours = (max(column) for column in zip(*turns, strict=True))
        rows.append(Row(f"SoftHSM RSA-2048, {n} sessions: python-pkcs11 alone", bare, "signatures/s"))
        what = f"SoftHSM RSA-2048, {n} sessions: ours"
        rows.append(Row(what, ours, "signatures/s", "alone (at least 0.8)", ours / bare))
    slow = {n: _rate(_slow(n), n, 200) for n in (1, 4)}
    rows.append(Row("a token that takes 5 ms, 4 sessions", slow[4], "signatures/s", "one session", slow[4] / slow[1]))
    rows.append(Row("two threads that sign in memory beside one, now", _threads_rate(2) / _threads_rate(1), "times"))
    return rows


def _bare_rate(threads: int) -> float:
    found = token.find(token.load(MODULE), "rsa")
    sessions = [found.open() for _ in range(threads)]
    keys = [session.get_key(object_class=ObjectClass.PRIVATE_KEY) for session in sessions]

    def some(count: int) -> None:
        key = keys.pop()
        for _ in range(count):
            key.sign(DIGEST_INFO, mechanism=Mechanism.RSA_PKCS)

    rate = _fastest(some, threads, _TURN, best_of=1)
    for session in sessions:
        session.close()
    return rate


def _signs(key: pkcs11.Key, count: int) -> None:
    for _ in range(count):
        key.sign(b"data")


@dataclass
class _Slow:
    """A token's key that takes its time, as devices do."""

    real: Any

    def sign(self, *data: Any, **how: Any) -> bytes:
        time.sleep(0.005)
        return bytes(self.real.sign(*data, **how))


def _slow(sessions: int) -> pkcs11.Key:
    key = pkcs11.Key(pkcs11.Settings(FileName(MODULE), "rsa", PIN, sessions=sessions))
    assert key._login
    key._login._free = [(session, _Slow(real)) for session, real in key._login._free]
    return key


def _rate(key: pkcs11.Key, threads: int, count: int = 1200) -> float:
    rate = _fastest(partial(_signs, key), threads, count)
    key.close()
    return rate


def _threads_rate(threads: int) -> float:
    key = Authority.root().private_key

    def some(count: int) -> None:
        for _ in range(count):
            key.sign(DIGEST, padding.PKCS1v15(), SHA256)

    return _fastest(some, threads)


def _fastest(some: Callable[[int], None], threads: int, count: int = 1200, best_of: int = 3) -> float:
    best = 0.0
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(best_of):
            started = time.perf_counter()
            list(pool.map(some, [count // threads] * threads))
            best = max(best, count / (time.perf_counter() - started))
    return best


def _agent() -> list[Row]:
    guard = Guard(frozenset())
    made = Agent(holder(FileName(MODULE), "rsa"), guard, Signer([PIN]).announce)
    with listening(made, guard, 0) as address:
        paired = agent.pair(address, guard.new_code())
        key = agent.Key(agent.Settings(address, paired, timedelta(minutes=1)))
        batch = [ToSign(DIGEST, "Giấy ra viện", lambda: "<p>nội dung</p>" * 1000)] * BATCH
        started = time.perf_counter()
        count = sum(1 for _ in key.sign_hashes(batch))
        took = time.perf_counter() - started
    return [Row(f"workstation agent: {count} papers of 16 KB under one PIN, all the way", took * 1000, "ms")]


@contextmanager
def _environment() -> Iterator[None]:
    before = os.environ.get("SOFTHSM2_CONF")
    try:
        yield
    finally:
        os.environ.pop("SOFTHSM2_CONF", None)
        if before is not None:
            os.environ["SOFTHSM2_CONF"] = before
