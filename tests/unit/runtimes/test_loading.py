"""What load says of models that are unusual, broken, or told about in shipway.toml."""

import io
import json
import pickle
import sys
import zipfile

import lightgbm
import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from shipway.errors import (
    CorruptModelError,
    InputError,
    MissingPackageError,
    SettingError,
    UnsafeModelError,
    UnsupportedModelError,
)
from shipway.model.signature import Declared, Feature
from shipway.model.spec import Artifact, TrustPolicy, sha256
from shipway.runtimes import load
from shipway.runtimes.torch_archive import check_export, check_script

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.random((40, 3)) + 0.1
FLAGS = ROWS[:, 0] > 0.6


class Ours(LinearRegression):
    """A class of somebody's own."""

    def fit(self, rows):
        return super().fit(rows, rows[:, 0])


def loaded(model, declared=None):
    data = model if isinstance(model, bytes) else pickle.dumps(model)
    artifact = Artifact("model.pkl", data, sha256(data))
    return load(artifact, policy=TrustPolicy(), threads=1, declared=declared)


@pytest.mark.parametrize(
    ("model", "message", "hint"),
    [
        (StandardScaler().fit(ROWS), "holds a StandardScaler, which only transforms", "pipeline"),
        ({"model": LinearRegression()}, "holds a dict, not a model", "under the key 'model'"),
        (LinearRegression(), "LinearRegression in the file is not fitted", "after calling fit"),
        (lightgbm.LGBMClassifier(), "LGBMClassifier in the file is not fitted", "calling fit"),
    ],
)
def test_what_is_no_servable_model_is_said(model, message, hint):
    with pytest.raises(UnsupportedModelError) as caught:
        loaded(model)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_labels_that_are_true_and_false_stay_so():
    runtime = loaded(LogisticRegression().fit(ROWS, FLAGS))
    assert runtime.spec.signature.classes == (False, True)
    assert {type(value) for value in runtime.predict(ROWS).predictions.tolist()} == {bool}


def test_a_number_too_large_is_the_fault_of_its_row():
    runtime = loaded(RandomForestClassifier(3).fit(ROWS, FLAGS))
    rows = ROWS[:5].copy()
    rows[3, 1] = 1e300
    with pytest.raises(InputError) as caught:
        runtime.predict(rows)
    assert caught.value.issues[0].loc == (3,)
    assert "too large for dtype('float32')" in caught.value.message


def test_an_unknown_category_is_the_fault_of_its_row():
    frame = pd.DataFrame({"size": ["s", "m", "l", "s"] * 10, "age": ROWS[:, 0]})
    columns = ColumnTransformer([("words", OneHotEncoder(), ["size"])], remainder="passthrough")
    runtime = loaded(make_pipeline(columns, LogisticRegression()).fit(frame, FLAGS))
    with pytest.raises(InputError, match="unknown categories") as caught:
        runtime.predict(np.array([["s", 1.0], ["xxl", 1.0]], dtype=object))
    assert caught.value.issues[0].loc == (1,)


def test_missing_values_are_allowed_where_the_model_takes_them():
    def missing(model):
        return [feature.missing for feature in loaded(model).spec.signature.features]

    # scikit-learn's tag allow_nan is true of all three: the first step takes NaN.
    assert missing(make_pipeline(StandardScaler(), LogisticRegression()).fit(ROWS, FLAGS)) == [
        False,
        False,
        False,
    ]
    assert all(missing(make_pipeline(SimpleImputer(), LogisticRegression()).fit(ROWS, FLAGS)))
    columns = ColumnTransformer(
        [("filled", SimpleImputer(), [0]), ("scaled", StandardScaler(), [1, 2])]
    )
    assert missing(make_pipeline(columns, LogisticRegression()).fit(ROWS, FLAGS)) == [
        True,
        False,
        False,
    ]


def test_examples_are_amid_the_training_data():
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(ROWS + 40, FLAGS)
    examples = [feature.example for feature in loaded(model).spec.signature.features]
    assert examples == pytest.approx((ROWS + 40).mean(axis=0).tolist(), rel=1e-3)


def test_zeros_are_no_example_for_a_logarithm():
    model = make_pipeline(FunctionTransformer(np.log), LinearRegression())
    runtime = loaded(model.fit(ROWS, ROWS[:, 0]))
    assert runtime.spec.signature.example_rows().tolist() == [[1.0, 1.0, 1.0]]


