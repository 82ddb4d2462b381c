/* bnb_write.c: a folder for bitsandbytes: written under another name beside it, then renamed. */
#include "checkpoint/bnb_write.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "checkpoint/bnb_plan.h"
#include "checkpoint/rows.h"
#include "core/dir.h"
#include "core/json.h"
#include "core/map.h"
#include "core/memory.h"
#include "core/platform.h"

/* What quantising a tensor leaves for the parts behind its codes. */
typedef struct kept {
    const ckpt_tensor *of;
    float             *absmax; /* [blocks] or [rows] */
    uint8_t           *bytes;  /* nested: [blocks] */
    float             *nested;
    float              offset;
} kept;

typedef struct writing {
    const ckpt_checkpoint  *checkpoint;
    const char             *folder;
    const ckpt_bnb_options *options;
    ckpt_bnb_plan           plan;
    core_dir               *to;
    core_file              *file; /* being written */
    kept                    kept;
    uint64_t                done, total;
} writing;

static void drop_kept(kept *k)
{
    core_free(k->absmax);
    core_free(k->bytes);
    core_free(k->nested);
    memset(k, 0, sizeof *k);
}

/* ---- Quantising */

static oclm_status put(writing *w, const void *data, uint64_t bytes)
{
    return w->file != NULL ? core_file_write(w->file, data, (size_t)bytes) : OCLM_OK;
}

static oclm_status quantize4(writing *w, const float *values, uint64_t count, uint64_t first_block, uint8_t *codes)
{
    for (uint64_t i = 0; i < count; i += CKPT_QUANTIZE_BLOCK) {
        const uint64_t left = count - i;
        ckpt_quantize_block4(w->options->kind, values + i, (size_t)(left < CKPT_QUANTIZE_BLOCK ? left : CKPT_QUANTIZE_BLOCK),
                             &w->kept.absmax[first_block + i / CKPT_QUANTIZE_BLOCK], codes + i);
    }
    if (count % 2 != 0)
        codes[count] = 0;
    for (uint64_t i = 0; i < (count + 1) / 2; i++) /* the even one in the high half */
        codes[i] = (uint8_t)(codes[2 * i] << 4 | codes[2 * i + 1]);
    return put(w, codes, (count + 1) / 2);
}

static oclm_status quantize8(writing *w, const float *values, uint64_t rows, uint64_t columns, uint64_t first, uint8_t *codes)
{
    for (uint64_t r = 0; r < rows; r++)
        ckpt_quantize_row8(values + r * columns, (size_t)columns, &w->kept.absmax[first + r], (int8_t *)codes + r * columns);
    return put(w, codes, rows * columns);
}

/* Of a tensor whose absmax are known, in 8 bits. */
static oclm_status nest(writing *w, uint64_t blocks)
{
    kept *k = &w->kept;
    k->bytes = core_alloc_array((size_t)blocks, 1, "scales of a tensor");
    k->nested = core_alloc_array((size_t)((blocks + CKPT_QUANTIZE_NESTED_BLOCK - 1) / CKPT_QUANTIZE_NESTED_BLOCK), sizeof *k->nested, "scales of a tensor");
    if (k->bytes == NULL || k->nested == NULL)
        return OCLM_ERR_MEMORY;
    ckpt_quantize_absmax(k->absmax, (size_t)blocks, k->bytes, k->nested, &k->offset);
    return OCLM_OK;
}

