"""A run's folder: the settings it was started with, its journal, its state, its figures and its log."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from crawler.errors import BusyError, RunError, UsageError
from crawler.frontier.retry import RETRYABLE_STATUSES
from crawler.scope.seeds import Seeds
from crawler.settings.file import render
from crawler.settings.groups import Settings, SiteSettings
from crawler.store.base import ARCHIVE, IN_PROGRESS, JOURNAL, STATE, Known
from crawler.store.batches import altered
from crawler.store.journal import Kind, read_records, sync_folder
from crawler.store.snapshot import SqliteSnapshot

DATA = Path("data")
SETTINGS = "run.toml"
NETWORK_FILE_SYSTEMS = ("nfs", "cifs", "smb", "afs", "ceph", "glusterfs", "lustre", "fuse.sshfs", "9p")


class Run:
    """The files of one run.

    Args:
        folder: Its folder, which exists.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def journal(self) -> Path:
        """One record a line."""
        return self.folder / JOURNAL

    @property
    def warc(self) -> Path:
        """Every answer as it was received, if that was asked for."""
        return self.folder / ARCHIVE

    @property
    def settings(self) -> Path:
        """The settings that the run was started with, its sites among them."""
        return self.folder / SETTINGS

    @property
    def state(self) -> Path:
        """URLs, outcomes and committed lengths."""
        return self.folder / STATE

    @property
    def in_progress(self) -> Path:
        """What is being worked on now."""
        return self.folder / IN_PROGRESS

    @property
    def stats(self) -> Path:
        """The figures of the last session, one JSON object."""
        return self.folder / "stats.json"

    @property
    def report(self) -> Path:
        """The run as one page, if that was asked for."""
        return self.folder / "report.html"

    @property
    def log(self) -> Path:
        """What went wrong, and with more detail what was routine, a line each."""
        return self.folder / "crawl.log"

    def committed_length(self, output: Path | None = None) -> int | None:
        """How much of an output, the journal if none is named, is committed, bytes; None, for all, without a state."""
        if not self.state.exists():
            return None
        with SqliteSnapshot(self.state) as state:
            return state.outputs().get((output or self.journal).name, 0)

    def records(self, kind: type[Kind]) -> Iterator[Kind]:
        """The committed records, as far as a struct has their fields.

        Raises:
            RunError: If the state is damaged, the journal cannot be read, or a line of it is no record.
        """
        return (record for _, _, record in read_records(self.journal, self.committed_length(), kind))

    def altered(self) -> int:
        """How many of the commits to the journal do not stand there any more as they were made; 0 without a state."""
        if not self.state.exists():
            return 0
        with SqliteSnapshot(self.state) as state:
            return altered(self.journal, state.batches(self.journal.name))

    def failed(self) -> list[str]:
        """The URLs that failed, were quarantined, or were answered by a server in trouble.

        Raises:
            RunError: If the state is missing or damaged.
        """
        with SqliteSnapshot(self.state) as state:
            known = state.known(("http_error", "failed", "quarantined"))
            return [each.url for each in known if _is_worth_a_second_go(each)]

    def earlier_sessions(self) -> list[object]:
        """What stats.json says of the sessions so far; nothing where there is none that can be read."""
        try:
            sessions = msgspec.json.decode(self.stats.read_bytes())["sessions"]
        except (OSError, ValueError, KeyError, TypeError):  # it is for people, so it may hold anything
            return []
        return sessions if isinstance(sessions, list) else []

    def write_stats(self, stats: Struct) -> None:
        """Replace stats.json."""
        _replace(self.stats, msgspec.json.format(msgspec.json.encode(stats), indent=2) + b"\n", 0o644)


def _replace(path: Path, data: bytes, mode: int) -> None:
    """Replace a file; after a loss of power it is the old one or the new one, never an empty one."""
    fresh = path.with_name(f"{path.name}.part")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(path.parent)


def _is_worth_a_second_go(known: Known) -> bool:
    if known.outcome == "http_error":
        return (known.reason or "").isdigit() and int(known.reason or 0) in RETRYABLE_STATUSES
    return True


