"""The folder source on a real file system, and in a node that is killed between taking a file and moving it."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import Answer
from connectors.faults import PickupFolderUnusable
from connectors.sources import folder as module
from connectors.sources._pickup import Entry, FileChanged, FileTrouble, Pickup
from connectors.sources.folder import Folder, Settings, Source
from mappings.formats.faults import IntakeFault
from mappings.formats.values import FileName
from tests.servers import AS_ROOT, wait_until
from tests.site import cli_json, running_node, start_node, write_site

DAY = date(2026, 11, 26)


class Desk:
    """Says yes, and no to what begins with `bad`."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.told = 0

    async def receive(self, raw: bytes, peer: str, fault: IntakeFault | None = None) -> Answer:
        assert "NGUYEN" not in peer
        self.taken.append(raw)
        return Answer((b"the answer",), fault is None and not raw.startswith(b"bad"), str(len(self.taken)))

    def answered(self, answer: Answer) -> None:
        self.told += 1


class House:
    """A folder source of which every look is asked for."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.drop = folder
        self.desk = Desk()
        self.settings = Settings(FileName(folder), **{"settle": timedelta(0), **settings})
        self.folder = Folder(self.settings, today=lambda: DAY)
        self.at = 0.0
        self.pickup = Pickup(self.folder, self.settings.habits, now=lambda: self.at)

    def rounds(self, count: int = 2) -> None:
        async def play() -> None:
            for _ in range(count):
                await self.pickup.round(self.desk)
                self.at += 400

        asyncio.run(play())

    def put(self, name: str, content: bytes, age: int = 0) -> Path:
        path = self.drop / name
        path.write_bytes(content)
        os.utime(path, (1_000_000 - age, 1_000_000 - age))
        return path

    def all(self) -> dict[str, bytes]:
        return {str(p.relative_to(self.drop)): p.read_bytes() for p in sorted(self.drop.rglob("*")) if p.is_file()}


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
def common() -> Iterator[Path]:
    """A folder that every user may reach; those of pytest are closed."""
    with tempfile.TemporaryDirectory(prefix="lienthong-drop-") as made:
        folder = Path(made)
        folder.chmod(0o755)
        (folder / "drop").mkdir()
        (folder / "drop").chmod(0o777)
        yield folder


@contextmanager
def as_nobody() -> Iterator[None]:
    if not AS_ROOT:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_files_are_moved_by_day_the_oldest_first(house: House) -> None:
    house.put("b.xml", b"two", 1)
    house.put("a.xml", b"three", 0)
    house.put("c.XML", b"one", 2)
    house.put("d.txt", b"not ours")
    house.put("e.xml.part", b"not whole")
    house.rounds()
    assert house.desk.taken == [b"one", b"two", b"three"]
    assert house.desk.told == 3
    assert house.all() == {
        "d.txt": b"not ours",
        "e.xml.part": b"not whole",
        "done/2026-11-26/a.xml": b"three",
        "done/2026-11-26/b.xml": b"two",
        "done/2026-11-26/c.XML": b"one",
    }


def test_files_are_deleted_when_told_so(tmp_path: Path) -> None:
    house = House(tmp_path, after="delete")
    house.put("a.xml", b"one")
    house.put("b.xml", b"bad")
    house.rounds()
    assert house.all() == {"refused/b.xml": b"bad", "refused/b.xml.answer": b"the answer"}


def test_nothing_that_was_put_away_is_overwritten(house: House) -> None:
    for number in range(3):
        house.put("a.xml", f"yes {number}".encode())
        house.put("b.xml", f"bad {number}".encode())
        house.rounds()
    assert house.all() == {
        **{f"done/2026-11-26/a{n}.xml": f"yes {i}".encode() for i, n in enumerate(("", ".2", ".3"))},
        **{f"refused/b{n}.xml": f"bad {i}".encode() for i, n in enumerate(("", ".2", ".3"))},
        **{f"refused/b{n}.xml.answer": b"the answer" for n in ("", ".2", ".3")},
    }


def test_a_file_that_grows_is_waited_for(house: House) -> None:
    with house.put("a.xml", b"o").open("ab") as writer:
        for more in (b"n", b"e", b"."):
            house.rounds(1)
            writer.write(more)
            writer.flush()
    house.rounds(1)
    assert house.desk.taken == []
    house.rounds(1)
    assert house.desk.taken == [b"one."]


def test_links_folders_and_devices_stay(house: House, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    secret = tmp_path.parent / "secret"
    secret.write_bytes(b"not for the ledger")
    (house.drop / "NGUYEN.xml").symlink_to(secret)
    (house.drop / "folder.xml").mkdir()
    os.mkfifo(house.drop / "pipe.xml")
    house.put("a.xml", b"one")
    house.rounds(3)
    assert house.desk.taken == [b"one"]
    assert secret.read_bytes() == b"not for the ledger"
    assert caplog.text.count("3 entries are no plain files") == 1
    assert "NGUYEN" not in caplog.text


def test_odd_names_are_taken_and_never_said(house: House, caplog: pytest.LogCaptureFixture) -> None:
    names = ["NGUYEN\nVAN AN.xml", "NGUYEN\udcff.xml", "NGUYEN " + "Ấ" * 80 + ".xml"]
    for name in names:
        house.put(name, b"bad")
    house.rounds()
    assert len(house.desk.taken) == 3
    assert sum(name.endswith(".answer") for name in house.all()) == 3
    assert "NGUYEN" not in caplog.text


def test_an_unreadable_file_waits_and_the_others_go_on(common: Path, caplog: pytest.LogCaptureFixture) -> None:
    house = House(common / "drop")
    locked = house.put("NGUYEN.xml", b"one", age=1)
    locked.chmod(0)
    house.put("b.xml", b"two")
    with as_nobody():
        house.rounds()
    assert house.desk.taken == [b"two"]
    assert "LT2108 PickupFileWaits (Permission denied)" in caplog.text
    locked.chmod(0o644)
    with as_nobody():
        house.rounds()
    assert house.desk.taken == [b"two", b"one"]
    assert "NGUYEN" not in caplog.text


@pytest.mark.parametrize("obstacle", ["file", "link", "no right"])
def test_a_file_that_cannot_be_moved_is_handed_in_once(
    obstacle: str, common: Path, caplog: pytest.LogCaptureFixture
) -> None:
    house, done, elsewhere = House(common / "drop"), common / "drop" / "done", common / "elsewhere"
    elsewhere.mkdir()
    elsewhere.chmod(0o777)
    if obstacle == "file":
        done.touch()
    elif obstacle == "link":
        done.symlink_to(elsewhere)
    else:
        done.mkdir(mode=0o555)
    house.put("NGUYEN.xml", b"one")
    with as_nobody():
        house.rounds(4)
    assert house.desk.taken == [b"one"]
    assert house.desk.told == 0
    assert house.pickup.counts()["stuck"] == 1
    assert list(elsewhere.iterdir()) == []
    assert "LT2109" in caplog.text
    assert "NGUYEN" not in caplog.text
    done.unlink() if obstacle != "no right" else done.chmod(0o777)
    with as_nobody():
        house.rounds(1)
    assert house.desk.taken == [b"one"]
    assert house.desk.told == 1
    assert (done / "2026-11-26" / "NGUYEN.xml").read_bytes() == b"one"


def test_a_full_disk_leaves_nothing_beside_and_the_file_where_it_is(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "NGUYEN")

    house.put("a.xml", b"bad")
    with monkeypatch.context() as disk:
        disk.setattr(module, "_write", full)
        house.rounds(3)
    assert house.all() == {"a.xml": b"bad"}
    assert "No space left on device" in caplog.text
    assert "NGUYEN" not in caplog.text
    house.rounds(1)
    assert house.desk.taken == [b"bad"]
    assert house.all() == {"refused/a.xml": b"bad", "refused/a.xml.answer": b"the answer"}


def test_a_folder_that_goes_away_is_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    drop, aside = tmp_path / "drop", tmp_path / "aside"
    drop.mkdir()
    house = House(drop)
    house.rounds()
    drop.rename(aside)
    house.rounds(3)
    assert house.pickup.counts()["away"] == 1
    aside.rename(drop)
    house.put("a.xml", b"one")
    house.rounds()
    assert house.desk.taken == [b"one"]
    assert caplog.text.count("LT2107") == 1


def test_an_empty_mount_point_is_not_taken_for_an_empty_folder(common: Path, caplog: pytest.LogCaptureFixture) -> None:
    house = House(common / "drop")
    with as_nobody():
        house.rounds(1)
        assert house.pickup.counts()["away"] == 0
    (common / "drop" / "refused").rmdir()
    (common / "drop").chmod(0o555)
    with as_nobody():
        house.rounds(2)
        assert house.pickup.counts()["away"] == 1
    assert "LT2107 PickupAway (Permission denied)" in caplog.text


@pytest.mark.parametrize("act", [Folder.accept, lambda folder, entry: folder.refuse(entry, b"no")])
@pytest.mark.parametrize("after", ["move", "delete"])
def test_another_file_under_the_name_is_not_put_away(act: Callable[..., Any], after: str, tmp_path: Path) -> None:
    house = House(tmp_path, after=after)
    house.put("a.xml", b"one", age=5)
    (entry,) = asyncio.run(house.folder.look()).files
    house.put("a.xml", b"two")
    with pytest.raises(FileChanged):
        asyncio.run(act(house.folder, entry))
    with pytest.raises(FileChanged):
        asyncio.run(house.folder.read(entry, 10))
    assert house.all() == {"a.xml": b"two"}


@pytest.mark.parametrize("meanwhile", [False, True])
def test_a_file_replaced_in_the_last_moment_is_given_back(
    house: House, meanwhile: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the last look at it and the move."""
    house.put("a.xml", b"one", age=5)
    (entry,) = asyncio.run(house.folder.look()).files
    rename = os.rename

    def late(*given: Any, **more: Any) -> None:
        monkeypatch.undo()
        house.put("a.xml", b"two")
        rename(*given, **more)
        if meanwhile:
            house.put("a.xml", b"three")

    monkeypatch.setattr(os, "rename", late)
    with pytest.raises(FileChanged):
        asyncio.run(house.folder.accept(entry))
    assert house.all() == ({"a.xml": b"three", "a.2.xml": b"two"} if meanwhile else {"a.xml": b"two"})


