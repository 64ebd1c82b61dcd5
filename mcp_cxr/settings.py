"""Settings, read from the environment; no other module reads it."""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, cast, get_args

import platformdirs
from pydantic import BeforeValidator, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from mcp_cxr.errors import ConfigError
from mcp_cxr.loopback import is_loopback, is_remote_name
from mcp_cxr.pasted_text import pasted_path, strip_pasted


def _split(separator: str) -> BeforeValidator:
    """Return a validator that splits a variable into its parts and drops empty ones."""

    def split(value: object) -> object:
        if not isinstance(value, str):
            return value
        parts = (strip_pasted(part) for part in value.split(separator))
        return tuple(part for part in parts if part)

    return BeforeValidator(split)


def _data_dir() -> Path:
    return Path(platformdirs.user_data_dir("mcp-cxr", appauthor=False))


def _plain_path(value: object) -> object:
    """Return the path that a text means, which hosts pass on from their configuration files as it was pasted."""
    return pasted_path(value) if isinstance(value, str) else value


Place = Annotated[Path, BeforeValidator(_plain_path)]
Paths = Annotated[tuple[Place, ...], NoDecode, _split(os.pathsep)]
Names = Annotated[tuple[str, ...], NoDecode, _split(",")]
StoreKind = Literal["embedded", "iris"]
_SECRETS_AS_THEY_ARE = ("IRIS_PASSWORD", "MCP_CXR_PACS_PASSWORD")
"""Blanks and quotes may be part of these; only line ends are removed."""
_UNEXPANDED = re.compile(r"\$\w+|\$\{[^}]*\}|%\w+%")
"""A variable of a shell or of a host's configuration, as a part of a path."""
_OTHER_SEPARATOR = re.compile(r"[,;|]|..:|\s[/~]")
"""What may be meant to separate folders; the second character may be the colon of a Windows drive."""
_PROVIDER = re.compile(r"[A-Za-z]+ExecutionProvider")
_RENAMED = {"MCP_CXR_AUDIT": "MCP_CXR_ACCESS_LOG"}
Share = Literal["reports", "images", "dates"]
"""What MCP_CXR_SHARE can name."""
Shares = Annotated[tuple[Share, ...], NoDecode, _split(",")]


