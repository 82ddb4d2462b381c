/* layout.h: what stands around the texts of one encoding, and in which order: `<s> A </s> B </s>`, say.
 *
 * Post-processors never look at the texts, so what they do with one text or two, with special tokens or without, is
 * worked out once, at load: four layouts. An encoding is then its layout with the texts' ids filled in; so are type
 * ids, the mask of special tokens, and whatever else goes along with ids. */
#ifndef OCLM_TOKENIZER_LAYOUT_H
#define OCLM_TOKENIZER_LAYOUT_H

#include "tokenizer/tokenizer.h"

#define TOK_PART_A (-1) /* instead of a special token's id: all ids of the first text */
#define TOK_PART_B (-2) /* of the second */

#define TOK_MAX_PARTS 1024 /* of one layout; real ones have up to 6 */

typedef struct tok_part {
    int32_t  id;
    int32_t  type_id;
    uint32_t group; /* parts that the next post-processor takes as one sequence; they count from 0, in order */
    bool     special; /* in the mask of special tokens */
} tok_part;

typedef struct tok_layout {
    tok_part *parts;
    size_t    count;
    uint32_t  groups;
    size_t    added;      /* how many parts are special tokens */
    bool      impossible; /* the post-processors do not fit one another; told when it is used */
} tok_layout;

/* Adds a part to the last group. */
oclm_status tok_layout_add(tok_layout *layout, int32_t id, int32_t type_id);
/* Adds the parts of a group of `from` to the last group. `type_id` replaces theirs, unless it is negative. */
oclm_status tok_layout_add_group(tok_layout *layout, const tok_layout *from, uint32_t group, int32_t type_id);
void        tok_layout_deinit(tok_layout *layout);

/* Works the four layouts out, once the post-processor is read; and frees them. */
oclm_status tok_layouts_prepare(tok_tokenizer *tokenizer);
void        tok_layouts_deinit(tok_tokenizer *tokenizer);
/* The layout of a text or a pair. Errors: OCLM_ERR_UNSUPPORTED, if it is impossible. */
oclm_status tok_layout_of(const tok_tokenizer *tokenizer, bool pair, bool add_special_tokens, const tok_layout **layout);

#endif
