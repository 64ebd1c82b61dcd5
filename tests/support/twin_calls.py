"""Asks the servers of two twin archives the same, and compares every answer, times aside."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

from tests.server.archives import environment
from tests.support.canary_scores import save_scores
from tests.support.drawn_calls import Pool, calls_with_each_text, drawn_call
from tests.support.twin_archives import WORDINGS, write_twins

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from mcp import Client

    from mcp_cxr.archive import Archive
    from mcp_cxr.settings import Settings

SHARE = "images,dates"
_TIMES = ("execution_time_ms", "seconds", "images_per_second", "stages", "slowest_stage")
_FOLDER = "{folder}"
_IDS = 8
_ASKED_AGAIN = 0.1
"""Share of the calls that are made twice, because a store keeps the rankings of the last questions."""
_QUERIES = (
    *("effusion", "left pleural effusion", "small right pneumothorax or nodule", "no pneumothorax", "opacity"),
    *("normal chest", "no acute findings", "abnormal", "cardiomegaly without edema", "possible pneumonia"),
    *("HIV", "history of pneumothorax", "lung cancer", "effusion and HIV", "without HIV", "-quill effusion"),
    *("sponge", "marbel", "quil", "effusion quill", "women over 30 with consolidation", "PA view", "chest", "tube"),
    *("indication of cardiomegaly", "Edema", "worse bilateral effusions", "nodul", "zephyr", "2.25.1", "7781203"),
    *(
        "resolved effusion",
        "transplant",
        "pacemaker not on the left",
        "clinic",
        "gynecomastia",
        "gynecomastia with sponge",
        "without gynecomastia",
        "show 3 devices",
        "image0001",
    ),
)
_WORDS = tuple(word for wording in WORDINGS for phrase in wording.words for word in (phrase, *phrase.split()))


class Twins:
    """The folders, data folders and environments of two archives that must not be told apart."""

    def __init__(self, folder: Path) -> None:
        self.folders = write_twins(folder)
        key = folder / "id.key"
        key.write_bytes(bytes(range(32)))
        self.environments = [
            {
                **environment(folder / f"data{number}", roots=images, share=SHARE),
                "MCP_CXR_ID_KEY_FILE": str(key),
            }
            for number, images in enumerate(self.folders)
        ]

    async def ingest(
        self, opener: Callable[[Settings], AbstractAsyncContextManager[Archive]], of_both: list[Settings]
    ) -> None:
        """Ingest both folders; each archive gets other finding scores."""
        for number, (settings, folder) in enumerate(zip(of_both, self.folders, strict=True)):
            async with opener(settings) as archive:
                assert (await archive.ingest(folder)).added
                ids = [one.image.image_id for one in await archive.store.images_after(None, limit=1000)]
            save_scores(settings.probes_file, ids, seed=number)


async def compare(
    twins: Twins, clients: tuple[Client, Client], *, calls: int, seed: int, texts_of: Sequence[str] = ()
) -> set[str]:
    """Ask both the same drawn questions; return the tools that gave a result at least once.

    Args:
        twins: The archives.
        clients: Of their servers.
        calls: How many are drawn.
        seed: Of the drawing.
        texts_of: Arguments of which each text is tried; empty: all.

    Raises:
        AssertionError: An answer differs.
    """
    await _compare_lists(clients)
    tools = (await clients[0].list_tools()).tools
    pool, draw = await _pool(clients[0]), random.Random(seed)  # noqa: S311  # not a secret
    answered, differences = set[str](), list[str]()
    drawn = (drawn_call(draw, tools, pool) for _ in range(calls))
    limits = (("ingest_directory", {"path": _FOLDER, "limit": limit}) for limit in (1, 7, 16, 31))
    for tool, arguments in (*limits, *calls_with_each_text(draw, tools, pool, only=texts_of), *drawn):
        if draw.random() < _ASKED_AGAIN:
            await _answers(twins, clients, tool, arguments)
        one, other = await _answers(twins, clients, tool, arguments)
        assert "Error executing tool" not in one, f"{tool}({json.dumps(arguments)}) crashed"
        if one != other:
            differences.append(f"{tool}({json.dumps(arguments)}):\n{_first_difference(one, other)}")
        if '"is_error": false' in one:
            answered.add(tool)
    assert not differences, f"{len(differences)} answers differ:\n" + "\n".join(differences[:8])
    return answered


async def _compare_lists(clients: tuple[Client, Client]) -> None:
    for client_method in ("list_tools", "list_resources", "list_resource_templates", "list_prompts"):
        one, other = [(await getattr(client, client_method)()).model_dump(mode="json") for client in clients]
        assert one == other, client_method
    for resource in (await clients[0].list_resources()).resources:
        one, other = [(await client.read_resource(resource.uri)).model_dump(mode="json") for client in clients]
        assert one == other, resource.uri


async def _pool(client: Client) -> Pool:
    page = await client.call_tool(
        "search_medical_images", {"limit": 100, "group": "none", "view": ["FRONTAL", "LATERAL"]}
    )
    hits: list[dict[str, Any]] = (page.structured_content or {})["images"]
    images, studies, subjects = (
        sorted({hit[name] for hit in hits})[: _IDS * 3] for name in ("image_id", "study_id", "subject_id")
    )
    images = images[:: len(images) // _IDS]
    labels = ("Edema", "Pleural Effusion", "Cardiomegaly", "Nodule", "Quill trial", "marble", "effusion", "edma")
    return Pool(
        {
            "query": _QUERIES,
            "view": ("PA", "LATERAL", "frontal", "XA"),
            "label": labels,
            "split": ("train", "test", "Train", "quill-train", "zephyr", "tran", "official", "none", "60/40"),
            "name": tuple(f"cohort-{number}" for number in range(24)),
            "balance": ("Edema", "Pleural Effusion", "Quill trial"),
            "date": ("2020-01-05", "2020-01-20", "soon"),
            "sex": ("F", "male", "x"),
            "like": (*images, *images, f"{_FOLDER}/image0001.dcm", f"{_FOLDER}/nothing.dcm"),
            "path": (_FOLDER, f"{_FOLDER}/nothing", "/etc"),
            "image": images,
            "study": studies[:_IDS],
            "subject": subjects[:_IDS],
            "exclude_subject": images,
        },
        (*_WORDS, *images[:3], *studies[:3], *_QUERIES),
    )


async def _answers(twins: Twins, clients: tuple[Client, Client], tool: str, arguments: dict[str, Any]) -> list[str]:
    return [
        await _answer(client, tool, arguments, str(folder))
        for client, folder in zip(clients, twins.folders, strict=True)
    ]


async def _answer(client: Client, tool: str, arguments: dict[str, Any], folder: str) -> str:
    """Return the answer as text, without times and with the folder's name replaced."""
    given = json.loads(json.dumps(arguments).replace(_FOLDER, folder))
    result = (await client.call_tool(tool, given)).model_dump(mode="json")
    for block in result["content"]:
        if block["type"] == "text" and block["text"].startswith("{"):
            block["text"] = _without_times(json.loads(block["text"]))
    result["structured_content"] = _without_times(result.get("structured_content"))
    return json.dumps(result).replace(folder, _FOLDER)


def _without_times(data: Any) -> Any:
    return {key: value for key, value in data.items() if key not in _TIMES} if isinstance(data, dict) else data


def _first_difference(one: str, other: str) -> str:
    pairs = zip(*(json.dumps(json.loads(answer), indent=1).splitlines() for answer in (one, other)), strict=False)
    return next((f"  {left.strip()}\n  {right.strip()}" for left, right in pairs if left != right), "one ends earlier")
