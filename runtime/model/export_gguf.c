/* export_gguf.c: the tensors of a GGUF file: planned, listed, written. */
#include "model/export_gguf.h"

#include <inttypes.h>
#include <string.h>

#include "checkpoint/blocks_write.h"
#include "checkpoint/rows.h"
#include "core/memory.h"
#include "model/export_plan.h"

/* ---- Planning */

static oclm_status unknown_kind(const char *origin, const char *model_type)
{
    core_text   names = CORE_TEXT_INIT;
    oclm_status status = OCLM_OK;
    for (size_t i = 0; model_export_kind_at(i) != NULL && status == OCLM_OK; i++)
        status = core_text_printf(&names, "%s%s", i > 0 ? ", " : "", model_export_kind_at(i)->model_type);
    if (status == OCLM_OK)
        status = core_fail(OCLM_ERR_UNSUPPORTED, "%s: \"model_type\" is \"%s\"; oclm writes GGUF files of %s: quantise to nf4, fp4 or int8 instead", origin,
                           model_type, names.data);
    core_text_free(&names);
    return status;
}

static bool is_tied(const model_export *plan)
{
    bool tied = plan->kind->gpt2 || plan->kind->norms_plus_one; /* where the file is silent */
    (void)core_json_get_bool(plan->config, "tie_word_embeddings", plan->origin, &tied);
    return tied;
}

/* Of what type a tensor is written: vectors and tables of positions stay whole. */
static uint32_t type_of(const model_export *plan, const model_export_item *item, uint32_t dims)
{
    if (dims < 2 || strncmp(item->name, "position_embd", 13) == 0)
        return CKPT_GGML_F32;
    return item->columns % ckpt_block_values(plan->type) == 0 ? plan->type : CKPT_GGML_F16;
}

static oclm_status plan_tensor(model_export *plan, const ckpt_tensor *tensor, bool tied)
{
    model_export_item       *item = &plan->items[plan->item_count];
    const model_export_place place = model_export_name_of(plan->kind, tensor->name, item->name, &item->change);
    if (place == MODEL_EXPORT_IGNORED)
        return OCLM_OK;
    if (place == MODEL_EXPORT_UNKNOWN || tensor->dims < 1 || tensor->dims > 2)
        return core_fail(OCLM_ERR_UNSUPPORTED, "%s: tensor \"%s\" has no place in a GGUF file of architecture \"%s\"", ckpt_file_name(plan->checkpoint, tensor->file),
                         tensor->name, plan->kind->architecture);
    if (tied && strcmp(item->name, "output.weight") == 0)
        return OCLM_OK;
    const bool turned = item->change == MODEL_EXPORT_TRANSPOSED && tensor->dims == 2;
    if (item->change == MODEL_EXPORT_TRANSPOSED && !turned)
        item->change = MODEL_EXPORT_AS_IS;
    item->from = tensor;
    item->rows = tensor->dims == 2 ? tensor->shape[turned] : 1;
    item->columns = tensor->dims == 2 ? tensor->shape[!turned] : tensor->shape[0];
    item->type = type_of(plan, item, tensor->dims);
    if (strcmp(item->name, "token_embd.weight") == 0)
        plan->tokens = item->rows;
    plan->item_count++;
    return OCLM_OK;
}

/* llama.cpp's LLAMA_FTYPE_MOSTLY_ of a type. */
static uint32_t file_type_of(uint32_t type)
{
    static const uint32_t types[][2] = { { CKPT_GGML_Q4_0, 2 }, { CKPT_GGML_Q4_1, 3 }, { CKPT_GGML_Q8_0, 7 }, { CKPT_GGML_Q5_0, 8 }, { CKPT_GGML_Q5_1, 9 },
                                         { CKPT_GGML_F16, 1 }, { CKPT_GGML_F32, 0 } };
    size_t i = 0;
    while (types[i][0] != type)
        i++;
    return types[i][1];
}

static oclm_status make_plan(model_export *plan)
{
    const char *model_type = "";
    oclm_status status = core_json_get_string(plan->config, "model_type", plan->origin, &model_type);
    if (status != OCLM_OK)
        return status;
    if ((plan->kind = model_export_kind_of(model_type)) == NULL)
        return unknown_kind(plan->origin, model_type);
    const size_t count = ckpt_count(plan->checkpoint);
    const bool   tied = is_tied(plan);
    if ((plan->items = core_alloc_zero(count, sizeof *plan->items, "a list of tensors")) == NULL)
        return OCLM_ERR_MEMORY;
    for (size_t i = 0; i < count && status == OCLM_OK; i++)
        status = plan_tensor(plan, ckpt_at(plan->checkpoint, i), tied);
    if (status == OCLM_OK && plan->tokens == 0)
        status = core_fail(OCLM_ERR_FORMAT, "%s: the checkpoint has no embedding of tokens", plan->origin);
    return status;
}

