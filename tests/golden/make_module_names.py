#!/usr/bin/env python3
"""Writes module_names.json: what modules a device map may name of each family's tiny model, as transformers calls them and in its order: all that
are no layer, and the layers as "model.layers.*". Vision towers and the like are left out, which oclm does not load.

Usage: make_module_names.py [OUT]     needs torch and transformers 5.23; reads families/*/config.json and tiny/*/config.json beside it
"""
import json
import logging
import re
import sys
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM

logging.disable(logging.WARNING)
HERE = Path(__file__).parent
FOREIGN = ("vision_tower", "embed_vision", "audio_tower", "embed_audio", "multi_modal_projector")


def modules(module, no_split, before=""):
    names = []
    for n, child in module.named_children():
        if n in FOREIGN:
            continue
        if type(child).__name__ in no_split:
            names.append(before + re.sub(r"^\d+$", "*", n))
        else:
            names += modules(child, no_split, before + n + ".") if any(True for _ in child.children()) else [before + n]
    return list(dict.fromkeys(names))


def main(out):
    models = {}
    for config in sorted(HERE.glob("families/*/config.json")) + sorted(HERE.glob("tiny/*/config.json")):
        name = f"{config.parent.parent.name}/{config.parent.name}"
        try:
            with torch.device("meta"):
                model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(config.parent))
        except (ValueError, KeyError) as error: # what transformers itself does not load as it is
            print(f"left out: {name}: {str(error).splitlines()[0][:100]}")
            continue
        models[name] = " ".join(modules(model, set(model._no_split_modules or [])))
    with open(out, "w") as f:
        f.write("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in models.items()) + "\n}\n")
    print(len(models), "models")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "module_names.json")
