/* precompiled.c: the normaliser Precompiled: replacements in a double-array trie, as SentencePiece writes them.
 *
 * The blob, in base64: u32 size of the trie in bytes; its u32 units; then NUL-ended replacements, to which the trie's
 * values point (all little-endian). A unit: bits 0-7 label, bit 8 a leaf follows, bit 9 the offset counts 256 times,
 * bits 10-30 offset; a leaf's: bits 0-30 value, bit 31 set. Equal to the reference, not to SentencePiece: for each
 * grapheme cluster of fewer than 6 bytes the *shortest* entry that it begins with replaces all of it; else each
 * character is looked up alone. */
#include <string.h>
#include <utf8proc.h>

#include "core/base64.h"
#include "tokenizer/normalize.h"
#include "tokenizer/pipeline.h"
#include "tokenizer/unicode.h"

typedef struct precompiled {
    tok_step step;
    core_text blob; /* decoded */
    size_t units;   /* in the trie */
    const char *pool;
    size_t pool_length;
} precompiled;

/* ---- Looking up */

static uint32_t read_u32(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;
    return u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
}

static bool unit_at(const precompiled *self, size_t index, uint32_t *unit)
{
    if (index >= self->units)
        return false;
    *unit = read_u32(self->blob.data + 4 + 4 * index);
    return true;
}

static size_t offset_of(uint32_t unit)
{
    return (size_t)(unit >> 10) << ((unit & 1u << 9) >> 6);
}

/* What the shortest entry at the beginning of `key` becomes; NULL if there is none. */
static const char *look_up(const precompiled *self, const char *key, size_t key_length, size_t *length)
{
    uint32_t unit;
    size_t node = 0;
    if (!unit_at(self, 0, &unit))
        return NULL;
    node ^= offset_of(unit);
    for (size_t i = 0; i < key_length && key[i] != '\0'; i++) {
        const unsigned char byte = (unsigned char)key[i];
        node ^= byte;
        if (!unit_at(self, node, &unit) || (unit & (1u << 31 | 0xFF)) != byte)
            return NULL;
        node ^= offset_of(unit);
        if (!(unit >> 8 & 1))
            continue;
        if (!unit_at(self, node, &unit))
            return NULL;
        const size_t value = unit & 0x7FFFFFFF;
        if (value >= self->pool_length || ((unsigned char)self->pool[value] & 0xC0) == 0x80)
            return NULL;                      /* a broken trie */
        *length = strlen(self->pool + value); /* the pool ends in a NUL of core_text's */
        return self->pool + value;
    }
    return NULL;
}

/* ---- Rewriting */

/* The reference counts the characters that a replacement is longer or shorter on its last ones; so one is held back. */
typedef struct pending {
    tok_rewriter rewriter;
    uint32_t code_point;
    int change;
    bool any;
} pending;

static oclm_status put(pending *out, uint32_t code_point, int change)
{
    oclm_status status = OCLM_OK;
    if (out->any)
        status = tok_rewriter_put(&out->rewriter, out->code_point, out->change);
    out->code_point = code_point;
    out->change = change;
    out->any = true;
    return status;
}

static int count_chars(const char *p, const char *end)
{
    int count = 0;
    for (; p < end; p++)
        count += ((unsigned char)*p & 0xC0) != 0x80;
    return count;
}

static oclm_status put_replacement(pending *out, const char *p, size_t length, const char *old, size_t old_length)
{
    const char *const end = p + length;
    const int count = count_chars(p, end), old_count = count_chars(old, old + old_length);
    oclm_status status = OCLM_OK;
    size_t size;
    for (int i = 0; p < end && status == OCLM_OK; p += size, i++)
        status = put(out, tok_char_at(p, &size), i >= old_count);
    if (count < old_count && out->any)
        out->change += count - old_count;
    return status;
}

static oclm_status put_chars(const precompiled *self, pending *out, const char *p, const char *end)
{
    oclm_status status = OCLM_OK;
    size_t size, length;
    for (; p < end && status == OCLM_OK; p += size) {
        const uint32_t code_point = tok_char_at(p, &size);
        const char *found = look_up(self, p, size, &length);
        status = found != NULL ? put_replacement(out, found, length, p, size) : put(out, code_point, 0);
    }
    return status;
}

/* Marks of Unicode 16.0 and 17.0, which the reference knows and utf8proc may not: they go with what stands before them.
 */
