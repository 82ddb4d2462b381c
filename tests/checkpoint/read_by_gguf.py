#!/usr/bin/env python3
"""Reads every kind of GGUF file that `oclm quantize` writes with gguf's own reader: names as its table of the architecture has them, shapes, and
values: as f16 those of the model, rounded; in blocks those that gguf's own quantisation of them gives.

usage: read_by_gguf.py OCLM        needs: gguf, which brings numpy
"""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import gguf
import numpy

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "golden"))
from make_gguf_models import FAMILIES, gguf_name  # noqa: E402: what conversion does to weights

# Rows of the tiny ones are no whole blocks and stay float16 whatever is asked for.
MODELS = {"samples/models/stories": ("gpt2", ["f16", "q4_0", "q4_1", "q5_0", "q5_1", "q8_0"]),
          "tests/golden/tiny/llama-gqa": ("llama", ["f16"]), "tests/golden/tiny/llama-tied": ("llama", ["f16"])}


def weights(folder):
    """{name: values} of model.safetensors, in float32."""
    raw = (folder / "model.safetensors").read_bytes()
    begin = 8 + int.from_bytes(raw[:8], "little")
    for name, entry in json.loads(raw[8:begin]).items():
        if name != "__metadata__":
            first, last = (begin + at for at in entry["data_offsets"])
            values = numpy.frombuffer(raw[first:last], {"F32": numpy.float32, "F16": numpy.float16}[entry["dtype"]])
            yield name, values.astype(numpy.float32).reshape(entry["shape"])


def expected(folder, family):
    """{gguf's name: values} that a file of the model holds."""
    architecture, convert = FAMILIES[family]
    config = json.loads((folder / "config.json").read_text())
    layers = config.get("num_hidden_layers") or config["n_layer"]
    config = {"num_attention_heads": config.get("n_head"), **config}
    names = gguf.get_tensor_name_map(next(a for a, n in gguf.MODEL_ARCH_NAMES.items() if n == architecture), layers)
    return architecture, {gguf_name(names, name, name.split(".")): numpy.ascontiguousarray(convert(name, values, config))
                          for name, values in weights(folder)}


def check(path, architecture, wanted, kind):
    reader = gguf.GGUFReader(path)
    assert reader.fields["general.architecture"].contents() == architecture
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    assert tensors.keys() == wanted.keys(), f"{path}: {sorted(tensors.keys() ^ wanted.keys())} are not in both"
    kept = set()
    for name, tensor in tensors.items():
        want, got = wanted[name], gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        assert list(tensor.shape) == list(reversed(want.shape)), f"{path}: {name} is {list(tensor.shape)}, want {want.shape}"
        rounded = gguf.quants.dequantize(gguf.quants.quantize(want, tensor.tensor_type), tensor.tensor_type)
        assert numpy.array_equal(got.reshape(want.shape), rounded.reshape(want.shape)), f"{path}: {name} has other values"
        kept.add(tensor.tensor_type.name.lower())
    assert kind in kept, f"{path}: nothing is {kind}, but {kept}"
    return kept


def main():
    with tempfile.TemporaryDirectory(prefix="oclm-gguf-") as scratch:
        for model, (family, kinds) in MODELS.items():
            architecture, wanted = expected(ROOT / model, family)
            for kind in kinds:
                path = Path(scratch) / f"{Path(model).name}-{kind}.gguf"
                subprocess.run([sys.argv[1], "quantize", str(ROOT / model), str(path), "--to", kind], check=True, stdout=subprocess.DEVNULL)
                print(f"{model} as {kind}: {len(wanted)} tensors ({', '.join(sorted(check(path, architecture, wanted, kind)))})", flush=True)


if __name__ == "__main__":
    main()
