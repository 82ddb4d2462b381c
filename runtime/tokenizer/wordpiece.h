/* wordpiece.h: the two models that look words up: WordPiece in parts, WordLevel whole. */
#ifndef OCLM_TOKENIZER_WORDPIECE_H
#define OCLM_TOKENIZER_WORDPIECE_H

#include "tokenizer/model.h"
#include "tokenizer/trie.h"

/* Both: the model object of a tokenizer.json. */
oclm_status tok_wordpiece_read(core_json_reader *reader, tok_model **model); /* wordpiece.c */
oclm_status tok_wordlevel_read(core_json_reader *reader, tok_model **model); /* wordlevel.c */

typedef struct tok_wordpiece {
    tok_model model;
    tok_trie  trie;
    char     *unk_token;
    char     *prefix;     /* of a part that is not the word's first; NULL: none */
    uint32_t  inner;      /* the trie's node after the prefix; 0 if there is no prefix */
    bool      no_inner;   /* no entry begins with the prefix: words of several parts are unknown */
    uint32_t  max_chars;  /* longer words are unknown */
    int32_t   unk_id;     /* -1: not in the vocabulary */
    bool      has_vocab;  /* read so far */
} tok_wordpiece;

/* For readers of other files: fill the vocabulary and the members, then finish. */
oclm_status tok_wordpiece_new(tok_wordpiece **wordpiece);
oclm_status tok_wordpiece_finish(tok_wordpiece *wordpiece);

/* The failure of a text that needs an unknown token where the vocabulary has none. */
oclm_status tok_missing_unk(const char *unk_token);

#endif
