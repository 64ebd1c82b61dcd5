"""`mcp-cxr pull` from a PACS that fails: nothing hangs, nothing foreign is stored, and the next pull completes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.pacs.hospital import CHEST, image, whole_hospital

if TYPE_CHECKING:
    from tests.pacs.pulling import Archive
    from tests.standins.dicomweb import StandIn

pytestmark = pytest.mark.pacs
DEEP_JSON = '[{"0040A730":{"vr":"SQ","Value":' * 10_000


@pytest.mark.parametrize(
    "fault",
    [
        *(
            {"kind": "status", "status": status, "at": at}
            for at in ("query", "retrieve")
            for status in (401, 403, 404, 500)
        ),
        *({"kind": kind, "at": "query"} for kind in ("yes", "cut")),
        *({"kind": kind, "at": "retrieve"} for kind in ("yes", "cut", "gzip", "other", "endless")),
        *({"kind": kind, "at": "retrieve"} for kind in ("wrong boundary", "no boundary")),
        {"kind": "raw", "at": "query", "body": DEEP_JSON},
        {"kind": "raw", "at": "query", "body": '[{"0020000D": null}, {"0020000D": {"Value": ["../../etc"]}}, 7]'},
        {"kind": "raw", "at": "query", "body": '{"not": "a list"}'},
    ],
    ids=lambda fault: f"{fault['kind']} {fault.get('status', '')} at {fault['at']}",
)
def test_a_failed_pull_ends_with_a_message_and_the_next_one_completes_the_archive(
    fault: dict[str, Any], standin: StandIn, archive: Archive, whole: Archive
) -> None:
    archive.share_key_of(whole)
    standin.configure(fault=fault)
    failed = archive.pull(standin.dicomweb)
    assert failed.code == 1
    assert "Error: " in failed.err
    assert set(archive.images()) <= set(whole.images())
    standin.configure()
    assert archive.pull(standin.dicomweb).code == 0
    assert archive.images() == whole.images()
    assert archive.studies() == whole.studies()


def test_a_disk_that_takes_no_more_ends_a_pull_with_one_line_and_the_next_one_goes_on(
    standin: StandIn, archive: Archive
) -> None:
    large = image(CHEST[1], 9, "PA", size=28)  # 3 MB
    standin.serve([image(CHEST[0], 1, "PA"), large])
    try:
        failed = archive.pull(standin.dicomweb, most_bytes=1_000_000)
        assert (failed.code, failed.out) == (1, "")
        assert failed.err.count("\n") == 1
        assert "pacs cannot be written (File too large). Free disk space and repeat the command" in failed.err
        assert not [*archive.data.rglob(".draft-*")]
        assert archive.pull(standin.dicomweb).code == 0
        assert len(archive.images()) == 2
    finally:
        standin.serve(whole_hospital())
