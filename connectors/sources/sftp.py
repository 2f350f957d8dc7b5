"""Files that lie on an SFTP server: fetched from there, and put away there once their messages are safe.

As in a folder of this machine (`folder`): taken when nothing has changed between two looks, moved to `done/<day>/` or
deleted as the positive answer, refused ones moved to `refused/` with the answer beside. Nothing is sent before the server has
shown a key that was named here; there is no way to switch that off. What the server says of names and sizes is not believed.
A server that is away is asked again, ever more seldom.

Standard: SSH File Transfer Protocol, version 3 (draft-ietf-secsh-filexfer-02)
"""

from __future__ import annotations

import asyncio
import errno
import logging
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final, Literal, cast

import asyncssh

from connectors.contract import Intake
from connectors.faults import PickupAway, PickupHostKeyStrange, PickupKeysUnusable, PickupLoginRefused
from connectors.sources._pickup import (
    Entry,
    FileChanged,
    FileGone,
    FileTrouble,
    Habits,
    Look,
    Pickup,
    answer_name,
    check_habits,
    free_names,
    wanted,
)
from mappings.formats.values import NO_FILE, NO_SECRET, FileName, Secret, Size

_MAX_SIZE = Size(20 * 1024 * 1024)
_PIECE: Final = 256 * 1024
_MOST_ENTRIES: Final = 100_000
_FINGERPRINT: Final = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
_STRANGE: Final = re.compile(rb"[\x00-\x1f\x7f/\\]")
_KEEPALIVE_S: Final = 30

asyncssh.set_log_level(logging.WARNING)  # below that it tells names of files
asyncssh.set_sftp_log_level(logging.WARNING)


@dataclass(frozen=True)
class Settings:
    host: str
    """The server's name or address."""
    username: str
    """Our account there."""
    folder: str
    """Where the files are dropped, as the server names it; we must be allowed to move files in it."""
    port: int = 22
    """Port of SSH."""
    password: Secret = NO_SECRET
    """Password of the account; either this or `private_key`."""
    private_key: FileName = NO_FILE
    """File with the account's private key, in OpenSSH's or PEM form."""
    passphrase: Secret = NO_SECRET
    """Password of the file `private_key`, if it has one; the file is then of the form PKCS #8 (`ssh-keygen -p -m PKCS8`)."""
    host_key: tuple[str, ...] = ()
    """Fingerprints of the server's own keys, like `SHA256:…`, as its administrator reads them with `ssh-keygen -lf`."""
    known_hosts: FileName = NO_FILE
    """File of OpenSSH's form with the server's own keys; either this or `host_key` is needed."""
    pattern: str = "*.xml"
    """Which files are messages, in large or small letters; `*.part`, `*.tmp`, `.*` and `~*` never are."""
    after: Literal["move", "delete"] = "move"
    """What becomes of a file when its message is safe: moved to `done`, into a sub-folder of the day, or deleted."""
    done: str = "done"
    """Name of the sub-folder for taken files; whoever keeps house there is not our business."""
    refused: str = "refused"
    """Name of the sub-folder for files that were answered with a no; the answer lies beside as `<name>.answer`."""
    poll: timedelta = timedelta(seconds=30)
    """Pause between two looks."""
    settle: timedelta = timedelta(seconds=30)
    """A file is taken when size and time of writing have not changed for so long."""
    max_size: Size = _MAX_SIZE
    """Largest file; a larger one is refused, its first 64 KB are kept."""
    charset: str = "auto"
    """`auto` believes what the content says, a name overrides it; fetching does not depend on it."""
    connect_timeout: timedelta = timedelta(seconds=30)
    """How long connecting and logging in may take."""
    request_timeout: timedelta = timedelta(seconds=60)
    """How long one answer of the server may take; then the connection is given up."""
    file_timeout: timedelta = timedelta(minutes=15)
    """How long the reading of one file may take; then the others have their turn."""
    grace: timedelta = timedelta(seconds=10)
    """At shutdown, how long the file under way may take."""

    def __post_init__(self) -> None:
        for name in ("host", "username", "folder"):
            if not getattr(self, name):
                raise ValueError(f"{name}: empty — write the server's {name}")
        if not 0 < self.port < 65536:
            raise ValueError("port: no such port — write a number like 22")
        if bool(self.password) == bool(self.private_key):
            raise ValueError("private_key: one way to log in is needed — write either private_key or password")
        if bool(self.host_key) == bool(self.known_hosts):
            raise ValueError("host_key: the server must prove who it is — write either host_key or known_hosts")
        for text in self.host_key:
            if not _FINGERPRINT.fullmatch(text):
                raise ValueError(
                    'host_key: not a fingerprint — write "SHA256:" and 43 signs, as ssh-keygen -lf prints it'
                )
        for name in ("connect_timeout", "request_timeout", "file_timeout"):
            if getattr(self, name) <= timedelta(0):
                raise ValueError(f'{name}: nothing could be done in time — write a duration like "30s"')
        check_habits(self.pattern, self.habits, (self.done, self.refused))

    @property
    def habits(self) -> Habits:
        return Habits(self.poll, self.settle, self.max_size, self.grace)


