#!/usr/bin/env python3
"""Makes tests/golden/prequantized-models/deepseek_v2-q8_0: a tiny model of which llama.cpp's converter makes a Q8_0 file, split latent attention and
all, and the logits and greedy ids that are right for it.

usage: make_gguf_quantized.py LLAMA_CPP        as make_gguf_models.py; needs transformers too
The file loses nothing: weights are whole numbers to 127 times a power of two, and each 32 that follow each other along a row or a column hold a 127, so
that whatever way a block lies its scale is that power. golden.json is that of the other models there.
"""
import shutil
import tempfile
from pathlib import Path

import torch
from transformers import DeepseekV2Config, DeepseekV2ForCausalLM

import make_gguf_models as converter
from reference import VERSIONS, answers, readable

HERE = Path(__file__).resolve().parent
NAME, VOCAB = "deepseek_v2-q8_0", 61
SIZES = dict(vocab_size=VOCAB, hidden_size=64, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2, q_lora_rank=32,
             kv_lora_rank=32, qk_nope_head_dim=32, qk_rope_head_dim=32, v_head_dim=32, n_routed_experts=4, num_experts_per_tok=2, n_shared_experts=1,
             moe_intermediate_size=32, first_k_dense_replace=1, max_position_embeddings=128, bos_token_id=0, eos_token_id=1)


def exact(parameter, generator):
    if parameter.dim() < 2:
        return torch.rand(parameter.shape, generator=generator) + 0.5
    rows, columns = parameter.shape[-2:]
    codes = torch.randint(-127, 128, parameter.shape, generator=generator)
    ends = (torch.arange(rows)[:, None] + torch.arange(columns)[None, :]) % 32 == 0
    codes = torch.where(ends, torch.where(codes < 0, -127, 127), codes)
    return codes.float() * 2.0 ** round(float(torch.log2(torch.tensor(1.6 * (3 / columns) ** 0.5 / 127))))


def make(seed, folder):
    generator = torch.Generator().manual_seed(seed)
    model = DeepseekV2ForCausalLM(DeepseekV2Config(**SIZES))
    with torch.no_grad(), tempfile.TemporaryDirectory() as plain:
        for parameter in model.parameters():
            parameter.copy_(exact(parameter, generator))
        model.save_pretrained(plain)
        prompts = [torch.randint(0, VOCAB, (n,), generator=generator).tolist() for n in (1, 7, 40)]
        prompts = answers(plain, prompts, [16, 16, 16], lambda n: list(range(n)) if n <= 7 else [n // 2, n - 2, n - 1])
        converter.convert(Path(plain), folder / "model.gguf", NAME, converter.gguf.LlamaFileType.MOSTLY_Q8_0)
    clear = all([p.pop("greedy_new_ids_agree_in_float32") for p in prompts]) and all(p["greedy_smallest_lead"] > 0.005 for p in prompts)
    return prompts if clear else None


if __name__ == "__main__":
    converter.load_all_models()
    folder = HERE / "prequantized-models" / NAME
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    seed, prompts = next((s, p) for s in range(1, 100) if (p := make(s, folder)))
    record = {"what": NAME, "seed": seed, **VERSIONS, "stored_dtype": "float32",
              "float32_max_abs_error_of_torch": max(p["float32_max_abs_error_of_torch"] for p in prompts), "prompts": prompts}
    (folder / "golden.json").write_text(readable(record))
    print(f"{NAME}  seed {seed}  {(folder / 'model.gguf').stat().st_size / 1000:.0f} kB")
