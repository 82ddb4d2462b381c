/* layers.c: the layers of a decoding step in few launches of cl/decode_layers.cl: where the device orders its work-groups, every row is of
 * another sequence, and the products' kernels are those of cl/matmul.cl. */
#include <stdio.h>

#include "device/program.h"
#include "model/layer_steps.h"
#include "model/offload.h"

/* A driver may hand several groups to one core before the next has woken. */
#define GROUPS_PER_CORE 4u
#define PROGRESS_BYTES(cores) ((64 + 16 * (size_t)(cores)) * sizeof(uint32_t)) /* cl/tickets.h */

/* What all launches are built with. */
typedef struct build {
    core_text options;
    core_text of_units[2 * MODEL_MAX_KINDS];
    dev_unit  units[2 * MODEL_MAX_KINDS];
    size_t    unit_count;
} build;

static void build_deinit(build *b)
{
    core_text_free(&b->options);
    for (size_t i = 0; i < b->unit_count; i++)
        core_text_free(&b->of_units[i]);
}

/* `name`: the function that the kernel calls, less its number. */
static oclm_status add_units(build *b, const model_kinds *kinds, const char *source, const char *macro, const char *name)
{
    oclm_status status = OCLM_OK;
    for (uint32_t i = 0; i < kinds->count && status == OCLM_OK; i++) {
        core_text *options = &b->of_units[b->unit_count];
        status = core_text_printf(options, "-cl-std=CL3.0 %s -D%s=%s_%u", kinds->options[i].data, macro, name, i);
        b->units[b->unit_count++] = (dev_unit){ source, options->data };
    }
    return status;
}

/* The first of the layers that is no attention. */
static uint32_t first_mixer(const model_architecture *a)
{
    uint32_t i = 0;
    while (i + 1 < a->layers && a->layer[i].mixer == MODEL_MIXER_ATTENTION)
        i++;
    return i;
}

static oclm_status write_build(const model_steps *s, build *b)
{
    const model_architecture *a = &s->state->model->architecture;
    char                      routing[DEV_ROUTING_OPTIONS] = "", mixer[MODEL_MIXER_OPTIONS] = "";
    oclm_status               status;
    if (s->routes)
        dev_routing_options(&a->experts.routing, routing);
    if (s->mixes)
        model_mixer_options(a, first_mixer(a), mixer);
    if ((status = core_text_printf(&b->options, "-cl-std=CL3.0 -DNORM=%d -DXIELU=%d -DUNITS=%u -DFORMS=%u -DQUANTIZED=%d -DEXPERTS=%d %s%s",
                                   (int)a->norm.kind, s->xielu, s->units.count, s->forms.count, s->state->cache.quantized, s->routes, routing,
                                   mixer)) != OCLM_OK ||
        (status = add_units(b, &s->units, "layer_unit", "SERVE", "serve")) != OCLM_OK)
        return status;
    return add_units(b, &s->forms, "layer_attention", "ATTEND", "attend");
}

static oclm_status add_launch(const model_steps *s, const build *b, const model_steps_launch *l, const dev_buffer *table, dev_work *work)
{
    const dev_buffer *progress;
    dev_arg           args[DEV_MAX_ARGS];
    cl_uint           count = 0;
    const oclm_status status = dev_work_counters(work, PROGRESS_BYTES(s->cores), &progress);
    if (status != OCLM_OK)
        return status;
    args[count++] = dev_arg_buffer(progress);
    args[count++] = dev_arg_buffer(table);
    args[count++] = dev_arg_u32(l->first_step);
    args[count++] = dev_arg_u32(l->steps);
    args[count++] = dev_arg_u32(s->cores);
    args[count++] = dev_arg_local(s->local_bytes);
    for (uint32_t i = 0; i < MODEL_MAX_POINTERS; i++)
        args[count++] = dev_arg_memory(i < l->pointers ? l->pointer[i] : NULL);
    const dev_launch launch = { .source = "decode_layers", .kernel = "decode_layers", .options = b->options.data, .units = b->units,
                                .unit_count = b->unit_count, .dims = 1, .global = { (size_t)s->cores * GROUPS_PER_CORE }, .local = { 1 },
                                .args = args, .arg_count = count };
    return dev_work_add(work, &launch);
}

static oclm_status add_launches(const model_steps *s, dev_work *work)
{
    const model_offload *offload = s->state->model->weights.offload;
    const dev_buffer    *table = NULL;
    build                b = { .options = CORE_TEXT_INIT };
    oclm_status          status = write_build(s, &b);
    if (status == OCLM_OK)
        status = dev_work_table(work, s->steps, s->step_count * sizeof *s->steps, "the steps of layers", &table);
    for (size_t i = 0; i < s->launch_count && status == OCLM_OK; i++) {
        const model_steps_launch *l = &s->launches[i];
        dev_work                 *inner = work;
        for (uint32_t k = 0; k < l->layers && status == OCLM_OK; k++)
            status = model_offload_begin(offload, work, MODEL_KEPT_LAYERS + l->first_layer + k, s->shape->logit_rows > 0, &inner);
        if (status == OCLM_OK)
            status = add_launch(s, &b, l, table, inner);
    }
    build_deinit(&b);
    return status;
}

oclm_status model_layers_add(const model_state *state, dev_work *work, const model_pass_shape *shape, uint32_t first, uint32_t count, uint32_t *added)
{
    model_steps s = { .state = state, .shape = shape, .cores = dev_get_traits(state->device)->info.compute_units };
    oclm_status status = OCLM_OK;
    *added = 0;
    if (state->step_by_step || !shape->single_rows || !dev_orders_groups(state->device))
        return OCLM_OK;
    if ((status = model_steps_write(&s, first, count, added)) == OCLM_OK && *added > 0)
        status = add_launches(&s, work);
    model_steps_free(&s);
    return status;
}
