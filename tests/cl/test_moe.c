/* Mixtures of experts (device/experts.h, cl/moe_*.cl) on every device: who is chosen and how much each counts against double precision; whole
 * mixtures against the same, with few rows and many; and the same bits however rows are cut into batches. */
#include "device/experts.h"

#include "cl/matrices.h"

/* ---- Routing */

typedef struct routing_case {
    const char *label;
    uint32_t    rows;
    bool        correction, ties, counted;
    dev_routing r;
} routing_case;

#define SOFTMAX DEV_ROUTER_SOFTMAX
#define TOP     DEV_ROUTER_TOP
#define SIGMOID DEV_ROUTER_SIGMOID

/* Rows, correction, ties, counted; then router, count, chosen, groups, of which chosen, group_sum, normalised, eps, scale. */
static const routing_case routings[] = {
    { "one of one", 3, false, false, false, { SOFTMAX, 1, 1, 0, 0, false, false, 0, 1 } },
    { "softmax, two of eight, normalised", 37, false, false, false, { SOFTMAX, 8, 2, 0, 0, false, true, 0, 1 } },
    { "softmax, four of sixty", 19, false, false, false, { SOFTMAX, 60, 4, 0, 0, false, false, 0, 1 } },
    { "softmax, eight of 128, normalised", 5, false, false, false, { SOFTMAX, 128, 8, 1, 1, false, true, 0, 1 } },
    { "softmax, three of nine, normalised, each times its own number", 11, false, false, true, { SOFTMAX, 9, 3, 0, 0, false, true, 0, 0.5f } },
    { "softmax, all of five", 4, false, false, false, { SOFTMAX, 5, 5, 0, 0, false, false, 0, 1 } },
    { "softmax of ties", 64, false, true, false, { SOFTMAX, 16, 3, 0, 0, false, true, 0, 1 } },
    { "the largest, then softmax", 33, false, false, false, { TOP, 8, 2, 0, 0, false, false, 0, 1 } },
    { "the largest of ties, then softmax", 33, false, true, false, { TOP, 32, 4, 0, 0, false, false, 0, 1 } },
    { "softmax, the best groups, scaled", 21, false, false, false, { SOFTMAX, 64, 6, 8, 3, false, false, 0, 16 } },
    { "softmax, the best groups of ties", 50, false, true, false, { SOFTMAX, 12, 2, 4, 2, false, false, 0, 1 } },
    { "sigmoid, normalised with eps", 9, false, false, false, { SIGMOID, 32, 4, 0, 0, false, true, 1e-6f, 1 } },
    { "sigmoid, corrected, the best groups by two, scaled", 17, true, false, false, { SIGMOID, 256, 8, 8, 4, true, true, 1e-20f, 2.5f } },
    { "sigmoid of ties, corrected, groups of one", 17, true, true, false, { SIGMOID, 6, 2, 6, 3, true, true, 1e-20f, 1 } },
    { "as many as there may be", 2, false, true, false, { SIGMOID, DEV_MAX_EXPERTS, 16, 0, 0, false, true, 0, 1 } },
};

/* The rank of values[own]; of equals the first is better. */
static uint32_t rank_of(const double *values, uint32_t count, uint32_t own)
{
    uint32_t rank = 0;
    for (uint32_t i = 0; i < count; i++)
        rank += values[i] > values[own] || (values[i] == values[own] && i < own);
    return rank;
}

static double best_of_group(const dev_routing *r, const double *choice, uint32_t group)
{
    const uint32_t size = r->count / r->groups;
    double         sum = 0;
    for (uint32_t i = 0; i < size; i++) {
        const uint32_t rank = rank_of(choice + group * size, size, i);
        sum += rank == 0 || (rank == 1 && r->group_sum) ? choice[group * size + i] : 0;
    }
    return sum;
}

