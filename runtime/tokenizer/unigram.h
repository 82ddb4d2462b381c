/* unigram.h: pieces with scores (log probabilities): of all ways to cut a text into them, the one with the highest sum. */
#ifndef OCLM_TOKENIZER_UNIGRAM_H
#define OCLM_TOKENIZER_UNIGRAM_H

#include "tokenizer/model.h"
#include "tokenizer/trie.h"

typedef struct tok_unigram {
    tok_model model;
    tok_trie  trie;
    double   *scores;  /* [count] by id */
    size_t    count, capacity;
    int32_t  *earlier; /* [earlier_count][2] ids of a piece that came again, and its later id */
    size_t    earlier_count;
    double    lowest;        /* score */
    int32_t   unk_id;        /* -1: none */
    bool      has_vocab;     /* read so far, from a tokenizer.json */
    bool      byte_fallback; /* an unknown part becomes its bytes, if the vocabulary has tokens for all of them */
    int32_t   fallback_ids[256];
} tok_unigram;

oclm_status tok_unigram_new(tok_unigram **unigram);
/* Adds a piece; its id is the number of those before. */
oclm_status tok_unigram_add(tok_unigram *unigram, const char *text, size_t length, double score);
/* After the last piece, with unk_id and byte_fallback set. `origin` is for messages. */
oclm_status tok_unigram_finish(tok_unigram *unigram, const char *origin);
/* The model object of a tokenizer.json. */
oclm_status tok_unigram_read(core_json_reader *reader, tok_model **model);

#endif
