"""docs/jobs/kubernetes.yaml against the schema that Kubernetes publishes, which knows no other fields."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.docs.pages import ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.cluster
JOB = ROOT / "docs" / "jobs" / "kubernetes.yaml"


def validate(job: Path) -> str:
    """Return what the validator of `make test-cluster` prints: PASSED or the faults."""
    validator = ROOT / "build" / "kubernetes" / "bin" / "kubernetes-validate"
    return subprocess.run([validator, "--strict", job], check=False, capture_output=True, text=True).stdout


def test_the_job_is_valid() -> None:
    assert "passed for resource job/mcp-cxr" in validate(JOB)


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("completionMode:", "completionsMode:"),
        ("parallelism: 4", 'parallelism: "4"'),
        ("action: FailJob", "act: FailJob"),
    ],
)
def test_a_misspelled_field_is_found(field: str, wrong: str, tmp_path: Path) -> None:
    text = JOB.read_text()
    assert field in text
    (tmp_path / "job.yaml").write_text(text.replace(field, wrong))
    assert "did not validate for resource job/mcp-cxr" in validate(tmp_path / "job.yaml")
