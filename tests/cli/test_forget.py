"""mcp-cxr forget."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import at_a_terminal
from tests.server.archives import environment
from tests.support.archives import all_bytes, contents
from tests.support.image_files import mimic, report

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Command


@pytest.fixture
def archive(on_new: Command, tmp_path: Path) -> Path:
    """Return an archive of three images: two of one study and patient, one of another."""
    for number, study, subject in ((1, 1, 1), (2, 1, 1), (3, 3, 3)):
        path = mimic(tmp_path / "images", number, study=study, subject=subject)
        report(path, f"FINDINGS: Secretword{subject} effusion.")
    assert on_new("ingest", tmp_path / "images").code == 0
    return tmp_path / "data"


@pytest.mark.parametrize(
    ("option", "name", "images", "studies", "left"),
    [
        ("--subject", "10000001", 2, 1, 1),
        ("--study", "s50000001", 2, 1, 1),
        ("--image", "-".join(["00000003"] * 5), 1, 1, 2),
    ],
)
def test_a_typed_yes_removes_the_counted_images(
    on_new: Command, archive: Path, option: str, name: str, images: int, studies: int, left: int
) -> None:
    done = at_a_terminal(["forget", option, name], "yes", environment(archive))
    assert done.returncode == 0
    question = (
        f"This removes {images} images of {studies} studies, with vectors, reports, labels, "
        "finding scores and entries of the data check. Type yes to continue: "
    )
    assert question in done.stderr
    assert done.stdout == f"Images removed: {images}\n"
    assert len(contents(archive)["images"]) == left
    assert on_new("table", "stats", "--json").json["images"] == left


def test_forgotten_data_is_erased_from_the_archive(on_new: Command, archive: Path) -> None:
    assert b"Secretword1" in all_bytes(archive)
    at_a_terminal(["forget", "--subject", "p10000001"], "yes", environment(archive))
    assert b"Secretword1" not in all_bytes(archive)
    assert b"secretword1" not in all_bytes(archive)
    assert b"Secretword3" in all_bytes(archive)
    assert on_new("search", "secretword1", "--mode", "words", "--json").json["total_results"] == 0
    assert on_new("search", "secretword3", "--mode", "words", "--json").json["total_results"] == 1


def test_any_other_answer_removes_nothing(archive: Path) -> None:
    done = at_a_terminal(["forget", "--subject", "p10000001"], "y", environment(archive))
    assert (done.returncode, done.stdout) == (1, "")
    assert len(contents(archive)["images"]) == 3


@pytest.mark.usefixtures("archive")
def test_forget_needs_a_terminal_and_exactly_one_option(on_new: Command) -> None:
    done = on_new("forget", "--subject", "p10000001")
    assert done.code == 2
    assert "run it in a terminal" in done.error
    for options in ((), ("--subject", " "), ("--subject", "p1", "--study", "s1")):
        refused = on_new("forget", *options)
        assert refused.code == 2
        assert "Give exactly one of --subject, --study and --image." in refused.error


def test_forget_without_an_archive_is_an_error(on_new: Command) -> None:
    done = on_new("forget", "--subject", "p1")
    assert done.code == 1
    assert "Run `mcp-cxr ingest PATH`." in done.error


def test_forgotten_images_are_added_again_by_the_next_ingest(on_new: Command, archive: Path, tmp_path: Path) -> None:
    done = at_a_terminal(["forget", "--subject", "p10000001"], "yes", environment(archive))
    assert "ingesting them again adds the images again" in done.stderr
    assert on_new("ingest", tmp_path / "images", "--json").json["added"] == 2


@pytest.mark.parametrize(("option", "kind"), [("--subject", "patient"), ("--study", "study"), ("--image", "image")])
def test_an_unknown_id_is_named_without_a_question(on_new: Command, archive: Path, option: str, kind: str) -> None:
    done = on_new("forget", option, "nope")
    assert done.code == 1
    assert done.error == f"Error: The archive has no {kind} nope; nothing was removed."
    assert len(contents(archive)["images"]) == 3
