/* planner.c: see planner.h. */
#include "model/planner.h"

#include <string.h>

#define PAGE_BYTES 4096u
#define MAX_SLOTS 2u /* of units that visit: one is computed while the next one is copied */

typedef struct planner {
    const model_plan_facts *f;
    model_limit   *limits;   /* of devices to fill, in order, then of the host */
    model_filling *fillings; /* as limits */
    size_t         limit_count;
    uint32_t      *map;      /* [nodes]: as model_assign() */
    uint32_t      *where;    /* [units]: a site, MODEL_HOST or MODEL_DISK */
    uint32_t       visited;  /* the site that units of the host and the disk visit */
    uint32_t       host;     /* the site that computes units of the host in its own memory; MODEL_NOWHERE: they visit */
    uint32_t       slots;
    model_share   *shares;   /* [sites] */
    model_share    host_share, disk_share;
} planner;

/* ---- What a site is asked for */

static uint64_t larger(uint64_t a, uint64_t b) { return a > b ? a : b; }

static bool is_site(uint32_t where) { return where < MODEL_HOST; }

/* The site that computes a unit. */
static uint32_t computes(const planner *p, uint32_t unit)
{
    const uint32_t where = p->where[unit];
    return is_site(where) ? where : where == MODEL_HOST && p->host != MODEL_NOWHERE ? p->host : p->visited;
}

/* Does it live on the site that computes it? */
static bool lives_there(const planner *p, uint32_t unit)
{
    return is_site(p->where[unit]) || (p->where[unit] == MODEL_HOST && p->host != MODEL_NOWHERE);
}

static uint64_t matrices_of(const planner *p, uint32_t unit) { return p->f->units[unit].bytes - p->f->units[unit].vectors; }

/* What they take in host memory or a file at most: where each is read in place it begins at a page. */
static uint64_t kept_outside(const planner *p, uint32_t unit) { return matrices_of(p, unit) + (uint64_t)PAGE_BYTES * p->f->units[unit].matrices; }

/* What they take of a slot. */
static uint64_t in_slot(const planner *p, uint32_t unit)
{
    return matrices_of(p, unit) + p->f->sites[p->visited].alignment * p->f->units[unit].matrices;
}

/* Room for what visits: slots while computing; `most`: the largest of them, which passes through once, while loading. */
static uint64_t visiting(const planner *p, uint64_t *most)
{
    uint64_t largest = 0, rows = 0;
    uint32_t count = 0;
    *most = 0;
    for (uint32_t unit = 0; unit < p->f->tree->unit_count; unit++) {
        if (lives_there(p, unit))
            continue;
        *most = larger(*most, matrices_of(p, unit));
        if (unit == MODEL_UNIT_EMBEDDING && !p->f->tree->tied) {
            rows = p->f->rows_bytes;
            continue;
        }
        count += matrices_of(p, unit) > 0;
        largest = larger(largest, in_slot(p, unit));
    }
    if (p->f->sites[p->visited].in_place)
        return 0;
    return rows + (count < p->slots ? count : p->slots) * largest;
}

/* A layer that reads the cache of one on another site has a copy of it, and a second one on the way: for the first such layer of the site. */
static uint64_t copied_cache(const planner *p, uint32_t unit)
{
    const uint32_t of = p->f->reads != NULL ? p->f->reads[unit] : unit, site = computes(p, unit);
    if (computes(p, of) == site)
        return 0;
    for (uint32_t other = MODEL_UNIT_LAYERS; other < unit; other++) {
        if (p->f->reads[other] == of && computes(p, other) == site)
            return 0;
    }
    return 2 * p->f->cache[of];
}

