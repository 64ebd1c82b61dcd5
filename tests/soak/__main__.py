"""`make soak`: many clients, many calls, no error, and memory that does not grow.

32 clients over HTTP ask one server, 8 over stdio one each. Memory is what all servers and their workers hold in
proportion (Pss); it may grow by 5 % from the second thousand of calls to the last one. Exit 1 where anything is wrong.

`--store iris` asks the server that IRIS_HOST... name; if they name none, the simulated server, whose memory is left
out: one process with one lock below all clients, so that times are then its own.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from mcp import Client, StdioServerParameters

from mcp_cxr.archive import open_archive
from mcp_cxr.demo import write_data_set
from tests.server.archives import settings
from tests.soak.processes import Held, held
from tests.standins.iris import StandIn
from tests.support.iris import variables as iris_variables
from tests.support.served import Served

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

OVER_HTTP, OVER_STDIO = 32, 8
SETTLED_AFTER = 1000  # calls
GROWTH = 1.05
LOOK_EVERY = 50  # calls
QUERIES = (
    "left pleural effusion",
    "pneumothorax",
    "cardiomegaly without edema",
    "PA chest",
    "support devices",
    "normal",
)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a tool, and whether a refusal is expected."""

    tool: str
    arguments: dict[str, Any]
    refused: bool = False


@dataclass(slots=True)
class Log:
    """Outcomes of the calls."""

    times: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    """Milliseconds by transport and tool."""
    wrong: Counter[str] = field(default_factory=Counter[str])
    looks: list[tuple[int, Held]] = field(default_factory=list[tuple[int, Held]])
    beside: int | None = None
    """Id of a process that is not measured."""
    done: int = 0


def calls(count: int, ids: Sequence[str], images: Path) -> Iterator[Call]:
    """Yield a realistic mix of calls, the same in every run."""
    rng = random.Random(7)  # noqa: S311 - a mix, not a secret
    makers = {
        40: lambda: Call("search_medical_images", {"query": rng.choice(QUERIES), "limit": rng.choice((3, 5, 20))}),
        15: lambda: Call("search_medical_images", {"view": ["PA"], "labels": ["Pleural Effusion"]}),
        12: lambda: Call("search_medical_images", {"like": [rng.choice(ids)], "group": "none"}),
        14: lambda: Call("get_image_metadata", {"image_id": rng.choice(ids)}),
        8: lambda: Call("view_image", {"image_id": rng.choice(ids), "max_px": 256}),
        5: lambda: Call("get_archive_overview", {}),
        4: lambda: Call("get_image_metadata", {"image_id": "no-such-image"}, refused=True),
        1: lambda: Call("search_medical_images", {"limt": 3}, refused=True),
        0.5: lambda: Call("ingest_directory", {"path": str(images), "limit": 20}),
        0.3: lambda: Call("ingest_directory", {"path": "/"}, refused=True),
    }
    for _ in range(count):
        yield rng.choices(list(makers.values()), list(makers))[0]()


async def ask(client: Client, transport: str, todo: Iterator[Call], log: Log) -> None:
    """Send calls until none are left."""
    for call in todo:
        started = time.perf_counter()
        result = await client.call_tool(call.tool, call.arguments)
        log.times[transport, call.tool].append((time.perf_counter() - started) * 1000)
        if bool(result.is_error) != call.refused:
            log.wrong[f"{transport} {call.tool}: {'refused' if result.is_error else 'answered'}"] += 1
        log.done += 1
        if log.done % LOOK_EVERY == 0:
            log.looks.append((log.done, await anyio.to_thread.run_sync(held, os.getpid(), log.beside)))


