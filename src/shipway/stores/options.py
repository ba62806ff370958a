"""What can be set about the places where things are kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from msgspec import Meta

__all__ = ["MlflowOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MlflowOptions:
    """The MLflow tracking server behind models:/NAME@ALIAS, and what is kept of it here."""

    tracking_uri: str = ""
    """Address of the tracking server, http:// or https://."""
    username: str = ""
    """For a server that asks for a user."""
    password: str = field(default="", repr=False)
    """For that user; better in the environment than in a file."""
    token: str = field(default="", repr=False)
    """A bearer token, in place of user and password."""
    server_cert_path: str = ""
    """A file of certificates to trust, for a server with one of its own."""
    timeout: Annotated[float, Meta(gt=0, le=3600)] = 10.0
    """Seconds without a byte from the server until it counts as unreachable."""
    interval: Annotated[float, Meta(ge=0.1, le=86400)] = 5.0
    """Seconds between two looks at where the alias points."""
    folder: str = ".shipway/models"
    """What is downloaded is kept here; it serves the next start when the server is away."""
    record: bool = True
    """Whether each start and swap is written to the model version, as a tag."""