def test_a_text_model_takes_one_column_of_text():
    texts = ["good and cheap", "bad", "good", "bad and dear"]
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, [1, 0, 1, 0])
    runtime = loaded(model)
    assert runtime.spec.signature.features == (Feature("text", "string"),)
    rows = np.array([[text] for text in texts], dtype=object)
    assert runtime.predict(rows).predictions.tolist() == model.predict(texts).tolist()


def test_a_classifier_without_probabilities_has_no_confidence():
    voters = [("a", LogisticRegression()), ("b", RandomForestClassifier(2))]
    runtime = loaded(VotingClassifier(voters, voting="hard").fit(ROWS, FLAGS))
    assert not runtime.spec.signature.confidence
    assert runtime.predict(ROWS[:2]).confidences is None


def test_a_frame_trained_model_answers_arrays_without_a_warning():
    frame = pd.DataFrame(ROWS, columns=["a", "b", "c"])
    model = make_pipeline(StandardScaler(), RandomForestClassifier(3)).fit(frame, FLAGS)
    runtime = loaded(model)
    assert runtime.spec.signature.names == ("a", "b", "c")
    assert runtime.predict(ROWS).predictions.tolist() == model.predict(frame).tolist()


def test_threads_of_the_training_machine_are_not_used():
    model = RandomForestClassifier(3, n_jobs=-1, verbose=3).fit(ROWS, FLAGS)
    pickled = pickle.dumps(model)
    runtime = loaded(pickled)
    assert runtime.predict(ROWS[:1]).predictions.shape == (1,)


def test_declared_names_and_examples_go_over_the_derived_ones():
    model = LinearRegression().fit(ROWS, ROWS[:, 0])
    declared = Declared(features=("age", Feature("income", example=900.0), "height"))
    signature = loaded(model, declared).spec.signature
    assert signature.named
    assert signature.names == ("age", "income", "height")
    assert signature.example_rows().tolist() == [[0.0, 900.0, 0.0]]


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        (Declared(features=("a", "b")), "lists 2 features, but the model takes 3"),
        (Declared(features=("a", "b", "a")), "names 'a' twice"),
        (Declared(task="regressor"), "says regressor, but the model is a classifier"),
        (Declared(classes=("no", "yes")), "differ from the model's own: (False, True)"),
    ],
)
def test_a_declaration_that_contradicts_the_model_is_an_error(declared, message):
    with pytest.raises(SettingError) as caught:
        loaded(LogisticRegression().fit(ROWS, FLAGS), declared)
    assert message in caught.value.message


def test_the_classes_of_a_booster_may_be_named():
    booster = lightgbm.LGBMClassifier(n_estimators=2, verbose=-1, n_jobs=1).fit(ROWS, FLAGS)
    text = booster.booster_.model_to_string().encode()
    runtime = loaded(text, Declared(classes=("stays", "leaves")))
    assert set(runtime.predict(ROWS).predictions.tolist()) <= {"stays", "leaves"}
    with pytest.raises(SettingError, match="lists 3 labels, but the model has 2"):
        loaded(text, Declared(classes=("a", "b", "c")))