/* How much each expert counts for one row; 0: not chosen. */
static void route_exactly(const dev_routing *r, const float *logits, const float *correction, const float *counts, double *weights)
{
    double score[DEV_MAX_EXPERTS], choice[DEV_MAX_EXPERTS], masked[DEV_MAX_EXPERTS], group[DEV_MAX_EXPERTS], all = 0, sum = 0;
    for (uint32_t e = 0; e < r->count; e++)
        all += exp((double)logits[e]);
    for (uint32_t e = 0; e < r->count; e++) {
        const double x = (double)logits[e];
        score[e] = r->router == DEV_ROUTER_SOFTMAX ? exp(x) / all : r->router == DEV_ROUTER_SIGMOID ? 1 / (1 + exp(-x)) : x;
        choice[e] = score[e] + (correction ? (double)correction[e] : 0);
    }
    for (uint32_t g = 0; g < r->groups; g++)
        group[g] = best_of_group(r, choice, g);
    for (uint32_t e = 0; e < r->count; e++)
        masked[e] = r->groups > 1 && rank_of(group, r->groups, e / (r->count / r->groups)) >= r->groups_chosen ? -INFINITY : choice[e];
    for (uint32_t e = 0; e < r->count; e++) {
        const bool chosen = rank_of(masked, r->count, e) < r->chosen;
        weights[e] = !chosen ? 0 : r->router == DEV_ROUTER_TOP ? exp(score[e]) : score[e];
        sum += weights[e];
    }
    for (uint32_t e = 0; e < r->count; e++)
        weights[e] *= (counts ? (double)counts[e] : 1) * (double)r->scale /
                      (r->normalised ? sum + (double)r->eps : r->router == DEV_ROUTER_TOP ? sum : 1);
}

/* Apart by 1/64 or equal, so that rounding decides nothing. */
static float *new_logits(size_t count, bool ties)
{
    float *logits = new_numbers(17, count);
    for (size_t i = 0; i < count; i++)
        logits[i] = ties ? rintf(logits[i] * 2) / 2 : rintf(logits[i] * 7 * 64) / 64;
    return logits;
}

static void *read_all(dev_device *device, const dev_buffer *buffer) { return read_floats(device, buffer); }

/* Ids ascend, are those of double precision, and count what they count there: a softmax or a sigmoid is a few roundings, a sum of n as many. */
static void check_row(const routing_case *c, uint32_t row, const double *want, const uint32_t *ids, const float *weights)
{
    const double tolerance = (16.0 + c->r.count) * 0x1p-24;
    uint32_t     j = 0;
    for (uint32_t e = 0; e < c->r.count; e++) {
        if (want[e] <= 0)
            continue;
        if (j >= c->r.chosen || ids[j] != e)
            fail_msg("%s: row %u: expert %u is not chosen as number %u", c->label, row, e, j);
        if (!(fabs((double)weights[j] - want[e]) <= tolerance * want[e]))
            fail_msg("%s: row %u, expert %u: weight %.9g, want %.9g", c->label, row, e, (double)weights[j], want[e]);
        j++;
    }
    assert_int_equal(j, c->r.chosen);
}

/* Sorted slots are by expert and then by row, and the tiles cover each of them once. */
static void check_sorting(dev_device *device, const routing_case *c, const dev_routes *routes, const uint32_t *ids)
{
    const dev_expert_tiles want = dev_expert_tiles_for(device, &c->r, routes, c->rows);
    const uint32_t         slots = c->rows * c->r.chosen;
    uint32_t *row_of = read_all(device, &routes->row_of), *place_of = read_all(device, &routes->place_of);
    uint32_t *tiles = read_all(device, &routes->tiles), *expert_of = core_alloc_zero(slots, sizeof *expert_of, "experts"), slot = 0;
    assert_non_null(expert_of);
    for (uint32_t s = 0; s < slots; s++) {
        assert_in_range(place_of[s], 0, slots - 1);
        assert_int_equal(row_of[place_of[s]], s / c->r.chosen);
        expert_of[place_of[s]] = ids[s];
    }
    for (uint32_t t = 0; t < want.count; t++) {
        const uint32_t *tile = tiles + 4 * t;
        if (tile[2] == 0)
            continue;
        assert_in_range(tile[2], 1, want.rows);
        assert_int_equal(tile[1], slot);
        for (uint32_t end = slot + tile[2]; slot < end; slot++) {
            if (expert_of[slot] != tile[0] || (slot > 0 && (expert_of[slot] < expert_of[slot - 1] ||
                                                            (expert_of[slot] == expert_of[slot - 1] && row_of[slot] <= row_of[slot - 1]))))
                fail_msg("%s: slot %u: expert %u, row %u, in a tile of expert %u", c->label, slot, expert_of[slot], row_of[slot], tile[0]);
        }
    }
    assert_int_equal(slot, slots);
    core_free(row_of);
    core_free(place_of);
    core_free(tiles);
    core_free(expert_of);
}

