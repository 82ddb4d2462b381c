/* nfc.c: Unicode normalisation form C, as the reference has it: with the tables of Unicode 9.0.
 *
 * Code points that 9.0 does not know take no part: they neither decompose, compose nor move. Most text is inert and copied
 * as it is; what is not (combining marks, conjoining jamo, compatibility forms) is normalised together with the character
 * before it, which it may combine with. utf8proc supplies decompositions, classes and compositions; the sorting is ours, as
 * utf8proc's takes quadratic time on long runs of marks. */
#include <string.h>
#include <utf8proc.h>

#include "tokenizer/normalize.h"
#include "tokenizer/pipeline.h"
#include "tokenizer/unicode.h"

#define MAX_DECOMPOSITION 32 /* code points of one; canonical ones have up to 4 */

typedef struct code_points {
    utf8proc_int32_t *data;
    size_t            count, capacity;
} code_points;

static oclm_status reserve(code_points *points, size_t more)
{
    size_t needed;
    if (!core_add_size(points->count, more, &needed))
        return core_fail_memory(SIZE_MAX, "normalising");
    if (needed <= points->capacity)
        return OCLM_OK;
    const size_t      capacity = needed < 128 ? 256 : needed * 2;
    utf8proc_int32_t *data = core_realloc_array(points->data, capacity, sizeof *data, "normalising");
    if (data == NULL)
        return OCLM_ERR_MEMORY;
    points->data = data;
    points->capacity = capacity;
    return OCLM_OK;
}

static unsigned combining_class(utf8proc_int32_t code_point)
{
    return (unsigned)utf8proc_get_property(code_point)->combining_class;
}

/* Stable, by combining class: counting sort, as one run may be the whole text. */
static oclm_status sort_marks(utf8proc_int32_t *marks, size_t count)
{
    size_t starts[256] = { 0 };
    if (count < 2)
        return OCLM_OK;
    utf8proc_int32_t *sorted = core_alloc_array(count, sizeof *sorted, "normalising");
    if (sorted == NULL)
        return OCLM_ERR_MEMORY;
    for (size_t i = 0; i < count; i++)
        starts[combining_class(marks[i]) & 255]++;
    for (size_t c = 0, sum = 0; c < 256; c++) {
        const size_t n = starts[c];
        starts[c] = sum;
        sum += n;
    }
    for (size_t i = 0; i < count; i++)
        sorted[starts[combining_class(marks[i]) & 255]++] = marks[i];
    memcpy(marks, sorted, count * sizeof *marks);
    core_free(sorted);
    return OCLM_OK;
}

static oclm_status order_canonically(code_points *points)
{
    oclm_status status = OCLM_OK;
    for (size_t i = 0; i < points->count && status == OCLM_OK;) {
        size_t run = i;
        while (run < points->count && combining_class(points->data[run]) != 0)
            run++;
        status = sort_marks(points->data + i, run - i);
        i = run + 1;
    }
    return status;
}

/* Adds the normal form of a stretch whose code points are all known to Unicode 9.0. */
static oclm_status compose(code_points *points, const char *p, const char *end, core_text *out)
{
    oclm_status status;
    size_t      length;
    int         boundary = 0;
    points->count = 0;
    for (; p < end; p += length) {
        const uint32_t code_point = tok_char_at(p, &length);
        if ((status = reserve(points, MAX_DECOMPOSITION)) != OCLM_OK)
            return status;
        const utf8proc_ssize_t made = utf8proc_decompose_char((utf8proc_int32_t)code_point, points->data + points->count,
            MAX_DECOMPOSITION, UTF8PROC_DECOMPOSE | UTF8PROC_STABLE, &boundary);
        if (made < 0 || made > MAX_DECOMPOSITION)
            return core_fail(OCLM_ERR_INTERNAL, "U+%04X cannot be decomposed: %s", (unsigned)code_point, utf8proc_errmsg(made));
        points->count += (size_t)made;
    }
    if ((status = order_canonically(points)) != OCLM_OK)
        return status;
    const utf8proc_ssize_t count = utf8proc_normalize_utf32(points->data, (utf8proc_ssize_t)points->count,
                                                            UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    if (count < 0)
        return core_fail(OCLM_ERR_INTERNAL, "text cannot be composed: %s", utf8proc_errmsg(count));
    for (utf8proc_ssize_t i = 0; i < count; i++) {
        if ((status = core_text_add_code_point(out, (uint32_t)points->data[i])) != OCLM_OK)
            return status;
    }
    return OCLM_OK;
}

/* The first character at or after `p` that may change, or that may change the one before; `end` if there is none. */
static const char *find_active(const char *p, const char *end)
{
    size_t length;
    while (p < end) {
        if ((unsigned char)*p < 0x80) {
            p++;
            continue;
        }
        if (!(tok_class_at(p, &length) & TOK_INERT))
            break;
        p += length;
    }
    return p;
}

static oclm_status normalize(const tok_step *step, const char *text, size_t length, tok_normal *normal)
{
    core_text *const  out = &normal->text;
    const char *const end = text + length;
    const char       *done = text; /* added to `out` up to here */
    code_points       points = { NULL, 0, 0 };
    size_t            size;
    oclm_status       status = core_text_reserve(out, length);
    (void)step;
    for (const char *p = text; status == OCLM_OK;) {
        const char *active = p = find_active(p, end);
        if (active == end) {
            status = core_text_add(out, done, (size_t)(end - done));
            break;
        }
        while (p < end && !(tok_class_at(p, &size) & TOK_INERT))
            p += size;
        if (active > done) {
            const char *before = tok_char_before(done, active);
            if (tok_class_at(before, &size) & TOK_OLD)
                active = before;
        }
        if ((status = core_text_add(out, done, (size_t)(active - done))) == OCLM_OK)
            status = compose(&points, active, p, out);
        done = p;
    }
    core_free(points.data);
    return status;
}

oclm_status tok_nfc_make(const cJSON *config, const char *where, tok_step **step)
{
    (void)config;
    (void)where;
    if ((*step = core_alloc_zero(1, sizeof **step, "a normaliser")) == NULL)
        return OCLM_ERR_MEMORY;
    (*step)->does.normalize = normalize;
    return OCLM_OK;
}
