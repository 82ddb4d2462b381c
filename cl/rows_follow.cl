// rows_follow: rows `rows` + r go on with the id that row r has chosen, one position on: rows without a prompt beside those with one
//   ids, positions   int32 [2 * rows]
//   advance          0 behind a prefill, whose positions are set anew; else 1
// Launch    {rows}; any local size
// Test      tests/generation/test_golden.c

__kernel void rows_follow(__global int *restrict ids, __global int *restrict positions, const uint rows, const int advance)
{
    const size_t row = get_global_id(0);
    ids[rows + row] = ids[row];
    positions[rows + row] += advance;
}
