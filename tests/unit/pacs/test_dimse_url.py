"""URLs of a PACS by DIMSE, and what is said if they cannot be used."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from mcp_cxr.archive import open_pacs
from mcp_cxr.errors import ConfigError
from mcp_cxr.pacs import DimseConfig
from mcp_cxr.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


def settings(data: Path, **variables: str) -> Settings:
    return Settings(**{"MCP_CXR_DATA_DIR": str(data), **variables})  # pyright: ignore[reportArgumentType]  # variables, as the environment has them


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("dicom://PACS@10.1.2.3:104", DimseConfig("10.1.2.3", 104, "PACS", "MCPCXR")),
        ("dicom://My%20Pacs@pacs.example.org:11112?from=US", DimseConfig("pacs.example.org", 11112, "My Pacs", "US")),
        ("dicom://PACS@[::1]:104/?from=us_2", DimseConfig("::1", 104, "PACS", "us_2")),
    ],
)
def test_urls(url: str, expected: DimseConfig):
    assert DimseConfig.from_url(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "dicom://10.1.2.3:104",
        "dicom://PACS@10.1.2.3",
        "dicom://PACS@10.1.2.3:0x10",
        "dicom://PACS@10.1.2.3:99999",
        "dicom://PACS:secret@10.1.2.3:104",
        "dicom://SEVENTEEN-LETTERS@10.1.2.3:104",
        "dicom://PACS@10.1.2.3:104?from=",
        "dicom://PACS@10.1.2.3:104?to=US",
        "dicom://PACS@10.1.2.3:104?from=A&from=B",
        "dicom://PACS@10.1.2.3:104/path",
        "dicom:PACS",
    ],
)
def test_other_urls_are_refused_without_quoting_them(url: str):
    with pytest.raises(ConfigError, match="dicom://CALLED_AE@host:port") as refusal:
        DimseConfig.from_url(url)
    assert "secret" not in str(refusal.value)


async def test_the_extra_is_named_if_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delitem(sys.modules, "mcp_cxr.pacs._association", raising=False)
    monkeypatch.setitem(sys.modules, "pynetdicom", None)
    with pytest.raises(ConfigError, match=r"mcp-cxr\[dimse\]"):
        async with open_pacs(settings(tmp_path), "dicom://PACS@localhost:104"):
            pass


async def test_a_login_is_refused_rather_than_not_used(tmp_path: Path):
    with pytest.raises(ConfigError, match="no login"):
        async with open_pacs(settings(tmp_path, MCP_CXR_PACS_USER="reader"), "dicom://PACS@localhost:104"):
            pass