/* Sums up all units. Budgets may be exceeded: `left` is then 0. */
static void share_out(planner *p)
{
    const model_plan_facts *f = p->f;
    memset(p->shares, 0, f->site_count * sizeof *p->shares);
    p->host_share = (model_share){ .budget = f->host_limit };
    p->disk_share = (model_share){ .budget = UINT64_MAX };
    for (uint32_t unit = 0; unit < f->tree->unit_count; unit++) {
        model_share *share = &p->shares[computes(p, unit)];
        share->cache += f->cache[unit] + copied_cache(p, unit);
        share->weights += lives_there(p, unit) ? f->units[unit].bytes : f->units[unit].vectors;
        if (!lives_there(p, unit))
            (p->where[unit] == MODEL_HOST ? &p->host_share : &p->disk_share)->weights += kept_outside(p, unit);
    }
    for (uint32_t i = 0; i < f->site_count; i++) {
        model_share *share = &p->shares[i];
        uint64_t     passing = 0;
        share->budget = f->sites[i].budget;
        if (p->host_share.weights + p->disk_share.weights > 0 && i == p->visited)
            share->visiting = visiting(p, &passing);
        if (share->weights + share->cache + share->visiting > 0) { /* units pass through before cache and slots are there */
            const uint64_t later = share->visiting + share->cache;
            share->workspace = larger(f->sites[i].workspace, passing > later ? passing - later : 0) + f->sites[i].staging;
        }
        share->used = share->weights + share->visiting + share->cache + share->workspace;
        share->left = share->budget > share->used ? share->budget - share->used : 0;
    }
    for (uint32_t i = 0; i < 2; i++) {
        model_share *share = i == 0 ? &p->host_share : &p->disk_share;
        share->used = share->weights;
        share->left = share->budget > share->used ? share->budget - share->used : 0;
    }
}

/* Is a site to keep a layer's keys in one buffer larger than it takes? */
static bool takes_no_such_buffer(const planner *p, uint32_t site)
{
    const uint64_t most = p->f->sites[site].most_buffer;
    for (uint32_t unit = MODEL_UNIT_LAYERS; most > 0 && unit < p->f->tree->unit_count; unit++) {
        if (computes(p, unit) == site && p->f->cache[unit] / 2 > most)
            return true;
    }
    return false;
}

static uint32_t find_short(const planner *p)
{
    for (uint32_t i = 0; i < p->f->site_count; i++) {
        if (p->shares[i].used > p->shares[i].budget || takes_no_such_buffer(p, i))
            return i;
    }
    return p->host_share.used > p->host_share.budget ? MODEL_HOST : MODEL_NOWHERE;
}

/* ---- The host: a site on its processor, or memory that feeds another */

static uint32_t find_host_site(const model_plan_facts *f, bool listed)
{
    for (uint32_t i = 0; i < f->site_count; i++) {
        if (f->sites[i].is_host && (listed || !f->sites[i].listed))
            return i;
    }
    return MODEL_NOWHERE;
}

/* Of the sites that `used` names, the one that is fed fastest; the first where nothing is known. MODEL_NOWHERE: none is used. */
static uint32_t find_fastest(const model_plan_facts *f, const bool *used)
{
    uint32_t best = MODEL_NOWHERE;
    for (uint32_t i = 0; i < f->site_count; i++) {
        if (used[i] && (best == MODEL_NOWHERE || f->sites[i].rates.copy > f->sites[best].rates.copy))
            best = i;
    }
    return best;
}

/* `used`: sites that compute anyway. */
static void choose_host(planner *p, const bool *used)
{
    const model_plan_facts *f = p->f;
    const uint32_t          fed = find_fastest(f, used), own = find_host_site(f, fed == MODEL_NOWHERE);
    p->visited = fed;
    p->host = MODEL_NOWHERE;
    if (own != MODEL_NOWHERE && !(fed != MODEL_NOWHERE && used[own]) &&
        (fed == MODEL_NOWHERE || (f->sites[fed].rates.copy > 0.0 && f->sites[own].rates.read > f->sites[fed].rates.copy)))
        p->host = p->visited = own;
    if (p->visited == MODEL_NOWHERE)
        p->visited = 0;
}

/* ---- Filling */

static void set_limits(planner *p)
{
    const model_plan_facts *f = p->f;
    p->limit_count = 0;
    for (uint32_t i = 0; i < f->site_count; i++) {
        const uint64_t kept = f->sites[i].workspace + f->sites[i].staging;
        if (f->sites[i].listed)
            p->limits[p->limit_count++] = (model_limit){ i, f->sites[i].budget > kept ? f->sites[i].budget - kept : 0 };
    }
    if (f->host_limit > 0)
        p->limits[p->limit_count++] = (model_limit){ MODEL_HOST, f->host_limit };
    if (f->kind != MODEL_MAP_SEQUENTIAL)
        model_balance(&f->tree->modules, f->kind == MODEL_MAP_BALANCED_LOW_0, p->limits, p->limit_count);
}

static model_limit *limit_of(planner *p, uint32_t where)
{
    for (size_t i = 0; i < p->limit_count; i++) {
        if (p->limits[i].where == where)
            return &p->limits[i];
    }
    return NULL;
}

