/* unigram.c: Viterbi over the bytes of a piece, as the reference does it: each entry of the vocabulary that begins at a position
 * is an edge; where none covers exactly one character, an unknown edge does, for the lowest score less 10. Of two paths with one
 * score that which came first stays. Unknown edges side by side become one part. Sums are taken from the left, in double. */
#include "tokenizer/unigram.h"

#include <string.h>

#include "tokenizer/model_read.h"
#include "tokenizer/pipeline.h"
#include "tokenizer/unicode.h"

#define UNKNOWN_PENALTY 10.0

/* The best way to a position. */
typedef struct arrival {
    double   score;
    uint32_t from;
    int32_t  id; /* of the last edge; UNREACHED: no way yet */
} arrival;
#define UNREACHED (-2)

static inline bool is_better(const arrival *to, double score)
{
    return to->id == UNREACHED || score > to->score;
}

static inline void offer(arrival *to, double score, size_t from, int32_t id)
{
    if (is_better(to, score))
        *to = (arrival){ score, (uint32_t)from, id };
}

static oclm_status missing_unk(void)
{
    return core_fail(OCLM_ERR_FORMAT, "the text has a character that the tokenizer does not know, and its model has no unk_id");
}

/* The best ways to all positions where characters end. */
static oclm_status find_ways(const tok_unigram *unigram, const char *text, size_t length, arrival *ways)
{
    const tok_trie *trie = &unigram->trie;
    const double    unknown = unigram->lowest - UNKNOWN_PENALTY;
    size_t          size;
    for (size_t i = 0; i <= length; i++)
        ways[i].id = UNREACHED;
    ways[0].score = 0;
    for (size_t at = 0; at < length; at += size) {
        const double here = ways[at].score;
        bool         covered = false;
        (void)tok_char_at(text + at, &size);
        size_t end = at;
        for (uint32_t node = 0; end < length && (node = tok_trie_step(trie, node, (unsigned char)text[end])) != 0;) {
            const int32_t id = trie->nodes[node].id;
            end++;
            if (id >= 0) {
                offer(&ways[end], here + unigram->scores[id], at, id);
                covered |= end == at + size;
            }
        }
        if (covered)
            continue;
        if (unigram->unk_id < 0 && is_better(&ways[at + size], unknown + here))
            return missing_unk();
        offer(&ways[at + size], unknown + here, at, unigram->unk_id);
    }
    return OCLM_OK;
}

/* The ids of an unknown part, last first. */
static oclm_status add_unknown(const tok_unigram *unigram, const char *text, size_t length, tok_ids *ids)
{
    const int32_t known = tok_vocab_find(&unigram->model.vocab, text, length); /* "<unk>" itself */
    bool          falls_back = known < 0 && unigram->byte_fallback;
    oclm_status   status = OCLM_OK;
    for (size_t i = 0; i < length && falls_back; i++)
        falls_back = unigram->fallback_ids[(unsigned char)text[i]] >= 0;
    if (!falls_back)
        return tok_ids_add(ids, known >= 0 ? known : unigram->unk_id);
    for (size_t i = length; i > 0 && status == OCLM_OK; i--)
        status = tok_ids_add(ids, unigram->fallback_ids[(unsigned char)text[i - 1]]);
    return status;
}

/* Walks the best way from the end; ids come last first. */
static oclm_status add_way_back(const tok_unigram *unigram, const char *text, size_t length, const arrival *ways, tok_ids *ids)
{
    oclm_status status = OCLM_OK;
    for (size_t end = length, from; end > 0 && status == OCLM_OK; end = from) {
        from = ways[end].from;
        if (ways[end].id != unigram->unk_id) {
            status = tok_ids_add(ids, ways[end].id);
            continue;
        }
        while (from > 0 && ways[from].id == unigram->unk_id)
            from = ways[from].from;
        status = add_unknown(unigram, text + from, end - from, ids);
    }
    return status;
}

static oclm_status encode(const tok_model *model, tok_scratch *scratch, const char *text, size_t length, tok_ids *ids)
{
    const tok_unigram *unigram = (const tok_unigram *)model;
    const size_t       before = ids->count;
    size_t             bytes;
    oclm_status        status;
    if (!core_mul_size(length + 1, sizeof(arrival), &bytes))
        return core_fail_memory(SIZE_MAX, "a long word");
    arrival *ways = tok_scratch_memory(scratch, bytes);
    if (ways == NULL)
        return OCLM_ERR_MEMORY;
    if ((status = find_ways(unigram, text, length, ways)) != OCLM_OK ||
        (status = add_way_back(unigram, text, length, ways, ids)) != OCLM_OK)
        return status;
    for (size_t low = before, high = ids->count; low + 1 < high; low++) {
        const int32_t id = ids->data[low];
        ids->data[low] = ids->data[--high];
        ids->data[high] = id;
    }
    return OCLM_OK;
}

