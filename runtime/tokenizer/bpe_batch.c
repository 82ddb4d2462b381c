/* bpe_batch.c: merges from their texts to the table, a few dozen at a time.
 *
 * A merge takes two or three look-ups in a vocabulary of megabytes and one in the table of merges, and each waits for memory several
 * times. Done side by side, they wait together: Llama 3's 280,147 merges are read in a third of the time. */
#include <inttypes.h>
#include <string.h>

#include "tokenizer/bpe.h"

void tok_merge_batch_init(tok_merge_batch *batch, tok_bpe *bpe, const char *where)
{
    memset(batch, 0, sizeof *batch);
    batch->bpe = bpe;
    batch->where = where;
}

void tok_merge_batch_deinit(tok_merge_batch *batch)
{
    core_text_free(&batch->text);
}

static oclm_status not_in_vocabulary(const tok_key *key, const char *where, uint32_t rank)
{
    return core_fail(OCLM_ERR_FORMAT, "%s: merge %" PRIu32 " needs the token \"%.*s\", which is not in the vocabulary", where, rank,
                     (int)core_utf8_cut(key->text, key->length, 200), key->text);
}

/* The entry of a merge's result, if it is the last merge's or the one behind: vocabularies are written in the order of merges. SIZE_MAX: it
 * is neither, and has to be looked up. */
static size_t guess_result(const tok_vocab *vocab, size_t last, const char *text, size_t length)
{
    for (size_t i = last; i < vocab->count && i < last + 2; i++) {
        if (vocab->entries[i].length == length && memcmp(vocab->pool.data + vocab->entries[i].start, text, length) == 0)
            return i;
    }
    return SIZE_MAX;
}

static size_t entry_of(const tok_vocab *vocab, int32_t id)
{
    return id >= 0 && (size_t)id < vocab->id_count && vocab->by_id[id] != 0 ? vocab->by_id[id] - 1 : 0;
}

/* The keys of all merges' left and right tokens and results; guessed results have their ids in `results`, the others come last
 * among `keys`, at `places` in `results`. Returns how many keys there are. */
static size_t list_keys(tok_merge_batch *batch, tok_key *keys, tok_key *results, size_t *places)
{
    const tok_bpe *bpe = batch->bpe;
    const bool     rewritten = bpe->prefix != NULL && bpe->prefix[0] != '\0'; /* the right token's prefix goes: the result stands behind */
    const char    *text = batch->text.data;
    size_t         count = 2 * batch->count;
    for (size_t i = 0; i < batch->count; i++) {
        const tok_batched *merge = &batch->merges[i];
        keys[2 * i] = (tok_key){ text, merge->left, 0, -1 };
        keys[2 * i + 1] = (tok_key){ text + merge->left, merge->right, 0, -1 };
        results[i] = (tok_key){ text, merge->left + merge->right, 0, -1 };
        text += merge->left + merge->right;
        if (rewritten) {
            results[i] = (tok_key){ text, merge->result, 0, -1 };
            text += merge->result;
        }
        const size_t guess = guess_result(&bpe->model.vocab, batch->last_result, results[i].text, results[i].length);
        if (guess != SIZE_MAX) {
            batch->last_result = guess;
            results[i].id = bpe->model.vocab.entries[guess].id;
        } else {
            places[count - 2 * batch->count] = i;
            keys[count++] = results[i];
        }
    }
    return count;
}

