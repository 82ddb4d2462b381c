#!/usr/bin/env python3
"""Writes data/small.jsonl.xz: small tokenizers, one for each component and option, and what Hugging Face's make of them.

A line is {"label", "tokenizer": a tokenizer.json as text, "cases": [as in make_golden's lines], "streams": [...]}.
Needs `pip install tokenizers==0.23.3`; the seed is fixed, the same version gives the same bytes.
"""
import json
import lzma
import pathlib
import random

from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream

SEED = 20
WORDS = ["hello", "world", "the", "token", "123", "don't", "I'll", "été", "日本"]


def byte_chars():
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = iter(range(256, 512))
    return {b: chr(b) if b in visible else chr(next(rest)) for b in range(256)}


BYTES = byte_chars()


def merges_of(words, vocab):
    """Merges that build each word from the left; adds what they make to the vocabulary."""
    merges = []
    for word in words:
        for n in range(1, len(word)):
            pair = [word[:n], word[n]]
            if pair not in merges:
                merges.append(pair)
                vocab.setdefault("".join(pair), len(vocab))
    return merges


def byte_model(**options):
    vocab = {c: i for i, c in enumerate(BYTES.values())}
    spelled = ["".join(BYTES[b] for b in word.encode()) for word in WORDS + [" " + w for w in WORDS]]
    merges = merges_of(spelled, vocab)
    return {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": False,
            "byte_fallback": False, "ignore_merges": False, "vocab": vocab, "merges": [" ".join(pair) for pair in merges]} | options


def char_model(bytes_known=range(0), **options):
    vocab = {"<unk>": 0}
    for b in bytes_known:
        vocab[f"<0x{b:02X}>"] = len(vocab)
    for c in "▁abcdefghijklmnopqrstuvwxyz'-.0123456789 <>":
        vocab[c] = len(vocab)
    merges = merges_of(["hello", "▁hello", "▁the", "world", "▁a", "a b"], vocab)
    return {"type": "BPE", "unk_token": "<unk>", "vocab": vocab, "merges": merges} | options


def prefixed_model():
    vocab = {"<unk>": 0}
    for c in "abcdefgh":
        for token in (c, "##" + c, c + "</w>", "##" + c + "</w>"):
            vocab[token] = len(vocab)
    merges = [["a", "##b"], ["ab", "##c"], ["##d", "##e"], ["abc", "##de"], ["g", "##h</w>"], ["##f", "##g"], ["##e", "##f</w>"]]
    for left, right in merges:
        vocab.setdefault(left + right[2:], len(vocab))
    return {"type": "BPE", "unk_token": "<unk>", "continuing_subword_prefix": "##", "end_of_word_suffix": "</w>", "vocab": vocab, "merges": merges}


def added(content, flags="", number=0):
    return {"id": number, "content": content, "single_word": "w" in flags, "lstrip": "l" in flags, "rstrip": "r" in flags,
            "normalized": "n" in flags, "special": "s" in flags}


def file(model, pre=None, normalizer=None, post=None, decoder=None, tokens=(), **more):
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": list(tokens), "normalizer": normalizer, "pre_tokenizer": pre,
            "post_processor": post, "decoder": decoder, "model": model} | more


def sequence(key, *members):
    return {"type": "Sequence", key: list(members)}


def split(pattern, behavior, invert):
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}


