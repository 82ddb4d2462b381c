/* decode_steps.c: the decoders: each turns a list of token strings into another. */
#include <string.h>

#include "tokenizer/byte_level.h"
#include "tokenizer/decode.h"
#include "tokenizer/pattern.h"
#include "tokenizer/unicode.h"

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

typedef oclm_status decode_function(const tok_step *step, const tok_strings *in, tok_strings *out);

/* A step without options. */
static oclm_status make_plain(decode_function *function, tok_decoder_kind kind, tok_step **step)
{
    tok_decoder *made = core_alloc_zero(1, sizeof *made, "a decoder");
    if (made == NULL)
        return OCLM_ERR_MEMORY;
    made->kind = kind;
    made->step.does.decode = function;
    *step = &made->step;
    return OCLM_OK;
}

/* ---- ByteLevel: tokens that consist of byte characters are bytes, others are text; all joined, then read as UTF-8 */

static oclm_status decode_byte_level(const tok_step *step, const tok_strings *in, tok_strings *out)
{
    core_text   bytes = CORE_TEXT_INIT;
    oclm_status status = OCLM_OK;
    (void)step;
    for (size_t i = 0; i < in->count && status == OCLM_OK; i++) {
        size_t      length;
        const char *text = tok_strings_at(in, i, &length);
        if (length > 0 && !tok_bytes_of_token(text, length, &bytes, &status) && status == OCLM_OK)
            status = core_text_add(&bytes, text, length);
    }
    if (status == OCLM_OK && bytes.length > 0)
        status = core_utf8_add_lossy(&out->text, bytes.data, bytes.length);
    core_text_free(&bytes);
    return status == OCLM_OK ? tok_strings_end(out) : status;
}

oclm_status tok_decode_byte_level_make(const cJSON *config, const char *where, tok_step **step)
{
    (void)config;
    (void)where;
    return make_plain(decode_byte_level, TOK_DECODER_BYTE_LEVEL, step);
}

