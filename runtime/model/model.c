/* model.c: loads a folder onto the device, or tells what there is in it. */
#include "model/forward.h"

#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "core/platform.h"
#include "model/offload.h"
#include "model/opened.h"

/* The type of most weights. */
static core_dtype main_dtype(const ckpt_checkpoint *checkpoint)
{
    uint64_t   elements[CORE_DTYPE_COUNT] = { 0 };
    core_dtype most = CORE_F32;
    for (size_t i = 0; i < ckpt_count(checkpoint); i++) {
        const ckpt_tensor *tensor = ckpt_at(checkpoint, i);
        elements[tensor->dtype] += tensor->elements;
    }
    for (int dtype = 0; dtype < CORE_DTYPE_COUNT; dtype++) {
        if (elements[dtype] > elements[most])
            most = (core_dtype)dtype;
    }
    return most;
}

/* What a sequence's cache comes to: a position of all layers, of those without a ring, and the rings. */
static void describe_cache(const model_architecture *a, oclm_model_info *info)
{
    const model_cache_shape one = { .sequences = 1, .positions = a->max_position_embeddings, .rows = MODEL_CHUNK_ROWS };
    const uint64_t          held = (uint64_t)model_ring_pages(a, &one) * MODEL_PAGE; /* positions */
    info->kv_bytes_per_token = model_kv_bytes_per_token(a);
    info->kv_window_bytes = model_cache_ring_bytes(a, &one);
    info->kv_whole_bytes_per_token = info->kv_bytes_per_token - (held > 0 ? info->kv_window_bytes / held : 0);
    const model_cache_shape page = { .sequences = 1, .positions = MODEL_PAGE, .quantized = true };
    const uint64_t          fixed = model_recurrent_bytes(a, 1, NULL) + sizeof(int32_t); /* with the page's entry in its table */
    info->kv_quantized_bytes_per_token = (model_cache_bytes(a, &page) - fixed) / MODEL_PAGE;
}

/* The weight_* members: as `storing` says, and in every other way. */
static oclm_status describe_weights(const model_binding *b, const model_storing *storing, oclm_model_info *info)
{
    const bool quantized = model_quantized_tensor(b) != NULL;
    const struct { model_storing storing; uint64_t *bytes; bool none; } ways[] = {
        { { .dtype = CORE_F32, .all_floats = true }, &info->weight_bytes_float32, false },
        { { .dtype = CORE_F16, .all_floats = true }, &info->weight_bytes_float16, false },
        { { .dtype = CORE_BF16, .all_floats = true }, &info->weight_bytes_bfloat16, false },
        { { .dtype = storing->dtype, .quantize = CKPT_QUANTIZE_INT8 }, &info->weight_bytes_8bit, quantized },
        { { .dtype = storing->dtype, .quantize = CKPT_QUANTIZE_NF4 }, &info->weight_bytes_4bit, quantized },
        { *storing, &info->weight_bytes, false }, /* the last: its storage is what counts */
    };
    model_weight_sizes sizes = { 0 };
    oclm_status        status = OCLM_OK;
    char               name[sizeof info->weight_storage];
    for (size_t i = 0; i < COUNT(ways) && status == OCLM_OK; i++) {
        if (!ways[i].none && (status = model_weights_measure(b, &ways[i].storing, &sizes)) == OCLM_OK)
            *ways[i].bytes = sizes.bytes;
    }
    const core_storage main = model_main_storage(&sizes);
    (void)snprintf(info->weight_storage, sizeof info->weight_storage, "%s", core_storage_name(&main, name));
    return status;
}

/* All but those, and what a device would add. */
static void describe(const model_architecture *a, bool tied, uint64_t parameters, core_dtype dtype, core_dtype checkpoint_dtype,
                     oclm_model_info *info)
{
    info->model_type = a->model_type;
    info->dtype = core_dtype_public(dtype);
    info->checkpoint_dtype = core_dtype_public(checkpoint_dtype);
    info->parameters = parameters;
    info->vocab_size = a->vocab_size;
    info->hidden_size = a->hidden_size;
    info->intermediate_size = a->intermediate_size;
    info->num_hidden_layers = a->layers;
    info->num_attention_heads = a->heads;
    info->num_key_value_heads = a->kv_heads;
    info->head_dim = a->head_dim;
    info->max_position_embeddings = a->max_position_embeddings;
    info->tie_word_embeddings = tied;
    info->rope_type = a->position == MODEL_POSITION_ROPE ? model_rope_type_name(a->ropes[0].type) : NULL;
    describe_cache(a, info);
}

oclm_status model_inspect(const char *folder, const model_load_options *options, oclm_model_info *info)
{
    model_opened o;
    oclm_status  status = model_open(folder, options->variant, &o);
    if (status == OCLM_OK) {
        const model_storing storing = model_opened_storing(&o, options);
        *info = (oclm_model_info){ .struct_size = info->struct_size };
        if ((status = model_storing_check(&storing, &o.binding)) == OCLM_OK)
            status = describe_weights(&o.binding, &storing, info);
        describe(&o.architecture, o.binding.tied, o.binding.parameters, storing.dtype, main_dtype(o.checkpoint), info);
        info->model_type = o.family->model_type; /* outlives this call */
    }
    model_opened_close(&o);
    return status;
}

static oclm_status note_holds(model_model *model)
{
    const uint32_t layers = model->architecture.layers;
    model->holds = core_alloc_zero((size_t)model->device_count * layers, sizeof *model->holds, "the layers of devices");
    for (uint32_t i = 0; i < layers && model->holds != NULL; i++) {
        bool *holds = model->holds + (size_t)model->placement.layers[i].device * layers;
        holds[i] = holds[model_cache_layer(&model->architecture, i)] = true;
    }
    return model->holds != NULL ? OCLM_OK : OCLM_ERR_MEMORY;
}

