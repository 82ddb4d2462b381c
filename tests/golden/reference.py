"""What the golden files compare with: transformers' eager forward pass, in float32 and wholly in float64.

`dtype=torch.float64` alone is no float64 reference: transformers computes RMSNorm, the RoPE tables and the softmax of llama
in float32 whatever the model's dtype, which leaves 1e-6 of noise in the logits. Inside `everything_in_float64()` the word
float32 means float64: torch.float32, torch.float and Tensor.float() are replaced, so those steps and the RoPE frequencies
too are computed in float64. The weights are the stored ones (float32, float16 or bfloat16), widened without change.
"""
import contextlib
import json

import torch
import transformers
from transformers import AutoModelForCausalLM

VERSIONS = {"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__}
transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
torch.set_num_threads(1)        # one order of summation


@contextlib.contextmanager
def everything_in_float64():
    kept = torch.float32, torch.float, torch.Tensor.float
    torch.float32 = torch.float = torch.float64
    torch.Tensor.float = torch.Tensor.double
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.float32, torch.float, torch.Tensor.float = kept
        torch.set_default_dtype(torch.float32)


class Reference:
    """A model folder at one precision."""

    def __init__(self, folder, precision, attention="eager"):
        self.wide = precision == "float64"
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation=attention).eval()
        self.model.config._experts_implementation = "eager"     # others have no float64
        if self.wide:       # built where float32 means float64, so that tables made with the model are wide too
            weights = self.model.state_dict()
            with everything_in_float64():
                self.model = type(self.model)._from_config(self.model.config, dtype=torch.float64, attn_implementation=attention).eval()
                self.model.load_state_dict(weights)

    def _fresh(self):
        """Dynamic RoPE remembers the longest sequence it has seen: every sequence starts from new tables."""
        rotary = getattr(self.model.base_model, "rotary_emb", None)
        if rotary is not None and "dynamic" in getattr(rotary, "rope_type", ""):
            self.model.base_model.rotary_emb = type(rotary)(self.model.config)

    def _context(self):
        stack = contextlib.ExitStack()
        stack.enter_context(torch.inference_mode())
        if self.wide:
            stack.enter_context(everything_in_float64())
        return stack

    def logits(self, ids):
        """[length][vocab] in float64, from one forward pass without a cache."""
        with self._context():
            self._fresh()
            out = self.model(input_ids=torch.tensor([ids]), use_cache=False).logits[0]
            assert out.dtype == (torch.float64 if self.wide else torch.float32)
        return out.to(torch.float64).clone()

    def greedy(self, ids, count, eos=()):
        """New ids as generate() chooses them, cache and all, up to an id of `eos`; and the smallest lead of a first over a second choice."""
        new, lead, step, cache = [], float("inf"), list(ids), None
        with self._context():
            self._fresh()
            while len(new) < count and not (new and new[-1] in eos):
                out = self.model(input_ids=torch.tensor([step]), past_key_values=cache, use_cache=True)
                cache = out.past_key_values
                first, second = out.logits[0, -1].topk(2).values.tolist()
                lead = min(lead, first - second)
                step = [out.logits[0, -1].argmax().item()]
                new += step
        return new, lead

    def beams(self, ids, count, beams=3):
        """`count` new ids of the best of `beams` beams, no end of text."""
        with self._context():
            self._fresh()
            out = self.model.generate(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long), num_beams=beams, do_sample=False,
                                      max_new_tokens=count, eos_token_id=None, pad_token_id=0)
        return out[0, len(ids):].tolist()


def digits(values):
    """9 significant digits: more than a float32 holds."""
    return [float(f"{v:.9g}") for v in values.tolist()]


def answers(folder, prompts, greedy_count, positions_of, eos=()):
    """The golden part of a prompt: logits at some positions, torch's own error there, greedy continuation."""
    narrow, wide = Reference(folder, "float32"), Reference(folder, "float64")
    result = []
    for ids, count in zip(prompts, greedy_count):
        positions = positions_of(len(ids))
        exact = wide.logits(ids)[positions]
        error = (narrow.logits(ids)[positions] - exact).abs().max().item()
        new, lead = wide.greedy(ids, count, eos)
        new32, _ = narrow.greedy(ids, count, eos)
        result.append({"input_ids": ids, "positions": positions, "logits": [digits(row) for row in exact],
                       "float32_max_abs_error_of_torch": float(f"{error:.3g}"), "greedy_new_ids": new,
                       "greedy_new_ids_agree_in_float32": new == new32, "greedy_smallest_lead": float(f"{lead:.3g}")})
    return result


def readable(record):
    """JSON with one idea, or one row of logits, a line: for a reader and for git."""
    text = json.dumps(record)
    for key in ("seed", "float32_max", "prompts", "positions", "logits", "greedy_new_ids", "new_text"):
        text = text.replace(f' "{key}', f'\n "{key}')
    for key in ("input_ids", "text"):
        text = text.replace(f'{{"{key}"', f'\n {{"{key}"')
    return text.replace("], [", "],\n  [") + "\n"