class Settings(BaseSettings):
    """Validated settings. A test keeps `docs/configuration.md` in step with them."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        frozen=True, extra="ignore", hide_input_in_errors=True, env_ignore_empty=True, case_sensitive=True
    )

    store: StoreKind = Field(
        "embedded",
        validation_alias="MCP_CXR_STORE",
        description="Where images and vectors are stored: in a file (embedded), or in InterSystems IRIS.",
    )
    data_dir: Place = Field(
        default_factory=_data_dir,
        validation_alias="MCP_CXR_DATA_DIR",
        description="Folder of the embedded store, id key, access log and token; by default the user data folder.",
    )
    embedder: Literal["nvclip", "local", "offline"] = Field(
        "nvclip",
        validation_alias="MCP_CXR_EMBEDDER",
        description="What turns images into vectors: an NV-CLIP service, an encoder of a model folder that runs in this"
        " process (`local`), or a pixel sketch (`offline`) for trials.",
    )
    model_dir: Place | None = Field(
        None,
        validation_alias="MCP_CXR_MODEL_DIR",
        description="Folder of the `local` encoder: ONNX graphs, tokenizer and configuration, see docs/models.md.",
    )
    providers: Names = Field(
        ("CPUExecutionProvider",),
        validation_alias="MCP_CXR_PROVIDERS",
        description="What `local` runs on: providers by onnxruntime's names, the preferred one first, separated by"
        " commas.",
    )
    roots: Paths = Field(
        (),
        validation_alias="MCP_CXR_ROOTS",
        description="Folders that `serve` may read and ingest, separated by the system's path separator.",
    )
    share: Shares = Field(
        (),
        validation_alias="MCP_CXR_SHARE",
        description="What a host's model may receive: any of `reports,images,dates`.",
    )
    ids: Literal["hash", "keep"] = Field(
        "hash",
        validation_alias="MCP_CXR_IDS",
        description="Ids outside MIMIC's layout: a keyed hash of the header's ids, or the header's ids unchanged.",
    )
    id_key_file: Place | None = Field(
        None,
        validation_alias="MCP_CXR_ID_KEY_FILE",
        description="File of the key that hashes ids; by default `id.key` in the data folder, created when needed."
        " With IRIS it must be set, and is never created.",
    )
    access_log: Literal["on", "off", "words"] = Field(
        "on",
        validation_alias="MCP_CXR_ACCESS_LOG",
        description="Log of the calls of tools, in the data folder; `words`: with queries and paths.",
    )
    allow_remote: Names = Field(
        (),
        validation_alias="MCP_CXR_ALLOW_REMOTE",
        description="Services on other machines that pixels and text may be sent to: exact `host:port` (https) or"
        " `http://host:port`, separated by commas.",
    )
    chat_model: str | None = Field(
        None,
        validation_alias="MCP_CXR_CHAT_MODEL",
        description="Language model of `mcp-cxr chat`; without one, the page only searches.",
    )
    chat_url: str = Field(
        "http://localhost:11434/v1",
        validation_alias="MCP_CXR_CHAT_URL",
        description="Base URL of the language model's service.",
    )
    chat_api: Literal["openai", "anthropic"] = Field(
        "openai",
        validation_alias="MCP_CXR_CHAT_API",
        description="API of that service: OpenAI's chat completions, or Anthropic's messages.",
    )
    chat_key: SecretStr | None = Field(
        None, validation_alias="MCP_CXR_CHAT_KEY", description="Key of that service, if it needs one."
    )
    nvclip_base_url: str = Field(
        "http://localhost:8002/v1", validation_alias="NVCLIP_BASE_URL", description="Base URL of the embedding service."
    )
    nvclip_model: str = Field(
        "nvidia/nvclip-vit-h-14", validation_alias="NVCLIP_MODEL", description="Model requested from the service."
    )
    nvclip_dialect: Literal["nim", "infinity", "vllm"] = Field(
        "nim", validation_alias="NVCLIP_DIALECT", description="API variant of the service."
    )
    nvclip_image_size: int = Field(
        224,
        ge=32,
        le=1024,
        validation_alias="NVCLIP_IMAGE_SIZE",
        description="Rows and columns of the images sent, as the model expects them.",
    )
    nvidia_api_key: SecretStr | None = Field(
        None, validation_alias="NVIDIA_API_KEY", description="Bearer token for the service, if it needs one."
    )
    iris_host: str = Field("localhost", validation_alias="IRIS_HOST", description="Host of the IRIS server.")
    iris_port: int = Field(1972, ge=1, le=65535, validation_alias="IRIS_PORT", description="Superserver port of IRIS.")
    iris_namespace: str = Field("USER", validation_alias="IRIS_NAMESPACE", description="Namespace of the table.")
    iris_username: str | None = Field(None, validation_alias="IRIS_USERNAME", description="User of IRIS.")
    iris_password: SecretStr | None = Field(
        None, validation_alias="IRIS_PASSWORD", description="Password of that user."
    )
    iris_table: str = Field(
        "VectorSearch.MIMICCXRImages",
        validation_alias="IRIS_TABLE",
        description="`Schema.Table` of the images; the names of the other tables are derived from it.",
    )
    iris_pool_size: int = Field(
        4,
        ge=1,
        le=64,
        validation_alias="IRIS_POOL_SIZE",
        description="Most connections at once, each a license unit; a Community Edition has few.",
    )
    iris_ssl_config: str | None = Field(
        None,
        validation_alias="IRIS_SSL_CONFIG",
        description="Section of the file named by `ISC_SSLconfigurations`; without it, no TLS.",
    )

    pacs_url: str | None = Field(
        None,
        validation_alias="MCP_CXR_PACS_URL",
        description="Base URL of the PACS's DICOMweb service, or `dicom://AE@host:port`, for `pull` and images whose"
        " file is not kept.",
    )
    pacs_user: str | None = Field(None, validation_alias="MCP_CXR_PACS_USER", description="User of the PACS.")
    pacs_password: SecretStr | None = Field(
        None, validation_alias="MCP_CXR_PACS_PASSWORD", description="Password of that user."
    )
    pacs_token: SecretStr | None = Field(
        None, validation_alias="MCP_CXR_PACS_TOKEN", description="Bearer token of the PACS, instead of a user."
    )
    pacs_ca_file: Place | None = Field(
        None,
        validation_alias="MCP_CXR_PACS_CA_FILE",
        description="Certificates (PEM) that are trusted for the PACS besides the system's.",
    )

    @model_validator(mode="before")
    @classmethod
    def _without_pasted_marks(cls, given: Any) -> Any:  # noqa: ANN401 - pydantic's signature
        """Strip what pasting adds to a value; a blank one counts as not set.

        Raises:
            ValueError: A value has a line end or another control character within.
        """
        if not isinstance(given, dict):
            return given
        values = cast("dict[str, Any]", given)
        stripped = {name: _stripped(name, value) for name, value in values.items()}
        return {name: value for name, value in stripped.items() if value != ""}

    @field_validator("allow_remote")
    @classmethod
    def _names_of_services(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        """Return the names as they are.

        Raises:
            ValueError: One could never be that of a service, such as a URL with a path.
        """
        if any(not is_remote_name(name) for name in names):
            raise ValueError(
                "each entry must be host:port or http://host:port, without a path; separate them with commas"
            )
        return names

    @field_validator("providers")
    @classmethod
    def _names_of_providers(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        """Return the names as they are.

        Raises:
            ValueError: One is not the name of a provider.
        """
        if any(not _PROVIDER.fullmatch(name) for name in names):
            raise ValueError("each entry must be the name of a provider, such as CUDAExecutionProvider")
        return names

    @property
    def key_file(self) -> Path | None:
        """File of the key that hashes ids; None if it must be set and is not."""
        if self.id_key_file or self.store == "iris":
            return self.id_key_file
        return self.data_dir / "id.key"

    @property
    def may_create_key(self) -> bool:
        """Whether a missing key may be created: not with IRIS, where several machines would each create another one."""
        return self.store == "embedded"

    @property
    def is_shared(self) -> dict[str, bool]:
        """Whether a host's model is given each part that MCP_CXR_SHARE can name."""
        return {name: name in self.share for name in get_args(Share)}

    @property
    def token_file(self) -> Path:
        """File of the token of `serve --http`."""
        return self.data_dir / "http.token"

    @property
    def encoder_cache_file(self) -> Path:
        """The cache of digests of model files, and of facts of encoders."""
        return self.data_dir / "encoders.json"

    @property
    def access_log_file(self) -> Path:
        """The log of the calls of tools."""
        return self.data_dir / "access.jsonl"

    @property
    def probes_file(self) -> Path:
        """What `probe fit` learned, and the scores of images."""
        return self.data_dir / "probes.npz"

    @property
    def spool_folder(self) -> Path:
        """Where `pull` keeps files, and what it knows of the studies of a PACS."""
        return self.data_dir / "pacs"

    @property
    def cohorts_folder(self) -> Path:
        """Where the manifests of cohorts are kept."""
        return self.data_dir / "cohorts"

    @property
    def non_image_cache_file(self) -> Path:
        """Where `ingest` remembers which files are no images."""
        return self.data_dir / "not-images.cache"


