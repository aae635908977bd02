#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write a tiny llama-architecture GGUF (format 3, all F32) with seeded random
weights, for testing against a real llama.cpp.  Standard library only.

    make_tiny_gguf.py OUT.gguf [--seed N] [--embed]

--embed marks the model as one for embeddings (mean pooling), which Ollama wants
before it serves /api/embed; it then has no chat template.  Same seed, same bytes.

The model knows nothing: it prints random words.  A few dimensions are set by
hand so that it is useful to test with:

  dim 0  a large constant in every embedding, carried to the end by the residual
         stream, so that column 0 of output.weight is a per-token bias.  Words
         are likely, quotes and newlines rare, raw bytes and control tokens next
         to impossible (the text is always valid UTF-8), and the end-of-turn
         token comes about once in thirty tokens, so that both "stop" and
         "length" occur as finish reasons.
  dim 1  "a tool call is wanted": attention head 0 of layer 0 looks for the
         <|tools|> token that the chat template prints when the request has
         tools, for <tool_call>, which outweighs it and turns the sign, and for
         <tool_response>, which outweighs both and clears it.  Positive, it makes
         <tool_call> the likely first token; negative, it favours quotes and
         </tool_call> over a comma, so that one call is not followed by another.
         So a request with tools gets a tool call, and one with a tool's result
         gets words.
  dim 2  "end now": set by </tool_call>, so a turn holds one call.
  dim 3  the key, and dim 4 the value, that head 0 reads.

