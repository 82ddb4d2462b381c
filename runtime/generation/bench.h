/* bench.h: measures a model on its device, in the shapes that generating has. */
#ifndef OCLM_GENERATION_BENCH_H
#define OCLM_GENERATION_BENCH_H

#include "generation/loop.h"

/* `options` is a whole struct of this version, `result` too; all of `result` but its size is filled.
 * Errors: OCLM_ERR_ARGUMENT (more positions than the model has; nothing to measure), and those of generating. */
oclm_status gen_bench(const model_model *model, const oclm_bench_options *options, oclm_bench_result *result);

#endif
