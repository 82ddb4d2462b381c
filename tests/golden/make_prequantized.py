"""make_prequantized.py: tiny weights quantised in every way that repositories are, and what the reference decoders make of them.

Each case is a folder prequantized/NAME with config.json (its quantization_config) and model.safetensors, which also holds expected.NAME for each
quantised weight NAME: its values in float32. Decoders: bitsandbytes on a CPU, compressed-tensors' own decompress(), transformers' MXFP4, torch's
float8; of GPTQ and AWQ the published unpacking (AutoGPTQ's QuantLinear.forward, AutoAWQ's dequantize_gemm), written down here with numpy.

    pip install torch transformers bitsandbytes compressed-tensors safetensors
    python tests/golden/make_prequantized.py [NAME ...]       (some seconds; the same bytes every time)
"""
import json
import pathlib
import sys

import numpy as np
import torch
from safetensors.torch import save_file

OUT = pathlib.Path(__file__).parent / "prequantized"
CASES = {}
P = "model.layers.0.mlp.up_proj"


def case(name, config):
    """Registers a function from a generator to {tensor name: tensor} and {weight: expected values}."""
    def register(make):
        CASES[name] = (config, make)
        return make
    return register


def words(unsigned):
    """numpy uint32 -> torch int32, the same bits."""
    return torch.from_numpy(np.ascontiguousarray(unsigned).astype(np.uint32).view(np.int32).copy())


# ---- bitsandbytes

def bnb_4bit(rows, columns, kind="nf4", block=64, nested=False, dtype=torch.float32, storage=torch.uint8):
    def make(g):
        import bitsandbytes as bnb
        weight = torch.randn(rows, columns, generator=g).to(dtype)
        data, state = bnb.functional.quantize_4bit(weight, blocksize=block, compress_statistics=nested, quant_type=kind, quant_storage=storage)
        tensors = {P + ".weight": data, P + ".bias": torch.randn(rows, generator=g)}
        for key, value in state.as_dict(packed=True).items():
            tensors[f"{P}.weight.{key}"] = value
        state.dtype = torch.float32
        return tensors, {P + ".weight": bnb.functional.dequantize_4bit(data, state).float()}
    return make


BNB4 = {"quant_method": "bitsandbytes", "load_in_4bit": True, "load_in_8bit": False}
case("bnb-nf4", BNB4)(bnb_4bit(8, 128))
case("bnb-nf4-nested", BNB4)(bnb_4bit(72, 128, block=32, nested=True))
case("bnb-nf4-block32", BNB4)(bnb_4bit(8, 96, block=32))
case("bnb-nf4-block4096", BNB4)(bnb_4bit(33, 192, block=4096))
case("bnb-nf4-columns96", BNB4)(bnb_4bit(8, 96))
case("bnb-nf4-columns80", BNB4)(bnb_4bit(9, 80))
case("bnb-nf4-columns40", BNB4)(bnb_4bit(9, 40, nested=True))
case("bnb-nf4-columns7", BNB4)(bnb_4bit(11, 7))
case("bnb-nf4-columns8", BNB4)(bnb_4bit(20, 8))
case("bnb-nf4-bfloat16", BNB4)(bnb_4bit(8, 64, dtype=torch.bfloat16, storage=torch.bfloat16))
case("bnb-fp4", {"load_in_4bit": True})(bnb_4bit(8, 128, kind="fp4"))
case("bnb-fp4-nested", BNB4)(bnb_4bit(8, 64, kind="fp4", nested=True, dtype=torch.float16))


@case("bnb-int8", {"quant_method": "bitsandbytes", "load_in_8bit": True})
def bnb_int8(g):
    import bitsandbytes as bnb
    weight = torch.randn(9, 72, generator=g).half()
    q, scb, _ = bnb.functional.int8_vectorwise_quant(weight)
    # The formula in the order oclm computes it; bitsandbytes itself multiplies by SCB first: a few units in the last place away.
    expected = q.float() * (scb.float() / 127)[:, None]
    near = bnb.functional.int8_vectorwise_dequant(q, scb)
    assert torch.all((expected - near).abs() <= 2.0 ** -22 * near.abs())
    return {P + ".weight": q, P + ".SCB": scb.float(), P + ".weight_format": torch.tensor(0, dtype=torch.uint8)}, {P + ".weight": expected}


# ---- GPTQ

def pack_stream(values, bits, axis):
    """Little-endian streams of bits along an axis, by way of single bits."""
    values = np.moveaxis(values.astype(np.uint64), axis, -1)
    single = (values[..., None] >> np.arange(bits, dtype=np.uint64)) & 1
    single = single.reshape(*values.shape[:-1], -1)
    pad = -single.shape[-1] % 32
    single = np.concatenate([single, np.zeros((*single.shape[:-1], pad), np.uint64)], -1).reshape(*values.shape[:-1], -1, 32)
    return np.moveaxis((single << np.arange(32, dtype=np.uint64)).sum(-1), -1, axis)


