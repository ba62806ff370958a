"""One trained model of every format that is served, with its own library's answers."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_diabetes, load_wine
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

from shipway.model.spec import Artifact, Format, sha256
from shipway.stores.model_file import ModelFile

WINE, CULTIVARS = load_wine(return_X_y=True, as_frame=True)
LABELS = np.array(["barolo", "grignolino", "barbera"])[CULTIVARS]
DIABETES, PROGRESS = load_diabetes(return_X_y=True, as_frame=True)
EVERY = slice(0, None, 9)
"""Rows compared: some of each class."""


def wine_with_words() -> pd.DataFrame:
    """Wine with a column of words and holes in two columns, as real tables have them."""
    words = np.array(["light", "medium", "dark"])
    bins = np.digitize(WINE["color_intensity"], [3.5, 5.5])
    frame = WINE[["alcohol", "proline"]].copy()
    frame.insert(1, "colour", pd.Series(words[bins], dtype=object))
    frame.loc[::10, "alcohol"] = np.nan
    frame.loc[5::17, "colour"] = None
    return frame


@dataclass(frozen=True)
class Case:
    """A file, what it is, and what its library says to ``rows``."""

    data: bytes | Path
    format: Format
    framework: str
    rows: np.ndarray
    predictions: np.ndarray
    confidences: np.ndarray | None
    classes: tuple[Any, ...] | None = None
    names: tuple[str, ...] | None = None
    exact: bool = True
    """Whether the answers are equal bit for bit; ONNX and torch compute in float32."""


def _numeric(model: Any, data: bytes | Path, kind: Format, frame: Any = WINE, **more: Any) -> Case:
    given = frame[EVERY]
    proba = model.predict_proba(given) if hasattr(model, "predict_proba") else None
    classes = getattr(model, "classes_", None) if proba is not None else None
    more.setdefault("framework", "scikit-learn")
    more.setdefault("names", tuple(frame.columns) if hasattr(frame, "columns") else None)
    more.setdefault("confidences", None if proba is None else proba.max(axis=1))
    more.setdefault("classes", None if classes is None else tuple(classes.tolist()))
    predictions = np.asarray(model.predict(given))
    if predictions.ndim == 2 and predictions.shape[1] == 1:
        predictions = predictions[:, 0]
    return Case(
        data=data,
        format=kind,
        rows=np.asarray(given, dtype=np.float64),
        predictions=predictions,
        **more,
    )


def _logistic() -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(WINE, LABELS)


def _forest() -> Any:
    return RandomForestClassifier(5, random_state=0, n_jobs=2).fit(WINE.to_numpy(), CULTIVARS)


def _dumped(model: Any) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    return buffer.getvalue()


def _joblib(pack: Callable[[bytes], bytes]) -> Callable[[Path], Case]:
    def build(_path: Path) -> Case:
        model = _forest()
        return _numeric(model, pack(_dumped(model)), Format.JOBLIB, WINE.to_numpy())

    return build


def _pickled(make: Callable[[], Any], frame: Any = WINE, **more: Any) -> Callable[[Path], Case]:
    def build(_path: Path) -> Case:
        model = make()
        return _numeric(model, pickle.dumps(model), Format.PICKLE, frame, **more)

    return build


def _skops(_path: Path) -> Case:
    import skops.io

    model = _logistic()
    return _numeric(model, skops.io.dumps(model), Format.SKOPS)


def _mixed_model() -> tuple[Any, pd.DataFrame]:
    frame = wine_with_words()
    columns = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), ["alcohol", "proline"]),
            ("words", OneHotEncoder(handle_unknown="infrequent_if_exist"), ["colour"]),
        ]
    )
    return make_pipeline(columns, LogisticRegression()).fit(frame, LABELS), frame


def _mixed(_path: Path) -> Case:
    model, frame = _mixed_model()
    return _words_case(model, pickle.dumps(model), Format.PICKLE, frame, "scikit-learn")


def _words_case(model: Any, data: bytes, kind: Format, frame: pd.DataFrame, framework: str) -> Case:
    given = frame[EVERY]
    rows = given.astype(object).to_numpy()
    rows[pd.isna(rows)] = None
    return Case(
        data=data,
        format=kind,
        framework=framework,
        rows=rows,
        predictions=np.asarray(model.predict(given)).reshape(-1),
        confidences=model.predict_proba(given).max(axis=1),
        classes=tuple(model.classes_.tolist()),
        names=tuple(frame.columns),
    )


def _xgboost(**more: Any) -> Any:
    import xgboost

    return xgboost.XGBClassifier(n_estimators=4, max_depth=3, n_jobs=1, **more)


def _xgboost_file(raw: str, kind: Format) -> Callable[[Path], Case]:
    def build(_path: Path) -> Case:
        model = _xgboost().fit(WINE, CULTIVARS)
        data = bytes(model.get_booster().save_raw(raw))
        return _numeric(model, data, kind, framework="xgboost")

    return build


def _xgboost_binary(_path: Path) -> Case:
    model = _xgboost().fit(WINE, CULTIVARS == 1)
    data = bytes(model.get_booster().save_raw("ubj"))
    return _numeric(model, data, Format.XGBOOST_UBJ, framework="xgboost")


def _xgboost_words(_path: Path) -> Case:
    frame = wine_with_words().astype({"colour": "category"})
    model = _xgboost(enable_categorical=True).fit(frame, CULTIVARS)
    data = bytes(model.get_booster().save_raw("json"))
    return _words_case(model, data, Format.XGBOOST_JSON, frame, "xgboost")


def _xgboost_regression(_path: Path) -> Case:
    import xgboost

    model = xgboost.XGBRegressor(n_estimators=4, n_jobs=1).fit(DIABETES, PROGRESS)
    data = bytes(model.get_booster().save_raw("json"))
    return _numeric(model, data, Format.XGBOOST_JSON, DIABETES, framework="xgboost")


def _lightgbm() -> Any:
    import lightgbm

    return lightgbm.LGBMClassifier(n_estimators=4, num_leaves=5, verbose=-1, n_jobs=1)


def _lightgbm_file(_path: Path) -> Case:
    model = _lightgbm().fit(WINE, CULTIVARS)
    text = model.booster_.model_to_string().encode()
    names = tuple(name.replace(" ", "_") for name in WINE.columns)
    return _numeric(model, text, Format.LIGHTGBM, framework="lightgbm", names=names)


def _lightgbm_words(_path: Path) -> Case:
    frame = wine_with_words().astype({"colour": "category"})
    model = _lightgbm().fit(frame, CULTIVARS)
    text = model.booster_.model_to_string().encode()
    return _words_case(model, text, Format.LIGHTGBM, frame, "lightgbm")


def _lightgbm_regression(_path: Path) -> Case:
    import lightgbm

    model = lightgbm.LGBMRegressor(n_estimators=4, verbose=-1, n_jobs=1).fit(DIABETES, PROGRESS)
    text = model.booster_.model_to_string().encode()
    return _numeric(model, text, Format.LIGHTGBM, DIABETES, framework="lightgbm")


def _catboost(**more: Any) -> Any:
    import catboost

    return catboost.CatBoostClassifier(
        iterations=4, depth=3, verbose=0, allow_writing_files=False, thread_count=1, **more
    )


def _catboost_file(_path: Path) -> Case:
    model = _catboost().fit(WINE, LABELS)
    return _numeric(model, model._serialize_model(), Format.CATBOOST, framework="catboost")


def _catboost_words(_path: Path) -> Case:
    frame = wine_with_words().fillna({"colour": "unknown"})
    model = _catboost(cat_features=["colour"]).fit(frame, LABELS)
    return _words_case(model, model._serialize_model(), Format.CATBOOST, frame, "catboost")


def _catboost_regression(_path: Path) -> Case:
    import catboost

    model = catboost.CatBoostRegressor(
        iterations=4, verbose=0, allow_writing_files=False, thread_count=1, loss_function="Poisson"
    ).fit(DIABETES, PROGRESS)
    data = model._serialize_model()
    return _numeric(model, data, Format.CATBOOST, DIABETES, framework="catboost")


def _onnx(model: Any, given: Any, **more: Any) -> bytes:
    from skl2onnx import to_onnx

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what a converter says of its own dependencies
        return bytes(to_onnx(model, given, **more).SerializeToString())


def _onnx_case(model: Any, data: bytes, frame: Any = WINE) -> Case:
    return _numeric(
        model, data, Format.ONNX, frame, framework="onnxruntime", exact=False, names=None
    )


def _onnx_zipmap(_path: Path) -> Case:
    model = _logistic()
    return _onnx_case(model, _onnx(model, WINE[:1].to_numpy().astype(np.float32)))


def _onnx_plain(_path: Path) -> Case:
    model = RandomForestClassifier(5, random_state=0).fit(WINE.to_numpy(), LABELS)
    options = {id(model): {"zipmap": False}}
    data = _onnx(model, WINE[:1].to_numpy().astype(np.float32), options=options)
    return _onnx_case(model, data, WINE.to_numpy())


def _onnx_regression(_path: Path) -> Case:
    model = Ridge().fit(DIABETES, PROGRESS)
    return _onnx_case(model, _onnx(model, DIABETES[:1].to_numpy().astype(np.float32)), DIABETES)


def _onnx_outputs(_path: Path) -> Case:
    model = LinearRegression().fit(DIABETES.iloc[:, :4], DIABETES.iloc[:, 4:7])
    frame = DIABETES.iloc[:, :4]
    return _onnx_case(model, _onnx(model, frame[:1].to_numpy().astype(np.float32)), frame)


def _onnx_words(_path: Path) -> Case:
    frame = wine_with_words().fillna({"colour": "unknown"})
    columns = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), ["alcohol", "proline"]),
            ("words", OneHotEncoder(handle_unknown="ignore"), ["colour"]),
        ]
    )
    model = make_pipeline(columns, LogisticRegression()).fit(frame, LABELS)
    single = frame.astype({"alcohol": np.float32, "proline": np.float32})
    case = _words_case(model, b"", Format.ONNX, frame, "onnxruntime")
    return Case(**{**vars(case), "data": _onnx(model, single[:1]), "exact": False})


def _mlflow(flavour: str, make: Callable[[], Any], **more: Any) -> Callable[[Path], Case]:
    def build(path: Path) -> Case:
        model, kind, frame = make()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what mlflow says while it saves
            import importlib

            module = importlib.import_module(f"mlflow.{flavour}")
            # Naming the requirements spares MLflow finding them out, which takes long.
            module.save_model(model, str(path / "folder"), pip_requirements=[flavour], **more)
        return _numeric(model, path / "folder", kind, frame, framework=flavour)

    return build


def _mlflow_sklearn(path: Path) -> Case:
    made = _mlflow(
        "sklearn", lambda: (_logistic(), Format.PICKLE, WINE), serialization_format="cloudpickle"
    )(path)
    return Case(**{**vars(made), "framework": "scikit-learn"})


def _mlflow_onnx(path: Path) -> Case:
    import onnx

    case = _onnx_zipmap(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow.onnx
        from mlflow.models import infer_signature

        mlflow.onnx.save_model(
            onnx.load_from_string(case.data),
            str(path / "folder"),
            signature=infer_signature(WINE[:2]),
            pip_requirements=["onnx"],
        )
    return Case(**{**vars(case), "data": path / "folder", "names": tuple(WINE.columns)})


def _network(outputs: int = 3) -> tuple[Any, Any]:
    import torch

    torch.manual_seed(0)
    scale = torch.tensor(1 / WINE.to_numpy().max(axis=0), dtype=torch.float32)

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("scale", scale)
            self.hidden = torch.nn.Linear(13, 8)
            self.out = torch.nn.Linear(8, outputs)

        def forward(self, x):
            return self.out(torch.relu(self.hidden(x * self.scale)))

    return Net().eval(), torch


def _torch_case(data: bytes, kind: Format, module: Any, torch: Any) -> Case:
    rows = WINE[EVERY].to_numpy()
    with torch.inference_mode():
        scores = torch.softmax(module(torch.tensor(rows, dtype=torch.float32)), dim=1).numpy()
    return Case(
        data=data,
        format=kind,
        framework="torch",
        rows=rows,
        predictions=scores.argmax(axis=1),
        confidences=scores.max(axis=1),
        classes=(0, 1, 2),
        exact=False,
    )


def _torchscript(_path: Path) -> Case:
    module, torch = _network()
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch advises torch.export over TorchScript
        torch.jit.save(torch.jit.trace(module, torch.zeros(2, 13)), buffer)
    return _torch_case(buffer.getvalue(), Format.TORCHSCRIPT, module, torch)


def _torch_export(*, dynamic: bool) -> Callable[[Path], Case]:
    def build(_path: Path) -> Case:
        module, torch = _network()
        shapes = ({0: torch.export.Dim("n")},) if dynamic else None
        buffer = io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.export.export(module, (torch.zeros(4, 13),), dynamic_shapes=shapes)
            torch.export.save(program, buffer)
        return _torch_case(buffer.getvalue(), Format.TORCH_EXPORT, module, torch)

    return build


def _booster(make: Callable[[], Any], framework: str) -> Callable[[Path], Case]:
    def build(_path: Path) -> Case:
        model = make().fit(WINE, CULTIVARS)
        booster = model.get_booster() if framework == "xgboost" else model.booster_
        return _numeric(model, pickle.dumps(booster), Format.PICKLE, framework=framework)

    return build


BUILDERS: dict[str, Callable[[Path], Case]] = {
    "scikit-learn, pickle": _pickled(_logistic),
    "scikit-learn, pickle, columns of words": _mixed,
    "scikit-learn, pickle, regressor": _pickled(lambda: Ridge().fit(DIABETES, PROGRESS), DIABETES),
    "scikit-learn, pickle, several outputs": _pickled(
        lambda: LinearRegression().fit(DIABETES.iloc[:, :4], DIABETES.iloc[:, 4:7]),
        DIABETES.iloc[:, :4],
    ),
    "scikit-learn, pickle, no probabilities": _pickled(
        lambda: make_pipeline(StandardScaler(), LinearSVC()).fit(WINE, LABELS),
        classes=("barbera", "barolo", "grignolino"),
    ),
    "scikit-learn, pickle, clusters": _pickled(
        lambda: KMeans(3, n_init=1, random_state=0).fit(WINE)
    ),
    "scikit-learn, pickle, outliers": _pickled(
        lambda: IsolationForest(n_estimators=5, random_state=0).fit(WINE)
    ),
    "scikit-learn, pickle, histogram boosting": _pickled(
        lambda: HistGradientBoostingClassifier(max_iter=4).fit(WINE, LABELS)
    ),
    "scikit-learn, joblib": _joblib(bytes),
    "scikit-learn, joblib, gzip": _joblib(gzip.compress),
    "scikit-learn, joblib, zlib": _joblib(zlib.compress),
    "scikit-learn, joblib, bz2": _joblib(bz2.compress),
    "scikit-learn, joblib, xz": _joblib(lzma.compress),
    "scikit-learn, skops": _skops,
    "ONNX, label and map": _onnx_zipmap,
    "ONNX, label and tensor": _onnx_plain,
    "ONNX, regressor": _onnx_regression,
    "ONNX, several outputs": _onnx_outputs,
    "ONNX, one input per column, words": _onnx_words,
    "XGBoost, JSON": _xgboost_file("json", Format.XGBOOST_JSON),
    "XGBoost, JSON, regressor": _xgboost_regression,
    "XGBoost, JSON, columns of words": _xgboost_words,
    "XGBoost, UBJSON": _xgboost_file("ubj", Format.XGBOOST_UBJ),
    "XGBoost, UBJSON, two classes": _xgboost_binary,
    "XGBoost, pickled estimator": _pickled(
        lambda: _xgboost().fit(WINE, CULTIVARS), framework="xgboost"
    ),
    "XGBoost, pickled booster": _booster(_xgboost, "xgboost"),
    "LightGBM, text": _lightgbm_file,
    "LightGBM, text, regressor": _lightgbm_regression,
    "LightGBM, text, columns of words": _lightgbm_words,
    "LightGBM, pickled estimator": _pickled(
        lambda: _lightgbm().fit(WINE, LABELS), framework="lightgbm"
    ),
    "LightGBM, pickled booster": _booster(_lightgbm, "lightgbm"),
    "CatBoost, cbm": _catboost_file,
    "CatBoost, cbm, regressor": _catboost_regression,
    "CatBoost, cbm, columns of words": _catboost_words,
    "CatBoost, pickled estimator": _pickled(
        lambda: _catboost().fit(WINE, LABELS), framework="catboost"
    ),
    "MLflow folder, scikit-learn": _mlflow_sklearn,
    "MLflow folder, XGBoost": _mlflow(
        "xgboost",
        lambda: (_xgboost().fit(WINE, CULTIVARS), Format.XGBOOST_UBJ, WINE),
    ),
    "MLflow folder, LightGBM": _mlflow(
        "lightgbm",
        lambda: (_lightgbm().fit(WINE, LABELS), Format.SKOPS, WINE),
    ),
    "MLflow folder, CatBoost": _mlflow(
        "catboost", lambda: (_catboost().fit(WINE, LABELS), Format.CATBOOST, WINE)
    ),
    "MLflow folder, ONNX": _mlflow_onnx,
    "PyTorch, TorchScript": _torchscript,
    "PyTorch, torch.export": _torch_export(dynamic=True),
    "PyTorch, torch.export, fixed batch": _torch_export(dynamic=False),
}
"""What the table in docs/formats.md lists, in its order."""


def artifact_of(case: Case) -> Artifact:
    """The case's bytes under a name that lies about their format."""
    if isinstance(case.data, Path):
        return ModelFile(case.data).read()
    return Artifact("model.dat", case.data, sha256(case.data))
