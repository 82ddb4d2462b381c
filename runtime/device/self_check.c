/* self_check.c: one small product on the device, compared with double precision on the host.
 *
 * Tolerance. x and W are at most 1 in size (x after a norm of about that), sums of k products in any order: rounding errors are at most
 * (k + 16) * 2^-24 * sum |x w|, of which 16 are for a norm and the bias; for random signs they are far less. An activation adds 16
 * roundings of its own and has a slope of at most 1.2 (relu2: its own). As in tests/cl/product_scene.h. */
#include "device/self_check.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "device/device_internal.h"
#include "device/program_cache.h"
#include "device/trial.h"

/* No multiples of a tile, and more than one of most. A library is also given a matrix as large as those for which it has other kernels, and since what is
 * wrong with a tile is wrong with many, one output of so many is compared. */
#define SMALL_N    (4 * DEV_PANEL - 23) /* four panels more where gate and up lie side by side */
#define SMALL_K    (DEV_SUM_CHUNK + 6)
#define SMALL_ROWS 67u /* or as many as are asked for */
#define LARGE_ROWS 300u
#define LARGE_N    1183u
#define LARGE_K    1160u
#define LARGE_STEP 61u
#define PADDING    3u

/* ---- Verdicts: in the device's slot */

typedef struct verdict {
    char *kind;
    bool  right;
} verdict;

typedef struct verdicts {
    verdict *all;
    size_t   count;
} verdicts;

static oclm_status verdicts_make(dev_device *device, void **value)
{
    (void)device;
    return (*value = core_alloc_zero(1, sizeof(verdicts), "verdicts of self-checks")) ? OCLM_OK : OCLM_ERR_MEMORY;
}

static void verdicts_drop(dev_device *device, void *value)
{
    verdicts *v = value;
    (void)device;
    for (size_t i = 0; i < v->count; i++)
        core_free(v->all[i].kind);
    core_free(v->all);
    core_free(v);
}

static const verdict *find(const verdicts *v, const char *kind)
{
    for (size_t i = 0; i < v->count; i++) {
        if (strcmp(v->all[i].kind, kind) == 0)
            return &v->all[i];
    }
    return NULL;
}

/* `first`: nobody had put it there before. */
static oclm_status put(dev_device *device, verdicts *v, const char *kind, bool right, bool *first)
{
    oclm_status status = OCLM_OK;
    *first = false;
    dev_slot_lock(device, DEV_SLOT_CHECKS);
    if (!find(v, kind)) {
        verdict *grown = core_realloc_array(v->all, v->count + 1, sizeof *grown, "verdicts of self-checks");
        char    *copy = core_copy_string(kind, "verdicts of self-checks");
        v->all = grown ? grown : v->all;
        *first = grown && copy;
        if (*first)
            v->all[v->count++] = (verdict){ copy, right };
        else
            core_free(copy);
        status = *first ? OCLM_OK : OCLM_ERR_MEMORY;
    }
    dev_slot_unlock(device, DEV_SLOT_CHECKS);
    return status;
}

/* ---- The product on the host */

typedef struct numbers {
    dev_trial_shape s;
    uint32_t        padded; /* rows of W with their padding */
    float          *x, *w, *bias, *norm_w, *norm_b, *before, *y; /* w: [n][k] as W holds it, rounded */
    float          *minima; /* of w, where it is codes: what was added to scale and code, [n][k] */
    double         *row;  /* one of x, normalised */
} numbers;

/* Uniform in [-1, 1), the same every time. */
static float *draw(uint64_t *state, size_t count)
{
    float *values = core_alloc_array(count, sizeof *values, "a self-check");
    for (size_t i = 0; values && i < count; i++) {
        *state = *state * 6364136223846793005u + 1442695040888963407u;
        values[i] = (float)(int32_t)(*state >> 32) * 0x1p-31f;
    }
    return values;
}

static void numbers_free(numbers *n)
{
    float *const all[] = { n->x, n->w, n->minima, n->bias, n->norm_w, n->norm_b, n->before, n->y };
    for (size_t i = 0; i < COUNT(all); i++)
        core_free(all[i]);
    core_free(n->row);
}

