"""mcp-cxr chat."""

from __future__ import annotations

from pathlib import Path

import click

from mcp_cxr.cli._common import confirmed, note, read_settings
from mcp_cxr.errors import ConfigError

_FOLDER = click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path)


@click.command()
@click.argument("folders", nargs=-1, metavar="[FOLDER]...", type=_FOLDER)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8501,
    show_default=True,
    help="Port to listen on; 0 chooses a free one.",
)
@click.option("--headless", is_flag=True, help="Print the link without opening a browser.")
@click.option("--private", "is_private", is_flag=True, help="Keep no searches in the browser's history and storage.")
def chat(folders: tuple[Path, ...], *, port: int, headless: bool, is_private: bool) -> None:
    """Search, view images and ask a language model in the browser.

    Only the link that is printed opens the page. FOLDER: images below it may be read and added to the archive.
    """
    try:
        from mcp_cxr.chat import broad_folder_warning, serve_page  # Streamlit is not loaded for other commands
    except ModuleNotFoundError as exc:
        if (exc.name or "").partition(".")[0] != "streamlit":
            raise
        raise ConfigError("`mcp-cxr chat` needs the extra `chat`: pip install 'mcp-cxr[chat]'.") from None
    settings = read_settings()
    for folder in folders:
        warning = broad_folder_warning(folder, data_dir=settings.data_dir)
        if warning:
            note(f"Warning: {warning} Images below it could be read and added.")
            if not confirmed("Allow it?"):
                raise ConfigError("Stopped. Name a folder that holds nothing but images.")
    serve_page(settings, folders, port=port, opens_browser=not headless, note=note, is_private=is_private)
