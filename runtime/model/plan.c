/* plan.c: asks a model and its devices what planner.c wants to know; and where the plan does not fit, what would. */
#include "model/plan.h"

#include <stdio.h>
#include <string.h>

#include "core/platform.h"
#include "core/text.h"
#include "device/feed.h"
#include "model/forward.h"
#include "model/opened.h"
#include "model/planner.h"
#include "model/sketch.h"

#define DEFAULT_CONTEXT 4096u
#define LEAST_CONTEXT 32u /* that is proposed */
#define CHOSEN_BYTES ((uint64_t)64 << 10) /* of small buffers that choosing tokens takes: rings, counters, lists */

/* A model to plan for, in one way of storing it. */
typedef struct planning {
    dev_device *const        *devices;
    uint32_t                  count;
    const model_plan_options *options;
    model_opened              opened;
    bool                      wrapped;
    bool                      copies;
    model_storing             storing;
    uint32_t                  context;
    /* What follows is of this storing and context. */
    model_unit_size          *units;
    uint64_t                 *cache, *weights; /* [units]; weights: and cache */
    uint32_t                 *reads;           /* [units] */
    model_plan_site          *sites;
    model_tree                tree;
    model_plan_facts          facts;
} planning;

static void forget(planning *p)
{
    model_tree_free(&p->tree);
    core_free(p->units);
    core_free(p->cache);
    core_free(p->weights);
    core_free(p->reads);
    core_free(p->sites);
    p->units = NULL;
    p->cache = p->weights = NULL;
    p->reads = NULL;
    p->sites = NULL;
}

/* ---- What is asked of the model */

static model_state_options state_options(const planning *p)
{
    return (model_state_options){ .sequences = 1, .max_positions = p->context, .quantized_cache = p->options->quantized_cache };
}

/* A layer's part of a sequence's cache. */
static oclm_status measure_cache(planning *p)
{
    const model_architecture *a = &p->opened.architecture;
    bool                     *holds = core_alloc_zero(a->layers, sizeof *holds, "layers with a cache");
    model_cache_shape         shape = { .sequences = 1, .positions = p->context, .rows = p->context < MODEL_CHUNK_ROWS ? p->context : MODEL_CHUNK_ROWS,
                                        .quantized = p->options->quantized_cache, .holds = holds };
    if (holds == NULL)
        return OCLM_ERR_MEMORY;
    const uint64_t empty = model_cache_bytes(a, &shape); /* page tables: of every device, part of the workspace */
    for (uint32_t i = 0; i < a->layers; i++) {
        holds[i] = true;
        p->cache[MODEL_UNIT_LAYERS + i] = model_cache_bytes(a, &shape) - empty;
        holds[i] = false;
    }
    core_free(holds);
    return OCLM_OK;
}

/* What a pass over the whole model takes on a device, but for the cache of its layers. */
static oclm_status measure_workspace(const planning *p, dev_device *device, uint64_t *bytes)
{
    const model_state_options options = state_options(p);
    model_model              *sketch = NULL;
    oclm_status               status = model_sketch_new(&p->opened, &p->storing, device, &sketch);
    if (status == OCLM_OK) {
        uint64_t cache = 0;
        for (uint32_t unit = 0; unit < p->tree.unit_count; unit++)
            cache += p->cache[unit];
        const uint64_t state = model_state_bytes(sketch, 0, &options), logits = dev_padded(p->opened.architecture.vocab_size) * sizeof(float);
        *bytes = (state > cache ? state - cache : 0) + DEV_SELF_CHECK_BYTES + 2 * logits + 2 * p->context * sizeof(int32_t) + CHOSEN_BYTES;
    }
    model_sketch_free(sketch);
    return status;
}

/* ---- What is asked of the devices */

static bool is_on_host(const oclm_device_info *info) { return info->type == OCLM_DEVICE_CPU; }

/* Without max_memory devices on the host's processor wait until the host's memory is asked for, unless there are no others. */
static bool is_listed(const planning *p, uint32_t device)
{
    bool others = false;
    if (p->options->device_limits != NULL)
        return p->options->device_limits[device] != MODEL_UNLISTED;
    for (uint32_t i = 0; i < p->count; i++)
        others = others || !is_on_host(&dev_get_traits(p->devices[i])->info);
    return !others || !is_on_host(&dev_get_traits(p->devices[device])->info);
}

