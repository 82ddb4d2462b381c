/* trial.h: a product made up for measuring or checking, with buffers of its own. Inside the device room. */
#ifndef OCLM_DEVICE_TRIAL_H
#define OCLM_DEVICE_TRIAL_H

#include "device/provider.h"

typedef struct dev_trial_shape {
    core_storage   storage;
    uint32_t       rows, n, k;         /* y[rows][n] = x[rows][k] * W^T; DEV_GATED: n of gate and up together */
    uint32_t       x_padding, y_padding; /* floats behind each row */
    dev_norm_kind  norm;
    dev_epilogue   epilogue;
    dev_activation activation;
    bool           bias;
    dev_siblings   siblings;
} dev_trial_shape;

typedef struct dev_trial {
    dev_matmul m; /* points at what follows: a trial stays where it was made */
    dev_matrix weight;
    dev_buffer x, y, bias, scratch;
} dev_trial; /* empty: all zero */

/* All numbers are zero, but for weights that are codes: those are drawn. `provider`: who is going to serve it, so that the scratch is enough; NULL: whoever dev_matmul_add() chooses. */
oclm_status dev_trial_new(dev_device *device, const dev_trial_shape *shape, const dev_provider *provider, dev_trial *trial);
void        dev_trial_free(dev_device *device, dev_trial *trial);

/* Draws codes with scales and minima for which weights are of about 1 in size. `state`: of the generator. OCLM_ERR_MEMORY. */
oclm_status dev_trial_codes(const core_storage *storage, uint32_t rows, uint32_t columns, uint64_t *state, core_codes *codes);
/* Fills a matrix with such ones. */
oclm_status dev_trial_fill_codes(dev_device *device, dev_matrix *matrix);

#endif
