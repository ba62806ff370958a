"""``create_app``: the entry of a project that another program (uvicorn) starts.

Under ``uvicorn src.serve:app`` there is no command line of ours, so this is where an Error
becomes a message and an exit code.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from shipway.cli import talk
from shipway.cli.exits import exit_code
from shipway.errors import Error

if TYPE_CHECKING:
    from shipway.model.spec import ModelSpec

__all__ = ["create_app"]

logger = logging.getLogger(__name__)

STARTUP_FAILURE = 3
"""What uvicorn's supervisor takes for a start that would fail again (uvicorn.config)."""


def create_app(
    *, before: Callable[..., Any] | None = None, after: Callable[..., Any] | None = None
) -> Any:
    """The model API of the project in the current folder, as an ASGI application (FastAPI).

    It reads shipway.toml and the environment, loads the model at MODEL_PATH in the background and
    follows that file. ``before`` turns a request body of your own type into features, ``after``
    turns a ``shipway.serving.hooks.Prediction`` into an answer of your own type; their type hints
    become the OpenAPI schema.

    A wrong setting, or a first model that cannot be loaded, ends the process with a message on
    stderr and an exit code of ``shipway.cli.exits``: a server without a model helps nobody.
    """
    try:
        from shipway.serving.hooks import Hooks
        from shipway.settings import read_settings
        from shipway.wiring import application

        hooks = Hooks(before=before, after=after)
        return application(read_settings(), hooks=hooks, failed=_give_up, ready=_ready)
    except Error as error:
        talk.problem(error)
        sys.exit(exit_code(error))


def _ready(spec: ModelSpec) -> None:
    logger.info(
        "The model answers: %s, %d features",
        spec.framework,
        len(spec.signature.features),
        extra={"digest": spec.digest},
    )


def _give_up(error: Error) -> None:
    talk.problem(error)
    sys.stderr.flush()
    # Called from a thread while the server of another program owns the main one: no exception
    # would get there, and nothing is in flight yet.
    code = exit_code(error)
    if multiprocessing.parent_process() is not None:
        # One of uvicorn's workers: only this code keeps its parent from starting us for ever.
        code = STARTUP_FAILURE
    os._exit(code)
