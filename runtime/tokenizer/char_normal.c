/* char_normal.c: the normalisers that look at one character at a time: Lowercase, Nmt, StripAccents, Strip, ByteLevel;
 * and BertNormalizer, which is four such in a row. */
#include <string.h>

#include "tokenizer/byte_level.h"
#include "tokenizer/normalize.h"
#include "tokenizer/pipeline.h"
#include "tokenizer/unicode.h"

/* Characters that it `concerns` are written by `write`, or dropped where that is NULL; the others stay. */
typedef struct char_step {
    tok_step step;
    bool (*concerns)(uint32_t code_point);
    oclm_status (*write)(uint32_t code_point, size_t source, tok_normal *out);
} char_step;

static oclm_status normalize_chars(const tok_step *step, const char *text, size_t length, tok_normal *out)
{
    const char_step *self = (const char_step *)step;
    const char *const end = text + length;
    const char *done = text;
    oclm_status status = core_text_reserve(&out->text, length);
    size_t size;
    for (const char *p = text; p < end && status == OCLM_OK; p += size) {
        const uint32_t code_point = tok_char_at(p, &size);
        if (!self->concerns(code_point))
            continue;
        status = tok_normal_keep(out, done, (size_t)(p - done), (size_t)(done - text));
        if (status == OCLM_OK && self->write != NULL)
            status = self->write(code_point, (size_t)(p - text), out);
        done = p + size;
    }
    return status == OCLM_OK ? tok_normal_keep(out, done, (size_t)(end - done), (size_t)(done - text)) : status;
}

static oclm_status make_chars(bool (*concerns)(uint32_t), oclm_status (*write)(uint32_t, size_t, tok_normal *),
                              tok_step **step)
{
    const char_step made = { { { .normalize = normalize_chars }, NULL }, concerns, write };
    return tok_step_copy(&made, sizeof made, step);
}

/* ---- Lowercase: full lower case, character by character: no rule for the final sigma */

static bool has_lower(uint32_t code_point)
{
    return tok_lower(code_point) != code_point;
}

static oclm_status write_lower(uint32_t code_point, size_t source, tok_normal *out)
{
    const oclm_status status = tok_normal_put_char(out, tok_lower(code_point), source);
    return status == OCLM_OK && code_point == 0x130 ? tok_normal_put_char(out, 0x307, source) : status;
}

oclm_status tok_lowercase_make(const cJSON *config, const char *where, tok_step **step)
{
    (void)config;
    (void)where;
    return make_chars(has_lower, write_lower, step);
}

/* ---- Nmt: control characters vanish, odd spaces become one */

