"""A process that embeds with a model folder; the kernel kills it when it, or a child, opens a socket of a network."""

from __future__ import annotations

import ctypes
import socket
import struct
import sys
from pathlib import Path

import anyio
import numpy as np

from mcp_cxr.embeddings import LocalConfig, LocalEmbedder
from mcp_cxr.records import Rendering

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD, JUMP_EQUAL, RETURN = 0x20, 0x15, 0x06
SOCKET = 41
CALL, FIRST_ARGUMENT = 0, 16
"""Where they are in `struct seccomp_data`."""
KILL, ALLOW = 0x80000000, 0x7FFF0000


class Program(ctypes.Structure):
    """`struct sock_fprog` of the kernel."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def forbid_sockets() -> None:
    steps = [
        (LOAD, 0, 0, CALL),
        (JUMP_EQUAL, 0, 3, SOCKET),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        (JUMP_EQUAL, 1, 0, socket.AF_UNIX),  # Python asks a local daemon for the home folder
        (RETURN, 0, 0, KILL),
        (RETURN, 0, 0, ALLOW),
    ]
    code = b"".join(struct.pack("HBBI", *step) for step in steps)
    libc = ctypes.CDLL(None, use_errno=True)
    program = Program(len(steps), code)
    assert libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    assert libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0) == 0


async def embed(folder: Path, known: Path) -> None:
    forbid_sockets()  # after the event loop has its own pair, which is none of the network
    async with LocalEmbedder(LocalConfig(folder, "1", known)) as embedder:
        spec = embedder.image_spec
        image = np.arange(spec.size**2, dtype=np.uint64).reshape(spec.size, spec.size).astype(np.uint8)
        await embedder.embed_images([Rendering(image)])
        await embedder.embed_texts(["left pleural effusion"])
    sys.stdout.write("embedded\n")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        anyio.run(embed, Path(sys.argv[1]), Path(sys.argv[2]))
    else:
        forbid_sockets()
        socket.socket()
