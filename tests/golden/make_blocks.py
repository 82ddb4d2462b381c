"""Makes blocks.json: GGUF's blocks of quantised numbers, and what gguf's own decoder makes of them.

    python tests/golden/make_blocks.py        (a second; needs PyPI's gguf and numpy)

Every byte of a block is random, but for float16 scales that are no finite numbers and an e8m0 scale of 255 (NaN); the first blocks of a type
have the extremes as scales. Both are written in hexadecimal: blocks as their bytes, values as float32's bits. -0 is written as 0.
"""
import json
import pathlib

import gguf
import numpy as np

SEED = 20261126
ROWS = 2
# Where float16 numbers stand in a block; MXFP4 has a byte instead.
F16_AT = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2],
          "Q6_K": [208], "IQ4_NL": [0], "IQ4_XS": [0], "MXFP4": []}
EXTREMES = [0x7BFF, 0x0001, 0x8000, 0xFBFF, 0x83FF, 0x0400]  # largest, smallest, -0, -largest, subnormal, smallest normal


def random_blocks(name, count, size, random):
    blocks = random.integers(0, 256, (count, size), dtype=np.uint8)
    for k, at in enumerate(F16_AT[name]):
        halves = random.integers(0, 1 << 16, count, dtype=np.uint16)
        halves[(halves & 0x7C00) == 0x7C00] ^= 0x4000
        first = min(count - 1, len(EXTREMES))
        halves[:first] = np.roll(EXTREMES, -k)[:first]
        blocks[:, at:at + 2] = halves.astype("<u2").view(np.uint8).reshape(count, 2)
    if name == "MXFP4":
        blocks[:, 0] = np.minimum(blocks[:, 0], 254)
        blocks[:6, 0] = [0, 1, 2, 254, 253, 127]
    return blocks


def main():
    random = np.random.default_rng(SEED)
    types = []
    for name in F16_AT:
        kind = gguf.GGMLQuantizationType[name]
        elements, size = gguf.GGML_QUANT_SIZES[kind]
        per_row = 2 if elements == 256 else 5
        blocks = random_blocks(name, ROWS * per_row, size, random)
        with np.errstate(over="ignore"):  # e8m0's largest scale times 4
            values = gguf.quants.dequantize(blocks.reshape(ROWS, per_row * size), kind)
        assert values.shape == (ROWS, per_row * elements) and values.dtype == np.float32 and not np.isnan(values).any()
        values = np.where(values == 0, np.float32(0), values)
        types.append({"type": name, "id": int(kind), "rows": ROWS, "columns": per_row * elements, "blocks": blocks.tobytes().hex(),
                      "values": [row.astype(">f4").tobytes().hex() for row in values]})
    path = pathlib.Path(__file__).with_name("blocks.json")
    head = {"what": "GGUF blocks and their values, by make_blocks.py", "seed": SEED, "gguf": gguf_version()}
    lines = ",\n".join("  " + json.dumps(entry) for entry in types)
    path.write_text(json.dumps(head)[:-1] + ', "types": [\n' + lines + "\n]}\n")
    print(path, path.stat().st_size, "bytes")


def gguf_version():
    from importlib.metadata import version
    return version("gguf")


if __name__ == "__main__":
    main()