def gptq_unpack(qweight, qzeros, bits):
    """AutoGPTQ's QuantLinear.forward: [in, out] and [groups, out], zero points as stored."""
    q, z = qweight.numpy().view(np.uint32), qzeros.numpy().view(np.uint32)
    if bits != 3:
        shifts = np.arange(0, 32, bits, dtype=np.uint32)
        w = (q[:, None, :] >> shifts[None, :, None]) & (2 ** bits - 1)
        zeros = (z[:, :, None] >> shifts) & (2 ** bits - 1)
        return w.reshape(-1, q.shape[1]), zeros.reshape(z.shape[0], -1)
    shifts = np.array([[0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 0], [0, 1, 4, 7, 10, 13, 16, 19, 22, 25, 28, 31], [0, 2, 5, 8, 11, 14, 17, 20, 23, 26, 29, 0]],
                      np.uint32)

    def three(words_, last):  # [.., 3, n] -> [.., 32, n], AutoGPTQ's shifts and joints
        x = words_[..., :, None, :] >> shifts[:, :, None]
        x[..., 0, 10, :] = (x[..., 0, 10, :] & 3) | ((x[..., 1, 0, :] << 2) & 4)
        x[..., 1, 11, :] = (x[..., 1, 11, :] & 1) | ((x[..., 2, 0, :] << 1) & 6)
        x = x & 7
        return np.concatenate([x[..., 0, :11, :], x[..., 1, 1:12, :], x[..., 2, 1:11, :]], axis=-2)

    w = three(q.reshape(-1, 3, q.shape[1]), 0).reshape(-1, q.shape[1])
    zeros = three(z.reshape(z.shape[0], -1, 3, 1), 1).reshape(z.shape[0], -1)
    return w, zeros


