/* provider.c: which providers there are, and who serves a product: of those that suit it the fastest that is right.
 *
 * A library (CLBlast) has to be waited for, seconds where its kernels are compiled the first time. So without being asked it takes
 * part only where an earlier dev_provider_tune() measured that it pays, and only with so many rows that no short prompt meets it. */
#include "device/provider.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "core/log.h"
#include "device/self_check.h"
#include "device/trial.h"
#include "device/tuning.h"

static void append(dev_providers *to, const dev_provider *first, size_t count)
{
    assert(count <= DEV_MAX_PROVIDERS - to->count);
    for (size_t i = 0; i < count; i++)
        to->list[to->count++] = &first[i];
}

void dev_providers_all(dev_providers *all)
{
    all->count = 0;
    append(all, dev_lanes_providers, dev_lanes_provider_count); /* they suit only where work-items are lanes */
    append(all, dev_tile_providers, dev_tile_provider_count);
    append(all, &dev_clblast_provider, 1);
}

const dev_provider *dev_provider_find(const char *name)
{
    dev_providers all;
    dev_providers_all(&all);
    for (size_t i = 0; i < all.count; i++) {
        if (strcmp(all.list[i]->name, name) == 0)
            return all.list[i];
    }
    return NULL;
}

static bool is_library(const dev_provider *provider) { return provider->scratch != NULL; }

/* Is another of the same table made for fewer rows, that are still enough? */
static bool is_outdone(const dev_providers *providers, const dev_provider *one, const dev_device *device, const dev_matmul *m)
{
    for (size_t i = 0; i < providers->count; i++) {
        const dev_provider *other = providers->list[i];
        if (other->add == one->add && other->most_rows < one->most_rows && other->suits(other, device, m))
            return true;
    }
    return false;
}

/* Those made for such a product, libraries or kernels of ours. */
static void add_suited(const dev_providers *from, bool libraries, const dev_device *device, const dev_matmul *m, dev_providers *to)
{
    for (size_t i = 0; i < from->count; i++) {
        const dev_provider *provider = from->list[i];
        if (is_library(provider) == libraries && provider->suits(provider, device, m) && !is_outdone(from, provider, device, m))
            append(to, provider, 1);
    }
}

/* Kernels of ours that compute it, though made for more rows: where all that are made for it are wrong. */
static void add_outdone(const dev_providers *from, const dev_device *device, const dev_matmul *m, dev_providers *to)
{
    for (size_t i = 0; i < from->count; i++) {
        const dev_provider *provider = from->list[i];
        if (!is_library(provider) && provider->suits(provider, device, m) && is_outdone(from, provider, device, m))
            append(to, provider, 1);
    }
}

/* A library computes in the scratch; where it was planned for another, nothing is left for it. */
static bool has_room(dev_device *device, const dev_provider *one, const dev_matmul *m)
{
    const size_t norm = dev_norm_floats(device, m), norms = norm > m->scratch_taken ? norm : m->scratch_taken;
    return !is_library(one) || (m->scratch_floats > norms && m->scratch_floats - norms >= one->scratch(one, device, m->weight, m->rows));
}

/* The first that is right; NULL if none is. One that the device has no resources for is passed over; where no other is right
 * and it is a kernel of ours, that is the error. */
static oclm_status first_right(dev_device *device, const dev_providers *providers, const dev_matmul *m, const dev_provider **chosen)
{
    oclm_status missing = OCLM_OK;
    for (size_t i = 0; i < providers->count && !*chosen; i++) {
        const dev_provider *one = providers->list[i];
        bool                right = false;
        const oclm_status   status = has_room(device, one, m) ? dev_self_check(device, one, m, &right) : OCLM_OK;
        if (status == OCLM_ERR_DEVICE_MEMORY)
            missing = is_library(one) ? missing : status;
        else if (status != OCLM_OK)
            return status;
        *chosen = right ? one : NULL;
    }
    return *chosen ? OCLM_OK : missing;
}

/* All that suit in the order of an earlier dev_provider_tune(), if there was one. */
static oclm_status recall_with_libraries(dev_device *device, const dev_providers *providers, const dev_matmul *m, dev_providers *order,
                                         bool *known)
{
    *known = false;
    order->count = 0;
    if (dev_matmul_choice(device) != OCLM_MATMUL_AUTO || dev_rows_class_of(m->rows) != DEV_ROWS_MANY)
        return OCLM_OK;
    add_suited(providers, false, device, m, order);
    const size_t own = order->count;
    add_suited(providers, true, device, m, order);
    return own < order->count ? dev_tuning_recall(device, dev_matrix_storage(m->weight), DEV_ROWS_MANY, order, known) : OCLM_OK;
}