oclm_status model_export_new(const ckpt_checkpoint *checkpoint, const cJSON *config, const char *origin, uint32_t type, model_export **plan)
{
    model_export *made = core_alloc_zero(1, sizeof *made, "a plan of a file");
    oclm_status   status;
    *plan = NULL;
    if (made == NULL)
        return OCLM_ERR_MEMORY;
    made->checkpoint = checkpoint;
    made->config = config;
    made->origin = origin;
    made->type = type;
    made->file_type = file_type_of(type);
    if ((status = make_plan(made)) == OCLM_OK)
        *plan = made;
    else
        model_export_free(made);
    return status;
}

void model_export_free(model_export *plan)
{
    if (plan == NULL)
        return;
    core_free(plan->items);
    core_free(plan->factors);
    core_free(plan);
}

uint64_t model_export_tokens(const model_export *plan)
{
    return plan->tokens;
}

/* ---- Listing */

static uint64_t bytes_of(const model_export_item *item)
{
    return item->rows * ckpt_block_bytes(item->type, (size_t)item->columns);
}

static oclm_status check_heads(const model_export *plan, const model_export_item *item)
{
    const uint32_t heads = item->change == MODEL_EXPORT_Q_HALVES ? plan->heads : plan->kv_heads;
    const uint64_t rows = item->from->shape[0];
    if (!plan->kind->halves || (item->change != MODEL_EXPORT_Q_HALVES && item->change != MODEL_EXPORT_K_HALVES) || (heads > 0 && rows % (2 * (uint64_t)heads) == 0))
        return OCLM_OK;
    return core_fail(OCLM_ERR_FORMAT, "tensor \"%s\" has %" PRIu64 " rows, which are no %" PRIu32 " heads of two halves, as %s tells", item->from->name, rows, heads,
                     plan->origin);
}

oclm_status model_export_head(model_export *plan, core_gguf_writer *writer)
{
    oclm_status status = model_export_config(plan, writer);
    for (size_t i = 0; i < plan->item_count && status == OCLM_OK; i++) {
        const model_export_item *item = &plan->items[i];
        const uint64_t           shape[2] = { item->rows, item->columns };
        const bool               vector = item->from->dims == 1;
        if ((status = check_heads(plan, item)) == OCLM_OK)
            core_gguf_put_tensor(writer, item->name, vector ? shape + 1 : shape, vector ? 1 : 2, item->type, bytes_of(item));
    }
    if (plan->factors != NULL) {
        const uint64_t shape[1] = { plan->factor_count };
        core_gguf_put_tensor(writer, "rope_freqs.weight", shape, 1, CKPT_GGML_F32, plan->factor_count * sizeof(float));
    }
    return status == OCLM_OK ? writer->status : status;
}

/* ---- Writing */

typedef struct writing {
    const model_export *plan;
    core_output        *output;
    float              *values; /* [at once][columns] */
    uint8_t            *blocks;
} writing;

/* The file's row of a head holds neighbours where the checkpoint's holds halves. */
static uint64_t source_row(uint64_t row, uint64_t head)
{
    const uint64_t within = row % head;
    return row - within + within % 2 * (head / 2) + within / 2;
}

/* How long a head is whose halves move; 0: none does. */
static uint64_t head_of(const model_export *plan, const model_export_item *item)
{
    if (!plan->kind->halves || (item->change != MODEL_EXPORT_Q_HALVES && item->change != MODEL_EXPORT_K_HALVES))
        return 0;
    return item->from->shape[0] / (item->change == MODEL_EXPORT_Q_HALVES ? plan->heads : plan->kv_heads);
}