/* Writes a tensor's codes to the open file, if there is one, and keeps its scales. */
static oclm_status quantize(writing *w, const ckpt_bnb_part *part)
{
    const ckpt_tensor *from = part->from;
    const bool         eight = w->options->kind == CKPT_QUANTIZE_INT8;
    const uint64_t     rows = from->shape[part->transposed], columns = from->shape[!part->transposed];
    const uint64_t     blocks = eight ? rows : (from->elements + CKPT_QUANTIZE_BLOCK - 1) / CKPT_QUANTIZE_BLOCK;
    const uint64_t     wanted = ckpt_rows_at_once(columns) / CKPT_QUANTIZE_BLOCK * CKPT_QUANTIZE_BLOCK; /* so that whole blocks come together */
    const uint64_t     at_once = wanted > 0 ? wanted : CKPT_QUANTIZE_BLOCK, most = at_once < rows ? at_once : rows;
    size_t             count;
    oclm_status        status = OCLM_OK;
    if (!core_mul_size((size_t)most, (size_t)columns, &count))
        return core_fail_memory(SIZE_MAX, "rows of a tensor");
    drop_kept(&w->kept);
    w->kept.absmax = core_alloc_array((size_t)blocks, sizeof *w->kept.absmax, "scales of a tensor");
    float   *values = core_alloc_array(count, sizeof *values, "rows of a tensor");
    uint8_t *codes = core_alloc_array(count + 1, 1, "codes of a tensor");
    if (w->kept.absmax == NULL || values == NULL || codes == NULL)
        status = OCLM_ERR_MEMORY;
    for (uint64_t row = 0; row < rows && status == OCLM_OK; row += most) {
        const uint64_t now = rows - row < most ? rows - row : most;
        if ((status = ckpt_read_rows(from, part->transposed, rows, columns, row, now, values)) == OCLM_OK)
            status = eight ? quantize8(w, values, now, columns, row, codes)
                           : quantize4(w, values, now * columns, row * columns / CKPT_QUANTIZE_BLOCK, codes);
    }
    core_free(values);
    core_free(codes);
    if (status == OCLM_OK && w->options->nested && !eight)
        status = nest(w, blocks);
    w->kept.of = status == OCLM_OK ? from : NULL;
    return status;
}

/* ---- Parts */

static oclm_status put_state(writing *w, const ckpt_bnb_part *part)
{
    const ckpt_tensor *from = part->from;
    const char        *dtype = core_dtype_long_name(core_dtype_public(from->dtype));
    core_text          json = CORE_TEXT_INIT;
    oclm_status status = core_text_printf(&json, "{\"quant_type\": \"%s\", \"blocksize\": %u, \"dtype\": \"%s\", \"shape\": [%" PRIu64 ", %" PRIu64 "]",
                                          w->options->kind == CKPT_QUANTIZE_NF4 ? "nf4" : "fp4", CKPT_QUANTIZE_BLOCK, dtype,
                                          from->shape[part->transposed], from->shape[!part->transposed]);
    if (status == OCLM_OK && w->options->nested)
        status = core_text_printf(&json, ", \"nested_blocksize\": %u, \"nested_dtype\": \"float32\", \"nested_offset\": %.17g", CKPT_QUANTIZE_NESTED_BLOCK,
                                  (double)w->kept.offset);
    if (status == OCLM_OK)
        status = core_text_printf(&json, "}%*s", CKPT_BNB_STATE_BYTES, "");
    if (status == OCLM_OK)
        status = put(w, json.data, CKPT_BNB_STATE_BYTES);
    core_text_free(&json);
    return status;
}

static oclm_status put_part(writing *w, const ckpt_bnb_part *part)
{
    const core_table table = w->options->kind == CKPT_QUANTIZE_NF4 ? CORE_TABLE_NF4 : CORE_TABLE_FP4;
    if (part->kind == CKPT_BNB_AS_IS)
        return put(w, part->from->data, part->bytes);
    if (part->kind == CKPT_BNB_FORMAT)
        return put(w, "", 1);
    if (part->kind == CKPT_BNB_CODES)
        return quantize(w, part);
    if (part->kind == CKPT_BNB_MAP)
        return put(w, core_storage_table(table), part->bytes);
    if (part->kind == CKPT_BNB_NESTED_MAP)
        return put(w, ckpt_dynamic_map(), part->bytes);
    if (w->kept.of != part->from) { /* a part of odd length, which lies away from the codes: once more, without writing */
        core_file *const file = w->file;
        w->file = NULL;
        const oclm_status status = quantize(w, part);
        w->file = file;
        if (status != OCLM_OK)
            return status;
    }
    switch (part->kind) {
    case CKPT_BNB_STATE: return put_state(w, part);
    case CKPT_BNB_NESTED_ABSMAX: return put(w, w->kept.nested, part->bytes);
    case CKPT_BNB_ABSMAX: return w->options->nested ? put(w, w->kept.bytes, part->bytes) : put(w, w->kept.absmax, part->bytes);
    default: return put(w, w->kept.absmax, part->bytes); /* SCB */
    }
}

