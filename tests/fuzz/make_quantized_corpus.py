#!/usr/bin/env python3
"""Makes corpus/quantized_repository: the golden cases of tests/golden/prequantized, without what they are expected to give.

usage: tests/fuzz/make_quantized_corpus.py        writes beside itself; needs nothing but Python 3
A file is config.json, a zero byte, the header of model.safetensors, a zero byte, its data (see fuzz_quantized_repository.c).
"""
import json
import pathlib

here = pathlib.Path(__file__).resolve().parent
cases = here.parent / "golden" / "prequantized"
out = here / "corpus" / "quantized_repository"
# One of each method and of each way to lay out its numbers; cases of another size or sign alone are left to the fuzzer.
NAMES = """bnb-nf4 bnb-nf4-nested bnb-nf4-columns40 bnb-fp4-nested bnb-int8 gptq-4 gptq-4-v2 gptq-4-order gptq-2-sym gptq-3 gptq-8-sym awq
ct-pack4-zeros ct-pack4-order ct-pack6-odd ct-int8 ct-float8-block fp8-blocks24 fp8-exponents fp8-experts mxfp4""".split()


def compact(value):
    return json.dumps(value, separators=(",", ":")).encode()


out.mkdir(parents=True, exist_ok=True)
for name in NAMES:
    raw = (cases / name / "model.safetensors").read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header, data, packed = {}, raw[8 + length:], b""
    for key, entry in json.loads(raw[8:8 + length]).items():
        if key.startswith(("expected.", "__metadata__")):
            continue
        begin, end = entry["data_offsets"]
        header[key] = {**entry, "data_offsets": [len(packed), len(packed) + end - begin]}
        packed += data[begin:end]
    config = {"quantization_config": json.loads((cases / name / "config.json").read_text())["quantization_config"]}
    (out / name).write_bytes(compact(config) + b"\0" + compact(header) + b"\0" + packed)
(out / "no-tensors").write_bytes(b"{}\0{}\0")
