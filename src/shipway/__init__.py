"""A trained model file becomes a hardened, observable, fast container service in one command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shipway.errors import Error
from shipway.version import __version__

if TYPE_CHECKING:
    from shipway.cli.asgi import create_app

__all__ = ["Error", "__version__", "create_app"]


def __getattr__(name: str) -> Any:
    # FastAPI takes a third of a second to import: only who asks for the app pays for it.
    if name == "create_app":
        from shipway.cli.asgi import create_app

        return create_app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
