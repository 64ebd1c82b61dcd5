"""Settings read from the environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mcp_cxr.errors import ConfigError
from mcp_cxr.settings import load_settings, warnings


def test_lists_are_split_and_empty_parts_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_CXR_ROOTS", os.pathsep.join(["/a", "", "/b c"]))
    monkeypatch.setenv("MCP_CXR_SHARE", "reports, images,")
    settings = load_settings()
    assert settings.roots == (Path("/a"), Path("/b c"))
    assert settings.share == ("reports", "images")


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_CXR_EMBEDDER", "")
    assert load_settings().embedder == "nvclip"


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("MCP_CXR_SHRE", "reports", "Unknown variable MCP_CXR_SHRE; did you mean MCP_CXR_SHARE?"),
        ("MCP_CXR_AUDIT", "off", "Unknown variable MCP_CXR_AUDIT; did you mean MCP_CXR_ACCESS_LOG?"),
        (
            "MCP_CXR_SHARE",
            "everything",
            "MCP_CXR_SHARE must be any of reports, images and dates, such as reports,images.",
        ),
        ("MCP_CXR_EMBEDDER", "clip", "MCP_CXR_EMBEDDER must be nvclip, local or offline"),
        ("IRIS_PORT", "70000", "IRIS_PORT must be less than or equal to 65535"),
        ("NVCLIP_IMAGE_SIZE", "big", "NVCLIP_IMAGE_SIZE must be a valid integer"),
    ],
)
def test_an_invalid_value_is_an_error_of_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, line: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as caught:
        load_settings()
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_secrets_are_not_in_the_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NVIDIA_API_KEY", "IRIS_PASSWORD"):
        monkeypatch.setenv(name, "not-to-be-seen")
    assert "not-to-be-seen" not in repr(load_settings())


def test_a_misspelled_variable_with_a_shared_prefix_only_brings_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NVCLIP_BASE_UR", "http://localhost:1/v1")
    monkeypatch.setenv("IRIS_SOMETHING_ELSE", "1")
    monkeypatch.setenv("IRIS_HOSTS", "db")
    assert warnings(load_settings()) == [
        "IRIS_HOSTS is not a variable of mcp-cxr; did you mean IRIS_HOST?",
        "NVCLIP_BASE_UR is not a variable of mcp-cxr; did you mean NVCLIP_BASE_URL?",
    ]


@pytest.mark.parametrize(
    ("host", "warned"),
    [("db.example.org", True), ("10.1.2.3", True), ("localhost", False), ("127.0.0.1", False), ("::1", False)],
)
def test_a_remote_iris_without_tls_brings_a_warning(monkeypatch: pytest.MonkeyPatch, host: str, warned: bool) -> None:
    monkeypatch.setenv("IRIS_HOST", host)
    assert warnings(load_settings()) == []
    monkeypatch.setenv("MCP_CXR_STORE", "iris")
    found = warnings(load_settings())
    assert (len(found) == 1 and host in found[0] and "IRIS_SSL_CONFIG" in found[0]) is warned
    monkeypatch.setenv("IRIS_SSL_CONFIG", "IRIS")
    assert warnings(load_settings()) == []


def test_a_tilde_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setenv("MCP_CXR_DATA_DIR", "~/cxr")
    monkeypatch.setenv("MCP_CXR_ROOTS", os.pathsep.join(["~/images", "/images"]))
    settings = load_settings()
    assert settings.key_file == Path("/home/ada/cxr/id.key")
    assert settings.roots == (Path("/home/ada/images"), Path("/images"))
    monkeypatch.setenv("MCP_CXR_ID_KEY_FILE", "~nobody-of-this-name/id.key")
    with pytest.raises(ConfigError, match="MCP_CXR_ID_KEY_FILE"):
        load_settings()


class TestValuesAsTheyArePasted:
    @pytest.mark.parametrize(
        ("name", "pasted", "meant"),
        [
            ("NVCLIP_BASE_URL", " http://localhost:9/v1\r\n", "http://localhost:9/v1"),
            ("MCP_CXR_EMBEDDER", "offline ", "offline"),
            ("MCP_CXR_EMBEDDER", "\ufeff\u201coffline\u201d", "offline"),
            ("MCP_CXR_STORE", "\u00a0iris\u200b", "iris"),
            ("IRIS_PORT", "' 1973 '", 1973),
            ("MCP_CXR_DATA_DIR", '"/data/a b"\n', Path("/data/a b")),
            ("MCP_CXR_DATA_DIR", "file:///data/a%20b", Path("/data/a b")),
            ("MCP_CXR_ROOTS", "\"/a\": '/b' ", (Path("/a"), Path("/b"))),
            ("MCP_CXR_SHARE", '"reports, images"', ("reports", "images")),
            ("MCP_CXR_STORE", " \n", "embedded"),
        ],
    )
    def test_blanks_quotes_and_line_ends_around_a_value_are_stripped(
        self, monkeypatch: pytest.MonkeyPatch, name: str, pasted: str, meant: object
    ) -> None:
        monkeypatch.setenv(name, pasted)
        assert getattr(load_settings(), name.removeprefix("MCP_CXR_").lower()) == meant

    def test_a_key_is_stripped_and_a_password_keeps_what_may_belong_to_it(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("NVIDIA_API_KEY", " 'nvapi-1' \n")
        monkeypatch.setenv("IRIS_PASSWORD", ' a"\n')
        settings = load_settings()
        assert settings.nvidia_api_key
        assert settings.nvidia_api_key.get_secret_value() == "nvapi-1"
        assert settings.iris_password
        assert settings.iris_password.get_secret_value() == ' a"'
        assert warnings(settings) == [
            "IRIS_PASSWORD begins or ends with a blank or a quote; remove it unless the password has it."
        ]

    @pytest.mark.parametrize("name", ["MCP_CXR_DATA_DIR", "IRIS_PASSWORD", "NVIDIA_API_KEY", "NVCLIP_MODEL"])
    def test_a_line_end_within_a_value_is_refused_by_name(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        monkeypatch.setenv(name, "/not-to\nbe-seen")
        with pytest.raises(ConfigError, match=f"^{name} contains a line end") as caught:
            load_settings()
        assert "be-seen" not in str(caught.value)

    def test_a_file_is_refused_as_data_folder(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        file = tmp_path / "data"
        file.write_text("")
        monkeypatch.setenv("MCP_CXR_DATA_DIR", str(file))
        with pytest.raises(ConfigError, match=f"^MCP_CXR_DATA_DIR is {file}, a file; name a folder"):
            load_settings()

    @pytest.mark.parametrize("name", ["MCP_CXR_DATA_DIR", "MCP_CXR_ID_KEY_FILE"])
    @pytest.mark.parametrize(
        ("value", "line"),
        [
            ("$HOME/arch", "variables in it are not expanded"),
            ("/data/${USER}/arch", "variables in it are not expanded"),
            ("${user_config.data_dir}", "variables in it are not expanded"),
            ("%USERPROFILE%/arch", "variables in it are not expanded"),
            ("arch", "contains the relative path arch; write an absolute path"),
            ("./arch", "contains the relative path arch; write an absolute path"),
        ],
    )
    def test_a_place_that_is_not_absolute_is_refused(
        self, monkeypatch: pytest.MonkeyPatch, name: str, value: str, line: str
    ) -> None:
        monkeypatch.setenv(name, value)
        with pytest.raises(ConfigError, match=name) as caught:
            load_settings()
        assert line in str(caught.value)

    @pytest.mark.parametrize("name", ["MCP_CXR_STORE ", "mcp_cxr_store", " MCP_CXR_STORE", "Mcp_Cxr_Store\ufeff"])
    def test_a_name_with_blanks_or_in_another_case_is_refused(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        monkeypatch.setenv(name, "iris")
        with pytest.raises(ConfigError, match=r"did you mean MCP_CXR_STORE\?"):
            load_settings()

    @pytest.mark.parametrize(
        ("value", "said"),
        [
            ("/no/a,/no/b", ["there is no folder /no/a,/no/b. Separate folders with ':'."]),
            ("/no/a;/no/b", ["there is no folder /no/a;/no/b. Separate folders with ':'."]),
            ("/no/a /no/b", ["there is no folder /no/a /no/b. Separate folders with ':'."]),
            ("/no/a:/:/no/b", ["there is no folder /no/a.", "there is no folder /no/b."]),
            ("/", []),
        ],
    )
    def test_a_root_that_is_no_folder_brings_a_warning(
        self, monkeypatch: pytest.MonkeyPatch, value: str, said: list[str]
    ) -> None:
        monkeypatch.setenv("MCP_CXR_ROOTS", value)
        assert warnings(load_settings()) == [f"MCP_CXR_ROOTS: {line}" for line in said]


@pytest.mark.parametrize(
    "value",
    ["foo bar", "gpu.example.org", "https://gpu.example.org:8000", "http://gpu.example.org:8000/v1", "a:b", "a:1,b"],
)
def test_a_remote_name_of_another_form_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("MCP_CXR_ALLOW_REMOTE", value)
    with pytest.raises(ConfigError, match="MCP_CXR_ALLOW_REMOTE: each entry must be host:port or http://host:port"):
        load_settings()


@pytest.mark.parametrize("value", ["gpu.example.org:443", "http://gpu:8000", "http://gpu:8000/, [::2]:443", "GPU:1"])
def test_remote_names_are_kept_as_written(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("MCP_CXR_ALLOW_REMOTE", value)
    assert load_settings().allow_remote == tuple(value.split(", "))
