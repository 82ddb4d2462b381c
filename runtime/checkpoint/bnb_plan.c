/* bnb_plan.c: which tensors are quantised, and what is written for each.
 *
 * transformers replaces the nn.Linear modules that "llm_int8_skip_modules" does not list. From names alone a linear layer cannot be told from
 * something else, so those in use for attention and MLP are quantised, and every other module is listed. */
#include "checkpoint/bnb_plan.h"

#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/memory.h"

#define SHARD_BYTES 5000000000u

/* ---- What is quantised */

static bool is_linear_name(const char *module, size_t length)
{
    static const char *const names[] = { "q_proj", "k_proj", "v_proj", "o_proj", "out_proj", "qkv_proj", "gate_proj", "up_proj", "down_proj", "gate_up_proj",
                                         "fc1", "fc2", "fc_in", "fc_out", "dense", "dense_h_to_4h", "dense_4h_to_h", "query_key_value", "c_attn", "c_proj",
                                         "c_fc", "Wqkv", "wqkv", "wo", "w1", "w2", "w3" };
    for (size_t i = 0; i < COUNT(names); i++) {
        if (core_is_word(module, length, names[i]))
            return true;
    }
    return false;
}

static bool is_linear(const ckpt_tensor *tensor)
{
    const char *tail = strrchr(tensor->name, '.'), *module = tail;
    if (tensor->dims != 2 || tensor->dtype > CORE_BF16 || tail == NULL || strcmp(tail, ".weight") != 0 || strstr(tensor->name, "expert") != NULL)
        return false;
    while (module > tensor->name && module[-1] != '.')
        module--;
    return (strstr(tensor->name, "layers.") != NULL || strstr(tensor->name, "h.") != NULL || strstr(tensor->name, "blocks.") != NULL) &&
           is_linear_name(module, (size_t)(tail - module));
}

/* ---- Parts */

static ckpt_bnb_part *new_part(ckpt_bnb_plan *plan)
{
    ckpt_bnb_part *parts = core_grow_array(plan->parts, plan->count, &plan->capacity, 256, sizeof *parts, "a list of tensors");
    if (parts == NULL)
        return NULL;
    plan->parts = parts;
    ckpt_bnb_part *part = &plan->parts[plan->count];
    memset(part, 0, sizeof *part);
    part->order = plan->count++;
    return part;
}

/* A part that is a vector; `stem`: as many bytes of the tensor's name come before `tail`. */
static oclm_status add_part(ckpt_bnb_plan *plan, const ckpt_bnb_part *like, ckpt_bnb_part_kind kind, size_t stem, const char *tail, core_dtype dtype,
                            uint64_t count)
{
    core_text      name = CORE_TEXT_INIT;
    oclm_status    status = core_text_add(&name, like->from->name, stem);
    ckpt_bnb_part *part;
    if (status != OCLM_OK || (status = core_text_add_string(&name, tail)) != OCLM_OK || (part = new_part(plan)) == NULL) {
        core_text_free(&name);
        return OCLM_ERR_MEMORY;
    }
    part->from = like->from;
    part->transposed = like->transposed;
    part->kind = kind;
    part->name = core_text_take(&name, NULL);
    part->dtype = dtype;
    part->dims = 1;
    part->shape[0] = count;
    part->bytes = count * core_dtype_size(dtype);
    return part->name != NULL ? OCLM_OK : OCLM_ERR_MEMORY;
}

static oclm_status add_codes8(ckpt_bnb_plan *plan, const ckpt_bnb_part *like, size_t length, size_t module)
{
    const uint64_t rows = like->from->shape[like->transposed], columns = like->from->shape[!like->transposed];
    oclm_status    status = add_part(plan, like, CKPT_BNB_CODES, length, "", CORE_I8, rows * columns);
    if (status != OCLM_OK)
        return status;
    ckpt_bnb_part *codes = &plan->parts[plan->count - 1];
    codes->dims = 2;
    codes->shape[0] = rows;
    codes->shape[1] = columns;
    if ((status = add_part(plan, like, CKPT_BNB_SCB, module, ".SCB", CORE_F32, rows)) != OCLM_OK ||
        (status = add_part(plan, like, CKPT_BNB_FORMAT, module, ".weight_format", CORE_U8, 1)) != OCLM_OK)
        return status;
    plan->parts[plan->count - 1].dims = 0;
    return OCLM_OK;
}

static oclm_status add_codes4(ckpt_bnb_plan *plan, const ckpt_bnb_part *like, size_t length, const ckpt_bnb_options *options)
{
    const uint64_t blocks = (like->from->elements + CKPT_QUANTIZE_BLOCK - 1) / CKPT_QUANTIZE_BLOCK;
    const uint64_t nested = (blocks + CKPT_QUANTIZE_NESTED_BLOCK - 1) / CKPT_QUANTIZE_NESTED_BLOCK;
    const char    *state = options->kind == CKPT_QUANTIZE_NF4 ? ".quant_state.bitsandbytes__nf4" : ".quant_state.bitsandbytes__fp4";
    oclm_status    status = add_part(plan, like, CKPT_BNB_CODES, length, "", CORE_U8, (like->from->elements + 1) / 2);
    if (status != OCLM_OK)
        return status;
    plan->parts[plan->count - 1].dims = 2; /* [bytes][1] */
    plan->parts[plan->count - 1].shape[1] = 1;
    if ((status = add_part(plan, like, CKPT_BNB_ABSMAX, length, ".absmax", options->nested ? CORE_U8 : CORE_F32, blocks)) != OCLM_OK ||
        (status = add_part(plan, like, CKPT_BNB_MAP, length, ".quant_map", CORE_F32, 16)) != OCLM_OK)
        return status;
    if (options->nested && ((status = add_part(plan, like, CKPT_BNB_NESTED_ABSMAX, length, ".nested_absmax", CORE_F32, nested)) != OCLM_OK ||
                            (status = add_part(plan, like, CKPT_BNB_NESTED_MAP, length, ".nested_quant_map", CORE_F32, 256)) != OCLM_OK))
        return status;
    return add_part(plan, like, CKPT_BNB_STATE, length, state, CORE_U8, CKPT_BNB_STATE_BYTES);
}