static void try_routing(dev_device *device, const routing_case *c, bool lanes)
{
    const uint32_t stride = c->r.count + 3;
    dev_work      *work = NULL;
    dev_routes     routes;
    double         want[DEV_MAX_EXPERTS];
    float         *logits = new_logits((size_t)c->rows * c->r.count, c->ties), *correction = new_numbers(3, c->r.count);
    float         *counts = new_numbers(4, c->r.count);
    for (uint32_t e = 0; e < c->r.count; e++)
        counts[e] = fabsf(counts[e]) + 0.25f;
    dev_buffer     logits_buffer = new_rows(device, logits, c->rows, c->r.count, stride, 0);
    dev_buffer     correction_buffer = new_rows(device, correction, 1, c->r.count, c->r.count, 0);
    dev_buffer counts_buffer = new_rows(device, counts, 1, c->r.count, c->r.count, 0);
    assert_ok(dev_routes_new(device, &c->r, c->rows, &routes));
    routes.lanes = lanes;
    assert_ok(dev_work_new(device, &work));
    if (dev_route_add(work, &c->r, &logits_buffer, stride, c->correction ? &correction_buffer : NULL, c->counted ? &counts_buffer : NULL, c->rows,
                      &routes) != OCLM_OK)
        fail_msg("%s: %s", c->label, oclm_last_error());
    run_work(device, work);
    uint32_t *ids = read_all(device, &routes.ids);
    float    *weights = read_floats(device, &routes.weights);
    for (uint32_t row = 0; row < c->rows; row++) {
        route_exactly(&c->r, logits + (size_t)row * c->r.count, c->correction ? correction : NULL,
                      c->counted ? counts : NULL, want);
        check_row(c, row, want, ids + row * c->r.chosen, weights + row * c->r.chosen);
    }
    check_sorting(device, c, &routes, ids);
    core_free(ids);
    core_free(weights);
    core_free(logits);
    core_free(correction);
    core_free(counts);
    dev_work_free(work);
    dev_routes_free(device, &routes);
    dev_buffer_free(device, &logits_buffer);
    dev_buffer_free(device, &counts_buffer);
    dev_buffer_free(device, &correction_buffer);
}

static void try_routings(dev_device *device, void *user)
{
    (void)user;
    for (size_t i = 0; i < 2 * COUNT(routings); i++)
        try_routing(device, &routings[i / 2], i % 2 == 1);
}

static void the_right_experts_are_chosen(void **state)
{
    (void)state;
    devices_each(try_routings, NULL);
}

