/* loader.h: what the files that bring weights to the device share: loader.c has most of it. Inside weights.c, weight_sizes.c,
 * rows.c, expert_weights.c and mixer_weights.c.
 *
 * What weights take is counted by the same functions that load them (`sizing`): nothing is then read or made. */
#ifndef OCLM_MODEL_LOADER_H
#define OCLM_MODEL_LOADER_H

#include "model/offload.h"

typedef struct model_loader {
    const model_sites      *sites;       /* NULL while sizing */
    dev_device             *device;      /* of the unit that is being loaded; while sizing: for which matrices get parts without memory; NULL: none */
    const model_binding    *binding;
    const model_storing    *storing;
    bool                    sizing;
    oclm_progress_callback  progress;
    void                   *user;
    uint64_t                done, total; /* bytes of the checkpoint */
    model_weight_sizes      sizes;       /* of what was loaded so far */
    uint64_t                vectors;     /* bytes of them that are no matrices */
    uint32_t                matrices;    /* how many there were */
    model_unit_size        *units;       /* [MODEL_UNIT_LAYERS + layers]: of them, what each unit of placement takes; NULL: not wanted */
    model_unit_size         unit_begin;
} model_loader;

/* One tensor is on the device: its pages may leave, and whoever waits is told. */
oclm_status model_loaded(model_loader *loader, const ckpt_tensor *tensor);
/* Rows of a role's tensor, and where they go: as dev_matrix_source. A vector's rows are its elements. */
typedef struct model_part {
    model_role role;
    uint32_t   from, count;
    uint32_t   first_row, panel_step;
} model_part;

/* All rows of a role's tensor, at the beginning; and the same of its bias. */
model_part  model_whole(const model_loader *loader, model_role role, uint32_t layer);
model_part  model_bias_of(model_part part);

/* Rows of a tensor, every step-th from `from` on, and where they go: as dev_matrix_source. */
typedef struct model_rows {
    const ckpt_tensor *tensor;
    bool               transposed;
    uint32_t           all_rows; /* where it is transposed: of the tensor, or, where it is several matrices one behind the other, each transposed by
                                    itself, of one of them, in which all rows then lie */
    uint32_t           columns, from, count, step, first_row, panel_step;
} model_rows;

/* To a matrix (rows.c). */
oclm_status model_fill_rows(model_loader *loader, const model_rows *rows, dev_matrix *matrix);
/* Elements of a tensor in float32, whatever way it is stored (rows.c). */
oclm_status model_read_floats(const ckpt_tensor *tensor, size_t from, size_t count, float *into);
/* Makes a matrix, or counts what it takes; a token's pass reads `share` of it. */
oclm_status model_new_matrix(model_loader *loader, const dev_matrix_run *runs, size_t count, uint32_t columns, double share, const char *name,
                             dev_matrix *matrix);
/* A matrix of several parts; those of a tensor come one after another. */
oclm_status model_load_parts(model_loader *loader, const model_part *parts, size_t count, uint32_t layer, uint64_t rows, dev_matrix *matrix);
/* The same of one part, of a table from which a token's pass takes single rows. */
oclm_status model_load_table(model_loader *loader, const model_part *part, dev_matrix *matrix);
/* A role's matrix of one tensor, or vector in float32; nothing where the layer has none. */
oclm_status model_load_matrix(model_loader *loader, model_role role, uint32_t layer, dev_matrix *matrix);
oclm_status model_load_vector(model_loader *loader, model_role role, uint32_t layer, dev_buffer *buffer);
/* Such a buffer with these values, of 4 bytes each. `name` is for messages. */
oclm_status model_new_vector(model_loader *loader, const char *name, const void *values, size_t bytes, dev_buffer *buffer);
/* A matrix of several parts and, if it has one, its bias, which lies alike. `parts` become those of the bias. */
oclm_status model_load_fused(model_loader *loader, model_part *parts, size_t count, uint32_t layer, uint64_t rows, bool has_bias,
                             dev_matrix *matrix, dev_buffer *bias);
/* A norm, of which the architecture may have all, no tensors, or nothing. `role` is its weight's. */
oclm_status model_load_norm(model_loader *loader, const model_norm_shape *shape, model_role role, bool may_have_bias, uint32_t layer,
                            dev_norm *norm);
/* One without a bias, whose factors are all multiplied by one number. */
oclm_status model_load_scaled_norm(model_loader *loader, const model_norm_shape *shape, model_role role, float times, uint32_t layer,
                                   dev_norm *norm);
/* The elements that a part says, in float32, of one tensor or, where each head has its own, of all in turn. `is_last`: nothing else is
 * wanted of it. */
oclm_status model_read_elements(model_loader *loader, const model_part *part, uint32_t layer, bool is_last, float *into);

/* What so many float32 take, rounded up to whole panels. */
static inline uint64_t model_vector_bytes(uint64_t count) { return dev_padded(count) * sizeof(float); }
/* OCLM_ERR_DEVICE_MEMORY where the weights do not fit: needed, available, and which way of storing them would (weight_sizes.c). */
oclm_status model_weights_check_budget(const model_sites *sites, const model_binding *binding, const model_storing *storing);
/* All weights by a loader that is set up; `weights` has its table of layers (weights.c). */
oclm_status model_load_all(model_loader *loader, model_weights *weights);

/* Everything of a layer's experts but the shared one (expert_weights.c). */
oclm_status model_load_experts(model_loader *loader, uint32_t layer, model_expert_weights *experts);
void        model_experts_free(dev_device *device, model_expert_weights *experts);

/* Everything of a layer without attention but its norm (mixer_weights.c). */
oclm_status model_load_mixer(model_loader *loader, uint32_t index, model_layer *layer);
void        model_mixer_free(dev_device *device, model_mixer_weights *mixer);

#endif