/* ---- Files */

static oclm_status end_file(writing *w, oclm_status status)
{
    if (status == OCLM_OK)
        status = core_file_sync(w->file);
    const oclm_status closed = core_file_close(w->file);
    w->file = NULL;
    return status == OCLM_OK ? closed : status;
}

static oclm_status put_file(writing *w, const char *name, const void *data, size_t length)
{
    const oclm_status status = core_file_create(w->to, name, &w->file);
    return status == OCLM_OK ? end_file(w, core_file_write(w->file, data, length)) : status;
}

static void shard_name(const writing *w, uint32_t shard, char into[64])
{
    if (w->plan.shards == 1)
        (void)snprintf(into, 64, "model.safetensors");
    else
        (void)snprintf(into, 64, "model-%05" PRIu32 "-of-%05" PRIu32 ".safetensors", shard + 1, w->plan.shards);
}

static oclm_status add_entry(core_text *head, const ckpt_bnb_part *part, uint64_t begin)
{
    oclm_status status;
    if ((status = core_text_add_string(head, ", ")) != OCLM_OK || (status = core_json_add_string(head, part->name, strlen(part->name))) != OCLM_OK ||
        (status = core_text_printf(head, ": {\"dtype\": \"%s\", \"shape\": [", core_dtype_name(part->dtype))) != OCLM_OK)
        return status;
    for (uint32_t i = 0; i < part->dims && status == OCLM_OK; i++)
        status = core_text_printf(head, "%s%" PRIu64, i > 0 ? ", " : "", part->shape[i]);
    return status == OCLM_OK ? core_text_printf(head, "], \"data_offsets\": [%" PRIu64 ", %" PRIu64 "]}", begin, begin + part->bytes) : status;
}

/* The length of the header, then the header, so that data begins at a multiple of 8. */
static oclm_status put_head(writing *w, const ckpt_bnb_part *parts, size_t count)
{
    core_text   head = CORE_TEXT_INIT;
    char        length[8];
    uint64_t    at = 0;
    oclm_status status = core_text_add_string(&head, "{\"__metadata__\": {\"format\": \"pt\"}");
    for (size_t i = 0; i < count && status == OCLM_OK; at += parts[i++].bytes)
        status = add_entry(&head, &parts[i], at);
    if (status == OCLM_OK)
        status = core_text_add_char(&head, '}');
    while (status == OCLM_OK && head.length % 8 != 0)
        status = core_text_add_char(&head, ' ');
    for (size_t i = 0; i < 8; i++)
        length[i] = (char)(unsigned char)((uint64_t)head.length >> 8 * i);
    if (status == OCLM_OK && (status = put(w, length, 8)) == OCLM_OK)
        status = put(w, head.data, head.length);
    core_text_free(&head);
    return status;
}

static oclm_status put_parts(writing *w, const ckpt_bnb_part *parts, size_t count)
{
    oclm_status status = put_head(w, parts, count);
    for (size_t i = 0; i < count && status == OCLM_OK; i++) {
        const bool whole = parts[i].kind == CKPT_BNB_AS_IS || parts[i].kind == CKPT_BNB_CODES;
        if (whole && w->options->progress != NULL && !w->options->progress("quantising", w->done, w->total, w->options->user))
            return core_fail(OCLM_ERR_CANCELLED, "quantising was cancelled; nothing was written");
        if (whole)
            ckpt_will_need(w->checkpoint, parts[i].from);
        status = put_part(w, &parts[i]);
        if (whole) {
            ckpt_release(w->checkpoint, parts[i].from);
            w->done += parts[i].from->bytes;
        }
    }
    return status;
}