def variables() -> dict[str, str]:
    """Return the description of every variable, in the order of the documentation."""
    return {str(field.validation_alias): field.description or "" for field in Settings.model_fields.values()}


def load_settings() -> Settings:
    """Return the settings read from the environment.

    Raises:
        ConfigError: A value is wrong, or a variable `MCP_CXR_...` is unknown.
    """
    known = list(variables())
    for name in sorted(os.environ):
        if strip_pasted(name).upper().startswith("MCP_CXR_") and name not in known:
            nearest = _RENAMED.get(name) or difflib.get_close_matches(name.upper(), known, n=1, cutoff=0)[0]
            raise ConfigError(f"Unknown variable {_shown_name(name)}; did you mean {nearest}?")
    try:
        settings = Settings()  # pyright: ignore[reportCallIssue]  # each field has a default; it sees the aliases only
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False, include_context=False)[0]
        message = first["msg"].removeprefix("Value error, ")
        name = f"{first['loc'][0]}: " if first["loc"] else ""
        expected = message.removeprefix("Input should be ").partition(", unable")[0].replace("'", "")
        if first["loc"] and first["loc"][0] == "MCP_CXR_SHARE":
            expected = "any of reports, images and dates, such as reports,images"
        if message.startswith("Input"):
            raise ConfigError(f"{first['loc'][0]} must be {expected}.") from None
        raise ConfigError(f"{name}{message}.") from None
    if settings.embedder == "local" and settings.model_dir is None:
        raise ConfigError("MCP_CXR_EMBEDDER=local needs MCP_CXR_MODEL_DIR, the folder of the model (docs/models.md).")
    require_absolute("MCP_CXR_DATA_DIR", settings.data_dir)
    if settings.data_dir.is_file():
        raise ConfigError(f"MCP_CXR_DATA_DIR is {settings.data_dir}, a file; name a folder that you can write to.")
    require_absolute("MCP_CXR_MODEL_DIR", *([settings.model_dir] if settings.model_dir else []))
    require_absolute("MCP_CXR_ID_KEY_FILE", *([settings.id_key_file] if settings.id_key_file else []))
    return settings