def test_a_cut_lightgbm_file_is_refused_before_its_reader_ends_the_process():
    booster = lightgbm.LGBMClassifier(n_estimators=3, verbose=-1, n_jobs=1).fit(ROWS, FLAGS)
    text = booster.booster_.model_to_string().encode()
    end = text.index(b"end of trees")
    for size in (end // 2, end - 5, end):
        with pytest.raises(CorruptModelError):
            loaded(text[:size])
    with pytest.raises(CorruptModelError, match="cut off or was edited"):
        loaded(text.replace(b"leaf_value=", b"leaf_value=1", 1))


def test_a_missing_library_is_named_with_its_install_command(monkeypatch):
    booster = lightgbm.LGBMClassifier(n_estimators=2, verbose=-1, n_jobs=1).fit(ROWS, FLAGS)
    text = booster.booster_.model_to_string().encode()
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(MissingPackageError) as caught:
        loaded(text)
    assert caught.value.package == "lightgbm"
    assert caught.value.hint == "Install it: pip install 'shipway[lightgbm]'"


def archive(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in members.items():
            file.writestr("m/" + name.replace("__", "/"), content)
    return buffer.getvalue()


def program(**node):
    node = {"target": "torch.ops.aten.relu.default", "inputs": [], **node}
    return json.dumps({"graph_module": {"graph": {"nodes": [node]}}})


def sizes(text):
    return json.dumps({"sizes": [{"as_expr": {"expr_str": text, "hint": None}}]})


def test_a_plain_exported_program_passes():
    check_export(
        archive(
            **{
                "models__model.json": program(),
                "shapes.json": sizes("2*s77 + Max(1, s0)"),
                "old.json": sizes("Symbol('s77', positive=True, integer=True)"),
                "data__weights__config.json": '{"config": {"w": {"use_pickle": false}}}',
            }
        )
    )


@pytest.mark.parametrize(
    "members",
    [
        {"models__model.json": program(target="torch.hub.load")},
        {"models__model.json": program(target="torch.ops.aten.from_file.default")},
        {"models__model.json": program(target="#mine:os.system")},
        {"models__model.json": sizes("__import__('os').system('id')")},
        {"models__model.json": sizes("exec(chr(105))")},
        {"models__model.json": sizes("9**9**9")},
        {"models__model.json": sizes("s0.__class__")},
        {"data__weights__c.json": '{"config": {"w": {"use_pickle": true, "path_name": "w"}}}'},
        {"data__constants__opaque_obj_0": b"cos\nsystem\n."},
        {"data__constants__custom_obj_0": b""},
        {"data__constants__model.pt": b""},
        {"models__model.JSON": program(target="torch.hub.load")},
        {"data__aotinductor__model__model.so": b"\x7fELF"},
    ],
)
def test_an_exported_program_that_would_run_something_is_refused(members):
    with pytest.raises(UnsafeModelError) as caught:
        check_export(archive(**members))
    assert caught.value.findings


def test_the_inputs_that_a_program_was_exported_with_are_never_unpickled():
    """PyTorch 2.13 unpickles them without restriction when its restricted way fails."""
    members = {"models__model.json": program(), "data__sample_inputs__model.pt": b"cos\nsystem\n."}
    with zipfile.ZipFile(io.BytesIO(check_export(archive(**members)))) as left:
        assert left.namelist() == ["m/models/model.json", "m/data/sample_inputs/model.pt"]
        assert left.read("m/data/sample_inputs/model.pt") == b""


def test_an_exported_program_of_the_older_kind_is_refused():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("serialized_state_dict.pt", b"cos\nsystem\n.")
    with pytest.raises(UnsafeModelError, match=r"serialized_state_dict\.pt"):
        check_export(buffer.getvalue())


def test_plain_torchscript_passes_with_every_member():
    members = {"code__net.py": 'def f(x): return torch.relu(getattr(x, "0"))', "data.pkl": "."}
    with zipfile.ZipFile(io.BytesIO(check_script(archive(**members)))) as left:
        assert left.namelist() == ["m/code/net.py", "m/data.pkl"]


@pytest.mark.parametrize(
    "code",
    [
        "torch.save(x, 'f')",
        "ops.aten.from_file('f')",
        "ops.mylib.run(x)",
        "torch . save(x, 'f')",
        "ops.aten. save(x, 'f')",
        "ops . mylib.run(x)",
        "t.save(x, 'f')",
        "[torch, #\n.save(x, 'f')]",
        "getattr(torch, 'save')(x, 'f')",
        "getattr(torch, 'sa' 've')(x, 'f')",
        "getattr(torch, 'sav\\x65')(x, 'f')",
        "t.from_file('f', True, 10)",
        "f(ops)",
    ],
)
@pytest.mark.parametrize("member", ["code__net.py", "CODE__net.PY"])
def test_torchscript_that_touches_files_is_refused(member, code):
    """An alias, blanks and ``getattr`` lead to the same operators as their plain names."""
    with pytest.raises(UnsafeModelError):
        check_script(archive(**{member: f"def f(x): return {code}"}))


def test_torchscript_of_the_first_kind_is_refused():
    with pytest.raises(UnsafeModelError, match=r"model\.json"):
        check_script(archive(**{"model.json": "{}"}))


def test_a_type_that_nobody_allowed_is_not_made_from_a_skops_file():
    data = skops.io.dumps(Ours().fit(ROWS))
    with pytest.raises(UnsafeModelError) as caught:
        loaded(data)
    assert any(name.endswith("Ours") for name in caught.value.findings)


def test_a_step_that_hands_on_frames_finds_the_next_one_knowing_their_names():
    scale = StandardScaler().set_output(transform="pandas")
    model = make_pipeline(scale, LogisticRegression()).fit(ROWS, FLAGS)
    expected = model.predict(ROWS)

    # A warning, here an error: "X has feature names, but … was fitted without feature names".
    assert np.array_equal(loaded(model).predict(ROWS).predictions, expected)
