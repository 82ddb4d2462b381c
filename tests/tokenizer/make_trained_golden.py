#!/usr/bin/env python3
"""Writes data/trained.jsonl.xz: small tokenizers of every model, post-processor and decoder, some trained, some written by hand, and what
Hugging Face's tokenizers makes of them. Lines as in make_small_golden.py, and "pairs", "decodings"; a case that fails there has "fails".

Needs `pip install tokenizers==0.23.3`. A second run trains the same models but for ties; the committed file is what tests read.
"""
import json
import lzma
import pathlib
import random

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from make_small_golden import SEED, added, case, file, merges_of, sequence, stream

CORPUS = """the quick brown fox jumps over the lazy dog while seventeen curious tokenizers were reading the same old sentences again
a token is a piece of a word and a word is a piece of a sentence and nobody knows where one begins and another ends
it isn't that they don't know , it's that they've never asked ; we're sure you'd do the same !
naïve café résumé über straße señor año français garçon Ænima œuvre
der schnelle braune fuchs springt über den faulen hund während die katze schläft und der vogel singt
le renard brun et rapide saute par dessus le chien paresseux pendant que le chat dort
быстрая коричневая лиса прыгает через ленивую собаку пока кошка спит
敏捷的棕色狐狸跳过了懒狗 東京は日本の首都です 안녕하세요 세계
for (int i = 0; i < 128; i++) { total += values[i] * 3.14; } // the sum of 2048 values
def tokenize(text): return [piece for piece in text.split(' ') if piece]
""".split("\n")
SPACE = {"type": "Split", "pattern": {"String": " "}, "behavior": "Removed", "invert": False}
KEEP_SPACE = SPACE | {"behavior": "MergedWithNext"}
BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
MANY = ["<unk>", "<pad>", "<s>", "</s>", "▁", "▁▁", "▁a", "b▁", "a▁b", "##a", "##", "a##", "#", "b##b", "c</w>", "</w>", "d</w>e", "</w></w>", "<0x41>", "<0xE2>", "<0x82>", "<0xac>", "<0xAC>", "<0x+A>", "<0x2>",
        "<0xG0>", "<0xF0>", "<0x9F>", "<0x98>", "<0x80>", "<0x0a>", ".", "?", "!", ",", "'", "n't", "'m", "do not", "'s", "'ve", "'re", "do", "not", "a .", "b n't", "x ' y", "|", "||", "a|b", "<pad>|", "x<pad>y", "Ġx", "Ċ",
        "é", "Ã©", "Ã", "©", "日本", "\ufffd", "a\ufffd", " ", "  ", " a ", "aa", "aaa", "h", "hh", "hello", "😀", "ÃĢ", "âĤ¬", "âĤ", "Ĥ"]


def trained(model, trainer, pre):
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre
    tokenizer.train_from_iterator(CORPUS * 3, trainer)
    return json.loads(tokenizer.to_str())["model"]


