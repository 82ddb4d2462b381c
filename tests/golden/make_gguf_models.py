#!/usr/bin/env python3
"""Makes tests/golden/gguf/<model>.gguf: tiny models of tests/golden/families (weights from a seed, golden.json) as GGUF files in float32, by llama.cpp's
own converter. The logits are those of the model's golden.json.

usage: make_gguf_models.py LLAMA_CPP [MODEL...]        without MODELs: those that are committed
LLAMA_CPP is a folder with llama.cpp's sources: convert_hf_to_gguf.py, conversion/ and gguf-py/ are used. PyPI has one: the source package of
llama-cpp-python (0.3.36 here), in vendor/llama.cpp. Needs also: torch, transformers, safetensors, sentencepiece, pyyaml, requests.
"""
import json
import logging
import os
import sys
import tempfile
from pathlib import Path

import numpy
import torch
from safetensors.torch import save_file

from noise import noise

HERE = Path(__file__).resolve().parent
sys.path[:0] = [sys.argv[1], str(Path(sys.argv[1]) / "gguf-py")] if len(sys.argv) > 1 else []
try:
    import gguf
    from conversion import ModelBase, ModelType, get_model_architecture, get_model_class, load_all_models
except ImportError as error:
    sys.exit(f"{error}\n{__doc__}")

# The telling ones: one of each way that a file may differ.
COMMITTED = """apertus cohere deepseek_v2 deepseek_v3 dots1-full ernie4_5 ernie4_5_moe falcon-new gemma2-defaults gemma4 gemma4-experts gemma4-keys
glm-bare glm4 glm4_moe-bias gpt2 gpt_neox gpt_oss granite granitemoe hunyuan_v1_dense lfm2 lfm2_moe llama minimax_m2 ministral3 mpt nemotron olmo2
phi3-longrope qwen2 qwen2_moe qwen3 qwen3_5 qwen3_5_moe qwen3_next starcoder2-bare""".split()


def as_on_the_hub(config):
    """Keys that the converter asks for and transformers 5 writes otherwise."""
    kind, rope = config["model_type"], config.get("rope_parameters") or {}
    added = {
        "cohere2": {"rotary_pct": 1},
        "gpt2": {"n_ctx": config.get("n_positions")},
        "gpt_neox": {"rotary_pct": rope.get("partial_rotary_factor")},
        "glm": {"layernorm_epsilon": config.get("rms_norm_eps")},
        "hunyuan_v1_dense": {"max_position_embeddings": 32768},
        "mpt": {"architectures": ["MPTForCausalLM"]},
        "mistral3": {"architectures": ["Mistral3ForConditionalGeneration"]},
        "gemma3": {"architectures": ["Gemma3ForConditionalGeneration"]},
        "gemma4": {"architectures": ["Gemma4ForConditionalGeneration"]},
        "qwen3_5_moe": {"architectures": ["Qwen3_5MoeForConditionalGeneration"]},
    }
    return config | added.get(kind, {})


def tensors_of(golden):
    for name, shape, spread, mean, *layers in golden["tensors"]:
        for layer in layers[0] if layers else [None]:
            full = name if layer is None else name.replace("{i}", str(layer))
            values = noise(golden["seed"], full, int(numpy.prod(shape, dtype=int))) * numpy.float32(spread) + numpy.float32(mean)
            yield full, torch.from_numpy(values.astype(numpy.float32).reshape(shape))


def no_vocabulary(self):
    self.gguf_writer.add_tokenizer_model("none")
    self.gguf_writer.add_bos_token_id(0)
    self.gguf_writer.add_eos_token_id(1)


def convert(folder, out, model, kind, **keys):
    """A folder as transformers writes it to a GGUF file; `keys` are added to its config.json. Returns the architecture's name."""
    read = ModelBase.load_hparams(folder, False) | keys     # transformers drops keys that it knows by another name
    found = get_model_class(get_model_architecture(read, ModelType.TEXT))
    for patched in (found, getattr(found, "Ministral3Model", found)):
        patched.set_vocab, patched.no_mtp = no_vocabulary, True
    with torch.inference_mode():
        converter = found(folder, kind, out, eager=True, model_name=model, hparams=read)
        converter.write()
    return gguf.MODEL_ARCH_NAMES[getattr(converter, "impl", converter).model_arch]


def make(model, out):
    golden = json.loads((HERE / "families" / model / "golden.json").read_text())
    config = as_on_the_hub(json.loads((HERE / "families" / model / "config.json").read_text()))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "config.json").write_text(json.dumps(config))
        vocab = {str(i): i for i in range((config.get("text_config") or config)["vocab_size"])}
        (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": vocab}, "added_tokens": []}))
        save_file(dict(tensors_of(golden)), folder / "model.safetensors", metadata={"format": "pt"})
        architecture = convert(folder, out, model, gguf.LlamaFileType.ALL_F32, **config)
    print(f"{model:20} {architecture:14} {out.stat().st_size / 1e3:6.0f} kB", flush=True)


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    load_all_models()
    for chosen in sys.argv[2:] or COMMITTED:
        make(chosen, Path(os.environ.get("OUT", HERE / "gguf")) / f"{chosen}.gguf")