static oclm_status fill(planner *p)
{
    const model_modules *m = &p->f->tree->modules;
    const oclm_status    status = model_assign(m, p->limits, p->limit_count, p->map, p->fillings);
    for (uint32_t unit = 0; unit < p->f->tree->unit_count && status == OCLM_OK; unit++) {
        uint32_t node = p->f->tree->node[unit];
        while (p->map[node] == MODEL_NOWHERE && node != MODEL_ROOT)
            node = m->at[node].parent;
        p->where[unit] = p->map[node];
    }
    return status;
}

/* Lets at least one module less onto a site. False where there is none. */
static bool lower(planner *p, uint32_t site, uint64_t by)
{
    model_limit *limit = limit_of(p, site);
    if (limit == NULL)
        return false;
    const model_filling *filling = &p->fillings[limit - p->limits];
    const uint64_t       less = limit->bytes > by ? limit->bytes - by : 0, taken = filling->used + filling->reserved;
    if (filling->used == 0)
        return false;
    limit->bytes = less < taken ? less : taken - 1;
    return true;
}

/* The host's memory is the device's, where its processor is one. */
static void limit_host(planner *p)
{
    model_limit *limit = p->host != MODEL_NOWHERE ? limit_of(p, MODEL_HOST) : NULL;
    if (limit == NULL)
        return;
    const model_plan_site *own = &p->f->sites[p->host];
    const uint64_t         kept = own->workspace + own->staging, room = own->budget > kept ? own->budget - kept : 0;
    limit->bytes = room < limit->bytes ? room : limit->bytes;
}

static oclm_status fill_with_slots(planner *p, const bool *used, uint32_t *short_of)
{
    oclm_status status;
    set_limits(p);
    choose_host(p, used);
    limit_host(p);
    while ((status = fill(p)) == OCLM_OK) {
        share_out(p);
        *short_of = find_short(p);
        if (*short_of == MODEL_NOWHERE)
            break;
        const model_share *share = *short_of == MODEL_HOST ? &p->host_share : &p->shares[*short_of];
        if (!lower(p, *short_of, share->used > share->budget ? share->used - share->budget : 1))
            break;
    }
    return status;
}

static oclm_status fill_all(planner *p, uint32_t *short_of)
{
    const model_plan_facts *f = p->f;
    bool                   *used = core_alloc_zero(f->site_count, sizeof *used, "the devices of a plan");
    oclm_status             status = used != NULL ? OCLM_OK : OCLM_ERR_MEMORY;
    *short_of = 0;
    for (uint32_t i = 0; i < f->site_count && status == OCLM_OK; i++)
        used[i] = f->sites[i].listed && f->sites[i].budget > f->sites[i].workspace + f->sites[i].staging;
    for (p->slots = MAX_SLOTS; p->slots > 0 && status == OCLM_OK && *short_of != MODEL_NOWHERE; p->slots--)
        status = fill_with_slots(p, used, short_of);
    core_free(used);
    return status;
}

/* As a map says. */
static oclm_status follow_map(planner *p, uint32_t *short_of)
{
    const model_plan_facts *f = p->f;
    bool                   *used = core_alloc_zero(f->site_count, sizeof *used, "the devices of a map");
    oclm_status             status = used != NULL ? model_map_given(f, p->where) : OCLM_ERR_MEMORY;
    for (uint32_t unit = 0; unit < f->tree->unit_count && status == OCLM_OK; unit++) {
        if (is_site(p->where[unit]))
            used[p->where[unit]] = true;
    }
    if (status == OCLM_OK)
        choose_host(p, used);
    *short_of = 0;
    for (p->slots = MAX_SLOTS; p->slots > 0 && status == OCLM_OK && *short_of != MODEL_NOWHERE; p->slots--) {
        share_out(p);
        *short_of = find_short(p);
    }
    core_free(used);
    return status;
}

/* ---- What comes out */

static model_place place_of(const planner *p, uint32_t unit)
{
    const uint32_t where = p->where[unit];
    return (model_place){ lives_there(p, unit) ? MODEL_ON_DEVICE : where == MODEL_HOST ? MODEL_ON_CPU : MODEL_ON_DISK, computes(p, unit) };
}

