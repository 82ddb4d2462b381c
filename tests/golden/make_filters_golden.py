#!/usr/bin/env python3
"""Writes filters.json: how many tokens transformers' filters of sampling leave of a row of 9001 scores, and a checksum of which.

The scores come from the generator of tests/cl/matrices.h, so they need not be stored: x = 8 a + 4 b. A setting is taken only where float64 keeps
the same tokens as float32: no border is a matter of rounding.
Usage: make_filters_golden.py [OUT]    needs torch and transformers 5.23
"""
import json
import os
import sys
import warnings

import numpy as np
import torch
import transformers
from transformers import GenerationConfig
from transformers.generation import GenerationMixin

warnings.simplefilter("ignore")
torch.set_num_threads(1)
VOCAB = 9001
SETTINGS = [
    dict(temperature=0.7), dict(top_k=1), dict(top_k=50), dict(top_k=4000), dict(top_p=0.5), dict(top_p=0.9), dict(top_p=0.999), dict(min_p=0.3),
    dict(min_p=0.01), dict(typical_p=0.2), dict(typical_p=0.8), dict(typical_p=0.99), dict(epsilon_cutoff=3e-4), dict(epsilon_cutoff=0.9),
    dict(eta_cutoff=2e-3), dict(eta_cutoff=0.6), dict(top_h=0.3), dict(top_h=0.9), dict(temperature=1.7, top_k=300, top_p=0.8),
    dict(temperature=0.5, top_h=0.7, top_k=40, min_p=0.1), dict(top_k=2000, top_p=0.95, typical_p=0.7), dict(min_p=0.02, epsilon_cutoff=1e-3, eta_cutoff=4e-3),
    dict(temperature=1.3, top_h=0.95, top_k=80, top_p=0.97, min_p=0.05, typical_p=0.95, epsilon_cutoff=0.002, eta_cutoff=0.004),
    dict(num_beams=2, top_p=0.0), dict(num_beams=2, min_p=1.0), dict(num_beams=2, typical_p=0.001), dict(num_beams=2, epsilon_cutoff=0.9),
    dict(num_beams=2, eta_cutoff=0.9), dict(num_beams=2, top_k=1), dict(num_beams=2, top_p=0.9, min_p=0.1),
]


class Stub(GenerationMixin):
    pass


def row(seed):
    state, values = (seed * 2654435761 + 1) % 2**64, []
    for _ in range(2 * VOCAB):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        values.append(np.array(state >> 32, dtype=np.uint32).view(np.int32).astype(np.float32) * np.float32(2**-31))
    pairs = np.array(values, dtype=np.float32).reshape(VOCAB, 2)
    return np.float32(8) * pairs[:, 0] + np.float32(4) * pairs[:, 1]


def kept(options, scores):
    config = GenerationConfig(**{**dict(num_beams=1, do_sample=True, use_cache=True), **options})
    config._eos_token_tensor = None
    config.max_length = 100
    processors = Stub()._get_logits_processor(config, input_ids_seq_length=1, logits_processor=[], device="cpu", model_kwargs={})
    return torch.nonzero(torch.isfinite(processors(torch.tensor([[0]]), scores[None]))[0]).flatten().tolist()


def checksum(ids):
    value = 2166136261
    for i in ids:
        for byte in int(i).to_bytes(4, "little"):
            value = (value ^ byte) * 16777619 % 2**32
    return value


def main(out):
    done = []
    for number, options in enumerate(SETTINGS):
        for seed in range(100 + number, 1000, 100):
            scores = torch.from_numpy(row(seed))
            ids = kept(options, scores)
            if ids == kept(options, scores.double()):
                break
        else:
            raise SystemExit(f"{options}: every row has a border that is a matter of rounding")
        done.append(dict(options=options, seed=seed, kept=len(ids), checksum=checksum(ids)))
    head = dict(transformers=transformers.__version__, torch=torch.__version__.split("+")[0], vocab=VOCAB)
    with open(out, "w") as f:
        f.write('{"about": %s,\n"cases": [\n' % json.dumps(head))
        f.write(",\n".join(json.dumps(e) for e in done))
        f.write("\n]}\n")
    print(len(done), "cases")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "filters.json"))
