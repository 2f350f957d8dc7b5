"""Offer every DICOM file that pydicom ships to a real node with DCMTK's storescu, and tell what became of each.

    python -m tests.pictures          (`make pictures`)

What is kept has to be what was sent, bit by bit behind the file meta information: the file's own bytes, or what storescu made
of them, of which DCMTK's own receiver is the witness. Everything else has to be refused by name. Exit code 1 when something is
not so.
"""

from __future__ import annotations

import re
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pydicom
import sqlalchemy as sa
from pydicom.data import get_testdata_file

from gateway.configuration import load
from gateway.store import images
from gateway.store.engine import Store, open_store
from gateway.store.image_schema import instance
from gateway.store.objects import Objects
from tests.dicom_peers import Storescp, storescp, tool
from tests.site import running_node, write_site

DATA = Path(str(get_testdata_file("CT_small.dcm"))).parents[1]
OPTIONS = {
    "1.2.840.10008.1.2": "-xi",
    "1.2.840.10008.1.2.1": "-xe",
    "1.2.840.10008.1.2.2": "-xb",
    "1.2.840.10008.1.2.1.99": "-xd",
    "1.2.840.10008.1.2.4.50": "-xy",
    "1.2.840.10008.1.2.4.51": "-xx",
    "1.2.840.10008.1.2.4.70": "-xs",
    "1.2.840.10008.1.2.4.80": "-xt",
    "1.2.840.10008.1.2.4.81": "-xu",
    "1.2.840.10008.1.2.4.90": "-xv",
    "1.2.840.10008.1.2.4.91": "-xw",
    "1.2.840.10008.1.2.5": "-xr",
}
"""How storescu is told to propose the syntax that a file is written in."""
CHANNEL = """\
name = "pacs"
source = { kind = "dicom", listen = "127.0.0.1:0", ae_title = "GATEWAY", callers = ["STORESCU"], tls = "none", quiet = "1h" }
accept = ["DICOM"]
"""
_STATUS = re.compile(r"DIMSE Status\s*: 0x([0-9a-f]{4})")
OWN, MADE, BEFORE, UNSENT = (
    "kept: the file's own bytes",
    "kept: as storescu sent it",
    "kept before, the same bytes",
    "not sent by storescu",
)
WRONG = "WRONG"
"""How a line begins that may not be."""


@dataclass(frozen=True)
class Row:
    """One file, and what became of it."""

    name: str
    size: int
    status: str
    """Of the C-STORE response, four digits; `""` for what was not sent."""
    became: str


@dataclass(frozen=True)
class Kept:
    """What the node entered: its bytes behind the file meta information, or by which fault it refused them."""

    data_set: bytes = b""
    fault: int = 0
    repeat: bool = False
    """Whether it was entered before this file came."""


def judge(status: str, kept: Kept | None, own: bytes, sent: Sequence[bytes]) -> str:
    """Say what became of a file, and whether that may be; `sent` is what storescu made of it, as its own receiver has it."""
    if not status:
        return UNSENT if kept is None else f"{WRONG}: kept and not answered"
    if status != "0000":
        named = kept is not None and kept.fault
        return f"refused: LT{kept.fault}" if kept is not None and named else f"{WRONG}: refused, and nobody can see why"
    if kept is None:
        return f"{WRONG}: answered well, and nowhere"
    if kept.fault:
        return f"{WRONG}: answered well, and put aside"
    if kept.data_set != own and kept.data_set not in sent:
        return f"{WRONG}: kept otherwise than sent"
    return BEFORE if kept.repeat else OWN if kept.data_set == own else MADE


def files() -> list[Path]:
    """Give every file that has the prefix of a DICOM file."""
    found = (path for path in DATA.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc"))
    return sorted(path for path in found if path.read_bytes()[128:132] == b"DICM")


def offer(paths: Sequence[Path], folder: Path) -> Iterator[Row]:
    """Offer files to a node of its own, one after the other."""
    config = write_site(folder / "site", produce=())
    (config / "channels" / "his.toml").unlink()
    (config / "channels" / "pacs.toml").write_text(CHANNEL, encoding="utf-8")
    with running_node(config) as node, storescp(folder / "judge") as witness, _ledger(config) as (store, objects):
        _, port = node.address("pacs")
        for path in paths:
            own, option, uid = _own(path)
            before = store.read_now(_newest)
            said = tool("storescu", "-d", "-R", option, "-aec", "GATEWAY", "127.0.0.1", str(port), str(path))
            statuses = _STATUS.findall(said.stdout + said.stderr)
            status = str(statuses[-1]).upper() if statuses else ""
            kept = _kept(store, objects, partial(_newest, after=before))
            if kept is None and status == "0000":
                kept = _kept(store, objects, partial(images.find, sop_instance=uid), repeat=True)
            sent = _witnessed(witness, option, path) if kept is not None and kept.data_set not in (b"", own) else []
            yield Row(str(path.relative_to(DATA)), path.stat().st_size, status, judge(status, kept, own, sent))


@contextmanager
def _ledger(config: Path) -> Iterator[tuple[Store, Objects]]:
    plan = load(config)
    store = open_store(plan.store_url)
    try:
        yield store, Objects(plan.objects_folder, plan.keyring, plan.node.name)
    finally:
        store.close()


def _newest(connection: sa.Connection, after: str | None = None) -> Any:
    """Give the id of the newest object; with `after`, the one that came after it."""
    if after is None:
        return connection.execute(sa.select(sa.func.coalesce(sa.func.max(instance.c.id), ""))).scalar_one()
    return connection.execute(sa.select(instance).where(instance.c.id > after)).one_or_none()


def _kept(store: Store, objects: Objects, find: Callable[[sa.Connection], Any], *, repeat: bool = False) -> Kept | None:
    row = store.read_now(find)
    if row is None:
        return None
    return Kept(_behind(b"".join(objects.read(row.id))), row.fault_code, repeat)


def _witnessed(witness: Storescp, option: str, path: Path) -> list[bytes]:
    tool("storescu", "-R", option, "127.0.0.1", str(witness.port), str(path))
    return [_behind(one) for one in witness.files()]


def _own(path: Path) -> tuple[bytes, str, str]:
    """Give a file's data set, how storescu is asked to send it, and its SOP Instance UID."""
    with path.open("rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pydicom.filereader.read_preamble(file, force=True)
        meta = pydicom.filereader._read_file_meta_info(file)
        option = OPTIONS.get(str(meta.get("TransferSyntaxUID", "1.2.840.10008.1.2")), "-xe")
        return file.read(), option, str(meta.get("MediaStorageSOPInstanceUID", ""))


def _behind(content: bytes) -> bytes:
    """Give what stands behind the file meta information that a receiver wrote, which tells its length."""
    return content[144 + int.from_bytes(content[140:144], "little") :] if content[128:132] == b"DICM" else content


def summary(rows: Sequence[Row]) -> list[str]:
    counted = Counter((row.status or "----", row.became) for row in rows)
    return [f"{count:>4}  {status}  {became}" for (status, became), count in counted.most_common()]


def main() -> int:
    rows = []
    with tempfile.TemporaryDirectory(prefix="lienthong-pictures-") as folder:
        for row in offer(files(), Path(folder)):
            print(f"{row.name:<72} {row.size:>9}  {row.status or '----'}  {row.became}", flush=True)  # noqa: T201
            rows.append(row)
    print("\n".join([f"\n{len(rows)} files", *summary(rows)]))  # noqa: T201
    return int(any(row.became.startswith(WRONG) for row in rows))


if __name__ == "__main__":
    sys.exit(main())