def create(name: str, settings: Settings, seeds: Seeds, prepare: Callable[[Run], None] = lambda run: None) -> Run:
    """Make the folder of a new run.

    Args:
        name: The folder; empty for a new one under data/, named by date and time.
        settings: Written to its run.toml.
        seeds: Written there as well, so that the run can go on without the lists that it came from.
        prepare: Puts into the folder what the run begins with; only after it the folder is a run.

    Raises:
        UsageError: If the folder holds something already, or cannot be made.
    """
    sites = tuple(
        SiteSettings(url=site.seed, max_pages=site.max_pages, delay_s=site.delay_s, max_depth=site.max_depth)
        for site in seeds.sites
    )
    # A run goes on from any folder, and streams only where it is told to.
    outputs = tuple(str(Path(name).absolute()) for name in settings.output.outputs if name != "-")
    output = msgspec.structs.replace(settings.output, run="", outputs=outputs)
    dashboard = msgspec.structs.replace(settings.dashboard, port=-1)  # each session has its own, if it asks for one
    text = render(msgspec.structs.replace(settings, site=sites, output=output, dashboard=dashboard))
    try:
        run = Run(Path(name) if name else fresh_folder())
        _refuse_used(run)
        run.folder.mkdir(parents=True, exist_ok=True)
        prepare(run)
        _replace(run.settings, text.encode(), 0o600)  # its headers may be secrets
        sync_folder(run.folder.parent)
    except OSError as error:
        where = name or f"{DATA}/"
        raise UsageError(f"cannot make a run in {where}: {error.strerror}; name another folder with --run") from None
    return run


def _refuse_used(run: Run) -> None:
    folder = run.folder
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        is_run = run.settings.exists()
        goes_on = f"already holds a run; `crawler resume {folder}` goes on with it"
        what = goes_on if is_run else "is not empty" if folder.is_dir() else "is a file"
        raise UsageError(f"{folder} {what}; name a new folder with --run")


def find(name: str | None) -> Run:
    """The run in a folder, or the newest one under data/ if none is named.

    Raises:
        UsageError: If there is none.
    """
    if name is not None:
        folder = Path(name)
        if not (folder / SETTINGS).is_file():
            what = "holds no run.toml" if folder.is_dir() else "is a file" if folder.exists() else "is not there"
            raise UsageError(f"{folder} is no run: it {what}")
        return Run(folder)
    runs = [path.parent for path in DATA.glob(f"*/{SETTINGS}")]
    if not runs:
        raise UsageError(f"there is no run under {DATA}/; name its folder")
    return Run(max(runs, key=lambda folder: (folder / SETTINGS).stat().st_mtime))


@contextmanager
def locked(run: Run) -> Iterator[None]:
    """Keep a run's folder to this process while the context is open.

    Raises:
        RunError: If another process has it, or if it is on a file system that keeps no locks between machines.
    """
    if kind := network_file_system(run.folder):
        raise RunError(f"{run.folder} is on a network file system ({kind}); a run has to be on a local disk")
    try:
        descriptor = os.open(run.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise RunError(f"cannot write into {run.folder}: {error.strerror}") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise BusyError(f"{run.folder} is being crawled by another process; wait for its end, or stop it") from None
        yield
    finally:
        os.close(descriptor)


def network_file_system(folder: Path, mounts: Path = Path("/proc/self/mountinfo")) -> str | None:
    """The kind of network file system that a folder is on, None if it is local or cannot be known.

    Source: proc(5), mountinfo.
    """
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # not Linux
        return None
    target, best, kind = str(folder.resolve()), "", ""
    for line in lines:
        fields, _, rest = line.partition(" - ")
        point = fields.split()[4].replace("\\040", " ")
        inside = target == point or target.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, rest.split()[0]
    return kind if kind.startswith(NETWORK_FILE_SYSTEMS) else None


def fresh_folder() -> Path:
    """A folder under data/ that does not exist, named by date and time."""
    # Local time, because the name is for the person who looks for the run.
    stem = datetime.now().astimezone().strftime("%Y-%m-%d_%H-%M-%S")
    folder, number = DATA / stem, 2
    while folder.exists():
        folder, number = DATA / f"{stem}_{number}", number + 1
    return folder
