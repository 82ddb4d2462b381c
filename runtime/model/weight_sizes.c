/* weight_sizes.c: what weights take on the device before any of them is loaded, counted by the functions that load them; and whether that
 * fits. */
#include <stdio.h>

#include "core/memory.h"
#include "model/loader.h"

oclm_status model_weights_measure_units(const model_binding *b, const model_storing *storing, uint64_t *unit_bytes, model_weight_sizes *sizes)
{
    model_loader  l = { .binding = b, .storing = storing, .sizing = true, .unit_bytes = unit_bytes };
    model_weights weights = { .layer_count = b->architecture->layers };
    weights.layers = core_alloc_zero(weights.layer_count, sizeof *weights.layers, "the table of layers");
    const oclm_status status = weights.layers != NULL ? model_load_all(&l, &weights) : OCLM_ERR_MEMORY;
    core_free(weights.layers);
    *sizes = l.sizes;
    return status;
}

oclm_status model_weights_measure(const model_binding *b, const model_storing *storing, model_weight_sizes *sizes)
{
    return model_weights_measure_units(b, storing, NULL, sizes);
}

core_storage model_main_storage(const model_weight_sizes *sizes)
{
    size_t most = 0;
    for (size_t i = 1; i < sizes->kind_count; i++)
        most = sizes->kinds[i].weights > sizes->kinds[most].weights ? i : most;
    return sizes->kind_count > 0 ? sizes->kinds[most].storage : core_storage_of(CORE_F32);
}

/* What may be told to somebody whose weights do not fit, in order of what it costs in quality. */
static const struct { const char *words; core_dtype dtype; ckpt_quantize_kind quantize; } ways_out[] = {
    { "as float16 or bfloat16 they need %s, which fits", CORE_F16, CKPT_QUANTIZE_NONE },
    { "in 8 bits (load_in_8bit, --load-in-8bit) they need %s, which fits", CORE_F16, CKPT_QUANTIZE_INT8 },
    { "in 4 bits (load_in_4bit, --load-in-4bit) they need %s, which fits", CORE_F16, CKPT_QUANTIZE_NF4 },
};

static oclm_status find_way_out(const model_binding *b, uint64_t staging, uint64_t available, char *text, size_t size, bool *found)
{
    const bool  quantized = model_quantized_tensor(b) != NULL;
    oclm_status status = OCLM_OK;
    for (size_t i = 0; i < COUNT(ways_out) && status == OCLM_OK && !*found; i++) {
        const model_storing storing = { .dtype = ways_out[i].dtype, .quantize = ways_out[i].quantize };
        model_weight_sizes  sizes;
        char                bytes[32];
        if (quantized && storing.quantize != CKPT_QUANTIZE_NONE)
            break;
        if ((status = model_weights_measure(b, &storing, &sizes)) == OCLM_OK && sizes.bytes + staging <= available) {
            snprintf(text, size, ways_out[i].words, core_format_bytes(sizes.bytes + staging, bytes));
            *found = true;
        }
    }
    return status;
}

/* "float32"; "4-bit nf4, .." */
static const char *name_of(const model_weight_sizes *sizes, char into[96])
{
    const core_storage storage = model_main_storage(sizes);
    return core_storage_name(&storage, into);
}

oclm_status model_weights_check_budget(dev_device *device, const model_binding *b, const model_storing *storing)
{
    const uint64_t     available = dev_memory_left(device), staging = dev_matrix_staging_bytes(device);
    const dev_traits  *traits = dev_get_traits(device);
    const bool         told = traits->budget_bytes < traits->info.global_mem_bytes / 100 * 89; /* not the default of 90 % */
    char               needed_text[32], staging_text[32], available_text[32], way_out[200], name[96];
    model_weight_sizes sizes;
    bool               found = false;
    oclm_status        status = model_weights_measure(b, storing, &sizes);
    const uint64_t     needed = sizes.bytes + staging;
    if (status != OCLM_OK || needed <= available || (status = find_way_out(b, staging, available, way_out, sizeof way_out, &found)) != OCLM_OK)
        return status;
    if (!found)
        snprintf(way_out, sizeof way_out, "no dtype makes them fit, nor do fewer bits; %schoose a device with more memory%s (oclm info tells which)",
                 told ? "allow more (max_device_bytes, --max-memory) or " : "", traits->info.host_unified ? "" : ", such as the CPU");
    return core_fail(OCLM_ERR_DEVICE_MEMORY, "device \"%s\": the weights in %s need %s (%s of it to load through), available are %s; %s",
                     traits->info.name, name_of(&sizes, name), core_format_bytes(needed, needed_text),
                     core_format_bytes(staging, staging_text), core_format_bytes(available, available_text), way_out);
}