static oclm_status write_map(const planner *p, const uint32_t *map, char **text)
{
    const model_modules *m = &p->f->tree->modules;
    core_text            json = CORE_TEXT_INIT;
    oclm_status          status = core_text_add_char(&json, '{');
    bool                 first = true;
    for (uint32_t i = 0; i < m->count && status == OCLM_OK; i++) {
        if (map[i] == MODEL_NOWHERE)
            continue;
        status = first ? OCLM_OK : core_text_add_string(&json, ", ");
        first = false;
        if (status == OCLM_OK && (status = core_json_add_string(&json, m->at[i].name, strlen(m->at[i].name))) == OCLM_OK)
            status = is_site(map[i]) ? core_text_printf(&json, ": %u", p->f->sites[map[i]].number)
                                     : core_text_printf(&json, ": \"%s\"", map[i] == MODEL_HOST ? "cpu" : "disk");
    }
    if (status == OCLM_OK && (status = core_text_add_char(&json, '}')) == OCLM_OK)
        *text = core_text_take(&json, NULL);
    core_text_free(&json);
    return status;
}

/* Where each module is, at the smallest ones, and then as few words as say it. */
static oclm_status name_places(planner *p, bool given, model_placement *placement)
{
    const model_tree *t = p->f->tree;
    uint32_t         *map = core_alloc_array(t->modules.count, sizeof *map, "a device map");
    if (map == NULL)
        return OCLM_ERR_MEMORY;
    for (uint32_t i = 0; i < t->modules.count; i++) {
        uint32_t node = i;
        while (!given && p->map[node] == MODEL_NOWHERE && node != MODEL_ROOT)
            node = t->modules.at[node].parent;
        const uint32_t own = given ? p->where[MODEL_UNIT_EMBEDDING] : p->map[node]; /* of a module without weights */
        map[i] = t->unit[i] != MODEL_NO_UNIT ? p->where[t->unit[i]] : own;
        if (t->modules.at[i].has_modules)
            map[i] = MODEL_NOWHERE;
    }
    model_collapse(&t->modules, map);
    const oclm_status status = write_map(p, map, &placement->map);
    core_free(map);
    return status;
}

static oclm_status finish(planner *p, model_placement *placement)
{
    const model_plan_facts *f = p->f;
    placement->device_count = f->site_count;
    placement->layer_count = f->tree->unit_count - MODEL_UNIT_LAYERS;
    placement->layers = core_alloc_array(placement->layer_count, sizeof *placement->layers, "the places of layers");
    if (placement->layers == NULL)
        return OCLM_ERR_MEMORY;
    placement->embedding = place_of(p, MODEL_UNIT_EMBEDDING);
    placement->head = place_of(p, MODEL_UNIT_HEAD);
    for (uint32_t i = 0; i < placement->layer_count; i++)
        placement->layers[i] = place_of(p, MODEL_UNIT_LAYERS + i);
    for (size_t i = 0; i < p->limit_count; i++) {
        const uint32_t where = p->limits[i].where;
        (is_site(where) ? &p->shares[where] : &p->host_share)->next = p->fillings[i].next;
    }
    placement->devices = p->shares;
    p->shares = NULL;
    placement->host = p->host_share;
    placement->disk = p->disk_share;
    const oclm_status status = name_places(p, f->kind == MODEL_MAP_GIVEN, placement);
    return status == OCLM_OK ? model_explain(f, p->where, placement) : status;
}

oclm_status model_place_units(const model_plan_facts *f, model_placement *placement, uint32_t *short_of)
{
    planner     p = { .f = f, .host = MODEL_NOWHERE };
    oclm_status status = OCLM_ERR_MEMORY;
    memset(placement, 0, sizeof *placement);
    p.limits = core_alloc_zero((size_t)f->site_count + 1, sizeof *p.limits, "the limits of devices");
    p.fillings = core_alloc_zero((size_t)f->site_count + 1, sizeof *p.fillings, "the limits of devices");
    p.map = core_alloc_array(f->tree->modules.count, sizeof *p.map, "a device map");
    p.where = core_alloc_array(f->tree->unit_count, sizeof *p.where, "the places of layers");
    p.shares = core_alloc_zero(f->site_count, sizeof *p.shares, "the shares of devices");
    if (p.limits && p.fillings && p.map && p.where && p.shares)
        status = f->kind == MODEL_MAP_GIVEN ? follow_map(&p, short_of) : fill_all(&p, short_of);
    if (status == OCLM_OK)
        status = finish(&p, placement);
    core_free(p.limits);
    core_free(p.fillings);
    core_free(p.map);
    core_free(p.where);
    core_free(p.shares);
    return status;
}
