#!/usr/bin/env python3
"""Writes data/folders.jsonl.xz: folders of tokenizer files as repositories have them, and what transformers makes of each.

A line is {"label", "files": {name: base64}, "named": special_tokens_map, "padding_side", "cases": [as in make_small_golden]}.
Needs `pip install tokenizers==0.23.3 transformers==5.24.0 sentencepiece==0.2.3 protobuf tiktoken==0.14.0
gguf==0.19.0` (no torch); the seed is fixed.
"""
import base64
import json
import lzma
import pathlib
import random
import tempfile

import gguf
import make_small_golden as small
import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from transformers import AutoTokenizer
from transformers.integrations.mistral.tokenizer import MistralConverter
from transformers import TokenizersBackend

CLASS = {"tokenizer_class": "PreTrainedTokenizerFast"}
TEXT = "the token hello world don't I'll été 日本 123 the the token world hello token the world"


def token(content, flags=""):
    entry = small.added(content, flags)
    del entry["id"]
    return entry


def typed(content, flags=""):
    return {"__type": "AddedToken"} | token(content, flags)


def plain_json(**more):
    return small.file(small.byte_model(), small.PLAIN, decoder=small.BYTE_DECODER, **more)


def size_of(config):
    return len(config["model"]["vocab"])


def with_json():
    config = plain_json(tokens=[small.added("<s>", "s"), small.added("[A]"), small.added("hello", "n"), small.added("</s>", "s")])
    n = size_of(config)
    template = small.template(["<s>", "A"], {"<s>": [n]})
    yield "names as strings", config, {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "model_max_length": 512, "padding_side": "left"}
    yield "names as objects", config, {"bos_token": typed("<s>", "s"), "mask_token": typed("<mask>", "l"), "eos_token": None, "image_token": "<image>",
                                       "extra_special_tokens": {"audio_token": "<audio>", "boi_token": typed("<boi>", "r")}}
    yield "flags of the config win", config, {"added_tokens_decoder": {str(n): token("<s>", "lrs"), str(n + 1): token("[A]", "s"), str(n + 2): token("hello", "w"),
                                              str(n + 5): token("wd", "w"), str(n + 4): token(" x", "n")}, "pad_token": "wd", "bos_token": "<s>"}
    yield "ids of the config are in order", config, {"added_tokens_decoder": {str(n + 11): token("[AB]", "s"), str(n + 9): token("-"), str(n + 10): token("--", "s")}}
    yield "extra special tokens", config, {"additional_special_tokens": ["[AB]", "-", "wd"], "bos_token": "<s>"}
    yield "extra special tokens, new name", config, {"extra_special_tokens": ["[AB]", typed("wd", "ws"), "hello"], "additional_special_tokens": ["no"]}
    yield "flags of BOS and EOS do not count", config | {"post_processor": template}, {"bos_token": "<s>", "eos_token": "</s>", "add_eos_token": True}
    yield "flags of BOS and EOS do not count, none in the file", config, {"bos_token": "<s>", "add_bos_token": True}
    yield "byte-level, spaces are not cleaned up", config, {"clean_up_tokenization_spaces": True}
    yield "byte-level, spaces are cleaned up all the same", config, {
        "clean_up_tokenization_spaces": True, "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output": True}
    words = [w for w in "the token hello world don ' t . , ! ? n't 'm 's I a it ##s ##en b c 've 're 've".split()]
    pieces = {w: i for i, w in enumerate(dict.fromkeys(["[UNK]", *words]))}
    model = {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": pieces}
    wordpiece = small.file(model, {"type": "WhitespaceSplit"}, decoder={"type": "WordPiece", "prefix": "##", "cleanup": False})
    for clean in (True, False):
        yield f"WordPiece, clean_up_tokenization_spaces {clean}", wordpiece, {"unk_token": "[UNK]", "clean_up_tokenization_spaces": clean}
    yield "special tokens are split", config, {"split_special_tokens": True, "bos_token": "<s>", "eos_token": "</s>", "extra_special_tokens": ["[AB]"]}


def legacy():
    config = plain_json(tokens=[small.added("<s>", "s"), small.added("[A]")])
    n = size_of(config)
    special = {"bos_token": {"content": "<s>", "lstrip": True, "rstrip": False, "normalized": False, "single_word": False}, "eos_token": "</s>",
               "additional_special_tokens": ["[AB]", "wd"]}
    yield "special_tokens_map.json", config, {"eos_token": "<e>", "pad_token": "<pad>"}, {"special_tokens_map.json": special}
    yield "added_tokens.json", config, {}, {"special_tokens_map.json": special, "added_tokens.json": {"wd": n + 3, "--": n + 2, "[A]": n + 1}}
    yield "added_tokens_decoder shuts the older files out", config, {"added_tokens_decoder": {str(n): token("<s>", "s")}}, {
        "special_tokens_map.json": special, "added_tokens.json": {"wd": n + 3}}


def two_files():
    model = small.byte_model()
    model["vocab"]["<|endoftext|>"] = len(model["vocab"])
    files = {"vocab.json": json.dumps(model["vocab"]), "merges.txt": "#version: 0.2\n" + "\n".join(model["merges"]) + "\n"}
    yield "vocab.json and merges.txt", files, {"tokenizer_class": "GPT2Tokenizer"}
    yield "vocab.json and merges.txt, BOS", files, {"tokenizer_class": "GPT2Tokenizer", "add_bos_token": True, "pad_token": "<pad>"}


def byte_tokens():
    """Byte strings in the order of their ranks: what byte_model() makes, and a cut that is no pair of merges."""
    back = {c: b for b, c in small.BYTES.items()}
    tokens = [bytes(back[c] for c in token) for token in small.byte_model()["vocab"]]
    return tokens + [b"or", b"ld", b"orld", b"ken", b"en"]


def tiktoken_files():
    tokens = byte_tokens()
    n = len(tokens)
    lines = "".join(f"{base64.b64encode(t).decode()} {rank}\n" for rank, t in enumerate(tokens))
    yield "tiktoken.model", {"tiktoken.model": lines}, CLASS | {"bos_token": "<s>"}
    yield "tokenizer.model of tiktoken's", {"tokenizer.model": lines}, CLASS | {
        "added_tokens_decoder": {str(n + 5): token("<s>", "s"), str(n): token("</s>", "s")}, "bos_token": "<s>", "eos_token": "</s>", "add_bos_token": True, "add_eos_token": True}


def tekken_file(specials, size=None, count=None):
    vocab = [{"rank": i, "token_bytes": base64.b64encode(t).decode(), "token_str": None} for i, t in enumerate(byte_tokens())]
    config = {"pattern": small.LLAMA3, "num_vocab_tokens": 1000, "default_vocab_size": size, "default_num_special_tokens": count, "version": "v3"}
    return json.dumps({"config": {k: v for k, v in config.items() if v is not None}, "vocab": vocab} |
                      ({"special_tokens": [{"rank": i, "token_str": t, "is_control": True} for i, t in enumerate(specials)]} if specials else {}))


def tekken_files():
    yield "tekken.json", tekken_file(["<unk>", "<s>", "</s>", "[A]", "the"], 330, 12)
    yield "tekken.json, its own numbers", tekken_file(["<unk>", "<s>", "</s>"])


CORPUS = ["the token of the world", "hello world, hello token!", "don't say I'll do it", "été à la plage", "日本 の 天気", "tokens, words and worlds", "123 + 456 = 579",
          "the quick brown fox jumps over the lazy dog", "pack my box with five dozen liquor jugs", "hello  hello   the   token"]


def spm(**options):
    with tempfile.TemporaryDirectory() as name:
        corpus, model = name + "/corpus.txt", name + "/m"
        pathlib.Path(corpus).write_text("\n".join(CORPUS * 5) + "\n")
        sentencepiece.SentencePieceTrainer.train(input=corpus, model_prefix=model, minloglevel=2, hard_vocab_limit=False, **options)
        return pathlib.Path(model + ".model").read_bytes()


LLAMA = {"model_type": "bpe", "vocab_size": 420, "byte_fallback": True, "normalization_rule_name": "identity", "remove_extra_whitespaces": False, "split_digits": True}
T5 = {"model_type": "unigram", "vocab_size": 160, "normalization_rule_name": "nmt_nfkc", "pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}


def spm_files():
    bos = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "add_bos_token": True, "add_eos_token": False}
    llama = spm(**LLAMA)
    yield "SentencePiece BPE, as Llama's", "tokenizer.model", llama, bos | {"legacy": True}
    yield "SentencePiece BPE, not legacy", "tokenizer.model", llama, bos | {"legacy": False, "add_eos_token": True}
    yield "SentencePiece BPE, more tokens", "tokenizer.model", llama, bos | {"added_tokens_decoder": {
        "0": token("<unk>", "sn"), "1": token("<s>", "sn"), "2": token("</s>", "sn"), "420": token("<|im_start|>", "sn"), "421": token("the", "n")}}
    yield "SentencePiece BPE, renamed pieces", "tokenizer.model", llama, bos | {"added_tokens_decoder": {
        "1": token("<s>", "s"), "300": token("<|user|>", "s"), "301": token("<|end|>", ""), "302": token("▁the", "s"), "5": token("hello", "")}}
    yield "SentencePiece BPE without bytes", "tokenizer.model", spm(**LLAMA | {"byte_fallback": False, "vocab_size": 130}), {}
    yield "SentencePiece BPE, extra spaces go", "tokenizer.model", spm(**LLAMA | {"remove_extra_whitespaces": True, "add_dummy_prefix": False}), {}
    yield "SentencePiece BPE, symbols", "tokenizer.model", spm(**LLAMA | {"user_defined_symbols": ["the", "<sep>", "then", "rl", "--"], "control_symbols": ["<ctl>"]}), {}
    yield "SentencePiece unigram, as T5's", "spiece.model", spm(**T5), {"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>", "add_eos_token": True}
    yield "SentencePiece unigram with bytes", "tokenizer.model", spm(**T5 | {"byte_fallback": True, "vocab_size": 420, "normalization_rule_name": "identity", "bos_id": 3}), {}
    yield "SentencePiece unigram, symbols", "sentencepiece.bpe.model", spm(**T5 | {"user_defined_symbols": ["the", "<sep>"], "normalization_rule_name": "identity"}), {}


def gguf_file(kind, tokens, types, **more):
    with tempfile.TemporaryDirectory() as name:
        writer = gguf.GGUFWriter(name + "/m.gguf", more.pop("architecture", "llama"))
        writer.add_uint32("llama.block_count", 1)
        writer.add_array("general.tags", ["text", "été"])
        writer.add_tokenizer_model(kind)
        writer.add_token_list([t if isinstance(t, bytes) else t.encode() for t in tokens])
        writer.add_token_types(types)
        for key, value in more.items():
            getattr(writer, "add_" + key)(value)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.close()
        return pathlib.Path(name + "/m.gguf").read_bytes()


def gguf_byte_level():
    """Of each: a label, the file, the tokenizer.json that it stands for, names."""
    tokens = [small.added("<s>", "s"), small.added("</s>", "s"), small.added("wd"), small.added("<é>", "s")]
    model = small.byte_model()
    n = len(model["vocab"])
    vocab = [*model["vocab"], *(t["content"] for t in tokens)]
    types = [1] * n + [3, 3, 4, 3]
    common = {"token_merges": model["merges"], "bos_token_id": n, "eos_token_id": n + 1}
    names = {"bos_token": "<s>", "eos_token": "</s>"}
    bos = small.template(["<s>", "A"], {"<s>": [n]})
    split = small.split
    llama3 = small.sequence("pretokenizers", split({"Regex": small.LLAMA3}, "Isolated", False), small.MAP_ONLY)
    qwen2 = small.sequence("pretokenizers", split({"Regex": small.LLAMA3.replace("{1,3}", "")}, "Isolated", False), small.MAP_ONLY)
    smollm = small.sequence("pretokenizers", {"type": "Digits", "individual_digits": True}, small.PLAIN)
    made = lambda pre, **more: small.file(model | more.pop("model", {}), pre, decoder=small.BYTE_DECODER, tokens=tokens, **more)
    yield "GGUF, GPT-2", gguf_file("gpt2", vocab, types, tokenizer_pre="gpt-2", **common), made(small.PLAIN), names
    yield "GGUF, no name of a rule", gguf_file("gpt2", vocab, types, add_bos_token=True, pad_token_id=n + 2, **common), made(small.PLAIN, post=bos), names | {"pad_token": "wd"}
    yield "GGUF, Llama 3", gguf_file("gpt2", vocab, types, tokenizer_pre="llama-bpe", **common), made(llama3, post=bos, model={"ignore_merges": True}), names
    yield "GGUF, Qwen 2", gguf_file("gpt2", vocab, types, tokenizer_pre="qwen2", add_bos_token=False, **common), made(qwen2, normalizer={"type": "NFC"}), names
    yield "GGUF, SmolLM", gguf_file("gpt2", vocab, types, tokenizer_pre="smollm", **common), made(smollm), names
    raw = [t if i >= n else bytes(b for c in t for b in [next(b for b, v in small.BYTES.items() if v == c)]) for i, t in enumerate(vocab)]
    raw = [t if isinstance(t, str) else (t if t.isascii() and b" " in t else vocab[i]) for i, t in enumerate(raw)]
    yield "GGUF, tokens with spaces as they are", gguf_file("gpt2", raw, types, tokenizer_pre="default", **common), made(small.PLAIN), names
    whole = made(smollm)
    yield "GGUF with a tokenizer.json", gguf_whole(vocab, types, whole), whole, {}


def gguf_whole(tokens, types, config):
    with tempfile.TemporaryDirectory() as name:
        writer = gguf.GGUFWriter(name + "/m.gguf", "llama")
        writer.add_tokenizer_model("gpt2")
        writer.add_token_list(tokens)
        writer.add_token_types(types)
        writer.add_string("tokenizer.huggingface.json", json.dumps(config))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.close()
        return pathlib.Path(name + "/m.gguf").read_bytes()


def gguf_spm():
    """Of each: a label, the file, the SentencePiece model that it stands for, settings of transformers."""
    for label, kind, options, settings in (("GGUF, Llama", "llama", LLAMA, {"add_bos_token": True}), ("GGUF, T5", "t5", T5, {"add_eos_token": True})):
        model = spm(**options)
        proto = sentencepiece_model_pb2.ModelProto.FromString(model)
        trainer = proto.trainer_spec
        more = {"token_scores": [p.score for p in proto.pieces], "unk_token_id": trainer.unk_id, "eos_token_id": trainer.eos_id}
        names = {"unk_token": trainer.unk_piece, "eos_token": trainer.eos_piece}
        if trainer.bos_id >= 0:
            more |= {"bos_token_id": trainer.bos_id}
            names |= {"bos_token": trainer.bos_piece}
        if kind == "t5":
            more |= {"precompiled_charsmap": proto.normalizer_spec.precompiled_charsmap, "remove_extra_whitespaces": True, "add_space_prefix": True}
        yield label, gguf_file(kind, [p.piece for p in proto.pieces], [p.type for p in proto.pieces], **more), model, CLASS | settings | names


def write(folder, files):
    for name, content in files.items():
        data = content if isinstance(content, bytes) else (content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)).encode()
        (folder / name).write_bytes(data)
        files[name] = base64.b64encode(data).decode()
    return files