/* Takes the places over, as far as they are followed: a head that is the embedding is where that is. Sets the main device. */
static oclm_status place(model_model *model, const model_placement *wanted, bool tied)
{
    model_placement *own = &model->placement;
    const uint32_t   layers = model->architecture.layers;
    own->layers = core_alloc_zero(layers, sizeof *own->layers, "the places of layers");
    if (own->layers == NULL)
        return OCLM_ERR_MEMORY;
    own->device_count = model->device_count;
    own->layer_count = layers;
    if (wanted != NULL && wanted->layer_count != layers)
        return core_fail(OCLM_ERR_INTERNAL, "a placement is of %u layers, the model has %u", wanted->layer_count, layers);
    for (uint32_t unit = 0; wanted != NULL && unit < MODEL_UNIT_LAYERS + layers; unit++) {
        if (model_place_of(wanted, unit).device >= model->device_count)
            return core_fail(OCLM_ERR_INTERNAL, "a placement names device %u of %u", model_place_of(wanted, unit).device, model->device_count);
    }
    if (wanted != NULL) {
        own->embedding = wanted->embedding;
        own->head = tied ? wanted->embedding : wanted->head;
        memcpy(own->layers, wanted->layers, layers * sizeof *own->layers);
    }
    model->main_index = own->head.device;
    model->device = model->devices[model->main_index];
    return model->device_count > 1 ? note_holds(model) : OCLM_OK;
}

bool model_uses_device(const model_model *model, uint32_t device)
{
    const model_placement *p = &model->placement;
    bool                   uses = p->embedding.device == device || p->head.device == device;
    for (uint32_t i = 0; i < p->layer_count && !uses; i++)
        uses = p->layers[i].device == device;
    return uses;
}

/* Caches and workspace come with the first state, when nothing can be moved any more: a driver that will refuse them is to say so now. */
static oclm_status try_rest(const model_model *model, const model_placement *planned)
{
    oclm_status status = OCLM_OK;
    for (uint32_t i = 0; i < model->device_count && planned != NULL && planned->devices != NULL && status == OCLM_OK; i++) {
        const uint64_t used = dev_memory_used(model->devices[i]), most = planned->devices[i].used;
        if (most > used && model_uses_device(model, i))
            status = dev_memory_try(model->devices[i], most - used, "the KV cache and workspace");
    }
    return status;
}

static oclm_status load_into(const char *folder, const model_load_options *options, model_model *model)
{
    model_opened o;
    const double start = core_seconds();
    oclm_status  status = model_open(folder, options->variant, &o);
    if (status == OCLM_OK) {
        model->architecture = o.architecture;
        model->checkpoint_dtype = main_dtype(o.checkpoint);
        const model_storing storing = model_opened_storing(&o, options);
        if ((status = place(model, options->placement, o.binding.tied)) == OCLM_OK)
            status = describe_weights(&o.binding, &storing, &model->sizes);
        const model_offload_options offload = { .host_bytes = options->host_bytes, .folder = options->offload_folder,
                                                .planned = options->placement, .copies = options->offload_copies };
        model_sites sites = model_sites_of(model);
        sites.offload = &offload;
        if (status == OCLM_OK)
            status = model_weights_load(&sites, &o.binding, &storing, options->progress, options->progress_user, &model->weights);
        if (status == OCLM_OK)
            status = try_rest(model, options->placement);
    }
    if (status == OCLM_OK)
        core_log(OCLM_LOG_INFO, "%s: loaded in %.2f s onto \"%s\"", folder, core_seconds() - start,
                 dev_get_traits(model->device)->info.name);
    model_opened_close(&o);
    return status;
}

model_sites model_sites_of(const model_model *model) { return (model_sites){ model->devices, model->device_count, &model->placement, NULL }; }

static void free_model(model_model *model, bool with_devices)
{
    const model_sites sites = model_sites_of(model);
    model_weights_free(&sites, &model->weights);
    for (uint32_t i = 0; i < model->device_count && with_devices; i++)
        dev_close(model->devices[i]);
    core_free(model->devices);
    core_free(model->placement.layers);
    core_free(model->holds);
    core_free(model->folder);
    core_free(model);
}

oclm_status model_load(const char *folder, dev_device *const *devices, uint32_t count, const model_load_options *options, model_model **model)
{
    oclm_status  status = OCLM_ERR_MEMORY;
    model_model *made = core_alloc_zero(1, sizeof *made, "a model");
    *model = NULL;
    if (made == NULL || (made->devices = core_alloc_array(count, sizeof *made->devices, "the devices of a model")) == NULL) {
        core_free(made);
        return status;
    }
    memcpy(made->devices, devices, count * sizeof(dev_device *));
    made->device_count = count;
    made->device = devices[0];
    if ((made->folder = core_copy_string(folder, "the name of a model's folder")) != NULL)
        status = load_into(folder, options, made);
    if (status == OCLM_OK)
        *model = made;
    else
        free_model(made, false);
    return status;
}

void model_free(model_model *model)
{
    if (model != NULL)
        free_model(model, true);
}

void model_get_info(const model_model *model, oclm_model_info *info)
{
    const oclm_device_info *device = &dev_get_traits(model->device)->info;
    const bool              tied = model->weights.head.part_count == 0;
    const size_t            struct_size = info->struct_size;
    *info = model->sizes;
    info->struct_size = struct_size;
    describe(&model->architecture, tied, model->weights.parameters, model->weights.dtype, model->checkpoint_dtype, info);
    info->device_name = device->name;
    info->device_index = device->index;
    info->device_bytes = 0;
    for (uint32_t i = 0; i < model->device_count; i++)
        info->device_bytes += dev_memory_used(model->devices[i]);
}
