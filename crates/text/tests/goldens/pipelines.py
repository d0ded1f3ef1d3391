"""Writes pipelines.json: small tokenizer.json files and what Hugging Face's library makes of texts.

    pip install tokenizers==0.23.3 && python pipelines.py

The model of most cases has a token for each byte and character and no merges, so that the ids show
every byte of the normalised text; with a word's last character marked they show the pieces, too.
"""

import json
import pathlib

from tokenizers import Tokenizer

TEXTS = [
    "Hello, world!  It's 12345 ok",
    " Héllo\u0301 ﬁ Ⅷ ½ naïve\u00a0café ",
    "a-b--c... (x) $5+3=8 ^_^",
    "你好, 世界 x１２",
    "<s>Hi<m> there</s> <W>x <W> y<n>Z",
    "tab\tnew\nline\r\n\u0000\u200b\ufffd",
    "",
    "   ",
    "ÀÉÎ ABC ǅ",
]


def characters():
    return sorted({c for text in TEXTS for c in text} | set("helowrdxyz▁Ġ") | set("Ǆǆ"))


def marked(**parts):
    """Every character, and every last character of a piece."""
    tokens = ["<unk>"] + characters() + [c + "¶" for c in characters()]
    model = dict(type="BPE", vocab={t: i for i, t in enumerate(tokens)}, merges=[],
                 unk_token="<unk>", end_of_word_suffix="¶")
    return dict(model=model, **parts)


def plain(**parts):
    """Every byte; the ids are those of the normalised text's bytes."""
    tokens = ["<unk>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    model = dict(type="BPE", vocab={t: i for i, t in enumerate(tokens)}, merges=[],
                 unk_token="<unk>", byte_fallback=True)
    return dict(model=model, **parts)


def sequence(kind, *items):
    return dict(type="Sequence", **{kind: list(items)})


def split(pattern, behavior, invert=False):
    return dict(type="Split", pattern=pattern, behavior=behavior, invert=invert)


def added(content, **flags):
    flags = dict(single_word=False, lstrip=False, rstrip=False, normalized=False, special=True) | flags
    return dict(content=content, **flags)


def metaspace(**options):
    return dict(type="Metaspace", replacement="▁", **options)


PIECES = ["▁", "▁he", "he", "l", "lo", "o", "▁w", "or", "ld", "h", "e", "w", "r", "d", "x", "▁x", ",", "!", "ı"]


def unigram(byte_fallback, **parts):
    vocab = [["<unk>", 0.0]] + [[piece, -1.5 - index * 0.25] for index, piece in enumerate(PIECES)]
    if byte_fallback:
        vocab += [[f"<0x{byte:02X}>", -20.0] for byte in range(256)]
    return dict(model=dict(type="Unigram", unk_id=0, vocab=vocab, byte_fallback=byte_fallback), **parts)