static oclm_status put_weights(writing *w)
{
    const ckpt_bnb_plan *plan = &w->plan;
    oclm_status          status = OCLM_OK;
    for (size_t first = 0, count; first < plan->count && status == OCLM_OK; first += count) {
        char name[64];
        for (count = 0; first + count < plan->count && plan->parts[first + count].shard == plan->parts[first].shard; count++)
            ;
        shard_name(w, plan->parts[first].shard, name);
        if ((status = core_file_create(w->to, name, &w->file)) == OCLM_OK)
            status = end_file(w, put_parts(w, plan->parts + first, count));
    }
    if (status == OCLM_OK && w->options->progress != NULL)
        (void)w->options->progress("quantising", w->total, w->total, w->options->user);
    return status;
}

static oclm_status put_index(writing *w)
{
    core_text   json = CORE_TEXT_INIT;
    uint64_t    total = 0;
    oclm_status status = OCLM_OK;
    if (w->plan.shards == 1)
        return OCLM_OK;
    for (size_t i = 0; i < w->plan.count; i++)
        total += w->plan.parts[i].bytes;
    status = core_text_printf(&json, "{\"metadata\": {\"total_size\": %" PRIu64 "}, \"weight_map\": {", total);
    for (size_t i = 0; i < w->plan.count && status == OCLM_OK; i++) {
        char name[64];
        shard_name(w, w->plan.parts[i].shard, name);
        if ((status = core_text_add_string(&json, i > 0 ? ",\n" : "\n")) == OCLM_OK &&
            (status = core_json_add_string(&json, w->plan.parts[i].name, strlen(w->plan.parts[i].name))) == OCLM_OK)
            status = core_text_printf(&json, ": \"%s\"", name);
    }
    if (status == OCLM_OK && (status = core_text_add_string(&json, "}}\n")) == OCLM_OK)
        status = put_file(w, "model.safetensors.index.json", json.data, json.length);
    core_text_free(&json);
    return status;
}

/* ---- config.json and the rest of the folder */

/* Put in front, so that what stands there keeps its bytes: numbers written by another library could change their type. */
static oclm_status put_config(writing *w, const char *text)
{
    const char *brace = strchr(text, '{');
    const bool  four = w->options->kind != CKPT_QUANTIZE_INT8;
    core_text   json = CORE_TEXT_INIT;
    oclm_status status = core_text_printf(
        &json,
        "{\n  \"quantization_config\": {\"quant_method\": \"bitsandbytes\", \"load_in_4bit\": %s, \"load_in_8bit\": %s, \"_load_in_4bit\": %s, \"_load_in_8bit\": %s,\n"
        "    \"bnb_4bit_quant_type\": \"%s\", \"bnb_4bit_use_double_quant\": %s, \"bnb_4bit_compute_dtype\": \"%s\", \"bnb_4bit_quant_storage\": \"uint8\",\n"
        "    \"llm_int8_threshold\": 6.0, \"llm_int8_enable_fp32_cpu_offload\": false, \"llm_int8_has_fp16_weight\": false,\n"
        "    \"llm_int8_skip_modules\": [%s]},\n",
        four ? "true" : "false", four ? "false" : "true", four ? "true" : "false", four ? "false" : "true", w->options->kind == CKPT_QUANTIZE_NF4 ? "nf4" : "fp4",
        w->options->nested ? "true" : "false", core_dtype_long_name(core_dtype_public(ckpt_dtype(w->checkpoint))), w->plan.skipped.data);
    if (status == OCLM_OK && (status = core_text_add_string(&json, brace + 1)) == OCLM_OK)
        status = put_file(w, "config.json", json.data, json.length);
    core_text_free(&json);
    return status;
}

typedef struct copying {
    writing    *w;
    oclm_status status;
} copying;

/* Whatever belongs to the model but is no weight and no configuration of them. */
static bool is_copied(const char *name)
{
    static const char *const others[] = { ".*", "config.json", "*.safetensors", "*.safetensors.index*.json", "*.bin", "*.bin.index.json", "*.pt", "*.pth", "*.gguf", "*.h5",
                                          "*.msgpack", "*.onnx", "*.ot", "*.tflite", "*.npz" };
    for (size_t i = 0; i < COUNT(others); i++) {
        if (core_name_matches(others[i], name))
            return false;
    }
    return true;
}

