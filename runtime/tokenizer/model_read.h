/* model_read.h: what the readers of models share: members of the "model" object of a tokenizer.json, read as they come. */
#ifndef OCLM_TOKENIZER_MODEL_READ_H
#define OCLM_TOKENIZER_MODEL_READ_H

#include "core/json.h"
#include "tokenizer/vocab.h"

/* Sees to it that a model has one "vocab": fails where `*seen` is set already, and sets it. */
oclm_status tok_read_one_vocab(core_json_reader *reader, bool *seen);

/* A string, or null; "" counts as none, as it has no effect. */
oclm_status tok_read_optional_string(core_json_reader *reader, char **value);
oclm_status tok_read_optional_bool(core_json_reader *reader, bool *value); /* null is false */
/* An object of strings and ids. */
oclm_status tok_read_vocab(core_json_reader *reader, tok_vocab *vocab);

/* The ids of the tokens <0x00> to <0xFF>; -1 where the vocabulary has none. */
void tok_find_byte_tokens(const tok_vocab *vocab, int32_t ids[256]);

#endif
