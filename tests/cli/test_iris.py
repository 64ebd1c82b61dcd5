"""The commands on an archive in IRIS."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import iris.dbapi
import pytest
from mcp import Client, StdioServerParameters

from tests.cli.conftest import SMALL, at_a_terminal, set_environment
from tests.server.archives import environment, small_dicom
from tests.support.image_files import report
from tests.support.iris import documented_grants, plain_server, variables

if TYPE_CHECKING:
    from tests.cli.conftest import Command
    from tests.standins.iris import StandIn

SERVE = ["-m", "mcp_cxr", "serve"]
SCRIPTS = Path(__file__).parents[2] / "scripts"
ORIGINAL = """
CREATE TABLE VectorSearch.MIMICCXRImages (ImageID VARCHAR(255) PRIMARY KEY, StudyID VARCHAR(255),
    SubjectID VARCHAR(255), ViewPosition VARCHAR(50), ImagePath VARCHAR(1000), Vector VECTOR(DOUBLE, {dimension}),
    Metadata VARCHAR(4000), CreatedAt TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    UpdatedAt TIMESTAMP DEFAULT CURRENT_TIMESTAMP)"""
ITS_ROW = """
INSERT INTO VectorSearch.MIMICCXRImages (ImageID, StudyID, SubjectID, ViewPosition, ImagePath, Vector, Metadata)
VALUES (?, 's1', 'p1', 'PA', '/images/a.dcm', TO_VECTOR(?, DOUBLE), '{"made": "elsewhere"}')"""


@pytest.fixture
def server() -> StandIn:
    return plain_server()


@pytest.fixture
def on_iris(server: StandIn, on_new: Command, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Return a function that runs a command on an archive in IRIS that does not exist yet."""
    set_environment(monkeypatch, variables(server))
    return on_new


def answers(run: Command) -> list[Any]:
    """Return what the commands print about an archive and its first images, without places and times."""
    overview = run("table", "stats", "--json").json
    del overview["store"]
    hits = run("search", "--view", "PA", "--limit", "100", "--group", "none", "--json").json["images"]
    like = run("search", "--like", hits[0]["image_id"], "--limit", "100", "--json").json["images"]
    for hit in like:  # one store computes cosines in float32, the other in double
        hit.update(
            {name: pytest.approx(hit[name], rel=1e-5, abs=1e-6) for name in ("similarity_score", "similarity_z")}
        )
    return [overview, hits, like]