def case(tokenizer, text):
    ids, special = tokenizer(text, add_special_tokens=False).input_ids, tokenizer(text).input_ids
    line = {"text": text, "ids": ids, "ids_special": special, "decoded": tokenizer.decode(ids), "decoded_skip": tokenizer.decode(special, skip_special_tokens=True)}
    for key in ("text", "decoded", "decoded_skip"):
        if "\0" in line[key]:
            line[key + "_hex"] = line[key].encode().hex()
            line[key] = ""
    return line


def line(label, files, extra_texts=(), load=AutoTokenizer.from_pretrained, texts=small.texts):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        files = write(folder, dict(files))
        tokenizer = load(name)
    r = random.Random(small.SEED)
    tokens = [t.content for t in tokenizer.added_tokens_decoder.values()]
    named = {k: str(v) for k, v in tokenizer.special_tokens_map.items() if isinstance(v, str)}
    cases = [case(tokenizer, t) for t in dict.fromkeys([*extra_texts, *texts(r, tokens)])]
    tree = {"label": label, "files": files, "named": named, "padding_side": tokenizer.padding_side, "cases": cases}
    return json.dumps(tree, ensure_ascii=True, separators=(",", ":")) + "\n"


SPACED = ["the token .", "don 't", "hello , world ! I 'm", "it ' s", "a n't b 've c 're", "the . , ! ? token ' t"]


