/* config_lists.h: the lists of a gen_config, checked and copied. */
#ifndef OCLM_GENERATION_CONFIG_LISTS_H
#define OCLM_GENERATION_CONFIG_LISTS_H

#include "generation/config_merge.h"

/* Copies all lists into `config`, whose eos tokens and limits are decided. Errors: OCLM_ERR_ARGUMENT (which id of which list), OCLM_ERR_MEMORY. */
oclm_status gen_config_copy_lists(const gen_merged *merged, gen_config *config);

#endif
