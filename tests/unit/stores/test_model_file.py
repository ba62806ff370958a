"""Files as users leave them lying about."""

import os
import threading
from contextlib import contextmanager

import pytest

from shipway.errors import (
    CorruptModelError,
    MissingPackageError,
    ModelNotFoundError,
    UnknownFormatError,
    UnsupportedModelError,
)
from shipway.stores import stable_read
from shipway.stores.model_file import ModelFile


def test_a_file_is_read_with_its_digest(tmp_path):
    (tmp_path / "model.pkl").write_bytes(b"abc")

    artifact = ModelFile(tmp_path / "model.pkl").read()

    assert (artifact.name, artifact.data, artifact.size) == ("model.pkl", b"abc", 3)
    assert artifact.digest == (
        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


def test_each_way_of_replacing_a_file_changes_the_fingerprint(tmp_path):
    path, other = tmp_path / "model.pkl", tmp_path / "new.pkl"
    path.write_bytes(b"abc")
    source = ModelFile(path)
    seen = [source.fingerprint()]
    assert source.fingerprint() == seen[0]

    path.write_bytes(b"abcd")
    seen.append(source.fingerprint())
    other.write_bytes(b"efgh")
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.replace(path)
    seen.append(source.fingerprint())

    assert None not in seen
    assert len(set(seen)) == 3


def test_a_switched_link_is_noticed_as_kubernetes_does_it(tmp_path):
    for version in ("v1", "v2"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "model.pkl").write_bytes(version.encode())
    (tmp_path / "..data").symlink_to("v1")
    (tmp_path / "model.pkl").symlink_to("..data/model.pkl")
    source = ModelFile(tmp_path / "model.pkl")
    before = source.fingerprint()
    assert source.read().data == b"v1"

    (tmp_path / "next").symlink_to("v2")
    (tmp_path / "next").replace(tmp_path / "..data")

    assert source.fingerprint() != before
    assert source.read().data == b"v2"


@pytest.mark.parametrize(
    ("make", "error", "message", "hint"),
    [
        (
            lambda path: path.unlink(missing_ok=True),
            ModelNotFoundError,
            "There is no model file at ",
            "or set MODEL_PATH",
        ),
        (lambda p: p.write_bytes(b""), CorruptModelError, "model.pkl is empty", "Save the model"),
        (
            lambda p: p.mkdir(),
            UnknownFormatError,
            "is a directory, not a model",
            "or set MODEL_PATH",
        ),
        (os.mkfifo, ModelNotFoundError, "is a pipe, not a file", "Name a model"),
        (
            lambda p: p.symlink_to("gone.pkl"),
            ModelNotFoundError,
            "model.pkl is a link to gone.pkl, which does not exist",
            "Mend the link",
        ),
        (
            lambda p: p.symlink_to("model.pkl"),
            ModelNotFoundError,
            "model.pkl is a link to model.pkl, which does not exist",
            "Mend the link",
        ),
    ],
)
def test_what_is_no_model_file_is_said(tmp_path, make, error, message, hint):
    path = tmp_path / "model.pkl"
    make(path)

    with pytest.raises(error) as caught:
        ModelFile(path).read()

    assert message in caught.value.message
    assert hint in caught.value.hint


def test_a_missing_file_has_no_fingerprint(tmp_path):
    assert ModelFile(tmp_path / "gone").fingerprint() is None
    assert ModelFile(tmp_path).fingerprint() is None
    (tmp_path / "link").symlink_to("gone")
    assert ModelFile(tmp_path / "link").fingerprint() is None


def test_a_folder_without_a_model_document_lists_what_may_be_meant(tmp_path):
    for name in ("a.pkl", "b.onnx", "notes.md"):
        (tmp_path / name).write_bytes(b"x")

    with pytest.raises(UnknownFormatError) as caught:
        ModelFile(tmp_path).read()

    assert caught.value.hint == (
        f"Did you mean one of these: {tmp_path / 'a.pkl'}, {tmp_path / 'b.onnx'}?"
    )


def test_a_wrong_name_lists_the_models_beside_it(tmp_path):
    (tmp_path / "churn.joblib").write_bytes(b"x")

    with pytest.raises(ModelNotFoundError) as caught:
        ModelFile(tmp_path / "model.pkl").read()

    assert caught.value.hint == f"Did you mean one of these: {tmp_path / 'churn.joblib'}?"


def test_an_impossible_path_is_refused():
    with pytest.raises(ModelNotFoundError, match="is not a path"):
        ModelFile("a\0b").read()
    assert ModelFile("a\0b").fingerprint() is None


@contextmanager
def as_nobody():
    """Without the right of root to read everything."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield os.geteuid()
    finally:
        os.seteuid(before)


def test_a_file_without_the_right_to_read_is_said(monkeypatch, tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(b"x")
    path.chmod(0)
    # From inside: the folders above are for the user alone who runs the tests.
    monkeypatch.chdir(tmp_path)
    tmp_path.chmod(0o755)
    with as_nobody() as user, pytest.raises(ModelNotFoundError) as caught:
        ModelFile("model.pkl").read()
    assert caught.value.message == "model.pkl cannot be read: permission denied"
    assert caught.value.hint.startswith(f"The process runs as user {user};")


def test_a_file_that_is_being_written_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "model.pkl"
    path.write_bytes(b"x" * 100)
    ticks = iter(range(1000))

    def never_the_same(path):
        return f"{next(ticks)}"

    monkeypatch.setattr(stable_read, "identity", never_the_same)
    monkeypatch.setattr(stable_read, "PAUSES", (0.0, 0.0))
    with pytest.raises(CorruptModelError, match="is being written"):
        ModelFile(path).read()


def test_a_reader_never_sees_a_mix_of_two_files(tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(b"a" * 200_000)
    stop = threading.Event()

    def replace():
        letters = "ab"
        turn = 0
        while not stop.is_set():
            (tmp_path / "next").write_bytes(letters[turn % 2].encode() * 200_000)
            (tmp_path / "next").replace(path)
            turn += 1

    writer = threading.Thread(target=replace)
    writer.start()
    try:
        for _ in range(20):
            try:
                data = ModelFile(path).read().data
            except CorruptModelError:
                continue
            assert len(set(data)) == 1
    finally:
        stop.set()
        writer.join()


DOCUMENT = """
flavors:
  python_function: {{loader_module: mlflow.sklearn, code: code}}
  {flavour}
signature: null
"""


def folder(tmp_path, flavour, document=DOCUMENT):
    root = tmp_path / "champion"
    root.mkdir()
    (root / "MLmodel").write_text(document.format(flavour=flavour))
    return root


def test_the_file_of_the_native_flavour_is_read(tmp_path):
    root = folder(tmp_path, "sklearn: {pickled_model: model.pkl}")
    (root / "model.pkl").write_bytes(b"pickled")

    artifact = ModelFile(root).read()

    assert artifact.data == b"pickled"
    assert artifact.name == "champion"
    assert artifact.mlmodel is not None
    assert artifact.mlmodel["flavors"]["sklearn"] == {"pickled_model": "model.pkl"}


@pytest.mark.parametrize("inner", ["model.pkl", "data/model.pt"])
def test_a_new_file_in_the_folder_changes_its_fingerprint(tmp_path, inner):
    root = folder(tmp_path, f"sklearn: {{pickled_model: {inner}}}")
    (root / inner).parent.mkdir(exist_ok=True)
    (root / inner).write_bytes(b"one")
    (root / "round").symlink_to(".")
    source = ModelFile(root)
    before = source.fingerprint()
    assert source.fingerprint() == before
    (root / inner).write_bytes(b"three")
    assert source.fingerprint() != before


@pytest.mark.parametrize(
    ("flavour", "error", "message"),
    [
        ("spark: {}", UnsupportedModelError, "no flavour that can be served (found: python_func"),
        ("sklearn: {}", CorruptModelError, "names no file for its flavour sklearn"),
        ("sklearn: {pickled_model: gone.pkl}", ModelNotFoundError, "names gone.pkl, which does"),
        ("sklearn: {pickled_model: ../out.pkl}", CorruptModelError, "lies outside the folder"),
        ("sklearn: {pickled_model: /etc/passwd}", CorruptModelError, "lies outside the folder"),
        ("pytorch: {model_data: data}", ModelNotFoundError, "names data, which does not exist"),
        ("sklearn: [", CorruptModelError, "not valid YAML"),
        ("sklearn: &a [x]\nb: *a", CorruptModelError, "YAML anchors"),
        ("sklearn:  &a [x, *a]", CorruptModelError, "YAML anchors"),
        ("sklearn: 1" + ":1" * 500_000, CorruptModelError, "to the base of sixty"),
    ],
)
def test_a_folder_that_cannot_be_served_is_said(tmp_path, flavour, error, message):
    (tmp_path / "out.pkl").write_bytes(b"x")
    with pytest.raises(error) as caught:
        ModelFile(folder(tmp_path, flavour)).read()
    assert message in caught.value.message


def test_a_link_that_leaves_the_folder_is_refused(tmp_path):
    (tmp_path / "out.pkl").write_bytes(b"x")
    root = folder(tmp_path, "sklearn: {pickled_model: model.pkl}")
    (root / "model.pkl").symlink_to("../out.pkl")
    with pytest.raises(CorruptModelError, match="lies outside"):
        ModelFile(root).read()


@pytest.mark.parametrize("document", ["[]", "just text", "flavors: 3"])
def test_a_document_of_another_kind_is_said(tmp_path, document):
    with pytest.raises(CorruptModelError, match="lists no flavors"):
        ModelFile(folder(tmp_path, "", document)).read()


def test_python_objects_in_the_document_are_not_made(tmp_path):
    root = folder(tmp_path, "", "flavors: !!python/object/apply:os.system [touch hacked]")
    with pytest.raises(CorruptModelError, match="not valid YAML"):
        ModelFile(root).read()


def test_a_missing_yaml_library_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "yaml", None)
    with pytest.raises(MissingPackageError) as caught:
        ModelFile(folder(tmp_path, "sklearn: {}")).read()
    assert caught.value.package == "pyyaml"
    assert caught.value.hint == "Install it: pip install 'shipway[mlflow]'"


def test_an_input_example_comes_along(tmp_path):
    text = DOCUMENT + "saved_input_example_info: {{artifact_path: input_example.json}}"
    root = folder(tmp_path, "sklearn: {pickled_model: model.pkl}", text)
    (root / "model.pkl").write_bytes(b"x")
    (root / "input_example.json").write_text('{"columns": ["a"], "data": [[1.5]]}')

    mlmodel = ModelFile(root).read().mlmodel

    assert mlmodel is not None
    assert mlmodel["input_example"] == {"columns": ["a"], "data": [[1.5]]}
