/* vocab.h: strings with ids, found both ways.
 *
 * One pool of bytes, one array of entries in the order they came, one open-addressing table of entry numbers. A string
 * added twice keeps its place and takes the later id, as a Python dict would. Strings may hold NULs. */
#ifndef OCLM_TOKENIZER_VOCAB_H
#define OCLM_TOKENIZER_VOCAB_H

#include "core/text.h"

/* The largest id: real vocabularies stay below 300,000. Arrays are as long as the largest id. */
#define TOK_MAX_ID 0xFFFFFF

typedef struct tok_entry {
    size_t   start; /* in the pool */
    uint32_t length;
    int32_t  id;
} tok_entry;

typedef struct tok_vocab {
    core_text  pool;    /* each string is followed by a NUL */
    tok_entry *entries;
    size_t     count, capacity;
    uint64_t  *slots;   /* upper half of the hash, entry number + 1; 0 is empty. At most half are in use */
    size_t     slot_count;
    uint32_t  *by_id;   /* [id_count] entry number + 1; 0: no such id. Made by tok_vocab_index_ids() */
    size_t     id_count;
    size_t     repeated; /* more ids than strings, where a model gives one string several (unigram.h) */
} tok_vocab;

/* Room for about so many strings, so that the table need not grow step by step. */
oclm_status tok_vocab_reserve(tok_vocab *vocab, size_t count);
oclm_status tok_vocab_add(tok_vocab *vocab, const char *text, size_t length, int32_t id);
/* The same for a string whose tok_hash() is known. */
oclm_status tok_vocab_add_hashed(tok_vocab *vocab, const char *text, size_t length, int32_t id, uint64_t hash);
/* After the last string: ids to strings. Of two strings with one id the later is found. */
oclm_status tok_vocab_index_ids(tok_vocab *vocab);
void        tok_vocab_deinit(tok_vocab *vocab);

int32_t tok_vocab_find(const tok_vocab *vocab, const char *text, size_t length); /* its id, or -1 */
/* Many at once: each key's hash and id are filled in. Much faster, as memory is asked for all together. */
typedef struct tok_key {
    const char *text;
    size_t      length;
    uint64_t    hash;
    int32_t     id; /* or -1 */
} tok_key;
void tok_vocab_find_all(const tok_vocab *vocab, tok_key *keys, size_t count);
/* The same for a string whose tok_hash() is known. */
int32_t tok_vocab_find_hashed(const tok_vocab *vocab, const char *text, size_t length, uint64_t hash);
/* The string of an id, NUL-ended, valid until something is added; NULL if there is none. `length` may be NULL. */
const char *tok_vocab_text(const tok_vocab *vocab, int32_t id, size_t *length);

#endif