def load_tekken(name):
    converted = MistralConverter(name + "/tekken.json").converted()
    named = {key: t for key, t in (("bos_token", "<s>"), ("eos_token", "</s>"), ("pad_token", "<pad>"), ("unk_token", "<unk>")) if converted.token_to_id(t) is not None}
    return TokenizersBackend(tokenizer_object=converted, **named)


def load_spm(folder, name):
    """The reference finds a model by this name alone."""
    path = pathlib.Path(folder)
    if name != "tokenizer.model":
        (path / "tokenizer.model").write_bytes((path / name).read_bytes())
    return AutoTokenizer.from_pretrained(folder)


def lines():
    for label, config, settings in with_json():
        yield line(label, {"tokenizer.json": config, "tokenizer_config.json": CLASS | settings}, SPACED)
    for label, config, settings, more in legacy():
        yield line(label, {"tokenizer.json": config, "tokenizer_config.json": CLASS | settings} | more)
    for label, files, settings in two_files():
        yield line(label, files | {"tokenizer_config.json": settings})
    for label, files, settings in tiktoken_files():
        yield line(label, files | {"tokenizer_config.json": settings})
    for label, file in tekken_files():
        yield line(label, {"tekken.json": file}, load=load_tekken)
    for label, name, model, settings in spm_files():
        made = line(label, {name: model, "tokenizer_config.json": CLASS | settings}, texts=spm_texts, load=lambda folder, name=name: load_spm(folder, name))
        compare_with_sentencepiece(label, model, made)
        yield made


