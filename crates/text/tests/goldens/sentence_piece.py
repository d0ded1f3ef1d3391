"""Writes unigram*.model, pairs.model and sentence_piece.json: small SentencePiece models, and what
SentencePiece itself and Hugging Face's `Precompiled` normalizer make of texts.

    pip install sentencepiece==0.2.3 protobuf tokenizers==0.23.3 && python sentence_piece.py

The whole maps have 240 KB each. The models have the part of them that RULES lists.
"""

import base64
import io
import json
import pathlib
import tempfile

import sentencepiece
from sentencepiece import sentencepiece_model_pb2 as proto
from tokenizers import normalizers

FOLDER = pathlib.Path(__file__).parent

LINES = [
    "hello world this is a small corpus of a few lines",
    "the quick brown fox jumps over the lazy dog and the dog sleeps",
    "two cafés on the corner, one naïve waiter and a fine office",
    "한국어 문장 하나 그리고 한글", "日本語の文章 です カタカナ", "это небольшой текст для проверки",
    "numbers 1 2 3 10 20 30 and signs , . ! ? - ( )",
]

# Full-width and half-width letters, ligatures, numbers, marks after letters in both orders,
# Hangul in parts, kinds of spaces, characters that go, letters with two cases.
RULES = (
    [chr(c) for c in range(0xFF01, 0xFF5F)] + [chr(c) for c in range(0xFF66, 0xFF9E)]
    + ["カ\u3099", "ハ\u309a", "ｶﾞ", "ﾊﾟ", "ﬁ", "ﬂ", "ﬃ", "ĳ", "Ⅷ", "½", "①", "㎏", "㍿", "™", "…", "²", "℃"]
    + ["e\u0301", "é", "E\u0301", "i\u0308", "o\u0323", "o\u0302", "o\u0323\u0302", "o\u0302\u0323", "ộ", "a\u030a", "Å", "Å"]
    + ["\u1112\u1161", "\u1112\u1161\u11ab", "\u1100\u1173", "\u1100\u1173\u11af", "ㅎ", "ﾡ", "\u3131"]
    + ["\t", "\n", "\r", "\u00a0", "\u2003", "\u3000", "\u200b", "\u200d", "\u200e", "\ufeff", "\ufffd", "\u2581", "\u2028"]
    + ["\x01", "\x08", "\x0b", "\x1f", "\x7f", "\u008f", "\u00ad"]
    + [chr(c) for c in range(ord("A"), ord("Z") + 1)] + ["É", "Σ", "ß", "İ", "Э", "Ж", "ǅ"]
)

TEXTS = [
    "hello world", "  hello   world  ", "", " ", "   \t ", "Hello World THE QUICK",
    "Ｈｅｌｌｏ，　ｗｏｒｌｄ！", "ｶﾞｷﾊﾟ ｱ カ\u3099ハ\u309a", "ﬁne oﬃce ﬂ ĳ", "Ⅷ ½ ① ㎏ ㍿ ™ … ² ℃",
    "cafe\u0301 café CAFE\u0301 nai\u0308ve", "o\u0323\u0302 o\u0302\u0323 ộ o\u0302 o\u0323 o", "\u0301 a\u0301\u0301 x\u0323e\u0301\u0301",
    "Å a\u030a Å", "\u1112\u1161\u11ab\u1100\u1173\u11af 한글 \u1112 \u1112\u1161 \u1112\u11ab", "ㅎ ﾡ \u3131",
    "hello\tworld\nthe\r\nquick\u00a0fox\u2003dog\u3000and", "he\u200bllo wor\u200dld \u200e\ufeffthe\ufffd", "a\u2581b \u2581 \u2028c",
    "a\x01b\x08c\x0bd\x1fe\x7ff\u008fg\u00adh", "😀 👩\u200d👩\u200d👧 🇩🇪 👍🏽", "\u0378 \U000e0fff \ue000 \U0010ffff",
    "É Σ ß İ Э Ж ǅ", "это ЭТО Жук", "日本語の文章 日本", "<unk> <s> </s> <m> a<m>b", "zzzz qqq @@@ ##",
    "numbers 1２③ 10", "x" * 70, "e", "Hello\u0301", "ﬁ\u0301 Ａ\u0301",
]


ONLY_MAP = dict(add_dummy_prefix=False, escape_whitespaces=False, remove_extra_whitespaces=False)


def rules(name):
    normalizer = sentencepiece.SentencePieceNormalizer(rule_name=name, **ONLY_MAP)
    lines = {}
    for text in RULES:
        to = normalizer.normalize(text)
        if to != text:
            lines[text] = to
    code = lambda text: " ".join(f"{ord(c):X}" for c in text)
    return "".join(f"{code(text)}\t{code(to)}\n" for text, to in lines.items())


def train(kind, size, table, **options):
    out = io.BytesIO()
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as file:
        file.write(table)
        file.flush()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(LINES * 3), model_writer=out, model_type=kind, vocab_size=size,
            hard_vocab_limit=False, normalization_rule_tsv=file.name, minloglevel=2,
            **options)
    return out.getvalue()


def main():
    models = []
    for name, kind, size, rule, options in [
        ("unigram.model", "unigram", 160, "nmt_nfkc", dict()),
        ("unigram_folded.model", "unigram", 150, "nmt_nfkc_cf", dict()),
        ("unigram_spaces.model", "unigram", 150, "nmt_nfkc", dict(remove_extra_whitespaces=False, add_dummy_prefix=False)),
        ("pairs.model", "bpe", 420, "nmt_nfkc", dict(byte_fallback=True)),
    ]:
        data = train(kind, size, rules(rule), **options)
        file = proto.ModelProto.FromString(data)
        file.normalizer_spec.normalization_rule_tsv = ""
        file.trainer_spec.ClearField("input")
        data = file.SerializeToString()
        (FOLDER / name).write_bytes(data)
        model = sentencepiece.SentencePieceProcessor(model_proto=data)
        charsmap = file.normalizer_spec.precompiled_charsmap
        at = data.index(charsmap)
        only_map = sentencepiece.SentencePieceNormalizer(model_proto=data, **ONLY_MAP)
        precompiled = normalizers.Precompiled(charsmap)
        rows = []
        for text in TEXTS:
            ids = model.encode(text)
            rows.append(dict(text=text, ids=ids, decoded=model.decode(ids)))
            if not options:
                rows[-1]["normalized"] = only_map.normalize(text)
                rows[-1]["precompiled"] = precompiled.normalize_str(text)
        models.append(dict(
            name=name, charsmap=[at, at + len(charsmap)], base64=None if options else base64.b64encode(charsmap).decode(),
            tokens=[piece.piece for piece in file.pieces], types=[piece.type for piece in file.pieces],
            scores=[piece.score for piece in file.pieces],
            prefix=file.normalizer_spec.add_dummy_prefix, merge=file.normalizer_spec.remove_extra_whitespaces,
            cases=rows))
        print(name, len(data), len(charsmap), len(file.pieces))
    lines = ",\n".join(json.dumps(model, ensure_ascii=False, separators=(",", ":")) for model in models)
    (FOLDER / "sentence_piece.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


main()