static oclm_status ask_devices(planning *p)
{
    oclm_status status = OCLM_OK;
    for (uint32_t i = 0; i < p->count && status == OCLM_OK; i++) {
        const oclm_device_info *info = &dev_get_traits(p->devices[i])->info;
        const uint64_t          left = dev_memory_left(p->devices[i]);
        const uint64_t          limit = p->options->device_limits != NULL ? p->options->device_limits[i] : MODEL_UNLISTED;
        p->sites[i] = (model_plan_site){ .number = (uint32_t)info->index, .budget = limit < left ? limit : left,
                                         .most_buffer = info->max_alloc_bytes, .listed = is_listed(p, i), .is_host = is_on_host(info),
                                         .in_place = dev_feed_is_in_place(p->devices[i], p->copies),
                                         .alignment = dev_feed_alignment(p->devices[i], p->copies), .staging = dev_matrix_staging_bytes(p->devices[i]) };
        if (p->options->rates != NULL)
            p->sites[i].rates = p->options->rates[i];
        for (uint32_t j = 0; j < i; j++) /* contexts of the caller's own are all number 0 */
            p->sites[i].number = p->sites[j].number == p->sites[i].number ? i : p->sites[i].number;
        status = measure_workspace(p, p->devices[i], &p->sites[i].workspace);
    }
    return status;
}

/* 90 % of what the host has free; devices that compute in its memory have their share of it first. */
static uint64_t host_limit(const planning *p)
{
    uint64_t free = core_host_memory_available() / 10 * 9;
    if (p->options->host_given || p->options->device_limits != NULL)
        return p->options->host_given ? p->options->host_limit : 0;
    for (uint32_t i = 0; i < p->count; i++) {
        const bool     shares = dev_get_traits(p->devices[i])->info.host_unified || p->sites[i].is_host;
        const uint64_t taken = shares && p->sites[i].listed ? p->sites[i].budget : 0;
        free = free > taken ? free - taken : 0;
    }
    return free;
}

/* ---- The facts */

static oclm_status measure(planning *p)
{
    const uint32_t     units = MODEL_UNIT_LAYERS + p->opened.architecture.layers;
    model_weight_sizes sizes;
    oclm_status        status;
    p->units = core_alloc_zero(units, sizeof *p->units, "the sizes of layers");
    p->cache = core_alloc_zero(units, sizeof *p->cache, "the sizes of layers");
    p->weights = core_alloc_zero(units, sizeof *p->weights, "the sizes of layers");
    p->reads = core_alloc_zero(units, sizeof *p->reads, "the caches of layers");
    p->sites = core_alloc_zero(p->count, sizeof *p->sites, "the devices of a plan");
    if (!p->units || !p->cache || !p->weights || !p->reads || !p->sites)
        return OCLM_ERR_MEMORY;
    if ((status = model_weights_measure_units(&p->opened.binding, &p->storing, p->units, &sizes)) != OCLM_OK || (status = measure_cache(p)) != OCLM_OK)
        return status;
    for (uint32_t unit = 0; unit < units; unit++) {
        p->weights[unit] = p->units[unit].bytes + p->cache[unit];
        p->reads[unit] = unit < MODEL_UNIT_LAYERS ? unit : MODEL_UNIT_LAYERS + model_cache_layer(&p->opened.architecture, unit - MODEL_UNIT_LAYERS);
    }
    const model_tree_source source = { .family = p->opened.family, .architecture = &p->opened.architecture, .tied = p->opened.binding.tied,
                                       .wrapped = p->wrapped, .unit_bytes = p->weights };
    if ((status = model_tree_new(&source, &p->tree)) != OCLM_OK)
        return status;
    return ask_devices(p);
}

/* Rows of a table of which only those that are read visit a device, in whole panels. */
static uint64_t visiting_rows(const planning *p)
{
    const uint64_t table = p->units[MODEL_UNIT_EMBEDDING].bytes, panel = table / p->opened.architecture.vocab_size * DEV_PANEL;
    const uint64_t rows = p->context < MODEL_CHUNK_ROWS ? p->context : MODEL_CHUNK_ROWS;
    return rows * panel < table ? rows * panel : table;
}

static oclm_status gather(planning *p)
{
    forget(p);
    const oclm_status status = measure(p);
    if (status != OCLM_OK)
        return status;
    p->facts = (model_plan_facts){ .tree = &p->tree, .family = p->opened.family, .units = p->units, .cache = p->cache, .reads = p->reads,
                                   .rows_bytes = visiting_rows(p),
                                   .sites = p->sites, .site_count = p->count, .host_limit = host_limit(p), .kind = p->options->kind,
                                   .entries = p->options->entries, .entry_count = p->options->entry_count };
    if (p->options->kind == MODEL_MAP_GIVEN && !p->options->host_given)
        p->facts.host_limit = core_host_memory_available() / 10 * 9;
    return OCLM_OK;
}

/* ---- What would fit */

/* Of all devices. */
static uint64_t needed(const model_placement *placement)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < placement->device_count; i++)
        bytes += placement->devices[i].used;
    return bytes;
}

