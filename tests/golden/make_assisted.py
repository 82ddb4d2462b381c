#!/usr/bin/env python3
"""Makes tests/golden/assisted.json: greedy generation that guesses ahead, by transformers: the ids, and how many were guessed and kept each round.

    python tests/golden/make_assisted.py      # needs torch and transformers; a minute

Models are those of samples/ and tests/golden/tiny. "noisy" drafts for samples/models/stories: the same weights with the low bits of each float16
flipped by a fixed rule, so that a test can make the same file. Weights are widened to float32. Each round's numbers are those that
_assisted_decoding() hands to update_candidate_strategy(); guesses past the length limit are left out, as they can never be kept.
"""
import json
import shutil
import struct
import tempfile
from pathlib import Path

import numpy as np
import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.generation import candidate_generator, stopping_criteria

from reference import VERSIONS, readable

HERE = Path(__file__).resolve().parent
STORIES = HERE.parent.parent / "samples" / "models" / "stories"
NOISY_BITS = 7  # of the ten of a float16's mantissa
LEAST_LEAD = 2e-3  # of the best logit over the next, and of a probability over the threshold: what float32 cannot turn round
TEXTS = [
    "Once upon a time, there was a little girl named Lily. Lily had a red ball. Once upon a time, there was a",
    "The cat sat on the mat. The dog sat on the mat. The cat sat on the",
    "One day",
]


def add_noise(folder):
    """x ^= the top bits of a multiplicative hash of the element's number, for all elements of the file."""
    path = folder / "model.safetensors"
    data = bytearray(path.read_bytes())
    begin = 8 + struct.unpack("<Q", data[:8])[0]
    words = np.frombuffer(data, dtype="<u2", offset=begin).copy()
    flips = (np.arange(len(words), dtype=np.uint32) * np.uint32(2654435761)) >> np.uint32(32 - NOISY_BITS)
    data[begin:] = (words ^ flips.astype("<u2")).tobytes()
    path.write_bytes(data)


class Watch:
    """Notes what each round guessed and kept, and the smallest leads."""

    def __init__(self, limit):
        self.limit, self.rounds, self.lead = limit, [], np.inf

    def __enter__(self):
        self.update = candidate_generator.CandidateGenerator.update_candidate_strategy
        self.assisted_update = candidate_generator.AssistedCandidateGenerator.update_candidate_strategy
        self.confidence = stopping_criteria.ConfidenceCriteria.__call__
        watch = self

        def note(ids, scores, kept):
            before = ids.shape[1] - int(kept) - 1
            watch.rounds.append([min(scores.shape[1] - 1, watch.limit - before - 1), int(kept)])
            for row in scores[0, : int(kept) + 1]:
                best = torch.topk(row, 2).values
                watch.lead = min(watch.lead, float(best[0] - best[1]))

        def update(self, ids, scores, kept):
            note(ids, scores, kept)
            return watch.update(self, ids, scores, kept)

        def assisted_update(self, ids, scores, kept):
            note(ids, scores, kept)
            return watch.assisted_update(self, ids, scores, kept)

        def confidence(self, input_ids, scores, **kwargs):
            row = scores[-1][0].softmax(-1)
            watch.lead = min(watch.lead, abs(float(row[input_ids[0, -1]]) - self.assistant_confidence_threshold))
            best = torch.topk(scores[-1][0], 2).values
            watch.lead = min(watch.lead, float(best[0] - best[1]))
            return watch.confidence(self, input_ids, scores, **kwargs)

        candidate_generator.CandidateGenerator.update_candidate_strategy = update
        candidate_generator.AssistedCandidateGenerator.update_candidate_strategy = assisted_update
        stopping_criteria.ConfidenceCriteria.__call__ = confidence
        return self

    def __exit__(self, *_):
        candidate_generator.CandidateGenerator.update_candidate_strategy = self.update
        candidate_generator.AssistedCandidateGenerator.update_candidate_strategy = self.assisted_update
        stopping_criteria.ConfidenceCriteria.__call__ = self.confidence