async def run(served: Served, variables: dict[str, str], todo: Iterator[Call], log: Log) -> None:
    """Run all clients concurrently."""
    command = StdioServerParameters(
        command=sys.executable, args=["-m", "mcp_cxr", "serve"], env=variables, cwd=served.folder
    )
    async with AsyncExitStack() as opened:
        made = [(served.client(mode=mode), "http") for mode in ("auto", "legacy") * (OVER_HTTP // 2)]
        made += [(Client(command), "stdio") for _ in range(OVER_STDIO)]
        clients = [(await opened.enter_async_context(each), transport) for each, transport in made]
        async with anyio.create_task_group() as tasks:
            for client, transport in clients:
                tasks.start_soon(ask, client, transport, todo, log)


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{text}\n")


def report(log: Log, seconds: float) -> bool:
    """Print the outcome; return whether every limit was kept."""
    say(f"{log.done} calls in {seconds:.0f} s ({log.done / seconds:.0f} a second), {log.wrong.total()} wrong")
    say(f"{'':32}{'calls':>7}{'p50 ms':>9}{'p99 ms':>9}")
    for (transport, tool), times in sorted(log.times.items()):
        p50, p99 = statistics.median(times), sorted(times)[int(len(times) * 0.99)]
        say(f"{transport + ' ' + tool:32}{len(times):>7}{p50:>9.1f}{p99:>9.1f}")
    for what, count in log.wrong.items():
        say(f"WRONG: {what}, {count} times")
    first = [look for at, look in log.looks if SETTLED_AFTER < at <= 2 * SETTLED_AFTER]
    last = [look for at, look in log.looks if at > log.done - SETTLED_AFTER]
    grown = {}
    for name in Held._fields:
        before, after = (statistics.median(getattr(look, name) for look in some) for some in (first, last))
        grown[name] = after / before
        say(f"{name:12} {before:>8.0f} in the second thousand, {after:>8.0f} in the last ({after / before - 1:+.1%})")
    return not log.wrong and all(ratio <= GROWTH for ratio in grown.values())


def place_of(store: str, folder: Path, opened: ExitStack, log: Log) -> dict[str, str]:
    """Return the variables that locate the archive."""
    if store == "embedded":
        return {}
    named = {name: value for name, value in os.environ.items() if name.startswith("IRIS_")}
    if not named:
        standin = opened.enter_context(StandIn())
        named, log.beside = iris_variables(standin), standin.pid
    key = folder / "id.key"
    key.write_bytes(b"of a soak, and of no patient: ***")
    key.chmod(0o600)
    return {**named, "MCP_CXR_STORE": store, "MCP_CXR_ID_KEY_FILE": str(key)}


async def main(count: int, store: str) -> bool:
    """Create an archive, serve it, run the calls and print the outcome."""
    with ExitStack() as opened:
        place, log = Path(opened.enter_context(tempfile.TemporaryDirectory())), Log()
        images = write_data_set(place / "images", studies=40).folder
        variables = {
            "MCP_CXR_DATA_DIR": str(place / "data"),
            "MCP_CXR_EMBEDDER": "offline",
            "MCP_CXR_SHARE": "reports,images",
            "MCP_CXR_ROOTS": str(images),
            **place_of(store, place, opened, log),
        }
        async with open_archive(settings(variables)) as archive:
            await archive.ingest(images)
            ids = [hit.image_id for hit in (await archive.search(view=["PA"], limit=100)).images]
        with Served(variables, place) as served:
            started = time.monotonic()
            await run(served, variables, calls(count, ids, images), log)
            seconds = time.monotonic() - started
            code, _, err = served.end()
        say(f"{store} store, {OVER_HTTP} clients over HTTP, {OVER_STDIO} over stdio; the server ended with {code}")
        return report(log, seconds) and code == 0 and not err


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=10_000, help="3000 or more: memory is compared over thousands")
    parser.add_argument("--store", choices=("embedded", "iris"), default="embedded", help="as MCP_CXR_STORE")
    asked = parser.parse_args()
    if asked.calls < 3 * SETTLED_AFTER:
        parser.error(f"--calls must be {3 * SETTLED_AFTER} or more")
    sys.exit(0 if anyio.run(main, asked.calls, asked.store) else 1)
