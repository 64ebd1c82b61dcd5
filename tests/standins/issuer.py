"""An OAuth authorization server on loopback, as a resource server sees it: its metadata, keys and tokens."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

if TYPE_CHECKING:
    from typing import Self

OPENID, RFC8414 = "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"


class Issuer:
    """Publishes at `metadata_path`; its pages can be changed while it runs, and it answers only while `answers` is set.

    Args:
        metadata_path: `OPENID` or `RFC8414`.
    """

    def __init__(self, *, metadata_path: str = RFC8414) -> None:
        self.keys = {"first": new_key()}
        self.requests: list[str] = []
        self.answers = threading.Event()
        self.answers.set()
        self.delay_s = 0.0
        self.pages: dict[str, Any] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.pages[metadata_path] = {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.answers.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def token(self, *, key: str = "first", algorithm: str = "ES256", **claims: Any) -> str:
        """Sign a token for `aud`; None leaves a claim out."""
        now = int(time.time())
        whole = {"iss": self.url, "sub": "user-1", "client_id": "host", "iat": now, "exp": now + 300, **claims}
        present = {name: value for name, value in whole.items() if value is not None}
        return jwt.encode(present, self.keys[key], algorithm, headers={"kid": key})

    def page(self, path: str) -> Any:
        """Return the JSON published at a path; None if there is none."""
        self.requests.append(path)
        if path != "/keys" or path in self.pages:
            return self.pages.get(path)
        made = (json.loads(ECAlgorithm.to_jwk(key.public_key())) | {"kid": name} for name, key in self.keys.items())
        return {"keys": list(made)}


def new_key() -> ec.EllipticCurvePrivateKey:
    """Return a new signing key."""
    return ec.generate_private_key(ec.SECP256R1())


def _handler(issuer: Issuer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = issuer.page(self.path)
            issuer.answers.wait()
            threading.Event().wait(issuer.delay_s)
            body = page if isinstance(page, bytes) else json.dumps(page).encode()
            self.send_response(404 if page is None else 302 if self.path == "/moved" else 200)
            self.send_header("Location", "/keys")
            self.send_header("Content-Length", str(len(body)))
            with contextlib.suppress(OSError):  # the client did not wait
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name  # pytest's output is not for it
            pass

    return Handler