Every printable ASCII character and every byte has a token, so any prompt
tokenizes and any grammar (a JSON schema, a tool's parameters) can be followed.
"""
import argparse
import random
import struct

EMBD, HEADS, KV_HEADS, FF, LAYERS, CTX = 64, 4, 2, 128, 2, 8192
HEAD_DIM = EMBD // HEADS
HAND = 5                        # dims 0..4 are set by hand, the rest are random
BIAS = 8.0

# GGUF value types and token types
U32, I32, F32, BOOL, STR, ARR = 4, 5, 6, 7, 8, 9
NORMAL, UNKNOWN, CONTROL, USER, BYTE = 1, 2, 3, 4, 6
NEVER, RARE = -60.0, -7.0

WORDS = """a the of and to in is it on as at by we you one two red blue green
river stone cloud light house tree bird road night day sea wind fire snow leaf
hand eye word song small large old new cold warm quick slow far near under over
open close begin end find keep give take make send hold turn run walk read write
café naïve straße 你好 世界 Привет мир 🙂 🚀""".split()

PUNCT = {".": -0.5, ",": -0.5, "!": -2.0, "?": -2.0, '"': -0.5, "}": -3.0, "<": -14.0}

# ChatML with Hermes-style tool calls, a form llama.cpp recognizes by itself.
TEMPLATE = (
    "{%- if tools %}<|im_start|>system\n<|tools|>Tools:\n"
    "{%- for t in tools %}\n{{ t | tojson }}{% endfor %}<|im_end|>\n{% endif -%}"
    "{%- for m in messages %}"
    "{%- if m.role == 'tool' %}<|im_start|>user\n<tool_response>{{ m.content }}<|im_end|>\n"
    "{%- else %}<|im_start|>{{ m.role }}\n"
    "{%- if m.content is string %}{{ m.content }}{% endif %}"
    "{%- for c in m.tool_calls or [] %}<tool_call>{\"name\": \"{{ c.function.name }}\", "
    "\"arguments\": {{ c.function.arguments | tojson }}}</tool_call>{% endfor %}<|im_end|>\n"
    "{%- endif %}{% endfor -%}"
    "{%- if add_generation_prompt %}<|im_start|>assistant\n{% endif -%}"
)


def build_vocab():
    """A list of (text, type, bias in the output)."""
    vocab = [("<unk>", UNKNOWN, NEVER), ("<s>", CONTROL, NEVER),
             ("<|im_start|>", CONTROL, NEVER), ("<|im_end|>", CONTROL, 0.2),
             ("<|tools|>", CONTROL, NEVER), ("<tool_call>", USER, -8.0),
             ("</tool_call>", USER, -8.0), ("<tool_response>", USER, NEVER)]
    vocab += [("<0x%02X>" % b, BYTE, -1.0 if b == 10 else NEVER) for b in range(256)]
    vocab += [(chr(c), NORMAL, PUNCT.get(chr(c), RARE)) for c in range(33, 127)]
    vocab.append(("\u2581", NORMAL, RARE))
    vocab += [("\u2581" + w, NORMAL, 0.0) for w in WORDS]
    assert len({t for t, _, _ in vocab}) == len(vocab)
    return vocab


# The hand-set embedding dimensions and output columns of single tokens.
EMB_HAND = {"<|tools|>": {3: 6.0, 4: 4.0}, "<tool_response>": {3: 12.0},
            "<tool_call>": {3: 9.0, 4: -4.0}, "</tool_call>": {2: 8.0}}
OUT_HAND = {"<tool_call>": {1: 7.0}, "</tool_call>": {1: -2.3}, '"': {1: -0.8},
            ",": {1: 2.0}, "<|im_end|>": {2: 6.0}}


def s(text):
    b = text.encode()
    return struct.pack("<Q", len(b)) + b


def kv(key, kind, value, elem=None):
    pack = {U32: "<I", I32: "<i", F32: "<f", BOOL: "<?"}
    out = s(key) + struct.pack("<I", kind)
    if kind == STR:
        return out + s(value)
    if kind == ARR:
        out += struct.pack("<IQ", elem, len(value))
        if elem == STR:
            return out + b"".join(s(v) for v in value)
        return out + b"".join(struct.pack(pack[elem], v) for v in value)
    return out + struct.pack(pack[kind], value)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("out")
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--embed", action="store_true")
    args = ap.parse_args()
    out_path = args.out
    rng = random.Random(args.seed)
    vocab = build_vocab()
    n_vocab = len(vocab)

    def gauss(n, sd):
        return [rng.gauss(0.0, sd) for _ in range(n)]

    def matrix(rows, cols, sd):
        return [gauss(cols, sd) for _ in range(rows)]

    # What dimension 0 comes to after the final RMS norm, roughly.
    unit = BIAS / ((BIAS * BIAS + (EMBD - HAND)) / EMBD) ** 0.5

    embd, outw = [], []
    for text, _, bias in vocab:
        e = [BIAS, 0.0, 0.0, 0.0, 0.0] + gauss(EMBD - HAND, 1.0)
        o = [bias / unit, 0.0, 0.0, 0.0, 0.0] + gauss(EMBD - HAND, 0.15)
        for d, v in EMB_HAND.get(text, {}).items():
            e[d] = v
        for d, v in OUT_HAND.get(text, {}).items():
            o[d] = v
        embd.append(e)
        outw.append(o)

    kvd = HEAD_DIM * KV_HEADS
    tensors = [("token_embd.weight", embd), ("output_norm.weight", [[1.0] * EMBD]),
               ("output.weight", outw)]
    for i in range(LAYERS):
        q, k = matrix(EMBD, EMBD, 0.1), matrix(kvd, EMBD, 0.1)
        v, o = matrix(kvd, EMBD, 0.15), matrix(EMBD, EMBD, 0.1)
        down = matrix(EMBD, FF, 0.1)
        for row in range(HAND):         # nothing random writes into these
            o[row] = [0.0] * EMBD
            down[row] = [0.0] * FF
        if i == 0:
            # Head 0 asks (from dim 0) for a large dim 3.  Its last rotary pair
            # hardly turns, with a frequency base this high, so position plays
            # no part.
            for row in range(HEAD_DIM):
                q[row] = [0.0] * EMBD
                k[row] = [0.0] * EMBD
            q[HEAD_DIM - 1][0] = 2.0
            k[HEAD_DIM - 1][3] = 1.0
            v[0] = [0.0] * EMBD
            v[0][4] = 1.0
            o[1][0] = 2.0
        p = "blk.%d." % i
        tensors += [(p + "attn_norm.weight", [[1.0] * EMBD]), (p + "attn_q.weight", q),
                    (p + "attn_k.weight", k), (p + "attn_v.weight", v),
                    (p + "attn_output.weight", o), (p + "ffn_norm.weight", [[1.0] * EMBD]),
                    (p + "ffn_gate.weight", matrix(FF, EMBD, 0.15)),
                    (p + "ffn_up.weight", matrix(FF, EMBD, 0.15)),
                    (p + "ffn_down.weight", down)]

    meta = [
        kv("general.architecture", STR, "llama"),
        kv("general.name", STR, "tiny-random"),
        kv("general.alignment", U32, 32),
        kv("general.file_type", U32, 0),
        kv("llama.block_count", U32, LAYERS),
        kv("llama.context_length", U32, CTX),
        kv("llama.embedding_length", U32, EMBD),
        kv("llama.feed_forward_length", U32, FF),
        kv("llama.attention.head_count", U32, HEADS),
        kv("llama.attention.head_count_kv", U32, KV_HEADS),
        kv("llama.attention.layer_norm_rms_epsilon", F32, 1e-5),
        kv("llama.rope.dimension_count", U32, HEAD_DIM),
        kv("llama.rope.freq_base", F32, 1e9),
        kv("llama.vocab_size", U32, n_vocab),
        kv("tokenizer.ggml.model", STR, "llama"),
        kv("tokenizer.ggml.pre", STR, "default"),
        kv("tokenizer.ggml.tokens", ARR, [t for t, _, _ in vocab], STR),
        kv("tokenizer.ggml.scores", ARR, [-float(i) for i in range(n_vocab)], F32),
        kv("tokenizer.ggml.token_type", ARR, [t for _, t, _ in vocab], I32),
        kv("tokenizer.ggml.unknown_token_id", U32, 0),
        kv("tokenizer.ggml.bos_token_id", U32, 1),
        kv("tokenizer.ggml.eos_token_id", U32, 3),
        kv("tokenizer.ggml.add_bos_token", BOOL, True),
        kv("tokenizer.ggml.add_eos_token", BOOL, False),
        kv("tokenizer.ggml.add_space_prefix", BOOL, False),
        (kv("llama.pooling_type", U32, 1) if args.embed
         else kv("tokenizer.chat_template", STR, TEMPLATE)),
    ]

    infos, blobs, offset = [], [], 0
    for name, rows in tensors:
        # GGUF lists the fastest-running dimension first.
        dims = [len(rows[0])] + ([len(rows)] if len(rows) > 1 else [])
        infos.append(s(name) + struct.pack("<I", len(dims))
                     + b"".join(struct.pack("<Q", d) for d in dims)
                     + struct.pack("<IQ", 0, offset))          # 0 = F32
        blob = b"".join(struct.pack("<%df" % len(r), *r) for r in rows)
        blob += b"\0" * (-len(blob) % 32)
        blobs.append(blob)
        offset += len(blob)

    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(meta))
    head += b"".join(meta) + b"".join(infos)
    head += b"\0" * (-len(head) % 32)
    with open(out_path, "wb") as f:
        f.write(head)
        f.writelines(blobs)
    print("%s: %d bytes, %d tokens, %d tensors"
          % (out_path, len(head) + offset, n_vocab, len(tensors)))


if __name__ == "__main__":
    main()