/* Whatever the logits are, each row gets as many experts as it should, all different. */
static void try_broken_logits(dev_device *device, void *user)
{
    const dev_routing r = { .router = DEV_ROUTER_SOFTMAX, .count = 8, .chosen = 3, .scale = 1 };
    float             logits[4][8];
    dev_work         *work = NULL;
    dev_routes        routes;
    (void)user;
    for (uint32_t e = 0; e < 8; e++) {
        logits[0][e] = NAN;
        logits[1][e] = INFINITY;
        logits[2][e] = -INFINITY;
        logits[3][e] = e == 5 ? NAN : (float)e;
    }
    dev_buffer buffer = new_rows(device, &logits[0][0], 4, 8, 8, 0);
    assert_ok(dev_routes_new(device, &r, 4, &routes));
    assert_ok(dev_work_new(device, &work));
    assert_ok(dev_route_add(work, &r, &buffer, 8, NULL, NULL, 4, &routes));
    run_work(device, work);
    uint32_t *ids = read_all(device, &routes.ids);
    for (uint32_t i = 0; i < 12; i++) {
        assert_in_range(ids[i], 0, 7);
        assert_true(i % 3 == 0 || ids[i] > ids[i - 1]);
    }
    core_free(ids);
    dev_work_free(work);
    dev_routes_free(device, &routes);
    dev_buffer_free(device, &buffer);
}

static void broken_logits_choose_as_many(void **state)
{
    (void)state;
    devices_each(try_broken_logits, NULL);
}

/* ---- Whole mixtures */

#define SWIGLU_ALPHA 1.5f
#define SWIGLU_LIMIT 0.75f /* so that much is cut */

typedef struct mixture {
    const char    *label;
    uint32_t       rows, hidden, width, experts, chosen;
    core_dtype     dtype;
    dev_activation activation;
    bool           bias, shared, gate;
    float          scale;
    uint32_t       cut; /* 0: as many panels of an expert as lie in the first of two parts */
    bool           large;
} mixture;

static const mixture mixtures[] = {
    { "one row", 1, 36, 20, 4, 2, CORE_F32, DEV_ACT_SILU, false, false, false, 1, 0, false },
    { "one row, bfloat16, biases", 1, 70, 33, 5, 3, CORE_BF16, DEV_ACT_GELU, true, false, false, 1, 0, false },
    { "two rows, shared", 2, 65, 32, 4, 2, CORE_F32, DEV_ACT_SILU, false, true, false, 1, 0, false },
    { "seven rows, float16, shared with a gate, scaled", 7, 40, 31, 6, 3, CORE_F16, DEV_ACT_SILU, true, true, true, 0.37f, 0, false },
    { "some rows of many experts", 9, 33, 17, 40, 4, CORE_F32, DEV_ACT_SILU, false, false, false, 1, 0, false },
    { "many rows of few experts", 61, 48, 40, 3, 2, CORE_F32, DEV_ACT_SILU, true, true, true, 1, 0, false },
    { "all experts, in two parts", 33, 33, 33, 4, 4, CORE_BF16, DEV_ACT_RELU, true, false, false, 1, 6, false },
    { "one row, in two parts", 1, 65, 65, 4, 2, CORE_F32, DEV_ACT_SILU, true, false, false, 1, 4, false },
    { "one row, clamped SwiGLU", 1, 33, 40, 4, 2, CORE_F32, DEV_ACT_CLAMPED_SWIGLU, true, false, false, 1, 0, false },
    { "many rows, clamped SwiGLU", 21, 64, 32, 4, 2, CORE_BF16, DEV_ACT_CLAMPED_SWIGLU, true, false, false, 1, 0, false },
    { "real sizes", 70, 512, 384, 16, 4, CORE_BF16, DEV_ACT_SILU, false, false, false, 1, 0, true },
};

typedef struct scene {
    const mixture *m;
    dev_routing    r;
    uint32_t       hidden_stride, width_stride, up_panels, down_panels;
    float         *x, *y, *logits, *gate_up, *down, *gate_up_bias, *down_bias, *shared, *shared_gate;
    dev_matrix     up_matrix, down_matrix;
    dev_buffer     up_bias_buffer, down_bias_buffer;
} scene;

