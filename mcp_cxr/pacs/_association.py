"""One DICOM association: C-FIND and C-GET with bounds on time, bytes and answers, PS3.4 annex C.

Blocking, for one thread at a time; only `hang_up` may be called from others.
"""

from __future__ import annotations

import logging
import socket
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from pydicom.uid import (
    JPEG2000,
    UID,
    ComputedRadiographyImageStorage,
    DeflatedExplicitVRLittleEndian,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
    SecondaryCaptureImageStorage,
)
from pynetdicom import AE, _config, build_context, build_role
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.events import EVT_C_STORE, EVT_CONN_OPEN

from mcp_cxr.errors import PacsError, PacsNotFound, PacsRefused, PacsUnavailable
from mcp_cxr.images.files import silence_libraries
from mcp_cxr.pacs._choose_instances import ENCAPSULATED_PDF, TEXT_REPORTS

if TYPE_CHECKING:
    from collections.abc import Generator

    from pydicom.dataset import Dataset
    from pynetdicom.association import Association as Connection
    from pynetdicom.events import Event
    from pynetdicom.presentation import PresentationContext

FIND: Final = UID("1.2.840.10008.5.1.4.1.2.2.1")
GET: Final = UID("1.2.840.10008.5.1.4.1.2.2.3")
"""Study Root Query/Retrieve Information Model, PS3.4 C.6.2.3."""
_IMAGES: Final = (
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    SecondaryCaptureImageStorage,
)
_DOCUMENTS: Final = tuple(UID(one) for one in (*sorted(TEXT_REPORTS), ENCAPSULATED_PDF))
_UNCOMPRESSED: Final = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
_COMPRESSED: Final = (
    *(JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1, JPEGLSLossless),
    *(JPEGLSNearLossless, JPEG2000Lossless, JPEG2000, RLELossless),
)
"""Each in a context of its own, so that the PACS sends an image as it has it."""

_MEGABYTE: Final = 1 << 20
_ANSWERS_BYTES: Final = 64 * _MEGABYTE
_ANSWERS_AT_MOST: Final = 200_000
_FILE_BYTES: Final = 256 * _MEGABYTE
"""`ingest` reads no larger file."""
_BETWEEN_BYTES: Final = 65_536
"""While nothing was asked for, and for an association's beginning and end."""
_CONNECT_S: Final = 10.0
_ASSOCIATE_S: Final = 30.0
_QUERY_S: Final = 120.0
_FILE_S: Final = 600.0
_SILENCE_S: Final = 60.0
_RELEASE_S: Final = 5.0
_PDU_BYTES: Final = 131_072

_SUCCESS: Final = 0x0000
_PENDING: Final = frozenset({0xFF00, 0xFF01})
_NOT_AUTHORIZED: Final = 0x0124
_NOT_SUPPORTED: Final = frozenset({0x0122, 0x0211})
_OUT_OF_RESOURCES: Final = range(0xA700, 0xA800)
_NOT_ASKED_FOR: Final = 0xC000
"""(0000,0900) Status, PS3.7 annex C and PS3.4 tables C.4-1 and C.4-3."""


class _Bounds:
    """What may still be received, and until when; what goes beyond ends the connection."""

    def __init__(self) -> None:
        self.is_exceeded = False
        self._bytes = 0
        self._until = 0.0

    def set(self, size: int, seconds: float) -> None:
        """Allow so many bytes within so many seconds from now."""
        self.is_exceeded = False
        self._bytes, self._until = size, time.monotonic() + seconds

    def receive(self, connection: socket.socket | None, size: int) -> bytearray:
        """Return `size` bytes, or fewer if the connection ends before.

        Raises:
            OSError: That is more than allowed, or not there in time.
        """
        if connection is None:
            raise OSError("closed")
        self.is_exceeded = size > self._bytes
        if self.is_exceeded:
            raise OSError("too much")
        self._bytes -= size
        received = bytearray(size)
        got = 0
        with memoryview(received) as view:
            while got < size:
                if (left := self._until - time.monotonic()) <= 0:
                    raise TimeoutError
                connection.settimeout(min(left, _SILENCE_S))
                piece = connection.recv_into(view[got:])
                if not piece:
                    break
                got += piece
        return received[:got]