static bool is_nmt_control(uint32_t c)
{
    return (c >= 1 && c <= 8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F;
}

static bool is_nmt_space(uint32_t c)
{
    return c == 0x9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 || (c >= 0x200B && c <= 0x200F) || c == 0x2028 ||
           c == 0x2029 || c == 0x2581 || c == 0xFEFF || c == 0xFFFD;
}

static bool concerns_nmt(uint32_t code_point)
{
    return is_nmt_control(code_point) || is_nmt_space(code_point);
}

static oclm_status write_nmt(uint32_t code_point, size_t source, tok_normal *out)
{
    return is_nmt_space(code_point) ? tok_normal_put(out, " ", 1, source) : OCLM_OK;
}

oclm_status tok_nmt_make(const cJSON *config, const char *where, tok_step **step)
{
    (void)config;
    (void)where;
    return make_chars(concerns_nmt, write_nmt, step);
}

/* ---- StripAccents */

oclm_status tok_strip_accents_make(const cJSON *config, const char *where, tok_step **step)
{
    (void)config;
    (void)where;
    return make_chars(tok_is_old_mark, NULL, step);
}

/* ---- ByteLevel: every byte becomes its character */

static oclm_status to_byte_chars(const tok_step *step, const char *text, size_t length, tok_normal *out)
{
    oclm_status status = core_text_reserve(&out->text, length);
    (void)step;
    for (size_t i = 0; i < length && status == OCLM_OK; i++)
        status = tok_normal_put_char(out, tok_byte_char((unsigned char)text[i]), i);
    return status;
}

oclm_status tok_byte_level_normal_make(const cJSON *config, const char *where, tok_step **step)
{
    const tok_step made = { { .normalize = to_byte_chars }, NULL };
    (void)config;
    (void)where;
    return tok_step_copy(&made, sizeof made, step);
}

/* ---- Strip: white space at the ends */

typedef struct strip_step {
    tok_step step;
    bool left, right;
} strip_step;

static oclm_status strip(const tok_step *step, const char *text, size_t length, tok_normal *out)
{
    const strip_step *self = (const strip_step *)step;
    const char *begin = text, *end = text + length;
    size_t size;
    if (self->left)
        begin = tok_run_of(begin, end, TOK_SPACE);
    while (self->right && end > begin) {
        const char *last = tok_char_before(begin, end);
        if (!(tok_class_at(last, &size) & TOK_SPACE))
            break;
        end = last;
    }
    return tok_normal_keep(out, begin, (size_t)(end - begin), (size_t)(begin - text));
}

oclm_status tok_strip_make(const cJSON *config, const char *where, tok_step **step)
{
    strip_step made = { { { .normalize = strip }, NULL }, false, false };
    oclm_status status;
    if ((status = core_json_get_bool(config, "strip_left", where, &made.left)) != OCLM_OK ||
        (status = core_json_get_bool(config, "strip_right", where, &made.right)) != OCLM_OK)
        return status;
    return tok_step_copy(&made, sizeof made, step);
}

/* ---- BertNormalizer: clean_text, handle_chinese_chars, strip_accents, lowercase, in that order */

static bool is_unclean(uint32_t code_point)
{
    if (code_point >= 0x20 && code_point < 0x7F)
        return false;
    return code_point == 0xFFFD || tok_is_white_space(code_point) || tok_is_old_control(code_point);
}

static oclm_status write_clean(uint32_t c, size_t source, tok_normal *out)
{
    const bool space = c == '\t' || c == '\n' || c == '\r' || (tok_is_white_space(c) && !tok_is_old_control(c));
    return space ? tok_normal_put(out, " ", 1, source) : OCLM_OK;
}

static bool is_chinese(uint32_t c)
{
    return c >= 0x3400 &&
           (c <= 0x4DBF || (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0xF900 && c <= 0xFAFF) ||
            (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) || (c >= 0x2B740 && c <= 0x2B81F) ||
            (c >= 0x2B920 && c <= 0x2CEAF) || (c >= 0x2F800 && c <= 0x2FA1F));
}

static oclm_status write_chinese(uint32_t code_point, size_t source, tok_normal *out)
{
    oclm_status status = tok_normal_put(out, " ", 1, source);
    if (status == OCLM_OK)
        status = tok_normal_put_char(out, code_point, source);
    return status == OCLM_OK ? tok_normal_put(out, " ", 1, source) : status;
}

typedef struct bert_step {
    tok_step step;
    tok_chain chain;
} bert_step;

static oclm_status normalize_bert(const tok_step *step, const char *text, size_t length, tok_normal *out)
{
    return tok_normalize_traced(&((const bert_step *)step)->chain, text, length, out);
}

static void free_bert(tok_step *step)
{
    tok_chain_deinit(&((bert_step *)step)->chain);
    core_free(step);
}

static oclm_status add_bert_steps(tok_chain *chain, bool clean, bool chinese, bool accents, bool lower,
                                  const char *where)
{
    tok_step *step = NULL;
    oclm_status status = OCLM_OK;
    if (clean && (status = make_chars(is_unclean, write_clean, &step)) == OCLM_OK)
        status = tok_chain_add(chain, step, where);
    if (status == OCLM_OK && chinese && (status = make_chars(is_chinese, write_chinese, &step)) == OCLM_OK)
        status = tok_chain_add(chain, step, where);
    if (status == OCLM_OK && accents && (status = tok_nfd_make(NULL, where, &step)) == OCLM_OK &&
        (status = tok_chain_add(chain, step, where)) == OCLM_OK &&
        (status = make_chars(tok_is_old_nonspacing, NULL, &step)) == OCLM_OK)
        status = tok_chain_add(chain, step, where);
    if (status == OCLM_OK && lower && (status = make_chars(has_lower, write_lower, &step)) == OCLM_OK)
        status = tok_chain_add(chain, step, where);
    return status;
}

oclm_status tok_bert_normal_make(const cJSON *config, const char *where, tok_step **step)
{
    bool clean = true, chinese = true, lower = true, accents;
    bert_step *made;
    oclm_status status;
    if ((status = core_json_get_bool(config, "clean_text", where, &clean)) != OCLM_OK ||
        (status = core_json_get_bool(config, "handle_chinese_chars", where, &chinese)) != OCLM_OK ||
        (status = core_json_get_bool(config, "lowercase", where, &lower)) != OCLM_OK)
        return status;
    accents = lower; /* null, or none */
    if ((status = core_json_get_bool(config, "strip_accents", where, &accents)) != OCLM_OK)
        return status;
    if ((made = core_alloc_zero(1, sizeof *made, "a normaliser")) == NULL)
        return OCLM_ERR_MEMORY;
    made->step.does.normalize = normalize_bert;
    made->step.free = free_bert;
    if ((status = add_bert_steps(&made->chain, clean, chinese, accents, lower, where)) == OCLM_OK)
        *step = &made->step;
    else
        free_bert(&made->step);
    return status;
}