def template(single, ids):
    parts = [{"Sequence": {"id": "A", "type_id": 0}} if p == "A" else {"SpecialToken": {"id": p, "type_id": 0}} for p in single]
    return {"type": "TemplateProcessing", "single": parts, "pair": parts + [{"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {name: {"id": name, "ids": numbers, "tokens": [name] * len(numbers)} for name, numbers in ids.items()}}


PLAIN = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
MAP_ONLY = PLAIN | {"use_regex": False}
BYTE_DECODER = PLAIN
LLAMA_DECODER = sequence("decoders", {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
                         {"type": "Strip", "content": " ", "start": 1, "stop": 0})
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def files():
    yield "byte level", file(byte_model(), PLAIN, decoder=BYTE_DECODER)
    yield "byte level, ignore_merges", file(byte_model(ignore_merges=True), PLAIN, decoder=BYTE_DECODER)
    yield "byte level, defaults", file(byte_model(), {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True}, decoder=BYTE_DECODER)
    yield "byte level, no regex", file(byte_model(), MAP_ONLY, decoder=BYTE_DECODER)
    yield "byte level, then digits", file(byte_model(), sequence("pretokenizers", PLAIN, {"type": "Digits", "individual_digits": False}), decoder=BYTE_DECODER)
    yield "byte level, an unknown token", file(byte_model(unk_token="!"), PLAIN, decoder=BYTE_DECODER)
    holes = byte_model(unk_token="!", fuse_unk=True)
    for c in "xyz":
        del holes["vocab"][c]
    yield "byte level, bytes missing, unknown ones fused", file(holes, PLAIN, decoder=BYTE_DECODER)
    yield "byte level, bytes missing, unknown ones dropped", file(holes | {"unk_token": None}, PLAIN, decoder=BYTE_DECODER)
    for individual in (True, False):
        yield f"digits {individual}", file(byte_model(), sequence("pretokenizers", {"type": "Digits", "individual_digits": individual}, PLAIN), decoder=BYTE_DECODER)
    for behavior in ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"):
        for invert in (False, True):
            yield f"split, {behavior}, {invert}", file(byte_model(), sequence("pretokenizers", split({"String": "-"}, behavior, invert), MAP_ONLY), decoder=BYTE_DECODER)
            yield f"split by a regex, {behavior}, {invert}", file(byte_model(), sequence("pretokenizers", split({"Regex": LLAMA3}, behavior, invert), MAP_ONLY), decoder=BYTE_DECODER)
    yield "split by GPT-2's pattern", file(byte_model(), sequence("pretokenizers", split({"Regex": GPT2}, "Isolated", False), MAP_ONLY), decoder=BYTE_DECODER)
    yield "added tokens", file(byte_model(), PLAIN, decoder=BYTE_DECODER, tokens=[
        added("<s>", "s"), added("[A]"), added("[AB]"), added("<l>", "l"), added("<r>", "rs"), added("<lr>", "lr"), added("wd", "w"), added("hello", "w"),
        added("the", "s"), added(" x", ""), added("\n", "r"), added("日", "w"), added("no", "n"), added("<l>", "ls"), added("-", "lrw")])
    yield "added tokens, NFC", file(byte_model(), PLAIN, {"type": "NFC"}, decoder=BYTE_DECODER, tokens=[
        added("e\u0301t", "n"), added("e\u0301-", ""), added("<s>", "s"), added("\u212b", "ns"), added("no", "nlrw")])
    yield "a sequence of normalizers", file(byte_model(), PLAIN, sequence("normalizers", {"type": "NFC"}, sequence("normalizers"), {"type": "NFC"}), decoder=BYTE_DECODER)
    yield "an empty normalizer", file(byte_model(), PLAIN, sequence("normalizers"), decoder=BYTE_DECODER)
    yield "ids with holes", file({"type": "BPE", "vocab": {"a": 0, "b": 5}, "merges": []}, decoder=BYTE_DECODER, tokens=[added(f"<{i}>", "s" if i % 2 else "") for i in range(7)])
    yield "no decoder", file(char_model(), tokens=[added("<unk>", "s")])
    yield "template", file(byte_model(), PLAIN, post=template(["<s>", "A", "</s>"], {"<s>": [300, 301], "</s>": [5]}), decoder=BYTE_DECODER)
    yield "byte level and template", file(byte_model(), PLAIN, post=sequence("processors", {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False}, template(["<s>", "A"], {"<s>": [7]})),
                                          decoder=BYTE_DECODER, tokens=[added("<s>", "s")])
    yield "characters, unknown", file(char_model(), decoder=LLAMA_DECODER)
    yield "characters, unknown fused", file(char_model(fuse_unk=True), decoder=LLAMA_DECODER)
    yield "characters, byte fallback", file(char_model(range(256), byte_fallback=True), decoder=LLAMA_DECODER, tokens=[added("<unk>", "s")])
    yield "characters, some bytes", file(char_model(range(128, 240), byte_fallback=True, fuse_unk=True), decoder=LLAMA_DECODER)
    yield "characters, ignore_merges", file(char_model(ignore_merges=True), decoder=sequence("decoders", {"type": "ByteFallback"}))
    yield "characters, no unknown token", file(char_model(unk_token=None), decoder={"type": "Strip", "content": "l", "start": 0, "stop": 1})
    yield "characters, strip at the start", file(char_model(unk_token=None), decoder={"type": "Strip", "content": "h", "start": 2, "stop": 0})
    yield "characters under byte level with fallback", file(char_model(range(256), byte_fallback=True), PLAIN, decoder=BYTE_DECODER)
    yield "prefix and suffix", file(prefixed_model(), {"type": "Digits", "individual_digits": False}, decoder={"type": "Fuse"})
    old = char_model()
    del old["type"]
    yield "an old file without a type", file(dict(reversed(old.items())), decoder={"type": "Fuse"})
    yield "sections in another order", dict(reversed(file(byte_model(), PLAIN, post=template(["A", "<e>"], {"<e>": [3]}), decoder=BYTE_DECODER, tokens=[added("<e>", "s")]).items()))


def texts(r, tokens):
    pieces = WORDS + [" ", "  ", "\n", "\r\n", "\t", "\u3000", "\u00a0", "-", "--", "a", "b", "ab", "abcdefgh", "abc", "gh", "x", "xyz", "no", "NO", "_", "½", "\u0301", "\u200d", "é", "e\u0301", "e\u0301t", "\u212b",
              "A\u030a", "<", ">", "[A", "[AB", "]", "▁", "▁hello", "😀", "\U0001f468\u200d\U0001f469", "\x00", "\x7f", "1", "99", "1234567", "the-final--countdown-", "'S", "'ll", "...", "!", "wd", "日", "本"] + 2 * tokens
    yield ""
    yield "the-final--countdown-"
    yield from pieces
    for _ in range(60):
        yield "".join(r.choice(pieces) for _ in range(r.randrange(2, 9)))


def case(tokenizer, text):
    ids, special = tokenizer.encode(text, add_special_tokens=False).ids, tokenizer.encode(text).ids
    line = {"text": text, "ids": ids, "ids_special": special, "decoded": tokenizer.decode(ids, skip_special_tokens=False),
            "decoded_skip": tokenizer.decode(special, skip_special_tokens=True)}
    for key in ("text", "decoded", "decoded_skip"):
        if "\0" in line[key]:
            line[key + "_hex"] = line[key].encode().hex()
            line[key] = ""
    return line


def stream(tokenizer, r, size):
    ids, skip = [r.randrange(size + 3) for _ in range(r.randrange(2, 16))], bool(r.randrange(2))
    decode, steps = DecodeStream(skip_special_tokens=skip), []
    for number in ids:
        try:
            steps.append(decode.step(tokenizer, number))
        except Exception:
            break
        if steps[-1] is not None and "\0" in steps[-1]:
            return stream(tokenizer, r, size)
    return {"ids": ids, "skip_special_tokens": skip, "steps": steps}


def main():
    lines = []
    for label, config in files():
        r = random.Random(SEED)
        text = json.dumps(config, ensure_ascii=False)
        tokenizer = Tokenizer.from_str(text)
        size = max(tokenizer.get_vocab().values()) + 1
        cases = [case(tokenizer, t) for t in dict.fromkeys(texts(r, [t["content"] for t in config["added_tokens"]]))]
        streams = [stream(tokenizer, r, size) for _ in range(12)]
        lines.append(json.dumps({"label": label, "tokenizer": text, "cases": cases, "streams": streams}, ensure_ascii=True, separators=(",", ":")) + "\n")
    packed = lzma.compress("".join(lines).encode(), preset=9 | lzma.PRESET_EXTREME)
    path = pathlib.Path(__file__).resolve().parent / "data" / "small.jsonl.xz"
    path.write_bytes(packed)
    print(f"{path.name}: {len(lines)} tokenizers, {sum(map(len, lines))} bytes, packed {len(packed)}")


if __name__ == "__main__":
    main()
