/* forms.c: Unicode's normalisation forms C, D, KC and KD, as the reference has them: with the tables of Unicode 9.0.
 *
 * Code points that 9.0 does not know take no part: they neither decompose, compose nor move. Most text is inert and
 * copied as it is; what is not (combining marks, conjoining jamo, compatibility forms) is normalised together with the
 * character before it, which it may combine with. utf8proc supplies decompositions, classes and compositions; the
 * sorting is ours, as utf8proc's takes quadratic time on long runs of marks. */
#include <string.h>
#include <utf8proc.h>

#include "tokenizer/normalize.h"
#include "tokenizer/pipeline.h"
#include "tokenizer/unicode.h"

#define MAX_DECOMPOSITION 32 /* code points of one: up to 18 */

typedef struct form_step {
    tok_step step;
    bool compatible; /* K */
    bool composes;   /* C */
} form_step;

/* One code point of a decomposition; `change` as for tok_rewriter_put(). */
typedef struct part {
    utf8proc_int32_t code_point;
    int32_t change;
} part;

typedef struct parts {
    part *data;
    size_t count, capacity;
} parts;

static oclm_status reserve(parts *list, size_t more)
{
    size_t needed;
    if (!core_add_size(list->count, more, &needed))
        return core_fail_memory(SIZE_MAX, "normalising");
    if (needed <= list->capacity)
        return OCLM_OK;
    const size_t capacity = needed < 128 ? 256 : needed * 2;
    part *data = core_realloc_array(list->data, capacity, sizeof *data, "normalising");
    if (data == NULL)
        return OCLM_ERR_MEMORY;
    list->data = data;
    list->capacity = capacity;
    return OCLM_OK;
}

static unsigned combining_class(utf8proc_int32_t code_point)
{
    return code_point < 0x300 ? 0 : (unsigned)utf8proc_get_property(code_point)->combining_class;
}

/* ---- Decomposing */

/* Stable, by combining class: counting sort, as one run may be the whole text. */
static oclm_status sort_marks(part *marks, size_t count)
{
    size_t starts[256] = { 0 };
    if (count < 2)
        return OCLM_OK;
    part *sorted = core_alloc_array(count, sizeof *sorted, "normalising");
    if (sorted == NULL)
        return OCLM_ERR_MEMORY;
    for (size_t i = 0; i < count; i++)
        starts[combining_class(marks[i].code_point) & 255]++;
    for (size_t c = 0, sum = 0; c < 256; c++) {
        const size_t n = starts[c];
        starts[c] = sum;
        sum += n;
    }
    for (size_t i = 0; i < count; i++)
        sorted[starts[combining_class(marks[i].code_point) & 255]++] = marks[i];
    memcpy(marks, sorted, count * sizeof *marks);
    core_free(sorted);
    return OCLM_OK;
}

static oclm_status order_canonically(parts *list)
{
    oclm_status status = OCLM_OK;
    for (size_t i = 0; i < list->count && status == OCLM_OK;) {
        size_t run = i;
        while (run < list->count && combining_class(list->data[run].code_point) != 0)
            run++;
        status = sort_marks(list->data + i, run - i);
        i = run + 1;
    }
    return status;
}

/* A stretch whose code points that change are all known to Unicode 9.0. */
static oclm_status decompose(const form_step *self, parts *list, const char *p, const char *end)
{
    const utf8proc_option_t option =
        (utf8proc_option_t)(UTF8PROC_DECOMPOSE | UTF8PROC_STABLE | (self->compatible ? UTF8PROC_COMPAT : 0));
    utf8proc_int32_t made[MAX_DECOMPOSITION];
    oclm_status status;
    size_t length;
    int boundary = 0;
    list->count = 0;
    for (; p < end; p += length) {
        const utf8proc_int32_t code_point = (utf8proc_int32_t)tok_char_at(p, &length);
        const utf8proc_ssize_t count = utf8proc_decompose_char(code_point, made, MAX_DECOMPOSITION, option, &boundary);
        if (count < 0 || count > MAX_DECOMPOSITION)
            return core_fail(OCLM_ERR_INTERNAL, "U+%04X cannot be decomposed: %s", (unsigned)code_point,
                             utf8proc_errmsg(count));
        if ((status = reserve(list, (size_t)count)) != OCLM_OK)
            return status;
        for (utf8proc_ssize_t i = 0; i < count; i++)
            list->data[list->count++] = (part){ made[i], i > 0 };
    }
    return order_canonically(list);
}

/* ---- Composing */

/* The composite of two, or -1. */
static utf8proc_int32_t compose_pair(utf8proc_int32_t first, utf8proc_int32_t second)
{
    utf8proc_int32_t pair[2] = { first, second };
    if (second < 0x300)
        return -1;
    return utf8proc_normalize_utf32(pair, 2, (utf8proc_option_t)(UTF8PROC_COMPOSE | UTF8PROC_STABLE)) == 1 ? pair[0]
                                                                                                           : -1;
}