static oclm_status add_choice(model_placement *placement, const char *words, uint64_t bytes, bool fits)
{
    model_choice *choices = core_realloc_array(placement->choices, placement->choice_count + 1, sizeof *choices, "what would fit");
    if (choices == NULL)
        return OCLM_ERR_MEMORY;
    placement->choices = choices;
    char *copy = core_copy_string(words, "what would fit");
    if (copy == NULL)
        return OCLM_ERR_MEMORY;
    choices[placement->choice_count++] = (model_choice){ copy, bytes, fits };
    return OCLM_OK;
}

/* Plans once more with what has changed: a choice, unless it does not fit and is `only_if_fits`. */
static oclm_status try_choice(planning *p, const char *words, bool only_if_fits, model_placement *placement, bool *fits)
{
    model_placement other = { 0 };
    uint32_t        short_of = 0;
    oclm_status     status = model_place_units(&p->facts, &other, &short_of);
    *fits = status == OCLM_OK && short_of == MODEL_NOWHERE;
    if (status == OCLM_OK && (*fits || !only_if_fits))
        status = add_choice(placement, words, needed(&other), *fits);
    model_placement_free(&other);
    return status;
}

/* The longest context that fits, by halves. */
static oclm_status try_contexts(planning *p, model_placement *placement)
{
    const uint32_t whole = p->context;
    oclm_status    status = OCLM_OK;
    bool           fits = false;
    for (p->context = whole / 2; p->context >= LEAST_CONTEXT && status == OCLM_OK && !fits; p->context /= 2) {
        char words[96];
        (void)snprintf(words, sizeof words, "a context of %u positions (--context-length %u)", p->context, p->context);
        if ((status = gather(p)) == OCLM_OK)
            status = try_choice(p, words, true, placement, &fits);
    }
    p->context = whole;
    return status;
}

static oclm_status try_storings(planning *p, model_placement *placement)
{
    static const struct { const char *words; ckpt_quantize_kind quantize; } ways[] = {
        { "float16 or bfloat16 (--dtype float16)", CKPT_QUANTIZE_NONE },
        { "8 bits (load_in_8bit, --load-in-8bit)", CKPT_QUANTIZE_INT8 },
        { "4 bits (load_in_4bit, --load-in-4bit)", CKPT_QUANTIZE_NF4 },
    };
    const model_storing whole = p->storing;
    const bool          quantized = model_quantized_tensor(&p->opened.binding) != NULL;
    oclm_status         status = OCLM_OK;
    bool                fits;
    for (size_t i = 0; i < COUNT(ways) && status == OCLM_OK; i++) {
        const bool same = ways[i].quantize == CKPT_QUANTIZE_NONE ? whole.dtype != CORE_F32 : quantized || whole.quantize >= ways[i].quantize;
        if (same || (i == 0 && whole.quantize != CKPT_QUANTIZE_NONE))
            continue;
        p->storing.quantize = ways[i].quantize;
        p->storing.dtype = i == 0 ? CORE_F16 : whole.dtype;
        if ((status = gather(p)) == OCLM_OK)
            status = try_choice(p, ways[i].words, false, placement, &fits);
    }
    p->storing = whole;
    return status;
}

/* What a map puts on a device could live in the host's memory, or on the disk. */
static oclm_status try_offload(planning *p, model_placement *placement)
{
    oclm_status status = gather(p);
    bool        fits;
    if (status != OCLM_OK || (p->facts.kind != MODEL_MAP_GIVEN && p->facts.host_limit > 0))
        return status;
    p->facts.kind = MODEL_MAP_SEQUENTIAL;
    p->facts.host_limit = core_host_memory_available() / 10 * 9;
    return try_choice(p, "layers on the host and the disk (--device-map auto)", false, placement, &fits);
}

oclm_status model_tell_choices(const model_placement *placement, core_text *text, size_t *told)
{
    oclm_status status = OCLM_OK;
    *told = 0;
    for (size_t i = 0; i < placement->choice_count && status == OCLM_OK; i++) {
        const model_choice *choice = &placement->choices[i];
        char                bytes[32];
        if (choice->fits)
            status = core_text_printf(text, "%s %s, with %s", (*told)++ == 0 ? "; what fits:" : ";", choice->words,
                                      core_format_bytes(choice->bytes, bytes));
    }
    return status;
}

