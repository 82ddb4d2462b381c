/* tuning.c: measures providers against each other and remembers who was faster.
 *
 * Sizes grow until the fastest takes ENOUGH: a device of any speed is measured in milliseconds, and no longer at sizes where starting
 * a kernel decides. What was found is a list of names, the fastest first, in memory and on disk, under the type, the
 * class of rows and the names of those who took part: another version's providers are measured anew. */
#include "device/tuning.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "core/memory.h"
#include "device/device_internal.h"
#include "device/program_cache.h"
#include "device/trial.h"

#define ROUNDS    5     /* each round times every provider once; the best counts: others use the machine too */
#define ENOUGH    1e-3  /* seconds of a product */
#define LENGTH    3e-3  /* seconds of a timing: shorter products follow each other, or waking a core is what is timed */
#define REPEATS   100.0 /* at most */
#define PATIENCE  0.5   /* seconds: who needs more for a timing is left out after the first product, if far behind */
#define HOPELESS  2.0   /* times the fastest: not timed again at this size */
#define OUTCLASSED 8.0  /* times the fastest, once that takes ENOUGH / 10: not entered at larger sizes, for which a library may have
                           kernels that compile for many seconds more */
#define LOCK_NAME "measuring.lock"

/* Rows and columns of the weight. The smallest is for devices that need SLOW for that; for others it says too little, least of all
 * on a busy machine. */
static const uint32_t sizes[] = { 64, 512, DEV_TUNING_SIZE };
#define SLOW 0.05 /* seconds */

static const struct {
    const char *name;
    uint32_t    most, measured; /* rows */
} classes[DEV_ROWS_CLASSES] = {
    [DEV_ROWS_ONE] = { "1 row", 1, 1 },
    [DEV_ROWS_FEW] = { "2 to 4 rows", 4, 4 },
    [DEV_ROWS_SOME] = { "5 to 255 rows", 255, 32 },
    [DEV_ROWS_MANY] = { "many rows", UINT32_MAX, DEV_TUNING_ROWS },
};

dev_rows_class dev_rows_class_of(uint32_t rows)
{
    dev_rows_class c = DEV_ROWS_ONE;
    while (rows > classes[c].most)
        c++;
    return c;
}

/* ---- What is known: in the device's slot, as texts */

typedef struct entry {
    char *key, *names; /* names: each followed by a line end, the fastest first; "": not on disk, when it was looked up */
} entry;

typedef struct known {
    entry *entries;
    size_t count;
} known;

static oclm_status known_make(dev_device *device, void **value)
{
    (void)device;
    return (*value = core_alloc_zero(1, sizeof(known), "what is known about products")) ? OCLM_OK : OCLM_ERR_MEMORY;
}

static void known_drop(dev_device *device, void *value)
{
    known *k = value;
    (void)device;
    for (size_t i = 0; i < k->count; i++) {
        core_free(k->entries[i].key);
        core_free(k->entries[i].names);
    }
    core_free(k->entries);
    core_free(k);
}

static entry *find(const known *k, const char *key)
{
    for (size_t i = 0; i < k->count; i++) {
        if (strcmp(k->entries[i].key, key) == 0)
            return &k->entries[i];
    }
    return NULL;
}

/* Under the slot's lock. */
static oclm_status put(known *k, const char *key, const char *names)
{
    entry *old = find(k, key);
    entry  made = { .key = old ? NULL : core_copy_string(key, "what is known about products"),
                    .names = core_copy_string(names, "what is known about products") };
    entry *grown = k->entries;
    if (made.names && !old && made.key)
        grown = core_realloc_array(k->entries, k->count + 1, sizeof *grown, "what is known about products");
    if (!made.names || (!old && (!made.key || !grown))) {
        core_free(made.names);
        core_free(made.key);
        return OCLM_ERR_MEMORY;
    }
    k->entries = grown;
    if (old) {
        core_free(old->names);
        old->names = made.names;
    } else {
        k->entries[k->count++] = made;
    }
    return OCLM_OK;
}

static oclm_status make_key(const core_storage *storage, dev_rows_class rows, const dev_providers *providers, core_text *key)
{
    char        name[96];
    oclm_status status = core_text_printf(key, "products of %s with %s weights by", classes[rows].name, core_storage_name(storage, name));
    for (size_t i = 0; i < providers->count && status == OCLM_OK; i++)
        status = core_text_printf(key, "%s %s", i ? "," : "", providers->list[i]->name);
    return status;
}

/* Puts the providers in the order of the names. False, and nothing changed, where the names are not exactly theirs. */
static bool put_in_order(const char *names, dev_providers *providers)
{
    dev_providers order = { .count = 0 };
    while (*names) {
        const size_t length = strcspn(names, "\n");
        size_t       i = 0;
        while (i < providers->count &&
               (strlen(providers->list[i]->name) != length || strncmp(providers->list[i]->name, names, length) != 0))
            i++;
        for (size_t j = 0; j < order.count && i < providers->count; j++) {
            if (order.list[j] == providers->list[i])
                return false;
        }
        if (i == providers->count || names[length] != '\n')
            return false;
        order.list[order.count++] = providers->list[i];
        names += length + 1;
    }
    if (order.count != providers->count)
        return false;
    *providers = order;
    return true;
}