def require_absolute(name: str, *paths: Path) -> None:
    """Refuse paths that mean another place in each folder a program starts in, or that hold a variable as text.

    Raises:
        ConfigError: One is relative, or has a part such as `$HOME`.
    """
    for path in paths:
        if any(_UNEXPANDED.fullmatch(part) for part in path.parts):
            raise ConfigError(f"{name} is {path}: variables in it are not expanded; write the whole path, or use ~.")
        if not path.is_absolute():
            raise ConfigError(f"{name} contains the relative path {path}; write an absolute path.")


def _stripped(name: str, value: object) -> object:
    if isinstance(value, SecretStr):
        return SecretStr(str(_stripped(name, value.get_secret_value())))
    if not isinstance(value, str):
        return value
    value = value.strip("\r\n") if name in _SECRETS_AS_THEY_ARE else strip_pasted(value)
    if any(ord(char) < ord(" ") for char in value):
        raise ValueError(f"{name} contains a line end, a tab or another control character; set it again on one line")
    return value


def warnings(settings: Settings) -> list[str]:
    """Return warnings about settings that are valid but probably mistakes."""
    return [
        *_near_misses(),
        *_unencrypted_connection(settings),
        *_missing_roots(settings),
        *_password_with_marks(settings),
    ]


def _missing_roots(settings: Settings) -> list[str]:
    """Warn about roots that are no folders: perhaps several folders in one, or a file."""
    if not all(root.is_absolute() for root in settings.roots):  # `serve` refuses them, `doctor` reports them
        return []
    missing = [root for root in settings.roots if not os.path.isdir(root)]  # noqa: PTH112  # Path.is_dir raises if the folder cannot be reached
    hint = f" Separate folders with {os.pathsep!r}."
    return [
        f"MCP_CXR_ROOTS: there is no folder {root}.{hint if _OTHER_SEPARATOR.search(str(root)) else ''}"
        for root in missing
    ]


def _password_with_marks(settings: Settings) -> list[str]:
    password = settings.iris_password.get_secret_value() if settings.iris_password else ""
    if password == strip_pasted(password):
        return []
    return ["IRIS_PASSWORD begins or ends with a blank or a quote; remove it unless the password has it."]


def _unencrypted_connection(settings: Settings) -> list[str]:
    """Warn about a server on another machine that is used without TLS."""
    if settings.store != "iris" or settings.iris_ssl_config or is_loopback(settings.iris_host):
        return []
    return [
        (
            f"IRIS_HOST is {settings.iris_host}, another machine, but IRIS_SSL_CONFIG is not set: the network"
            " can read the password, reports and vectors. Set up TLS as docs/iris.md says."
        )
    ]


def _near_misses() -> list[str]:
    """Return a warning for each misspelled variable whose prefix other programs use too."""
    known = list(variables())
    close = {
        name: difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.8)
        for name in sorted(os.environ)
        if strip_pasted(name).upper().startswith(("NVCLIP_", "IRIS_", "NVIDIA_API_")) and name not in known
    }
    return [
        f"{_shown_name(name)} is not a variable of mcp-cxr; did you mean {match[0]}?"
        for name, match in close.items()
        if match
    ]


def _shown_name(name: str) -> str:
    """Return a variable's name for a message, with quotes if a blank around it would not be seen."""
    return name if name == strip_pasted(name) else repr(name)
