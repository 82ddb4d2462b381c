"""oclm's C API from Python, by ctypes: what compare_generate.py asks the library with. Structures are read from the public headers, so that they cannot
drift from them."""
import ctypes as c
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
UNSET = 0xFFFFFFFF
KINDS = {"size_t": c.c_size_t, "uint32_t": c.c_uint32, "uint64_t": c.c_uint64, "int32_t": c.c_int32, "double": c.c_double, "float": c.c_float, "bool": c.c_bool}
REASONS = ["length", "eos_token", "cancelled", "stop_string", "max_time", "stopping", "none"]
EARLY = {False: 1, True: 2, "never": 3}


def structure(name):
    """A struct of a public header: numbers as they are, enumerations as ints, all else as pointers."""
    for header in (ROOT / "include/oclm").glob("*.h"):
        text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S)
        found = re.search(rf"typedef struct {name} {{(.*?)}} {name};", text, flags=re.S)
        if found:
            break
    members = []
    for line in filter(None, map(str.strip, found[1].split(";"))):
        for member in line.split(","):
            if "*" in member:
                kind = c.c_void_p
            elif "_callback" in line:
                kind = c.c_void_p
            else:
                kind = KINDS.get(line.split()[0], c.c_int)
            members.append((re.sub(r"\[.*", "", member).split()[-1].lstrip("*"), kind))
    return type(name, (c.Structure,), {"_fields_": members})


Options = structure("oclm_generate_options")


class TokenIds(c.Structure):
    _fields_ = [("ids", c.c_void_p), ("count", c.c_size_t)]


class Bias(c.Structure):
    _fields_ = [("ids", c.c_void_p), ("count", c.c_size_t), ("bias", c.c_float)]


class OclmError(Exception):
    def __init__(self, status, message):
        super().__init__(f"{status}: {message}")
        self.status = status


class Library:
    def __init__(self, path):
        self.c = c.CDLL(str(path))
        for name in ("last_error", "status_name"):
            getattr(self.c, "oclm_" + name).restype = c.c_char_p
        for name in ("ids", "scores", "logits", "beam_indices"):
            getattr(self.c, "oclm_generation_" + name).restype = c.c_void_p
        self.c.oclm_generation_score.restype = c.c_float
        self.c.oclm_generation_count.restype = c.c_size_t

    def check(self, status):
        if status != 0:
            raise OclmError(self.c.oclm_status_name(status).decode(), self.c.oclm_last_error().decode())

    def model(self, folder):
        handle = c.c_void_p()
        self.check(self.c.oclm_model_load(str(folder).encode(), None, c.byref(handle)))
        return handle

    def tokenizer(self, folder):
        handle = c.c_void_p()
        self.check(self.c.oclm_tokenizer_load(str(folder).encode(), None, c.byref(handle)))
        return handle

    def options(self, call, kept):
        """transformers' keyword arguments as oclm_generate_options; what it points to goes to `kept`."""
        o = Options()
        self.c.oclm_generate_options_init(c.byref(o), c.c_size_t(c.sizeof(o)))

        def array(kind, values):
            made = (kind * max(1, len(values)))(*values)
            kept.append(made)
            return c.cast(made, c.c_void_p)

        def listed(member, count, values):
            setattr(o, member, array(c.c_int32, values))
            setattr(o, count, len(values))

        for name, value in call.items():
            if name == "eos_token_id":
                if value is None:
                    o.use_eos_token = 2
                else:
                    listed("eos_token_ids", "eos_token_count", value if isinstance(value, list) else [value])
            elif name == "forced_eos_token_id":
                listed("forced_eos_token_ids", "forced_eos_token_count", value if isinstance(value, list) else [value])
            elif name in ("suppress_tokens", "begin_suppress_tokens"):
                listed(name, name[:-1] + "_count", value)
            elif name == "negative_prompt_ids":
                listed(name, "negative_prompt_count", value)
            elif name == "bad_words_ids":
                o.bad_words_ids = array(TokenIds, [TokenIds(array(c.c_int32, w), len(w)) for w in value])
                o.bad_words_count = len(value)
            elif name == "sequence_bias":
                o.sequence_bias = array(Bias, [Bias(array(c.c_int32, w), len(w), b) for w, b in value])
                o.sequence_bias_count = len(value)
            elif name == "exponential_decay_length_penalty":
                o.exponential_decay_start, o.exponential_decay_factor = value
            elif name == "stop_strings":
                o.stop_strings = array(c.c_char_p, [s.encode() for s in ([value] if isinstance(value, str) else value)])
                o.stop_string_count = 1 if isinstance(value, str) else len(value)
            elif name == "early_stopping":
                o.early_stopping = EARLY[value]
            elif name in ("do_sample", "remove_invalid_values", "renormalize_logits"):
                setattr(o, name, 1 if value else 2)
            else:
                setattr(o, name, value)
        return o

    def generate(self, model, prompts, call, tokenizer=None):
        kept, handle = [], c.c_void_p()
        options = self.options(call, kept)
        arrays = [int32s(p) for p in prompts]
        texts = (TokenIds * len(prompts))(*[TokenIds(c.cast(a, c.c_void_p), len(p)) for a, p in zip(arrays, prompts)])
        self.check(self.c.oclm_generate_batch(model, tokenizer, texts, c.c_size_t(len(prompts)), c.byref(options), c.byref(handle)))
        try:
            return Generation(self, handle, call)
        finally:
            self.c.oclm_generation_free(handle)


def int32s(ids):
    return (c.c_int32 * max(1, len(ids)))(*ids)


class Generation:
    """What came back, as Python lists and NumPy arrays."""

    def __init__(self, library, handle, call):
        import numpy
        self.ids, self.reasons, self.sequences_scores, self.beams, self.transitions = [], [], [], [], []
        size = c.c_size_t()
        self.scores, self.logits = None, None
        for name in ("scores", "logits"):
            steps, rows, vocab = c.c_size_t(), c.c_size_t(), c.c_size_t()
            pointer = getattr(library.c, "oclm_generation_" + name)(handle, c.byref(steps), c.byref(rows), c.byref(vocab))
            if pointer:
                flat = (c.c_float * (steps.value * rows.value * vocab.value)).from_address(pointer)
                setattr(self, name, numpy.array(flat, dtype=numpy.float32).reshape(steps.value, rows.value, vocab.value))
        for i in range(library.c.oclm_generation_count(handle)):
            pointer = library.c.oclm_generation_ids(handle, c.c_size_t(i), c.byref(size))
            self.ids.append(list((c.c_int32 * size.value).from_address(pointer)) if size.value else [])
            self.reasons.append(REASONS[library.c.oclm_generation_finish_reason(handle, c.c_size_t(i))])
            self.sequences_scores.append(library.c.oclm_generation_score(handle, c.c_size_t(i)))
            pointer = library.c.oclm_generation_beam_indices(handle, c.c_size_t(i), c.byref(size))
            self.beams.append(list((c.c_int32 * size.value).from_address(pointer)) if pointer and size.value else [] if pointer else None)
            if call.get("output_scores"):
                room = (c.c_float * max(1, len(self.ids[-1])))()
                library.check(library.c.oclm_generation_transition_scores(handle, c.c_size_t(i), c.c_bool(False), room, c.c_size_t(len(self.ids[-1]))))
                self.transitions.append(list(room)[:len(self.ids[-1])])