/* ---- Looking up */

oclm_status dev_tuning_recall(dev_device *device, const core_storage *storage, dev_rows_class rows, dev_providers *providers, bool *found)
{
    core_text   key = CORE_TEXT_INIT, fact = CORE_TEXT_INIT;
    void       *value;
    oclm_status status;
    *found = false;
    if ((status = dev_slot_get(device, DEV_SLOT_TUNING, known_make, known_drop, &value)) != OCLM_OK)
        return status;
    if ((status = make_key(storage, rows, providers, &key)) == OCLM_OK) {
        dev_slot_lock(device, DEV_SLOT_TUNING);
        const entry *e = find(value, key.data);
        if (e) {
            *found = put_in_order(e->names, providers);
        } else {
            *found = dev_fact_load(dev_get_traits(device), key.data, &fact) && put_in_order(fact.data, providers);
            status = put(value, key.data, *found ? fact.data : "");
        }
        dev_slot_unlock(device, DEV_SLOT_TUNING);
    }
    core_text_free(&fact);
    core_text_free(&key);
    return status;
}

/* `entrants`: in the order in which they are asked for again. */
static oclm_status keep(dev_device *device, const core_storage *storage, dev_rows_class rows, const dev_providers *entrants,
                        const dev_providers *order, bool on_disk)
{
    core_text   key = CORE_TEXT_INIT, names = CORE_TEXT_INIT;
    void       *value;
    oclm_status status = dev_slot_get(device, DEV_SLOT_TUNING, known_make, known_drop, &value);
    if (status == OCLM_OK)
        status = make_key(storage, rows, entrants, &key);
    for (size_t i = 0; i < order->count && status == OCLM_OK; i++)
        status = core_text_printf(&names, "%s\n", order->list[i]->name);
    if (status == OCLM_OK) {
        if (on_disk)
            dev_fact_store(dev_get_traits(device), key.data, names.data);
        dev_slot_lock(device, DEV_SLOT_TUNING);
        status = put(value, key.data, names.data);
        dev_slot_unlock(device, DEV_SLOT_TUNING);
    }
    core_text_free(&names);
    core_text_free(&key);
    return status;
}

oclm_status dev_tuning_remember(dev_device *device, const core_storage *storage, dev_rows_class rows, const dev_providers *entrants,
                                const dev_providers *order)
{
    return keep(device, storage, rows, entrants, order, true);
}

/* ---- Measuring */

typedef struct contest {
    dev_device    *device;
    dev_providers *providers;
    dev_work      *works[DEV_MAX_PROVIDERS];   /* NULL: cannot be measured */
    double         seconds[DEV_MAX_PROVIDERS]; /* best at the latest size; INFINITY: none */
    bool           out[DEV_MAX_PROVIDERS];     /* outclassed */
    uint32_t       repeats;                    /* products of a timing */
} contest;

static oclm_status run(const contest *c, size_t i, double *seconds)
{
    const double begin = core_seconds();
    oclm_status  status = OCLM_OK;
    for (uint32_t n = 0; n < c->repeats && status == OCLM_OK; n++)
        status = dev_work_enqueue(c->works[i], dev_queue(c->device), NULL);
    if (status == OCLM_OK)
        status = dev_finish(dev_queue(c->device));
    *seconds = (core_seconds() - begin) / c->repeats;
    return status;
}

/* Records each, and runs it once, uncounted: that builds. */
static void enter(contest *c, const dev_trial *trial)
{
    double seconds;
    c->repeats = 1;
    for (size_t i = 0; i < c->providers->count; i++) {
        c->seconds[i] = INFINITY;
        if (c->out[i])
            continue;
        if (dev_work_new(c->device, &c->works[i]) == OCLM_OK &&
            dev_matmul_add_by(c->works[i], c->providers->list[i], &trial->m) == OCLM_OK && run(c, i, &seconds) == OCLM_OK)
            continue;
        core_log(OCLM_LOG_DEBUG, "%s cannot be measured: %s", c->providers->list[i]->name, oclm_last_error());
        dev_work_free(c->works[i]);
        c->works[i] = NULL;
    }
}

static double fastest(const contest *c)
{
    double best = INFINITY;
    for (size_t i = 0; i < c->providers->count; i++)
        best = c->seconds[i] < best ? c->seconds[i] : best;
    return best;
}

/* Leaves out who is `hopeless` times behind, if that also saves more than `patience` seconds. */
static void race_once(contest *c, double hopeless, double patience)
{
    for (size_t i = 0; i < c->providers->count; i++) {
        double seconds;
        const bool left_out = c->seconds[i] > hopeless * fastest(c) && c->seconds[i] * c->repeats > patience;
        if (c->works[i] && !left_out && run(c, i, &seconds) == OCLM_OK && seconds < c->seconds[i])
            c->seconds[i] = seconds;
    }
}

