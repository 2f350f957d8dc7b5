"""Files that another program drops into a folder of this machine or a mounted share: each is one message.

A file is taken when size and time of writing were the same on two looks; a program that writes under another name, such as
`visit.xml.part`, and renames when it is done is never caught half-way, nor is one that locks the file until it is done. That a
file was moved to `done/<day>/` (or deleted) is the positive answer: its bytes are safe. A refused one goes to `refused/` with
the answer as `<name>.answer` beside. Looks into the folder at times, because changes on a Windows share are not announced. Does
not go into sub-folders.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from connectors.contract import Intake
from connectors.faults import PickupAway, PickupFolderUnusable
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
from mappings.formats.values import FileName, Size

_MAX_SIZE = Size(20 * 1024 * 1024)
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


@dataclass(frozen=True)
class Settings:
    folder: FileName
    """Where the files are dropped; it must exist, and we must be allowed to move files in it."""
    pattern: str = "*.xml"
    """Which files are messages, in large or small letters; `*.part`, `*.tmp`, `.*` and `~*` never are."""
    after: Literal["move", "delete"] = "move"
    """What becomes of a file when its message is safe: moved to `done`, into a sub-folder of the day, or deleted."""
    done: str = "done"
    """Name of the sub-folder for taken files; whoever keeps house there is not our business."""
    refused: str = "refused"
    """Name of the sub-folder for files that were answered with a no; the answer lies beside as `<name>.answer`."""
    poll: timedelta = timedelta(seconds=5)
    """Pause between two looks."""
    settle: timedelta = timedelta(seconds=5)
    """A file is taken when size and time of writing have not changed for so long."""
    max_size: Size = _MAX_SIZE
    """Largest file; a larger one is refused, its first 64 KB are kept."""
    charset: str = "auto"
    """`auto` believes what the content says, a name overrides it; fetching does not depend on it."""
    grace: timedelta = timedelta(seconds=10)
    """At shutdown, how long the file under way may take."""

    def __post_init__(self) -> None:
        if not self.folder:
            raise ValueError("folder: empty — write the path of a folder that exists")
        check_habits(self.pattern, self.habits, (self.done, self.refused))

    @property
    def habits(self) -> Habits:
        return Habits(self.poll, self.settle, self.max_size, self.grace)


class Source:
    """Fetch files from a folder and hand each to intake."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pickup = Pickup(Folder(settings), settings.habits)

    async def run(self, intake: Intake, ready: Callable[[str], None]) -> None:
        """Fetch until cancelled; then finish the file under way within `grace` and return.

        Raises `PickupFolderUnusable` before `ready` is called; a folder that goes away later is waited for.
        """
        await asyncio.to_thread(_prepare, self._settings)
        ready(self._pickup.place.label)
        await self._pickup.run(intake)

    @staticmethod
    def check(settings: Settings) -> None:
        """Look whether it could begin, and change nothing; raises `PickupFolderUnusable`."""
        folder = Path(settings.folder)
        if not folder.is_dir():
            raise PickupFolderUnusable(where=str(folder), detail=os.strerror(errno.ENOENT))
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            raise PickupFolderUnusable(where=str(folder), detail=os.strerror(errno.EACCES))

    def counts(self) -> dict[str, int]:
        """Count what is known of the folder; names as in `Pickup.counts`."""
        return self._pickup.counts()


