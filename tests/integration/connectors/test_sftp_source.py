"""The SFTP source against a real OpenSSH server, and against a scripted one that misbehaves."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from connectors.contract import Answer
from connectors.faults import PickupKeysUnusable, TooLarge
from connectors.sources._pickup import FileChanged, Pickup
from connectors.sources.sftp import Keys, Server, Settings, Source
from mappings.formats.faults import IntakeFault
from mappings.formats.values import FileName, Secret, Size
from tests.sshd import Sshd, sshd

DAY = date(2026, 11, 26)
PASSWORD = "a password of a test"


@dataclass
class Desk:
    """Says yes, and no to what begins with `bad`."""

    taken: list[bytes] = field(default_factory=list)
    faults: list[IntakeFault | None] = field(default_factory=list)
    told: int = 0

    async def receive(self, raw: bytes, peer: str, fault: IntakeFault | None = None) -> Answer:
        self.taken.append(raw)
        self.faults.append(fault)
        return Answer((b"the answer",), fault is None and not raw.startswith(b"bad"), str(len(self.taken)))

    def answered(self, answer: Answer) -> None:
        self.told += 1


class House:
    """An SFTP source of which every look is asked for."""

    def __init__(self, **settings: Any) -> None:
        self.desk = Desk()
        self.settings = Settings(**{"settle": timedelta(0), **settings})
        self.server = Server(self.settings, Keys.read(self.settings), today=lambda: DAY)
        self.at = 0.0
        self.pickup = Pickup(self.server, self.settings.habits, now=lambda: self.at)

    async def rounds(self, count: int = 2) -> None:
        for _ in range(count):
            await self.pickup.round(self.desk)
            self.at += 400


def play(scene: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(30):
            await scene()

    asyncio.run(limited())


@pytest.fixture(scope="module")
def running() -> Iterator[Sshd]:
    with sshd() as server:
        yield server


@pytest.fixture
def real(running: Sshd) -> Sshd:
    """The server with an empty folder."""
    for path in sorted(running.drop.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    return running


@asynccontextmanager
async def at(real: Sshd, **settings: Any) -> AsyncIterator[House]:
    ways = {"host": "127.0.0.1", "port": real.port, "username": real.user, "folder": str(real.drop)}
    house = House(**{**ways, "private_key": FileName(real.key), "host_key": (real.fingerprint,), **settings})
    try:
        yield house
    finally:
        await house.server.close()


def put(real: Sshd, name: str, content: bytes, age: int = 0) -> Path:
    path = real.drop / name
    path.write_bytes(content)
    os.utime(path, (1_000_000 - age, 1_000_000 - age))
    return path


def all_of(real: Sshd) -> dict[str, bytes]:
    return {str(p.relative_to(real.drop)): p.read_bytes() for p in sorted(real.drop.rglob("*")) if p.is_file()}


# ---- a real server ----


def test_files_are_moved_by_day_the_oldest_first(real: Sshd) -> None:
    put(real, "b.xml", b"two", 1)
    put(real, "a.xml", b"three", 0)
    put(real, "Ấn Độ.XML", b"one", 2)
    put(real, "bad.xml", b"bad", 3)
    put(real, "d.txt", b"not ours")
    put(real, "e.xml.part", b"not whole")

    async def scene() -> None:
        async with at(real) as house:
            await house.rounds()
            assert house.desk.taken == [b"bad", b"one", b"two", b"three"]
            assert house.desk.told == 4

    play(scene)
    assert all_of(real) == {
        "d.txt": b"not ours",
        "e.xml.part": b"not whole",
        "done/2026-11-26/a.xml": b"three",
        "done/2026-11-26/b.xml": b"two",
        "done/2026-11-26/Ấn Độ.XML": b"one",
        "refused/bad.xml": b"bad",
        "refused/bad.xml.answer": b"the answer",
    }


def test_files_are_deleted_when_told_so_and_known_hosts_serve_too(real: Sshd) -> None:
    put(real, "a.xml", b"one")

    async def scene() -> None:
        async with at(real, after="delete", host_key=(), known_hosts=FileName(real.known_hosts)) as house:
            await house.rounds()
            assert house.desk.told == 1

    play(scene)
    assert all_of(real) == {}


def test_nothing_that_was_put_away_is_overwritten(real: Sshd) -> None:
    async def scene() -> None:
        async with at(real) as house:
            for number in range(3):
                put(real, "a.xml", f"yes {number}".encode())
                put(real, "b.xml", f"bad {number}".encode())
                await house.rounds()

    play(scene)
    assert all_of(real) == {
        **{f"done/2026-11-26/a{n}.xml": f"yes {i}".encode() for i, n in enumerate(("", ".2", ".3"))},
        **{f"refused/b{n}.xml": f"bad {i}".encode() for i, n in enumerate(("", ".2", ".3"))},
        **{f"refused/b{n}.xml.answer": b"the answer" for n in ("", ".2", ".3")},
    }


def test_links_and_folders_stay(real: Sshd, caplog: pytest.LogCaptureFixture) -> None:
    (real.drop / "link.xml").symlink_to("/etc/hostname")
    (real.drop / "folder.xml").mkdir()
    put(real, "a.xml", b"one")

    async def scene() -> None:
        async with at(real) as house:
            await house.rounds()
            assert house.desk.taken == [b"one"]

    play(scene)
    assert "2 entries are no plain files" in caplog.text


def test_a_file_over_the_limit_is_cut_and_refused(real: Sshd) -> None:
    put(real, "a.xml", b"x" * 300_000)

    async def scene() -> None:
        async with at(real, max_size=Size(100_000)) as house:
            await house.rounds()
            assert house.desk.taken == [b"x" * 65536]
            assert isinstance(house.desk.faults[0], TooLarge)

    play(scene)
    assert "refused/a.xml" in all_of(real)


@pytest.mark.parametrize("obstacle", ["a file", "no right"])
def test_a_file_that_cannot_be_moved_is_handed_in_once(
    real: Sshd, obstacle: str, caplog: pytest.LogCaptureFixture
) -> None:
    done = real.drop / "done"
    if obstacle == "a file":
        done.touch()
    else:
        done.mkdir(mode=0o555)
        done.chmod(0o555)
    put(real, "NGUYEN.xml", b"one")

    async def scene() -> None:
        async with at(real) as house:
            await house.rounds(4)
            assert house.desk.taken == [b"one"]
            assert house.pickup.counts()["stuck"] == 1
            done.unlink() if obstacle == "a file" else done.chmod(0o777)
            await house.rounds(1)
            assert house.desk.taken == [b"one"]
            assert house.desk.told == 1

    play(scene)
    assert "done/2026-11-26/NGUYEN.xml" in all_of(real)
    assert "LT2109" in caplog.text
    assert "NGUYEN" not in caplog.text


def test_an_unreadable_file_waits_and_the_others_go_on(real: Sshd, caplog: pytest.LogCaptureFixture) -> None:
    if os.geteuid() != 0:
        pytest.skip("the account of the server is ours")
    put(real, "NGUYEN.xml", b"one", 1).chmod(0)
    put(real, "b.xml", b"two")

    async def scene() -> None:
        async with at(real) as house:
            await house.rounds()
            assert house.desk.taken == [b"two"]

    play(scene)
    assert "LT2108 PickupFileWaits (the server says SFTPPermissionDenied)" in caplog.text
    assert "NGUYEN" not in caplog.text


@pytest.mark.parametrize("after", ["move", "delete"])
def test_another_file_under_the_name_is_not_put_away(real: Sshd, after: str) -> None:
    put(real, "a.xml", b"one", age=5)

    async def scene() -> None:
        async with at(real, after=after) as house:
            (entry,) = (await house.server.look()).files
            put(real, "a.xml", b"two")
            for act in (house.server.accept(entry), house.server.refuse(entry, b"no"), house.server.read(entry, 10)):
                with pytest.raises(FileChanged):
                    await act

    play(scene)
    assert all_of(real) == {"a.xml": b"two"}


def test_a_server_that_goes_and_comes_back(real: Sshd, caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        async with at(real) as house:
            put(real, "a.xml", b"one")
            await house.rounds()
            real.cut()
            connection = house.server._connection
            assert connection is not None
            await connection.wait_closed()
            put(real, "b.xml", b"two")
            await house.rounds()
            assert house.desk.taken == [b"one", b"two"]
            await asyncio.to_thread(real.stop)
            await house.rounds(3)
            assert house.pickup.counts()["away"] == 1
            await asyncio.to_thread(real.server.start)
            put(real, "c.xml", b"three")
            await house.rounds()
            assert house.desk.taken == [b"one", b"two", b"three"]
            assert house.pickup.counts()["away"] == 0

    play(scene)
    assert caplog.text.count("LT2107") == 1, "a lost session is replaced without a word"


def test_a_folder_that_is_not_there_is_waited_for(real: Sshd, caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        async with at(real, folder=str(real.drop / "absent")) as house:
            await house.rounds()
            assert house.pickup.counts()["away"] == 1

    play(scene)
    assert "LT2107 PickupAway (the folder: SFTPNoSuchFile)" in caplog.text


def test_nothing_is_sent_to_a_server_with_another_key(real: Sshd, caplog: pytest.LogCaptureFixture) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").get_fingerprint("sha256")
    put(real, "a.xml", b"one")

    async def scene() -> None:
        async with at(real, host_key=(other,)) as house:
            await house.rounds()
            assert house.desk.taken == []

    play(scene)
    assert f"LT2111 PickupHostKeyStrange (ssh-ed25519 {real.fingerprint})" in caplog.text


def test_an_account_that_is_not_let_in(real: Sshd, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    stranger = tmp_path / "stranger"
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(stranger)

    async def scene() -> None:
        async with at(real, private_key=FileName(stranger)) as house:
            await house.rounds()

    play(scene)
    assert "LT2112" in caplog.text


def test_unusable_keys_are_a_fault_before_ready(real: Sshd, tmp_path: Path) -> None:
    rubbish, locked = tmp_path / "rubbish", tmp_path / "locked"
    rubbish.write_bytes(b"\xff no key")
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(locked, "pkcs8-pem", "a word")
    ways: dict[str, Any] = {"host": "127.0.0.1", "port": real.port, "username": real.user, "folder": str(real.drop)}
    given: dict[str, Any] = {"private_key": FileName(real.key), "host_key": (real.fingerprint,)}

    def never(address: str) -> None:
        pytest.fail("said to be ready")

    wrong: tuple[dict[str, Any], ...] = (
        {"private_key": FileName(rubbish)},
        {"private_key": FileName(tmp_path / "absent")},
        {"private_key": FileName(locked)},
        {"private_key": FileName(locked), "passphrase": Secret("another word")},
        {"host_key": (), "known_hosts": FileName(rubbish)},
        {"host_key": (), "known_hosts": FileName(tmp_path / "absent")},
    )
    for more in wrong:
        with pytest.raises(PickupKeysUnusable):
            asyncio.run(Source(Settings(**{**ways, **given, **more})).run(Desk(), never))
    assert Keys.read(Settings(**{**ways, **given, "private_key": FileName(locked), "passphrase": Secret("a word")})).own


# ---- a server that misbehaves ----


class Gate(asyncssh.SSHServer):
    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return password == PASSWORD


class Shelf(asyncssh.SFTPServer):
    """Says what the test wants of files that are not there."""

    entries: tuple[asyncssh.SFTPName, ...] = ()
    content = b"one"
    asked: tuple[str, ...] = ()
    renamed: tuple[tuple[bytes, bytes], ...] = ()

    async def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
        for entry in type(self).entries:
            yield entry

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        return path

    def close(self, file_obj: object) -> None: ...

    async def read(self, file_obj: object, offset: int, size: int) -> bytes:
        return self.content[offset : offset + size]

    def _attributes(self, path: bytes) -> asyncssh.SFTPAttrs:
        for entry in type(self).entries:
            if isinstance(entry.filename, bytes) and path == b"/drop/" + entry.filename:
                return entry.attrs
        raise asyncssh.SFTPNoSuchFile("NGUYEN")

    def lstat(self, path: bytes) -> asyncssh.SFTPAttrs:
        return self._attributes(path)

    def fstat(self, file_obj: object) -> asyncssh.SFTPAttrs:
        assert isinstance(file_obj, bytes)
        return self._attributes(file_obj)

    def mkdir(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None: ...

    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        type(self).renamed = (*type(self).renamed, (oldpath, newpath))
        type(self).entries = ()


def name(text: bytes, size: int = 3, kind: int = 0o100644) -> asyncssh.SFTPName:
    return asyncssh.SFTPName(text, attrs=asyncssh.SFTPAttrs(permissions=kind, size=size, atime=1, mtime=1))


@asynccontextmanager
async def hostile(shelf: type[Shelf], **settings: Any) -> AsyncIterator[House]:
    key = asyncssh.generate_private_key("ssh-ed25519")
    server = await asyncssh.listen(
        "127.0.0.1", 0, server_factory=Gate, server_host_keys=[key], sftp_factory=shelf, config=None
    )
    ways = {"host": "127.0.0.1", "port": server.get_port(), "username": "his", "folder": "/drop"}
    print_of = key.get_fingerprint("sha256")
    house = House(**{**ways, "password": Secret(PASSWORD), "host_key": (print_of,), **settings})
    try:
        yield house
    finally:
        await house.server.close()
        server.close()
        await server.wait_closed()


def test_a_password_serves_too() -> None:
    class Plain(Shelf):
        entries = (name(b"a.xml"),)

    async def scene() -> None:
        async with hostile(Plain) as house:
            await house.rounds()
            assert house.desk.taken == [b"one"]
            assert Plain.renamed == ((b"/drop/a.xml", b"/drop/done/2026-11-26/a.xml"),)

    play(scene)


def test_a_wrong_password_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        async with hostile(Shelf, password=Secret("another")) as house:
            await house.rounds()

    play(scene)
    assert "LT2112" in caplog.text
    assert "another" not in caplog.text


def test_names_that_lead_elsewhere_are_not_touched(caplog: pytest.LogCaptureFixture) -> None:
    class Sly(Shelf):
        names = (
            b"x/../a.xml",
            b"/etc/a.xml",
            b"x\\a.xml",
            b"a\x00.xml",
            b"a\x1b[2J.xml",
            b"a\n.xml",
            b"x" * 300 + b".xml",
        )
        entries = tuple(map(name, names))

        async def read(self, file_obj: object, offset: int, size: int) -> bytes:
            pytest.fail("was read")

    async def scene() -> None:
        async with hostile(Sly) as house:
            await house.rounds()
            assert house.desk.taken == []

    play(scene)
    assert "7 entries are no plain files" in caplog.text
    assert "\x1b" not in caplog.text


@pytest.mark.parametrize("said", [1, 2**63])
def test_a_size_that_lies_costs_no_memory_and_takes_no_half_file(said: int) -> None:
    class Liar(Shelf):
        entries = (name(b"a.xml", size=said),)
        most = 0

        async def read(self, file_obj: object, offset: int, size: int) -> bytes:
            Liar.most = max(Liar.most, offset + size)
            return b"x" * size

    async def scene() -> None:
        async with hostile(Liar, max_size=Size(1024 * 1024)) as house:
            await house.rounds()
            assert all(isinstance(fault, TooLarge) for fault in house.desk.faults)
            assert [len(raw) for raw in house.desk.taken] == [65536]
            assert Liar.most <= 1024 * 1024 + 1

    play(scene)


def test_less_than_was_said_is_not_taken(caplog: pytest.LogCaptureFixture) -> None:
    class Short(Shelf):
        entries = (name(b"NGUYEN.xml", size=9),)

    async def scene() -> None:
        async with hostile(Short) as house:
            await house.rounds()
            assert house.desk.taken == []
            assert house.pickup.counts()["waiting"] == 1

    play(scene)
    assert "LT2108" in caplog.text
    assert "NGUYEN" not in caplog.text


def test_a_server_that_falls_silent_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    class Silent(Shelf):
        entries = (name(b"a.xml"),)

        async def read(self, file_obj: object, offset: int, size: int) -> bytes:
            await asyncio.Event().wait()
            return b""

    async def scene() -> None:
        async with hostile(Silent, request_timeout=timedelta(milliseconds=200)) as house:
            await house.rounds()
            assert house.pickup.counts()["away"] == 1

    play(scene)
    assert "LT2107 PickupAway (no answer in time)" in caplog.text


def test_a_file_that_drips_gives_the_others_their_turn(caplog: pytest.LogCaptureFixture) -> None:
    class Dripping(Shelf):
        entries = (name(b"a.xml", size=1000), name(b"b.xml", size=2))

        async def read(self, file_obj: object, offset: int, size: int) -> bytes:
            assert isinstance(file_obj, bytes)
            if file_obj.endswith(b"b.xml"):
                return b"ok"[offset:]
            await asyncio.sleep(0.02)
            return b"x"

    async def scene() -> None:
        async with hostile(Dripping, file_timeout=timedelta(milliseconds=200)) as house:
            await house.rounds()
            assert house.desk.taken == [b"ok"]

    play(scene)
    assert "reading it takes too long" in caplog.text


def test_what_the_server_says_in_words_is_not_repeated(caplog: pytest.LogCaptureFixture) -> None:
    class Chatty(Shelf):
        entries = (name(b"NGUYEN.xml"),)

        def rename(self, oldpath: bytes, newpath: bytes) -> None:
            raise asyncssh.SFTPFailure("cannot move NGUYEN.xml")

    async def scene() -> None:
        async with hostile(Chatty) as house:
            await house.rounds(4)
            assert house.desk.taken == [b"one"]

    caplog.set_level("DEBUG")
    play(scene)
    assert "LT2109 PickupFileStuck (it cannot be moved: SFTPFailure)" in caplog.text
    assert "NGUYEN" not in caplog.text


def test_a_server_that_lists_without_end_is_heard_so_far_only() -> None:
    class Endless(Shelf):
        async def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
            number = 0
            while True:
                number += 1
                yield name(b"%d.txt" % number)

    async def scene() -> None:
        async with hostile(Endless) as house:
            assert (await house.server.look()).files == []

    play(scene)


def test_a_file_replaced_in_the_last_moment_is_given_back() -> None:
    class Late(Shelf):
        """Another file comes when the first is moved; it is there alone, wherever it is asked for."""

        entries = (name(b"a.xml"),)
        there = b"/drop/a.xml"

        def rename(self, oldpath: bytes, newpath: bytes) -> None:
            Late.renamed = (*Late.renamed, (oldpath, newpath))
            Late.entries, Late.there = (name(b"a.xml", size=7),), newpath

        def lstat(self, path: bytes) -> asyncssh.SFTPAttrs:
            if path == Late.there:
                return Late.entries[0].attrs
            raise asyncssh.SFTPNoSuchFile("")

    async def scene() -> None:
        async with hostile(Late) as house:
            (entry,) = (await house.server.look()).files
            with pytest.raises(FileChanged):
                await house.server.accept(entry)
            target = b"/drop/done/2026-11-26/a.xml"
            assert Late.renamed == ((b"/drop/a.xml", target), (target, b"/drop/a.xml"))

    play(scene)