static bool copy_file(const char *name, void *user)
{
    copying  *c = user;
    core_text path = CORE_TEXT_INIT;
    core_map  map = CORE_MAP_INIT;
    if (is_copied(name) && (c->status = core_path_join(&path, c->w->folder, name)) == OCLM_OK && core_path_is_file(path.data) &&
        (c->status = core_map_open(&map, path.data)) == OCLM_OK)
        c->status = put_file(c->w, name, map.data != NULL ? map.data : (const unsigned char *)"", map.size);
    core_map_close(&map);
    core_text_free(&path);
    return c->status == OCLM_OK;
}

static oclm_status copy_others(writing *w)
{
    copying           c = { w, OCLM_OK };
    const oclm_status status = core_folder_list(w->folder, copy_file, &c);
    return status == OCLM_OK ? c.status : status;
}

/* ---- All of it */

static oclm_status write_all(writing *w)
{
    core_text   path = CORE_TEXT_INIT;
    char       *text = NULL;
    size_t      length;
    cJSON      *config = NULL;
    const char *model_type = "";
    oclm_status status;
    if ((status = core_path_join(&path, w->folder, "config.json")) != OCLM_OK ||
        (status = core_read_file(path.data, CORE_JSON_MAX_CONFIG, &text, &length)) != OCLM_OK ||
        (status = core_json_parse(text, length, path.data, &config)) != OCLM_OK ||
        (status = core_json_get_string(config, "model_type", path.data, &model_type)) != OCLM_OK)
        goto done;
    for (size_t i = 0; i < ckpt_count(w->checkpoint); i++)
        w->total += ckpt_at(w->checkpoint, i)->bytes;
    if ((status = ckpt_bnb_plan_make(w->checkpoint, w->options, strcmp(model_type, "gpt2") == 0, &w->plan)) == OCLM_OK &&
        (status = put_weights(w)) == OCLM_OK && (status = put_index(w)) == OCLM_OK && (status = put_config(w, text)) == OCLM_OK)
        status = copy_others(w);
    ckpt_bnb_plan_free(&w->plan);
done:
    cJSON_Delete(config);
    core_free(text);
    core_text_free(&path);
    drop_kept(&w->kept);
    return status;
}

/* As a folder's path, `path` may end in slashes. */
static oclm_status open_parent(const char *path, core_dir **parent, core_text *name)
{
    core_text bare = CORE_TEXT_INIT;
    size_t    length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    oclm_status status = core_text_add(&bare, path, length);
    if (status == OCLM_OK)
        status = core_dir_open_parent(bare.data, parent, name);
    core_text_free(&bare);
    return status;
}

oclm_status ckpt_bnb_write(const ckpt_checkpoint *checkpoint, const char *folder, const char *out, const ckpt_bnb_options *options)
{
    writing     w = { .checkpoint = checkpoint, .folder = folder, .options = options };
    core_dir   *parent = NULL;
    core_text   name = CORE_TEXT_INIT, beside = CORE_TEXT_INIT;
    uint64_t    number;
    oclm_status status;
    core_random(&number, sizeof number);
    if ((status = open_parent(out, &parent, &name)) != OCLM_OK ||
        (status = core_text_printf(&beside, ".%s.%08" PRIx32 ".unfinished", name.data, (uint32_t)number)) != OCLM_OK)
        goto done;
    if ((status = core_dir_enter(parent, beside.data, true, &w.to)) == OCLM_OK && (status = write_all(&w)) == OCLM_OK)
        status = core_dir_rename(parent, beside.data, parent, name.data);
    if (w.to != NULL && status != OCLM_OK)
        (void)core_dir_remove_tree(parent, beside.data);
    core_dir_sync(parent);
done:
    core_dir_close(w.to);
    core_dir_close(parent);
    core_text_free(&name);
    core_text_free(&beside);
    return status;
}