/* An empty matrix, of which the first `cut` panels are a part of their own, as if the device's buffers were no larger; 0: whole. */
static dev_matrix new_cut_matrix(dev_device *device, core_dtype dtype, uint32_t rows, uint32_t columns, uint32_t cut)
{
    dev_matrix matrix = { 0 }, rest = { 0 };
    assert_ok(dev_matrix_new(device, dtype, cut ? cut * DEV_PANEL : rows, columns, "experts", &matrix));
    if (cut == 0)
        return matrix;
    assert_ok(dev_matrix_new(device, dtype, rows - cut * DEV_PANEL, columns, "more experts", &rest));
    assert_true(matrix.part_count == 1 && rest.part_count == 1);
    dev_matrix_part *parts = core_realloc_array(matrix.parts, 2, sizeof *parts, "parts");
    assert_non_null(parts);
    parts[1] = rest.parts[0];
    parts[1].first_panel = cut;
    core_free(rest.parts);
    return (dev_matrix){ .rows = rows, .columns = columns, .panels = cut + rest.panels, .parts = parts, .part_count = 2 };
}

static void fill(dev_device *device, dev_matrix *matrix, float *values, uint32_t rows, uint32_t columns, uint32_t first_row, uint32_t step)
{
    const core_dtype        dtype = (core_dtype)dev_matrix_storage(matrix)->code;
    void                   *stored = store_numbers(dtype, values, (size_t)rows * columns);
    const dev_matrix_source source = { .data = stored, .dtype = dtype, .rows = rows, .columns = columns, .first_row = first_row,
                                       .panel_step = step };
    assert_ok(dev_matrix_fill(device, dev_queue(device), matrix, &source));
    core_free(stored);
}

/* Biases as the kernels want them: each expert's gate and up in alternating panels, zero where there is padding. */
static dev_buffer new_bias(dev_device *device, const float *values, uint32_t experts, uint32_t halves, uint32_t count)
{
    const uint32_t stride = halves * (uint32_t)dev_padded(count);
    float         *all = core_alloc_zero((size_t)experts * stride, sizeof *all, "biases");
    assert_non_null(all);
    for (uint32_t e = 0; e < experts; e++)
        for (uint32_t half = 0; half < halves; half++)
            for (uint32_t i = 0; i < count; i++)
                all[(size_t)e * stride + i / DEV_PANEL * DEV_PANEL * halves + half * DEV_PANEL + i % DEV_PANEL] =
                    values[((size_t)e * halves + half) * count + i];
    dev_buffer buffer = new_rows(device, all, 1, (size_t)experts * stride, (size_t)experts * stride, 0);
    core_free(all);
    return buffer;
}

/* Numbers whose products do not grow with the number of inputs. */
static float *new_weights(uint64_t seed, size_t count, uint32_t inputs)
{
    float *values = new_numbers(seed, count);
    for (size_t i = 0; i < count; i++)
        values[i] *= 2 / sqrtf((float)inputs);
    return values;
}

