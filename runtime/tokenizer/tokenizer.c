/* tokenizer.c: opening a tokenizer, and the way of a text through it. */
#include "tokenizer/tokenizer.h"

#include <string.h>

#include "tokenizer/byte_level.h"
#include "tokenizer/decode.h"
#include "tokenizer/hash.h"
#include "tokenizer/normalize.h"
#include "tokenizer/offsets.h"
#include "tokenizer/pipeline.h"
#include "tokenizer/pre_tokenize.h"
#include "tokenizer/settings_read.h"
#include "tokenizer/sources.h"

#define MAX_TEXT ((size_t)INT32_MAX) /* bytes of one text: positions within a word are 32 bits */

/* ---- Opening */

/* What follows once all sections are read: they depend on one another. */
static oclm_status finish(tok_tokenizer *tokenizer)
{
    tok_chain  *pre = &tokenizer->pre_tokenizer;
    tok_step   *last = pre->count > 0 ? pre->steps[pre->count - 1] : NULL;
    bool        bytes = last != NULL && tok_byte_level_is(last);
    oclm_status status = tokenizer->model->prepare(tokenizer->model, &bytes);
    if (status != OCLM_OK)
        return status;
    if (bytes)
        tok_byte_level_give_bytes(last);
    for (size_t i = 0; i < pre->count; i++)
        tokenizer->traces |= tok_metaspace_looks_back(pre->steps[i]) && (i > 0 || tokenizer->normalizer.count > 0);
    if ((status = tok_added_finish(&tokenizer->added, &tokenizer->normalizer)) != OCLM_OK ||
        (status = tok_layouts_prepare(tokenizer)) != OCLM_OK || (status = tok_decode_prepare(tokenizer)) != OCLM_OK)
        return status;
    tok_settings_find_ids(&tokenizer->settings, tokenizer);
    return core_mutex_new(&tokenizer->lock);
}

static oclm_status new_tokenizer(tok_tokenizer **tokenizer)
{
    *tokenizer = core_alloc_zero(1, sizeof **tokenizer, "a tokenizer");
    return *tokenizer != NULL ? OCLM_OK : OCLM_ERR_MEMORY;
}

/* Completes what was read with `status`, or frees it. */
static oclm_status hand_over(oclm_status status, const char *origin, tok_tokenizer *made, tok_tokenizer **tokenizer)
{
    if (status == OCLM_OK && (status = finish(made)) != OCLM_OK && status != OCLM_ERR_MEMORY)
        status = core_fail_in(status, "%s", origin);
    if (status == OCLM_OK)
        *tokenizer = made;
    else
        tok_close(made);
    return status;
}

oclm_status tok_open_json(const char *text, size_t length, const char *origin, tok_tokenizer **tokenizer)
{
    tok_tokenizer *made;
    oclm_status    status;
    *tokenizer = NULL;
    if ((status = new_tokenizer(&made)) != OCLM_OK)
        return status;
    return hand_over(tok_read_json(text, length, origin, made), origin, made, tokenizer);
}

oclm_status tok_open_bytes(const char *data, size_t length, const char *name, tok_tokenizer **tokenizer)
{
    const tok_source *source = tok_source_of_file(name);
    tok_tokenizer    *made;
    oclm_status       status;
    *tokenizer = NULL;
    if (source == NULL)
        return core_fail(OCLM_ERR_UNSUPPORTED, "%s: by its name it is no tokenizer", name);
    if ((status = new_tokenizer(&made)) != OCLM_OK)
        return status;
    made->settings.legacy = true;
    return hand_over(source->read(data, length, name, made), name, made, tokenizer);
}

oclm_status tok_open(const char *folder, tok_tokenizer **tokenizer)
{
    tok_tokenizer     *made;
    tok_settings_files settings;
    tok_files          files;
    oclm_status    status;
    *tokenizer = NULL;
    memset(&settings, 0, sizeof settings);
    if ((status = tok_files_find(folder, &files)) != OCLM_OK || (status = tok_settings_open(folder, &settings)) != OCLM_OK ||
        (status = new_tokenizer(&made)) != OCLM_OK)
        goto done;
    if ((status = tok_settings_prepare(&settings, &made->settings)) == OCLM_OK &&
        (status = tok_files_read(&files, made)) == OCLM_OK)
        status = tok_settings_apply(&settings, files.source->complete, made);
    status = hand_over(status, files.paths[0].data, made, tokenizer);
done:
    tok_settings_files_free(&settings);
    tok_files_free(&files);
    return status;
}

