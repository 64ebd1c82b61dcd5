"""The only reader of the environment."""

from __future__ import annotations

import difflib
import ipaddress
import os
from pathlib import Path
from typing import Annotated, Literal

import platformdirs
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from mcp_cxr.errors import ConfigError


def _split(separator: str) -> BeforeValidator:
    """Split one variable into its parts; blanks fall away."""

    def split(value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(part.strip() for part in value.split(separator) if part.strip())

    return BeforeValidator(split)


def _data_dir() -> Path:
    return Path(platformdirs.user_data_dir("mcp-cxr", appauthor=False))


def _at_home(path: Path) -> Path:
    """Expand `~`: a host's configuration file passes it on as it stands."""
    try:
        return path.expanduser()
    except RuntimeError as exc:
        raise ValueError("names the home of nobody") from exc


Place = Annotated[Path, AfterValidator(_at_home)]
Paths = Annotated[tuple[Place, ...], NoDecode, _split(os.pathsep)]
Names = Annotated[tuple[str, ...], NoDecode, _split(",")]
StoreKind = Literal["embedded", "iris"]
_RENAMED = {"MCP_CXR_AUDIT": "MCP_CXR_ACCESS_LOG"}
Shares = Annotated[tuple[Literal["reports", "images"], ...], NoDecode, _split(",")]


class Settings(BaseSettings):
    """What the environment says, checked. `docs/configuration.md` is kept in step with it by a test."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", hide_input_in_errors=True, env_ignore_empty=True, case_sensitive=True
    )

    store: StoreKind = Field(
        "embedded",
        validation_alias="MCP_CXR_STORE",
        description="Where images and vectors rest: in a file, or in InterSystems IRIS.",
    )
    data_dir: Place = Field(
        default_factory=_data_dir,
        validation_alias="MCP_CXR_DATA_DIR",
        description="Folder of the embedded store, key, log and token; by default the platform's user data folder.",
    )
    embedder: Literal["nvclip", "offline"] = Field(
        "nvclip",
        validation_alias="MCP_CXR_EMBEDDER",
        description="What turns pixels into vectors: an NV-CLIP service, or a pixel sketch that needs none.",
    )
    roots: Paths = Field(
        (),
        validation_alias="MCP_CXR_ROOTS",
        description="Folders that `serve` may read and ingest, separated by the system's path separator.",
    )
    share: Shares = Field(
        (),
        validation_alias="MCP_CXR_SHARE",
        description="What a host's model may be given: any of `reports,images`.",
    )
    ids: Literal["hash", "keep"] = Field(
        "hash",
        validation_alias="MCP_CXR_IDS",
        description="Ids outside MIMIC's layout: a keyed hash of the header's, or the header's own.",
    )
    id_key_file: Place | None = Field(
        None,
        validation_alias="MCP_CXR_ID_KEY_FILE",
        description="Key of the hashed ids; by default `id.key` in the data folder, made when first needed. With IRIS"
        " it must be given, and is never made.",
    )
    access_log: Literal["on", "off", "words"] = Field(
        "on",
        validation_alias="MCP_CXR_ACCESS_LOG",
        description="Log of the calls of tools, in the data folder; `words`: with queries and paths.",
    )
    allow_remote: Names = Field(
        (),
        validation_alias="MCP_CXR_ALLOW_REMOTE",
        description="Exact `host:port` (https) or `http://host:port` beyond loopback that pixels and text may go to.",
    )
    chat_model: str | None = Field(
        None,
        validation_alias="MCP_CXR_CHAT_MODEL",
        description="Model that `mcp-cxr chat` talks with; none: it searches without one.",
    )
    chat_url: str = Field(
        "http://localhost:11434/v1",
        validation_alias="MCP_CXR_CHAT_URL",
        description="Where that model is: the base URL of its service.",
    )
    chat_api: Literal["openai", "anthropic"] = Field(
        "openai",
        validation_alias="MCP_CXR_CHAT_API",
        description="How its service wants to be asked: OpenAI's chat completions, or Anthropic's messages.",
    )
    chat_key: SecretStr | None = Field(
        None, validation_alias="MCP_CXR_CHAT_KEY", description="Key of that service, where it wants one."
    )
    nvclip_base_url: str = Field(
        "http://localhost:8002/v1", validation_alias="NVCLIP_BASE_URL", description="Where the embedding service is."
    )
    nvclip_model: str = Field(
        "nvidia/nvclip-vit-h-14", validation_alias="NVCLIP_MODEL", description="Model asked of the service."
    )
    nvclip_dialect: Literal["nim", "infinity", "vllm"] = Field(
        "nim", validation_alias="NVCLIP_DIALECT", description="How the service wants to be asked."
    )
    nvclip_image_size: int = Field(
        224,
        ge=32,
        le=1024,
        validation_alias="NVCLIP_IMAGE_SIZE",
        description="Rows and columns of the picture sent; the model's own.",
    )
    nvidia_api_key: SecretStr | None = Field(
        None, validation_alias="NVIDIA_API_KEY", description="Sent as bearer token where the service wants one."
    )
    iris_host: str = Field("localhost", validation_alias="IRIS_HOST", description="Where the IRIS server is.")
    iris_port: int = Field(1972, ge=1, le=65535, validation_alias="IRIS_PORT", description="Its superserver port.")
    iris_namespace: str = Field("USER", validation_alias="IRIS_NAMESPACE", description="Namespace of the table.")
    iris_username: str | None = Field(None, validation_alias="IRIS_USERNAME", description="Who logs in.")
    iris_password: SecretStr | None = Field(None, validation_alias="IRIS_PASSWORD", description="Their password.")
    iris_table: str = Field(
        "VectorSearch.MIMICCXRImages",
        validation_alias="IRIS_TABLE",
        description="`Schema.Table` of the images; the side tables are named after it.",
    )
    iris_pool_size: int = Field(
        4,
        ge=1,
        le=64,
        validation_alias="IRIS_POOL_SIZE",
        description="Connections at most, each a licence unit; a Community edition has few.",
    )
    iris_ssl_config: str | None = Field(
        None,
        validation_alias="IRIS_SSL_CONFIG",
        description="Section of the file that `ISC_SSLconfigurations` names; none: no TLS.",
    )

    @property
    def key_file(self) -> Path | None:
        """Where the key of hashed ids is; None where it must be given and is not."""
        if self.id_key_file or self.store == "iris":
            return self.id_key_file
        return self.data_dir / "id.key"

    @property
    def may_make_key(self) -> bool:
        """Whether a missing key may be made: not for a table that several machines write, each with its own."""
        return self.store == "embedded"

    @property
    def token_file(self) -> Path:
        """Where the token of `serve --http` is."""
        return self.data_dir / "http.token"

    @property
    def access_log_file(self) -> Path:
        """The log of the calls of tools."""
        return self.data_dir / "access.jsonl"


def variables() -> dict[str, str]:
    """Return every variable with its description, in the order of the documentation."""
    return {str(field.validation_alias): field.description or "" for field in Settings.model_fields.values()}


def load_settings() -> Settings:
    """Read the environment.

    Raises:
        ConfigError: A value is wrong, or a variable `MCP_CXR_...` is unknown.
    """
    known = list(variables())
    for name in sorted(os.environ):
        if name.startswith("MCP_CXR_") and name not in known:
            nearest = _RENAMED.get(name) or difflib.get_close_matches(name, known, n=1, cutoff=0)[0]
            raise ConfigError(f"Unknown variable {name}; did you mean {nearest}?")
    try:
        return Settings()  # pyright: ignore[reportCallIssue]  # each field has a default; it sees the aliases only
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False, include_context=False)[0]
        raise ConfigError(f"{first['loc'][0]}: {first['msg'].lower()}") from None


def warnings(settings: Settings) -> list[str]:
    """Return what is not wrong, but likely not meant."""
    return [*_near_misses(), *_open_connection(settings)]


def _open_connection(settings: Settings) -> list[str]:
    """Warn of a server beyond this machine that is reached without TLS."""
    if settings.store != "iris" or settings.iris_ssl_config or _is_loopback(settings.iris_host):
        return []
    warning = (
        f"IRIS_HOST is {settings.iris_host}, beyond this machine, and IRIS_SSL_CONFIG is not set: whoever is on the way"
        " can read the password, reports and vectors (docs/iris.md says how to set up TLS)."
    )
    return [warning]


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:  # a name
        return host.lower() == "localhost"


def _near_misses() -> list[str]:
    """Return a warning for each variable that looks like a misspelt one of other programs' families."""
    known = list(variables())
    close = {
        name: difflib.get_close_matches(name, known, n=1, cutoff=0.8)
        for name in sorted(os.environ)
        if name.startswith(("NVCLIP_", "IRIS_")) and name not in known
    }
    return [f"{name} is not a variable of mcp-cxr; did you mean {match[0]}?" for name, match in close.items() if match]
