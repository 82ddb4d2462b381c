/* mixer_config.c: do the sizes of layers without attention fit together? */
#include "model/architecture.h"

#include <inttypes.h>

#define MOST_KEY_DIM 256u /* a work-item keeps a column of a head's memory (cl/delta_net.cl) */

static oclm_status check_taps(uint32_t taps, const char *origin)
{
    return taps >= 2 && taps <= MODEL_MAX_TAPS
               ? OCLM_OK
               : core_fail(OCLM_ERR_UNSUPPORTED, "%s: a convolution of %" PRIu32 " rows; 2 to %u are supported", origin, taps, MODEL_MAX_TAPS);
}

static oclm_status check_delta_net(const model_delta_net *d, const char *origin)
{
    const uint64_t width = 2 * (uint64_t)d->key_heads * d->key_dim + 2 * (uint64_t)d->value_heads * d->value_dim;
    if (d->value_heads % d->key_heads != 0)
        return core_fail(OCLM_ERR_FORMAT, "%s: %" PRIu32 " value heads (linear_num_value_heads) do not divide evenly among %" PRIu32
                         " key heads (linear_num_key_heads)", origin, d->value_heads, d->key_heads);
    if (d->key_dim > MOST_KEY_DIM)
        return core_fail(OCLM_ERR_UNSUPPORTED, "%s: key heads of linear attention have %" PRIu32 " dimensions (linear_key_head_dim); at most %u "
                         "are supported", origin, d->key_dim, MOST_KEY_DIM);
    if (width > MODEL_MAX_WIDTH)
        return core_fail(OCLM_ERR_UNSUPPORTED, "%s: the heads of linear attention take %" PRIu64 " numbers; at most %u are supported", origin, width,
                         MODEL_MAX_WIDTH);
    return check_taps(d->taps, origin);
}

oclm_status model_check_mixers(const model_architecture *a, const char *origin)
{
    bool        conv = false, delta = false;
    oclm_status status = OCLM_OK;
    for (uint32_t i = 0; i < a->layers; i++) {
        conv = conv || a->layer[i].mixer == MODEL_MIXER_SHORT_CONV;
        delta = delta || a->layer[i].mixer == MODEL_MIXER_DELTA_NET;
    }
    if (conv)
        status = check_taps(a->short_conv.taps, origin);
    if (status == OCLM_OK && delta)
        status = check_delta_net(&a->delta_net, origin);
    if (status == OCLM_OK && (conv || delta) && a->residual != MODEL_RESIDUAL_PRE)
        status = core_fail(OCLM_ERR_INTERNAL, "%s: layers without attention, and norms other than before them", origin);
    return status;
}
