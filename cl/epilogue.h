// epilogue.h: what becomes of one sum of a product: activation, then the other half of a gated pair or the residual; in the order of
// matmul.cl, so that bits are the same.
//
// Build     -DGATED=0|1 -DACTIVATION=0..9
#ifndef OCLM_EPILOGUE_H
#define OCLM_EPILOGUE_H

#include "activation.h"

#ifndef GATED
#define GATED 0
#endif

// `up` only with GATED; `add` only without.
static inline void store_output(__global float *to, const float total, const float up, const float add)
{
    const float value = GATED ? GATE(total, up, 1) : ACTIVATE(total, 1);
    *to = GATED ? value : add != 0.0f ? MUL_ADD(add, value, *to) : value;
}

#endif
