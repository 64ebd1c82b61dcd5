"""Each outside library is imported by its owners alone, so that it can be replaced in one place."""

from __future__ import annotations

import ast
import sys
from functools import cache
from pathlib import Path

import pytest

import mcp_cxr

PACKAGE = Path(mcp_cxr.__file__).parent
EVERYWHERE = ("",)
OWNERS: dict[str, tuple[str, ...]] = {
    "PIL": ("images", "demo"),
    "_typeshed": EVERYWHERE,  # types alone
    "anyio": EVERYWHERE,
    "click": ("cli", "demo"),
    "csv": (
        "csv_writer",
        "evaluate.inputs",
        "language._imaging_findings",
        "language._vocabulary",
        "layouts._tables",
    ),  # all others only read
    "http.client": (),  # http_client bounds what it sends and reads
    "httpx": ("http_client",),
    "imagecodecs": ("images.pixels",),
    "iris": ("stores.iris.driver",),
    "jinja2": ("evaluate.page", "research.data_check.page"),
    "jwt": ("server.http",),
    "matplotlib": ("evaluate.page",),
    "mcp": ("server", "chat", "demo"),
    "mcp_types": ("server", "chat", "demo"),
    "numkong": ("stores.embedded.vectors",),
    "numpy": EVERYWHERE,
    "onnxruntime": ("embeddings.local._quantize", "embeddings.local._onnx_sessions"),
    "platformdirs": ("settings",),
    "pydantic": (
        "settings",
        "server",
        "records._search_result",  # results whose empty fields can be left out
        "records._timeline",
        "server_check",  # a closed schema
        "research.probes._fitted_probes",  # files beside the archive, which may be damaged
        "research.data_check._stored_check",
    ),
    "pypdf": ("images.dicom_reports",),
    "pydantic_settings": ("settings",),
    "pydicom": ("images", "demo", "pacs._association", "pacs._dimse"),
    "pynetdicom": ("pacs._association",),
    "snowballstemmer": ("language",),
    "spellchecker": ("language.query._english",),
    "sqlite3": ("stores.embedded",),
    "sse_starlette": ("server.http",),
    "starlette": ("server.http", "chat.web_server"),
    "streamlit": ("chat",),
    "tokenizers": ("embeddings.local._text_recipe",),
    "tqdm": ("cli._ingest",),
    "urllib.request": ("pasted_text",),  # a file URL as a path, nothing of the network
    "uvicorn": ("server.http", "chat.web_server"),
}
"""Library: the modules and packages of mcp_cxr that may import it. Other standard modules are free."""


@cache
def imported(source: str) -> set[str]:
    """Return every module that a source imports, at any depth, types included."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def trespasses(module: str, source: str) -> list[str]:
    """Return the libraries that `module` imports and does not own, and those that stand in no table."""
    wrong: set[str] = set()
    for name in imported(source):
        top = name.split(".")[0]
        library = next((one for one in (name, top) if one in OWNERS), None)
        if library is None:
            wrong |= {top} - {"mcp_cxr", *sys.stdlib_module_names}
        elif not any(_lies_in(module, owner) for owner in OWNERS[library]):
            wrong.add(library)
    return sorted(wrong)


def _lies_in(module: str, owner: str) -> bool:
    return owner in {"", module} or module.startswith(f"{owner}.")


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def test_a_library_is_imported_by_its_owners_alone():
    found = {name_of(path): trespasses(name_of(path), path.read_text()) for path in PACKAGE.rglob("*.py")}
    assert {name: libraries for name, libraries in found.items() if libraries} == {}


@pytest.mark.parametrize(
    ("module", "source", "library"),
    [
        ("evaluate", "import iris.dbapi", "iris"),
        ("evaluate._evaluate", "from numkong import Tensor", "numkong"),
        ("files", "from PIL import Image", "PIL"),
        ("files", "def late():\n    import httpx", "httpx"),
        ("search", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import sqlite3", "sqlite3"),
        ("search", "import requests", "requests"),
        ("search", "from urllib import request", "urllib.request"),
        ("server.http._oauth", "import http.client", "http.client"),
        ("embeddings.nvclip._service", "import httpx", "httpx"),
    ],
)
def test_an_import_by_another_module_is_found(module: str, source: str, library: str):
    assert trespasses(module, source) == [library]


def test_every_library_of_the_table_is_imported_somewhere():
    names = {name for path in PACKAGE.rglob("*.py") for name in imported(path.read_text())}
    used = names | {name.split(".")[0] for name in names}
    assert {library for library, owners in OWNERS.items() if owners} <= used
