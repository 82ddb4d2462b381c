/* model.h: what makes ids of pieces; read from the "model" object of a tokenizer.json. */
#ifndef OCLM_TOKENIZER_MODEL_H
#define OCLM_TOKENIZER_MODEL_H

#include "core/json.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/vocab.h"

struct tok_scratch;
typedef struct tok_model tok_model;

/* Adds the ids of a piece, which is not empty. A pure function of the piece: results are cached. */
typedef oclm_status tok_encode_function(const tok_model *model, struct tok_scratch *scratch, const char *text, size_t length,
                                        tok_ids *ids);

struct tok_model {
    tok_vocab vocab; /* as the file writes it */
    bool      is_bpe; /* decoding never cleans up spaces then */
    tok_encode_function *encode;
    /* Which bytes of the piece each of its ids, as encode gave them, covers: spans[count]. Only asked for offsets. */
    oclm_status (*spans)(const tok_model *model, struct tok_scratch *scratch, const char *text, size_t length, const int32_t *ids,
                         size_t count, oclm_span *spans);
    bool    writes_unknown; /* to the reference an unknown token reads as the text does, which counts for offsets */
    int32_t unknown_id;     /* then */
    /* Called once, before the first encode. `*bytes`, on entry: pieces could come as plain bytes where the vocabulary is
     * written in byte characters (byte_level.h); on return: whether the model wants them so. */
    oclm_status (*prepare)(tok_model *model, bool *bytes);
    void (*free)(tok_model *model);
};

oclm_status tok_model_read(core_json_reader *reader, tok_model **model);
void        tok_model_free(tok_model *model); /* accepts NULL */

#endif
