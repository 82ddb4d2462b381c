/* byte_level.c: byte characters, and the ByteLevel pre-tokenizer. */
#include "tokenizer/byte_level.h"

#include "tokenizer/pipeline.h"
#include "tokenizer/scanners.h"
#include "tokenizer/unicode.h"

/* ---- Byte characters */

static bool is_visible(uint32_t byte)
{
    return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

uint32_t tok_byte_char(unsigned char byte)
{
    if (is_visible(byte))
        return byte;
    if (byte <= 0x20)
        return 0x100u + byte;
    return byte == 0xAD ? 0x143u : 0x121u + (byte - 0x7Fu); /* 0x7F-A0 follow the first 33 */
}

oclm_status tok_add_byte_chars(core_text *out, const char *bytes, size_t length)
{
    oclm_status status = OCLM_OK;
    for (size_t i = 0; i < length && status == OCLM_OK; i++)
        status = core_text_add_code_point(out, tok_byte_char((unsigned char)bytes[i]));
    return status;
}

int tok_byte_of_char(uint32_t code_point)
{
    if (code_point < 0x100)
        return is_visible(code_point) ? (int)code_point : -1;
    if (code_point <= 0x120)
        return (int)(code_point - 0x100);
    if (code_point <= 0x142)
        return (int)(code_point - 0x121 + 0x7F);
    return code_point == 0x143 ? 0xAD : -1;
}

bool tok_bytes_of_token(const char *token, size_t length, core_text *out, oclm_status *status)
{
    const size_t before = out->length;
    size_t size;
    if ((*status = core_text_reserve(out, length)) != OCLM_OK) /* no more bytes than the token has */
        return false;
    for (const char *p = token; p < token + length; p += size) {
        const int byte = tok_byte_of_char(tok_char_at(p, &size));
        if (byte < 0) {
            out->length = before;
            out->data[before] = '\0';
            return false;
        }
        out->data[out->length++] = (char)byte;
    }
    out->data[out->length] = '\0';
    return true;
}

/* ---- The pre-tokenizer */

typedef struct byte_level {
    tok_step step;
    bool add_prefix_space, use_regex;
    bool plain; /* pieces are given on as bytes */
} byte_level;

static oclm_status give(const byte_level *self, tok_run *run, size_t index, const char *text, size_t length)
{
    if (self->plain)
        return tok_run_piece(run, index + 1, text, length);
    tok_normal *mapped = &run->scratch->step_text[index];
    oclm_status status = OCLM_OK;
    tok_run_rewrite(run, mapped);
    for (size_t i = 0; i < length && status == OCLM_OK; i++)
        status = tok_normal_put_char(mapped, tok_byte_char((unsigned char)text[i]), i);
    if (status != OCLM_OK)
        return status;
    const tok_frame before = tok_run_enter(run, mapped, text);
    status = tok_run_piece(run, index + 1, mapped->text.data, mapped->text.length);
    run->frame = before;
    return status;
}

static oclm_status split_spaced(const byte_level *self, tok_run *run, size_t index, const char *text, size_t length)
{
    oclm_status status = OCLM_OK;
    if (!self->use_regex)
        return give(self, run, index, text, length);
    for (const char *p = text, *const end = text + length; p < end && status == OCLM_OK;) {
        const char *next = tok_scan_gpt2(p, end); /* matches everywhere */
        status = give(self, run, index, p, (size_t)(next - p));
        p = next;
    }
    return status;
}

static oclm_status split(const tok_step *step, tok_run *run, size_t index, const char *text, size_t length)
{
    const byte_level *self = (const byte_level *)step;
    tok_normal spaced = TOK_NORMAL_INIT;
    oclm_status status;
    if (!self->add_prefix_space || text[0] == ' ')
        return split_spaced(self, run, index, text, length);
    tok_run_rewrite(run, &spaced);
    if ((status = tok_normal_put(&spaced, " ", 1, 0)) == OCLM_OK &&
        (status = tok_normal_keep(&spaced, text, length, 0)) == OCLM_OK) {
        const tok_frame before = tok_run_enter(run, &spaced, text);
        status = split_spaced(self, run, index, spaced.text.data, spaced.text.length);
        run->frame = before;
    }
    tok_normal_free(&spaced);
    return status;
}

bool tok_byte_level_is(const tok_step *step)
{
    return step->does.split == split;
}

void tok_byte_level_give_bytes(tok_step *step)
{
    ((byte_level *)step)->plain = true;
}

oclm_status tok_byte_level_make(const cJSON *config, const char *where, tok_step **step)
{
    byte_level made = { { { NULL }, NULL }, true, true, false };
    oclm_status status;
    if ((status = core_json_get_bool(config, "add_prefix_space", where, &made.add_prefix_space)) != OCLM_OK ||
        (status = core_json_get_bool(config, "use_regex", where, &made.use_regex)) != OCLM_OK)
        return status;
    made.step.does.split = split;
    return tok_step_copy(&made, sizeof made, step);
}
