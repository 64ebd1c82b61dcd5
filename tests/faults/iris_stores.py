"""Stores on a simulated IRIS server, and a small archive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcp_cxr.records import Study, StudyId, SubjectId
from mcp_cxr.stores.iris import IrisConfig
from tests.contract.stores.making import FINGERPRINT, image, vectors

if TYPE_CHECKING:
    from mcp_cxr.stores import Store
    from tests.standins.iris import StandIn

IMAGES = 40


def config(server: StandIn, **more: Any) -> IrisConfig:
    """Return the configuration of a store on the server, with short timeouts."""
    defaults: dict[str, Any] = {
        "host": server.host,
        "port": server.port,
        "username": server.username,
        "password": server.password,
        "connect_timeout_s": 2,
        "acquire_timeout_s": 30.0,
        "call_timeout_s": 30.0,
    }
    return IrisConfig(**{**defaults, **more})


async def fill(store: Store, count: int = IMAGES) -> None:
    """Put images of as many studies, every other one with the word `effusion` in its report."""
    await store.create(FINGERPRINT)
    await store.put([image(f"i{n:05d}", f"s{n:05d}", f"p{n // 3}") for n in range(count)], vectors(count))
    await store.put_studies(
        [
            Study(StudyId(f"s{n:05d}"), SubjectId(f"p{n // 3}"), report="Effusion." if n % 2 else "Clear lungs.")
            for n in range(count)
        ]
    )
