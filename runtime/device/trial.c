/* trial.c: a product made up for measuring or checking: a matrix and buffers of zeros. Codes are drawn: a zero
 * may stand for a scale so small (2^-127) that computing with it takes longer. */
#include "device/trial.h"

static const char what[] = "a trial of the matrix product";

static oclm_status zeros(dev_device *device, size_t floats, dev_buffer *buffer)
{
    return dev_buffer_new_zero(device, dev_queue(device), floats * sizeof(float), what, buffer);
}

static oclm_status add_scratch(dev_device *device, const dev_trial_shape *s, const dev_provider *provider, dev_trial *t)
{
    size_t floats = dev_matmul_scratch(device, &t->weight, s->rows, s->norm, s->epilogue);
    if (provider && provider->scratch)
        floats += provider->scratch(provider, device, &t->weight, s->rows);
    t->m.scratch_floats = floats;
    t->m.scratch = &t->scratch;
    return floats ? dev_buffer_new(device, floats * sizeof(float), what, &t->scratch) : OCLM_OK;
}

/* A norm's weights and bias. Zero weights would make all rows zero: a trial for checking writes its own. */
static oclm_status add_norm(dev_device *device, const dev_trial_shape *s, dev_trial *t)
{
    oclm_status status = OCLM_OK;
    t->m.norm.kind = s->norm;
    t->m.norm.eps = 1e-5f;
    if (s->norm != DEV_NORM_NONE)
        status = zeros(device, s->k, &t->m.norm.weight);
    if (s->norm == DEV_NORM_LAYER && status == OCLM_OK)
        status = zeros(device, s->k, &t->m.norm.bias);
    return status;
}

oclm_status dev_trial_new(dev_device *device, const dev_trial_shape *s, const dev_provider *provider, dev_trial *t)
{
    oclm_status status;
    *t = (dev_trial){ .m = { .rows = s->rows, .epilogue = s->epilogue, .activation = s->activation, .siblings = s->siblings } };
    const dev_matrix_run run = { s->storage, s->n };
    if ((status = dev_matrix_new_stored(device, &run, 1, s->k, what, &t->weight)) != OCLM_OK)
        return status;
    const uint32_t padded = t->weight.panels * DEV_PANEL;
    t->m.weight = &t->weight;
    t->m.x = &t->x;
    t->m.x_stride = s->k + s->x_padding;
    t->m.y = &t->y;
    t->m.y_stride = (s->epilogue == DEV_GATED ? padded / 2 : padded) + s->y_padding;
    t->m.bias = s->bias ? &t->bias : NULL;
    if ((status = core_storage_is_float(&s->storage) ? OCLM_OK : dev_trial_fill_codes(device, &t->weight)) != OCLM_OK ||
        (status = zeros(device, (size_t)s->rows * t->m.x_stride, &t->x)) != OCLM_OK ||
        (status = zeros(device, (size_t)s->rows * t->m.y_stride, &t->y)) != OCLM_OK ||
        (status = s->bias ? zeros(device, padded, &t->bias) : OCLM_OK) != OCLM_OK || (status = add_norm(device, s, t)) != OCLM_OK ||
        (status = add_scratch(device, s, provider, t)) != OCLM_OK)
        dev_trial_free(device, t);
    return status;
}

void dev_trial_free(dev_device *device, dev_trial *t)
{
    dev_matrix_free(device, &t->weight);
    dev_buffer_free(device, &t->x);
    dev_buffer_free(device, &t->y);
    dev_buffer_free(device, &t->bias);
    dev_buffer_free(device, &t->scratch);
    dev_buffer_free(device, &t->m.norm.weight);
    dev_buffer_free(device, &t->m.norm.bias);
}