static oclm_status numbers_draw(const dev_trial *t, const dev_trial_shape *s, numbers *n)
{
    uint64_t seed = 20240229;
    *n = (numbers){ .s = *s, .padded = t->weight.panels * DEV_PANEL };
    n->x = draw(&seed, (size_t)s->rows * t->m.x_stride);
    n->w = draw(&seed, (size_t)s->n * s->k);
    n->bias = draw(&seed, n->padded);
    n->norm_w = draw(&seed, s->k);
    n->norm_b = draw(&seed, s->k);
    n->before = draw(&seed, (size_t)s->rows * t->m.y_stride);
    n->y = core_alloc_array((size_t)s->rows * t->m.y_stride, sizeof *n->y, "a self-check");
    n->row = core_alloc_array(s->k, sizeof *n->row, "a self-check");
    return n->x && n->w && n->bias && n->norm_w && n->norm_b && n->before && n->y && n->row ? OCLM_OK : OCLM_ERR_MEMORY;
}

static void normalise(const numbers *n, const float *x)
{
    const dev_norm_kind kind = n->s.norm;
    const uint32_t      k = n->s.k;
    double              mean = 0, square = 0;
    for (uint32_t i = 0; i < k && kind == DEV_NORM_LAYER; i++)
        mean += (double)x[i] / k;
    for (uint32_t i = 0; i < k; i++)
        square += ((double)x[i] - mean) * ((double)x[i] - mean) / k;
    for (uint32_t i = 0; i < k; i++) {
        const double weight = n->norm_w[i] + (kind == DEV_NORM_RMS1P ? 1.0 : 0.0);
        n->row[i] = kind == DEV_NORM_NONE ? (double)x[i]
                                          : ((double)x[i] - mean) / sqrt(square + 1e-5) * weight +
                                                (kind == DEV_NORM_LAYER ? (double)n->norm_b[i] : 0.0);
    }
}

static double activate(dev_activation activation, double v)
{
    switch (activation) {
    case DEV_ACT_NONE: case DEV_ACT_CLAMPED_SWIGLU: break; /* the latter is no function of one number: experts.h alone has it */
    case DEV_ACT_SILU: return v / (1 + exp(-v));
    case DEV_ACT_GELU: return 0.5 * v * (1 + erf(v / sqrt(2)));
    case DEV_ACT_GELU_TANH: return 0.5 * v * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (v + 0.044715 * v * v * v)));
    case DEV_ACT_RELU: return v > 0 ? v : 0;
    case DEV_ACT_QUICK_GELU: return v / (1 + exp(-1.702 * v));
    case DEV_ACT_RELU2: return v > 0 ? v * v : 0;
    case DEV_ACT_SIGMOID: return 1 / (1 + exp(-v));
    case DEV_ACT_TANH: return tanh(v);
    }
    return v;
}

static double slope(dev_activation activation, double v) { return activation == DEV_ACT_RELU2 ? 2 * fabs(v) + 0.1 : 1.2; }

/* What rounding a function of v may add. */
static double own_error(dev_activation activation, double v)
{
    return activation == DEV_ACT_NONE ? 0 : 16 * 0x1p-24 * (fabs(v) + 1);
}

static double exact_sum(const numbers *n, uint32_t output, double *error)
{
    const float *w = n->w + (size_t)output * n->s.k;
    double       sum = 0, size = 0;
    for (uint32_t k = 0; k < n->s.k && output < n->s.n; k++) {
        sum += n->row[k] * (double)w[k];
        /* Kernels add up what scales and codes give, and minima, apart: the sums may be larger than their own. */
        const double minimum = n->minima ? (double)n->minima[(size_t)output * n->s.k + k] : 0;
        size += fabs(n->row[k]) * (fabs((double)w[k] - minimum) + fabs(minimum));
    }
    if (n->s.bias) {
        sum += (double)n->bias[output];
        size += fabs((double)n->bias[output]);
    }
    *error = (n->s.k + 16 + (n->minima ? 4 : 0)) * 0x1p-24 * size; /* 4: w itself is rounded, twice */
    return sum;
}