def wordpiece(**options):
    vocab = {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2}
    for word in ["a", "b", "ab", "abc", "##a", "##b", "##bc", "##c", "the", "##the", "token", "##s", "日", "##本", "@@a", "@@b", "aé", "##é", "##", "x##"]:
        vocab[word] = len(vocab)
    return {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": vocab} | options


def wordlevel(words=MANY, **options):
    return {"type": "WordLevel", "vocab": {w: i for i, w in enumerate(words)}, "unk_token": "<unk>"} | options


def unigram(pieces=(), **options):
    vocab = [["<unk>", 0.0], ["a", -1.0], ["b", -2.0], ["ab", -3.0], ["c", -2.5], ["bc", -4.5], ["abc", -5.5], ["é", -3.0], ["日本", -4.0], ["日", -9.5], ["aa", -2.0], ["aaa", -3.0], ["the", -2.25], ["▁", -1.5], ["▁the", -3.75],
             ["hello", -4.125], ["x", 0.5], ["xx", 1.0], ["", -1.0], [" ", -2.0], ["yz", -1.0]]
    return {"type": "Unigram", "unk_id": 0, "vocab": vocab + list(pieces), "byte_fallback": False} | options


def parts(text, ids):
    """"<s>:0 A:1" to the parts of a template."""
    for part in text.split():
        name, kind = part.rsplit(":", 1)
        yield {"Sequence" if name in "AB" else "SpecialToken": {"id": name, "type_id": int(kind)}}


def template(single, pair, **ids):
    ids = {f"<{name}>": numbers for name, numbers in ids.items()}
    return {"type": "TemplateProcessing", "single": list(parts(single, ids)), "pair": list(parts(pair, ids)),
            "special_tokens": {name: {"id": name, "ids": numbers, "tokens": [name] * len(numbers)} for name, numbers in ids.items()}}


def posts():
    bos = template("<s>:0 A:0", "<s>:0 A:0 <s>:1 B:1", s=[2])
    yield "no post-processor", None
    yield "template", bos
    yield "template with types", template("<s>:3 A:2 <e>:1", "A:7 <e>:1 B:5 <e>:1 <s>:4", s=[2], e=[3, 4, 3])
    yield "template that turns round", template("A:0 A:1", "B:1 <s>:0 A:0 B:2", s=[2])
    yield "template without the text", template("<s>:0", "<s>:0 A:3", s=[2])
    yield "bert", {"type": "BertProcessing", "sep": ["</s>", 3], "cls": ["<s>", 2]}
    yield "roberta", {"type": "RobertaProcessing", "sep": ["</s>", 3], "cls": ["<s>", 2], "trim_offsets": True, "add_prefix_space": False}
    yield "byte level", {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True}
    yield "bert, then template", sequence("processors", {"type": "BertProcessing", "sep": ["</s>", 3], "cls": ["<s>", 2]}, template("<s>:0 A:4 <e>:1", "A:7 <e>:1 B:5", s=[5], e=[6]))
    yield "template, then bert", sequence("processors", bos, {"type": "BertProcessing", "sep": ["</s>", 3], "cls": ["<s>", 2]})
    yield "template, then roberta", sequence("processors", bos, {"type": "RobertaProcessing", "sep": ["</s>", 3], "cls": ["<s>", 2], "trim_offsets": False, "add_prefix_space": False})
    yield "template to two sequences, then template", sequence("processors", template("<s>:0 A:0", "A:0 B:1", s=[2]), template("A:0", "B:1 <e>:2 A:4", e=[3]))
    yield "an empty sequence", sequence("processors")


def decoders():
    replace = {"type": "Replace", "pattern": {"String": "a"}, "content": "<0x41>"}
    for scheme in ("always", "first", "never"):
        yield f"metaspace, {scheme}", {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": True}
    yield "metaspace, old", {"type": "Metaspace", "replacement": "▁", "str_rep": "▁", "add_prefix_space": True}
    yield "metaspace, a letter", {"type": "Metaspace", "replacement": "a", "prepend_scheme": "always"}
    for cleanup in (True, False):
        yield f"wordpiece, {cleanup}", {"type": "WordPiece", "prefix": "##", "cleanup": cleanup}
        yield f"wordpiece without a prefix, {cleanup}", {"type": "WordPiece", "prefix": "", "cleanup": cleanup}
        yield f"ctc, {cleanup}", {"type": "CTC", "pad_token": "<pad>", "word_delimiter_token": "|", "cleanup": cleanup}
    yield "ctc, other tokens", {"type": "CTC", "pad_token": "a", "word_delimiter_token": "", "cleanup": True}
    yield "ctc, no pad", {"type": "CTC", "pad_token": "", "word_delimiter_token": "h", "cleanup": True}
    yield "bpe", {"type": "BPEDecoder", "suffix": "</w>"}
    yield "bpe without a suffix", {"type": "BPEDecoder", "suffix": ""}
    yield "byte level", BYTE_LEVEL
    yield "byte fallback", {"type": "ByteFallback"}
    yield "fuse", {"type": "Fuse"}
    yield "strip", {"type": "Strip", "content": "a", "start": 1, "stop": 0}
    yield "strip, both ends", {"type": "Strip", "content": "▁", "start": 1, "stop": 0}
    yield "replace", replace
    yield "an empty sequence", sequence("decoders")
    yield "llama", sequence("decoders", {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0})
    yield "gemma", sequence("decoders", {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"})
    yield "metaspace, byte fallback", sequence("decoders", {"type": "ByteFallback"}, {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True})
    yield "metaspace before byte fallback", sequence("decoders", {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}, {"type": "ByteFallback"})
    yield "bytes that a replacement made", sequence("decoders", replace, {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": "A", "start": 2, "stop": 0})
    yield "replace, byte level", sequence("decoders", replace, BYTE_LEVEL)
    yield "byte level, replace", sequence("decoders", BYTE_LEVEL, {"type": "Replace", "pattern": {"String": "a"}, "content": ""})
    yield "byte fallback, replace", sequence("decoders", {"type": "ByteFallback"}, {"type": "Replace", "pattern": {"String": "\ufffd"}, "content": "?"})
    yield "wordpiece, metaspace", sequence("decoders", {"type": "WordPiece", "prefix": "##", "cleanup": True}, {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": True})
    yield "wordpiece, byte level", sequence("decoders", {"type": "WordPiece", "prefix": "##", "cleanup": False}, BYTE_LEVEL)
    yield "fuse, wordpiece", sequence("decoders", {"type": "Fuse"}, {"type": "WordPiece", "prefix": "##", "cleanup": True})
    yield "ctc, fuse, strip", sequence("decoders", {"type": "CTC", "pad_token": "<pad>", "word_delimiter_token": "|", "cleanup": True}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 3, "stop": 0})
    yield "bpe, wordpiece", sequence("decoders", {"type": "BPEDecoder", "suffix": "</w>"}, {"type": "WordPiece", "prefix": "##", "cleanup": True})


def model_files():
    space = pre_tokenizers.Split(" ", "removed")
    keep = pre_tokenizers.Split(" ", "merged_with_next")
    pieces = {"type": "WordPiece", "prefix": "##", "cleanup": True}
    piece_model = trained(models.WordPiece(unk_token="[UNK]"), trainers.WordPieceTrainer(vocab_size=420, special_tokens=["[UNK]", "[CLS]", "[SEP]"], show_progress=False), space)
    yield "trained WordPiece", file(piece_model, SPACE, decoder=pieces, post={"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1]}, tokens=[added("[CLS]", "s"), added("[SEP]", "s")])
    yield "WordPiece, short words", file(piece_model | {"max_input_chars_per_word": 5}, SPACE, decoder=pieces)
    yield "WordPiece, no words", file(wordpiece(max_input_chars_per_word=0), SPACE, decoder=pieces)
    yield "WordPiece by hand", file(wordpiece(), SPACE, decoder=pieces)
    yield "WordPiece by hand, another prefix", file(wordpiece(continuing_subword_prefix="@@"), SPACE, decoder=pieces | {"prefix": "@@"})
    yield "WordPiece by hand, no prefix", file(wordpiece(continuing_subword_prefix=""), SPACE, decoder=pieces)
    yield "WordPiece by hand, a prefix no entry has", file(wordpiece(continuing_subword_prefix="__"), decoder=pieces)
    yield "WordPiece, no unknown token", file(wordpiece(unk_token="nothing"), SPACE)
    yield "trained WordLevel", file(trained(models.WordLevel(unk_token="[UNK]"), trainers.WordLevelTrainer(vocab_size=120, special_tokens=["[UNK]"], show_progress=False), space), SPACE)
    yield "WordLevel, no unknown token", file(wordlevel(["a", "the", "hello"], unk_token="?"), SPACE)
    uni = trained(models.Unigram(), trainers.UnigramTrainer(vocab_size=500, special_tokens=["<unk>", "<s>"], unk_token="<unk>", show_progress=False), keep)
    yield "trained Unigram", file(uni, KEEP_SPACE, decoder={"type": "Fuse"}, tokens=[added("<s>", "s")])
    yield "trained Unigram, whole texts", file(uni, decoder={"type": "Fuse"})
    bytes_too = dict(uni, byte_fallback=True, vocab=uni["vocab"] + [[f"<0x{b:02X}>", -20.0 - b / 8] for b in range(256)])
    yield "trained Unigram, byte fallback", file(bytes_too, KEEP_SPACE, decoder=sequence("decoders", {"type": "ByteFallback"}, {"type": "Fuse"}))
    yield "Unigram by hand", file(unigram(), decoder={"type": "Fuse"})
    yield "Unigram, some bytes", file(unigram([[f"<0x{b:02X}>", -6.0] for b in range(0x80, 0xF0)], byte_fallback=True), decoder={"type": "ByteFallback"})
    yield "Unigram, pieces twice", file(unigram([["a", -4.0], ["ab", -1.0], ["a", -1.5], ["<unk>", -8.0]]), decoder={"type": "Fuse"}, tokens=[added("<new>", "")])
    yield "Unigram, another unknown", file(unigram(unk_id=3), decoder={"type": "Fuse"})
    yield "Unigram, no unknown", file(unigram(unk_id=None), decoder={"type": "Fuse"})
    bpe = trained(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"), trainers.BpeTrainer(vocab_size=400, special_tokens=["<unk>"], end_of_word_suffix="</w>", show_progress=False), space)
    yield "trained BPE with a suffix", file(bpe, SPACE, decoder={"type": "BPEDecoder", "suffix": "</w>"})
    bpe = trained(models.BPE(unk_token="<unk>", continuing_subword_prefix="##"), trainers.BpeTrainer(vocab_size=400, special_tokens=["<unk>"], continuing_subword_prefix="##", show_progress=False), space)
    yield "trained BPE with a prefix", file(bpe | {"fuse_unk": True}, SPACE, decoder=pieces)
    yield "trained BPE, byte level", file(trained(models.BPE(), trainers.BpeTrainer(vocab_size=600, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False), pre_tokenizers.ByteLevel(add_prefix_space=False)), BYTE_LEVEL, decoder=BYTE_LEVEL)
    chars = {"<unk>": 0} | {c: i + 1 for i, c in enumerate(dict.fromkeys("".join(CORPUS)))}
    merges = merges_of(["the", " the", "token", "quick"], chars)
    yield "BPE, merges told twice", file({"type": "BPE", "unk_token": "<unk>", "vocab": chars, "merges": merges + [["t", "h"], ["q", "u"]]}, decoder={"type": "Fuse"})
    yield "BPE, dropout of none", file({"type": "BPE", "dropout": 0.0, "unk_token": "<unk>", "vocab": chars, "merges": merges}, decoder={"type": "Fuse"})
    for label, model in (("WordPiece", wordpiece()), ("WordLevel", wordlevel()), ("Unigram", unigram())):
        del model["type"]
        yield f"an old {label} without a type", file(dict(reversed(model.items())), SPACE)


def like_models():
    """Whole pipelines as well-known models have them, trained on the few sentences above."""
    space, special = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}, ["<unk>", "<s>", "</s>", "<pad>"]
    tokens = [added(each, "s") for each in special]
    bert = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    bert.normalizer, bert.pre_tokenizer = normalizers.BertNormalizer(lowercase=True), pre_tokenizers.BertPreTokenizer()
    bert.train_from_iterator(CORPUS * 3, trainers.WordPieceTrainer(vocab_size=400, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False))
    config = json.loads(bert.to_str())
    yield "like BERT", config | {"decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True}, "post_processor": template_of(("[CLS]", 2), ("[SEP]", 3))}
    uni = trained(models.Unigram(), trainers.UnigramTrainer(vocab_size=450, special_tokens=special, unk_token="<unk>", show_progress=False), pre_tokenizers.Metaspace())
    yield "like ALBERT", file(uni, space, sequence("normalizers", {"type": "Replace", "pattern": {"String": "``"}, "content": '"'}, {"type": "NFKD"}, {"type": "StripAccents"}, {"type": "Lowercase"}),
                              template_of(("<s>", 1), ("</s>", 2)), space, tokens)
    yield "like XLM-R", file(uni, sequence("pretokenizers", {"type": "WhitespaceSplit"}, space), post=template_of(("<s>", 1), ("</s>", 2)), decoder=space, tokens=tokens)
    clip = trained(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"), trainers.BpeTrainer(vocab_size=500, special_tokens=special, end_of_word_suffix="</w>", initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False),
                   pre_tokenizers.ByteLevel(add_prefix_space=False))
    yield "like CLIP", file(clip, sequence("pretokenizers", {"type": "Split", "pattern": {"Regex": r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"}, "behavior": "Removed", "invert": True}, BYTE_LEVEL | {"use_regex": False}),
                            sequence("normalizers", {"type": "NFC"}, {"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "}, {"type": "Lowercase"}),
                            {"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 1], "trim_offsets": False, "add_prefix_space": False}, sequence("decoders", BYTE_LEVEL, {"type": "BPEDecoder", "suffix": "</w>"}), tokens)
    gpt = trained(models.BPE(), trainers.BpeTrainer(vocab_size=600, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False), pre_tokenizers.ByteLevel(add_prefix_space=True))
    yield "like RoBERTa", file(gpt, BYTE_LEVEL | {"add_prefix_space": True}, post={"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 1], "trim_offsets": True, "add_prefix_space": True}, decoder=BYTE_LEVEL, tokens=tokens)
    yield "like StarCoder", file(gpt, sequence("pretokenizers", {"type": "Digits", "individual_digits": True}, BYTE_LEVEL), decoder=BYTE_LEVEL, post={"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False}, tokens=tokens)
    llama = trained(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True), trainers.BpeTrainer(vocab_size=500, special_tokens=special + [f"<0x{b:02X}>" for b in range(256)], show_progress=False), pre_tokenizers.Metaspace(split=False))
    decoder = sequence("decoders", {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0})
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    yield "like Llama 2", file(llama, normalizer=sequence("normalizers", {"type": "Prepend", "prepend": "▁"}, replace), post=template_of(("<s>", 1), None), decoder=decoder, tokens=tokens)
    yield "like Llama 2, legacy off", file(llama, space | {"prepend_scheme": "first", "split": False}, post=template_of(("<s>", 1), None), decoder=decoder, tokens=tokens)
    yield "like Gemma", file(llama, {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False}, replace, template_of(("<s>", 1), None), sequence("decoders", *decoder["decoders"][:3]), tokens)
    yield "merges that reach over words", file(llama | {"merges": llama["merges"] + [["e", "▁"], ["▁", "▁"], ["▁▁", "▁▁"]], "vocab": llama["vocab"] | {"e▁": 600, "▁▁": 601, "▁▁▁▁": 602}}, normalizer=replace, decoder=decoder, tokens=tokens)
    words = trained(models.WordLevel(unk_token="<unk>"), trainers.WordLevelTrainer(vocab_size=90, special_tokens=special + ["|"], show_progress=False), pre_tokenizers.Split("", "isolated"))
    yield "like wav2vec 2.0", file(words, {"type": "Split", "pattern": {"Regex": "."}, "behavior": "Isolated", "invert": False}, {"type": "Replace", "pattern": {"String": " "}, "content": "|"},
                                   decoder={"type": "CTC", "pad_token": "<pad>", "word_delimiter_token": "|", "cleanup": True}, tokens=tokens)


def template_of(first, last):
    """[first] A [last], and [first] A [last] B [last] with type id 1."""
    single = ([f"{first[0]}:0"] if first else []) + ["A:0"] + ([f"{last[0]}:0"] if last else [])
    second = ["B:1"] + ([f"{last[0]}:1"] if last else [])
    ids = {name: number for name, number in filter(None, (first, last))}
    return {"type": "TemplateProcessing", "single": list(parts(" ".join(single), None)), "pair": list(parts(" ".join(single + second), None)),
            "special_tokens": {name: {"id": name, "ids": [number], "tokens": [name]} for name, number in ids.items()}}


def files():
    yield from model_files()
    yield from like_models()
    special = [added("<s>", "s"), added("</s>", "s"), added("<pad>", "s"), added("new one", "n"), added("<0x42>", "")]
    for label, post in posts():
        yield "post-processor: " + label, file(wordlevel(), SPACE, post=post, decoder={"type": "Fuse"}, tokens=special)
    for label, decoder in decoders():
        yield "decoder: " + label, file(wordlevel(), SPACE, decoder=decoder, tokens=special)


def texts(r, words):
    alphabet = words + ["a", "b", "ab", "abc", "aaaa", "xxx", "xyz", "é", "日本", "日", "▁the", "<unk>", "<unk>q", "qq", "q", "😀", "\u0301", "\n", "\t", "hello", "x", "yzyz", "a" * 101, "ab" * 50, "aa" * 51, "thethe"]
    yield from ("", " ", "  ", "a", "the token", "a ab abc")
    yield from CORPUS[:10:3]
    for _ in range(30):
        yield "".join(r.choice(alphabet) + r.choice(["", " ", " "]) for _ in range(r.randrange(1, 9)))


def case_or_failure(tokenizer, text):
    try:
        return case(tokenizer, text)
    except Exception:
        return {"text": text, "fails": True}


def pair(tokenizer, a, b, special):
    encoding = tokenizer.encode(a, b, add_special_tokens=special)
    return {"a": a, "b": b, "special": special, "ids": encoding.ids, "type_ids": encoding.type_ids, "mask": encoding.special_tokens_mask,
            "added": tokenizer.num_special_tokens_to_add(b is not None)}


def decoding(tokenizer, r, size):
    ids, skip = [r.randrange(size + 2) for _ in range(r.randrange(12))], bool(r.randrange(2))
    return {"ids": ids, "skip_special_tokens": skip, "text": tokenizer.decode(ids, skip_special_tokens=skip)}


def line(label, config):
    r = random.Random(SEED)
    text = json.dumps(config, ensure_ascii=False)
    tokenizer = Tokenizer.from_str(text)
    size = max(tokenizer.get_vocab().values()) + 1
    model = "decoder:" not in label and "post-" not in label
    words = [w for w in tokenizer.get_vocab() if "\0" not in w][:200]
    some = list(dict.fromkeys(texts(r, words)))
    result = {"label": label, "tokenizer": text, "cases": [case_or_failure(tokenizer, t) for t in (some if model else some[:16])], "pairs": [], "decodings": [], "streams": []}
    if "post-" in label or "like" in label:
        for a, b in (("a .", None), ("", None), ("a . a", "hello"), ("", "b"), ("a", ""), ("", "")):
            result["pairs"] += [pair(tokenizer, a, b, special) for special in (False, True)]
    count = 60 if "decoder:" in label else 8
    result["decodings"] = [decoding(tokenizer, r, size) for _ in range(count)]
    result["streams"] = [stream(tokenizer, r, size) for _ in range(count // 2)]
    return json.dumps(result, ensure_ascii=True, separators=(",", ":")) + "\n"


def main():
    lines = [line(*each) for each in files()]
    packed = lzma.compress("".join(lines).encode(), preset=9 | lzma.PRESET_EXTREME)
    path = pathlib.Path(__file__).resolve().parent / "data" / "trained.jsonl.xz"
    path.write_bytes(packed)
    print(f"{path.name}: {len(lines)} tokenizers, {sum(map(len, lines))} bytes, packed {len(packed)}")


if __name__ == "__main__":
    main()