def test_an_archive_is_copied_to_iris_and_back_without_an_embedder(
    server: StandIn, on_new: Command, image_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    on_new("ingest", image_dir)
    here = answers(on_new)
    monkeypatch.setenv("MCP_CXR_EMBEDDER", "nvclip")  # no such service runs
    set_environment(monkeypatch, {**variables(server), "MCP_CXR_STORE": "embedded"})
    moved = on_new("table", "copy", "--to", "iris")
    assert (moved.code, moved.out) == (0, f"Copied: {SMALL}\nSkipped (already exist): 0\nExternal (not copied): 0\n")
    again = on_new("table", "copy", "--to", "iris", "--json").json
    assert again == {"copied": 0, "skipped": SMALL, "external": 0}
    monkeypatch.setenv("MCP_CXR_DATA_DIR", str(tmp_path / "another"))
    assert on_new("table", "copy", "--to", "embedded", "--json").json["copied"] == SMALL
    monkeypatch.setenv("MCP_CXR_EMBEDDER", "offline")
    assert answers(on_new) == here
    monkeypatch.setenv("MCP_CXR_STORE", "iris")
    assert answers(on_new) == here
    assert on_new("ingest", image_dir, "--json").json["skipped"] == SMALL


def test_copying_a_missing_archive_is_an_error(server: StandIn, on_new: Command, monkeypatch: pytest.MonkeyPatch):
    set_environment(monkeypatch, variables(server))
    for target in ("iris", "embedded"):
        done = on_new("table", "copy", "--to", target)
        assert done.code == 1
        assert "Nothing has been stored in" in done.error


def test_a_table_of_the_original_program_is_opened_unchanged(server: StandIn, on_iris: Command, image_dir: Path):
    dimension = on_iris("doctor", "--json").json["checks"][0]["detail"].split(" dimensions")[0].split()[-1]
    with closing(iris.dbapi.connect(**server.connection)) as connection:
        connection.cursor().execute(ORIGINAL.format(dimension=dimension))
        connection.cursor().execute(ITS_ROW, ["its-image", ",".join(["1"] * int(dimension))])
        connection.commit()
    assert "only rows of another program (1)" in on_iris("doctor").out
    assert "rows of another program (1), but no archive. Run `mcp-cxr ingest" in on_iris("search", "edema").err
    assert "MIMICCXRImages table already exists" in on_iris("table", "create").out
    assert on_iris("ingest", image_dir, "--json").json["added"] == SMALL
    stats = on_iris("table", "stats", "--json").json
    assert (stats["images"], stats["external"]) == (SMALL + 1, 1)
    found = on_iris("search", "--view", "PA", "--limit", "100", "--json").json
    assert found["total_results"] == SMALL
    assert on_iris("show", "its-image", "--json").json["external"] is True
    assert on_iris("table", "verify", "--json").json["problems"]["external"] == 1


def test_a_user_with_the_documented_grants_runs_each_command(
    server: StandIn, on_iris: Command, image_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for number, path in enumerate(sorted(image_dir.rglob("*.dcm"))[:3]):
        report(path, f"FINDINGS: Left effusion. Edema number{number}.")
    server.configure(username="cxr", grants=documented_grants())
    of_user = {**variables(server), "IRIS_USERNAME": "cxr", "MCP_CXR_ROOTS": str(image_dir)}
    set_environment(monkeypatch, of_user)

    def answer(*words: object) -> Any:
        done = on_iris(*words, "--json")
        assert done.code == 0, (words, done.err)
        return done.json

    answer("table", "create")
    assert answer("ingest", image_dir)["added"] == SMALL
    assert all(check["ok"] for check in answer("doctor")["checks"])
    assert answer("table", "index") == {"indexed": True}
    image_id = answer("search", "effusion", "--mode", "words")["images"][0]["image_id"]
    assert answer("search", "left effusion")["total_results"] == 3
    assert answer("search", "--like", image_id, "--mode", "vector")["images"]
    assert answer("search", "effusion", "--like", image_id, "--view", "PA")["images"]
    assert answer("show", image_id)["image_id"] == image_id
    assert answer("table", "stats")["images"] == SMALL
    assert not any(answer("table", "verify")["problems"].values())
    answer("table", "verify", "--repair")
    answer("table", "refused")
    elsewhere = {**environment(tmp_path / "data"), **of_user}
    assert anyio.run(search_served, elsewhere) == 3
    forgotten = at_a_terminal(["forget", "--image", image_id], "yes", elsewhere)
    assert forgotten.stdout == "Images removed: 1\n"
    assert answer("table", "copy", "--to", "embedded")["copied"] == SMALL - 1
    assert at_a_terminal(["table", "drop", "--force"], "yes", elsewhere).returncode == 0
    assert server.tables == {}
    monkeypatch.setenv("MCP_CXR_STORE", "embedded")
    assert answer("table", "copy", "--to", "iris")["copied"] == SMALL - 1
    assert len(server.rows("VectorSearch.MIMICCXRImages")) == SMALL - 1


async def search_served(of_server: dict[str, str]) -> int:
    """Return how many results a server in a process of its own finds."""
    with anyio.fail_after(60):
        async with Client(StdioServerParameters(command=sys.executable, args=SERVE, env=of_server)) as client:
            found = await client.call_tool("search_medical_images", {"query": "left effusion"})
    assert found.structured_content, found.content
    return found.structured_content["total_results"]


def test_ids_are_hashed_only_with_a_configured_key(on_iris: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "plain"
    folder.mkdir()
    (folder / "image.dcm").write_bytes(small_dicom(1))
    refused = on_iris("ingest", folder)
    assert refused.code == 2
    assert "MCP_CXR_ID_KEY_FILE" in refused.err
    monkeypatch.setenv("MCP_CXR_ID_KEY_FILE", str(tmp_path / "id.key"))
    assert on_iris("ingest", folder).code == 2
    assert not (tmp_path / "id.key").exists()
    (tmp_path / "id.key").write_bytes(b"k" * 32)
    assert on_iris("ingest", folder, "--json").json["added"] == 1
    (tmp_path / "id.key").write_bytes(b"K" * 32)
    (folder / "other.dcm").write_bytes(small_dicom(2))
    assert on_iris("ingest", folder).code == 2


def test_ingest_into_iris_records_no_root(
    on_iris: Command, image_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    done = on_iris("ingest", image_dir)
    assert f"To let `serve` show these images, add {image_dir} to MCP_CXR_ROOTS." in done.err
    image_id = on_iris("search", "--view", "PA", "--json").json["images"][0]["image_id"]
    refused = on_iris("show", image_id, "--png", tmp_path / "image.png")
    assert "roots" in refused.err
    assert refused.code == 2
    monkeypatch.setenv("MCP_CXR_ROOTS", str(image_dir))
    assert "MCP_CXR_ROOTS" not in on_iris("ingest", image_dir).err
    assert on_iris("show", image_id, "--png", tmp_path / "image.png").code == 0


def test_doctor_shows_the_state_of_the_connections(on_iris: Command, image_dir: Path):
    on_iris("ingest", image_dir)
    store = {check["name"]: check for check in on_iris("doctor", "--json").json["checks"]}["store"]
    assert store["ok"]
    assert (
        f"VectorSearch.MIMICCXRImages: {SMALL} images; without an HNSW index; of 4 connections 0 busy"
        in store["detail"]
    )


def test_doctor_names_the_privilege_without_which_ingests_are_slow(
    server: StandIn, on_iris: Command, image_dir: Path, caplog: pytest.LogCaptureFixture
):
    server.configure(grants=["%CREATE_TABLE", "%DROP_TABLE", "%ALTER_TABLE"])
    done = on_iris("ingest", image_dir)
    assert done.code == 0
    assert "lacks %NOLOCK" in caplog.text  # on stderr, in a process of its own
    checks = {check["name"]: check for check in on_iris("doctor", "--json").json["checks"]}
    assert not checks["privileges"]["ok"]
    assert "GRANT %NOLOCK" in checks["privileges"]["advice"]
    server.configure(grants=["%NOLOCK"])
    assert "privileges" not in {check["name"] for check in on_iris("doctor", "--json").json["checks"]}


def test_table_index_builds_the_index_of_vectors(on_iris: Command, image_dir: Path):
    on_iris("ingest", image_dir)
    assert on_iris("table", "index").out == "HNSW index of the vectors built (or exists)\n"
    assert "; with an HNSW index; " in on_iris("doctor").out


@pytest.mark.parametrize(
    ("variable", "value", "advice"),
    [
        ("IRIS_PASSWORD", "wrong", "Check IRIS_USERNAME, IRIS_PASSWORD"),
        ("IRIS_PORT", "9", "Check IRIS_HOST and IRIS_PORT"),
        ("IRIS_SSL_CONFIG", "Missing", "IRIS_SSL_CONFIG"),
    ],
)
def test_doctor_shows_problems_of_the_server(
    on_iris: Command, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, advice: str
):
    monkeypatch.setenv(variable, value)
    done = on_iris("doctor", "--json")
    store = {check["name"]: check for check in done.json["checks"]}["store"]
    assert (done.code, store["ok"]) == (1, False)
    assert advice in store["advice"]


def test_the_scripts_work_on_iris(server: StandIn, image_dir: Path, tmp_path: Path):
    variables_of_iris = {**environment(tmp_path / "data"), **variables(server)}

    def script(name: str, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, SCRIPTS / name, *words]
        return subprocess.run(command, env=variables_of_iris, capture_output=True, text=True, check=False)

    assert "MIMICCXRImages table created successfully" in script("create_mimic_images_table.py").stdout
    assert f"Total images in database: {SMALL}" in script("ingest_mimic_images.py", str(image_dir)).stdout
    assert f"Total images in database: {SMALL}" in script("table_stats.py").stdout
    assert script("verify_setup.py").returncode == 0


def test_the_driver_is_not_loaded_for_the_embedded_store():
    code = "import sys, mcp_cxr.archive, mcp_cxr.server, mcp_cxr.cli; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "mcp_cxr.stores.embedded" in loaded
    assert not {"iris", "mcp_cxr.stores.iris"} & set(loaded)