/* Element `output` of the row that was normalised last; `before`: what it is added to. */
static double exact(const numbers *n, uint32_t output, double before, double *error)
{
    const dev_activation act = n->s.activation;
    if (n->s.epilogue == DEV_GATED) {
        const uint32_t at = output / DEV_PANEL * 2 * DEV_PANEL + output % DEV_PANEL;
        double         gate_error, up_error;
        const double   gate = exact_sum(n, at, &gate_error), up = exact_sum(n, at + DEV_PANEL, &up_error), g = activate(act, gate);
        *error = (gate_error * slope(act, gate) + own_error(act, gate)) * (fabs(up) + up_error) + up_error * fabs(g) + 0x1p-24 * fabs(g * up);
        return g * up;
    }
    const double sum = exact_sum(n, output, error);
    if (n->s.epilogue == DEV_ADD) {
        *error += 0x1p-23 * (fabs(sum) + fabs(before));
        return before + sum;
    }
    *error = act == DEV_ACT_NONE ? *error : *error * slope(act, sum) + own_error(act, sum);
    return activate(act, sum);
}

/* ---- The same on the device */

/* Draws codes instead of w, sends them, and sets w to what they stand for. */
static oclm_status send_codes(dev_device *device, dev_trial *t, numbers *n)
{
    const core_storage    *s = &n->s.storage;
    core_storage           plain = *s; /* without minima */
    uint64_t               seed = 19991231;
    core_codes             codes = { 0 };
    const dev_codes_source source = { &codes, n->s.n, n->s.k, 0, 1 };
    const size_t           count = (size_t)n->s.n * n->s.k;
    oclm_status            status = dev_trial_codes(s, n->s.n, n->s.k, &seed, &codes);
    if (status == OCLM_OK && !(n->minima = core_alloc_array(count, sizeof *n->minima, "a self-check")))
        status = OCLM_ERR_MEMORY;
    if (status == OCLM_OK && (status = dev_matrix_fill_codes(device, dev_queue(device), &t->weight, &source)) == OCLM_OK) {
        plain.minimum = CORE_SCALE_NONE;
        core_codes_values(&plain, &codes, n->s.n, n->s.k, n->minima);
        core_codes_values(s, &codes, n->s.n, n->s.k, n->w);
        for (size_t i = 0; i < count; i++)
            n->minima[i] = n->w[i] - n->minima[i];
    }
    core_codes_free(&codes);
    return status;
}

/* Rounds w to what the matrix stores, and sends it, panel by panel. */
static oclm_status send_weights(dev_device *device, const dev_trial *t, numbers *n)
{
    const uint32_t k = n->s.k;
    const size_t   bytes = n->s.storage.bits / 8u, panel = (size_t)k * DEV_PANEL;
    unsigned char *packed = core_alloc_zero(panel, bytes, "a self-check");
    oclm_status    status = packed ? OCLM_OK : OCLM_ERR_MEMORY;
    for (uint32_t p = 0; p < t->weight.panels && status == OCLM_OK; p++) {
        memset(packed, 0, panel * bytes);
        for (uint32_t r = 0; r < DEV_PANEL && p * DEV_PANEL + r < n->s.n; r++) {
            for (uint32_t i = 0; i < k; i++) {
                float         *value = &n->w[((size_t)p * DEV_PANEL + r) * k + i];
                const size_t   at = (size_t)i * DEV_PANEL + r;
                const uint16_t half = n->s.storage.code == CORE_CODE_F16 ? core_f32_to_f16(*value) : core_f32_to_bf16(*value);
                if (n->s.storage.code != CORE_CODE_F32)
                    *value = n->s.storage.code == CORE_CODE_F16 ? core_f16_to_f32(half) : core_bf16_to_f32(half);
                memcpy(packed + at * bytes, n->s.storage.code == CORE_CODE_F32 ? (const void *)value : (const void *)&half, bytes);
            }
        }
        uint32_t part = 0;
        while (p >= t->weight.parts[part].first_panel + t->weight.parts[part].panels)
            part++;
        status = dev_buffer_write(dev_queue(device), &t->weight.parts[part].buffer, (p - t->weight.parts[part].first_panel) * panel * bytes,
                                  packed, panel * bytes);
    }
    core_free(packed);
    return status;
}

