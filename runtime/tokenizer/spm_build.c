/* spm_build.c: the tokenizer of a SentencePiece model: the one that transformers builds for a class without a converter
 * of its own (SpmConverter's build_tokenizer_from_spm_proto, 5.24). It encodes as SentencePiece itself does. */
#include <stdlib.h>
#include <string.h>

#include "tokenizer/bpe_make.h"
#include "tokenizer/normalize.h"
#include "tokenizer/pipeline.h"
#include "tokenizer/spm.h"
#include "tokenizer/unigram.h"

#define MAX_RUN 64                    /* of them in one piece; Gemma has 31 */

void tok_spm_defaults(tok_spm_model *model, const char *path)
{
    memset(model, 0, sizeof *model);
    model->path = path;
    model->model_type = TOK_SPM_UNIGRAM;
    model->bos_id = 1;
    model->eos_id = 2;
    model->unk_piece = (tok_spm_string){ "<unk>", 5 };
    model->bos_piece = (tok_spm_string){ "<s>", 3 };
    model->eos_piece = (tok_spm_string){ "</s>", 4 };
    model->add_dummy_prefix = model->remove_extra_whitespaces = model->escape_whitespaces = model->legacy = true;
}

oclm_status tok_spm_add(tok_spm_model *model, tok_spm_string text, float score, int32_t type)
{
    const size_t number = model->count;
    if (number > TOK_MAX_ID)
        return core_fail(OCLM_ERR_FORMAT, "%s: more than %d pieces", model->path, TOK_MAX_ID);
    if (core_utf8_check(text.text, text.length) != SIZE_MAX)
        return core_fail(OCLM_ERR_FORMAT, "%s: piece %zu is not valid UTF-8", model->path, number);
    if (!(score == score))
        return core_fail(OCLM_ERR_FORMAT, "%s: the score of piece %zu is no number", model->path, number);
    if (number == model->capacity) {
        const size_t capacity = number == 0 ? 1024 : number * 2;
        tok_spm_piece *pieces = core_realloc_array(model->pieces, capacity, sizeof *pieces, "pieces");
        if (pieces == NULL)
            return OCLM_ERR_MEMORY;
        model->pieces = pieces;
        model->capacity = capacity;
    }
    model->pieces[model->count++] = (tok_spm_piece){ text, score, type, (int32_t)number };
    return OCLM_OK;
}

void tok_spm_free(tok_spm_model *model)
{
    core_free(model->pieces);
    memset(model, 0, sizeof *model);
}

/* ---- The model */

