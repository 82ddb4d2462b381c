#!/usr/bin/env python3
"""Random requests to transformers' generate() and to oclm, compared: new ids, scores of beams, scores of each step, logits, transition scores, errors.

    python tests/generation/compare_generate.py --seconds 200                    # the tiny models; needs torch and transformers
    python tests/generation/compare_generate.py --model FOLDER --seed 7 --count 50

The reference computes in float64 throughout. Sampling is compared too: transformers is told the tokens that oclm drew, so the scores that they were drawn
by must be the same, step for step; beam sampling draws by the noise of cl/gumbel.h in both. Where something differs, float32's
answer counts as well; then the reference runs again with noise on its logits, a few times float32's error: if that changes its answer it was a tie, else the
case is printed, and is a fault of one side or the other.
"""
import argparse
import collections
import contextlib
import json
import random
import sys
import time
from pathlib import Path

import numpy
import torch
from transformers import GenerationConfig

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "golden")]
from reference import Reference   # noqa: E402
import through_c   # noqa: E402

NOISE = 2e-4
TOLERANCE = 3e-4 # relative, of scores
REAL_MULTINOMIAL = torch.multinomial


# ---- Requests

def some(draw, vocab, least, most):
    return draw.sample(range(vocab), draw.randint(least, most))


def draw_processors(draw, vocab, chance, new):
    """Options that change scores in any mode."""
    word = lambda: [draw.randrange(vocab) for _ in range(draw.choice([1, 1, 2, 2, 3]))]
    makers = {
        "repetition_penalty": lambda: draw.choice([0.6, 1.0, 1.1, 1.3, 2.5]),
        "encoder_repetition_penalty": lambda: draw.choice([0.7, 1.5, 3.0]),
        "no_repeat_ngram_size": lambda: draw.choice([1, 2, 2, 3, 4, 40]),
        "encoder_no_repeat_ngram_size": lambda: draw.choice([1, 2, 3]),
        "sequence_bias": lambda: [[w, round(draw.uniform(-6, 6), 2)] for w in {tuple(word()): 0 for _ in range(draw.randint(1, 12))}],
        "bad_words_ids": lambda: [word() for _ in range(draw.randint(1, 30))],
        "min_length": lambda: draw.randint(0, 30),
        "min_new_tokens": lambda: draw.randint(0, new + 2),
        "forced_bos_token_id": lambda: draw.randrange(vocab),
        "forced_eos_token_id": lambda: draw.choice([draw.randrange(vocab), some(draw, vocab, 1, 3)]),
        "exponential_decay_length_penalty": lambda: (draw.randint(0, new), draw.choice([0.9, 1.1, 1.5, 3.0])),
        "suppress_tokens": lambda: some(draw, vocab, 1, vocab // 2),
        "begin_suppress_tokens": lambda: some(draw, vocab, 1, vocab // 2),
        "remove_invalid_values": lambda: True,
        "renormalize_logits": lambda: draw.choice([True, False]),
    }
    return {name: make() for name, make in makers.items() if draw.random() < chance}


def draw_filters(draw, vocab):
    makers = {
        "temperature": lambda: draw.choice([0.3, 0.7, 1.0, 1.5, 4.0]), "top_h": lambda: draw.choice([0.2, 0.5, 0.9, 1.0]),
        "top_k": lambda: draw.choice([0, 1, 5, 20, vocab, 1000]), "top_p": lambda: draw.choice([0.0, 0.3, 0.8, 0.95, 1.0]),
        "min_p": lambda: draw.choice([0.0, 0.02, 0.3, 1.0]), "typical_p": lambda: draw.choice([0.2, 0.5, 0.9]),
        "epsilon_cutoff": lambda: draw.choice([0.001, 0.02, 0.2]), "eta_cutoff": lambda: draw.choice([0.001, 0.02, 0.3]),
    }
    return {name: make() for name, make in makers.items() if draw.random() < 0.3}


def draw_case(draw, vocab, mode, tokenizer):
    new = draw.choice([1, 2, 5, 12, 18])
    prompts = [[draw.randrange(vocab) for _ in range(draw.choice([1, 1, 2, 4, 7, 12, 20]))] for _ in range(draw.choice([1, 1, 2, 3, 4]))]
    for p in prompts:
        if len(p) > 5:
            p[-2:] = p[1:3]
    call = draw_processors(draw, vocab, draw.choice([0.0, 0.1, 0.1, 0.3]), new)
    call["eos_token_id"] = draw.choice([None, draw.randrange(vocab), some(draw, vocab, 1, 12)])
    if draw.random() < 0.6:
        call["pad_token_id"] = draw.choice([0, draw.randrange(vocab)])
    if draw.random() < 0.7:
        call["max_new_tokens"] = new
    else:
        call["max_length"] = max(map(len, prompts)) + new
    if call["eos_token_id"] is None:
        call.pop("exponential_decay_length_penalty", None)
    if mode in ("beams", "beam_sample"):
        call["num_beams"] = draw.choice([2, 2, 3, 4, 5, 8])
        if isinstance(call["eos_token_id"], list):
            call["eos_token_id"] = call["eos_token_id"][:draw.choice([1, 2, 4])]
        call["length_penalty"] = draw.choice([-1.0, 0.0, 0.5, 1.0, 1.0, 2.0])
        call["early_stopping"] = draw.choice([False, True, "never"])
        call["num_return_sequences"] = draw.choice([1, call["num_beams"], draw.randint(1, call["num_beams"])])
    if mode not in ("greedy", "lookup") and isinstance(call.get("forced_eos_token_id"), list):
        call["forced_eos_token_id"] = call["forced_eos_token_id"][:1]    # several are equally good: torch sorts them as it likes
    if mode in ("sample", "beam_sample"):
        call.update(draw_filters(draw, vocab))
        call["do_sample"] = True
        call["seed"] = draw.randrange(1 << 40)
        if mode == "sample":
            call["num_return_sequences"] = draw.choice([1, 1, 2, 3])
    if mode in ("greedy", "sample") and draw.random() < 0.15:
        call["guidance_scale"] = draw.choice([-0.5, 0.0, 1.5, 3.0])
        if draw.random() < 0.5:
            call["negative_prompt_ids"] = [draw.randrange(vocab) for _ in range(draw.randint(1, 8))]
    if mode == "lookup":
        prompts = prompts[:1]
        call["prompt_lookup_num_tokens"] = draw.choice([1, 3, 10])
        if draw.random() < 0.5:
            call["max_matching_ngram_size"] = draw.choice([1, 3, 5])
    if tokenizer and draw.random() < 0.3:
        call["stop_strings"] = [tokenizer.decode(some(draw, vocab, 1, 2)) or "." for _ in range(draw.randint(1, 40))]
    if mode != "lookup":
        call["output_scores"], call["output_logits"] = True, draw.random() < 0.5
    return prompts, call


# ---- The reference

def philox(counters, key):
    """Philox4x32-10 on arrays of counters: [4][n] uint32."""
    x, y, z, w = (a.astype(numpy.uint64) for a in counters)
    k0, k1 = key & 0xFFFFFFFF, key >> 32
    mask = numpy.uint64(0xFFFFFFFF)
    for _ in range(10):
        a, b = numpy.uint64(0xD2511F53) * x, numpy.uint64(0xCD9E8D57) * z
        x, y, z, w = (b >> numpy.uint64(32)) ^ y ^ numpy.uint64(k0), b & mask, (a >> numpy.uint64(32)) ^ w ^ numpy.uint64(k1), a & mask
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return x, y, z, w


def gumbel(seed, step, beams, vocab):
    """cl/gumbel.h: [beams * vocab]."""
    row = numpy.repeat(numpy.arange(beams), vocab)
    token = numpy.tile(numpy.arange(vocab), beams)
    words = philox((numpy.full(row.size, step), row, numpy.ones(row.size), token // 4), seed)
    bits = numpy.choose(token % 4, words).astype(numpy.float64)
    v = (bits + 0.5) / 2.0 ** 32
    return -numpy.log(-numpy.log1p(-numpy.minimum(v, 1 - 2.0 ** -25)))


class TooFew(Exception):
    """Fewer continuations have a probability than are to be drawn: what is drawn then means nothing."""


@contextlib.contextmanager
def drawing(call, given, vocab):
    """multinomial() gives what oclm drew: `given` [rows] of ids, or with beams what its noise says."""
    step, K = [0], call.get("num_beams", 1)

    def told(p, num_samples, **_):
        step[0] += 1
        return torch.tensor([[row[step[0] - 1] if step[0] <= len(row) else 0] for row in given])

    def noisy(p, num_samples, **_):
        if ((p > 0).sum(-1) < num_samples).any():
            raise TooFew
        noise = torch.tensor(gumbel(call["seed"], step[0], K, vocab), dtype=p.dtype)
        step[0] += 1
        return torch.topk(torch.log(p) + noise, num_samples, dim=-1).indices

    torch.multinomial = noisy if K > 1 else told
    try:
        yield
    finally:
        torch.multinomial = REAL_MULTINOMIAL


@contextlib.contextmanager
def noise_on(model, seed, size):
    generator = torch.Generator().manual_seed(seed)

    def hook(_, __, output):
        noise = torch.rand(output.logits.shape, generator=generator, dtype=torch.float64)
        output.logits = output.logits + size * (2 * noise - 1)
        return output
    handle = model.register_forward_hook(hook) if size else None
    try:
        yield
    finally:
        if handle:
            handle.remove()


def padding_of(settings):
    eos = settings.get("eos_token_id")
    eos = eos[0] if isinstance(eos, list) and eos else eos if isinstance(eos, int) else None
    pad = settings.get("pad_token_id")
    return pad if pad is not None else eos if eos is not None else 0


class Answer:
    pass


def ask_reference(reference, prompts, call, given, tokenizer=None, noise=None):
    width, pad = max(map(len, prompts)), padding_of(call)
    ids = torch.tensor([[pad] * (width - len(p)) + p for p in prompts])
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts])
    asked = {k: v for k, v in call.items() if k != "seed"}
    if "negative_prompt_ids" in asked:
        asked["negative_prompt_ids"] = torch.tensor([asked["negative_prompt_ids"]] * len(prompts) * call.get("num_return_sequences", 1))
    if "sequence_bias" in asked:
        asked["sequence_bias"] = [[list(k), float(b)] for k, b in asked["sequence_bias"]]
    if "stop_strings" in asked:
        asked["tokenizer"] = tokenizer
    sampling, beams = call.get("do_sample"), call.get("num_beams", 1) > 1
    vocab = reference.model.config.vocab_size
    reference.model.generation_config = GenerationConfig()
    with reference._context(), drawing(call, given, vocab) if sampling else contextlib.nullcontext():
        reference._fresh()
        with noise_on(reference.model, noise or 0, NOISE if noise else 0):
            out = reference.model.generate(ids, attention_mask=mask, return_dict_in_generate=True, **asked)
    answer = Answer()
    eos = call.get("eos_token_id")
    eos = eos if isinstance(eos, list) else [] if eos is None else [eos]
    answer.rows, answer.eos, answer.out = [], eos, out
    for i, row in enumerate(out.sequences[:, width:].tolist()):
        if beams:
            row = row[:int((out.beam_indices[i] >= 0).sum())] if out.beam_indices is not None else row
        else:
            ends = [t for t, id in enumerate(row) if id in eos]
            row = row[:ends[0] + 1] if ends else row
        answer.rows.append(row)
    answer.scores = numpy.stack([s.numpy() for s in out.scores]) if out.scores else None
    answer.logits = numpy.stack([s.numpy() for s in out.logits]) if out.logits else None
    answer.sequences_scores = out.sequences_scores.tolist() if beams and out.get("sequences_scores") is not None else None
    answer.beams = out.beam_indices.tolist() if beams and out.beam_indices is not None else None
    answer.transitions = None
    if call.get("output_scores"):
        answer.transitions = reference.model.compute_transition_scores(out.sequences, out.scores, out.beam_indices if beams else None).tolist()
    return answer


# ---- Comparing

def close(a, b, tolerance):
    """Equal where not finite, within the tolerance elsewhere."""
    a, b = numpy.asarray(a, dtype=numpy.float64), numpy.asarray(b, dtype=numpy.float64)
    both = numpy.isfinite(a) & numpy.isfinite(b)
    huge = both & (numpy.minimum(abs(a), abs(b)) > 1e30) & (numpy.sign(a) == numpy.sign(b))  # the largest float, and the largest double
    return ((a == b) | huge | (both & (abs(numpy.where(both, a - b, 0)) <= tolerance * (1 + numpy.abs(numpy.where(both, a, 0)))))).all()


def differences(case, ours, theirs, tolerance):
    """What differs, in words."""
    prompts, call = case
    sampling, beams = call.get("do_sample"), call.get("num_beams", 1) > 1
    found = []
    stopping = call.get("stop_strings") is not None
    for i, (a, b) in enumerate(zip(ours.ids, theirs.rows)):
        if stopping and not beams and ours.reasons[i] == "stop_string":     # then padding; without an eos transformers goes on until all have ended
            if theirs.eos and any(id != padding_of(call) for id in b[len(a):]):
                found.append(f"{i} stopped at {len(a)} ids")
            b = b[:len(a)]
        if a != b and not (sampling and not beams and a == b[:len(a)]):
            found.append(f"ids of {i}: {a} for {b}")
        reason = "eos_token" if a and a[-1] in theirs.eos else "length"
        if ours.reasons[i] != reason and not (stopping and ours.reasons[i] == "stop_string") and not (beams and reason == "length"):
            found.append(f"finish_reason of {i}: {ours.reasons[i]} for {reason}")
    if len(ours.ids) != len(theirs.rows):
        found.append(f"{len(ours.ids)} sequences for {len(theirs.rows)}")
    if found:
        return found
    if beams:
        if theirs.sequences_scores and not close(ours.sequences_scores, theirs.sequences_scores, tolerance):
            found.append(f"sequences_scores: {ours.sequences_scores} for {theirs.sequences_scores}")
        for i, a in enumerate(ours.beams):
            if theirs.beams and a != theirs.beams[i][:len(a)]:
                found.append(f"beam_indices of {i}: {a} for {theirs.beams[i]}")
    for name in ("scores", "logits"):
        a, b = getattr(ours, name), getattr(theirs, name)
        if not call.get("output_" + name):
            continue
        if a is None or b is None or (a.shape[1:] != b.shape[1:] if name == "scores" else a.shape[2] != b.shape[2]):
            found.append(f"{name}: {a if a is None else a.shape} for {b if b is None else b.shape}")
            continue
        if beams and len(prompts) > 1:
            continue    # rows of a prompt that has ended mean nothing
        for t in range(min(len(a), len(b))):
            for row in range(a.shape[1]):
                if (beams or t < len(ours.ids[row])) and not close(a[t, row], b[t, row], tolerance):
                    worst = numpy.nanargmax(numpy.where(a[t, row] == b[t, row], 0, numpy.abs(a[t, row].astype(numpy.float64) - b[t, row])))
                    found.append(f"{name} of step {t}, row {row}: {a[t, row, worst]} for {b[t, row, worst]} at {worst}, "
                                 f"{numpy.isfinite(a[t, row]).sum()} for {numpy.isfinite(b[t, row]).sum()} finite")
                    return found
    if theirs.transitions:
        for i, a in enumerate(ours.transitions):
            if not close(a, theirs.transitions[i][:len(a)], tolerance):
                found.append(f"transition scores of {i}: {a} for {theirs.transitions[i][:len(a)]}")
    return found


def as_text(case):
    return json.dumps({"prompts": case[0], "call": case[1]})


class Comparison:
    def __init__(self, library, folder):
        self.library, self.folder = library, Path(folder)
        attention = "sdpa" if "hf-" in str(folder) else "eager"
        self.reference, self.narrow = Reference(folder, "float64", attention), Reference(folder, "float32", attention)
        self.vocab = self.reference.model.config.vocab_size
        self.model = library.model(folder)
        self.tokenizer = self.c_tokenizer = None
        if (self.folder / "tokenizer.json").exists():
            from transformers import AutoTokenizer
            self.tokenizer = AutoTokenizer.from_pretrained(folder)
            self.c_tokenizer = library.tokenizer(folder)
        self.counts = collections.Counter()

    def compare(self, case):
        """Returns what is to be looked at, or None."""
        prompts, call = case
        ours = theirs = our_error = their_error = None
        try:
            ours = self.library.generate(self.model, prompts, call, self.c_tokenizer)
        except through_c.OclmError as error:
            our_error = error
        reference = lambda noise=None: ask_reference(self.reference, prompts, call, ours.ids if ours else [[]] * 99, self.tokenizer, noise)
        try:
            theirs = reference()
        except TooFew:
            self.counts["too few to draw"] += 1
            return None
        except Exception as error:      # whatever transformers raises
            their_error = error
        if isinstance(their_error, RuntimeError) and "index -1 is out of bounds" in str(their_error) and ours:
            self.counts["rows that transformers fills with -1, and falls over"] += 1
            return None
        if our_error or their_error:
            self.counts["errors"] += 1
            return None if our_error and their_error else f"error: {our_error!r} for {their_error!r}"
        found = differences(case, ours, theirs, TOLERANCE)
        if not found:
            self.counts["equal"] += 1
            return None
        try:
            if not differences(case, ours, ask_reference(self.narrow, prompts, call, ours.ids, self.tokenizer), TOLERANCE):
                self.counts["equal in float32"] += 1     # the largest float, and what overflows, are not float64's
                return None
        except TooFew:
            pass
        for seed in range(1, 9):
            try:
                again = reference(seed)
                different = differences(case, ours, again, 30 * NOISE if "ids" not in found[0] else TOLERANCE)
                changed = [r[:len(o)] for r, o in zip(again.rows, ours.ids)] != [r[:len(o)] for r, o in zip(theirs.rows, ours.ids)] or not different
                sets = theirs.scores is not None and again.scores is not None and (theirs.scores.shape != again.scores.shape or
                                                                                 (numpy.isfinite(theirs.scores) != numpy.isfinite(again.scores)).any())
            except TooFew:
                changed = True
            if changed or sets:
                self.counts["ties"] += 1
                return None
        return "; ".join(found[:3])

    def run(self, draw, modes, count, until):
        faults = 0
        for i in range(count):
            if time.time() > until:
                break
            mode = draw.choice(modes)
            case = draw_case(draw, self.vocab, mode, self.tokenizer)
            self.counts[mode] += 1
            problem = self.compare(case)
            if problem:
                faults += 1
                print(f"{self.folder.name} {mode}: {problem}\n    {as_text(case)}", flush=True)
        return faults


MODES = ["greedy", "greedy", "sample", "sample", "beams", "beams", "beam_sample", "lookup"]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--library", default=HERE.parents[1] / "build/release/liboclm.so")
    arguments.add_argument("--model", action="append", help="a folder; default: some of tests/golden/tiny")
    arguments.add_argument("--modes", default=",".join(MODES))
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--count", type=int, default=1 << 30, help="cases of each model")
    arguments.add_argument("--seconds", type=float, default=240)
    arguments = arguments.parse_args()
    library = through_c.Library(arguments.library)
    folders = arguments.model or [HERE.parent / "golden/tiny" / m for m in ("gpt2", "llama", "llama-gqa")]
    begin, faults, total = time.time(), 0, collections.Counter()
    for i, folder in enumerate(folders):
        comparison = Comparison(library, folder)
        until = begin + arguments.seconds * (i + 1) / len(folders)
        faults += comparison.run(random.Random(f"{arguments.seed}"), arguments.modes.split(","), arguments.count, until)
        total.update(comparison.counts)
    print(f"{faults} to look at; " + ", ".join(f"{n} {k}" for k, n in sorted(total.items())))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
