/* export_gguf.c: a GGUF file is planned, its tensors listed and written. */
#include "model/export_gguf.h"

#include <math.h>
#include <string.h>

#include "checkpoint/blocks_write.h"
#include "checkpoint/rows.h"
#include "core/memory.h"
#include "model/export_plan.h"

/* ---- Planning */

oclm_status model_export_refuse(const model_export *plan, const char *what)
{
    return core_fail(OCLM_ERR_UNSUPPORTED, "%s: %s cannot be said in a GGUF file of architecture \"%s\": quantise to nf4, fp4 or int8 instead", plan->origin,
                     what, plan->architecture->name);
}

static oclm_status find_architecture(model_export *plan)
{
    plan->architecture = model_gguf_architecture_of(plan->model.architecture.model_type);
    return plan->architecture != NULL ? OCLM_OK
               : core_fail(OCLM_ERR_UNSUPPORTED, "%s: \"model_type\" is \"%s\", for which oclm knows no architecture of GGUF files: quantise to nf4, fp4 or "
                           "int8 instead", plan->origin, plan->model.architecture.model_type);
}

oclm_status model_export_new(const char *folder, const char *variant, uint32_t type, model_export **plan)
{
    model_export *made = core_alloc_zero(1, sizeof *made, "a plan of a file");
    oclm_status   status;
    *plan = NULL;
    if (made == NULL)
        return OCLM_ERR_MEMORY;
    made->origin = folder;
    made->type = type;
    if ((status = model_open(folder, variant, &made->model)) == OCLM_OK && (status = find_architecture(made)) == OCLM_OK)
        status = model_export_items(made);
    if (status == OCLM_OK)
        *plan = made;
    else
        model_export_free(made);
    return status;
}

void model_export_free(model_export *plan)
{
    if (plan == NULL)
        return;
    model_opened_close(&plan->model);
    core_free(plan->items);
    core_free(plan->factors[0]);
    core_free(plan->factors[1]);
    core_free(plan);
}

uint64_t model_export_tokens(const model_export *plan) { return plan->model.architecture.vocab_size; }

/* ---- Listing */

static uint64_t bytes_of(const model_export_item *item) { return item->rows * ckpt_block_bytes(item->type, (size_t)item->columns); }

/* Of factors, by which there are; NULL: none. */
static const char *factors_name(const model_export *plan, size_t index)
{
    static const char *const names[] = { "rope_factors_short.weight", "rope_factors_long.weight" };
    return plan->factors[index] == NULL ? NULL : plan->factors[1] != NULL ? names[index] : "rope_freqs.weight";
}

static uint64_t factor_count(const model_export *plan) { return plan->model.architecture.ropes[0].dims / 2; }

oclm_status model_export_head(model_export *plan, core_gguf_writer *writer)
{
    const oclm_status status = model_export_config(plan, writer);
    if (status != OCLM_OK)
        return status;
    for (size_t i = 0; i < COUNT(plan->factors); i++) {
        const uint64_t shape[1] = { factor_count(plan) };
        if (factors_name(plan, i) != NULL)
            core_gguf_put_tensor(writer, factors_name(plan, i), shape, 1, CKPT_GGML_F32, shape[0] * sizeof(float));
    }
    for (size_t i = 0; i < plan->item_count; i++) {
        const model_export_item *item = &plan->items[i];
        core_gguf_put_tensor(writer, item->name, item->shape, item->dims, item->type, bytes_of(item));
    }
    return writer->status;
}

/* ---- Reading rows */

/* Some rows of a role's tensor, or of one of the several that make it up below each other. */
typedef struct piece {
    ckpt_tensor tensor; /* of the matrix in which the rows lie */
    bool        transposed;
    uint64_t    rows, first, count;
} piece;

/* The tensor that holds row `source` of all; those that follow in it are neighbours. */
static piece find_piece(const model_export *plan, const model_export_item *item, uint64_t source)
{
    const model_binding   *b = &plan->model.binding;
    const model_role_shape shape = model_role_shape_of(b->architecture, item->role, item->layer);
    const model_bound      first = model_bound_tensor(b, item->role, item->layer);
    const uint32_t         pieces = shape.pieces > 1 && (first.pieces > 1 || first.transposed) ? shape.pieces : 1;
    const uint64_t         rows = shape.rows / pieces, number = source / rows;
    piece p = { .tensor = *first.tensor, .transposed = first.transposed, .rows = rows, .first = source % rows };
    if (first.pieces > 1) {
        p.tensor = *model_bound_piece(b, item->role, item->layer, (uint32_t)number).tensor;
    } else if (pieces > 1) { /* matrices one behind the other, each transposed by itself */
        p.tensor.bytes /= pieces;
        p.tensor.data = (const char *)p.tensor.data + number * p.tensor.bytes;
    }
    return p;
}

static oclm_status tile_columns(const model_export *plan, const model_export_item *item, uint64_t count, float *values)
{
    float *const spare = core_alloc_array((size_t)item->columns, sizeof *spare, "a row of a tensor");
    if (spare == NULL)
        return OCLM_ERR_MEMORY;
    for (uint64_t i = 0; i < count; i++) {
        memcpy(spare, values + i * item->columns, (size_t)item->columns * sizeof *spare);
        for (uint64_t k = 0; k < item->columns; k++)
            values[i * item->columns + k] = spare[model_export_tiled(&plan->model.architecture, k, item->tiled_columns)];
    }
    core_free(spare);
    return OCLM_OK;
}