static oclm_status add_plain(ckpt_bnb_plan *plan, const ckpt_bnb_part *like)
{
    const ckpt_tensor *from = like->from;
    const oclm_status  status = add_part(plan, like, CKPT_BNB_AS_IS, strlen(from->name), "", from->dtype, from->elements);
    if (status == OCLM_OK) {
        ckpt_bnb_part *part = &plan->parts[plan->count - 1];
        part->dims = from->dims;
        memcpy(part->shape, from->shape, sizeof part->shape);
        part->bytes = from->bytes;
    }
    return status;
}

/* A module that stays as it is; experts by the list that holds them. */
static oclm_status skip_module(ckpt_bnb_plan *plan, const char *name)
{
    const char *experts = strstr(name, ".experts.");
    const char *tail = experts != NULL ? experts + strlen(".experts") : strrchr(name, '.');
    const size_t length = tail != NULL ? (size_t)(tail - name) : strlen(name);
    oclm_status  status;
    if (plan->last_skipped.data != NULL && core_is_word(name, length, plan->last_skipped.data))
        return OCLM_OK;
    core_text_clear(&plan->last_skipped);
    if ((status = core_text_add(&plan->last_skipped, name, length)) != OCLM_OK || (status = core_text_add_string(&plan->skipped, ", ")) != OCLM_OK)
        return status;
    return core_json_add_string(&plan->skipped, name, length);
}

static oclm_status plan_tensor(ckpt_bnb_plan *plan, const ckpt_tensor *tensor, const ckpt_bnb_options *options, bool conv1d)
{
    const size_t        length = strlen(tensor->name);
    const ckpt_bnb_part like = { .from = tensor, .transposed = conv1d };
    if (is_linear(tensor)) {
        plan->quantized++;
        return options->kind == CKPT_QUANTIZE_INT8 ? add_codes8(plan, &like, length, length - strlen(".weight")) : add_codes4(plan, &like, length, options);
    }
    const oclm_status status = add_plain(plan, &like);
    return status == OCLM_OK && tensor->dims >= 2 ? skip_module(plan, tensor->name) : status;
}

/* Within a file: numbers must lie at multiples of their size. */
static int compare(const void *a, const void *b)
{
    const ckpt_bnb_part *x = a, *y = b;
    const bool           odd_x = x->bytes % 8 != 0, odd_y = y->bytes % 8 != 0;
    if (x->shard != y->shard)
        return x->shard < y->shard ? -1 : 1;
    if (odd_x != odd_y)
        return odd_x ? 1 : -1;
    if (odd_x && core_dtype_size(x->dtype) != core_dtype_size(y->dtype))
        return core_dtype_size(x->dtype) > core_dtype_size(y->dtype) ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

oclm_status ckpt_bnb_plan_make(const ckpt_checkpoint *checkpoint, const ckpt_bnb_options *options, bool conv1d, ckpt_bnb_plan *plan)
{
    uint64_t    shard_bytes = 0;
    oclm_status status;
    memset(plan, 0, sizeof *plan);
    status = core_text_add_string(&plan->skipped, "\"lm_head\"");
    for (size_t i = 0; i < ckpt_count(checkpoint) && status == OCLM_OK; i++) {
        const size_t first = plan->count;
        uint64_t     bytes = 0;
        status = plan_tensor(plan, ckpt_at(checkpoint, i), options, conv1d);
        for (size_t k = first; k < plan->count; k++)
            bytes += plan->parts[k].bytes;
        if (shard_bytes > 0 && shard_bytes + bytes > SHARD_BYTES) {
            plan->shards++;
            shard_bytes = 0;
        }
        shard_bytes += bytes;
        for (size_t k = first; k < plan->count; k++)
            plan->parts[k].shard = plan->shards;
    }
    plan->shards++;
    if (status == OCLM_OK && plan->quantized == 0)
        status = core_fail(OCLM_ERR_UNSUPPORTED, "none of the %zu tensors is a matrix of attention or MLP by a name that oclm knows: nothing is left to quantise",
                           ckpt_count(checkpoint));
    if (status == OCLM_OK)
        qsort(plan->parts, plan->count, sizeof *plan->parts, compare);
    return status;
}

void ckpt_bnb_plan_free(ckpt_bnb_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        core_free(plan->parts[i].name);
    core_free(plan->parts);
    core_text_free(&plan->skipped);
    core_text_free(&plan->last_skipped);
}