def cases():
    for kind in ["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt"]:
        yield kind, plain(normalizer=dict(type=kind))
    yield "strip", plain(normalizer=dict(type="Strip", strip_left=True, strip_right=True))
    yield "prepend", plain(normalizer=dict(type="Prepend", prepend="▁"))
    yield "byte level text", plain(normalizer=dict(type="ByteLevel"))
    yield "replace string", plain(normalizer=dict(type="Replace", pattern=dict(String="l"), content="LL"))
    yield "replace regex", plain(normalizer=dict(type="Replace", pattern=dict(Regex="\\s+"), content="_"))
    yield "several", plain(normalizer=sequence(
        "normalizers", dict(type="NFD"), dict(type="StripAccents"), dict(type="Lowercase")))
    for lowercase in [True, False]:
        for strip in [None, True, False]:
            yield f"bert {lowercase} {strip}", plain(normalizer=dict(
                type="BertNormalizer", clean_text=True, handle_chinese_chars=True,
                strip_accents=strip, lowercase=lowercase))

    for behavior in ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]:
        yield f"punctuation {behavior}", marked(pre_tokenizer=dict(type="Punctuation", behavior=behavior))
        for invert in [False, True]:
            yield f"split string {behavior} {invert}", marked(
                pre_tokenizer=split(dict(String="l"), behavior, invert))
            yield f"split regex {behavior} {invert}", marked(
                pre_tokenizer=split(dict(Regex="\\d{1,3}(?:,\\d+)?|[a-z]+"), behavior, invert))
    gpt = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"
    yield "expression", marked(pre_tokenizer=split(dict(Regex=gpt), "Isolated"))
    for kind in ["Whitespace", "WhitespaceSplit", "BertPreTokenizer"]:
        yield kind, marked(pre_tokenizer=dict(type=kind))
    yield "digits", marked(pre_tokenizer=dict(type="Digits", individual_digits=False))
    yield "each digit", marked(pre_tokenizer=dict(type="Digits", individual_digits=True))
    yield "delimiter", marked(pre_tokenizer=dict(type="CharDelimiterSplit", delimiter="-"))
    yield "fixed length", marked(pre_tokenizer=dict(type="FixedLength", length=3))
    for scheme in ["first", "always", "never"]:
        for cut in [True, False]:
            yield f"metaspace {scheme} {cut}", marked(
                pre_tokenizer=metaspace(prepend_scheme=scheme, split=cut),
                decoder=metaspace(prepend_scheme=scheme, split=cut),
                added_tokens=[added("<m>"), added("<s>")])
    yield "digits and words", marked(pre_tokenizer=sequence(
        "pretokenizers", dict(type="WhitespaceSplit"), dict(type="Digits", individual_digits=True)))
    yield "bytes, then digits", marked(pre_tokenizer=sequence(
        "pretokenizers", dict(type="ByteLevel", add_prefix_space=True, trim_offsets=True, use_regex=True),
        dict(type="Digits", individual_digits=False)))

    for normalized in [False, True]:
        for flags in [dict(), dict(lstrip=True), dict(rstrip=True), dict(lstrip=True, rstrip=True),
                      dict(single_word=True), dict(special=False)]:
            tokens = [added(t, normalized=normalized, **flags) for t in ["<s>", "<m>", "<W>", "Hi"]]
            yield f"added {normalized} {flags}", marked(
                added_tokens=tokens, normalizer=dict(type="Lowercase"),
                pre_tokenizer=dict(type="WhitespaceSplit"))

    special = {name: dict(id=name, ids=[at], tokens=[name]) for name, at in [("<s>", 1), ("</s>", 2)]}
    first, last = [dict(SpecialToken=dict(id=name, type_id=0)) for name in ["<s>", "</s>"]]
    text, second = [dict(Sequence=dict(id=name, type_id=0)) for name in ["A", "B"]]
    template = dict(type="TemplateProcessing", single=[first, text, last],
                    pair=[first, text, last, second, last], special_tokens=special)
    byte_level = dict(type="ByteLevel", add_prefix_space=True, trim_offsets=False, use_regex=True)
    for name, processor in [
        ("template", template),
        ("sequence", sequence("processors", byte_level, template)),
        ("bert", dict(type="BertProcessing", sep=["</s>", 2], cls=["<s>", 1])),
        ("roberta", dict(type="RobertaProcessing", sep=["</s>", 2], cls=["<s>", 1],
                         trim_offsets=True, add_prefix_space=False)),
    ]:
        yield f"around: {name}", plain(post_processor=processor, decoder=sequence(
            "decoders", dict(type="ByteFallback"), dict(type="Fuse")))

    yield "unigram", unigram(False, normalizer=dict(type="NFKC"), pre_tokenizer=metaspace(prepend_scheme="always", split=True),
                             decoder=metaspace(prepend_scheme="always", split=True))
    yield "unigram with bytes", unigram(True, pre_tokenizer=metaspace(prepend_scheme="always", split=True), decoder=sequence(
        "decoders", dict(type="Replace", pattern=dict(String="▁"), content=" "), dict(type="ByteFallback"),
        dict(type="Fuse"), dict(type="Strip", content=" ", start=1, stop=0)))

    words = ["<unk>", "Hello", "world", ",", "!", "It", "'", "s", "12345", "ok", "x", "y"]
    yield "words", dict(model=dict(type="WordLevel", vocab={w: i for i, w in enumerate(words)}, unk_token="<unk>"),
                        pre_tokenizer=dict(type="Whitespace"))
    parts = ["[UNK]", "he", "##llo", "h", "##e", "##l", "##o", "wor", "##ld", ",", "!", "x", "'", "s", "it", "123", "##45"]
    yield "word pieces", dict(
        model=dict(type="WordPiece", vocab={p: i for i, p in enumerate(parts)}, unk_token="[UNK]",
                   continuing_subword_prefix="##", max_input_chars_per_word=8),
        normalizer=dict(type="BertNormalizer", clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=True),
        pre_tokenizer=dict(type="BertPreTokenizer"), decoder=dict(type="WordPiece", prefix="##", cleanup=True))

    letters = ["<unk>"] + list("helowrdx,!") + [c + "</w>" for c in "helowrdx,!"] + ["he", "ll", "llo</w>", "hello</w>", "ld</w>"]
    merges = [["h", "e"], ["l", "l"], ["ll", "o</w>"], ["he", "llo</w>"], "l d</w>"]
    for fuse in [False, True]:
        yield f"word ends {fuse}", dict(
            model=dict(type="BPE", vocab={t: i for i, t in enumerate(letters)}, merges=[m if isinstance(m, list) else m.split(" ") for m in merges],
                       unk_token="<unk>", end_of_word_suffix="</w>", fuse_unk=fuse),
            normalizer=sequence("normalizers", dict(type="NFC"), dict(type="Lowercase")),
            pre_tokenizer=dict(type="Whitespace"), decoder=dict(type="BPEDecoder", suffix="</w>"))
    marks = ["<unk>"] + list("helo") + ["##" + c for c in "helo"] + ["he", "##lo", "helo"]
    yield "inner marks", dict(
        model=dict(type="BPE", vocab={t: i for i, t in enumerate(marks)}, merges=["h ##e", "##l ##o", "he ##lo"],
                   unk_token="<unk>", continuing_subword_prefix="##", ignore_merges=True),
        normalizer=dict(type="Lowercase"), pre_tokenizer=dict(type="WhitespaceSplit"))


def main():
    out = []
    for name, parts in cases():
        tokens = parts.pop("added_tokens", [])
        count = len(parts["model"]["vocab"])
        for at, token in enumerate(tokens):
            token["id"] = count + at
        file = dict(version="1.0", truncation=None, padding=None, added_tokens=tokens, normalizer=None,
                    pre_tokenizer=None, post_processor=None, decoder=None) | parts
        tokenizer = Tokenizer.from_str(json.dumps(file))
        texts = TEXTS + ["hello helo elo world! x hellold, wörld x,x"]
        rows = []
        for text in texts:
            ids = tokenizer.encode(text, add_special_tokens=False).ids
            rows.append([text, ids, tokenizer.encode(text).ids, tokenizer.decode(ids, skip_special_tokens=False)])
        pair = tokenizer.encode("a", "b").ids
        out.append(dict(name=name, tokenizer=file, cases=rows, pair=pair))
    path = pathlib.Path(__file__).with_name("pipelines.json")
    lines = ",\n".join(json.dumps(case, ensure_ascii=False, separators=(",", ":")) for case in out)
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


main()