void tok_close(tok_tokenizer *tokenizer)
{
    if (tokenizer == NULL)
        return;
    tok_scratch_free_all(tokenizer);
    core_mutex_free(tokenizer->lock);
    tok_chain_deinit(&tokenizer->normalizer);
    tok_chain_deinit(&tokenizer->pre_tokenizer);
    tok_chain_deinit(&tokenizer->post_processor);
    tok_chain_deinit(&tokenizer->decoder);
    tok_layouts_deinit(tokenizer);
    tok_added_deinit(&tokenizer->added);
    tok_settings_deinit(&tokenizer->settings);
    tok_model_free(tokenizer->model);
    core_text_free(&tokenizer->bytes);
    core_free(tokenizer->token_bytes);
    core_free(tokenizer);
}

/* ---- What an id is */

int32_t tok_id_of(const tok_tokenizer *tokenizer, const char *text, size_t length)
{
    const int32_t added = tok_vocab_find(&tokenizer->added.by_content, text, length); /* an index */
    return added >= 0 ? tokenizer->added.tokens[added].id : tok_vocab_find(&tokenizer->model->vocab, text, length);
}

size_t tok_vocab_size(const tok_tokenizer *tokenizer)
{
    return tokenizer->vocab_size;
}

const char *tok_token(const tok_tokenizer *tokenizer, int32_t id)
{
    const tok_added_token *added = tok_added_by_id(&tokenizer->added, id);
    return added != NULL ? added->content : tok_vocab_text(&tokenizer->model->vocab, id, NULL);
}

bool tok_is_special(const tok_tokenizer *tokenizer, int32_t id)
{
    const tok_added_token *added = tok_added_by_id(&tokenizer->added, id);
    return added != NULL && added->special;
}

/* ---- Encoding */

oclm_status tok_run_piece(tok_run *run, size_t index, const char *text, size_t length)
{
    const tok_chain *chain = &run->tokenizer->pre_tokenizer;
    if (length == 0)
        return OCLM_OK;
    if (index == chain->count) {
        const tok_model  *model = run->tokenizer->model;
        const size_t      before = run->ids->count;
        const oclm_status status = tok_encode_cached(model, model->encode, run->scratch, text, length, run->ids);
        return status == OCLM_OK && run->encoded != NULL ? tok_offsets_of_piece(run, text, length, before) : status;
    }
    return chain->steps[index]->does.split(chain->steps[index], run, index, text, length);
}

void tok_run_rewrite(const tok_run *run, tok_normal *own)
{
    tok_normal_clear(own);
    own->traced = run->traced;
}

tok_frame tok_run_enter(tok_run *run, tok_normal *own, const char *piece)
{
    const tok_frame before = run->frame;
    for (size_t i = 0; run->traced && i < own->text.length; i++)
        own->sources[i] = (uint32_t)tok_run_source(run, piece + own->sources[i]);
    run->frame = (tok_frame){ own->text.data, run->traced ? own->sources : NULL, 0 };
    return before;
}

static oclm_status add_added(tok_run *run, const char *text, size_t length, int32_t id)
{
    const oclm_status status = tok_ids_add(run->ids, id);
    return status == OCLM_OK && run->encoded != NULL ? tok_offsets_of_added(run, text, length) : status;
}

/* A part of normalised text. */
static oclm_status encode_normal(tok_run *run, const char *text, size_t length, int32_t id)
{
    return id >= 0 ? add_added(run, text, length, id) : tok_run_piece(run, 0, text, length);
}