/* In place. A mark joins the last starter unless one of its class or a higher one stands between. */
static void compose(parts *list)
{
    size_t kept = 0, starter = SIZE_MAX;
    unsigned last = 0; /* class of the last part kept behind the starter */
    for (size_t i = 0; i < list->count; i++) {
        const part one = list->data[i];
        const unsigned class = combining_class(one.code_point);
        const bool adjacent = starter != SIZE_MAX && kept == starter + 1;
        if (starter != SIZE_MAX && (adjacent || last < class)) {
            const utf8proc_int32_t composite = compose_pair(list->data[starter].code_point, one.code_point);
            if (composite >= 0) {
                list->data[starter].code_point = composite;
                list->data[starter].change += one.change - 1;
                continue;
            }
        }
        if (class == 0)
            starter = kept;
        last = class;
        list->data[kept++] = one;
    }
    list->count = kept;
}

/* ---- Stretches */

static bool is_hangul_syllable(uint32_t code_point)
{
    return code_point >= 0xAC00 && code_point <= 0xD7A3;
}

/* May the character at `p` change, or change the one before it? */
static bool is_active(const form_step *self, const char *p, size_t *length)
{
    const uint32_t code_point = tok_char_at(p, length), kind = tok_class_of(code_point);
    if (self->composes && !(kind & TOK_INERT))
        return true;
    if (!(kind & TOK_OLD) || (self->composes && !self->compatible))
        return false;
    const utf8proc_property_t *property = utf8proc_get_property((utf8proc_int32_t)code_point);
    if (self->composes) /* K: a canonical decomposition may go on with a compatible one, as that of U+0385 */
        return property->decomp_seqindex != UINT16_MAX;
    return property->combining_class != 0 || is_hangul_syllable(code_point) ||
           (property->decomp_seqindex != UINT16_MAX && (self->compatible || property->decomp_type == 0));
}

/* The first active character at or after `p`; `end` if there is none. */
static const char *find_active(const form_step *self, const char *p, const char *end)
{
    size_t length;
    while (p < end) {
        if ((unsigned char)*p < 0x80) {
            p++;
            continue;
        }
        if (is_active(self, p, &length))
            break;
        p += length;
    }
    return p;
}

static oclm_status normalize_stretch(const form_step *self, parts *list, const char *text, const char *begin,
                                     const char *end, tok_normal *out)
{
    tok_rewriter rewriter = { out, text, begin, end };
    oclm_status status = decompose(self, list, begin, end);
    if (status == OCLM_OK && self->composes)
        compose(list);
    for (size_t i = 0; i < list->count && status == OCLM_OK; i++)
        status = tok_rewriter_put(&rewriter, (uint32_t)list->data[i].code_point, list->data[i].change);
    return status;
}

static oclm_status normalize(const tok_step *step, const char *text, size_t length, tok_normal *out)
{
    const form_step *self = (const form_step *)step;
    const char *const end = text + length;
    const char *done = text; /* in `out` up to here */
    parts list = { NULL, 0, 0 };
    size_t size;
    oclm_status status = core_text_reserve(&out->text, length);
    for (const char *p = text; status == OCLM_OK;) {
        const char *active = p = find_active(self, p, end);
        if (active == end) {
            status = tok_normal_keep(out, done, (size_t)(end - done), (size_t)(done - text));
            break;
        }
        while (p < end && is_active(self, p, &size))
            p += size;
        if (self->composes && active > done) {
            const char *before = tok_char_before(done, active);
            if (tok_class_at(before, &size) & TOK_OLD)
                active = before;
        }
        if ((status = tok_normal_keep(out, done, (size_t)(active - done), (size_t)(done - text))) == OCLM_OK)
            status = normalize_stretch(self, &list, text, active, p, out);
        done = p;
    }
    core_free(list.data);
    return status;
}

static oclm_status make(bool compatible, bool composes, tok_step **step)
{
    const form_step made = { { { .normalize = normalize }, NULL }, compatible, composes };
    return tok_step_copy(&made, sizeof made, step);
}

oclm_status tok_nfc_make(const cJSON *config, const char *where, tok_step **step)
{
    (void)config;
    (void)where;
    return make(false, true, step);
}

oclm_status tok_nfd_make(const cJSON *config, const char *where, tok_step **step)
{
    (void)config;
    (void)where;
    return make(false, false, step);
}

oclm_status tok_nfkc_make(const cJSON *config, const char *where, tok_step **step)
{
    (void)config;
    (void)where;
    return make(true, true, step);
}

oclm_status tok_nfkd_make(const cJSON *config, const char *where, tok_step **step)
{
    (void)config;
    (void)where;
    return make(true, false, step);
}
