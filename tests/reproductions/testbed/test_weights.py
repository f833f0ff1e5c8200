"""Safetensors: what is written is read; what is wrong is refused with a reason."""

import json
import math

import pytest
import torch

from reproductions.testbed import weights
from reproductions.testbed.absent import Absent
from reproductions.testbed.weights import BadFile, load_house, read_safetensors, save_house, write_safetensors
from tests.reproductions.testbed.conftest import SMALL, make


def raw(path, header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + data)
    return path


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


@pytest.mark.parametrize("dtype", list(weights.NAMES))
def test_round_trip_of_every_dtype(tmp_path, dtype):
    tensors = {
        "odd bytes": torch.tensor([1, 0, 3], dtype=torch.uint8),
        "b": (torch.randn(3, 5, generator=torch.Generator().manual_seed(0)) * 9).to(dtype),
        "empty": torch.empty(0, 4, dtype=dtype),
        "number": torch.tensor(1, dtype=dtype),
        "strided": torch.arange(6).view(2, 3).T.to(dtype),
    }
    write_safetensors(tmp_path / "x", tensors, {"note": "ü"})
    read, metadata = read_safetensors(tmp_path / "x")
    assert metadata == {"note": "ü"}
    assert read.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert read[name].dtype == tensor.dtype
        assert torch.equal(read[name], tensor)


def test_writing_to_a_tensor_leaves_the_file_alone(tmp_path):
    write_safetensors(tmp_path / "x", {"a": torch.zeros(4)})
    read_safetensors(tmp_path / "x")[0]["a"].fill_(7)
    assert read_safetensors(tmp_path / "x")[0]["a"].tolist() == [0] * 4


def test_the_bytes_are_those_of_the_format(tmp_path):
    path = raw(tmp_path / "x", {"a": entry(shape=[2]), "__metadata__": {"k": "v"}}, b"\x00\x00\x80\x3f\x00\x00\x00\xc0")
    tensors, metadata = read_safetensors(path)
    assert tensors["a"].tolist() == [1.0, -2.0]
    assert metadata == {"k": "v"}


BAD_HEADERS = {
    "not JSON": (b"{]", b"", "not JSON"),
    "not UTF-8": (b'{"\xff": 1}', b"", "not JSON"),
    "a list": (b"[]", b"", "not an object"),
    "very deep": (b"[" * 100_000, b"", "not JSON"),
    "a name twice": (b'{"a": {}, "a": {}}', b"", "twice"),
    "metadata with numbers": ({"__metadata__": {"a": 1}}, b"", "strings only"),
    "entry is no object": ({"a": 5}, b"", "no dtype"),
    "wrong dtype": ({"a": entry("F13")}, b"\0" * 8, "no dtype"),
    "dtype that is no string": ({"a": entry(["F32"])}, b"\0" * 8, "no dtype"),
    "negative shape": ({"a": entry(shape=[-2])}, b"\0" * 8, "whole numbers"),
    "fractional shape": ({"a": entry(shape=[2.0])}, b"\0" * 8, "whole numbers"),
    "true as a number": ({"a": entry("U8", [True], [0, 1])}, b"\0", "whole numbers"),
    "three offsets": ({"a": entry(offsets=[0, 8, 9])}, b"\0" * 8, "whole numbers"),
    "no offsets": ({"a": {"dtype": "F32", "shape": []}}, b"", "whole numbers"),
    "shape larger than its bytes": ({"a": entry(shape=[3])}, b"\0" * 8, "does not fill"),
    "enormous shape": ({"a": entry(shape=[2**62, 2**62])}, b"\0" * 8, "does not fill"),
    "end before start": ({"a": entry(offsets=[8, 0])}, b"\0" * 8, "does not fill"),
    "beyond the end": ({"a": entry()}, b"\0" * 7, "has 7"),
    "bytes left over": ({"a": entry()}, b"\0" * 9, "has 9"),
    "overlap": ({"a": entry(), "b": entry(offsets=[4, 12])}, b"\0" * 12, "overlap or leave a gap"),
    "the same bytes twice": ({"a": entry(), "b": entry()}, b"\0" * 8, "overlap or leave a gap"),
    "a gap": ({"a": entry(), "b": entry(offsets=[12, 20])}, b"\0" * 20, "overlap or leave a gap"),
}


@pytest.mark.parametrize("case", BAD_HEADERS)
def test_hostile_headers_are_refused(tmp_path, case):
    header, data, reason = BAD_HEADERS[case]
    with pytest.raises(BadFile, match=reason):
        read_safetensors(raw(tmp_path / "x", header, data))


@pytest.mark.parametrize("size", range(0, 200, 9))
def test_a_truncated_file_is_refused(tmp_path, size):
    write_safetensors(tmp_path / "x", {"a": torch.ones(20), "b": torch.ones(20)})
    whole = (tmp_path / "x").read_bytes()
    assert size < len(whole)
    (tmp_path / "x").write_bytes(whole[:size])
    with pytest.raises(BadFile):
        read_safetensors(tmp_path / "x")


@pytest.mark.parametrize("length", [3, 2**31, 2**63, 2**64 - 1])
def test_a_header_longer_than_the_file_is_refused(tmp_path, length):
    with pytest.raises(BadFile, match="does not fit"):
        read_safetensors(raw(tmp_path / "x", b"{}", length=length))


def test_a_dtype_without_a_name_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="complex"):
        write_safetensors(tmp_path / "x", {"a": torch.zeros(1, dtype=torch.complex64)})


def test_a_house_model_round_trips_with_its_configuration(tmp_path, monkeypatch, tokens):
    model = make(SMALL).float()
    save_house(tmp_path / "house-draft.safetensors", model, {"model": "draft"})
    monkeypatch.setattr(weights, "HOUSE_FOLDER", tmp_path)
    loaded = load_house("draft")
    assert loaded.config == SMALL
    assert "head.weight" not in read_safetensors(tmp_path / "house-draft.safetensors")[0]
    assert torch.equal(loaded(tokens), model(tokens))
    assert math.isfinite(loaded(tokens).sum().item())


def test_missing_weights_are_absent_and_say_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "HOUSE_FOLDER", tmp_path)
    with pytest.raises(Absent, match="train it"):
        load_house("target")


def test_weights_that_do_not_fit_the_model_are_refused(tmp_path):
    tensors = {name: value for name, value in make(SMALL).state_dict().items() if "q_proj" not in name}
    with pytest.raises(RuntimeError, match="Missing key"):
        weights.fill(make(SMALL), tensors)