static oclm_status send(dev_device *device, dev_trial *t, numbers *n)
{
    const struct { const dev_buffer *to; float *from; } sent[] = {
        { &t->x, n->x }, { &t->y, n->before }, { &t->bias, n->bias }, { &t->m.norm.weight, n->norm_w }, { &t->m.norm.bias, n->norm_b },
    };
    oclm_status status;
    for (uint32_t i = n->s.n; i < n->padded; i++)
        n->bias[i] = 0;
    /* What must not be read or written is NaN. */
    for (uint32_t r = 0; r < n->s.rows; r++) {
        for (uint32_t i = n->s.k; i < t->m.x_stride; i++)
            n->x[(size_t)r * t->m.x_stride + i] = NAN;
        for (uint32_t i = n->s.epilogue == DEV_ADD ? t->m.y_stride - n->s.y_padding : 0; i < t->m.y_stride; i++)
            n->before[(size_t)r * t->m.y_stride + i] = NAN;
    }
    if ((status = core_storage_is_float(&n->s.storage) ? send_weights(device, t, n) : send_codes(device, t, n)) != OCLM_OK)
        return status;
    for (size_t i = 0; i < COUNT(sent) && status == OCLM_OK; i++)
        status = dev_buffer_write(dev_queue(device), sent[i].to, 0, sent[i].from, sent[i].to->bytes);
    return status;
}

static oclm_status compute(dev_device *device, const dev_provider *provider, dev_trial *t, numbers *n)
{
    dev_work   *work = NULL;
    oclm_status status;
    if ((status = send(device, t, n)) == OCLM_OK && (status = dev_work_new(device, &work)) == OCLM_OK &&
        (status = dev_matmul_add_by(work, provider, &t->m)) == OCLM_OK &&
        (status = dev_work_enqueue(work, dev_queue(device), NULL)) == OCLM_OK && (status = dev_finish(dev_queue(device))) == OCLM_OK)
        status = dev_buffer_read(dev_queue(device), &t->y, 0, n->y, t->y.bytes);
    dev_work_free(work);
    return status;
}

/* ---- Comparing */

/* The element that is off the furthest, in units of what is allowed. */
typedef struct worst {
    double   off, got, want, allowed;
    uint32_t row, output;
} worst;

static void compare_element(worst *w, uint32_t row, uint32_t output, double got, double want, double allowed)
{
    const double off = isnan(want) ? (isnan(got) ? 0 : INFINITY) : isfinite(got) ? fabs(got - want) / (allowed + 0x1p-126) : INFINITY;
    if (off > w->off)
        *w = (worst){ off, got, want, allowed, row, output };
}

static worst compare(const dev_trial *t, const numbers *n, uint32_t step)
{
    const uint32_t outputs = n->s.epilogue == DEV_GATED ? n->padded / 2 : n->padded;
    worst          w = { .off = 0 };
    for (uint32_t r = 0; r < n->s.rows; r++) {
        const float *got = n->y + (size_t)r * t->m.y_stride, *before = n->before + (size_t)r * t->m.y_stride;
        normalise(n, n->x + (size_t)r * t->m.x_stride);
        for (uint32_t i = 0; i < outputs; i += step) {
            double       error;
            const double want = exact(n, i, (double)before[i], &error);
            compare_element(&w, r, i, (double)got[i], want, error);
        }
        for (uint32_t i = outputs; i < t->m.y_stride; i++)
            compare_element(&w, r, i, (double)got[i], NAN, 0);
    }
    return w;
}

/* Runs and compares; what cannot run is not right. */
static oclm_status check_one(dev_device *device, const dev_provider *provider, const dev_trial_shape *s, uint32_t step, bool *right)
{
    dev_trial   trial;
    numbers     n = { .x = NULL };
    oclm_status status = dev_trial_new(device, s, provider, &trial);
    *right = false;
    if (status == OCLM_OK && (status = numbers_draw(&trial, s, &n)) == OCLM_OK &&
        (status = compute(device, provider, &trial, &n)) == OCLM_OK) {
        const worst w = compare(&trial, &n, step);
        *right = w.off <= 1;
        if (!*right)
            (void)core_fail(OCLM_ERR_DEVICE, "row %" PRIu32 ", output %" PRIu32 " of %" PRIu32 " x %" PRIu32 " x %" PRIu32
                            " is %.9g, want %.9g within %.3g", w.row, w.output, s->rows, s->k, s->n, w.got, w.want, w.allowed);
    }
    numbers_free(&n);
    dev_trial_free(device, &trial);
    return status;
}

