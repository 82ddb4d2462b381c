/* quantized.c: finds the method that "quantization_config" names, lets it see each tensor, and makes a table in which quantised weights look
 * like plain ones. Source of the names: transformers' quantizers (AUTO_QUANTIZER_MAPPING). */
#include "checkpoint/quantized.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "checkpoint/safetensors.h"
#include "core/log.h"
#include "core/platform.h"

#define MAX_SIDE (1u << 31) /* rows and columns of a weight; so their product fits */
#define SUPPORTED "bitsandbytes (8 bits; nf4 and fp4), gptq, awq (gemm), compressed-tensors (pack-quantized, int-quantized, float-quantized), " \
                  "fp8 and mxfp4"

static const ckpt_method *const methods[] = { &ckpt_bnb, &ckpt_gptq, &ckpt_awq, &ckpt_compressed, &ckpt_fp8, &ckpt_mxfp4 };

/* ---- Messages */

oclm_status ckpt_fail_tensor(const ckpt_replacing *q, oclm_status status, const ckpt_tensor *tensor, const char *format, ...)
{
    char    text[600];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return core_fail(status, "%s: tensor \"%s\" %s; %s", ckpt_file_name(q->checkpoint, tensor->file), tensor->name, text,
                     status == OCLM_ERR_UNSUPPORTED ? "supported are " SUPPORTED
                                                    : "weights and quantization_config do not belong together, or the download is not complete");
}

oclm_status ckpt_fail_config(const ckpt_replacing *q, oclm_status status, const char *format, ...)
{
    char    text[600];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return core_fail(status, "%s: the weights are quantised (quantization_config: %s): %s; %s", q->origin, q->method, text,
                     status == OCLM_ERR_UNSUPPORTED ? "supported are " SUPPORTED "; else use the float16 or bfloat16 version of this model"
                                                    : "download config.json again");
}

/* ---- Parts */

bool ckpt_stem(const char *name, const char *suffix, size_t *stem)
{
    const size_t length = strlen(name), tail = strlen(suffix);
    if (length <= tail || strcmp(name + length - tail, suffix) != 0)
        return false;
    *stem = length - tail;
    return true;
}

static char *join(const char *name, size_t stem, const char *suffix)
{
    const size_t tail = strlen(suffix);
    char        *joined = core_alloc(stem + tail + 1, "a tensor's name");
    if (joined != NULL) {
        memcpy(joined, name, stem);
        memcpy(joined + stem, suffix, tail + 1);
    }
    return joined;
}

/* As strcmp() of `name` and the joined name, without making it. */
static int compare(const char *name, const char *begin, size_t stem, const char *suffix)
{
    const int order = strncmp(name, begin, stem);
    return order != 0 ? order : strcmp(name + stem, suffix);
}