/* Walks the best way once more. */
static oclm_status find_spans(const tok_model *model, tok_scratch *scratch, const char *text, size_t length,
                              const int32_t *ids, size_t count, oclm_span *spans)
{
    const tok_unigram *unigram = (const tok_unigram *)model;
    size_t bytes;
    oclm_status status;
    tok_ids part = TOK_IDS_INIT;
    (void)ids;
    if (!core_mul_size(length + 1, sizeof(arrival), &bytes))
        return core_fail_memory(SIZE_MAX, "a long word");
    arrival *ways = tok_scratch_memory(scratch, bytes);
    if (ways == NULL)
        return OCLM_ERR_MEMORY;
    status = find_ways(unigram, text, length, ways);
    for (size_t end = length, from; end > 0 && count > 0 && status == OCLM_OK; end = from) {
        from = ways[end].from;
        part.count = 1;
        if (ways[end].id == unigram->unk_id) {
            while (from > 0 && ways[from].id == unigram->unk_id)
                from = ways[from].from;
            part.count = 0;
            status = add_unknown(unigram, text + from, end - from, &part);
        }
        for (size_t i = 0; i < part.count && count > 0; i++) /* each byte of an unknown part covers all of it */
            spans[--count] = (oclm_span){ from, end };
    }
    tok_ids_free(&part);
    return status;
}

/* ---- Getting ready */

static oclm_status prepare(tok_model *model, bool *bytes)
{
    model->writes_unknown = true;
    model->unknown_id = ((tok_unigram *)model)->unk_id;
    *bytes = false;
    return OCLM_OK;
}

static void free_unigram(tok_model *model)
{
    tok_unigram *unigram = (tok_unigram *)model;
    tok_vocab_deinit(&unigram->model.vocab);
    tok_trie_deinit(&unigram->trie);
    core_free(unigram->scores);
    core_free(unigram->earlier);
    core_free(unigram);
}

oclm_status tok_unigram_new(tok_unigram **unigram)
{
    tok_unigram *made = core_alloc_zero(1, sizeof *made, "a Unigram model");
    *unigram = made;
    if (made == NULL)
        return OCLM_ERR_MEMORY;
    made->unk_id = -1;
    made->model.encode = encode;
    made->model.spans = find_spans;
    made->model.prepare = prepare;
    made->model.free = free_unigram;
    return OCLM_OK;
}

/* A piece that comes again: the later id and score count, but its earlier id still reads as the piece. */
static oclm_status note_earlier(tok_unigram *unigram, int32_t earlier, int32_t later)
{
    int32_t *list = core_realloc_array(unigram->earlier, 2 * (unigram->earlier_count + 1), sizeof *list, "a Unigram model");
    if (list == NULL)
        return OCLM_ERR_MEMORY;
    list[2 * unigram->earlier_count] = earlier;
    list[2 * unigram->earlier_count++ + 1] = later;
    unigram->earlier = list;
    return OCLM_OK;
}

oclm_status tok_unigram_add(tok_unigram *unigram, const char *text, size_t length, double score)
{
    const int32_t id = (int32_t)unigram->count;
    const int32_t known = tok_vocab_find(&unigram->model.vocab, text, length);
    oclm_status   status;
    if (unigram->count > TOK_MAX_ID)
        return core_fail(OCLM_ERR_FORMAT, "a vocabulary of more than %d pieces", TOK_MAX_ID);
    if (unigram->count == unigram->capacity) {
        const size_t capacity = unigram->capacity == 0 ? 1024 : unigram->capacity * 2;
        double      *scores = core_realloc_array(unigram->scores, capacity, sizeof *scores, "a Unigram model");
        if (scores == NULL)
            return OCLM_ERR_MEMORY;
        unigram->scores = scores;
        unigram->capacity = capacity;
    }
    if (known >= 0 && (status = note_earlier(unigram, known, id)) != OCLM_OK)
        return status;
    if ((status = tok_vocab_add(&unigram->model.vocab, text, length, id)) != OCLM_OK)
        return status;
    unigram->lowest = unigram->count == 0 || score < unigram->lowest ? score : unigram->lowest;
    unigram->scores[unigram->count++] = score;
    return OCLM_OK;
}

oclm_status tok_unigram_finish(tok_unigram *unigram, const char *origin)
{
    tok_vocab  *vocab = &unigram->model.vocab;
    oclm_status status;
    if (unigram->unk_id >= 0 && (size_t)unigram->unk_id >= unigram->count)
        return core_fail(OCLM_ERR_FORMAT, "%s: the model's unk_id is %d, but its vocabulary has %zu pieces", origin,
                         (int)unigram->unk_id, unigram->count);
    if ((status = tok_vocab_index_ids(vocab)) != OCLM_OK)
        return status;
    for (size_t i = unigram->earlier_count; i > 0; i--)
        vocab->by_id[unigram->earlier[2 * i - 2]] = vocab->by_id[unigram->earlier[2 * i - 1]];
    vocab->repeated = unigram->earlier_count;
    tok_find_byte_tokens(vocab, unigram->fallback_ids);
    return tok_trie_build(&unigram->trie, vocab);
}
