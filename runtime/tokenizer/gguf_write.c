/* gguf_write.c: a tokenizer as the keys "tokenizer.ggml.*" of a GGUF file: what gguf.c reads, and llama.cpp.
 *
 * A byte-level BPE is "gpt2": tokens in byte characters, merges as "left right". One of characters with a fallback to bytes came from
 * SentencePiece: "llama", whose scores are the ranks of merges, as SentencePiece counts them. */
#include "tokenizer/gguf_write.h"

#include <string.h>

#include "core/log.h"
#include "core/platform.h"
#include "tokenizer/bpe.h"
#include "tokenizer/gguf_pre.h"
#include "tokenizer/pipeline.h"
#include "tokenizer/spm.h"

#define KEY(name) "tokenizer.ggml." name
#define NO_MERGE UINT32_MAX

typedef struct job {
    const tok_tokenizer *tokenizer;
    const tok_bpe       *bpe;
    core_gguf_writer    *writer;
    uint64_t             count;  /* of tokens: as the model's embedding has rows */
    bool                 bytes;  /* "gpt2" */
    const tok_merge    **merges; /* [merge_count] by rank */
    size_t               merge_count;
} job;

/* ---- Merges */

static oclm_status sort_merges(job *j)
{
    const tok_merges *merges = &j->bpe->merges;
    uint32_t          highest = 0;
    size_t            at = 0;
    for (size_t i = 0; i < merges->slot_count; i++) {
        if (merges->slots[i].pair != 0 && merges->slots[i].rank > highest)
            highest = merges->slots[i].rank;
    }
    if ((j->merges = core_alloc_zero((size_t)highest + 1, sizeof *j->merges, "merges")) == NULL)
        return OCLM_ERR_MEMORY;
    for (size_t i = 0; i < merges->slot_count; i++) {
        if (merges->slots[i].pair != 0)
            j->merges[merges->slots[i].rank] = &merges->slots[i];
    }
    for (size_t i = 0; i <= highest; i++) { /* ranks may have gaps */
        if (j->merges[i] != NULL)
            j->merges[at++] = j->merges[i];
    }
    j->merge_count = at;
    return OCLM_OK;
}

static oclm_status put_merges(const job *j)
{
    const tok_vocab *vocab = &j->bpe->model.vocab;
    core_text        line = CORE_TEXT_INIT;
    oclm_status      status = OCLM_OK;
    core_gguf_put_array(j->writer, KEY("merges"), CORE_GGUF_STRING, j->merge_count);
    for (size_t i = 0; i < j->merge_count && status == OCLM_OK; i++) {
        size_t      left, right;
        const char *first = tok_vocab_text(vocab, (int32_t)(j->merges[i]->pair >> 32) - 1, &left);
        const char *second = tok_vocab_text(vocab, (int32_t)(uint32_t)j->merges[i]->pair, &right);
        core_text_clear(&line);
        if ((status = core_text_add(&line, first, left)) == OCLM_OK && (status = core_text_add_char(&line, ' ')) == OCLM_OK &&
            (status = core_text_add(&line, second, right)) == OCLM_OK)
            core_gguf_add_string(j->writer, line.data, line.length);
    }
    core_text_free(&line);
    return status;
}

/* ---- Tokens */

/* A token as the vocabulary writes it; NULL: none has this id. */
static const char *token_at(const job *j, uint64_t id, size_t *length, const tok_added_token **added)
{
    *added = id < INT32_MAX ? tok_added_by_id(&j->tokenizer->added, (int32_t)id) : NULL;
    if (*added != NULL) {
        *length = (*added)->content_length;
        return (*added)->content;
    }
    return id < INT32_MAX ? tok_vocab_text(&j->bpe->model.vocab, (int32_t)id, length) : NULL;
}

static bool is_byte_token(const job *j, uint64_t id)
{
    for (size_t i = 0; i < 256 && !j->bytes; i++) {
        if (j->bpe->fallback_ids[i] == (int32_t)id)
            return true;
    }
    return false;
}

static uint32_t type_of(const job *j, uint64_t id)
{
    size_t                 length;
    const tok_added_token *added;
    if (token_at(j, id, &length, &added) == NULL)
        return TOK_SPM_UNUSED;
    if (!j->bytes && (int32_t)id == j->bpe->unk_id)
        return TOK_SPM_UNKNOWN;
    if (added != NULL)
        return added->special ? TOK_SPM_CONTROL : TOK_SPM_USER_DEFINED;
    return is_byte_token(j, id) ? TOK_SPM_BYTE : TOK_SPM_NORMAL;
}

static oclm_status put_tokens(const job *j)
{
    core_text   filler = CORE_TEXT_INIT;
    oclm_status status = OCLM_OK;
    core_gguf_put_array(j->writer, KEY("tokens"), CORE_GGUF_STRING, j->count);
    for (uint64_t id = 0; id < j->count && status == OCLM_OK; id++) {
        size_t                 length;
        const tok_added_token *added;
        const char            *text = token_at(j, id, &length, &added);
        if (text == NULL) { /* rows of the embedding that no token uses */
            core_text_clear(&filler);
            status = core_text_printf(&filler, "[PAD%llu]", (unsigned long long)id);
            text = filler.data;
            length = filler.length;
        }
        if (status == OCLM_OK)
            core_gguf_add_string(j->writer, text, length);
    }
    core_text_free(&filler);
    core_gguf_put_array(j->writer, KEY("token_type"), CORE_GGUF_I32, j->count);
    for (uint64_t id = 0; id < j->count; id++)
        core_gguf_add_u32(j->writer, type_of(j, id));
    return status;
}

