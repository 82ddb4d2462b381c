#!/usr/bin/env python3
"""Makes tests/golden/generation_configs.json: what transformers' generate() decides from a call's options, a file of options that the call names, and
the model's generation_config.json.

    python tests/golden/make_generation_configs.py      # needs torch and transformers; some seconds

A case has "call" (keyword arguments), "file" (the argument generation_config, null: none), "model" (generation_config.json), "prompt" (its length).
It goes through generate() of a model with a vocabulary of 100 and 64 positions up to where decoding begins; there the decoding method is replaced by
one that notes down what it was given. The answer is one of
  "error"     the kind of exception, and its text
  "resolved"  mode, limit, numbers that act (without do_sample no temperature ...), min_keep, special tokens, processors in their order
and "unused": the options of which validation says that they may be ignored, as of the call's last update.
"""
import copy
import json
import logging
import re
from pathlib import Path

import torch
import transformers
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM
from transformers.generation import configuration_utils

SAMPLES = {"do_sample": True, "temperature": 0.7, "top_p": 0.8, "top_k": 20, "eos_token_id": [3, 4], "pad_token_id": 0}

# label, call, file, model, prompt
CASES = [
    ("nothing is set", {}, None, {}, 5),
    ("the default stops at the model's positions", {}, None, {}, 50),
    ("max_new_tokens", {"max_new_tokens": 7}, None, {}, 5),
    ("max_length counts the prompt", {"max_length": 9}, None, {}, 5),
    ("max_new_tokens beats max_length", {"max_new_tokens": 7, "max_length": 9}, None, {}, 5),
    ("a file's max_new_tokens beats the call's max_length", {"max_length": 30}, None, {"max_new_tokens": 2}, 5),
    ("the call beats both files", {"max_new_tokens": 7}, {"max_new_tokens": 8}, {"max_new_tokens": 9}, 5),
    ("the named file beats the model's", {}, {"max_new_tokens": 8}, {"max_new_tokens": 9}, 5),
    ("the model's file fills what the named one leaves", {"max_new_tokens": 4}, {"top_k": 5}, dict(SAMPLES, top_k=20), 5),
    ("max_new_tokens of 0", {"max_new_tokens": 0}, None, {}, 5),
    ("a prompt as long as max_length", {"max_length": 5}, None, {}, 5),
    ("min_new_tokens", {"max_new_tokens": 9, "min_new_tokens": 3, "eos_token_id": 2}, None, {}, 5),
    ("min_length", {"max_new_tokens": 9, "min_length": 8, "eos_token_id": 2}, None, {}, 5),
    ("min_new_tokens beats min_length", {"max_new_tokens": 9, "min_new_tokens": 1, "min_length": 8, "eos_token_id": 2}, None, {}, 5),
    ("a minimum without an end", {"max_new_tokens": 9, "min_new_tokens": 3}, None, {}, 5),
    ("a minimum beyond the limit", {"max_new_tokens": 2, "min_new_tokens": 3, "eos_token_id": 2}, None, {}, 5),
    ("sampling's defaults", {"max_new_tokens": 4, "do_sample": True}, None, {}, 5),
    ("a file that samples", {"max_new_tokens": 4}, None, SAMPLES, 5),
    ("greedy over a file that samples", {"max_new_tokens": 4, "do_sample": False}, None, SAMPLES, 5),
    ("greedy with its temperature named", {"max_new_tokens": 4, "do_sample": False, "temperature": 0.5}, None, SAMPLES, 5),
    ("a temperature without sampling", {"max_new_tokens": 4, "temperature": 0.5, "top_p": 0.5}, None, {}, 5),
    ("a file's temperature without sampling", {"max_new_tokens": 4}, None, {"temperature": 0.5, "min_p": 0.1}, 5),
    ("everything of sampling without it", {"max_new_tokens": 4, "top_k": 4, "min_p": 0.1, "top_h": 0.5, "typical_p": 0.5, "epsilon_cutoff": 0.1, "eta_cutoff": 0.1}, None, {}, 5),
    ("everything of sampling", {"max_new_tokens": 4, "do_sample": True, "temperature": 0.5, "top_h": 0.5, "top_k": 4, "top_p": 0.5, "min_p": 0.1, "typical_p": 0.5,
                                "epsilon_cutoff": 0.1, "eta_cutoff": 0.1, "renormalize_logits": True}, None, {}, 5),
    ("top_k of 0", {"max_new_tokens": 4, "do_sample": True, "top_k": 0}, None, {}, 5),
    ("a file's top_p above 1 is off", {"max_new_tokens": 4, "do_sample": True}, None, {"top_p": 1.5}, 5),
    ("a file's cutoffs beyond their ranges are off", {"max_new_tokens": 4, "do_sample": True}, None, {"epsilon_cutoff": 1.5, "eta_cutoff": -1.0, "typical_p": 1.5}, 5),
    ("a temperature of 0", {"max_new_tokens": 4, "do_sample": True, "temperature": 0.0}, None, {}, 5),
    ("a file's temperature of 0", {"max_new_tokens": 4, "do_sample": True}, None, {"temperature": 0.0}, 5),
    ("a top_p below 0", {"max_new_tokens": 4, "do_sample": True, "top_p": -0.5}, None, {}, 5),
    ("a min_p above 1", {"max_new_tokens": 4, "do_sample": True, "min_p": 1.5}, None, {}, 5),
    ("a top_h above 1", {"max_new_tokens": 4, "do_sample": True, "top_h": 1.5}, None, {}, 5),
    ("a typical_p of 0", {"max_new_tokens": 4, "do_sample": True, "typical_p": 0.0}, None, {}, 5),
    ("beams", {"max_new_tokens": 4, "num_beams": 3, "eos_token_id": 2}, None, {}, 5),
    ("beams' options", {"max_new_tokens": 4, "num_beams": 3, "early_stopping": "never", "length_penalty": 0.5, "num_return_sequences": 2}, None, {}, 5),
    ("beam sampling keeps more than the ends", {"max_new_tokens": 4, "num_beams": 3, "do_sample": True, "eos_token_id": [2, 3]}, None, {}, 5),
    ("beam sampling without ends", {"max_new_tokens": 4, "num_beams": 3, "do_sample": True}, None, {}, 5),
    ("options of beams without them", {"max_new_tokens": 4, "early_stopping": True, "length_penalty": 0.5}, None, {}, 5),
    ("a file made for beams, without them", {"max_new_tokens": 4, "num_beams": 1}, None, {"num_beams": 3, "early_stopping": True, "length_penalty": 0.5}, 5),
    ("early_stopping sometimes", {"max_new_tokens": 4, "num_beams": 3, "early_stopping": "sometimes"}, None, {}, 5),
    ("three of one greedy prompt", {"max_new_tokens": 4, "num_return_sequences": 3}, None, {}, 5),
    ("three samples", {"max_new_tokens": 4, "num_return_sequences": 3, "do_sample": True}, None, {}, 5),
    ("more sequences than beams", {"max_new_tokens": 4, "num_return_sequences": 3, "num_beams": 2}, None, {}, 5),
    ("a file's three sequences, greedily", {"max_new_tokens": 4, "do_sample": False}, None, {"num_return_sequences": 3, "do_sample": True}, 5),
    ("processors that always act", {"max_new_tokens": 4, "guidance_scale": 1.5, "repetition_penalty": 1.5, "encoder_repetition_penalty": 1.25, "no_repeat_ngram_size": 2,
                                    "encoder_no_repeat_ngram_size": 3, "remove_invalid_values": True, "renormalize_logits": True}, None, {}, 5),
    ("their neutral values", {"max_new_tokens": 4, "guidance_scale": 1.0, "repetition_penalty": 1.0, "encoder_repetition_penalty": 1.0, "no_repeat_ngram_size": 0}, None, {}, 5),
    ("a file's switched off", {"max_new_tokens": 4, "repetition_penalty": 1.0, "no_repeat_ngram_size": 0}, None, {"repetition_penalty": 1.5, "no_repeat_ngram_size": 3}, 5),
    ("a file's negative group", {"max_new_tokens": 4}, None, {"no_repeat_ngram_size": -1}, 5),
    ("a repetition_penalty of 0", {"max_new_tokens": 4, "repetition_penalty": 0.0}, None, {}, 5),
    ("a file's negative repetition_penalty", {"max_new_tokens": 4}, None, {"repetition_penalty": -1.5}, 5),
    ("biases", {"max_new_tokens": 4, "sequence_bias": [[[1, 2], -3.5], [[3], 2.0]]}, None, {}, 5),
    ("a bias given twice", {"max_new_tokens": 4, "sequence_bias": [[[1, 2], -3.5], [[3], 2.0], [[1, 2], 4.0]]}, None, {}, 5),
    ("words", {"max_new_tokens": 4, "bad_words_ids": [[1, 2], [3]], "eos_token_id": 9}, None, {}, 5),
    ("words that are ends", {"max_new_tokens": 4, "bad_words_ids": [[1, 9], [9], [8], [4]], "eos_token_id": [8, 9]}, None, {}, 5),
    ("forced tokens after a prompt of one", {"max_new_tokens": 4, "forced_bos_token_id": 7, "forced_eos_token_id": 8, "begin_suppress_tokens": [5]}, None, {}, 1),
    ("forced tokens after a longer prompt", {"max_new_tokens": 4, "forced_bos_token_id": 7, "forced_eos_token_id": [8, 9], "begin_suppress_tokens": [5]}, None, {}, 5),
    ("suppressed at the beginning only", {"max_new_tokens": 4, "begin_suppress_tokens": [5, 6]}, None, {}, 1),
    ("suppressed tokens", {"max_new_tokens": 4, "suppress_tokens": [5, 6]}, None, {"suppress_tokens": [7]}, 5),
    ("a forced token that is suppressed", {"max_new_tokens": 4, "suppress_tokens": [5, 6], "forced_eos_token_id": 6}, None, {}, 5),
    ("one of two forced tokens suppressed", {"max_new_tokens": 4, "suppress_tokens": [5, 6], "forced_eos_token_id": [6, 7]}, None, {}, 5),
    ("a forced bos that is suppressed", {"max_new_tokens": 4, "suppress_tokens": [5], "forced_bos_token_id": 5}, None, {}, 1),
    ("a decay", {"max_new_tokens": 4, "exponential_decay_length_penalty": [2, 1.5], "eos_token_id": 3}, None, {}, 5),
    ("a decay without an end", {"max_new_tokens": 4, "exponential_decay_length_penalty": [2, 1.5]}, None, {}, 5),
    ("pad is the first end", {"max_new_tokens": 4, "eos_token_id": [6, 7]}, None, {}, 5),
    ("pad of its own", {"max_new_tokens": 4}, None, {"eos_token_id": 6, "pad_token_id": 8}, 5),
    ("no end, whatever the file says", {"max_new_tokens": 4, "eos_token_id": None}, None, {"eos_token_id": 6}, 5),
    ("a prompt lookup", {"max_new_tokens": 4, "prompt_lookup_num_tokens": 5}, None, {}, 5),
    ("a prompt lookup that looks further", {"max_new_tokens": 4, "prompt_lookup_num_tokens": 5, "max_matching_ngram_size": 3, "do_sample": True}, None, {}, 5),
    ("a prompt lookup with beams is ignored", {"max_new_tokens": 4, "prompt_lookup_num_tokens": 5, "num_beams": 2}, None, {}, 5),
    ("a prompt lookup of several", {"max_new_tokens": 4, "prompt_lookup_num_tokens": 5, "do_sample": True, "num_return_sequences": 2}, None, {}, 5),
    ("a cache that is none", {"max_new_tokens": 4, "cache_implementation": "attic"}, None, {}, 5),
    ("a static cache", {"max_new_tokens": 4, "cache_implementation": "static"}, None, {}, 5),
    ("a cache without a cache", {"max_new_tokens": 4, "cache_implementation": "quantized", "use_cache": False}, None, {}, 5),
    ("contrastive search", {"max_new_tokens": 4}, None, {"penalty_alpha": 0.6, "top_k": 4}, 5),
    ("penalty_alpha while sampling", {"max_new_tokens": 4, "do_sample": True}, None, {"penalty_alpha": 0.6, "top_k": 4}, 5),
    ("penalty_alpha with top_k 1", {"max_new_tokens": 4}, None, {"penalty_alpha": 0.6, "top_k": 1}, 5),
    ("groups of beams", {"max_new_tokens": 4}, None, {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.5}, 5),
    ("groups without beams", {"max_new_tokens": 4}, None, {"num_beam_groups": 2}, 5),
    ("words that must come", {"max_new_tokens": 4}, None, {"force_words_ids": [[1]], "num_beams": 2}, 5),
    ("layers in contrast", {"max_new_tokens": 4}, None, {"dola_layers": "low"}, 5),
    ("layers in contrast, with beams", {"max_new_tokens": 4}, None, {"dola_layers": "low", "num_beams": 2}, 5),
    ("a streamer in a file", {"max_new_tokens": 4}, None, {"streamer": 1}, 5),
    ("a key that nobody knows", {"max_new_tokens": 4}, None, {"something_new": {"a": [1]}, "transformers_version": "5.0.0"}, 5),
    ("null is unset", {"max_new_tokens": 4}, None, {"top_k": None, "eos_token_id": None, "temperature": None, "do_sample": True}, 5),
]

