/* pieces.h: for tests of kernels that walk the rows of sequences: sequences cut into passes in several ways. */
#ifndef OCLM_TESTS_CL_PIECES_H
#define OCLM_TESTS_CL_PIECES_H

#include "cl/launches.h"

#define SEQUENCES 3u
#define LONGEST 11u

/* Rows of each sequence in each pass: a sequence may begin late, and go on alone. */
typedef struct cut {
    const char *label;
    uint32_t    passes, counts[LONGEST][SEQUENCES];
} cut;

static const uint32_t lengths[SEQUENCES] = { 11, 1, 6 };
static const cut cuts[] = {
    { "in one piece", 1, { { 11, 1, 6 } } },
    { "row by row", 11, { { 1, 1, 1 }, { 1, 0, 1 }, { 1, 0, 1 }, { 1, 0, 1 }, { 1, 0, 1 }, { 1, 0, 1 }, { 1 }, { 1 }, { 1 }, { 1 }, { 1 } } },
    { "in pieces", 4, { { 2, 0, 0 }, { 5, 1, 2 }, { 1, 0, 4 }, { 3, 0, 0 } } },
};

/* The rows of a pass: which sequence, which position. */
typedef struct pass_rows {
    uint32_t   count;
    int32_t    sequences[SEQUENCES * LONGEST], positions[SEQUENCES * LONGEST];
    dev_buffer sequence_buffer, position_buffer;
} pass_rows;

/* `done` are the positions before this pass, and are counted up. */
static inline pass_rows new_pass(dev_device *device, const cut *c, uint32_t pass, uint32_t done[SEQUENCES])
{
    pass_rows rows = { .count = 0 };
    for (uint32_t s = SEQUENCES; s-- > 0;) { /* in no order of numbers */
        for (uint32_t i = 0; i < c->counts[pass][s]; i++, rows.count++) {
            rows.sequences[rows.count] = (int32_t)s;
            rows.positions[rows.count] = (int32_t)done[s]++;
        }
    }
    rows.sequence_buffer = new_bytes(device, rows.sequences, rows.count * sizeof(int32_t));
    rows.position_buffer = new_bytes(device, rows.positions, rows.count * sizeof(int32_t));
    return rows;
}

static inline void free_pass(dev_device *device, pass_rows *rows)
{
    dev_buffer_free(device, &rows->sequence_buffer);
    dev_buffer_free(device, &rows->position_buffer);
}

/* The pass's rows of values [SEQUENCES][LONGEST][width]; the caller frees them. */
static inline float *rows_of_pass(const pass_rows *rows, const float *values, uint32_t width)
{
    float *all = core_alloc_array((size_t)rows->count * width, sizeof *all, "the rows of a pass");
    assert_non_null(all);
    for (uint32_t r = 0; r < rows->count; r++)
        memcpy(all + (size_t)r * width, values + ((size_t)rows->sequences[r] * LONGEST + (size_t)rows->positions[r]) * width, width * sizeof *all);
    return all;
}

#endif