/* ---- ByteFallback: a run of tokens <0xHH> is text if it is valid UTF-8 as a whole, else one U+FFFD per byte */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int tok_byte_of_token(const char *text, size_t length)
{
    if (length != 6 || memcmp(text, "<0x", 3) != 0 || text[5] != '>')
        return -1;
    const int high = text[3] == '+' ? 0 : hex_digit(text[3]), low = hex_digit(text[4]); /* Rust reads "+A" as a number, too */
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

oclm_status tok_finish_bytes(core_text *text, size_t begin)
{
    const size_t count = text->length - begin;
    oclm_status  status = OCLM_OK;
    if (count == 0 || core_utf8_check(text->data + begin, count) == SIZE_MAX)
        return OCLM_OK;
    text->length = begin;
    for (size_t i = 0; i < count && status == OCLM_OK; i++)
        status = core_text_add(text, REPLACEMENT, sizeof REPLACEMENT - 1);
    return status;
}

static oclm_status end_bytes(core_text *bytes, tok_strings *out)
{
    const size_t count = bytes->length;
    size_t       part;
    oclm_status  status = tok_finish_bytes(bytes, 0);
    /* Text is one string; each U+FFFD of a broken run is one. */
    part = bytes->length == count ? count : sizeof REPLACEMENT - 1;
    for (size_t i = 0; i < bytes->length && status == OCLM_OK; i += part)
        status = tok_strings_push(out, bytes->data + i, part);
    core_text_clear(bytes);
    return status;
}

static oclm_status decode_byte_fallback(const tok_step *step, const tok_strings *in, tok_strings *out)
{
    core_text   bytes = CORE_TEXT_INIT;
    oclm_status status = OCLM_OK;
    (void)step;
    for (size_t i = 0; i < in->count && status == OCLM_OK; i++) {
        size_t      length;
        const char *text = tok_strings_at(in, i, &length);
        const int   byte = tok_byte_of_token(text, length);
        if (byte >= 0)
            status = core_text_add_char(&bytes, (char)byte);
        else if ((status = end_bytes(&bytes, out)) == OCLM_OK)
            status = tok_strings_push(out, text, length);
    }
    if (status == OCLM_OK)
        status = end_bytes(&bytes, out);
    core_text_free(&bytes);
    return status;
}

oclm_status tok_decode_byte_fallback_make(const cJSON *config, const char *where, tok_step **step)
{
    (void)config;
    (void)where;
    return make_plain(decode_byte_fallback, TOK_DECODER_BYTE_FALLBACK, step);
}

/* ---- Fuse: all joined to one */

static oclm_status decode_fuse(const tok_step *step, const tok_strings *in, tok_strings *out)
{
    (void)step;
    return tok_strings_push(out, in->text.data, in->text.length);
}

oclm_status tok_decode_fuse_make(const cJSON *config, const char *where, tok_step **step)
{
    (void)config;
    (void)where;
    return make_plain(decode_fuse, TOK_DECODER_FUSE, step);
}

/* ---- Replace: in each token, every match becomes `content` */

typedef struct replace_step {
    tok_decoder     decoder;
    tok_replacement what;
} replace_step;

static oclm_status decode_replace(const tok_step *step, const tok_strings *in, tok_strings *out)
{
    const tok_replacement *what = &((const replace_step *)step)->what;
    oclm_status            status = OCLM_OK;
    for (size_t i = 0; i < in->count && status == OCLM_OK; i++) {
        size_t      length;
        const char *text = tok_strings_at(in, i, &length), *done = text;
        tok_matches matches;
        if (length == 0) {
            status = tok_strings_end(out);
            continue;
        }
        tok_matches_begin(&matches, &what->pattern, text, length);
        while ((status = tok_matches_next(&matches)) == OCLM_OK && matches.begin != NULL) {
            if ((status = tok_strings_add(out, done, (size_t)(matches.begin - done))) != OCLM_OK ||
                (status = tok_strings_add(out, what->content, what->content_length)) != OCLM_OK)
                break;
            done = matches.stop;
        }
        tok_matches_end(&matches);
        if (status == OCLM_OK)
            status = tok_strings_add(out, done, (size_t)(text + length - done));
        if (status == OCLM_OK)
            status = tok_strings_end(out);
    }
    return status;
}

static void free_replace(tok_step *step)
{
    tok_replacement_deinit(&((replace_step *)step)->what);
    core_free(step);
}

oclm_status tok_decode_replace_make(const cJSON *config, const char *where, tok_step **step)
{
    oclm_status   status;
    replace_step *made = core_alloc_zero(1, sizeof *made, "a decoder");
    if (made == NULL)
        return OCLM_ERR_MEMORY;
    made->decoder.kind = TOK_DECODER_PER_TOKEN;
    made->decoder.step.does.decode = decode_replace;
    made->decoder.step.free = free_replace;
    if ((status = tok_replacement_read(&made->what, config, where)) == OCLM_OK)
        *step = &made->decoder.step;
    else
        core_free(made);
    return status;
}

/* ---- Strip: in each token, up to `start` and `stop` characters `content` go from the ends */

typedef struct strip_step {
    tok_decoder decoder;
    uint32_t    content, start, stop;
} strip_step;

static oclm_status decode_strip(const tok_step *step, const tok_strings *in, tok_strings *out)
{
    const strip_step *self = (const strip_step *)step;
    oclm_status       status = OCLM_OK;
    for (size_t i = 0; i < in->count && status == OCLM_OK; i++) {
        size_t      length, size;
        const char *p = tok_strings_at(in, i, &length);
        if (length > 0) {
            const char *end = p + length;
            for (uint32_t n = 0; n < self->start && p < end && tok_char_at(p, &size) == self->content; n++)
                p += size;
            for (uint32_t n = 0; n < self->stop && p < end; n++) {
                const char *last = tok_char_before(p, end);
                if (tok_char_at(last, &size) != self->content)
                    break;
                end = last;
            }
            length = (size_t)(end - p);
        }
        status = tok_strings_push(out, p, length);
    }
    return status;
}

oclm_status tok_decode_strip_make(const cJSON *config, const char *where, tok_step **step)
{
    const char *content = NULL;
    size_t      size = 0;
    strip_step  made;
    oclm_status status;
    memset(&made, 0, sizeof made);
    if ((status = core_json_get_string(config, "content", where, &content)) != OCLM_OK ||
        (status = core_json_get_u32(config, "start", where, 0, UINT32_MAX, &made.start)) != OCLM_OK ||
        (status = core_json_get_u32(config, "stop", where, 0, UINT32_MAX, &made.stop)) != OCLM_OK)
        return status;
    if (content != NULL && content[0] != '\0')
        made.content = tok_char_at(content, &size);
    if (size == 0 || content[size] != '\0')
        return core_fail(OCLM_ERR_FORMAT, "%s: its \"content\" is not one character", where);
    made.decoder.kind = TOK_DECODER_PER_TOKEN;
    made.decoder.step.does.decode = decode_strip;
    return tok_step_copy(&made, sizeof made, step);
}

bool tok_decode_strips_first_spaces(const tok_step *step)
{
    const strip_step *self = (const strip_step *)step;
    return step->does.decode == decode_strip && self->content == ' ' && self->stop == 0;
}
