import pytest

from shipway.model.signature import Feature, Signature
from shipway.model.spec import Format, ModelSpec
from shipway.packaging.needs import roots, strangers

MODULES = {
    "sklearn": ["scikit-learn"],
    "numpy": ["numpy"],
    "scipy": ["scipy"],
    "xgboost": ["xgboost-cpu"],
    "yaml": ["PyYAML"],
    "pandas": ["pandas"],
}


def spec(form, framework, *, named=False):
    signature = Signature("classifier", (Feature("a"),), named=named)
    return ModelSpec(form, framework, None, None, "sha256:0", 1, signature)


def names_of(requirements):
    return [text.partition(">")[0] for text in requirements]


@pytest.mark.parametrize(
    ("form", "framework", "names", "expected"),
    [
        (Format.PICKLE, "scikit-learn", ["sklearn.svm.SVC"], ["scikit-learn", "scikit-learn"]),
        (Format.SKOPS, "scikit-learn", [], ["scikit-learn", "skops"]),
        (Format.ONNX, "onnxruntime", [], ["onnxruntime"]),
        (Format.LIGHTGBM, "lightgbm", [], ["lightgbm", "scikit-learn"]),
        (Format.CATBOOST, "catboost", [], ["catboost"]),
        (Format.TORCHSCRIPT, "torch", [], ["torch"]),
        (Format.XGBOOST_JSON, "xgboost", [], ["scikit-learn", "xgboost-cpu"]),
        (
            Format.PICKLE,
            "scikit-learn",
            ["xgboost.sklearn.XGBClassifier"],
            ["scikit-learn", "xgboost-cpu"],
        ),
    ],
)
def test_format_framework_and_names_tell_the_packages(form, framework, names, expected):
    found = roots(spec(form, framework), names, MODULES, mlflow=False)
    assert found[0] == "shipway"
    assert sorted(names_of(found[1:])) == expected


def test_the_installed_distribution_of_a_module_is_kept():
    other = MODULES | {"xgboost": ["xgboost"]}
    found = roots(spec(Format.XGBOOST_UBJ, "xgboost"), [], other, mlflow=False)
    assert "xgboost" in found
    assert not [text for text in found if text.startswith("xgboost-cpu")]


def test_an_mlflow_folder_needs_a_yaml_reader():
    found = roots(spec(Format.PICKLE, "scikit-learn"), [], MODULES, mlflow=True)
    assert "pyyaml" in [name.lower() for name in names_of(found)]


def test_columns_chosen_by_name_need_tables():
    names = ["sklearn.compose._column_transformer.ColumnTransformer"]
    by_name = roots(spec(Format.PICKLE, "scikit-learn", named=True), names, MODULES, mlflow=False)
    by_number = roots(spec(Format.PICKLE, "scikit-learn"), names, MODULES, mlflow=False)
    assert "pandas" in names_of(by_name)
    assert "pandas" not in names_of(by_number)


def test_modules_of_nobody_are_named():
    names = ["numpy.ndarray", "collections.OrderedDict", "__builtin__.set", "steps.LogScaler"]
    assert strangers(names, MODULES) == ("steps",)
