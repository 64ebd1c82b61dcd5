"""mcp-cxr serve."""

from __future__ import annotations

import gc
import logging
import signal
from contextlib import asynccontextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from mcp_cxr.cli._common import allow_demo_encoder, demo_encoder_is_allowed, note, read_settings
from mcp_cxr.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from mcp_cxr.archive import Archive


_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(path_type=Path)


@click.command()
@click.option(
    "--http",
    "over_http",
    is_flag=True,
    help="Serve over HTTP; clients need the token that is created in the file http.token in the data folder.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8765,
    show_default=True,
    help="Port to listen on; 0 chooses a free one.",
)
@click.option("--tls-cert", type=_FILE, help="PEM file with the certificate and its chain.")
@click.option("--tls-key", type=_FILE, help="PEM file with the key of the certificate.")
@click.option("--public-url", help="URL that clients use, for example that of a reverse proxy.")
@click.option("--oauth-issuer", help="Accept access tokens from this OAuth server instead of the token in http.token.")
# `mcp-cxr chat` names its folders in the environment: every user of the machine can read command lines
@click.option("--readable", envvar="CXR_READABLE_FOLDERS", multiple=True, hidden=True, type=_FOLDER)
@click.option("--for-owner", is_flag=True, hidden=True)  # `mcp-cxr chat` shows its user the paths of files
@allow_demo_encoder
@click.pass_context
def serve(
    context: click.Context,
    *,
    over_http: bool,
    readable: tuple[Path, ...],
    for_owner: bool,
    **how: Any,  # noqa: ANN401 - click's options, passed on
) -> None:
    """Serve the archive to an MCP host over stdio or HTTP."""
    if not over_http and (given := [name for name in how if _is_given(context, name)]):
        raise ConfigError(f"--{given[0].replace('_', '-')} needs --http.")
    logging.basicConfig(format="%(levelname)s: %(message)s")  # else the SDK lets `rich` wrap lines
    gc.disable()  # garbage collection while modules load takes 0.04 s of the 0.46 s a host waits
    try:
        import anyio

        from mcp_cxr.server import OWNER_SEES_PATHS, AccessLog, build_server, serve_stdio
        from mcp_cxr.settings import require_absolute

        settings = read_settings()
    finally:
        gc.freeze()
        gc.enable()
    require_absolute("MCP_CXR_ROOTS", *settings.roots)  # hosts start the server in an arbitrary folder

    allows_demo_encoder = demo_encoder_is_allowed(context)

    @asynccontextmanager
    async def open_late() -> AsyncGenerator[Archive]:
        """Load heavy modules in a thread while the handshake is answered."""
        from anyio import to_thread

        open_archive = await to_thread.run_sync(_load)
        async with open_archive(settings, allow_demo_encoder=allows_demo_encoder) as archive:
            for folder in readable:
                archive.allow_reading(folder)
            yield archive

    access_log = (
        None
        if settings.access_log == "off"
        else AccessLog(settings.access_log_file, words=settings.access_log == "words")
    )
    share = (*settings.share, OWNER_SEES_PATHS) if for_owner else settings.share
    build = partial(build_server, open_late, share=share, access_log=access_log)
    if over_http:
        from mcp_cxr.server.http import HttpConfig, serve_http  # loaded late: hosts on stdin need no web server

        serve_http(HttpConfig(**how), token_file=settings.token_file, build=build, note=note)
    else:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # otherwise Ctrl-C waits for the thread that reads stdin
        try:
            anyio.run(serve_stdio, build())
        except* OSError as lost:  # what a tool raises does not get here
            message = f"Cannot write to stdout, or read stdin ({_first_of(lost).strerror}): the host has closed it."
            raise click.ClickException(message) from None


def _first_of(errors: BaseExceptionGroup[OSError]) -> OSError:
    first: OSError | BaseExceptionGroup[OSError] = errors
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first


def _is_given(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is ParameterSource.COMMANDLINE


def _load():  # noqa: ANN202 - the type of a function that is imported late
    import_module("mcp_cxr.language.query")  # first: as in `mcp_cxr.archive`
    import_module("mcp_cxr.search")  # else the first search would wait for it
    from mcp_cxr.archive import open_archive

    return open_archive