oclm_status tok_merge_batch_end(tok_merge_batch *batch)
{
    tok_bpe     *bpe = batch->bpe;
    tok_key      keys[3 * TOK_MERGE_BATCH], results[TOK_MERGE_BATCH];
    size_t       places[TOK_MERGE_BATCH]; /* in `results`, of the keys behind those of left and right tokens */
    const size_t count = list_keys(batch, keys, results, places), first_result = 2 * batch->count;
    oclm_status  status = OCLM_OK;
    if (count > 0)
        tok_vocab_find_all(&bpe->model.vocab, keys, count);
    for (size_t i = first_result; i < count; i++)
        results[places[i - first_result]].id = keys[i].id;
    if (count > first_result && places[count - 1 - first_result] == batch->count - 1)
        batch->last_result = entry_of(&bpe->model.vocab, keys[count - 1].id);
    for (size_t i = 0; i < batch->count; i++)
        tok_merges_prefetch(&bpe->merges, keys[2 * i].id, keys[2 * i + 1].id);
    for (size_t i = 0; i < batch->count && status == OCLM_OK; i++) {
        const tok_key *const parts[3] = { &keys[2 * i], &keys[2 * i + 1], &results[i] };
        const uint32_t       rank = batch->merges[i].rank;
        for (size_t k = 0; k < 3; k++) {
            if (parts[k]->id < 0)
                return not_in_vocabulary(parts[k], batch->where, rank);
        }
        status = tok_merges_add(&bpe->merges, parts[0]->id, parts[1]->id, rank, parts[2]->id, bpe->model.vocab.count * 4);
    }
    batch->count = 0;
    core_text_clear(&batch->text);
    return status;
}

oclm_status tok_merge_batch_add(tok_merge_batch *batch, const char *left, size_t left_length, const char *right, size_t right_length,
                                uint32_t rank)
{
    core_text   *text = &batch->text;
    const char  *prefix = batch->bpe->prefix;
    size_t       cut = prefix != NULL ? strlen(prefix) : 0;
    oclm_status  status;
    tok_batched *merge = &batch->merges[batch->count];
    cut = cut < right_length ? cut : right_length;
    if (left_length > UINT32_MAX / 4 || right_length > UINT32_MAX / 4)
        return core_fail(OCLM_ERR_FORMAT, "%s: merge %" PRIu32 " is longer than a gigabyte", batch->where, rank);
    *merge = (tok_batched){ (uint32_t)left_length, (uint32_t)right_length, (uint32_t)(left_length + right_length - cut), rank };
    if ((status = core_text_reserve(text, left_length + right_length)) != OCLM_OK)
        return status;
    memcpy(text->data + text->length, left, left_length);
    memcpy(text->data + text->length + left_length, right, right_length);
    text->length += left_length + right_length;
    if (prefix != NULL && ((status = core_text_add(text, left, left_length)) != OCLM_OK ||
                           (status = core_text_add(text, right + cut, right_length - cut)) != OCLM_OK))
        return status;
    return ++batch->count == TOK_MERGE_BATCH ? tok_merge_batch_end(batch) : OCLM_OK;
}

static bool is_version(const char *line, size_t length)
{
    return length >= 8 && memcmp(line, "#version", 8) == 0;
}

oclm_status tok_merge_batch_add_line(tok_merge_batch *batch, const char *line, size_t length, uint32_t rank)
{
    if (is_version(line, length))
        return OCLM_OK;
    const char  *space = memchr(line, ' ', length);
    const size_t left = space != NULL ? (size_t)(space - line) : 0;
    if (space == NULL || memchr(space + 1, ' ', length - left - 1) != NULL)
        return core_fail(OCLM_ERR_FORMAT, "%s: merge %" PRIu32 " is \"%.*s\"; it must be two tokens with one space between", batch->where,
                         rank, (int)core_utf8_cut(line, length, 200), line);
    return tok_merge_batch_add(batch, line, left, space + 1, length - left - 1, rank);
}

oclm_status tok_bpe_add_line(tok_bpe *bpe, const char *line, size_t length, uint32_t rank, const char *where)
{
    tok_merge_batch batch;
    tok_merge_batch_init(&batch, bpe, where);
    oclm_status status = tok_merge_batch_add_line(&batch, line, length, rank);
    if (status == OCLM_OK)
        status = tok_merge_batch_end(&batch);
    tok_merge_batch_deinit(&batch);
    return status;
}