static oclm_status read_vector(const writing *w, const model_export_item *item)
{
    const uint64_t head = head_of(w->plan, item);
    const uint64_t count = item->columns;
    oclm_status    status;
    if (head == 0) {
        status = ckpt_read_rows(item->from, false, 1, count, 0, 1, w->values);
    } else {
        status = OCLM_OK;
        for (uint64_t i = 0; i < count && status == OCLM_OK; i++)
            status = ckpt_read_rows(item->from, false, count, 1, source_row(i, head), 1, w->values + i);
    }
    for (uint64_t i = 0; i < count && item->change == MODEL_EXPORT_NORM && w->plan->kind->norms_plus_one; i++)
        w->values[i] += 1.0f;
    return status;
}

static oclm_status read_rows(const writing *w, const model_export_item *item, uint64_t first, uint64_t count)
{
    const uint64_t head = head_of(w->plan, item);
    if (item->from->dims == 1)
        return read_vector(w, item);
    if (head == 0)
        return ckpt_read_rows(item->from, item->change == MODEL_EXPORT_TRANSPOSED, item->rows, item->columns, first, count, w->values);
    oclm_status status = OCLM_OK;
    for (uint64_t i = 0; i < count && status == OCLM_OK; i++)
        status = ckpt_read_rows(item->from, false, item->rows, item->columns, source_row(first + i, head), 1, w->values + i * item->columns);
    return status;
}

static oclm_status pad(core_output *output, uint64_t bytes)
{
    static const char zeros[CORE_GGUF_ALIGNMENT];
    const size_t      over = (size_t)(bytes % CORE_GGUF_ALIGNMENT);
    return over > 0 ? core_output_add(output, zeros, CORE_GGUF_ALIGNMENT - over) : OCLM_OK;
}

static oclm_status write_item(writing *w, const model_export_item *item)
{
    const uint64_t at_once = ckpt_rows_at_once(item->columns), most = at_once < item->rows ? at_once : item->rows;
    oclm_status    status = OCLM_OK;
    size_t         values;
    if (!core_mul_size((size_t)most, (size_t)item->columns, &values))
        return core_fail_memory(SIZE_MAX, "rows of a tensor");
    w->values = core_alloc_array(values, sizeof *w->values, "rows of a tensor");
    w->blocks = core_alloc(ckpt_block_bytes(item->type, values), "rows of a tensor");
    if (w->values == NULL || w->blocks == NULL)
        status = OCLM_ERR_MEMORY;
    for (uint64_t row = 0; row < item->rows && status == OCLM_OK; row += most) {
        const uint64_t count = item->rows - row < most ? item->rows - row : most;
        if ((status = read_rows(w, item, row, count)) != OCLM_OK)
            break;
        ckpt_blocks_write(item->type, w->values, (size_t)(count * item->columns), w->blocks);
        status = core_output_add(w->output, w->blocks, ckpt_block_bytes(item->type, (size_t)(count * item->columns)));
    }
    core_free(w->values);
    core_free(w->blocks);
    return status == OCLM_OK ? pad(w->output, bytes_of(item)) : status;
}

static oclm_status write_factors(const model_export *plan, core_output *output)
{
    const size_t bytes = plan->factor_count * sizeof(float);
    uint8_t     *blocks = core_alloc(bytes, "factors of rotary positions");
    if (blocks == NULL)
        return OCLM_ERR_MEMORY;
    ckpt_blocks_write(CKPT_GGML_F32, plan->factors, plan->factor_count, blocks);
    const oclm_status status = core_output_add(output, blocks, bytes);
    core_free(blocks);
    return status == OCLM_OK ? pad(output, bytes) : status;
}

oclm_status model_export_data(const model_export *plan, core_output *output, oclm_progress_callback progress, void *user)
{
    writing     w = { plan, output, NULL, NULL };
    uint64_t    done = 0, total = 0;
    oclm_status status = OCLM_OK;
    for (size_t i = 0; i < plan->item_count; i++)
        total += plan->items[i].from->bytes;
    for (size_t i = 0; i < plan->item_count && status == OCLM_OK; i++) {
        const ckpt_tensor *from = plan->items[i].from;
        if (progress != NULL && !progress("quantising", done, total, user))
            return core_fail(OCLM_ERR_CANCELLED, "quantising was cancelled; nothing was written");
        ckpt_will_need(plan->checkpoint, from);
        status = write_item(&w, &plan->items[i]);
        ckpt_release(plan->checkpoint, from);
        done += from->bytes;
    }
    if (status == OCLM_OK && progress != NULL)
        (void)progress("quantising", total, total, user);
    return status == OCLM_OK && plan->factors != NULL ? write_factors(plan, output) : status;
}