oclm_status dev_provider_choose(dev_device *device, const dev_providers *providers, const dev_matmul *m, const dev_provider **chosen)
{
    dev_providers order = { .count = 0 };
    bool          tuned = false;
    oclm_status   status = OCLM_OK;
    *chosen = NULL;
    if (dev_matmul_choice(device) == OCLM_MATMUL_CLBLAST) {
        add_suited(providers, true, device, m, &order);
        status = first_right(device, &order, m, chosen);
    } else if ((status = recall_with_libraries(device, providers, m, &order, &tuned)) == OCLM_OK && tuned) {
        status = first_right(device, &order, m, chosen);
    }
    if (status != OCLM_OK || *chosen)
        return status;
    order.count = 0;
    add_suited(providers, false, device, m, &order);
    if (order.count == 0)
        return core_fail(OCLM_ERR_INTERNAL, "nobody serves a product of %" PRIu32 " rows on device \"%s\"", m->rows,
                         dev_get_traits(device)->info.name);
    if (order.count > 1 && (status = dev_tuning_rank(device, dev_matrix_storage(m->weight), dev_rows_class_of(m->rows), &order)) != OCLM_OK)
        return status;
    add_outdone(providers, device, m, &order);
    if ((status = first_right(device, &order, m, chosen)) == OCLM_OK && !*chosen)
        status = core_fail(OCLM_ERR_DEVICE, "device \"%s\" multiplies matrices wrongly with every kernel there is (%s; warnings tell each); "
                           "update its driver or choose another device", dev_get_traits(device)->info.name, order.list[0]->name);
    return status;
}

/* Where nobody insisted on a library, it is not worth much memory. */
static bool is_affordable(const dev_device *device, const dev_matmul *m, size_t floats)
{
    const uint64_t bytes = ((uint64_t)dev_norm_floats(device, m) + floats) * sizeof(float);
    return bytes <= dev_get_traits(device)->info.max_alloc_bytes &&
           (dev_matmul_choice(device) == OCLM_MATMUL_CLBLAST || floats * sizeof(float) <= dev_memory_left(device) / 8);
}

size_t dev_provider_scratch(dev_device *device, const dev_providers *providers, const dev_matmul *m)
{
    dev_providers order = { .count = 0 };
    bool          tuned = false;
    size_t        most = 0;
    if (dev_matmul_choice(device) == OCLM_MATMUL_CLBLAST)
        add_suited(providers, true, device, m, &order);
    else if (recall_with_libraries(device, providers, m, &order, &tuned) != OCLM_OK || !tuned)
        order.count = 0;
    else
        order.count = 1; /* the fastest, which may be a library */
    for (size_t i = 0; i < order.count; i++) {
        const dev_provider *one = order.list[i];
        const size_t        floats = is_library(one) ? one->scratch(one, device, m->weight, m->rows) : 0;
        if (floats > most && is_affordable(device, m, floats))
            most = floats;
    }
    return most;
}

/* ---- Tuning with libraries */

oclm_status dev_provider_tune(dev_device *device, const dev_providers *providers, const core_storage *storage)
{
    dev_matrix_part  part = { .storage = *storage, .panels = DEV_TUNING_SIZE / DEV_PANEL };
    const dev_matrix weight = { .rows = DEV_TUNING_SIZE, .columns = DEV_TUNING_SIZE, .panels = part.panels, .parts = &part, .part_count = 1 };
    const dev_matmul m = { .weight = &weight, .rows = DEV_TUNING_ROWS };
    dev_providers    entrants, order;
    bool             known, right = true;
    oclm_status      status = recall_with_libraries(device, providers, &m, &entrants, &known);
    if (status != OCLM_OK || known || entrants.count < 2 || !is_library(entrants.list[entrants.count - 1]))
        return status;
    core_log(OCLM_LOG_INFO, "device \"%s\": measuring matrix products with CLBlast, once; it may compile for some seconds",
             dev_get_traits(device)->info.name);
    order = entrants;
    if (!dev_tuning_measure(device, storage, DEV_ROWS_MANY, &order))
        return OCLM_OK;
    /* A library that is wrong is not remembered as the fastest: the next process tries again, for it may have been repaired. */
    if (is_library(order.list[0]) && (status = dev_self_check(device, order.list[0], &m, &right)) != OCLM_OK)
        return status == OCLM_ERR_DEVICE_MEMORY ? OCLM_OK : status;
    return right ? dev_tuning_remember(device, storage, DEV_ROWS_MANY, &entrants, &order) : OCLM_OK;
}
