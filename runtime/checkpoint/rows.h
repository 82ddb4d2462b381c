/* rows.h: a tensor's numbers as float32, some rows at a time, for those who write them otherwise. */
#ifndef OCLM_CHECKPOINT_ROWS_H
#define OCLM_CHECKPOINT_ROWS_H

#include "checkpoint/checkpoint.h"

/* Of a plain tensor, rows first .. first + count - 1 of [rows][columns] into `values`; `transposed`: the tensor is [columns][rows].
 * Errors: OCLM_ERR_FORMAT (a value that is not finite), OCLM_ERR_UNSUPPORTED (no F32, F16 or BF16): the tensor. OCLM_ERR_MEMORY. */
oclm_status ckpt_read_rows(const ckpt_tensor *tensor, bool transposed, uint64_t rows, uint64_t columns, uint64_t first, uint64_t count,
                           float *values);

/* Of a quantised one, rows first .. first + count - 1 as values [count][columns], each column where it lies in the weight.
 * Errors: OCLM_ERR_FORMAT (a number that is not finite), OCLM_ERR_MEMORY. */
oclm_status ckpt_read_values(const ckpt_tensor *tensor, uint64_t first, uint64_t count, float *values);

/* How many rows to take at once so that their floats are about a quarter of a megabyte; at least 1. */
uint64_t ckpt_rows_at_once(uint64_t columns);

#endif