/* A part of the raw text. */
static oclm_status encode_raw(tok_run *run, const char *text, size_t length, int32_t id)
{
    const tok_tokenizer *tokenizer = run->tokenizer;
    tok_normal          *normal = &run->scratch->normal;
    if (id >= 0) {
        run->frame = (tok_frame){ run->text, NULL, 0 };
        return add_added(run, text, length, id);
    }
    run->frame.offset = (size_t)(text - run->text);
    if (tokenizer->normalizer.count > 0) {
        tok_normal_clear(normal);
        normal->traced = run->traced;
        const oclm_status status = tok_normalize_traced(&tokenizer->normalizer, text, length, normal);
        if (status != OCLM_OK)
            return status;
        text = normal->text.data != NULL ? normal->text.data : "";
        length = normal->text.length;
    }
    run->frame.text = text;
    run->frame.sources = run->traced && tokenizer->normalizer.count > 0 ? normal->sources : NULL;
    return tok_added_split(&tokenizer->added.normal, text, length, run->split_special, encode_normal, run);
}

static oclm_status encode_checked(const tok_tokenizer *tokenizer, tok_scratch *scratch, const char *text, size_t length, bool split_special,
                                  tok_ids *ids, tok_encoded *encoded)
{
    tok_run run = { tokenizer, scratch, ids, tokenizer->traces || encoded != NULL, split_special, text, { text, NULL, 0 }, length, encoded,
                    encoded != NULL ? encoded->span_count : 0 };
    if (length > MAX_TEXT)
        return core_fail(OCLM_ERR_ARGUMENT, "a text of %zu bytes; at most %zu can be encoded at once: cut it", length, MAX_TEXT);
    const size_t bad = length > 0 ? core_utf8_check(text, length) : SIZE_MAX;
    if (bad != SIZE_MAX)
        return core_fail(OCLM_ERR_ARGUMENT, "the text is not valid UTF-8: byte %zu is 0x%02X", bad, (unsigned)(unsigned char)text[bad]);
    if (scratch->cache == NULL &&
        (scratch->cache = core_alloc_zero(TOK_CACHE_SLOTS, sizeof *scratch->cache, "a cache of words")) == NULL)
        return OCLM_ERR_MEMORY;
    return length > 0 ? tok_added_split(&tokenizer->added.raw, text, length, split_special, encode_raw, &run) : OCLM_OK;
}

oclm_status tok_encode_text(const tok_tokenizer *tokenizer, const char *text, size_t length, tok_ids *ids)
{
    const size_t before = ids->count;
    tok_scratch *scratch;
    oclm_status  status = tok_scratch_take(tokenizer, &scratch);
    if (status != OCLM_OK)
        return status;
    if ((status = encode_checked(tokenizer, scratch, text, length, tokenizer->settings.split_special_tokens, ids, NULL)) != OCLM_OK)
        ids->count = before;
    tok_scratch_give(tokenizer, scratch);
    return status;
}

oclm_status tok_encode(const tok_tokenizer *tokenizer, const char *text, size_t length, bool add_special_tokens, tok_ids *ids)
{
    tok_scratch *scratch;
    oclm_status  status = tok_scratch_take(tokenizer, &scratch);
    if (status != OCLM_OK)
        return status;
    scratch->ids.count = 0;
    status = encode_checked(tokenizer, scratch, text, length, tokenizer->settings.split_special_tokens, &scratch->ids, NULL);
    if (status == OCLM_OK)
        status = tok_post_process(tokenizer, &scratch->ids, NULL, add_special_tokens, ids, NULL, NULL);
    tok_scratch_give(tokenizer, scratch);
    return status;
}

oclm_status tok_encode_spans(const tok_tokenizer *tokenizer, const char *text, size_t length, bool split_special, bool spans,
                             tok_encoded *encoded)
{
    const size_t before = encoded->ids.count, spans_before = encoded->span_count;
    tok_scratch *scratch;
    oclm_status  status;
    if ((status = tok_scratch_take(tokenizer, &scratch)) != OCLM_OK)
        return status;
    status = encode_checked(tokenizer, scratch, text, length, split_special, &encoded->ids, spans ? encoded : NULL);
    if (status != OCLM_OK) {
        encoded->ids.count = before;
        encoded->span_count = spans_before;
    }
    tok_scratch_give(tokenizer, scratch);
    return status;
}

void tok_encoded_free(tok_encoded *encoded)
{
    tok_ids_free(&encoded->ids);
    core_free(encoded->spans);
    *encoded = (tok_encoded)TOK_ENCODED_INIT;
}