/* What a merge makes scores less the later it comes; what no merge makes scores 0. */
static oclm_status put_scores(const job *j)
{
    float *scores = core_alloc_zero((size_t)j->count, sizeof *scores, "scores of tokens");
    if (scores == NULL)
        return OCLM_ERR_MEMORY;
    for (size_t i = j->merge_count; i-- > 0;) {
        if ((uint64_t)j->merges[i]->result < j->count)
            scores[j->merges[i]->result] = -(float)(i + 1);
    }
    core_gguf_put_array(j->writer, KEY("scores"), CORE_GGUF_F32, j->count);
    for (uint64_t id = 0; id < j->count; id++)
        core_gguf_add_f32(j->writer, scores[id]);
    core_free(scores);
    return OCLM_OK;
}

/* ---- Special tokens, and what is put around a text */

static void put_special(const job *j)
{
    static const struct {
        tok_special_name which;
        const char      *key;
    } rows[] = {
        { TOK_BOS, KEY("bos_token_id") }, { TOK_EOS, KEY("eos_token_id") }, { TOK_UNK, KEY("unknown_token_id") },
        { TOK_SEP, KEY("seperator_token_id") }, { TOK_PAD, KEY("padding_token_id") }, /* so spelt */
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *text;
        int32_t     id = -1;
        if (tok_special(j->tokenizer, rows[i].which, &text, NULL, &id) && id >= 0)
            core_gguf_put_u32(j->writer, rows[i].key, (uint32_t)id);
    }
}

/* Whether BOS and EOS come around a text: as an empty one shows. */
static oclm_status put_around(const job *j)
{
    tok_ids     ids = TOK_IDS_INIT;
    const char *text;
    int32_t     bos = -1, eos = -1;
    oclm_status status = tok_encode(j->tokenizer, "", 0, true, &ids);
    (void)tok_special(j->tokenizer, TOK_BOS, &text, NULL, &bos);
    (void)tok_special(j->tokenizer, TOK_EOS, &text, NULL, &eos);
    if (status == OCLM_OK) {
        const bool has_bos = ids.count > 0 && ids.data[0] == bos && bos >= 0;
        core_gguf_put_bool(j->writer, KEY("add_bos_token"), has_bos);
        core_gguf_put_bool(j->writer, KEY("add_eos_token"), ids.count > has_bos && ids.data[ids.count - 1] == eos && eos >= 0);
    }
    tok_ids_free(&ids);
    return status;
}

/* Whether a text gets a space in front: SentencePiece's add_dummy_prefix. */
static oclm_status put_space_prefix(const job *j)
{
    tok_ids     ids = TOK_IDS_INIT;
    oclm_status status = tok_encode(j->tokenizer, "a", 1, false, &ids);
    size_t      length = 0;
    const char *first = ids.count > 0 ? tok_vocab_text(&j->bpe->model.vocab, ids.data[0], &length) : NULL;
    if (status == OCLM_OK)
        core_gguf_put_bool(j->writer, KEY("add_space_prefix"), first != NULL && length >= 3 && memcmp(first, TOK_VISIBLE_SPACE, 3) == 0);
    tok_ids_free(&ids);
    return status;
}

/* ---- All of it */

static oclm_status put_all(job *j, const char *pre)
{
    oclm_status status = sort_merges(j);
    const char *model = j->bytes ? "gpt2" : "llama";
    if (status != OCLM_OK)
        return status;
    core_gguf_put_string(j->writer, KEY("model"), model, strlen(model));
    core_gguf_put_string(j->writer, KEY("pre"), pre, strlen(pre));
    if ((status = put_tokens(j)) != OCLM_OK || (status = j->bytes ? put_merges(j) : put_scores(j)) != OCLM_OK)
        return status;
    put_special(j);
    if ((status = put_around(j)) == OCLM_OK && !j->bytes)
        status = put_space_prefix(j);
    return status == OCLM_OK ? j->writer->status : status;
}

oclm_status tok_gguf_write(const tok_tokenizer *tokenizer, const char *folder, uint64_t count, core_gguf_writer *writer)
{
    job         j = { tokenizer, (const tok_bpe *)tokenizer->model, writer, count, false, NULL, 0 };
    core_text   pre = CORE_TEXT_INIT;
    oclm_status status;
    if (!tokenizer->model->is_bpe)
        return core_fail(OCLM_ERR_UNSUPPORTED, "%s: its tokenizer is no byte pair encoding; oclm writes only such tokenizers into a GGUF file", folder);
    j.bytes = tokenizer->joining == TOK_JOIN_BYTES;
    status = j.bytes ? tok_gguf_pre_name(folder, &pre) : core_text_add_string(&pre, "default");
    if (status == OCLM_OK)
        status = put_all(&j, pre.data);
    core_free(j.merges);
    core_text_free(&pre);
    return status;
}
