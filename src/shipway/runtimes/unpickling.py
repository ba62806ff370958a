"""Loading pickle and joblib files with an unpickler that resolves allowed names only.

The file was scanned before (``model.scan``); this is the second line of defence, for whatever
the scan did not foresee. joblib's own reader is not used: until joblib 1.6 it loaded arrays of
objects with an unrestricted ``pickle.load``.
"""

from __future__ import annotations

import importlib
import io
import logging
import math
import pickle
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np

from shipway.errors import CorruptModelError, Error, UnsafeModelError, UnsupportedModelError
from shipway.model import containers
from shipway.model.allowlist import NUMPY_ALIAS, canonical, permitted
from shipway.model.formats import holds_joblib_arrays
from shipway.model.scan import refusal, scan
from shipway.model.spec import Artifact, TrustPolicy
from shipway.runtimes.packages import require

__all__ = ["load_pickle"]

_LOG = logging.getLogger(__name__)
_WRAPPER = ("joblib.numpy_pickle", "NumpyArrayWrapper")


def load_pickle(artifact: Artifact, policy: TrustPolicy) -> object:
    """The object in a pickle or joblib file, also in a compressed one.

    An artifact whose digest the policy trusts is loaded without restriction. Warnings that the
    libraries give while loading (another version, deprecated names) are logged, not raised.

    Raises:
        shipway.errors.UnsafeModelError: loading it would use what nobody allowed.
        shipway.errors.CorruptModelError: it is broken, or its classes refuse its state.
        shipway.errors.MissingPackageError: a library that it needs is not installed.
        shipway.errors.UnsupportedModelError: the installed library does not have what it needs.
    """
    trusted = artifact.digest in policy.digests
    if not trusted:
        report = scan(artifact, policy)
        if not report.safe:
            raise refusal(artifact, report)
    data = containers.decompress(artifact.data)
    resolver = _Resolver(None if trusted else policy)
    with _mapped(artifact.name), _quiet():
        if holds_joblib_arrays(data):
            return _JoblibUnpickler(io.BytesIO(data), resolver).load()
        return _Unpickler(io.BytesIO(data), resolver).load()


class _Resolver:
    """The one place where a name of a pickle becomes an object; ``policy`` None: any name."""

    def __init__(self, policy: TrustPolicy | None) -> None:
        self._policy = policy

    def __call__(self, module: str, name: str) -> Any:
        module, name = canonical(module, name)
        listed = self._policy is None or permitted(module, name, self._policy)
        if not listed or (module, name) == _WRAPPER:
            raise UnsafeModelError(
                f"The pickle asks for {module}.{name}, which is not on the allow-list.",
                "Do not load it unless you know who made it and how.",
                findings=[f"{module}.{name}"],
            )
        found = _import(module)
        try:
            for part in name.split("."):
                found = getattr(found, part)
        except AttributeError as exc:
            raise _moved(module, name) from exc
        return found


def _import(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as exc:
        new, old = NUMPY_ALIAS[1], NUMPY_ALIAS[0]
        if module.startswith(new) and find_spec("numpy._core") is None:
            return importlib.import_module(old + module.removeprefix(new))
        top = module.partition(".")[0]
        if top != "__main__" and (_missing(top) or _lacks_another(exc, top)):
            require(module, "The model")
        raise _moved(module, "") from exc


def _lacks_another(exc: ImportError, top: str) -> bool:
    """Whether the import failed because of a package that the named one wants."""
    return isinstance(exc, ModuleNotFoundError) and (exc.name or top).partition(".")[0] != top


def _missing(top: str) -> bool:
    try:
        return find_spec(top) is None
    except (ImportError, ValueError):
        return True


def _moved(module: str, name: str) -> UnsupportedModelError:
    full = f"{module}.{name}" if name else module
    if module == "__main__":
        return UnsupportedModelError(
            f"The model needs {full}, which was defined in the script that trained it.",
            "Move it into a module of its own, train again, and install that module here.",
        )
    return UnsupportedModelError(
        f"The model needs {full}, which the installed version does not have.",
        "Install the version that it was saved with; `shipway check` tells it.",
    )


class _Unpickler(pickle.Unpickler):
    """The C unpickler with our resolver; persistent ids and extensions end in an error."""

    def __init__(self, file: io.BytesIO, resolver: _Resolver) -> None:
        super().__init__(file)
        self._resolver = resolver

    def find_class(self, module: str, name: str, /) -> Any:
        return self._resolver(module, name)


class _ArrayPlace:
    """What joblib's ``NumpyArrayWrapper`` becomes here: a place where an array follows."""


_PythonUnpickler: Any = pickle._Unpickler  # noqa: SLF001 - the only one whose BUILD can be extended


class _JoblibUnpickler(_PythonUnpickler):  # type: ignore[misc] # no stubs for the Python version
    """Reads joblib's raw arrays between the opcodes.

    Source: ``joblib/numpy_pickle.py``, ``NumpyUnpickler`` and ``NumpyArrayWrapper``.
    """

    dispatch: ClassVar[dict[int, Any]] = dict(_PythonUnpickler.dispatch)

    def __init__(self, file: io.BytesIO, resolver: _Resolver) -> None:
        super().__init__(file)
        self._file = file
        self._resolver = resolver

    def find_class(self, module: str, name: str) -> Any:
        if canonical(module, name) == _WRAPPER:
            return _ArrayPlace
        return self._resolver(module, name)

    def load_build(self) -> None:
        super().load_build()
        if type(self.stack[-1]) is _ArrayPlace:
            self.stack[-1] = self._array(vars(self.stack[-1]))

    dispatch[pickle.BUILD[0]] = load_build

    def _array(self, described: dict[str, Any]) -> Any:
        dtype, shape = described["dtype"], described["shape"]
        if dtype.hasobject:
            return _Unpickler(self._file, self._resolver).load()
        if described.get("numpy_array_alignment_bytes") is not None:
            self._take(self._take(1)[0])
        data = self._take(math.prod(int(extent) for extent in shape) * dtype.itemsize)
        array = np.frombuffer(bytearray(data), dtype=dtype)
        array = array.reshape(shape, order=described["order"])
        return array if dtype.isnative else array.astype(dtype.newbyteorder("="))

    def _take(self, count: int) -> bytes:
        data = self._file.read(count)
        if len(data) != count:
            raise EOFError("an array is cut off")
        return data


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for text in dict.fromkeys(str(warning.message) for warning in caught):
        _LOG.info("While loading the model: %s", text)


@contextmanager
def _mapped(name: str) -> Iterator[None]:
    try:
        yield
    except Error:
        raise
    except (Exception, RecursionError, MemoryError) as exc:
        raise CorruptModelError(
            f"{name} cannot be loaded: {type(exc).__name__}: {exc}",
            "It is broken, or it was saved with another version of its library; "
            "`shipway check` compares the versions.",
        ) from exc