static scene make_scene(dev_device *device, const mixture *m)
{
    scene s = { .m = m, .r = { DEV_ROUTER_SOFTMAX, m->experts, m->chosen, 0, 0, false, true, 0, 1 } };
    s.hidden_stride = (uint32_t)dev_padded(m->hidden);
    s.width_stride = (uint32_t)dev_padded(m->width);
    s.up_panels = 2 * s.width_stride / DEV_PANEL;
    s.down_panels = s.hidden_stride / DEV_PANEL;
    s.x = new_numbers(1, (size_t)m->rows * m->hidden);
    s.y = new_numbers(2, (size_t)m->rows * m->hidden);
    s.logits = new_logits((size_t)m->rows * m->experts, false);
    s.gate_up = new_weights(4, (size_t)m->experts * 2 * m->width * m->hidden, m->hidden);
    s.down = new_weights(5, (size_t)m->experts * m->hidden * m->width, m->width);
    s.gate_up_bias = new_numbers(6, (size_t)m->experts * 2 * m->width);
    s.down_bias = new_numbers(7, (size_t)m->experts * m->hidden);
    s.shared = new_numbers(8, (size_t)m->rows * m->hidden);
    s.shared_gate = new_numbers(9, m->rows);
    s.up_matrix = new_cut_matrix(device, m->dtype, m->experts * s.up_panels * DEV_PANEL, m->hidden, m->cut);
    s.down_matrix = new_cut_matrix(device, m->dtype, m->experts * s.down_panels * DEV_PANEL, m->width, m->cut);
    for (uint32_t e = 0; e < m->experts; e++) {
        const uint32_t first = e * s.up_panels * DEV_PANEL;
        float         *gate = s.gate_up + (size_t)e * 2 * m->width * m->hidden;
        fill(device, &s.up_matrix, gate, m->width, m->hidden, first, 2);
        fill(device, &s.up_matrix, gate + (size_t)m->width * m->hidden, m->width, m->hidden, first + DEV_PANEL, 2);
        fill(device, &s.down_matrix, s.down + (size_t)e * m->hidden * m->width, m->hidden, m->width, e * s.down_panels * DEV_PANEL, 1);
    }
    s.up_bias_buffer = new_bias(device, s.gate_up_bias, m->experts, 2, m->width);
    s.down_bias_buffer = new_bias(device, s.down_bias, m->experts, 1, m->hidden);
    return s;
}

static void free_scene(dev_device *device, scene *s)
{
    float *const all[] = { s->x, s->y, s->logits, s->gate_up, s->down, s->gate_up_bias, s->down_bias, s->shared, s->shared_gate };
    for (size_t i = 0; i < COUNT(all); i++)
        core_free(all[i]);
    dev_matrix_free(device, &s->up_matrix);
    dev_matrix_free(device, &s->down_matrix);
    dev_buffer_free(device, &s->up_bias_buffer);
    dev_buffer_free(device, &s->down_bias_buffer);
}

/* The mixture of rows first .. first + rows - 1, as a batch of their own, to result[row][hidden_stride]. */
static void run_rows(dev_device *device, const scene *s, bool lanes, uint32_t first, uint32_t rows, float *result)
{
    const mixture *m = s->m;
    const uint32_t h = s->hidden_stride, slots = rows * m->chosen, x_stride = m->hidden + 3;
    dev_work      *work = NULL;
    dev_routes     routes;
    dev_buffer x = new_rows(device, s->x + (size_t)first * m->hidden, rows, m->hidden, x_stride, 0);
    dev_buffer y = new_rows(device, s->y + (size_t)first * m->hidden, rows, m->hidden, h + 16, 5);
    dev_buffer logits = new_rows(device, s->logits + (size_t)first * m->experts, rows, m->experts, m->experts, 0);
    dev_buffer shared = new_rows(device, s->shared + (size_t)first * m->hidden, rows, m->hidden, h, 0);
    dev_buffer gate = new_rows(device, s->shared_gate + first, rows, 1, 4, 0);
    dev_buffer inner = new_nan_buffer(device, (size_t)slots * s->width_stride), outer = new_nan_buffer(device, (size_t)slots * h);
    const dev_expert_matmul up = { .weight = &s->up_matrix, .panels = s->up_panels, .bias = m->bias ? &s->up_bias_buffer : NULL, .x = &x,
                                   .x_stride = x_stride, .y = &inner, .y_stride = s->width_stride, .epilogue = DEV_GATED,
                                   .activation = m->activation, .gate_alpha = SWIGLU_ALPHA, .gate_limit = SWIGLU_LIMIT, .rows = rows };
    const dev_expert_matmul down = { .weight = &s->down_matrix, .panels = s->down_panels, .bias = m->bias ? &s->down_bias_buffer : NULL,
                                     .x = &inner, .x_stride = s->width_stride, .x_is_slots = true, .y = &outer, .y_stride = h,
                                     .epilogue = DEV_STORE, .rows = rows };
    const dev_expert_join join = { .x = &outer, .stride = h, .shared = m->shared ? &shared : NULL, .shared_gate = m->gate ? &gate : NULL,
                                   .gate_stride = 4, .scale = m->scale, .y = &y, .y_offset = 5, .y_stride = h + 16, .rows = rows };
    assert_ok(dev_routes_new(device, &s->r, rows, &routes));
    routes.lanes = lanes;
    assert_ok(dev_work_new(device, &work));
    assert_ok(dev_route_add(work, &s->r, &logits, m->experts, NULL, NULL, rows, &routes));
    if (dev_expert_matmul_add(work, &s->r, &routes, &up) != OCLM_OK || dev_expert_matmul_add(work, &s->r, &routes, &down) != OCLM_OK ||
        dev_expert_join_add(work, &routes, &join) != OCLM_OK)
        fail_msg("%s: %s", m->label, oclm_last_error());
    run_work(device, work);
    float *got = read_floats(device, &y);
    for (uint32_t i = 0; i < 5; i++)
        assert_true(isnan(got[i]));
    for (uint32_t r = 0; r < rows; r++) {
        memcpy(result + (size_t)r * h, got + 5 + (size_t)r * (h + 16), h * sizeof *got);
        for (uint32_t i = m->hidden; i < h + 16; i++)
            assert_true(isnan(got[5 + (size_t)r * (h + 16) + i])); /* it was before; what is added is finite, or another row's */
    }
    core_free(got);
    dev_work_free(work);
    dev_routes_free(device, &routes);
    dev_buffer *const all[] = { &x, &y, &logits, &shared, &gate, &inner, &outer };
    for (size_t i = 0; i < COUNT(all); i++)
        dev_buffer_free(device, all[i]);
}

