// panel_weight.h: one weight of a panel (matrix.h) as a float, however it is stored
//
//   WEIGHT(panel, columns, k, row)  input k of row 0 .. 31
// Build     as storage.h, and of codes code_panel.h
// Test      tests/cl/test_embed.c, tests/cl/test_embed_codes.c
#ifndef OCLM_PANEL_WEIGHT_H
#define OCLM_PANEL_WEIGHT_H

#include "storage.h"

#if STORAGE == STORAGE_CODES
#include "codes.h"
#define WEIGHT(panel, columns, k, row) code_value(panel, columns, k, row)
#else
#define WEIGHT(panel, columns, k, row) LOAD_W1((panel) + (size_t)(k) * 32 + (row))
#endif

#endif
