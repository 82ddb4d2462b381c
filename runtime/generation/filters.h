/* filters.h: records the filters of sampling, temperature to eta_cutoff, in as few passes over the scores as they need (cl/filter.cl). */
#ifndef OCLM_GENERATION_FILTERS_H
#define OCLM_GENERATION_FILTERS_H

#include "generation/config.h"
#include "generation/parts.h"

/* Records those that are on, for the first `rows` rows. Afterwards the workspace holds what a draw goes by: largest scores and masses. */
oclm_status gen_filters_add(const gen_parts *parts, const gen_config *config, dev_work *work, uint32_t rows, const dev_buffer *scores);
/* Records what any probability is made of: each part's largest score and its mass, into the workspace. */
oclm_status gen_mass_add(const gen_parts *parts, dev_work *work, uint32_t rows, const dev_buffer *scores);

#endif