static double clamped_swiglu(double gate, double up)
{
    gate = fmin(gate, SWIGLU_LIMIT);
    up = fmax(fmin(up, SWIGLU_LIMIT), -SWIGLU_LIMIT);
    return gate / (1 + exp(-SWIGLU_ALPHA * gate)) * (up + 1);
}

/* One expert's answer to one row in double; `size` is the largest sum of |products|, from which errors follow. */
static void ask_expert(const scene *s, const float *x, uint32_t e, double *answer, double *size)
{
    const mixture *m = s->m;
    double        *inner = core_alloc_array(m->width, sizeof *inner, "inner states"), up_size = 0;
    assert_non_null(inner);
    for (uint32_t i = 0; i < m->width; i++) {
        double half[2], sizes = 0;
        for (uint32_t g = 0; g < 2; g++) {
            const size_t row = ((size_t)e * 2 + g) * m->width + i;
            half[g] = m->bias ? (double)s->gate_up_bias[row] : 0;
            for (uint32_t k = 0; k < m->hidden; k++) {
                half[g] += (double)s->gate_up[row * m->hidden + k] * (double)x[k];
                sizes += fabs((double)s->gate_up[row * m->hidden + k] * (double)x[k]);
            }
        }
        inner[i] = m->activation == DEV_ACT_CLAMPED_SWIGLU ? clamped_swiglu(half[0], half[1]) : activate(m->activation, half[0]) * half[1];
        sizes = (sizes + 2) * (fabs(half[0]) + fabs(half[1]) + 1);
        up_size = sizes > up_size ? sizes : up_size;
    }
    *size = 0;
    for (uint32_t o = 0; o < m->hidden; o++) {
        const float *w = s->down + ((size_t)e * m->hidden + o) * m->width;
        double       sizes = 1;
        answer[o] = m->bias ? (double)s->down_bias[(size_t)e * m->hidden + o] : 0;
        for (uint32_t k = 0; k < m->width; k++) {
            answer[o] += (double)w[k] * inner[k];
            sizes += fabs((double)w[k]) * (fabs(inner[k]) + up_size);
        }
        *size = sizes > *size ? sizes : *size;
    }
    core_free(inner);
}

