/* turns.h: times of things that take turns. The machine's speed changes from minute to minute and others use it too, so rates are compared
 * within a round: each round measures all things once. */
#ifndef OCLM_BENCH_TURNS_H
#define OCLM_BENCH_TURNS_H

#include <stdlib.h>
#include <string.h>

#define BENCH_MOST_ROUNDS 64

/* Seconds that one thing took, round by round. All zero: none yet. */
typedef struct bench_times {
    double seconds[BENCH_MOST_ROUNDS];
    size_t rounds;
} bench_times;

static inline void bench_add(bench_times *times, double seconds)
{
    if (times->rounds < BENCH_MOST_ROUNDS)
        times->seconds[times->rounds++] = seconds;
}

static inline int bench_smaller_first(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y ? 1 : 0;
}

static inline double bench_middle(const double *values, size_t count)
{
    double sorted[BENCH_MOST_ROUNDS];
    memcpy(sorted, values, count * sizeof *values);
    qsort(sorted, count, sizeof *sorted, bench_smaller_first);
    return count == 0 ? 0 : (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
}

static inline double bench_median(const bench_times *times) { return bench_middle(times->seconds, times->rounds); }

static inline double bench_best(const bench_times *times)
{
    double best = times->rounds > 0 ? times->seconds[0] : 0;
    for (size_t i = 1; i < times->rounds; i++)
        best = times->seconds[i] < best ? times->seconds[i] : best;
    return best;
}

/* How many times as fast `times` was as `other`: the best of both, and the median of what each round says. */
static inline double bench_best_ratio(const bench_times *times, const bench_times *other)
{
    return bench_best(other) / bench_best(times);
}

static inline double bench_median_ratio(const bench_times *times, const bench_times *other)
{
    double ratios[BENCH_MOST_ROUNDS];
    size_t count = 0;
    for (; count < times->rounds && count < other->rounds; count++)
        ratios[count] = other->seconds[count] / times->seconds[count];
    return bench_middle(ratios, count);
}

#endif