static oclm_status read_rows(const model_export *plan, const model_export_item *item, uint64_t first, uint64_t count, float *values)
{
    oclm_status status = OCLM_OK;
    for (uint64_t row = first, end; row < first + count && status == OCLM_OK; row = end) {
        const uint64_t source = model_export_source(plan, item, row);
        const piece    p = find_piece(plan, item, source);
        for (end = row + 1; end < first + count && p.first + (end - row) < p.rows; end++) {
            if (model_export_source(plan, item, end) != source + (end - row))
                break;
        }
        status = ckpt_read_rows(&p.tensor, p.transposed, p.rows, item->columns, p.first, end - row, values + (row - first) * item->columns);
    }
    for (uint64_t i = 0; i < count * item->columns && status == OCLM_OK && item->decay; i++)
        values[i] = -expf(values[i]);
    for (uint64_t i = 0; i < count * item->columns && status == OCLM_OK && item->plus != 0.0f; i++)
        values[i] += item->plus;
    return status == OCLM_OK && item->tiled_columns > 0 ? tile_columns(plan, item, count, values) : status;
}

/* ---- Writing */

static oclm_status pad(core_output *output, uint64_t bytes)
{
    static const char zeros[CORE_GGUF_ALIGNMENT];
    const size_t      over = (size_t)(bytes % CORE_GGUF_ALIGNMENT);
    return over > 0 ? core_output_add(output, zeros, CORE_GGUF_ALIGNMENT - over) : OCLM_OK;
}

static oclm_status write_item(const model_export *plan, core_output *output, const model_export_item *item)
{
    const uint64_t at_once = ckpt_rows_at_once(item->columns), most = at_once < item->rows ? at_once : item->rows;
    oclm_status    status = OCLM_OK;
    size_t         all;
    if (!core_mul_size((size_t)most, (size_t)item->columns, &all))
        return core_fail_memory(SIZE_MAX, "rows of a tensor");
    float   *const values = core_alloc_array(all, sizeof *values, "rows of a tensor");
    uint8_t *const blocks = core_alloc(ckpt_block_bytes(item->type, all), "rows of a tensor");
    if (values == NULL || blocks == NULL)
        status = OCLM_ERR_MEMORY;
    for (uint64_t row = 0; row < item->rows && status == OCLM_OK; row += most) {
        const uint64_t count = item->rows - row < most ? item->rows - row : most;
        if ((status = read_rows(plan, item, row, count, values)) != OCLM_OK)
            break;
        ckpt_blocks_write(item->type, values, (size_t)(count * item->columns), blocks);
        status = core_output_add(output, blocks, ckpt_block_bytes(item->type, (size_t)(count * item->columns)));
    }
    core_free(values);
    core_free(blocks);
    return status == OCLM_OK ? pad(output, bytes_of(item)) : status;
}

static oclm_status write_factors(const model_export *plan, core_output *output, const float *factors)
{
    const size_t bytes = (size_t)factor_count(plan) * sizeof(float);
    uint8_t     *blocks = core_alloc(bytes, "factors of rotary positions");
    if (blocks == NULL)
        return OCLM_ERR_MEMORY;
    ckpt_blocks_write(CKPT_GGML_F32, factors, (size_t)factor_count(plan), blocks);
    const oclm_status status = core_output_add(output, blocks, bytes);
    core_free(blocks);
    return status == OCLM_OK ? pad(output, bytes) : status;
}

oclm_status model_export_check(const model_export *plan, core_output *output, uint64_t bytes)
{
    oclm_status status = OCLM_OK;
    for (size_t i = 0; i < COUNT(plan->factors) && status == OCLM_OK; i++)
        status = plan->factors[i] != NULL ? write_factors(plan, output, plan->factors[i]) : OCLM_OK;
    if (status == OCLM_OK)
        status = core_output_lengthen(output, bytes);
    return status == OCLM_OK ? model_export_same(plan, core_output_path(output)) : status;
}

/* For each tensor that an item is made of. */
static void visit_pieces(const model_export *plan, const model_export_item *item, void (*visit)(const ckpt_checkpoint *checkpoint, const ckpt_tensor *tensor))
{
    const model_bound first = model_bound_tensor(&plan->model.binding, item->role, item->layer);
    for (uint32_t i = 0; i < first.pieces; i++)
        visit(plan->model.checkpoint, model_bound_piece(&plan->model.binding, item->role, item->layer, i).tensor);
}

/* Is the item after this one made of the same tensors? Then their pages stay in memory. */
static bool is_read_again(const model_export *plan, size_t i)
{
    return i + 1 < plan->item_count && plan->items[i + 1].role == plan->items[i].role && plan->items[i + 1].layer == plan->items[i].layer;
}

oclm_status model_export_data(const model_export *plan, core_output *output, oclm_progress_callback progress, void *user)
{
    uint64_t    done = 0, total = 0;
    oclm_status status = OCLM_OK;
    for (size_t i = 0; i < plan->item_count; i++)
        total += bytes_of(&plan->items[i]);
    for (size_t i = 0; i < plan->item_count && status == OCLM_OK; i++) {
        const model_export_item *item = &plan->items[i];
        if (progress != NULL && !progress("quantising", done, total, user))
            return core_fail(OCLM_ERR_CANCELLED, "quantising was cancelled; nothing was written");
        visit_pieces(plan, item, ckpt_will_need);
        status = write_item(plan, output, item);
        if (!is_read_again(plan, i))
            visit_pieces(plan, item, ckpt_release);
        done += bytes_of(item);
    }
    if (status == OCLM_OK && progress != NULL)
        (void)progress("quantising", total, total, user);
    return status;
}