static bool is_new_mark(uint32_t code_point)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {
        { 0x897, 0x897 },     { 0x1ACF, 0x1ADD },   { 0x1AE0, 0x1AEB },   { 0x10D69, 0x10D6D }, { 0x10EFA, 0x10EFC },
        { 0x113B8, 0x113C0 }, { 0x113C2, 0x113C2 }, { 0x113C5, 0x113C5 }, { 0x113C7, 0x113CA }, { 0x113CC, 0x113D0 },
        { 0x113D2, 0x113D2 }, { 0x113E1, 0x113E2 }, { 0x11B60, 0x11B67 }, { 0x11F5A, 0x11F5A }, { 0x1611E, 0x1612F },
        { 0x1E5EE, 0x1E5EF }, { 0x1E6E3, 0x1E6E3 }, { 0x1E6E6, 0x1E6E6 }, { 0x1E6EE, 0x1E6EF }, { 0x1E6F5, 0x1E6F5 },
    };
    for (size_t i = 0; i < COUNT(ranges) && code_point >= ranges[i].first; i++) {
        if (code_point <= ranges[i].last)
            return true;
    }
    return false;
}

static const char *cluster_end(const char *p, const char *end)
{
    utf8proc_int32_t state = 0;
    size_t size;
    uint32_t before = tok_char_at(p, &size);
    for (p += size; p < end; p += size) {
        const uint32_t code_point = tok_char_at(p, &size);
        const bool mark = is_new_mark(code_point);
        if (utf8proc_grapheme_break_stateful((utf8proc_int32_t)before, (utf8proc_int32_t)(mark ? 0x301 : code_point),
                                             &state))
            break;
        before = code_point;
    }
    return p;
}

static oclm_status normalize(const tok_step *step, const char *text, size_t length, tok_normal *out)
{
    const precompiled *self = (const precompiled *)step;
    const char *const end = text + length;
    pending state = { { out, text, text, end }, 0, 0, false };
    oclm_status status = core_text_reserve(&out->text, length);
    size_t found_length;
    for (const char *p = text, *stop; p < end && status == OCLM_OK; p = stop) {
        stop = cluster_end(p, end);
        const char *found = stop - p < 6 ? look_up(self, p, (size_t)(stop - p), &found_length) : NULL;
        status = found != NULL ? put_replacement(&state, found, found_length, p, (size_t)(stop - p))
                               : put_chars(self, &state, p, stop);
    }
    if (status == OCLM_OK && state.any)
        status = tok_rewriter_put(&state.rewriter, state.code_point, state.change);
    return status;
}

/* ---- Reading */

static oclm_status read_blob(precompiled *self, const char *where)
{
    const size_t length = self->blob.length;
    const size_t trie = length >= 4 ? read_u32(self->blob.data) : 0;
    if (length < 4 || trie > length - 4)
        return core_fail(OCLM_ERR_FORMAT, "%s: \"precompiled_charsmap\" has %zu bytes, fewer than its trie asks for",
                         where, length);
    self->units = trie / 4;
    self->pool = self->blob.data + 4 + 4 * self->units;
    self->pool_length = length - 4 - 4 * self->units;
    if (core_utf8_check(self->pool, self->pool_length) != SIZE_MAX)
        return core_fail(OCLM_ERR_FORMAT, "%s: the replacements of \"precompiled_charsmap\" are not valid UTF-8",
                         where);
    return OCLM_OK;
}

static void free_precompiled(tok_step *step)
{
    core_text_free(&((precompiled *)step)->blob);
    core_free(step);
}

/* Takes the blob, also where it fails. */
static oclm_status make(core_text *blob, const char *where, tok_step **step)
{
    precompiled *made = core_alloc_zero(1, sizeof *made, "a normaliser");
    oclm_status status;
    if (made == NULL) {
        core_text_free(blob);
        return OCLM_ERR_MEMORY;
    }
    made->step.does.normalize = normalize;
    made->step.free = free_precompiled;
    made->blob = *blob;
    if ((status = read_blob(made, where)) == OCLM_OK)
        *step = &made->step;
    else
        free_precompiled(&made->step);
    return status;
}

oclm_status tok_precompiled_of(const char *blob, size_t length, const char *where, tok_step **step)
{
    core_text copy = CORE_TEXT_INIT;
    const oclm_status status = core_text_add(&copy, blob, length);
    return status == OCLM_OK ? make(&copy, where, step) : status;
}

oclm_status tok_precompiled_make(const cJSON *config, const char *where, tok_step **step)
{
    core_text blob = CORE_TEXT_INIT;
    const char *text = NULL;
    bool valid;
    oclm_status status = core_json_get_string(config, "precompiled_charsmap", where, &text);
    if (status != OCLM_OK)
        return status;
    if (text == NULL)
        return core_fail(OCLM_ERR_FORMAT, "%s: \"precompiled_charsmap\" is missing", where);
    if ((status = core_base64_add(&blob, text, strlen(text), &valid)) != OCLM_OK)
        return status;
    if (!valid)
        return core_fail(OCLM_ERR_FORMAT, "%s: \"precompiled_charsmap\" is no base64", where);
    return make(&blob, where, step);
}
