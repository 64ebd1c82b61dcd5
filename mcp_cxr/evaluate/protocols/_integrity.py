"""Integrity: the shares of defective vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp_cxr.evaluate.metrics import Figure, ProtocolResult, measured_result

if TYPE_CHECKING:
    from mcp_cxr.evaluate.inputs import EvaluationContext


async def measure_integrity(context: EvaluationContext) -> ProtocolResult:
    """Return the shares of defective vectors."""
    found = context.dataset.defects
    return measured_result(
        "integrity",
        [
            Figure(name, "", found[name] / found["read"], None, None, None, found["read"], "lower", "images")
            for name in ("zero", "not finite", "constant", "duplicate", "external")
        ],
        [],
        ["Shares of all images read; zero, not finite and external ones are left out of the other protocols."],
    )
