/* sketch.c: see sketch.h. */
#include "model/sketch.h"

#include <string.h>

#include "model/loader.h"

oclm_status model_sketch_new(const model_opened *o, const model_storing *storing, dev_device *device, model_model **sketch)
{
    const uint32_t layers = o->architecture.layers;
    model_model   *s = core_alloc_zero(1, sizeof *s, "the sketch of a model");
    *sketch = s;
    if (s == NULL)
        return OCLM_ERR_MEMORY;
    s->devices = core_alloc_zero(1, sizeof *s->devices, "the sketch of a model");
    s->weights.layers = core_alloc_zero(layers, sizeof *s->weights.layers, "the sketch of a model");
    s->placement.layers = core_alloc_zero(layers, sizeof *s->placement.layers, "the sketch of a model");
    s->holds = core_alloc_zero(layers, sizeof *s->holds, "the sketch of a model");
    if (s->devices == NULL || s->weights.layers == NULL || s->placement.layers == NULL || s->holds == NULL)
        return OCLM_ERR_MEMORY;
    memset(s->holds, true, layers * sizeof *s->holds);
    s->device = s->devices[0] = device;
    s->device_count = s->placement.device_count = 1;
    s->architecture = o->architecture;
    s->weights.layer_count = s->placement.layer_count = layers;
    s->weights.dtype = storing->dtype;
    model_loader loader = { .device = device, .binding = &o->binding, .storing = storing, .sizing = true };
    return model_load_all(&loader, &s->weights);
}

void model_sketch_free(model_model *s)
{
    if (s == NULL)
        return;
    const model_sites sites = { .devices = s->devices, .device_count = 1 };
    if (s->devices != NULL && s->weights.layers != NULL)
        model_weights_free(&sites, &s->weights);
    core_free(s->weights.layers);
    core_free(s->placement.layers);
    core_free(s->holds);
    core_free(s->devices);
    core_free(s);
}