def gptq(rows, columns, bits, group, sym=False, order=False, v2=False, g_idx=True):
    """`order`: each input's group at random; a number: always the same ones; "uneven": with no regard to how many a group gets."""
    def make(g):
        size = columns if group == -1 else group
        groups = -(-columns // size)
        top = 2 ** bits
        rng = np.random.default_rng(int(torch.randint(1 << 30, (1,), generator=g)))
        q = rng.integers(0, top, (columns, rows))
        zeros = np.full((groups, rows), top // 2) if sym else rng.integers(0, top, (groups, rows))
        index = np.arange(columns) // size
        if order:
            index = (np.sort(rng.integers(0, groups, columns)) if order == "uneven"
                     else (rng if order is True else np.random.default_rng(order)).permutation(index))
        scales = torch.from_numpy(rng.uniform(0.001, 0.02, (groups, rows))).half()
        qweight = words(pack_stream(q, bits, 0))
        qzeros = words(pack_stream(zeros if v2 else (zeros - 1) % top, bits, 1))
        tensors = {P + ".qweight": qweight, P + ".qzeros": qzeros, P + ".scales": scales}
        if g_idx:
            tensors[P + ".g_idx"] = torch.from_numpy(index.astype(np.int32))
        w, z = gptq_unpack(qweight, qzeros, bits)
        z = z if v2 else (z + 1) & (top - 1)
        assert np.array_equal(w, q) and np.array_equal(z[:, :rows], zeros)
        expected = scales.float().numpy()[index] * (w.astype(np.float32) - z[:, :rows].astype(np.float32)[index])
        return tensors, {P + ".weight": torch.from_numpy(expected.T.copy())}
    config = {"quant_method": "gptq", "bits": bits, "group_size": group, "desc_act": bool(order), "sym": sym}
    if v2:
        config["checkpoint_format"] = "gptq_v2"
    return config, make


for name, (config, make) in {
        "gptq-4": gptq(16, 128, 4, 64), "gptq-4-sym": gptq(16, 128, 4, 64, sym=True), "gptq-4-v2": gptq(16, 128, 4, 32, v2=True),
        "gptq-4-v2-sym": gptq(16, 128, 4, 64, sym=True, v2=True), "gptq-4-order": gptq(16, 128, 4, 32, order=True),
        "gptq-4-order-part": gptq(16, 160, 4, 64, order=True), "gptq-4-order-uneven": gptq(16, 128, 4, 32, order="uneven"),
        "gptq-4-order24": gptq(16, 96, 4, 24, order=True),
        "gptq-4-order-sym": gptq(40, 128, 4, 32, sym=True, order=True), "gptq-4-row": gptq(16, 96, 4, -1), "gptq-4-part": gptq(16, 160, 4, 64),
        "gptq-4-group24": gptq(16, 96, 4, 24), "gptq-4-no-index": gptq(16, 128, 4, 128, g_idx=False),
        "gptq-4-group48": gptq(16, 96, 4, 48),
        "gptq-2": gptq(16, 128, 2, 32), "gptq-2-sym": gptq(16, 128, 2, 32, sym=True), "gptq-3": gptq(32, 96, 3, 32),
        "gptq-3-sym": gptq(32, 128, 3, 64, sym=True), "gptq-3-order": gptq(32, 96, 3, 32, order=True), "gptq-8": gptq(16, 96, 8, 32),
        "gptq-8-sym": gptq(16, 128, 8, 64, sym=True)}.items():
    case(name, config)(make)


# ---- AWQ

def awq(rows, columns, group, sym=False):
    def make(g):
        rng = np.random.default_rng(int(torch.randint(1 << 30, (1,), generator=g)))
        groups = columns // group
        qweight = words(rng.integers(0, 2 ** 32, (columns, rows // 8), dtype=np.uint64))
        qzeros = words(np.full((groups, rows // 8), 0x88888888) if sym else rng.integers(0, 2 ** 32, (groups, rows // 8), dtype=np.uint64))
        scales = torch.from_numpy(rng.uniform(0.001, 0.02, (groups, rows))).half()

        def unpack(packed):  # AutoAWQ's unpack_awq and reverse_awq_order
            x = (packed.numpy().view(np.uint32)[:, :, None] >> np.arange(0, 32, 4, dtype=np.uint32)) & 15
            return x[:, :, [0, 4, 1, 5, 2, 6, 3, 7]].reshape(packed.shape[0], -1).astype(np.float32)

        each = np.arange(columns) // group
        expected = (unpack(qweight) - unpack(qzeros)[each]) * scales.float().numpy()[each]
        return ({P + ".qweight": qweight, P + ".qzeros": qzeros, P + ".scales": scales}, {P + ".weight": torch.from_numpy(expected.T.copy())})
    return make


AWQ = {"quant_method": "awq", "bits": 4, "zero_point": True, "version": "gemm"}
case("awq", AWQ | {"group_size": 64})(awq(16, 128, 64))
case("awq-half", AWQ | {"group_size": 32})(awq(40, 96, 32, sym=True))


# ---- compressed-tensors

def compressed(rows, columns, bits=4, strategy="group", group=None, symmetric=True, kind="int", block=None, dtype=torch.bfloat16, form="pack-quantized",
               order=False):
    weights = {"num_bits": bits, "type": kind, "symmetric": symmetric, "strategy": strategy}
    if group:
        weights["group_size"] = group
    if block:
        weights["block_structure"] = block

    def make(g):
        from compressed_tensors.compressors import BaseCompressor
        from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
        scheme = QuantizationScheme(targets=["Linear"], weights=QuantizationArgs(**weights))
        shape = {"tensor": (1,), "channel": (rows, 1), "group": (rows, columns // (group or 1)),
                 "block": (-(-rows // block[0]), -(-columns // block[1])) if block else None}[strategy]
        scale = (torch.rand(shape, generator=g) * 0.02 + 0.001).to(dtype)
        local = {"weight": torch.randn(rows, columns, generator=g) * 0.05, "weight_scale": scale.float()}
        if kind == "float":
            local["weight"] = local["weight"] * 30
        low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
        if not symmetric:
            local["weight_zero_point"] = torch.randint(low, high + 1, shape, generator=g, dtype=torch.int8)
        compressor = BaseCompressor.get_value_from_registry(form)
        packed = compressor.compress(dict(local), scheme)
        # In float32, so that the decoder's last rounding (to the scale's type) is none.
        expected = compressor.decompress(dict(packed) | {"weight_scale": scale.float()}, scheme)["weight"].float()
        tensors = {f"{P}.{key}": value for key, value in packed.items()} | {P + ".weight_scale": scale}
        if order:  # of versions up to 0.11, whose decoder permuted columns by it, so that each had the scale of its group
            index = (torch.arange(columns) // group)[torch.randperm(columns, generator=g)]
            if order == "none":  # how they wrote that there is none
                tensors[P + ".weight_g_idx"] = torch.full((columns,), -1, dtype=torch.int32)
            else:
                tensors[P + ".weight_g_idx"] = index.int()
                expected = torch.round(expected / scale.float()[:, torch.arange(columns) // group]) * scale.float()[:, index]
        return tensors, {P + ".weight": expected}
    return {"quant_method": "compressed-tensors", "format": form, "ignore": ["lm_head"], "quantization_status": "compressed",
            "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights}}}, make


for name, (config, make) in {
        "ct-pack4": compressed(16, 128, group=64), "ct-pack4-channel": compressed(16, 96, strategy="channel"),
        "ct-pack4-zeros": compressed(20, 128, group=32, symmetric=False), "ct-pack4-zeros-float32":
        compressed(16, 128, group=32, symmetric=False, dtype=torch.float32), "ct-pack8": compressed(16, 64, bits=8, group=32),
        "ct-pack8-zeros": compressed(10, 64, bits=8, strategy="channel", symmetric=False),
        "ct-pack8-zeros-float32": compressed(12, 64, bits=8, group=32, symmetric=False, dtype=torch.float32),
        "ct-pack4-order": compressed(16, 128, group=32, order=True), "ct-pack4-no-order": compressed(8, 128, group=32, order="none"),
        "ct-pack3": compressed(16, 96, bits=3, group=32, dtype=torch.float16),
        "ct-pack5": compressed(8, 96, bits=5, group=32), "ct-pack7": compressed(8, 96, bits=7, group=32), "ct-pack1": compressed(8, 64, bits=1, group=32),
        "ct-pack6-odd": compressed(8, 70, bits=6, strategy="channel", symmetric=False),
        "ct-int8": compressed(16, 72, bits=8, strategy="channel", form="int-quantized"),
        "ct-float8": compressed(16, 72, bits=8, strategy="channel", kind="float", form="float-quantized"),
        "ct-float8-tensor": compressed(16, 72, bits=8, strategy="tensor", kind="float", form="naive-quantized"),
        "ct-float8-block": compressed(40, 96, bits=8, strategy="block", block=[16, 32], kind="float", form="float-quantized")}.items():
    case(name, config)(make)


# ---- fp8

def fp8(shape, block, exponents=False, suffix=".weight", name=P):
    def make(g):
        codes = torch.randint(0, 256, shape, generator=g, dtype=torch.uint8)
        codes[(codes & 0x7F) == 0x7F] = 0x7E  # no NaN
        weight = codes.view(torch.float8_e4m3fn)
        rows, columns = shape[-2:]
        if block is None:
            scale = torch.rand((), generator=g) * 0.01
            every = scale
        else:
            grid = (*shape[:-2], -(-rows // block[0]), -(-columns // block[1]))
            scale = torch.rand(grid, generator=g) * 0.01 + 0.001
            if exponents:
                stored = torch.randint(100, 140, grid, generator=g, dtype=torch.uint8)
                scale = torch.ldexp(torch.ones(grid), stored.int() - 127)
            every = scale.repeat_interleave(block[0], -2).repeat_interleave(block[1], -1)[..., :rows, :columns]
        expected = weight.float() * every
        return {name + suffix: weight, name + suffix + "_scale_inv": stored if exponents and block else scale}, {name + suffix: expected}
    return {"quant_method": "fp8", "activation_scheme": "dynamic", "weight_block_size": block, "fmt": "e4m3"}, make


for name, (config, make) in {
        "fp8": fp8((20, 72), None), "fp8-blocks": fp8((40, 160), [16, 64]), "fp8-blocks128": fp8((3, 192), [128, 128]),
        "fp8-exponents": fp8((40, 96), [32, 32], exponents=True), "fp8-blocks24": fp8((20, 72), [8, 24]),
        "fp8-experts": fp8((3, 24, 64), [16, 32], suffix="", name="model.layers.0.mlp.experts.gate_up_proj")}.items():
    case(name, config)(make)


# ---- MXFP4

@case("mxfp4", {"quant_method": "mxfp4", "modules_to_not_convert": ["model.layers.*.self_attn"]})
def mxfp4(g):
    from transformers.integrations.mxfp4 import convert_moe_packed_tensors
    name = "model.layers.0.mlp.experts.gate_up_proj"
    blocks = torch.randint(0, 256, (3, 10, 2, 16), generator=g, dtype=torch.uint8)
    scales = torch.randint(100, 140, (3, 10, 2), generator=g, dtype=torch.uint8)
    expected = convert_moe_packed_tensors(blocks, scales, dtype=torch.float32).transpose(1, 2).contiguous()
    return {name + "_blocks": blocks, name + "_scales": scales, name + "_bias": torch.randn(3, 10, generator=g).bfloat16()}, {name: expected}


def main():
    wanted = sys.argv[1:] or list(CASES)
    for name in wanted:
        config, make = CASES[name]
        g = torch.Generator().manual_seed(sum(name.encode()) + 1000 * len(name))
        tensors, expected = make(g)
        folder = OUT / name
        folder.mkdir(parents=True, exist_ok=True)
        save_file({key: value.contiguous() for key, value in (tensors | {"expected." + key: value for key, value in expected.items()}).items()},
                  folder / "model.safetensors")
        (folder / "config.json").write_text(json.dumps({"quantization_config": config}, indent=1) + "\n")
        print(name, {key: tuple(value.shape) for key, value in expected.items()})


if __name__ == "__main__":
    main()