class Source:
    """Fetch files from an SFTP server and hand each to intake."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pickup: Pickup | None = None

    async def run(self, intake: Intake, ready: Callable[[str], None]) -> None:
        """Fetch until cancelled; then finish the file under way within `grace` and return.

        Raises `PickupKeysUnusable` before `ready` is called; it does not wait for the server to be there.
        """
        server = Server(self._settings, await asyncio.to_thread(Keys.read, self._settings))
        self._pickup = Pickup(server, self._settings.habits)
        ready(server.label)
        await self._pickup.run(intake)

    @staticmethod
    def check(settings: Settings) -> None:
        """Read the key files; raises `PickupKeysUnusable`. Does not call the server."""
        Keys.read(settings)

    def counts(self) -> dict[str, int]:
        """Count what is known of the server; names as in `Pickup.counts`."""
        return self._pickup.counts() if self._pickup is not None else {}


@dataclass(frozen=True)
class Keys:
    """What the two sides prove themselves with."""

    own: asyncssh.SSHKey | None
    known: asyncssh.SSHKnownHosts | None
    fingerprints: tuple[str, ...]

    @classmethod
    def read(cls, settings: Settings) -> Keys:
        """Read the files; raise `PickupKeysUnusable` for one that is none."""
        try:
            where, own, known = "private_key", None, None
            if settings.private_key:
                own = asyncssh.read_private_key(settings.private_key, settings.passphrase or None)
            where = "known_hosts"
            if settings.known_hosts:
                known = asyncssh.import_known_hosts(Path(settings.known_hosts).read_text(encoding="utf-8"))
        except (OSError, ValueError, asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as exc:
            raise PickupKeysUnusable(where=where, detail=type(exc).__name__) from exc
        return cls(own, known, settings.host_key)


class _Client(asyncssh.SSHClient):
    """Looks at the key that a server shows."""

    def __init__(self, fingerprints: tuple[str, ...]) -> None:
        self._fingerprints = fingerprints
        self.shown = ""

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        self.shown = f"{key.get_algorithm()} {key.get_fingerprint('sha256')}"
        return key.get_fingerprint("sha256") in self._fingerprints


class Server:
    """One folder of one server, over one connection that is made anew when it is lost."""

    def __init__(
        self, settings: Settings, keys: Keys, today: Callable[[], date] = lambda: datetime.now().astimezone().date()
    ) -> None:
        self._settings = settings
        self._keys = keys
        self._today = today
        self._connection: asyncssh.SSHClientConnection | None = None
        self._client: asyncssh.SFTPClient | None = None
        self.label = f"sftp {settings.host}:{settings.port}"[:64]

    async def look(self) -> Look:
        files: list[Entry] = []
        strange = 0
        async with self._asked(of_place=True) as client:
            seen = 0
            async for found in client.scandir(_bytes(self._settings.folder)):
                seen += 1
                if seen > _MOST_ENTRIES:
                    break
                raw = found.filename if isinstance(found.filename, bytes) else _bytes(found.filename)
                name = raw.decode("utf-8", "surrogateescape")
                if raw in (b".", b"..") or not wanted(name, self._settings.pattern):
                    continue
                entry = _entry(name, found.attrs)
                if entry is None or not raw or len(raw) > 255 or _STRANGE.search(raw):
                    strange += 1
                else:
                    files.append(entry)
        return Look(files, strange)

    async def read(self, entry: Entry, most: int) -> bytes:
        content = bytearray()
        try:
            async with asyncio.timeout(self._settings.file_timeout.total_seconds()):
                async with self._asked() as client:
                    _require_same(entry, await client.lstat(self._path(entry.name)))
                    file = await client.open(self._path(entry.name), "rb", encoding=None)
                try:
                    while len(content) < most:
                        async with self._asked():
                            piece = await file.read(min(_PIECE, most - len(content)), len(content))
                        if not piece:
                            break
                        content += cast("bytes", piece)
                    async with self._asked():
                        _require_same(entry, await file.stat())
                finally:
                    with suppress(asyncssh.Error, OSError, TimeoutError):
                        async with asyncio.timeout(self._settings.request_timeout.total_seconds()):
                            await file.close()
        except TimeoutError:
            raise FileTrouble("reading it takes too long") from None
        return bytes(content[:most])

    async def accept(self, entry: Entry) -> None:
        settings = self._settings
        async with self._asked() as client:
            _require_same(entry, await client.lstat(self._path(entry.name)))
            if settings.after == "delete":
                await client.remove(self._path(entry.name))
                return
            await self._move(client, entry, (settings.done, self._today().isoformat()))

    async def refuse(self, entry: Entry, answer: bytes) -> None:
        async with self._asked() as client:
            _require_same(entry, await client.lstat(self._path(entry.name)))
            await self._move(client, entry, (self._settings.refused,), answer)

    async def close(self) -> None:
        connection, self._connection, self._client = self._connection, None, None
        if connection is not None:
            connection.abort()
            with suppress(asyncssh.Error, OSError, TimeoutError):
                async with asyncio.timeout(self._settings.request_timeout.total_seconds()):
                    await connection.wait_closed()

    async def _move(
        self, client: asyncssh.SFTPClient, entry: Entry, folders: tuple[str, ...], answer: bytes | None = None
    ) -> None:
        for depth in range(len(folders)):
            await _make_folder(client, self._path(*folders[: depth + 1]))
        source = self._path(entry.name)
        for name in free_names(entry.name):
            target, beside = self._path(*folders, name), self._path(*folders, answer_name(name))
            if await client.lexists(target) or (answer is not None and await client.lexists(beside)):
                continue
            if answer is not None:
                async with client.open(beside, "xb", encoding=None) as file:
                    await file.write(answer)
            try:
                await client.rename(source, target)
            except asyncssh.SFTPError as exc:
                if answer is not None:
                    with suppress(asyncssh.SFTPError):
                        await client.remove(beside)
                if await client.lexists(target):
                    continue  # somebody was quicker with this name
                if await client.lexists(source):
                    raise FileTrouble(f"it cannot be moved: {_short(exc)}") from exc
                raise FileGone from exc
            await self._put_back_another(client, entry, target)
            return

    async def _put_back_another(self, client: asyncssh.SFTPClient, entry: Entry, target: bytes) -> None:
        """Give back a file that came under the same name in the moment before it was moved."""
        try:
            _require_same(entry, await client.lstat(target))
        except asyncssh.SFTPNoSuchFile:
            return  # whoever keeps house there was quick
        except FileChanged:
            for name in free_names(entry.name):
                if not await client.lexists(self._path(name)):
                    await client.rename(target, self._path(name))
                    break
            raise

    def _path(self, *names: str) -> bytes:
        return b"/".join([_bytes(self._settings.folder.rstrip("/")) or b"", *map(_bytes, names)])

    @asynccontextmanager
    async def _asked(self, *, of_place: bool = False) -> AsyncIterator[asyncssh.SFTPClient]:
        """Give a client for one request or a few; turn what comes of it into errors that name no file."""
        client, connection = self._client, self._connection
        if client is None or connection is None or connection.is_closed():
            client = await self._connect()
        try:
            async with asyncio.timeout(self._settings.request_timeout.total_seconds()) as limit:
                yield client
        except (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection, asyncssh.SFTPBadMessage) as exc:
            await self._give_up(_short(exc), exc)
        except asyncssh.SFTPError as exc:
            if of_place:
                raise PickupAway(detail=f"the folder: {_short(exc)}") from exc
            if isinstance(exc, asyncssh.SFTPNoSuchFile | asyncssh.SFTPNoSuchPath):
                raise FileGone from exc
            raise FileTrouble(f"the server says {_short(exc)}") from exc
        except TimeoutError as exc:
            if not limit.expired():
                raise
            await self._give_up("no answer in time", exc)
        except (asyncssh.Error, OSError) as exc:
            await self._give_up(_short(exc), exc)

    async def _give_up(self, reason: str, cause: Exception) -> None:
        await self.close()
        raise PickupAway(detail=reason) from cause

    async def _connect(self) -> asyncssh.SFTPClient:
        settings, keys = self._settings, self._keys
        await self.close()
        client = _Client(keys.fingerprints)
        try:
            async with asyncio.timeout(settings.connect_timeout.total_seconds()):
                self._connection = await asyncssh.connect(
                    settings.host,
                    settings.port,
                    config=None,
                    username=settings.username,
                    password=settings.password or None,
                    client_keys=[keys.own] if keys.own is not None else None,
                    preferred_auth="publickey" if keys.own is not None else "password,keyboard-interactive",
                    agent_path=None,
                    gss_host=None,
                    x509_trusted_certs=None,
                    disable_trivial_auth=True,
                    known_hosts=keys.known if keys.known is not None else ([], [], []),
                    client_factory=lambda: client,
                    keepalive_interval=_KEEPALIVE_S,
                )
                self._client = await self._connection.start_sftp_client(path_encoding=None)
        except asyncssh.HostKeyNotVerifiable as exc:
            raise PickupHostKeyStrange(detail=client.shown) from exc
        except asyncssh.PermissionDenied as exc:
            raise PickupLoginRefused(detail=_short(exc)) from exc
        except TimeoutError as exc:
            await self.close()
            raise PickupAway(detail="no connection in time") from exc
        except (asyncssh.Error, OSError) as exc:
            await self.close()
            raise PickupAway(detail=_short(exc)) from exc
        return self._client


async def _make_folder(client: asyncssh.SFTPClient, path: bytes) -> None:
    """Make a folder unless it is there; servers of version 3 do not say which of the two a failure is."""
    try:
        await client.mkdir(path)
    except asyncssh.SFTPError as exc:
        if not await client.isdir(path):
            raise FileTrouble(f"no sub-folder to move it to: {_short(exc)}") from exc


def _entry(name: str, attributes: asyncssh.SFTPAttrs) -> Entry | None:
    """Read what the server says of a file; None for what is none, or has no size."""
    plain = attributes.type in (asyncssh.FILEXFER_TYPE_REGULAR, asyncssh.FILEXFER_TYPE_UNKNOWN)
    if not plain or attributes.size is None:
        return None
    return Entry(name, attributes.size, attributes.mtime or 0)


def _require_same(entry: Entry, attributes: asyncssh.SFTPAttrs) -> None:
    if _entry(entry.name, attributes) != entry:
        raise FileChanged


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _short(exc: Exception) -> str:
    """Name an error; the server's own words may quote a file's name."""
    if isinstance(exc, OSError) and exc.errno:
        return errno.errorcode.get(exc.errno, type(exc).__name__)
    return type(exc).__name__