def spm_texts(r, tokens):
    """Texts that SentencePiece's own normaliser takes like the reference's: without U+0000, which ends its strings."""
    pieces = [" ", "  ", "the", "world", "hello", " hello", "token", "tokens", ".", ",", "don't", "été", "日本", "1", "123", "\n", "▁", "▁hello", "<sep>", "then", "rl", "--", "ǅ", "ﬁ", "Ａ",
              "😀", "\u3000", "\t", "x", "q", "jugs", "box"] + 2 * tokens
    yield ""
    yield " "
    yield "  hello  world  "
    yield from pieces
    for _ in range(80):
        yield "".join(r.choice(pieces) for _ in range(r.randrange(2, 9)))


def compare_with_sentencepiece(label, model, tree):
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    special = [processor.id_to_piece(i) for i in range(len(processor)) if processor.is_control(i) or processor.is_unknown(i)]
    cases = [c for c in json.loads(tree)["cases"] if "<" not in c["text"] and not any(t in c["text"] for t in special)]
    same = sum(processor.encode(c["text"]) == c["ids"] for c in cases)
    print(f"{label}: {same} of {len(cases)} texts have SentencePiece's own ids")


def gguf_lines():
    for label, file, config, names in gguf_byte_level():
        def load(folder, config=config, names=names):
            (pathlib.Path(folder) / "tokenizer.json").write_text(json.dumps(config))
            return TokenizersBackend(tokenizer_file=folder + "/tokenizer.json", **names)
        yield line(label, {"model.gguf": file}, load=load)
    for label, file, model, settings in gguf_spm():
        def load(folder, model=model, settings=settings):
            (pathlib.Path(folder) / "tokenizer.model").write_bytes(model)
            (pathlib.Path(folder) / "tokenizer_config.json").write_text(json.dumps(settings))
            return AutoTokenizer.from_pretrained(folder)
        yield line(label, {"model.gguf": file}, texts=spm_texts, load=load)


def main():
    made = [*lines(), *gguf_lines()]
    packed = lzma.compress("".join(made).encode(), preset=9 | lzma.PRESET_EXTREME)
    path = pathlib.Path(__file__).resolve().parent / "data" / "folders.jsonl.xz"
    path.write_bytes(packed)
    print(f"{path.name}: {len(made)} folders, {sum(map(len, made))} bytes, packed {len(packed)}")


if __name__ == "__main__":
    main()
