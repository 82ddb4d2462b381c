/* bpe_make.c: merges from a vocabulary. tiktoken and SentencePiece join the neighbours whose joint token comes first in
 * their order; a merge for every cut of every token, ranked by that token's place, does the same. */
#include "tokenizer/bpe_make.h"

#include <stdlib.h>
#include <string.h>

/* Work is bytes squared: every cut of a token is hashed. Real vocabularies need some 20 million; this many take
 * seconds. */
#define MAX_WORK ((uint64_t)1 << 33)

typedef struct cut {
    int32_t left, right;
} cut;

static int compare_cuts(const void *a, const void *b)
{
    const cut *x = a, *y = b;
    if (x->left != y->left)
        return x->left < y->left ? -1 : 1;
    return x->right < y->right ? -1 : x->right > y->right;
}

static bool may_be_part(const tok_merge_order *order, int32_t id)
{
    return id >= 0 && (order->parts == NULL || order->parts[id]);
}

/* All cuts of a token between two characters. `cuts` has room for one at each byte. */
static size_t find_cuts(const tok_vocab *vocab, const tok_merge_order *order, const char *text, size_t length,
                        cut *cuts)
{
    size_t count = 0;
    for (size_t at = 1; at < length; at++) {
        if (((unsigned char)text[at] & 0xC0) == 0x80)
            continue;
        const int32_t left = tok_vocab_find(vocab, text, at);
        if (!may_be_part(order, left))
            continue;
        const int32_t right = tok_vocab_find(vocab, text + at, length - at);
        if (may_be_part(order, right))
            cuts[count++] = (cut){ left, right };
    }
    if (order->cuts == TOK_CUTS_BY_IDS)
        qsort(cuts, count, sizeof *cuts, compare_cuts);
    for (size_t i = 0; order->cuts == TOK_CUTS_LONG_LEFT_FIRST && i < count / 2; i++) {
        const cut first = cuts[i];
        cuts[i] = cuts[count - 1 - i];
        cuts[count - 1 - i] = first;
    }
    return count;
}

oclm_status tok_bpe_find_merges(tok_bpe *bpe, const tok_merge_order *order, const char *origin)
{
    const tok_vocab *vocab = &bpe->model.vocab;
    size_t longest = 0, length;
    uint64_t work = 0;
    uint32_t         rank = order->first_rank;
    oclm_status status = OCLM_OK;
    for (size_t i = 0; i < order->count; i++) {
        if (tok_vocab_text(vocab, order->ids[i], &length) == NULL)
            continue;
        longest = length > longest ? length : longest;
        work += (uint64_t)length * length; /* no overflow: a file has less than 2^32 bytes */
    }
    if (work > MAX_WORK)
        return core_fail(OCLM_ERR_FORMAT,
                         "%s: the tokens are too long to find their merges (one has %zu bytes); is the file a "
                         "vocabulary?",
                         origin, longest);
    cut *cuts = core_alloc_array(longest, sizeof *cuts, "cuts of a token");
    if (cuts == NULL)
        return OCLM_ERR_MEMORY;
    for (size_t i = 0; i < order->count && status == OCLM_OK; i++) {
        const char *text = tok_vocab_text(vocab, order->ids[i], &length);
        const size_t count = text != NULL ? find_cuts(vocab, order, text, length, cuts) : 0;
        for (size_t k = 0; k < count && status == OCLM_OK; k++) {
            if (rank == TOK_MAX_MERGES)
                status = core_fail(OCLM_ERR_FORMAT, "%s: more than %d merges", origin, TOK_MAX_MERGES);
            else
                status =
                    tok_merges_add(&bpe->merges, cuts[k].left, cuts[k].right, rank++, order->ids[i], vocab->count * 2);
        }
    }
    core_free(cuts);
    return status;
}

oclm_status tok_vocab_ids(const tok_vocab *vocab, int32_t **ids, size_t *count)
{
    *count = 0;
    if ((*ids = core_alloc_array(vocab->id_count, sizeof **ids, "ids")) == NULL)
        return OCLM_ERR_MEMORY;
    for (size_t id = 0; id < vocab->id_count; id++) {
        if (vocab->by_id[id] != 0)
            (*ids)[(*count)++] = (int32_t)id;
    }
    return OCLM_OK;
}
