/* bpe_cut.c: where a word can be cut before any merging, because no merge reaches across.
 *
 * A merge joins two tokens: what stands on both sides of the joint is the last character of the left and the first of the right.
 * Between two characters that are at no merge's joint, nothing is ever joined. So a whole text that comes as one word (Llama 2,
 * Gemma) falls into words before a space, and a megabyte of random letters into short parts: each is then looked up in the cache, or
 * merged by itself, with the same result.
 *
 * Joints are bits: a table for characters below NEAR, byte characters among them, and a table by hash for others, where a bit may be
 * set by another pair: then a place is not cut that could be. */
#include <string.h>

#include "tokenizer/bpe.h"
#include "tokenizer/unicode.h"

static void set_joint(tok_cuts *cuts, uint32_t left, uint32_t right)
{
    const size_t bit = tok_joint_bit(left, right);
    cuts->joints[bit / 64] |= (uint64_t)1 << (bit % 64);
}

/* The first and last characters of all tokens, by id; 0 where there is none. */
static void find_ends(const tok_vocab *vocab, uint32_t (*ends)[2])
{
    size_t size;
    for (size_t i = 0; i < vocab->count; i++) {
        const char *text = vocab->pool.data + vocab->entries[i].start;
        uint32_t   *end = ends[vocab->entries[i].id];
        if (vocab->entries[i].length == 0)
            continue;
        end[0] = tok_char_at(text, &size);
        end[1] = tok_char_at(tok_char_before(text, text + vocab->entries[i].length), &size);
    }
}

static void find_char_ids(tok_cuts *cuts, const tok_vocab *vocab)
{
    size_t size;
    for (size_t i = 0; i < TOK_CHAR_IDS; i++)
        cuts->char_ids[i] = -1;
    for (size_t i = 0; i < vocab->count; i++) {
        const tok_entry *entry = &vocab->entries[i];
        if (entry->length == 0 || entry->length > 3)
            continue;
        const uint32_t code_point = tok_char_at(vocab->pool.data + entry->start, &size);
        if (size == entry->length)
            cuts->char_ids[code_point] = entry->id;
    }
}

/* Merges go by ids, joints by texts: they tell the same only where each id has one text. */
static bool ids_are_unique(const tok_vocab *vocab)
{
    size_t ids = 0;
    for (size_t i = 0; i < vocab->id_count; i++)
        ids += vocab->by_id[i] != 0;
    return ids == vocab->count;
}

oclm_status tok_cuts_prepare(tok_cuts *cuts, const tok_vocab *vocab, const tok_merges *merges)
{
    uint32_t(*ends)[2];
    if (!ids_are_unique(vocab))
        return OCLM_OK;
    if ((ends = core_alloc_zero(vocab->id_count, sizeof *ends, "a BPE model")) == NULL)
        return OCLM_ERR_MEMORY;
    cuts->joints = core_alloc_zero(TOK_JOINT_BITS / 64, sizeof *cuts->joints, "a BPE model");
    cuts->char_ids = core_alloc_array(TOK_CHAR_IDS, sizeof *cuts->char_ids, "a BPE model");
    if (cuts->joints == NULL || cuts->char_ids == NULL) {
        core_free(ends);
        return OCLM_ERR_MEMORY;
    }
    find_ends(vocab, ends);
    for (size_t i = 0; i < merges->slot_count; i++) {
        const uint64_t pair = merges->slots[i].pair;
        if (pair != 0)
            set_joint(cuts, ends[(pair >> 32) - 1][1], ends[(uint32_t)pair][0]);
    }
    find_char_ids(cuts, vocab);
    cuts->ready = true;
    core_free(ends);
    return OCLM_OK;
}

void tok_cuts_deinit(tok_cuts *cuts)
{
    core_free(cuts->joints);
    core_free(cuts->char_ids);
    memset(cuts, 0, sizeof *cuts);
}
