"""The reference for chat templates: transformers' own apply_chat_template(tokenize=False), with a clock that stands still.

Needs PyPI's transformers and jinja2 >= 3.1.6. Used by make_chat_golden.py, fuzz_chat.py and packaged_chat.py.
"""
import datetime as dt
import json
import subprocess

import transformers.utils.chat_template_utils as ctu
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

NOW = dt.datetime(2025, 3, 4, 5, 6, 7)
SPECIAL = dict(bos_token="<s>", eos_token="</s>", unk_token="<unk>")


class Frozen(dt.datetime):
    @classmethod
    def now(cls, tz=None):
        return NOW


ctu.datetime = Frozen
TOKENIZER = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(WordLevel({"<unk>": 0, "<s>": 1, "</s>": 2}, unk_token="<unk>")), **SPECIAL)


def case(name, template, messages, tools=None, documents=None, **kwargs):
    """One case with what the reference makes of it: "expected", or "error" (class, first line of the message)."""
    made = dict(name=name, template=template, messages=messages, tools=tools, documents=documents, kwargs=kwargs, special=SPECIAL, now=str(NOW))
    try:
        made["expected"] = TOKENIZER.apply_chat_template(messages, tools=tools, documents=documents, chat_template=template, tokenize=False, **kwargs)
    except Exception as e:
        made["error"] = [type(e).__name__, (str(e).splitlines() or [""])[0][:200]]
    return made


def line_of(made):
    return json.dumps(made, ensure_ascii=False, separators=(",", ":"))


def render(program, cases, timeout=600):
    """What render_chat makes of cases: a list of {"text"} or {"error"}."""
    text = "".join(line_of(c) + "\n" for c in cases).encode("utf-8", "surrogatepass")
    done = subprocess.run([program], input=text, stdout=subprocess.PIPE, timeout=timeout, check=False)
    answers = [json.loads(line) for line in done.stdout.decode("utf-8").split("\n") if line]
    if done.returncode != 0 or len(answers) != len(cases):
        raise SystemExit(f"{program}: exit status {done.returncode} after {len(answers)} of {len(cases)} cases; the next one was\n"
                         + line_of(cases[len(answers)] if len(answers) < len(cases) else {}))
    return answers


def differences(cases, answers):
    """Cases where the two disagree: whether there is an error, or the text."""
    for made, answer in zip(cases, answers):
        if "expected" in made:
            if answer.get("text") != made["expected"]:
                yield made, answer
        elif "error" not in answer:
            yield made, answer
