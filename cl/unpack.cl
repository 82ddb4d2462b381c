// unpack: panels of 32 rows, column by column (matrix.h), become one dense float32 matrix [columns][n], as BLAS libraries take it
//   to      fp32 [columns][n], from element 0 on; n: a multiple of 32, 32 for each panel of this block
//   w       one part of the matrix; the block begins with its panel first_panel
// A work-item takes VEC rows of a panel by BLOCK columns: a vector where work-items run vector code, 1 where they are lanes
// Launch    {n / VEC, ceil(columns / BLOCK)}, local {1, 1} or any
// Build     -DSTORAGE=0..3 (3: as code_panel.h) -DVEC=1|16 -DBLOCK=1..
// Test      tests/device/test_clblast.c, of codes tests/cl/test_embed_codes.c

#include "panel_weight.h"

#ifndef VEC
#define VEC 16
#endif
#ifndef BLOCK
#define BLOCK 64
#endif
#define PANEL 32

__kernel void unpack_panels(__global float *restrict to, const __global stored *restrict w, const uint first_panel, const uint columns,
                            const uint n)
{
    const uint row = (uint)get_global_id(0) * VEC; // of the block
    const uint begin = (uint)get_global_id(1) * BLOCK;
    const uint end = min(begin + BLOCK, columns);
    w += (size_t)(first_panel + row / PANEL) * PANEL_SIZE(columns);
    to += row;
    for (uint k = begin; k < end; k++)
#if VEC == 1 || STORAGE == STORAGE_CODES
        for (uint r = 0; r < VEC; r++)
            to[(size_t)k * n + r] = WEIGHT(w, columns, k, row % PANEL + r);
#else
        STORE_VECTOR(VEC, LOAD_W(w + (size_t)k * PANEL + row % PANEL, VEC), to + (size_t)k * n);
#endif
}
