import bz2
import contextlib
import gzip
import io
import json
import lzma
import pickle
import struct
import zipfile
import zlib

import pytest

from shipway.errors import CorruptModelError, Error, UnknownFormatError
from shipway.model.formats import detect
from shipway.model.spec import Format


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


MODEL = {"coef": [1.5, -2.0], "name": "é"}
WRAPPED = b"\x80\x04\x8c\x13joblib.numpy_pickle\x8c\x11NumpyArrayWrapper\x93."
XGB = b'{"learner":{"gradient_booster":{}},"version":[3,2,0]}'
LGB = b"tree\nversion=v4\nnum_class=1\n"
UBJ = b"{L" + struct.pack(">q", 7) + b"learner{L" + struct.pack(">q", 7) + b"version}"
COMPRESSORS = [
    gzip.compress,
    zlib.compress,
    bz2.compress,
    lzma.compress,
    lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
]

KNOWN = [
    *[(pickle.dumps(MODEL, protocol), Format.PICKLE) for protocol in range(6)],
    *[(pickle.dumps(None, protocol), Format.PICKLE) for protocol in range(6)],
    *[(pickle.dumps({"x": list(range(5000))}, protocol), Format.PICKLE) for protocol in range(6)],
    (WRAPPED, Format.JOBLIB),
    *[(squeeze(pickle.dumps(MODEL)), Format.PICKLE) for squeeze in COMPRESSORS],
    *[(squeeze(WRAPPED), Format.JOBLIB) for squeeze in COMPRESSORS],
    (zipped(**{"schema.json": b"{}"}), Format.SKOPS),
    (XGB, Format.XGBOOST_JSON),
    (b"\n " + XGB, Format.XGBOOST_JSON),
    (UBJ, Format.XGBOOST_UBJ),
    (LGB, Format.LIGHTGBM),
    (LGB.replace(b"\n", b"\r\n"), Format.LIGHTGBM),
    (b"CBM1\xb8\x32\0\0", Format.CATBOOST),
    (b"\x08\x0a\x12\x01x\x3a\x02\x0a\0\x42\x02\x10\x11", Format.ONNX),
    (zipped(**{"m/constants.pkl": b"", "m/code/__torch__.py": b""}), Format.TORCHSCRIPT),
    (zipped(**{"m/archive_format": b"pt2", "m/models/model.json": b"{}"}), Format.TORCH_EXPORT),
    (zipped(**{"serialized_exported_program.json": b"{}"}), Format.TORCH_EXPORT),
]


@pytest.mark.parametrize(("data", "expected"), KNOWN)
def test_a_format_is_known_by_its_content(data, expected):
    assert detect(data, "model.txt") is expected


STRANGERS = [
    (b"", "empty: it has 0 bytes"),
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 3\n", "a Git LFS pointer"),
    (b"<!DOCTYPE html>\n<html>", "an HTML page"),
    (b"\n<HTML><body>404</body>", "an HTML page"),
    (b"age,height,label\n41,1.8,a\n", "a table of text (CSV)"),
    (b"class\nsetosa\nvirginica\n", "plain text"),
    (b"hello world\n", "plain text"),
    ("Größe\n".encode(), "plain text"),
    (b"import os\nprint(1)\n", "Python source code"),
    (b'"""Train."""\n\nfrom sklearn.svm import SVC\n', "Python source code"),
    (b'{"a": 1}', "JSON, but not XGBoost's model"),
    (b"[1, 2]", "JSON, but not XGBoost's model"),
    (b'{"a": ', "JSON that is broken or cut off"),
    (b"[" * 100_000, "JSON that is broken or cut off"),
    (json.dumps({"tree_info": []}).encode(), "LightGBM's JSON dump"),
    (b'{"features_info": {}}', "CatBoost's JSON"),
    (XGB[:20], "XGBoost's JSON, but without a trained model"),
    (b"\x89HDF\r\n\x1a\n\0\0", "an HDF5 file, as Keras writes it"),
    (b"binf\0\0\0\x3f", "XGBoost's old binary format"),
    (b"\0\0\0\x3f" + bytes(132) + b"\x06\0\0\0\0\0\0\0gbtree\x04", "XGBoost's old binary format"),
    (zipped(**{"archive/data.pkl": b"", "archive/data/0": b""}), "a file of torch.save"),
    (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "a file of torch.save"),
    (zipped(**{"config.json": b"", "metadata.json": b"", "x": b""}), "a Keras model"),
    (zipped(**{"arr_0.npy": b""}), "NumPy arrays (.npz)"),
    (zipped(readme=b""), "a zip archive that holds none of the model formats"),
    (b"artifact_path: model\nflavors:\n", "the description file of an MLflow model"),
    (bytes(5000), "nothing but zero bytes"),
    (b"\x93NUMPY\x01\0", "a NumPy array"),
    (b"\xfe\xed\xfa\xce\0\0\0\0\xff", "unknown binary data (it begins with fe ed"),
    (gzip.compress(b"hello\n"), "a gzip stream that holds plain text"),
    (gzip.compress(LGB), "a lightgbm-text model inside a gzip stream"),
    (gzip.compress(gzip.compress(b"x")), "another compressed stream inside a gzip stream"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "looks"), STRANGERS)
def test_anything_else_is_named_for_what_it_looks_like(data, looks):
    with pytest.raises(UnknownFormatError) as caught:
        detect(data, "model.pkl")
    assert caught.value.message.startswith(f"model.pkl is not a model file: it looks like {looks}")
    assert caught.value.hint


def test_a_pointer_of_git_lfs_says_how_to_get_the_model():
    with pytest.raises(UnknownFormatError) as caught:
        detect(b"version https://git-lfs.github.com/spec/v1\n", "models/model.pkl")
    assert caught.value.hint == "Fetch the real file: git lfs install && git lfs pull"


@pytest.mark.parametrize("data", [zipped(**{"schema.json": b"{}" * 99})[:-30], b"PK\x03\x04"])
def test_a_zip_that_is_cut_off_says_so(data):
    with pytest.raises(CorruptModelError, match=r"model.skops: .*broken or cut off"):
        detect(data, "model.skops")


@pytest.mark.parametrize("squeeze", COMPRESSORS)
def test_a_stream_that_is_cut_off_says_so(squeeze):
    with pytest.raises(CorruptModelError, match=r"cut off|broken"):
        detect(squeeze(pickle.dumps(MODEL))[:-12], "model.pkl")


@pytest.mark.parametrize("size", range(0, 60, 7))
def test_a_prefix_of_a_model_never_raises_anything_else(size):
    for data, _ in KNOWN:
        with contextlib.suppress(Error):
            assert detect(data[:size], "m") in Format