/* ---- Kinds of product: what makes another program, or takes another way through the host's code */

static void describe(const dev_provider *provider, const dev_trial_shape *s, char kind[256])
{
    static const char *const epilogues[] = { [DEV_STORE] = "stored", [DEV_ADD] = "added", [DEV_GATED] = "gated" };
    char                     name[96];
    const char *const        rows = s->rows == 1 ? "one row" : s->rows < SMALL_ROWS ? "few rows" : "many rows";
    snprintf(kind, 256, "check of %s: %s weights, %s, %s, activation %d, norm %d, %s bias, %s, beside %d %d %d", provider->name,
             core_storage_name(&s->storage, name), rows, epilogues[s->epilogue], (int)s->activation, (int)s->norm, s->bias ? "with" : "no",
             s->k == LARGE_K ? "large" : "small", (int)s->siblings.norm, s->siblings.gated, (int)s->siblings.activation);
}

static oclm_status verdict_on(dev_device *device, const dev_provider *provider, const dev_trial_shape *s, uint32_t step, bool *right)
{
    core_text   fact = CORE_TEXT_INIT;
    char        kind[256];
    void       *value;
    bool        first;
    oclm_status status;
    describe(provider, s, kind);
    *right = false;
    if ((status = dev_slot_get(device, DEV_SLOT_CHECKS, verdicts_make, verdicts_drop, &value)) != OCLM_OK)
        return status;
    dev_slot_lock(device, DEV_SLOT_CHECKS);
    const verdict *known = find(value, kind);
    if (known)
        *right = known->right;
    dev_slot_unlock(device, DEV_SLOT_CHECKS);
    if (known)
        return OCLM_OK;
    *right = dev_fact_load(dev_get_traits(device), kind, &fact) && strcmp(fact.data, "right") == 0;
    core_text_free(&fact);
    if (*right)
        return put(device, value, kind, true, &first);
    const double begin = core_seconds();
    status = check_one(device, provider, s, step, right);
    if (status == OCLM_ERR_MEMORY || status == OCLM_ERR_DEVICE_MEMORY) /* says nothing about the provider */
        return status;
    core_log(OCLM_LOG_DEBUG, "%s: %s, in %.1f ms", kind, *right ? "right" : "not right", 1e3 * (core_seconds() - begin));
    if ((status = put(device, value, kind, *right, &first)) != OCLM_OK || !first)
        return status;
    if (*right)
        dev_fact_store(dev_get_traits(device), kind, "right");
    else
        core_log(OCLM_LOG_WARNING, "matrix products by %s are not used on \"%s\" (%s): %s", provider->name,
                 dev_get_traits(device)->info.name, kind, oclm_last_error());
    return OCLM_OK;
}

oclm_status dev_self_check(dev_device *device, const dev_provider *provider, const dev_matmul *like, bool *right)
{
    const bool            norm = like->norm.kind != DEV_NORM_NONE && provider->takes_norm(provider, device, like);
    const bool            gated = like->epilogue == DEV_GATED;
    const dev_trial_shape small = {
        .storage = *dev_matrix_storage(like->weight), .rows = like->rows < SMALL_ROWS ? like->rows : SMALL_ROWS, .n = gated ? SMALL_N + 4 * DEV_PANEL : SMALL_N,
        .k = SMALL_K, .x_padding = PADDING, .y_padding = PADDING, .norm = norm ? like->norm.kind : DEV_NORM_NONE,
        .epilogue = like->epilogue, .activation = like->epilogue == DEV_ADD ? DEV_ACT_NONE : like->activation, .bias = like->bias != NULL,
        .siblings = like->siblings,
    };
    const dev_trial_shape large = { .storage = core_storage_of(CORE_F32), .rows = LARGE_ROWS, .n = LARGE_N, .k = LARGE_K, .y_padding = PADDING };
    const oclm_status     status = verdict_on(device, provider, &small, 1, right);
    return status == OCLM_OK && *right && provider->scratch ? verdict_on(device, provider, &large, LARGE_STEP, right) : status;
}
