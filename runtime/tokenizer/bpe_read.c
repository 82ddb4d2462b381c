/* bpe_read.c: a BPE model from its JSON: a pull reader straight into the tables, as a file has half a million entries.
 *
 * Merges need the vocabulary and the prefix; where the file tells them later, the merges are read at the end. */
#include <inttypes.h>
#include <string.h>

#include "core/log.h"
#include "tokenizer/bpe.h"
#include "tokenizer/model_read.h"

/* ---- Merges */

/* ["left", "right"] */
static oclm_status read_pair(tok_merge_batch *batch, core_json_reader *reader, uint32_t rank, core_text *joined)
{
    bool        first = true, more;
    const char *text;
    size_t      length, left = 0, parts = 0;
    oclm_status status = core_json_enter(reader, CORE_JSON_ARRAY);
    core_text_clear(joined);
    while (status == OCLM_OK && (status = core_json_next(reader, CORE_JSON_ARRAY, &first, &more)) == OCLM_OK && more) {
        if ((status = core_json_string(reader, &text, &length)) == OCLM_OK)
            status = core_text_add(joined, text, length);
        if (parts++ == 0)
            left = joined->length;
    }
    if (status != OCLM_OK)
        return status;
    if (parts != 2)
        return core_json_error(reader, "merge %" PRIu32 " has %zu parts; it must have two", rank, parts);
    const char *both = joined->data != NULL ? joined->data : "";
    return tok_merge_batch_add(batch, both, left, both + left, joined->length - left, rank);
}

static oclm_status read_merges(tok_bpe *bpe, core_json_reader *reader)
{
    bool            first = true, more;
    core_json_kind  kind;
    const char     *text;
    size_t          length;
    uint32_t        rank = 0;
    core_text       joined = CORE_TEXT_INIT;
    tok_merge_batch batch;
    oclm_status     status = core_json_enter(reader, CORE_JSON_ARRAY);
    tok_merge_batch_init(&batch, bpe, reader->origin);
    while (status == OCLM_OK && (status = core_json_next(reader, CORE_JSON_ARRAY, &first, &more)) == OCLM_OK && more) {
        if ((status = core_json_peek(reader, &kind)) != OCLM_OK)
            break;
        if (rank == TOK_MAX_MERGES)
            status = core_json_error(reader, "more than %d merges", TOK_MAX_MERGES);
        else if (kind == CORE_JSON_ARRAY)
            status = read_pair(&batch, reader, rank, &joined);
        else if ((status = core_json_string(reader, &text, &length)) == OCLM_OK)
            status = tok_merge_batch_add_line(&batch, text, length, rank);
        rank++;
    }
    if (status == OCLM_OK)
        status = tok_merge_batch_end(&batch);
    tok_merge_batch_deinit(&batch);
    core_text_free(&joined);
    return status;
}

/* ---- The model object */

typedef struct members {
    tok_bpe         *bpe;
    bool             vocab, prefix; /* read so far */
    bool             merges;        /* seen */
    bool             merges_wait;   /* to be read from here */
    core_json_reader merges_reader;
} members;

static oclm_status read_dropout(core_json_reader *reader)
{
    core_json_kind kind;
    double         dropout = 0;
    oclm_status    status = core_json_peek(reader, &kind);
    if (status != OCLM_OK)
        return status;
    status = kind == CORE_JSON_NULL ? core_json_skip(reader) : core_json_double(reader, &dropout);
    if (status == OCLM_OK && dropout > 0)
        core_log(OCLM_LOG_WARNING, "%s: the model's dropout of %g is for training; it is not applied", reader->origin, dropout);
    return status;
}

static oclm_status read_member(core_json_reader *reader, const char *key, size_t length, void *user)
{
    members    *seen = user;
    tok_bpe    *bpe = seen->bpe;
    oclm_status status;
    if (core_is_word(key, length, "vocab")) {
        status = tok_read_one_vocab(reader, &seen->vocab);
        return status == OCLM_OK ? tok_read_vocab(reader, &bpe->model.vocab) : status;
    }
    if (core_is_word(key, length, "merges")) {
        if (seen->merges)
            return core_json_error(reader, "the model has two lists of merges");
        seen->merges = true;
        if (seen->vocab && seen->prefix)
            return read_merges(bpe, reader);
        seen->merges_wait = true;
        seen->merges_reader = *reader;
        seen->merges_reader.scratch = (core_text)CORE_TEXT_INIT;
        return core_json_skip(reader);
    }
    if (core_is_word(key, length, "continuing_subword_prefix")) {
        seen->prefix = true;
        return tok_read_optional_string(reader, &bpe->prefix);
    }
    if (core_is_word(key, length, "end_of_word_suffix"))
        return tok_read_optional_string(reader, &bpe->suffix);
    if (core_is_word(key, length, "unk_token"))
        return tok_read_optional_string(reader, &bpe->unk_token);
    if (core_is_word(key, length, "fuse_unk"))
        return tok_read_optional_bool(reader, &bpe->fuse_unk);
    if (core_is_word(key, length, "byte_fallback"))
        return tok_read_optional_bool(reader, &bpe->byte_fallback);
    if (core_is_word(key, length, "ignore_merges"))
        return tok_read_optional_bool(reader, &bpe->ignore_merges);
    if (core_is_word(key, length, "dropout"))
        return read_dropout(reader);
    return core_json_skip(reader);
}

oclm_status tok_bpe_read(core_json_reader *reader, tok_model **model)
{
    members     seen;
    tok_bpe    *bpe;
    oclm_status status;
    memset(&seen, 0, sizeof seen);
    if ((status = tok_bpe_new(&bpe)) != OCLM_OK)
        return status;
    seen.bpe = bpe;
    status = core_json_read_object(reader, read_member, &seen);
    if (status == OCLM_OK && (!seen.vocab || !seen.merges))
        status = core_json_error(reader, "the BPE model has no \"%s\"", seen.vocab ? "merges" : "vocab");
    if (status == OCLM_OK && seen.merges_wait)
        status = read_merges(bpe, &seen.merges_reader);
    core_json_reader_deinit(&seen.merges_reader);
    *model = &bpe->model;
    if (status != OCLM_OK) {
        tok_model_free(*model);
        *model = NULL;
    }
    return status;
}