def test_an_error_of_the_system_is_told_without_the_name(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.put("NGUYEN.xml", b"one")
    (entry,) = asyncio.run(house.folder.look()).files

    def fail(*_: object, **__: object) -> None:
        raise OSError(5, "NGUYEN.xml")

    monkeypatch.setattr(os, "rename", fail)
    with pytest.raises(FileTrouble, match=r"^Input/output error$"):
        asyncio.run(house.folder.accept(entry))


@pytest.mark.parametrize("trouble", ["absent", "a file", "read-only", "refused is a file"])
def test_an_unusable_folder_is_a_fault_before_ready(trouble: str, common: Path) -> None:
    drop = common / "drop"
    if trouble in ("absent", "a file"):
        drop.rmdir()
    if trouble == "a file":
        drop.touch()
    elif trouble == "read-only":
        drop.chmod(0o555)
    elif trouble == "refused is a file":
        (drop / "refused").touch()

    def never(address: str) -> None:
        pytest.fail("said to be ready")

    with as_nobody(), pytest.raises(PickupFolderUnusable) as told:
        asyncio.run(Source(Settings(FileName(drop))).run(Desk(), never))
    assert told.value.where == str(drop)


def test_an_entry_knows_when_it_was_written_to_the_nanosecond(house: House) -> None:
    path = house.put("a.xml", b"one")
    (entry,) = asyncio.run(house.folder.look()).files
    assert entry == Entry("a.xml", 3, path.stat().st_mtime_ns)


HL7 = (
    "MSH|^~\\&|HIS|01999|GW|X|20261121080000||ADT^A04^ADT_A01|{id}|P|2.5.1||||||UNICODE UTF-8\r"
    "PID|1||{id}^^^HIS^MR||THỬ^NGHIỆM\rPV1|1|O\r"
)


def test_a_node_killed_between_taking_and_moving_loses_and_doubles_nothing(tmp_path: Path) -> None:
    drop = tmp_path / "drop"
    drop.mkdir()
    site = write_site(tmp_path / "site", produce=())
    channel = site / "channels" / "his.toml"
    source = f'{{ kind = "folder", folder = "{drop}", pattern = "*.hl7", poll = "50ms", settle = "50ms" }}'
    channel.write_text(channel.read_text().replace('{ kind = "mllp", listen = "127.0.0.1:0", tls = "none" }', source))
    node = start_node(site, "tests.crash.killing_node", LIENTHONG_TEST_KILL="message committed, not answered:2")
    assert node.listening == {"his": "folder drop"}
    for number in range(3):
        part = drop / f"{number}.part"
        part.write_text(HL7.format(id=f"M{number}"), encoding="utf-8", newline="")
        os.utime(part, (1000 + number, 1000 + number))
        part.rename(drop / f"{number}.hl7")
    node.process.wait(60)
    assert node.process.stdout is not None
    node.process.stdout.close()
    assert len(list(drop.glob("*.hl7"))) == 2
    with running_node(site):
        wait_until(lambda: not list(drop.glob("*.hl7")))
    assert sorted(path.name for path in drop.glob("done/*/*")) == ["0.hl7", "1.hl7", "2.hl7"]
    rows = cli_json("messages", "list", "-c", str(site))
    assert sorted(row["control_id"] for row in rows if row["state"] != "duplicate") == ["M0", "M1", "M2"]


@pytest.mark.parametrize("by", ["flock", "lockf"])
def test_a_locked_file_is_taken_when_it_is_let_go(house: House, by: str, caplog: pytest.LogCaptureFixture) -> None:
    """What another process holds locked it may still write to, although nothing has changed for a while."""
    held = house.put("NGUYEN.xml", b"half", age=1)
    house.put("b.xml", b"two")
    with locked(held, by):
        house.rounds(4)
        assert house.desk.taken == [b"two"]
        assert caplog.text.count("LT2108 PickupFileWaits (locked by another program)") == 3
        house.put("NGUYEN.xml", b"half and whole")
    house.rounds()
    assert house.desk.taken == [b"two", b"half and whole"]
    assert "NGUYEN" not in caplog.text


def test_a_file_that_a_reader_locks_is_taken(house: House) -> None:
    """Programs that only read hold a shared lock: a backup, an indexer."""
    held = house.put("a.xml", b"one")
    with locked(held, "flock shared"):
        house.rounds()
    assert house.desk.taken == [b"one"]


@pytest.mark.parametrize("refusal", [errno.EACCES, errno.EBUSY, errno.ETXTBSY])
def test_a_file_that_a_share_refuses_while_it_is_open_elsewhere_waits(
    house: House, refusal: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Windows share says it when the file is opened: sharing violation."""
    house.put("NGUYEN.xml", b"one")
    opened = os.open

    def refusing(path: Any, *arguments: Any, **more: Any) -> int:
        if path == "NGUYEN.xml":
            raise OSError(refusal, os.strerror(refusal))
        return opened(path, *arguments, **more)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", refusing)
        house.rounds(3)
    assert house.desk.taken == []
    assert caplog.text.count("LT2108 PickupFileWaits") == 2
    house.rounds()
    assert house.desk.taken == [b"one"]
    assert "NGUYEN" not in caplog.text


_HOLD = """
import fcntl, sys
file = open(sys.argv[1], "r+b")
getattr(fcntl, sys.argv[2])(file, fcntl.LOCK_SH if sys.argv[3:] else fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def locked(path: Path, by: str) -> Iterator[None]:
    """Let another process hold a file locked."""
    command = [sys.executable, "-S", "-c", _HOLD, str(path), *by.split()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield
        assert process.stdin is not None
        process.stdin.close()
