/* gguf_pre.h: how a GGUF's byte-level tokenizer cuts text: "tokenizer.ggml.pre" is a name, and the rule is known. */
#ifndef OCLM_TOKENIZER_GGUF_PRE_H
#define OCLM_TOKENIZER_GGUF_PRE_H

#include "core/gguf.h"
#include "tokenizer/tokenizer.h"

typedef struct tok_gguf_pre {
    const char *names;   /* each between two spaces */
    const char *patterns[3]; /* of Splits, one after the other; the rest NULL */
    bool digits;         /* then each digit is cut off, and GPT-2's rule follows */
    bool nfc;            /* the model's own tokenizer.json normalises */
    bool from_ranks;     /* made of tiktoken's ranks: a piece that is a token needs no merges */
    bool adds_bos;       /* where the file does not say */
} tok_gguf_pre;

/* The rule of the file; GPT-2's, with a warning, for a name that is not known. */
oclm_status tok_gguf_pre_find(const core_gguf *file, const tok_gguf_pre **pre);
/* Adds its normaliser and its pre-tokenizers. */
oclm_status tok_gguf_pre_add(const tok_gguf_pre *pre, tok_tokenizer *tokenizer, const char *origin);
/* The name for how the tokenizer.json of a folder cuts text; "gpt-2" where there is none, "default", with a warning, for a way that has no name. */
oclm_status tok_gguf_pre_name(const char *folder, core_text *name);

#endif
