"""An MLflow tracking server over its REST API, by nothing but Python's own HTTP client.

MLflow's client would bring 69 MB and three seconds to every start (docs/adr/0010).
https://mlflow.org/docs/latest/api_reference/rest-api.html
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import ssl
from collections.abc import Iterator, Mapping
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, OpenerDirector, Request, build_opener

from shipway.errors import AbsentError, Error, SettingError, TrackingError, UnreachableError
from shipway.stores.options import MlflowOptions

__all__ = ["TrackingServer"]

API = "/api/2.0/"
MAX_ANSWER = 16 * 1024 * 1024
ADDRESS = "Set MLFLOW_TRACKING_URI to the address of the server itself."
START = "Is it running, and is MLFLOW_TRACKING_URI its address? To try: curl {}/health"


class _NoRedirect(HTTPRedirectHandler):
    """A password must not follow to another host."""

    def redirect_request(self, *_: Any) -> None:
        return None


class TrackingServer:
    """Requests to one tracking server.

    Raises:
        shipway.errors.SettingError: there is no address, or no HTTP one.
    """

    def __init__(self, options: MlflowOptions) -> None:
        self.url = options.tracking_uri.rstrip("/")
        if urlsplit(self.url).scheme not in ("http", "https"):
            given = f"is {self.url}" if self.url else "is not set"
            raise SettingError(
                f"A model in a registry needs a tracking server, and MLFLOW_TRACKING_URI {given}",
                "Set it to the address of a server: MLFLOW_TRACKING_URI=http://localhost:5000",
            )
        self._timeout = options.timeout
        self._headers = _authorization(options)
        self._opener = _opener(options)

    def get(self, route: str, **query: str) -> dict[str, Any]:
        """The answer to a GET.

        Raises:
            shipway.errors.AbsentError: there is no such thing.
            shipway.errors.TrackingError: the server gives no answer that can be used.
        """
        return self._document(Request(f"{self.url}{API}{route}?{urlencode(query)}"))  # noqa: S310

    def post(self, route: str, **fields: str) -> dict[str, Any]:
        """The answer to a POST.

        Raises:
            shipway.errors.TrackingError: as ``get`` tells.
        """
        body = json.dumps(fields).encode()
        headers = {"Content-Type": "application/json"}
        return self._document(Request(f"{self.url}{API}{route}", body, headers))  # noqa: S310

    @contextlib.contextmanager
    def stream(self, route: str) -> Iterator[IO[bytes]]:
        """The bytes of a file; reading fewer than were announced is an error.

        Raises:
            shipway.errors.TrackingError: as ``get`` tells.
        """
        with self._translated(), self._open(Request(f"{self.url}{API}{route}")) as answer:  # noqa: S310
            yield answer

    def _document(self, request: Request) -> dict[str, Any]:
        with self._translated(), self._open(request) as answer:
            content = answer.read(MAX_ANSWER)
        try:
            document = json.loads(content)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise TrackingError(f"What answers at {self.url} is no MLflow tracking server", ADDRESS)
        return document

    def _open(self, request: Request) -> IO[bytes]:
        for name, value in self._headers.items():
            request.add_header(name, value)
        opened: IO[bytes] = self._opener.open(request, timeout=self._timeout)
        return opened

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except HTTPError as exc:
            with exc:
                raise self._refusal(exc) from exc
        except (OSError, http.client.HTTPException, ValueError) as exc:
            raise UnreachableError(
                f"The tracking server at {self.url} cannot be reached: {_reason(exc)}",
                START.format(self.url),
            ) from exc

    def _refusal(self, exc: HTTPError) -> Error:
        if exc.code in (401, 403):
            return TrackingError(
                f"The tracking server at {self.url} refuses access (HTTP {exc.code})",
                "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or "
                "MLFLOW_TRACKING_TOKEN, of a user who may do this.",
            )
        if exc.code in (408, 429) or exc.code >= 500:
            return UnreachableError(
                f"The tracking server at {self.url} is out of order (HTTP {exc.code})",
                "Look into its log.",
            )
        if message := _told(exc):
            return AbsentError(f"The tracking server at {self.url} says: {message}")
        return TrackingError(f"What answers at {self.url} is no MLflow tracking server", ADDRESS)


def _reason(exc: Exception) -> str:
    inner = exc.reason if isinstance(exc, URLError) else exc
    return getattr(inner, "strerror", None) or str(inner) or type(inner).__name__


def _told(exc: HTTPError) -> str:
    """What MLflow says; nothing when it was not MLflow that answered."""
    with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
        document = json.loads(exc.read(MAX_ANSWER))
        if isinstance(document, dict) and "error_code" in document:
            return str(document.get("message") or document["error_code"])
    return ""


def _authorization(options: MlflowOptions) -> Mapping[str, str]:
    if options.token:
        return {"Authorization": f"Bearer {options.token}"}
    if options.username:
        pair = f"{options.username}:{options.password}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
    return {}


def _opener(options: MlflowOptions) -> OpenerDirector:
    try:
        context = ssl.create_default_context(cafile=options.server_cert_path or None)
    except OSError as exc:
        raise SettingError(
            f"{options.server_cert_path} holds no certificates that can be read: {exc}",
            "Set MLFLOW_TRACKING_SERVER_CERT_PATH to a PEM file.",
        ) from exc
    return build_opener(HTTPSHandler(context=context), _NoRedirect)