# What a processor is called in the resolved order, and what it holds.
PROCESSORS = {
    "UnbatchedClassifierFreeGuidanceLogitsProcessor": "guidance_scale", "SequenceBiasLogitsProcessor": "sequence_bias",
    "EncoderRepetitionPenaltyLogitsProcessor": "encoder_repetition_penalty", "RepetitionPenaltyLogitsProcessor": "repetition_penalty",
    "NoRepeatNGramLogitsProcessor": "no_repeat_ngram_size", "EncoderNoRepeatNGramLogitsProcessor": "encoder_no_repeat_ngram_size",
    "NoBadWordsLogitsProcessor": "bad_words_ids", "MinLengthLogitsProcessor": "min_length", "MinNewTokensLengthLogitsProcessor": "min_new_tokens",
    "ForcedBOSTokenLogitsProcessor": "forced_bos_token_id", "ForcedEOSTokenLogitsProcessor": "forced_eos_token_id",
    "InfNanRemoveLogitsProcessor": "remove_invalid_values", "ExponentialDecayLengthPenalty": "exponential_decay_length_penalty",
    "SuppressTokensLogitsProcessor": "suppress_tokens", "SuppressTokensAtBeginLogitsProcessor": "begin_suppress_tokens",
    "TemperatureLogitsWarper": "temperature", "TopHLogitsWarper": "top_h", "TopKLogitsWarper": "top_k", "TopPLogitsWarper": "top_p",
    "MinPLogitsWarper": "min_p", "TypicalLogitsWarper": "typical_p", "EpsilonLogitsWarper": "epsilon_cutoff", "EtaLogitsWarper": "eta_cutoff",
    "LogitNormalization": "renormalize_logits",
}