class Association:
    """An association with a PACS, opened when it is first needed and again after it ended.

    Args:
        called: Title of the PACS's application entity.
        calling: Title that this program gives itself; the PACS must know it.
    """

    def __init__(self, host: str, port: int, *, called: str, calling: str) -> None:
        self._host, self._port = host, port
        self._called, self._calling = called, calling
        self._bounds = _Bounds()
        self._connection: Connection | None = None
        self._line: socket.socket | None = None
        self._is_cut = False
        self._wanted = ""
        self._file: bytes | None = None
        logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)  # it logs identifiers of patients
        _config.LOG_HANDLER_LEVEL = "none"

    def find(self, query: Dataset) -> list[Dataset]:
        """Return what a C-FIND finds.

        Raises:
            PacsError: The PACS fails, refuses, or answers with too much.
        """
        answers: list[Dataset] = []
        with self._exchange(_ANSWERS_BYTES, _QUERY_S) as connection:
            for status, answer in connection.send_c_find(query, FIND):
                if status.get("Status") not in _PENDING:
                    self._check(status, "query")
                    break
                answers.append(_readable(answer))
                if len(answers) > _ANSWERS_AT_MOST:
                    raise PacsError(
                        "The PACS finds too many studies or images at once; narrow the dates with --since and --until."
                    )
        return answers

    def get(self, query: Dataset, sop_instance_uid: str) -> bytes:
        """Return the instance that a C-GET brings, as a DICOM file.

        Raises:
            PacsError: The PACS fails, refuses, has it no more, or sends something else.
        """
        self._wanted, self._file = sop_instance_uid, None
        try:
            with self._exchange(_FILE_BYTES, _FILE_S) as connection:
                for status, _ in connection.send_c_get(query, GET):
                    if self._file is None and status.get("Status") not in _PENDING:
                        self._check(status, "retrieval")
        finally:
            found, self._file, self._wanted = self._file, None, ""
        if found is None:
            raise PacsNotFound("The PACS has no such file.")
        return found

    def release(self) -> None:
        """End the association in order."""
        connection = self._connection
        if connection is not None and connection.is_established and not self._is_cut:
            connection.acse_timeout = _RELEASE_S
            connection.release()
        self._close()

    def hang_up(self) -> None:
        """Cut the connection; a call that waits for it fails. Does not block."""
        self._is_cut = True
        if self._line is not None:
            with suppress(OSError):
                self._line.shutdown(socket.SHUT_RDWR)

    def _close(self) -> None:
        """Wait for the end of the association's threads, and close its socket."""
        connection, self._connection = self._connection, None
        line, self._line = self._line, None
        if connection is not None:
            for thread in (connection, connection.dul):
                if thread.ident is not None:
                    thread.join(_RELEASE_S)
        if line is not None:
            line.close()  # pynetdicom leaves it open if the PACS ended the connection

    @contextmanager
    def _exchange(self, size: int, seconds: float) -> Generator[Connection]:
        """Yield the association, with these bounds for what is received; hang up if anything fails."""
        silence_libraries()
        connection = self._connection
        if connection is None or self._is_cut or not connection.is_established:
            self._close()
            connection = self._associate()
        self._bounds.set(size, seconds)
        connection.dimse_timeout = seconds
        try:
            yield connection
        except BaseException as exc:
            self.hang_up()
            connection.abort(block=False)  # ends its threads
            if isinstance(exc, RuntimeError):  # pynetdicom's, if the association ended a moment ago
                raise PacsUnavailable("The PACS ended the connection.") from None
            raise
        self._bounds.set(_BETWEEN_BYTES, _FILE_S)

    def _associate(self) -> Connection:
        """Open an association.

        Raises:
            PacsError: The PACS cannot be reached, or does not accept it.
        """
        self._is_cut = False
        self._bounds.set(_BETWEEN_BYTES, _ASSOCIATE_S)
        entity = AE(ae_title=self._calling)
        entity.connection_timeout, entity.acse_timeout = _CONNECT_S, _ASSOCIATE_S
        entity.network_timeout = _SILENCE_S
        connection = self._connection = entity.associate(  # pyright: ignore[reportUnknownMemberType]  # of lists without arguments
            self._host,
            self._port,
            contexts=_contexts(),
            ae_title=self._called,
            max_pdu=_PDU_BYTES,
            ext_neg=[build_role(one, scp_role=True) for one in (*_IMAGES, *_DOCUMENTS)],
            evt_handlers=[(EVT_CONN_OPEN, self._bound), (EVT_C_STORE, self._store)],
        )
        if connection.is_rejected:
            raise PacsRefused(
                f"The PACS rejects the association from {self._calling} to {self._called}; check both AE titles, and"
                " that the PACS knows this machine."
            )
        if not connection.is_established:
            raise PacsUnavailable("The PACS cannot be reached, or ends the connection; check host, port and AE titles.")
        accepted = {context.abstract_syntax for context in connection.accepted_contexts}
        if not {FIND, GET} <= accepted:
            self.hang_up()
            raise PacsRefused(f"The PACS does not offer C-FIND and C-GET to {self._calling}; both are needed.")
        return connection

    def _bound(self, event: Event) -> None:
        """Receive within the bounds from now on."""
        line = event.assoc.dul.socket
        if line is not None:
            self._line = line.socket
            line.recv = lambda nr_bytes: self._bounds.receive(line.socket, nr_bytes)

    def _store(self, event: Event) -> int:
        """Take the instance that was asked for, and no other; called while `get` waits."""
        if not isinstance(event.request, C_STORE) or event.request.AffectedSOPInstanceUID != self._wanted:
            return _NOT_ASKED_FOR
        self._file = event.encoded_dataset()
        return _SUCCESS

    def _check(self, status: Dataset, what: str) -> None:
        """Raise the error that a final status means.

        Raises:
            PacsError: It is not success.
        """
        code: int | None = status.get("Status")
        if code == _SUCCESS:
            return
        if code is None and self._bounds.is_exceeded:
            raise PacsError("The PACS sends more than the limit; narrow the dates with --since and --until.")
        if code is None:
            raise PacsUnavailable("The PACS did not answer in time, or ended the connection.")
        if code == _NOT_AUTHORIZED or code in _NOT_SUPPORTED:
            raise PacsRefused(f"The PACS refuses a {what} by {self._calling} (status 0x{code:04X}).")
        if code in _OUT_OF_RESOURCES:
            raise PacsError(
                f"The PACS cannot do a {what} of this size (status 0x{code:04X}); narrow --since and --until."
            )
        raise PacsError(f"The PACS fails at a {what} (status 0x{code:04X}).")


def _readable(answer: Dataset | None) -> Dataset:
    """Return an answer of a query.

    Raises:
        PacsError: pynetdicom could not decode it.
    """
    if answer is None:
        raise PacsError("The PACS answers with something other than a data set; check host, port and AE titles.")
    return answer


def _contexts() -> list[PresentationContext]:
    """Return what is proposed to the PACS."""
    return [
        build_context(FIND, list(_UNCOMPRESSED)),
        build_context(GET, list(_UNCOMPRESSED)),
        *(build_context(one, list(_UNCOMPRESSED)) for one in _IMAGES),
        *(build_context(one, syntax) for one in _IMAGES for syntax in _COMPRESSED),
        *(build_context(one, [*_UNCOMPRESSED, DeflatedExplicitVRLittleEndian]) for one in _DOCUMENTS),
    ]
