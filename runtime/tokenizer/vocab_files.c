/* vocab_files.c: GPT-2's own two files: vocab.json (tokens and ids) and merges.txt (a pair a line, best first).
 *
 * They say nothing of the rest of the pipeline; it is GPT-2's: ByteLevel without a space in front, <|endoftext|> special. */
#include <string.h>

#include "tokenizer/bpe.h"
#include "tokenizer/model_read.h"
#include "tokenizer/pipeline.h"

#define MAX_FILE ((size_t)256 << 20) /* bytes; GPT-2's are 1 MB and 0.5 MB */

static oclm_status read_vocab(tok_bpe *bpe, const char *path)
{
    core_json_reader reader;
    core_json_kind   kind;
    char            *text;
    size_t           length;
    oclm_status      status = core_read_file(path, MAX_FILE, &text, &length);
    if (status != OCLM_OK)
        return status;
    core_json_reader_init(&reader, text, length, path);
    if ((status = tok_read_vocab(&reader, &bpe->model.vocab)) == OCLM_OK && (status = core_json_peek(&reader, &kind)) == OCLM_OK &&
        kind != CORE_JSON_END)
        status = core_json_error(&reader, "more text follows after the vocabulary");
    core_json_reader_deinit(&reader);
    core_free(text);
    return status;
}

static oclm_status read_merges(tok_bpe *bpe, const char *path)
{
    char       *text;
    size_t      length;
    uint32_t    rank = 0;
    oclm_status status = core_read_file(path, MAX_FILE, &text, &length);
    if (status != OCLM_OK)
        return status;
    const size_t bad = core_utf8_check(text, length);
    if (bad != SIZE_MAX)
        status = core_fail(OCLM_ERR_FORMAT, "%s: byte %zu is not valid UTF-8", path, bad);
    for (const char *line = text, *const end = text + length; line < end && status == OCLM_OK;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        const char *next = stop != NULL ? stop + 1 : end;
        stop = stop != NULL ? stop : end;
        if (stop > line && stop[-1] == '\r')
            stop--;
        if (stop > line)
            status = tok_bpe_add_line(bpe, line, (size_t)(stop - line), rank++, path);
        line = next;
    }
    core_free(text);
    return status;
}

oclm_status tok_open_files(const char *vocab_path, const char *merges_path, tok_tokenizer *tokenizer)
{
    static char     end_of_text[] = "<|endoftext|>";
    tok_added_token special;
    tok_bpe        *bpe;
    oclm_status     status = tok_bpe_new(&bpe);
    if (status != OCLM_OK)
        return status;
    tokenizer->model = &bpe->model; /* freed with it */
    memset(&special, 0, sizeof special);
    special.content = end_of_text;
    special.content_length = sizeof end_of_text - 1;
    special.id = -1;
    special.special = true;
    if ((status = read_vocab(bpe, vocab_path)) != OCLM_OK || (status = read_merges(bpe, merges_path)) != OCLM_OK)
        return status;
    if (tok_vocab_find(&bpe->model.vocab, end_of_text, special.content_length) >= 0 &&
        (status = tok_added_add(&tokenizer->added, &special, &bpe->model.vocab, vocab_path)) != OCLM_OK)
        return status;
    if ((status = tok_chain_read_text(&tokenizer->pre_tokenizer, &tok_pre_tokenizers,
                                      "{\"type\": \"ByteLevel\", \"add_prefix_space\": false}", "GPT-2's pipeline")) != OCLM_OK)
        return status;
    return tok_chain_read_text(&tokenizer->decoder, &tok_decoders, "{\"type\": \"ByteLevel\"}", "GPT-2's pipeline");
}