def tokens(value):
    """A list of ints of an int, a list or a tensor."""
    if isinstance(value, torch.Tensor):
        value = value.reshape(-1).tolist()
    return value if isinstance(value, list) else [value]


def pairs(bias):
    """[[ids, bias], ...] in order; minus infinity is left out, as JSON has none."""
    return [[list(ids), value] if value > float("-inf") else [list(ids)] for ids, value in bias.items()]


def describe(processor):
    name = PROCESSORS[type(processor).__name__]
    value = {
        "guidance_scale": lambda p: p.guidance_scale, "sequence_bias": lambda p: pairs(p.sequence_bias),
        "encoder_repetition_penalty": lambda p: 1 / p.penalty, "repetition_penalty": lambda p: p.penalty,
        "no_repeat_ngram_size": lambda p: p.ngram_size, "encoder_no_repeat_ngram_size": lambda p: p.ngram_size,
        "bad_words_ids": lambda p: pairs(p.sequence_bias), "min_length": lambda p: p.min_length, "min_new_tokens": lambda p: p.min_new_tokens,
        "forced_bos_token_id": lambda p: p.bos_token_id, "forced_eos_token_id": lambda p: tokens(p.eos_token_id),
        "remove_invalid_values": lambda p: True, "suppress_tokens": lambda p: tokens(p.suppress_tokens),
        "begin_suppress_tokens": lambda p: {"tokens": tokens(p.begin_suppress_tokens), "length": int(p.begin_index)},
        "exponential_decay_length_penalty": lambda p: [int(p.regulation_start), p.regulation_factor],
        "temperature": lambda p: p.temperature, "top_h": lambda p: p.top_h, "top_k": lambda p: p.top_k, "top_p": lambda p: p.top_p,
        "min_p": lambda p: p.min_p, "typical_p": lambda p: p.mass, "epsilon_cutoff": lambda p: p.epsilon, "eta_cutoff": lambda p: float(p.epsilon),
        "renormalize_logits": lambda p: True,
    }[name](processor)
    return name, value