/* Higher scores merge first, lower ids among equals. */
static int compare_scores(const void *a, const void *b)
{
    const tok_spm_piece *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static int compare_ids(const void *a, const void *b)
{
    const tok_spm_piece *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

static bool may_merge(const tok_spm_model *model, int32_t type)
{
    return type == TOK_SPM_NORMAL ||
           (model->all_merge && (type == TOK_SPM_USER_DEFINED || type == TOK_SPM_ADDED || type == TOK_SPM_UNUSED));
}

/* Gemma's runs of spaces: "▁▁", "▁▁▁" and so on. SentencePiece finds the longest first, as user-defined pieces; merges
 * give the same where longer left parts go first, whatever they make. Returns how many merges that are. */
static oclm_status add_runs(const tok_spm_model *model, tok_bpe *bpe, bool *is_run, uint32_t *count)
{
    int32_t runs[MAX_RUN + 1]; /* by how many U+2581; -1: no such piece */
    oclm_status status = OCLM_OK;
    *count = 0;
    memset(runs, 0xFF, sizeof runs);
    for (size_t i = 0; i < model->count; i++) {
        const tok_spm_string *text = &model->pieces[i].text;
        size_t length = 0;
        while (length + 3 <= text->length && memcmp(text->text + length, TOK_VISIBLE_SPACE, 3) == 0)
            length += 3;
        if (length > 0 && length == text->length && length <= 3 * MAX_RUN) {
            runs[length / 3] = (int32_t)i;
            is_run[i] = length > 3; /* one alone is made by no merge */
        }
    }
    for (size_t left = MAX_RUN; left > 0; left--) {
        for (size_t right = MAX_RUN - left; right > 0 && status == OCLM_OK; right--) {
            if (runs[left] >= 0 && runs[right] >= 0 && runs[left + right] >= 0)
                status = tok_merges_add(&bpe->merges, runs[left], runs[right], (*count)++, runs[left + right], model->count);
        }
    }
    return status;
}

/* Merges of pieces from pieces. */
static oclm_status add_merges(const tok_spm_model *model, tok_bpe *bpe)
{
    tok_spm_piece *sorted = core_copy(model->pieces, model->count * sizeof *model->pieces, "pieces");
    int32_t *ids = core_alloc_array(model->count, sizeof *ids, "ids");
    bool *parts = core_alloc_zero(model->count, sizeof *parts, "ids");
    bool *is_run = core_alloc_zero(model->count, sizeof *is_run, "ids");
    tok_merge_order order = { ids, 0, parts, TOK_CUTS_SHORT_LEFT_FIRST, 0 };
    oclm_status status = OCLM_ERR_MEMORY;
    if (sorted == NULL || ids == NULL || parts == NULL || is_run == NULL)
        goto done;
    if (model->merges_by_id) {
        order.cuts = TOK_CUTS_LONG_LEFT_FIRST;
        if ((status = add_runs(model, bpe, is_run, &order.first_rank)) != OCLM_OK)
            goto done;
    }
    qsort(sorted, model->count, sizeof *sorted, model->merges_by_id ? compare_ids : compare_scores);
    for (size_t i = 0; i < model->count; i++) {
        if (may_merge(model, sorted[i].type)) {
            parts[sorted[i].id] = true;
            if (!is_run[sorted[i].id])
                ids[order.count++] = sorted[i].id;
        }
    }
    status = tok_bpe_find_merges(bpe, &order, model->path);
done:
    core_free(sorted);
    core_free(ids);
    core_free(parts);
    core_free(is_run);
    return status;
}

static oclm_status make_bpe(const tok_spm_model *model, bool has_symbols, tok_tokenizer *tokenizer)
{
    tok_bpe *bpe;
    oclm_status status = tok_bpe_new(&bpe);
    if (status != OCLM_OK)
        return status;
    tokenizer->model = &bpe->model; /* freed with it */
    for (size_t i = 0; i < model->count && status == OCLM_OK; i++)
        status = tok_vocab_add(&bpe->model.vocab, model->pieces[i].text.text, model->pieces[i].text.length, (int32_t)i);
    if (status != OCLM_OK || (status = tok_vocab_index_ids(&bpe->model.vocab)) != OCLM_OK)
        return status;
    bpe->fuse_unk = true;
    bpe->byte_fallback = model->byte_fallback;
    bpe->ignore_merges = has_symbols;
    if ((bpe->unk_token = core_copy_part(model->unk_piece.text, model->unk_piece.length, "the unknown token")) == NULL)
        return OCLM_ERR_MEMORY;
    return model->has_merges ? OCLM_OK : add_merges(model, bpe);
}

static oclm_status make_unigram(const tok_spm_model *model, tok_tokenizer *tokenizer)
{
    tok_unigram *unigram;
    oclm_status status = tok_unigram_new(&unigram);
    if (status != OCLM_OK)
        return status;
    tokenizer->model = &unigram->model; /* freed with it */
    for (size_t i = 0; i < model->count && status == OCLM_OK; i++)
        status = tok_unigram_add(unigram, model->pieces[i].text.text, model->pieces[i].text.length,
                                 (double)model->pieces[i].score);
    unigram->unk_id = model->unk_id;
    unigram->byte_fallback = model->byte_fallback;
    return status == OCLM_OK ? tok_unigram_finish(unigram, model->path) : status;
}

/* ---- Around it */

static oclm_status add_charsmap(const tok_spm_model *model, tok_chain *chain)
{
    tok_step *step = NULL;
    oclm_status status;
    if (model->charsmap.length == 0)
        return OCLM_OK;
    if ((status = tok_precompiled_of(model->charsmap.text, model->charsmap.length, model->path, &step)) != OCLM_OK)
        return status;
    return tok_chain_add(chain, step, model->path);
}

static oclm_status add_symbols(const tok_spm_model *model, tok_chain *chain, const tok_vocab *vocab)
{
    tok_added symbols;
    oclm_status status = OCLM_OK;
    memset(&symbols, 0, sizeof symbols);
    for (size_t i = 0; i < model->count && status == OCLM_OK; i++) {
        const tok_added_token token = tok_added_of(model->pieces[i].text.text, model->pieces[i].text.length, -1, false);
        if (model->pieces[i].type == TOK_SPM_USER_DEFINED)
            status = tok_added_add(&symbols, &token, vocab, model->path);
    }
    if (status == OCLM_OK)
        status = tok_spm_symbols_add(chain, &symbols);
    tok_added_deinit(&symbols);
    return status;
}

static oclm_status add_steps(const tok_spm_model *model, bool has_symbols, tok_tokenizer *tokenizer)
{
    static const char decoder[] =
        "{\"type\": \"Sequence\", \"decoders\": [{\"type\": \"Replace\", \"pattern\": {\"String\": "
        "\"\xE2\x96\x81\"}, \"content\": \" \"}%s%s]}";
    const tok_spm_spaces spaces = { model->remove_extra_whitespaces, model->escape_whitespaces,
                                    model->add_dummy_prefix && model->legacy };
    core_text json = CORE_TEXT_INIT;
    oclm_status status;
    if ((status = add_charsmap(model, &tokenizer->normalizer)) != OCLM_OK ||
        (status = tok_spm_spaces_add(&tokenizer->normalizer, &spaces)) != OCLM_OK)
        return status;
    if (model->add_dummy_prefix &&
        (status = tok_chain_read_text(&tokenizer->pre_tokenizer, &tok_pre_tokenizers,
                                      model->legacy ? "{\"type\": \"Metaspace\", \"replacement\": \"\xE2\x96\x81\", "
                                                      "\"prepend_scheme\": \"always\", \"split\": false}"
                                                    : "{\"type\": \"Metaspace\", \"replacement\": \"\xE2\x96\x81\", "
                                                      "\"prepend_scheme\": \"first\", \"split\": false}",
                                      model->path)) != OCLM_OK)
        return status;
    if (has_symbols && (status = add_symbols(model, &tokenizer->pre_tokenizer, &tokenizer->model->vocab)) != OCLM_OK)
        return status;
    const char *bytes = model->byte_fallback ? ", {\"type\": \"ByteFallback\"}" : "";
    const char *rest = model->add_dummy_prefix ? ", {\"type\": \"Fuse\"}, {\"type\": \"Strip\", \"content\": \" \", "
                                                 "\"start\": 1, \"stop\": 0}"
                       : model->byte_fallback  ? ", {\"type\": \"Fuse\"}"
                                               : "";
    if ((status = core_text_printf(&json, decoder, bytes, rest)) == OCLM_OK)
        status = tok_chain_read_text(&tokenizer->decoder, &tok_decoders, json.data, model->path);
    core_text_free(&json);
    return status;
}

/* Control pieces are special tokens. (User-defined ones are isolated in the normalised text: spm_symbols.c.) */
static oclm_status add_tokens(const tok_spm_model *model, tok_tokenizer *tokenizer)
{
    const struct {
        const char *key;
        tok_spm_string piece;
        int32_t id;
    } names[] = { { "bos_token", model->bos_piece, model->bos_id },
                  { "eos_token", model->eos_piece, model->eos_id },
                  { "unk_token", model->unk_piece, model->unk_id } };
    oclm_status status = OCLM_OK;
    for (size_t i = 0; i < model->count && status == OCLM_OK; i++) {
        const tok_spm_piece *p = &model->pieces[i];
        const tok_added_token token = tok_added_of(p->text.text, p->text.length, (int32_t)i, p->type == TOK_SPM_CONTROL);
        if (token.special || p->type == TOK_SPM_ADDED)
            status = tok_added_add(&tokenizer->added, &token, &tokenizer->model->vocab, model->path);
    }
    for (size_t i = 0; i < COUNT(names) && status == OCLM_OK; i++) {
        if (names[i].id >= 0)
            status = tok_settings_name(&tokenizer->settings, names[i].key, names[i].piece.text, names[i].piece.length);
    }
    return status;
}

oclm_status tok_spm_build(const tok_spm_model *model, tok_tokenizer *tokenizer)
{
    bool has_symbols = false;
    oclm_status status;
    for (size_t i = 0; i < model->count; i++)
        has_symbols |= model->pieces[i].type == TOK_SPM_USER_DEFINED;
    if (model->model_type != TOK_SPM_UNIGRAM && model->model_type != TOK_SPM_BPE)
        return core_fail(OCLM_ERR_UNSUPPORTED,
                         "%s: a SentencePiece model of type %d; oclm reads unigram (1) and BPE (2)", model->path,
                         (int)model->model_type);
    if (model->model_type == TOK_SPM_UNIGRAM && (model->unk_id < 0 || (size_t)model->unk_id >= model->count))
        return core_fail(OCLM_ERR_FORMAT, "%s: the unknown piece is number %d of %zu", model->path, (int)model->unk_id,
                         model->count);
    tokenizer->settings.raw_tokens = model->add_dummy_prefix;
    status =
        model->model_type == TOK_SPM_BPE ? make_bpe(model, has_symbols, tokenizer) : make_unigram(model, tokenizer);
    if (status != OCLM_OK || (status = add_steps(model, has_symbols, tokenizer)) != OCLM_OK)
        return status;
    return add_tokens(model, tokenizer);
}