def run(model, assistant, ids, new, how, processing):
    limit = len(ids) + new
    arguments = dict(max_new_tokens=new, do_sample=False, pad_token_id=0, **processing)
    if assistant is None:
        arguments.update(how)
    else:
        config = assistant.generation_config
        config.num_assistant_tokens = how.get("num_assistant_tokens", 20)
        config.assistant_confidence_threshold = how.get("assistant_confidence_threshold", 0.4)
        config.num_assistant_tokens_schedule = how.get("num_assistant_tokens_schedule", "constant")
        arguments["assistant_model"] = assistant
    plain = model.generate(torch.tensor([ids]), max_new_tokens=new, do_sample=False, pad_token_id=0, **processing)
    with Watch(limit) as watch:
        out = model.generate(torch.tensor([ids]), **arguments)
    assert torch.equal(plain, out), "assisted generation is to give plain generation's ids"
    return out[0, len(ids) :].tolist(), watch


def main():
    folder = Path(tempfile.mkdtemp())
    noisy = folder / "noisy"
    shutil.copytree(STORIES, noisy)
    add_noise(noisy)
    load = lambda path: AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(STORIES)
    models = {"stories": load(STORIES), "noisy": load(noisy)}
    for name in ["llama-linear", "llama-yarn-mscale", "gpt2"]:
        models[name] = load(HERE / "tiny" / name)
    texts = [tokenizer(text).input_ids for text in TEXTS]
    tiny = [[3, 1, 4, 1, 5, 9, 2, 6, 3, 1, 4, 1], [11, 12, 13]]
    cases = []
    for most in [1, 3, 10]:
        for largest in [1, 2, 3]:
            cases += [("stories", None, ids, 50, {"prompt_lookup_num_tokens": most, "max_matching_ngram_size": largest}, {}) for ids in texts]
    cases += [("stories", None, texts[0], 50, {"prompt_lookup_num_tokens": 6, "max_matching_ngram_size": 12}, {})]
    cases += [("gpt2", None, ids, 60, {"prompt_lookup_num_tokens": 4, "max_matching_ngram_size": 2}, {}) for ids in tiny]
    for processing in [{"repetition_penalty": 1.3}, {"no_repeat_ngram_size": 3}, {"min_new_tokens": 40}, {"suppress_tokens": [260, 13]}]:
        cases.append(("stories", None, texts[1], 45, {"prompt_lookup_num_tokens": 5}, processing))
        cases.append(("stories", "noisy", texts[1], 45, {"num_assistant_tokens": 5}, processing))
    for how in [{}, {"num_assistant_tokens": 1}, {"num_assistant_tokens": 5, "assistant_confidence_threshold": 0.0},
                {"num_assistant_tokens": 7, "assistant_confidence_threshold": 0.7},
                {"num_assistant_tokens": 3, "num_assistant_tokens_schedule": "heuristic"},
                {"num_assistant_tokens": 2, "num_assistant_tokens_schedule": "heuristic_transient", "assistant_confidence_threshold": 0.0}]:
        cases += [("stories", "noisy", ids, 50, how, {}) for ids in texts]
        cases += [("llama-linear", "llama-yarn-mscale", ids, 40, how, {}) for ids in tiny]
    cases.append(("stories", "stories", texts[2], 200, {"num_assistant_tokens": 4, "assistant_confidence_threshold": 0.0}, {}))
    record = []
    for target, draft, ids, new, how, processing in cases:
        out, watch = run(models[target], models[draft] if draft else None, ids, new, how, processing)
        exact = watch.lead >= LEAST_LEAD
        guessed, kept = sum(r[0] for r in watch.rounds), sum(r[1] for r in watch.rounds)
        print(f"{target} {draft} {how} {processing}: {len(out)} ids in {len(watch.rounds)} rounds, {kept} of {guessed} guesses kept, lead {watch.lead:.4f}")
        # Lookups with processors: transformers asks them about each guess beforehand, which changes what is guessed, not what comes out.
        rounds = watch.rounds if exact and not (processing and not draft) else None
        if watch.lead < 1e-4:
            continue
        record.append({"model": target, "assistant": draft, "input_ids": ids, "max_new_tokens": new, **how, **processing, "new_ids": out, "rounds": rounds})
    shutil.rmtree(folder)
    (HERE / "assisted.json").write_text(readable({"what": "greedy generation with prompt lookup and draft models, by rounds of [guessed, kept]", **VERSIONS,
                                                  "noisy_bits": NOISY_BITS, "cases": record}))
    print(len(record), "cases,", sum(c["rounds"] is None for c in record), "without rounds")


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    main()