class Reached(Exception):
    """Decoding would begin."""


def make_model():
    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(vocab_size=100, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1,
                                        max_position_embeddings=64, eos_token_id=None, bos_token_id=None, pad_token_id=None))


def resolve(model, call, file, own, prompt):
    found = {}
    unused = []

    def method(self, input_ids, logits_processor=None, stopping_criteria=None, generation_config=None, **kwargs):
        found["config"] = generation_config
        found["processors"] = logits_processor
        raise Reached

    class Listener(logging.Handler):
        def emit(self, record):
            text = record.getMessage()
            if "generation flags are not valid" in text:
                unused[:] = re.findall(r"'(\w+)'", text.split("[")[1].split("]")[0])

    validate = GenerationConfig.validate

    def last_validate(self, strict=False, user_set_attributes=None):
        unused.clear()
        transformers.utils.logging.warning_once.cache_clear()  # the same warning comes once in a process: each case shall have it
        return validate(self, strict=strict, user_set_attributes=user_set_attributes)

    model = copy.copy(model)
    for name in ("_sample", "_beam_search", "_assisted_decoding"):
        setattr(type(model), name, method)
    logger = configuration_utils.logger
    listener = Listener()
    logger.addHandler(listener)
    GenerationConfig.validate = last_validate
    try:
        model.generation_config = GenerationConfig.from_dict(dict(own))
        named = GenerationConfig.from_dict(dict(file)) if file is not None else None
        model.generate(torch.arange(1, prompt + 1)[None], generation_config=named, **copy.deepcopy(call))
    except Reached:
        pass
    except Exception as error:  # noqa: BLE001
        return {"error": [type(error).__name__, str(error).split("\n")[0][:160]]}
    finally:
        GenerationConfig.validate = validate
        logger.removeHandler(listener)
    config = found["config"]
    held = dict(describe(p) for p in found["processors"])
    eos = config._eos_token_tensor
    pad = config._pad_token_tensor
    keeps = {getattr(p, "min_tokens_to_keep", None) for p in found["processors"]} - {None}
    beams = config.num_beams > 1
    if not held.get("bad_words_ids", True):  # every word was an end
        del held["bad_words_ids"]
    if prompt > 1:  # its turn never comes
        held.pop("forced_bos_token_id", None)
    if "min_new_tokens" in held:  # one number says both
        held["min_length"] = max(held["min_length"], prompt + held.pop("min_new_tokens"))
    return {
        "resolved": {
            "mode": str(config.get_generation_mode().value),
            "limit": config.max_length,
            "eos_token_id": [] if eos is None else eos.tolist(),
            "pad_token_id": 0 if pad is None else int(pad),
            "fill_token_id": int(pad or eos[0] if eos is not None else -1),  # as _beam_search() has it
            "num_beams": config.num_beams,
            "num_return_sequences": config.num_return_sequences,
            "early_stopping": config.early_stopping if beams else False,
            "length_penalty": config.length_penalty if beams else 1.0,
            "min_keep": max(keeps) if keeps else 1,
            "prompt_lookup_num_tokens": 0 if beams else config.prompt_lookup_num_tokens or 0,
            "processors": held,
        },
        "unused": unused,
    }


def main():
    model = make_model()
    cases = []
    for label, call, file, own, prompt in CASES:
        case = {"label": label, "call": call, "file": file, "model": own, "prompt": prompt}
        case.update(resolve(model, call, file, own, prompt))
        cases.append(case)
    out = {"what": "what generate() decides from call, named file and model's file: tests/golden/make_generation_configs.py",
           "transformers": transformers.__version__, "torch": torch.__version__, "vocab_size": 100, "max_position_embeddings": 64, "cases": cases}
    text = json.dumps(out, ensure_ascii=False)
    text = text.replace(', {"label"', ',\n  {"label"').replace('[{"label"', '[\n  {"label"')
    Path(__file__).with_name("generation_configs.json").write_text(text + "\n", encoding="utf-8")
    print(len(cases), "cases,", sum("error" in c for c in cases), "errors")


if __name__ == "__main__":
    main()