static void race(contest *c)
{
    race_once(c, INFINITY, INFINITY);
    const double repeats = LENGTH / fastest(c); /* 0 where nobody runs */
    c->repeats = repeats < 1 ? 1 : (uint32_t)(repeats < REPEATS ? repeats : REPEATS);
    for (int round = 0; round < ROUNDS; round++)
        race_once(c, HOPELESS, round == 0 ? PATIENCE : 0);
}

static void leave(contest *c)
{
    const double best = fastest(c);
    for (size_t i = 0; i < c->providers->count; i++) {
        c->out[i] = c->out[i] || (best > ENOUGH / 10 && c->seconds[i] > OUTCLASSED * best);
        dev_work_free(c->works[i]);
        c->works[i] = NULL;
    }
}

/* Those who want the most scratch decide how much there is. */
static const dev_provider *hungriest(const dev_providers *providers)
{
    for (size_t i = 0; i < providers->count; i++) {
        if (providers->list[i]->scratch)
            return providers->list[i];
    }
    return NULL;
}

/* Rows that all are made for. */
static uint32_t rows_to_measure(const dev_providers *providers, dev_rows_class rows)
{
    uint32_t most = classes[rows].measured;
    for (size_t i = 0; i < providers->count; i++)
        most = providers->list[i]->most_rows < most ? providers->list[i]->most_rows : most;
    return most;
}

/* Times all at one size. False where there is no memory for it. */
static bool measure_at(contest *c, const core_storage *storage, dev_rows_class rows, uint32_t size)
{
    const dev_trial_shape shape = { .storage = *storage, .rows = rows_to_measure(c->providers, rows), .n = size, .k = size };
    core_file_lock       *lock = NULL;
    core_text             path = CORE_TEXT_INIT;
    dev_trial             trial;
    if (dev_trial_new(c->device, &shape, hungriest(c->providers), &trial) != OCLM_OK)
        return false;
    enter(c, &trial);
    /* Processes that measure at once would measure each other. Where there is no lock, so be it. */
    if (core_cache_folder(&path) == OCLM_OK && core_make_folders(path.data) == OCLM_OK &&
        core_text_add_string(&path, "/" LOCK_NAME) == OCLM_OK)
        (void)core_file_lock_take(path.data, &lock);
    race(c);
    core_file_lock_release(lock);
    leave(c);
    core_text_free(&path);
    dev_trial_free(c->device, &trial);
    return true;
}

/* By insertion: few, and equals keep their order. */
static void sort(contest *c)
{
    for (size_t i = 1; i < c->providers->count; i++) {
        for (size_t j = i; j > 0 && c->seconds[j] < c->seconds[j - 1]; j--) {
            const dev_provider *provider = c->providers->list[j];
            const double        seconds = c->seconds[j];
            c->providers->list[j] = c->providers->list[j - 1];
            c->seconds[j] = c->seconds[j - 1];
            c->providers->list[j - 1] = provider;
            c->seconds[j - 1] = seconds;
        }
    }
}

static void tell(const contest *c, const char *key, uint32_t size)
{
    core_text text = CORE_TEXT_INIT;
    for (size_t i = 0; i < c->providers->count; i++)
        if (isinf(c->seconds[i]))
            (void)core_text_printf(&text, "%s %s far behind", i ? "," : "", c->providers->list[i]->name);
        else
            (void)core_text_printf(&text, "%s %s %.3f ms", i ? "," : "", c->providers->list[i]->name, 1e3 * c->seconds[i]);
    core_log(OCLM_LOG_INFO, "%s, measured with %u x %u:%s", key, (unsigned)size, (unsigned)size, text.data ? text.data : "");
    core_text_free(&text);
}

bool dev_tuning_measure(dev_device *device, const core_storage *storage, dev_rows_class rows, dev_providers *providers)
{
    contest   c = { .device = device, .providers = providers };
    core_text key = CORE_TEXT_INIT;
    uint32_t  size = 0;
    if (dev_get_traits(device)->info.software) /* building takes it longer than anybody would gain */
        return false;
    for (size_t i = 0; i < COUNT(sizes) && (i == 0 || fastest(&c) < (i == 1 ? SLOW : ENOUGH)); i++) {
        if (!measure_at(&c, storage, rows, sizes[i]))
            break;
        size = sizes[i];
    }
    if (!size || isinf(fastest(&c)))
        return false;
    sort(&c);
    if (make_key(storage, rows, providers, &key) == OCLM_OK)
        tell(&c, key.data, size);
    core_text_free(&key);
    return true;
}

oclm_status dev_tuning_rank(dev_device *device, const core_storage *storage, dev_rows_class rows, dev_providers *providers)
{
    const dev_providers entrants = *providers;
    bool                found = false;
    oclm_status         status = dev_tuning_recall(device, storage, rows, providers, &found);
    if (status != OCLM_OK || found)
        return status;
    const bool measured = dev_tuning_measure(device, storage, rows, providers);
    return keep(device, storage, rows, &entrants, providers, measured);
}