const ckpt_tensor *ckpt_part(ckpt_replacing *q, const char *name, size_t stem, const char *suffix)
{
    size_t low = 0, high = q->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int    order = compare(q->tensors[middle].name, name, stem, suffix);
        if (order == 0) {
            q->taken[middle] = true;
            return &q->tensors[middle];
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

oclm_status ckpt_need_part(ckpt_replacing *q, const ckpt_tensor *of, size_t stem, const char *suffix, const ckpt_tensor **part)
{
    *part = ckpt_part(q, of->name, stem, suffix);
    return *part != NULL ? OCLM_OK : ckpt_fail_tensor(q, OCLM_ERR_FORMAT, of, "is quantised, but \"%.*s%s\" is missing", (int)stem, of->name, suffix);
}

oclm_status ckpt_need_shape(const ckpt_replacing *q, const ckpt_tensor *part, core_dtype dtype, uint32_t dims, const uint64_t *shape)
{
    char is[CKPT_SHAPE_TEXT], must[CKPT_SHAPE_TEXT];
    if (dtype == CORE_DTYPE_COUNT ? part->dtype > CORE_BF16 : part->dtype != dtype)
        return ckpt_fail_tensor(q, OCLM_ERR_FORMAT, part, "is of dtype %s, but must be %s", core_dtype_name(part->dtype),
                                dtype == CORE_DTYPE_COUNT ? "F32, F16 or BF16" : core_dtype_name(dtype));
    if (part->dims != dims || memcmp(part->shape, shape, dims * sizeof *shape) != 0)
        return ckpt_fail_tensor(q, OCLM_ERR_FORMAT, part, "is %s, but must be %s beside its weight", ckpt_shape_text(part->shape, part->dims, is),
                                ckpt_shape_text(shape, dims, must));
    return OCLM_OK;
}

/* ---- Modules */

static void free_module(ckpt_module *module)
{
    core_free((char *)(uintptr_t)module->tensor.name);
    ckpt_quantized_free(&module->quantized);
}

static void free_modules(ckpt_module *modules)
{
    while (modules != NULL) {
        ckpt_module *const next = modules->next;
        free_module(modules);
        modules = next;
    }
}

static uint64_t bytes_of(const ckpt_source *s)
{
    const ckpt_tensor *const parts[] = { s->codes, s->scales, s->zeros, s->group_of, s->nested_scales, s->nested_map };
    uint64_t                 bytes = 0;
    for (size_t i = 0; i < COUNT(parts); i++)
        bytes += parts[i] != NULL ? parts[i]->bytes : 0;
    return bytes;
}

oclm_status ckpt_add_module(ckpt_replacing *q, const ckpt_source *source, const char *name, size_t stem, const char *suffix, core_dtype dtype,
                            uint32_t dims, const uint64_t *shape)
{
    char        text[CKPT_SHAPE_TEXT];
    oclm_status status;
    if (source->rows == 0 || source->columns == 0 || source->rows > MAX_SIDE || source->columns > MAX_SIDE)
        return ckpt_fail_tensor(q, OCLM_ERR_FORMAT, source->codes, "holds a weight of %s, which is none", ckpt_shape_text(shape, dims, text));
    ckpt_module *const module = core_alloc_zero(1, sizeof *module, "a quantised weight");
    if (module == NULL)
        return OCLM_ERR_MEMORY;
    module->source = *source;
    module->tensor = (ckpt_tensor){ .name = join(name, stem, suffix), .dtype = dtype > CORE_BF16 ? CORE_F32 : dtype, .dims = dims,
                                    .elements = source->rows * source->columns, .data = source->codes->data, .bytes = source->codes->bytes,
                                    .file = source->codes->file, .quantized = &module->quantized };
    memcpy(module->tensor.shape, shape, dims * sizeof *shape);
    module->quantized.bytes = bytes_of(source);
    if ((status = module->tensor.name != NULL ? ckpt_settle(q, module) : OCLM_ERR_MEMORY) != OCLM_OK) {
        free_module(module);
        return status;
    }
    module->next = q->modules;
    q->modules = module;
    q->module_count++;
    return OCLM_OK;
}

/* ---- The new table */

/* All that was not taken, and the modules. */
static oclm_status make_table(ckpt_replacing *q, ckpt_table *to)
{
    size_t kept = 0;
    for (size_t i = 0; i < q->count; i++)
        kept += !q->taken[i];
    if ((to->tensors = core_alloc_zero(kept + q->module_count, sizeof *to->tensors, "the list of tensors")) == NULL)
        return OCLM_ERR_MEMORY;
    to->capacity = kept + q->module_count;
    for (size_t i = 0; i < q->count; i++) {
        if (q->taken[i])
            continue;
        ckpt_tensor *const tensor = &to->tensors[to->count];
        *tensor = q->tensors[i];
        if ((tensor->name = core_copy_string(q->tensors[i].name, "a tensor's name")) == NULL)
            return OCLM_ERR_MEMORY;
        to->count++;
    }
    for (; q->modules != NULL; q->modules = q->modules->next)
        to->tensors[to->count++] = q->modules->tensor; /* whose module is the table's from now on */
    return OCLM_OK;
}

/* ---- Which method */

/* transformers goes on with a warning where it does not know a method; so do we while all weights are plain. */
static oclm_status refuse_codes(const ckpt_replacing *q)
{
    for (size_t i = 0; i < q->count; i++) {
        const ckpt_tensor *const t = &q->tensors[i];
        const bool coded = t->dtype == CORE_I32 || t->dtype == CORE_I16 || t->dtype == CORE_I8 || t->dtype == CORE_U8 || t->dtype == CORE_U32 ||
                           t->dtype == CORE_F8_E4M3 || t->dtype == CORE_F8_E5M2 || t->dtype == CORE_F8_E8M0;
        if (coded && (t->dims == 2 || t->dims == 3))
            return ckpt_fail_config(q, OCLM_ERR_UNSUPPORTED, "tensor \"%.200s\" holds codes (%s) of a method that is not supported", t->name,
                                    core_dtype_name(t->dtype));
    }
    core_log(OCLM_LOG_WARNING, "%s: quantization_config names the unknown method %s; the weights are plain and used as they are", q->origin,
             q->method);
    return OCLM_OK;
}

/* Of bitsandbytes before it had a name there are only flags. */
static oclm_status name_method(ckpt_replacing *q)
{
    const char *method = NULL;
    bool        in_8bit = false, in_4bit = false;
    oclm_status status;
    if (!cJSON_IsObject(q->config))
        return core_json_wrong(q->config, "quantization_config", q->origin, "an object");
    if ((status = core_json_get_string(q->config, "quant_method", q->origin, &method)) != OCLM_OK ||
        (status = core_json_get_bool(q->config, "load_in_8bit", q->origin, &in_8bit)) != OCLM_OK ||
        (status = core_json_get_bool(q->config, "load_in_4bit", q->origin, &in_4bit)) != OCLM_OK)
        return status;
    q->method = method != NULL ? method : in_8bit || in_4bit ? "bitsandbytes" : NULL;
    return q->method != NULL ? OCLM_OK
                             : core_fail(OCLM_ERR_FORMAT, "%s: quantization_config says no \"quant_method\", nor load_in_8bit or load_in_4bit: how the "
                                         "weights are quantised is unknown; supported are " SUPPORTED, q->origin);
}

static oclm_status run_method(ckpt_replacing *q)
{
    const ckpt_method *method = NULL;
    oclm_status        status;
    for (size_t i = 0; i < COUNT(methods); i++)
        method = strcmp(methods[i]->name, q->method) == 0 ? methods[i] : method;
    if (method == NULL)
        return refuse_codes(q);
    status = method->check != NULL ? method->check(q) : OCLM_OK;
    for (size_t i = 0; i < q->count && status == OCLM_OK; i++) {
        if (!q->taken[i])
            status = method->visit(q, &q->tensors[i]);
    }
    return status;
}

static oclm_status replace(ckpt_checkpoint *checkpoint, const cJSON *config, const char *origin)
{
    ckpt_replacing q = { .checkpoint = checkpoint, .tensors = checkpoint->table.tensors, .count = checkpoint->table.count, .config = config,
                         .origin = origin };
    ckpt_table     table = { NULL, 0, 0 };
    oclm_status    status;
    if ((q.taken = core_alloc_zero(q.count, sizeof *q.taken, "the list of tensors")) == NULL)
        return OCLM_ERR_MEMORY;
    if ((status = name_method(&q)) == OCLM_OK && (status = run_method(&q)) == OCLM_OK && (status = make_table(&q, &table)) == OCLM_OK) {
        checkpoint->parts = checkpoint->table;
        checkpoint->table = table;
        table = (ckpt_table){ NULL, 0, 0 };
        status = ckpt_files_sort(checkpoint);
    }
    ckpt_table_deinit(&table);
    free_modules(q.modules);
    core_free(q.taken);
    return status;
}

oclm_status ckpt_quantized_tree(ckpt_checkpoint *checkpoint, const cJSON *config, const char *origin)
{
    const cJSON *const inner = core_json_member(core_json_member(config, "text_config"), "quantization_config");
    const cJSON *const quantization = inner != NULL ? inner : core_json_member(config, "quantization_config");
    return quantization != NULL ? replace(checkpoint, quantization, origin) : OCLM_OK;
}

/* A config.json that is absent or broken says nothing: whoever needs it tells what is wrong with it. */
oclm_status ckpt_quantized_open(ckpt_checkpoint *checkpoint, const char *folder)
{
    core_text   path = CORE_TEXT_INIT;
    cJSON      *config = NULL;
    oclm_status status = core_path_join(&path, folder, "config.json");
    if (status == OCLM_OK && core_path_is_file(path.data) && core_json_read_file(path.data, CORE_JSON_MAX_CONFIG, &config) == OCLM_OK) {
        status = ckpt_quantized_tree(checkpoint, config, path.data);
        cJSON_Delete(config);
    }
    core_text_free(&path);
    return status;
}