class Folder:
    """One folder, opened anew for each step: a share may be mounted again meanwhile. No link is followed."""

    def __init__(
        self, settings: Settings, today: Callable[[], date] = lambda: datetime.now().astimezone().date()
    ) -> None:
        self._settings = settings
        self._today = today
        self.label = f"folder {Path(settings.folder).name}"[:64]

    async def look(self) -> Look:
        return await asyncio.to_thread(self._look)

    async def read(self, entry: Entry, most: int) -> bytes:
        return await asyncio.to_thread(self._read, entry, most)

    async def accept(self, entry: Entry) -> None:
        if self._settings.after == "delete":
            await asyncio.to_thread(self._delete, entry)
        else:
            await asyncio.to_thread(self._move, entry, (self._settings.done, self._today().isoformat()))

    async def refuse(self, entry: Entry, answer: bytes) -> None:
        await asyncio.to_thread(self._move, entry, (self._settings.refused,), answer)

    async def close(self) -> None:
        return None

    def _look(self) -> Look:
        files, strange = [], 0
        with self._opened() as root:
            try:
                with suppress(FileExistsError):  # a share that is not mounted any more leaves a folder that is not ours
                    os.mkdir(self._settings.refused, 0o770, dir_fd=root)
                names = [name for name in os.listdir(root) if wanted(name, self._settings.pattern)]
            except OSError as exc:
                raise PickupAway(detail=_reason(exc)) from exc
            for name in names:
                try:
                    found = os.stat(name, dir_fd=root, follow_symlinks=False)
                except FileNotFoundError:
                    continue
                except OSError:
                    strange += 1
                    continue
                if stat.S_ISREG(found.st_mode):
                    files.append(Entry(name, found.st_size, found.st_mtime_ns))
                else:
                    strange += 1
        return Look(files, strange)

    def _read(self, entry: Entry, most: int) -> bytes:
        with self._opened() as root, _told():
            file = os.open(entry.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=root)
            with open(file, "rb") as reader:
                _require_same(entry, os.fstat(reader.fileno()))
                _require_free(reader.fileno())
                content = reader.read(most)
                _require_same(entry, os.fstat(reader.fileno()))
                return content

    def _delete(self, entry: Entry) -> None:
        with self._opened() as root, _told():
            _require_same(entry, os.stat(entry.name, dir_fd=root, follow_symlinks=False))
            os.unlink(entry.name, dir_fd=root)
            _sync(root)

    def _move(self, entry: Entry, folders: tuple[str, ...], answer: bytes | None = None) -> None:
        with self._opened() as root, _told(), _below(root, folders) as target:
            _require_same(entry, os.stat(entry.name, dir_fd=root, follow_symlinks=False))
            name = _reserve(target, entry.name, beside=answer is not None)
            made = [name]
            try:
                if answer is not None:
                    made.append(answer_name(name))
                    _write(target, answer_name(name), answer)
                os.rename(entry.name, name, src_dir_fd=root, dst_dir_fd=target)
            except OSError:
                for one in made:
                    with suppress(OSError):
                        os.unlink(one, dir_fd=target)
                raise
            self._put_back_another(entry, name, root, target)
            _sync(target)
            _sync(root)

    @staticmethod
    def _put_back_another(entry: Entry, name: str, root: int, target: int) -> None:
        """Give back a file that came under the same name in the moment before it was moved."""
        try:
            _require_same(entry, os.stat(name, dir_fd=target, follow_symlinks=False))
        except FileNotFoundError:
            return  # whoever keeps house there was quick
        except FileChanged:
            os.rename(name, _reserve(root, entry.name), src_dir_fd=target, dst_dir_fd=root)
            raise

    @contextmanager
    def _opened(self) -> Iterator[int]:
        try:
            root = os.open(self._settings.folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as exc:
            raise PickupAway(detail=_reason(exc)) from exc
        try:
            yield root
        finally:
            os.close(root)


def _prepare(settings: Settings) -> None:
    """Make the sub-folders, which also shows that we may."""
    Source.check(settings)
    folder = Path(settings.folder)
    try:
        for name in [settings.refused, *([settings.done] if settings.after == "move" else [])]:
            (folder / name).mkdir(exist_ok=True)
    except OSError as exc:
        raise PickupFolderUnusable(where=str(folder), detail=_reason(exc)) from exc


@contextmanager
def _told() -> Iterator[None]:
    """Turn the system's errors into ours; the system's own texts quote names."""
    try:
        yield
    except FileNotFoundError as exc:
        raise FileGone from exc
    except OSError as exc:
        raise FileTrouble(_reason(exc)) from exc


@contextmanager
def _below(root: int, names: tuple[str, ...]) -> Iterator[int]:
    """Open a sub-folder, made where it is missing; a link in its place is refused."""
    opened: list[int] = []
    try:
        for name in names:
            above = opened[-1] if opened else root
            with suppress(FileExistsError):
                os.mkdir(name, 0o770, dir_fd=above)
            opened.append(os.open(name, _DIRECTORY, dir_fd=above))
        yield opened[-1]
    finally:
        for one in opened:
            os.close(one)


def _reserve(target: int, wish: str, *, beside: bool = False) -> str:
    """Make an empty file under the first name that is free, so that nothing there is ever overwritten."""
    for name in free_names(wish):
        if beside and _exists(target, answer_name(name)):
            continue
        with suppress(FileExistsError):
            os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o660, dir_fd=target))
            return name
    raise AssertionError("numbers do not end")


def _exists(target: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=target, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _write(target: int, name: str, content: bytes) -> None:
    with open(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o660, dir_fd=target), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: int) -> None:
    with suppress(OSError):  # shares that cannot say so in time; a move that is lost brings the file again
        os.fsync(folder)


def _require_same(entry: Entry, found: os.stat_result) -> None:
    if (found.st_size, found.st_mtime_ns) != (entry.size, entry.changed) or not stat.S_ISREG(found.st_mode):
        raise FileChanged


def _require_free(file: int) -> None:
    """Raise FileTrouble while another program holds the file locked for writing, in either of the two ways there are.

    Locks of readers do not matter. Where a share knows no locks, nothing is asked.
    """
    for lock in (fcntl.flock, fcntl.lockf):
        try:
            lock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            lock(file, fcntl.LOCK_UN)
        except OSError as exc:
            if exc.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise FileTrouble("locked by another program") from exc


def _reason(exc: OSError) -> str:
    return os.strerror(exc.errno) if exc.errno else type(exc).__name__
