/* weight_sizes.c: what weights take on the device before any of them is loaded, counted by the functions that load them; and whether that
 * fits. */
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "model/loader.h"

oclm_status model_weights_measure_units(const model_binding *b, const model_storing *storing, model_unit_size *units, model_weight_sizes *sizes)
{
    model_loader  l = { .binding = b, .storing = storing, .sizing = true, .units = units };
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

/* Adds what a unit asks of its device. What does not stay there passes through it while loading, and visits it afterwards, one unit at a time at
 * least: `most_visiting` [device_count] is the largest so far. */
static void add_unit(const model_sites *sites, uint32_t unit, const model_unit_size *size, uint64_t *bytes, uint64_t *most_visiting)
{
    const model_place place = sites->placement != NULL ? model_place_of(sites->placement, unit) : (model_place){ MODEL_ON_DEVICE, 0 };
    uint64_t *const   most = &most_visiting[place.device];
    if (place.kind == MODEL_ON_DEVICE) {
        bytes[place.device] += size->bytes;
    } else {
        const uint64_t matrices = size->bytes - size->vectors, more = matrices > *most ? matrices - *most : 0;
        bytes[place.device] += size->vectors + more;
        *most += more;
    }
}

/* What each device is asked for: [device_count]. */
static oclm_status measure_devices(const model_sites *sites, const model_binding *b, const model_storing *storing, uint64_t *bytes,
                                   model_weight_sizes *sizes)
{
    const size_t     count = (size_t)MODEL_UNIT_LAYERS + b->architecture->layers;
    model_unit_size *units = core_alloc_zero(count, sizeof *units, "the sizes of layers");
    uint64_t        *most_visiting = core_alloc_zero(sites->device_count, sizeof *most_visiting, "the sizes of layers that visit");
    oclm_status      status = units != NULL && most_visiting != NULL ? model_weights_measure_units(b, storing, units, sizes) : OCLM_ERR_MEMORY;
    memset(bytes, 0, sites->device_count * sizeof *bytes);
    for (uint32_t unit = 0; unit < count && status == OCLM_OK; unit++)
        add_unit(sites, unit, &units[unit], bytes, most_visiting);
    core_free(units);
    core_free(most_visiting);
    return status;
}

/* With what loading wants for a while. */
static uint64_t needed_on(const model_sites *sites, uint32_t device, uint64_t bytes)
{
    return bytes > 0 ? bytes + dev_matrix_staging_bytes(sites->devices[device]) : 0;
}

/* The first device that has not enough; device_count: all have. */
static uint32_t first_short(const model_sites *sites, const uint64_t *bytes)
{
    uint32_t i = 0;
    while (i < sites->device_count && needed_on(sites, i, bytes[i]) <= dev_memory_left(sites->devices[i]))
        i++;
    return i;
}

/* `device`: the one of which is told what it would need. `bytes`: room for device_count. */
static oclm_status find_way_out(const model_sites *sites, const model_binding *b, uint32_t device, uint64_t *bytes, char *text, size_t size,
                                bool *found)
{
    const bool  quantized = model_quantized_tensor(b) != NULL;
    oclm_status status = OCLM_OK;
    for (size_t i = 0; i < COUNT(ways_out) && status == OCLM_OK && !*found; i++) {
        const model_storing storing = { .dtype = ways_out[i].dtype, .quantize = ways_out[i].quantize };
        model_weight_sizes  sizes;
        char                needed[32];
        if (quantized && storing.quantize != CKPT_QUANTIZE_NONE)
            break;
        if ((status = measure_devices(sites, b, &storing, bytes, &sizes)) == OCLM_OK && first_short(sites, bytes) == sites->device_count) {
            snprintf(text, size, ways_out[i].words, core_format_bytes(needed_on(sites, device, bytes[device]), needed));
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

/* `bytes`: what each device would need. */
static oclm_status check_devices(const model_sites *sites, const model_binding *b, const model_weight_sizes *sizes, uint64_t *bytes)
{
    const uint32_t short_one = first_short(sites, bytes);
    if (short_one == sites->device_count)
        return OCLM_OK;
    dev_device       *device = sites->devices[short_one];
    const uint64_t    available = dev_memory_left(device), staging = dev_matrix_staging_bytes(device), needed = bytes[short_one] + staging;
    const dev_traits *traits = dev_get_traits(device);
    const bool        told = traits->info.global_mem_bytes == 0 || /* its default is a guess: saying more helps */
                             traits->budget_bytes < traits->info.global_mem_bytes / 100 * 89; /* not the default of 90 % */
    char              needed_text[32], staging_text[32], available_text[32], way_out[200], name[96];
    bool              found = false;
    const oclm_status status = find_way_out(sites, b, short_one, bytes, way_out, sizeof way_out, &found);
    if (status != OCLM_OK)
        return status;
    if (!found)
        snprintf(way_out, sizeof way_out, "no dtype makes them fit, nor do fewer bits; %schoose a device with more memory%s (oclm info tells which)",
                 told ? "allow more (max_device_bytes, --max-memory) or " : "", traits->info.host_unified ? "" : ", such as the CPU");
    return core_fail(OCLM_ERR_DEVICE_MEMORY, "device \"%s\": the weights in %s need %s (%s of it to load through), available are %s; %s",
                     traits->info.name, name_of(sizes, name), core_format_bytes(needed, needed_text),
                     core_format_bytes(staging, staging_text), core_format_bytes(available, available_text), way_out);
}

oclm_status model_weights_check_budget(const model_sites *sites, const model_binding *b, const model_storing *storing)
{
    model_weight_sizes sizes;
    uint64_t          *bytes = core_alloc_array(sites->device_count, sizeof *bytes, "the sizes of weights");
    oclm_status        status = bytes != NULL ? measure_devices(sites, b, storing, bytes, &sizes) : OCLM_ERR_MEMORY;
    if (status == OCLM_OK)
        status = check_devices(sites, b, &sizes, bytes);
    core_free(bytes);
    return status;
}