/* Every error is at most (64 + n / 64 + 16) roundings of a sum's terms, each of which carries those of the product before. */
static void check_mixture(const scene *s, const float *got)
{
    const mixture *m = s->m;
    const double   roundings = (64 + 16 + (double)(m->hidden + m->width) / 64) * 0x1p-24;
    double        *answer = core_alloc_array(m->hidden, sizeof *answer, "an answer"), *want = core_alloc_array(m->hidden, sizeof *want, "a row");
    double         weights[DEV_MAX_EXPERTS];
    assert_true(answer != NULL && want != NULL);
    for (uint32_t row = 0; row < m->rows; row++) {
        double error = 4;
        route_exactly(&s->r, s->logits + (size_t)row * m->experts, NULL, NULL, weights);
        for (uint32_t i = 0; i < m->hidden; i++)
            want[i] = m->shared ? (double)s->shared[(size_t)row * m->hidden + i] * (m->gate ? 1 / (1 + exp(-(double)s->shared_gate[row])) : 1) : 0;
        for (uint32_t e = 0; e < m->experts; e++) {
            double size;
            if (weights[e] <= 0)
                continue;
            ask_expert(s, s->x + (size_t)row * m->hidden, e, answer, &size);
            for (uint32_t i = 0; i < m->hidden; i++)
                want[i] += weights[e] * answer[i];
            error += weights[e] * size;
        }
        for (uint32_t i = 0; i < m->hidden; i++) {
            const double all = (double)s->y[(size_t)row * m->hidden + i] + (double)m->scale * want[i], is = (double)got[(size_t)row * s->hidden_stride + i];
            if (!(fabs(is - all) <= error * roundings))
                fail_msg("%s: row %u, output %u: %.9g, want %.9g within %.3g", m->label, row, i, is, all, error * roundings);
        }
    }
    core_free(answer);
    core_free(want);
}

static void check_same(const scene *s, const float *whole, const float *other, uint32_t rows, const char *how)
{
    for (uint32_t row = 0; row < s->m->rows; row++)
        if (memcmp(whole + (size_t)row * s->hidden_stride, other + (size_t)row * s->hidden_stride, s->m->hidden * sizeof *whole) != 0)
            fail_msg("%s: row %u has other bits %s of %u", s->m->label, row, how, rows);
}

static void try_mixtures(dev_device *device, void *user)
{
    static const uint32_t steps[] = { 1, 2, 5, 19 };
    (void)user;
    for (size_t i = 0; i < COUNT(mixtures); i++) {
        const mixture *m = &mixtures[i];
        if (m->large && devices_is_slow(device))
            continue;
        scene        s = make_scene(device, m);
        const size_t count = (size_t)m->rows * s.hidden_stride;
        float *whole = core_alloc_array(count, sizeof *whole, "a result"), *pieces = core_alloc_array(count, sizeof *pieces, "a result");
        assert_true(whole != NULL && pieces != NULL);
        run_rows(device, &s, false, 0, m->rows, whole);
        check_mixture(&s, whole);
        run_rows(device, &s, true, 0, m->rows, pieces);
        check_same(&s, whole, pieces, m->rows, "by lanes");
        for (size_t j = 0; j < COUNT(steps) && steps[j] < m->rows && !(steps[j] < 5 && devices_is_slow(device)); j++) {
            for (uint32_t row = 0; row < m->rows; row += steps[j])
                run_rows(device, &s, j % 2 == 1, row, m->rows - row < steps[j] ? m->rows - row : steps[j], pieces + (size_t)row * s.hidden_stride);
            check_same(&s, whole, pieces, steps[j], "in batches");
        }
        core_free(whole);
        core_free(pieces);
        free_scene(device, &s);
    }
}

static void mixtures_agree_with_double_precision_in_any_batch(void **state)
{
    (void)state;
    devices_each(try_mixtures, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_right_experts_are_chosen),
        cmocka_unit_test(broken_logits_choose_as_many),
        cmocka_unit_test(mixtures_agree_with_double_precision_in_any_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
