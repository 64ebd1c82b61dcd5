"""The spool: what was fetched from a PACS, and what became of each instance, one folder for each study.

Its state file says of every instance whether it is settled, so that a run that was killed at any point goes on, and a
second run fetches nothing again. Names of folders and files are digests of UIDs by a key of the spool. The state files
hold identifiers of patients; like the files, only their owner may read them.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from mcp_cxr.errors import ConfigError, StoreUnavailable
from mcp_cxr.safe_files import create_private_file, create_private_folder, try_lock

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from mcp_cxr.pacs._query_and_answers import PacsStudy
    from mcp_cxr.records import ImageId

_STATE: Final = ".study.json"
"""Hidden, so that a walk for images passes over it."""
_DRAFT: Final = ".draft-"
_KEY: Final = ".names-key"
_KEY_BYTES: Final = 32
_CONFIRMED: Final = ".reports-confirmed"
_UNCONFIRMED: Final = ".reports-not-confirmed"
_DRAFT_S: Final = 3600
"""Seconds after which a draft belongs to no process any more; a fetch ends after 600."""
_CACHE: Final = ".cache"
_CACHE_BYTES: Final = 1 << 30
"""Of files that were fetched again to be looked at."""
_FORM: Final = 1

STORED: Final = "stored"
REFUSED: Final = "refused"
PASSED_OVER: Final = "passed over"
REPORT: Final = "report"


@dataclass(slots=True)
class SpooledInstance:
    """What became of an instance; there is none until that is settled."""

    state: str
    """`STORED`, `REFUSED`, `PASSED_OVER` or `REPORT`."""
    reason: str | None = None
    """Why it is not in the archive."""
    series_instance_uid: str | None = None
    image_id: str | None = None
    size: int | None = None
    """Bytes of the file that was stored."""
    mtime_ns: int | None = None


@dataclass(slots=True)
class SpooledReport:
    """The report of a study that is in the archive, not its text."""

    source: str
    """SOPInstanceUID of its document, or `table`."""
    written: str
    """Date and time of its content as digits; empty if unknown."""
    is_final: bool


@dataclass(slots=True)
class SpooledStudy:
    """What is known of a study that was asked for."""

    study_instance_uid: str
    source: str
    """Base URL of the PACS."""
    study_date: str | None = None
    patient_id: str | None = field(default=None, repr=False)
    accession_number: str | None = field(default=None, repr=False)
    modalities: list[str] = field(default_factory=list[str])
    """As the PACS names them; empty if it does not."""
    study_id: str | None = None
    """Its id in the archive, once one of its images is stored."""
    instances: dict[str, SpooledInstance] = field(default_factory=dict[str, SpooledInstance])
    """By SOPInstanceUID."""
    report: SpooledReport | None = None
    missing_since: str | None = None
    """When the PACS first had it no more, ISO 8601 in UTC."""
    is_gone: bool = False
    """Whether the PACS had it no more in two runs at least a day apart."""

    @property
    def is_in_archive(self) -> bool:
        """Whether an image of it was stored."""
        return any(one.state == STORED for one in self.instances.values())

    def settles(self, study: PacsStudy) -> bool:
        """Whether all that the PACS says of a study is settled, so that it need not be asked for its instances."""
        return study.instances is not None and 0 < study.instances == len(self.instances)


@dataclass(frozen=True, slots=True)
class FileAtPacs:
    """An image of the archive whose file only the PACS has."""

    study: SpooledStudy
    sop_instance_uid: str = field(repr=False)

    @property
    def instance(self) -> SpooledInstance:
        """What is known of it."""
        return self.study.instances[self.sop_instance_uid]


@dataclass(frozen=True, slots=True)
class GoneStudy:
    """A study of the archive that its PACS has no more."""

    study_id: str
    missing_since: str


class Spool:
    """The spool below one folder.

    Args:
        root: Absolute and resolved; created when needed, for its owner alone.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._key = b""

    def prepare(self) -> None:
        """Create the folder, and remove what a run that was killed left half written.

        Raises:
            ConfigError: It cannot be written.
        """
        oldest = time.time() - _DRAFT_S
        try:
            create_private_folder(self.root)
            for pattern in (f"{_DRAFT}*", f"*/*/{_DRAFT}*"):
                for draft in self.root.glob(pattern):
                    if draft.stat().st_mtime < oldest:  # others are being written by another process
                        draft.unlink(missing_ok=True)
            if not (self.root / _KEY).exists():
                create_private_file(self.root / _KEY, secrets.token_bytes(_KEY_BYTES))
        except OSError as exc:
            raise ConfigError(f"The folder {self.root} cannot be written ({exc.strerror}).") from exc

    @property
    def withholds_reports(self) -> bool:
        """Whether it brought reports that the owner has not confirmed: no model is given any report meanwhile."""
        return (self.root / _UNCONFIRMED).exists()

    @property
    def are_reports_confirmed(self) -> bool:
        """Whether the owner has confirmed that reports of the PACS may be shared as they are."""
        return (self.root / _CONFIRMED).exists()

    def confirm_reports(self) -> None:
        """Record that reports of the PACS, with what masking left in them, may be shared like others.

        Raises:
            OSError: The spool cannot be written.
        """
        (self.root / _CONFIRMED).touch(mode=0o600)
        (self.root / _UNCONFIRMED).unlink(missing_ok=True)

    def withhold_reports(self) -> None:
        """Record, before the first report is stored, that a report is not confirmed; nothing if it was confirmed.

        Raises:
            OSError: The spool cannot be written.
        """
        if not self.are_reports_confirmed:
            (self.root / _UNCONFIRMED).touch(mode=0o600)

    @contextmanager
    def for_one_pull(self) -> Generator[None]:
        """Hold the spool, so that two pulls do not fetch the same files.

        Raises:
            ConfigError: Another process holds it.
        """
        descriptor = try_lock(self.root)
        if descriptor is None:
            if os.name != "nt":
                raise ConfigError("Another pull into this archive is running; wait until it has finished.")
            yield  # Windows has no such locks
            return
        try:
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def writing(self) -> Generator[None]:
        """Report what cannot be written below the spool in words.

        Raises:
            StoreUnavailable: The disk is full, or refuses to be written.
        """
        try:
            yield
        except OSError as exc:
            raise StoreUnavailable(
                f"The folder {self.root} cannot be written ({exc.strerror}). Free disk space and repeat the command;"
                " what was stored stays."
            ) from exc

    def draft(self) -> Path:
        """Return the path of a new file."""
        return self.root / f"{_DRAFT}{secrets.token_hex(8)}"

    def path_of(self, study_instance_uid: str, sop_instance_uid: str) -> Path:
        """Return where the file of an instance is kept."""
        return self._folder(study_instance_uid) / f"{self._digest(sop_instance_uid)}.dcm"

    def keep(self, draft: Path, study_instance_uid: str, sop_instance_uid: str) -> Path:
        """Give a complete draft its name."""
        path = self.path_of(study_instance_uid, sop_instance_uid)
        create_private_folder(path.parent)
        draft.replace(path)
        return path

    def study(self, study_instance_uid: str) -> SpooledStudy | None:
        """Return what is known of a study; None if it was never asked for.

        Raises:
            StoreUnavailable: Its state file is damaged.
        """
        return self._read(self._folder(study_instance_uid) / _STATE)

    def studies(self) -> Iterator[SpooledStudy]:
        """Yield every study.

        Raises:
            StoreUnavailable: A state file is damaged.
        """
        for path in self.root.glob(f"*/*/{_STATE}"):
            if study := self._read(path):
                yield study

    def save(self, study: SpooledStudy) -> None:
        """Write a study's state at once and whole.

        Raises:
            OSError: It cannot be written.
        """
        path = self._folder(study.study_instance_uid) / _STATE
        create_private_folder(path.parent)
        draft = path.with_name(f"{_DRAFT}{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({"form": _FORM, **asdict(study)}, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)

    def gone(self) -> Iterator[GoneStudy]:
        """Yield the studies of the archive that their PACS has no more, in no order.

        Raises:
            StoreUnavailable: A state file is damaged.
        """
        for study in self.studies():
            if study.is_gone and study.study_id and study.missing_since:
                yield GoneStudy(study.study_id, study.missing_since)

    def drop_images(self, study: SpooledStudy, image_ids: set[ImageId]) -> None:
        """Remove what is kept of these images of a study; all of the study, if no other image of it was stored."""
        if not image_ids:
            return
        dropped = [uid for uid, one in study.instances.items() if one.image_id in image_ids]
        for uid in dropped:
            del study.instances[uid]
            self.remove_file(study.study_instance_uid, uid)
        if study.is_in_archive:
            self.save(study)
        else:
            shutil.rmtree(self._folder(study.study_instance_uid), ignore_errors=True)

    def remove_file(self, study_instance_uid: str, sop_instance_uid: str) -> None:
        """Remove the file of an instance, if there is one."""
        cached = self.root / _CACHE / f"{self._digest(sop_instance_uid)}.dcm"
        for path in (self.path_of(study_instance_uid, sop_instance_uid), cached):
            with suppress(FileNotFoundError):
                path.unlink()

    def file_at_pacs(self, path: Path) -> FileAtPacs | None:
        """Return the image whose file is, or would be, kept at `path`; None if none was stored from there."""
        study = self._read(path.parent / _STATE)
        if study is None:
            return None
        uids = (uid for uid, one in study.instances.items() if one.image_id and f"{self._digest(uid)}.dcm" == path.name)
        return next((FileAtPacs(study, uid) for uid in uids), None)

    def cached(self, image: FileAtPacs) -> Path | None:
        """Return the file of an image that was fetched again a while ago, if it is still there."""
        path = self._cache_path(image)
        if not path.exists():
            return None
        os.utime(path)  # used now: others are removed first
        return path

    def cache(self, draft: Path, image: FileAtPacs) -> Path:
        """Keep a file that was fetched again, and remove those that were not used for the longest time."""
        path = self._cache_path(image)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        draft.replace(path)
        kept, total = sorted(path.parent.iterdir(), key=lambda one: one.stat().st_mtime_ns, reverse=True), 0
        for one in kept:
            total += one.stat().st_size
            if total > _CACHE_BYTES and one != path:
                one.unlink(missing_ok=True)
        return path

    def _cache_path(self, image: FileAtPacs) -> Path:
        return self.root / _CACHE / f"{self._digest(image.sop_instance_uid)}.dcm"

    def _folder(self, study_instance_uid: str) -> Path:
        name = self._digest(study_instance_uid)
        return self.root / name[:2] / name

    def _digest(self, uid: str) -> str:
        if not self._key:
            with suppress(FileNotFoundError):  # before `prepare` there is nothing below the spool
                self._key = (self.root / _KEY).read_bytes()
        return hashlib.blake2b(uid.encode(), key=self._key, digest_size=12).hexdigest()

    @staticmethod
    def _read(path: Path) -> SpooledStudy | None:
        try:
            found: dict[str, Any] = json.loads(path.read_bytes())
            if found.pop("form") != _FORM:
                raise ValueError("another form")  # noqa: TRY301  # handled like any other damage
            instances = cast("dict[str, dict[str, Any]]", found.pop("instances"))
            report = found.pop("report")
            found["report"] = SpooledReport(**report) if report else None
            return SpooledStudy(**found, instances={uid: SpooledInstance(**one) for uid, one in instances.items()})
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as exc:
            raise StoreUnavailable(
                f"{path} cannot be read. Remove its folder, so that the study is fetched again, or use the version of"
                " mcp-cxr that wrote it."
            ) from exc
