/* grid.c: which numbers of a weight share a scale, as the shapes of both tell. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "checkpoint/quantized.h"
#include "checkpoint/safetensors.h"

#define MAX_BLOCK (1u << 20)

/* Scales as [outer][lines][groups]; false where they have other dimensions than the weight. */
static bool as_lines(const ckpt_source *s, uint32_t dims, uint64_t *outer, uint64_t *lines, uint64_t *groups)
{
    const ckpt_tensor *const t = s->scales;
    *outer = *lines = *groups = 1;
    if (t->elements == 1)
        return true;
    if (t->dims == 1 && dims == 2) {
        *lines = t->shape[0];
        return true;
    }
    if (t->dims != dims)
        return false;
    *outer = dims == 3 ? t->shape[0] : 1;
    *lines = t->shape[dims - 2];
    *groups = t->shape[dims - 1];
    return true;
}

static uint64_t blocks_of(uint64_t side, uint64_t block) { return block > 0 ? (side + block - 1) / block : 0; }

/* How many of `side` share one of `count` scales; 0: they do not divide. */
static uint64_t together(uint64_t side, uint64_t count, uint64_t block)
{
    if (count == 1)
        return side;
    if (count == blocks_of(side, block))
        return block;
    return count > 0 && side % count == 0 ? side / count : 0;
}

oclm_status ckpt_find_grid(const ckpt_replacing *q, ckpt_source *s, uint32_t dims, const uint64_t *shape, uint64_t block_rows,
                           uint64_t block_columns)
{
    const uint64_t rows = shape[dims - 2], columns = shape[dims - 1], outer = dims == 3 ? shape[0] : 1;
    uint64_t       outers, lines, groups;
    char           is[CKPT_SHAPE_TEXT], of[CKPT_SHAPE_TEXT];
    bool           fits = as_lines(s, dims, &outers, &lines, &groups) && rows > 0 && columns > 0 && outer > 0;
    s->rows = outer * rows;
    s->columns = columns;
    if (fits) {
        s->outer = rows;
        s->outer_scales = outers == 1 ? 0 : lines;
        s->rows_together = together(rows, lines, block_rows);
        s->group = together(columns, groups, block_columns);
        s->groups = groups;
        s->row_stride = groups;
        s->group_stride = 1;
        /* Rows share scales only in blocks that the configuration names: rows of which some happen to divide would be a guess. */
        fits = (outers == outer || s->scales->elements == 1) && s->group > 0 &&
               (lines == 1 || lines == rows || (s->rows_together > 0 && lines == blocks_of(rows, block_rows)));
    }
    if (!fits)
        return ckpt_fail_tensor(q, OCLM_ERR_FORMAT, s->scales, "is %s: neither one scale, nor one for each row, group or block of a weight of %s",
                                ckpt_shape_text(s->scales->shape, s->scales->dims, is), ckpt_shape_text(shape, dims, of));
    return OCLM_OK;
}

oclm_status ckpt_read_block(const ckpt_replacing *q, const cJSON *object, const char *name, uint64_t *rows, uint64_t *columns)
{
    const cJSON *const item = core_json_member(object, name);
    unsigned           sides[2];
    if (item == NULL)
        return OCLM_OK;
    if (cJSON_IsString(item) && sscanf(item->valuestring, "%7ux%7u", &sides[0], &sides[1]) == 2 && sides[0] > 0 && sides[1] > 0) {
        *rows = sides[0];
        *columns = sides[1];
        return OCLM_OK;
    }
    if (!cJSON_IsArray(item) || cJSON_GetArraySize(item) != 2 || !core_json_is_whole(cJSON_GetArrayItem(item, 0), 1, MAX_BLOCK) ||
        !core_json_is_whole(cJSON_GetArrayItem(item, 1), 1, MAX_BLOCK))
        return core_json_wrong(item, name, q->origin, "a list of two whole numbers, the rows and columns of a block");
    *rows = (uint64_t)cJSON_GetArrayItem(item, 0)->valuedouble;
    *columns = (uint64_t)cJSON_GetArrayItem(item, 1)->valuedouble;
    return OCLM_OK;
}
