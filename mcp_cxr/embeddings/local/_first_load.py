"""Loads an encoder for the first time in a process of its own, with limits on memory and time.

A folder that crashes onnxruntime, hangs it or takes all memory thereby costs one line. What it returned is remembered
by digest, so that a folder is tried once.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

import anyio

from mcp_cxr.embeddings.local._encoder_cache import EncoderFacts
from mcp_cxr.embeddings.local._model_files import folder_error
from mcp_cxr.errors import EmbeddingRejected
from mcp_cxr.process_limits import inherited_environment

if TYPE_CHECKING:
    from anyio.abc import Process

    from mcp_cxr.embeddings.local._encoder import EncoderDescription

_MODULE: Final = "mcp_cxr.embeddings.local._first_load_process"
_GB: Final = 2**30
_MEMORY_BYTES: Final = 3 * _GB
"""Address space beside the weights; libraries and threads of two cores were measured to take 1 GB."""
_MEMORY_PER_WEIGHT: Final = 4
"""The file, its parsed form, the tensors and their packed copies."""
_SECONDS: Final = 120
_SECONDS_PER_GB: Final = 120
"""MedSigLIP-448, 3.5 GB on two cores, was measured to take 45 s."""
_MAX_ANSWER_BYTES: Final = 1 << 20


async def load_first(description: EncoderDescription) -> EncoderFacts:
    """Load both towers in a process of their own, embed the canned inputs, and return what they gave.

    Raises:
        EmbeddingRejected: The process crashed, took too long or too much memory, or its vectors mean nothing.
    """
    weights = description.weight_bytes
    memory = _MEMORY_BYTES + _MEMORY_PER_WEIGHT * weights
    seconds = _SECONDS + _SECONDS_PER_GB * weights // _GB
    command = [sys.executable, "-P", "-m", _MODULE, str(description.files.root), str(memory), str(seconds)]
    process = await anyio.open_process(
        command,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=inherited_environment(),
        start_new_session=True,
    )
    try:
        with anyio.fail_after(seconds):
            answer = await _answer(process)
            exit_code = await process.wait()
    except TimeoutError:
        raise folder_error(f"its first load took more than {seconds} s; is the machine busy? Try again.") from None
    finally:
        with anyio.CancelScope(shield=True):
            if process.returncode is None:
                process.kill()
            await process.aclose()
    return _read(answer, exit_code, memory)


async def _answer(process: Process) -> bytes:
    if process.stdout is None:
        raise RuntimeError("The process has no stdout.")
    answer = b""
    async for part in process.stdout:
        answer += part
        if len(answer) > _MAX_ANSWER_BYTES:
            break
    return answer


def _read(answer: bytes, exit_code: int, memory: int) -> EncoderFacts:
    """Return what the process answered; a hostile folder may control the process."""
    try:
        found: dict[str, Any] = json.loads(answer)
        if "error" in found:
            raise EmbeddingRejected(str(found["error"])[:400])
        return EncoderFacts(dimension=int(found["dimension"]), canned=str(found["canned"]))
    except (LookupError, TypeError, ValueError) as exc:
        raise folder_error(
            f"onnxruntime ended with code {exit_code} when it was first loaded, within {memory >> 30} GB; export again."
        ) from exc