/* "device 0 (\"name\") needs 3.2 GiB (2.9 GiB weights, ..), available are 2.0 GiB" */
static oclm_status tell_short(const planning *p, const model_placement *placement, uint32_t short_of, core_text *text)
{
    const model_share *share = short_of < MODEL_HOST ? &placement->devices[short_of] : &placement->host;
    char               used[32], weights[32], visiting[32], cache[32], workspace[32], budget[32];
    oclm_status        status;
    if (short_of >= MODEL_HOST)
        return core_text_printf(text, "the host's memory: %s of weights are to live there, available are %s", core_format_bytes(share->used, used),
                                core_format_bytes(share->budget, budget));
    if (share->used <= share->budget) {
        uint64_t most = 0;
        for (uint32_t unit = MODEL_UNIT_LAYERS; unit < p->tree.unit_count; unit++)
            most = p->cache[unit] / 2 > most ? p->cache[unit] / 2 : most;
        return core_text_printf(text, "device %u (\"%s\") takes no buffer larger than %s, and the keys of a layer for %u positions need %s",
                                p->sites[short_of].number, dev_get_traits(p->devices[short_of])->info.name,
                                core_format_bytes(p->sites[short_of].most_buffer, budget), p->context, core_format_bytes(most, cache));
    }
    if ((status = core_text_printf(text, "device %u (\"%s\"): %s are needed, %s of them for weights", p->sites[short_of].number,
                                   dev_get_traits(p->devices[short_of])->info.name, core_format_bytes(share->used, used),
                                   core_format_bytes(share->weights, weights))) == OCLM_OK && share->visiting > 0)
        status = core_text_printf(text, ", %s for weights that visit", core_format_bytes(share->visiting, visiting));
    if (status != OCLM_OK)
        return status;
    return core_text_printf(text, ", %s for keys and values of %u positions, %s to work with; available are %s", core_format_bytes(share->cache, cache),
                            p->context, core_format_bytes(share->workspace, workspace), core_format_bytes(share->budget, budget));
}

static oclm_status refuse(planning *p, model_placement *placement, uint32_t short_of)
{
    core_text   text = CORE_TEXT_INIT;
    size_t      told = 0;
    oclm_status status = tell_short(p, placement, short_of, &text);
    if (status == OCLM_OK && (status = try_contexts(p, placement)) == OCLM_OK && (status = try_storings(p, placement)) == OCLM_OK)
        status = try_offload(p, placement);
    if (status == OCLM_OK)
        status = model_tell_choices(placement, &text, &told);
    if (status == OCLM_OK && told == 0)
        status = core_text_add_string(&text, "; no shorter context, dtype or fewer bits make it fit: allow more (--max-memory), or add a device");
    if (status == OCLM_OK)
        status = core_fail(OCLM_ERR_DEVICE_MEMORY, "%s", text.data);
    core_text_free(&text);
    return status;
}

/* ---- The plan */

static oclm_status open_model(planning *p, const char *folder, const model_load_options *load)
{
    oclm_status status;
    if ((status = model_open(folder, load->variant, &p->opened)) != OCLM_OK || (status = model_is_wrapped(folder, &p->wrapped)) != OCLM_OK)
        return status;
    p->storing = model_opened_storing(&p->opened, load);
    p->copies = load->offload_copies;
    const uint32_t most = p->opened.architecture.max_position_embeddings;
    p->context = p->options->context_length > 0 ? p->options->context_length : most < DEFAULT_CONTEXT ? most : DEFAULT_CONTEXT;
    if (p->opened.architecture.position == MODEL_POSITION_LEARNED && p->context > most)
        return core_fail(OCLM_ERR_ARGUMENT, "a context of %u positions was asked for; this %s model has learned %u and cannot go beyond them",
                         p->context, p->opened.architecture.model_type, most);
    return model_storing_check(&p->storing, &p->opened.binding);
}

static oclm_status check_entries(const model_plan_options *options, uint32_t count)
{
    for (size_t i = 0; options->kind == MODEL_MAP_GIVEN && i < options->entry_count; i++) {
        const model_map_entry *entry = &options->entries[i];
        if (entry->place.kind == MODEL_ON_DEVICE && entry->place.device >= count)
            return core_fail(OCLM_ERR_INTERNAL, "device_map: \"%s\" goes to device %u of %u", entry->module, entry->place.device, count);
    }
    return OCLM_OK;
}

oclm_status model_plan(const char *folder, dev_device *const *devices, uint32_t count, const model_load_options *load,
                       const model_plan_options *options, model_placement *placement)
{
    planning   *p = core_alloc_zero(1, sizeof *p, "a plan");
    uint32_t    short_of = MODEL_NOWHERE;
    oclm_status status;
    memset(placement, 0, sizeof *placement);
    if (p == NULL)
        return OCLM_ERR_MEMORY;
    p->devices = devices;
    p->count = count;
    p->options = options;
    if ((status = check_entries(options, count)) == OCLM_OK && (status = open_model(p, folder, load)) == OCLM_OK &&
        (status = gather(p)) == OCLM_OK && (status = model_place_units(&p->facts, placement, &short_of)) == OCLM_OK) {
        placement->context_length = p->context;
        if (short_of != MODEL_NOWHERE)
            status = refuse(p, placement, short_of);
    }
    if (status != OCLM_OK && status != OCLM_ERR_DEVICE_MEMORY)
        model_placement_free(placement);
    forget(p);
    model_opened_close(&p->opened);
    core_free(p);
    return status;
}
