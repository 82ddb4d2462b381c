/* storing.c: which weights become codes: those that the checkpoint holds so, and while loading those that transformers 5.23 hands to
 * bitsandbytes: its nn.Linear and Conv1D, but none in llm_int8_skip_modules. Its experts are parameters of three dimensions and stay. */
#include "model/storing.h"

#include <stdio.h>
#include <string.h>

#define MAX_MODULE 512

/* Is `pattern` in `name` from its start up to a dot or its end, or is it the end of it? As quantizers_utils.should_convert_module(), which
 * also takes regular expressions. */
static bool matches(const char *pattern, const char *name)
{
    const size_t length = strlen(pattern), whole = strlen(name);
    if (length == 0 || length > whole)
        return length == 0 && whole == 0;
    const bool begins = strncmp(pattern, name, length) == 0, bounded = pattern[length - 1] == '.' || name[length] == '.' || name[length] == '\0';
    return (begins && bounded) || strcmp(name + whole - length, pattern) == 0;
}

/* A tensor's module as transformers calls it: with the base prefix, without ".weight". */
static void module_of(const model_binding *b, const ckpt_tensor *tensor, bool is_head, char module[MAX_MODULE])
{
    const char  *prefix = b->family->base_prefix, *has = strncmp(tensor->name, prefix, strlen(prefix)) == 0 || is_head ? "" : prefix;
    const size_t length = strlen(tensor->name), tail = strlen(".weight");
    const bool   weight = length > tail && strcmp(tensor->name + length - tail, ".weight") == 0;
    (void)snprintf(module, MAX_MODULE, "%s%.*s", has, (int)(weight ? length - tail : length), tensor->name);
}

static bool is_linear(const model_binding *b, model_role role, const ckpt_tensor *tensor)
{
    switch (role) {
    case MODEL_EMBEDDING: case MODEL_POSITIONS: case MODEL_INPUT_EMBEDDING: case MODEL_CONV: case MODEL_EXPERTS_GATE_UP:
    case MODEL_EXPERTS_GATE: case MODEL_EXPERTS_UP: case MODEL_EXPERTS_DOWN: return false;
    case MODEL_HEAD: return !b->tied;
    case MODEL_ROUTER: /* a class of its own in most families */
        return strstr(tensor->name, ".router.layer.") != NULL || strstr(tensor->name, ".router.proj.") != NULL;
    default: return true;
    }
}

bool model_is_to_quantize(const model_storing *s, const model_binding *b, model_role role, const ckpt_tensor *tensor)
{
    char module[MAX_MODULE];
    if (s->quantize == CKPT_QUANTIZE_NONE || tensor->quantized != NULL || tensor->dims != 2 || !is_linear(b, role, tensor))
        return false;
    module_of(b, tensor, role == MODEL_HEAD, module);
    if (s->skip == NULL)
        return role != MODEL_HEAD;
    for (size_t i = 0; i < s->skip_count; i++) {
        if (matches(s->skip[i], module))
            return false;
    }
    return true;
}

core_storage model_storage_of(const model_storing *s, const model_binding *b, model_role role, const model_bound *bound)
{
    const ckpt_tensor *tensor = bound->tensor;
    core_storage       storage = core_storage_of(s->dtype);
    const bool turned = bound->transposed || role == MODEL_V_B; /* codes are of the other dimension; beside such keys values become floats too */
    if (tensor->quantized != NULL && !s->all_floats && !turned)
        storage = tensor->quantized->storage;
    else if (model_is_to_quantize(s, b, role, tensor))
        storage = ckpt_quantize_storage(s->quantize, tensor->shape[bound->transposed ? 0 : 1]);
    return core_storage_is_float(&storage) ? core_storage_of(s->dtype) : storage;
}

const ckpt_tensor *model_quantized_tensor(const model_binding *b)
{
    for (size_t i = 0; i < ckpt_count(b->checkpoint); i++) {
        const ckpt_tensor *tensor = ckpt_at(b->checkpoint, i);
        if (tensor->quantized != NULL)
            return tensor;
    }
    return NULL;
}

oclm_status model_storing_check(const model_storing *s, const model_binding *b)
{
    const ckpt_tensor *already = model_quantized_tensor(b);
    char               name[96];
    for (size_t i = 0; i < s->skip_count && s->skip != NULL; i++) {
        if (s->skip[i] == NULL || strpbrk(s->skip[i], "\\*+?()[]{}|^$") != NULL)
            return core_fail(OCLM_ERR_ARGUMENT, "llm_int8_skip_modules: \"%s\" is no name of a module or its end, such as lm_head or "
                             "model.layers.0; regular expressions are not supported", s->skip[i] != NULL ? s->skip[i] : "NULL");
    }
    if (s->quantize != CKPT_QUANTIZE_NONE && already != NULL)
        return core_fail(OCLM_ERR_ARGUMENT, "%s: the model is quantised already (\"%s\" in %s) and cannot be quantised again; load it without "
                         "load_in_8bit and load_in_4bit", ckpt_file_name(b->checkpoint, already->file), already->name,
                         already->quantized->read != NULL ? core_storage_name(&already->quantized->storage, name) : "a format of its own");
    return OCLM_OK;
}
