/* test_placement.c: plans by numbers alone: what each device is asked for adds up and fits, whatever the budgets; maps mean what they say, and are
 * refused with their words where they cannot be followed; the host is memory or a processor, whichever is faster; reasons are told. */
#include <string.h>

#include "device/devices.h"

#include "core/json.h"
#include "core/log.h"
#include "core/unit.h"
#include "model/weights.h"
#include "model/planner.h"

#define GOLDEN OCLM_SOURCE_DIR "/tests/golden/"
#define MIB ((uint64_t)1 << 20)
#define MAX_UNITS 32u
#define MAX_SITES 4u

/* A tiny model's modules, with sizes of our own: 40 MiB of embedding, 10 of each layer and 2 of its cache, 41 of head. */
typedef struct scene {
    model_architecture a;
    model_tree         tree;
    model_unit_size    units[MAX_UNITS];
    uint64_t           cache[MAX_UNITS], weights[MAX_UNITS];
    model_plan_site    sites[MAX_SITES];
    model_plan_facts   f;
} scene;

static void weigh(scene *s)
{
    const model_tree_source source = { s->f.family, &s->a, s->tree.tied, false, s->weights };
    for (uint32_t i = 0; i < MAX_UNITS; i++)
        s->weights[i] = s->units[i].bytes + s->cache[i];
    model_tree_free(&s->tree);
    assert_ok(model_tree_new(&source, &s->tree));
}

static scene *new_scene(const char *folder, bool tied)
{
    static scene s;
    char         path[512];
    oclm_dtype   dtype;
    memset(&s, 0, sizeof s);
    snprintf(path, sizeof path, GOLDEN "%s", folder);
    assert_ok(model_config_read(path, &s.f.family, &s.a, &dtype));
    assert_true(MODEL_UNIT_LAYERS + s.a.layers <= MAX_UNITS);
    for (uint32_t unit = 0; unit < MODEL_UNIT_LAYERS + s.a.layers; unit++) {
        s.units[unit].bytes = (unit == MODEL_UNIT_EMBEDDING ? 40 : unit == MODEL_UNIT_HEAD ? (tied ? 1 : 41) : 10) * MIB;
        s.units[unit].vectors = unit == MODEL_UNIT_EMBEDDING ? 0 : MIB / 8;
        s.cache[unit] = unit < MODEL_UNIT_LAYERS ? 0 : 2 * MIB;
    }
    s.tree.tied = tied;
    weigh(&s);
    s.f.tree = &s.tree;
    s.f.units = s.units;
    s.f.cache = s.cache;
    s.f.rows_bytes = MIB;
    s.f.sites = s.sites;
    s.f.host_limit = 1000 * MIB;
    return &s;
}

static void add_site(scene *s, uint64_t mib)
{
    s->sites[s->f.site_count] = (model_plan_site){ .number = s->f.site_count, .budget = mib * MIB, .listed = true, .workspace = 5 * MIB, .staging = 3 * MIB };
    s->f.site_count++;
}

static model_placement plan(scene *s, uint32_t *short_of)
{
    model_placement placement;
    assert_ok(model_place_units(&s->f, &placement, short_of));
    return placement;
}

static void expect_map(const char *label, scene *s, const char *want)
{
    uint32_t        short_of;
    model_placement p = plan(s, &short_of);
    if (short_of != MODEL_NOWHERE)
        fail_msg("%s: %u is short", label, short_of);
    if (strcmp(p.map, want) != 0)
        fail_msg("%s: %s, want %s", label, p.map, want);
    model_placement_free(&p);
}

/* ---- Filling */

static void budgets_count_cache_and_workspace(void **state)
{
    (void)state;
    scene         *s = new_scene("tiny/llama", false); /* 40 + layers * 10 + 41 of weights, 2 of cache each, 5 + 3 of workspace */
    const uint32_t layers = s->a.layers;
    const uint64_t whole = 40 + 41 + layers * 12 + 8;
    s->f.kind = MODEL_MAP_SEQUENTIAL;
    add_site(s, whole);
    expect_map("a budget that is just enough", s, "{\"\": 0}");
    s->sites[0].budget -= 1;
    uint32_t        short_of;
    model_placement p = plan(s, &short_of);
    assert_int_equal(short_of, MODEL_NOWHERE);
    assert_true(p.host.weights > 0);
    assert_true(p.devices[0].used <= s->sites[0].budget);
    assert_true(p.devices[0].visiting > 0);
    model_placement_free(&p);
    model_tree_free(&s->tree);
}

static void a_cache_larger_than_a_buffer_may_be_is_seen_before_anything_is_allocated(void **state)
{
    (void)state;
    scene   *s = new_scene("tiny/llama", false);
    uint32_t short_of;
    s->f.kind = MODEL_MAP_SEQUENTIAL;
    add_site(s, 1000);
    s->sites[0].most_buffer = MIB; /* keys, and values, of a layer */
    expect_map("buffers that are just large enough", s, "{\"\": 0}");
    s->sites[0].most_buffer -= 1;
    model_placement p = plan(s, &short_of);
    assert_int_equal(short_of, 0);
    assert_true(p.devices[0].used <= p.devices[0].budget);
    model_placement_free(&p);
    add_site(s, 1000); /* another device takes such buffers, and all layers */
    p = plan(s, &short_of);
    assert_int_equal(short_of, MODEL_NOWHERE);
    for (uint32_t i = 0; i < p.layer_count; i++)
        assert_int_equal(p.layers[i].device, 1);
    model_placement_free(&p);
    model_tree_free(&s->tree);
}

static void plans_are_as_transformers_makes_them(void **state)
{
    (void)state;
    scene *s = new_scene("families/gemma2", true);
    s->f.kind = MODEL_MAP_BALANCED;
    s->units[MODEL_UNIT_EMBEDDING].bytes = 8 * MIB;
    weigh(s);
    add_site(s, 1000);
    add_site(s, 1000);
    uint32_t        short_of;
    model_placement p = plan(s, &short_of);
    assert_int_equal(short_of, MODEL_NOWHERE);
    assert_int_equal(p.embedding.device, p.head.device); /* one table */
    assert_true(p.devices[0].weights > 0 && p.devices[1].weights > 0);
    model_placement_free(&p);
    s->f.kind = MODEL_MAP_SEQUENTIAL;
    expect_map("one after the other", s, "{\"\": 0}");
    s->f.kind = MODEL_MAP_BALANCED_LOW_0;
    expect_map("as little as may be on the first", s, "{\"\": 1}");
    model_tree_free(&s->tree);
}

/* ---- Whatever the numbers */

static uint32_t seed;

static uint32_t draw(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)(seed >> 8) * below) >> 24);
}

static void randomise(scene *s)
{
    for (uint32_t unit = 0; unit < s->tree.unit_count; unit++) {
        s->units[unit].bytes = 1 + draw(40) * MIB / 4;
        s->units[unit].vectors = draw(2) * (s->units[unit].bytes / 50);
        s->units[unit].matrices = draw(10);
        s->cache[unit] = unit < MODEL_UNIT_LAYERS ? 0 : draw(8) * MIB / 4;
    }
    weigh(s);
    s->f.kind = (model_map_kind)draw(3);
    s->f.rows_bytes = draw(4) * MIB;
    s->f.host_limit = draw(3) * draw(60) * MIB;
    s->f.site_count = 0;
    for (uint32_t i = 1 + draw(MAX_SITES); i > 0; i--) {
        add_site(s, draw(90));
        model_plan_site *site = &s->sites[s->f.site_count - 1];
        site->is_host = draw(4) == 0;
        site->in_place = site->is_host || draw(6) == 0;
        site->alignment = draw(2) * 512;
        site->listed = !site->is_host || draw(2) == 0;
        site->workspace = draw(8) * MIB / 2;
        site->rates = (model_rates){ draw(3) * 10.0, draw(3) * 10.0 };
    }
}

static void check_sums(const scene *s, const model_placement *p, bool fits)
{
    uint64_t weights[MAX_SITES] = { 0 }, cache[MAX_SITES] = { 0 }, out[2] = { 0 }, rows = 0;
    uint32_t units = 0;
    for (uint32_t unit = 0; unit < s->tree.unit_count; unit++) {
        const model_place place = model_place_of(p, unit);
        assert_in_range(place.device, 0, s->f.site_count - 1);
        cache[place.device] += s->cache[unit];
        weights[place.device] += place.kind == MODEL_ON_DEVICE ? s->units[unit].bytes : s->units[unit].vectors;
        if (place.kind != MODEL_ON_DEVICE)
            out[place.kind == MODEL_ON_DISK] += s->units[unit].bytes - s->units[unit].vectors + s->units[unit].matrices * (uint64_t)4096; /* pages */
    }
    for (uint32_t i = 0; i < s->f.site_count; i++) {
        const model_share *share = &p->devices[i];
        assert_int_equal(share->weights, weights[i]);
        assert_int_equal(share->cache, cache[i]);
        assert_int_equal(share->used, share->weights + share->cache + share->visiting + share->workspace);
        assert_true(weights[i] == 0 || share->workspace >= s->sites[i].workspace);
        if (fits)
            assert_int_equal(share->used + share->left, share->budget);
        assert_int_equal(share->budget, s->sites[i].budget);
    }
    assert_int_equal(p->host.weights, out[0]);
    assert_int_equal(p->disk.weights, out[1]);
    assert_true(!fits || p->host.used <= s->f.host_limit);
    for (size_t i = 0; i < p->row_count; i++) {
        units += p->rows[i].units;
        rows += p->rows[i].weight_bytes + p->rows[i].cache_bytes;
    }
    assert_int_equal(units, s->tree.unit_count);
    assert_int_equal(rows, s->tree.modules.at[MODEL_ROOT].bytes);
}

/* Devices in their order, then the host, then the disk; where something is tied it may come earlier. */
static void check_order(const scene *s, const model_placement *p)
{
    uint32_t before = 0;
    for (uint32_t i = 0; i < s->a.layers && s->tree.modules.group_count == (uint32_t)s->tree.tied; i++) {
        const model_place place = p->layers[i];
        const bool        stands_in = place.kind == MODEL_ON_DEVICE && !s->sites[place.device].listed; /* for the host */
        const uint32_t    rank = place.kind == MODEL_ON_DISK ? 101 : place.kind == MODEL_ON_CPU || stands_in ? 100 : place.device;
        assert_true(rank >= before);
        before = rank;
    }
}

static void every_plan_adds_up_and_fits(void **state)
{
    static const struct { const char *folder; bool tied; } models[] = {
        { "tiny/llama", false }, { "families/gemma2", true }, { "families/gemma4", true }, { "families/opt", false }, { "tiny/gpt2", true },
    };
    size_t fitting = 0, moved = 0;
    (void)state;
    for (uint32_t round = 0; round < 4000; round++) {
        uint32_t short_of, again_of;
        scene   *s = new_scene(models[round % COUNT(models)].folder, models[round % COUNT(models)].tied);
        seed = round;
        randomise(s);
        model_placement p = plan(s, &short_of), again = plan(s, &again_of);
        check_sums(s, &p, short_of == MODEL_NOWHERE);
        check_order(s, &p);
        assert_string_equal(p.map, again.map);
        assert_int_equal(short_of, again_of);
        if (short_of < MODEL_HOST)
            assert_true(p.devices[short_of].used > p.devices[short_of].budget);
        fitting += short_of == MODEL_NOWHERE;
        moved += short_of == MODEL_NOWHERE && p.host.used + p.disk.used > 0;
        model_placement_free(&p);
        model_placement_free(&again);
        model_tree_free(&s->tree);
    }
    assert_in_range(fitting, 1000, 3999); /* else the cases are no cases */
    assert_in_range(moved, 300, 3999);
}

/* ---- The host: memory, or a processor */

static void the_host_is_what_is_faster(void **state)
{
    static const struct { const char *label; double copy, read; bool own; } rows[] = {
        { "nothing is known", 0.0, 0.0, false }, { "copying is faster", 20.0, 10.0, false }, { "reading is faster", 10.0, 20.0, true },
        { "one rate is not known", 0.0, 20.0, false },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        scene *s = new_scene("tiny/llama", false);
        s->f.kind = MODEL_MAP_SEQUENTIAL;
        add_site(s, 80);
        add_site(s, 1000);
        s->sites[0].rates.copy = rows[i].copy;
        s->sites[1].rates.read = rows[i].read;
        s->sites[1].listed = false;
        s->sites[1].is_host = true;
        uint32_t        short_of;
        model_placement p = plan(s, &short_of);
        if (short_of != MODEL_NOWHERE || (p.host.weights == 0) != rows[i].own || (p.devices[1].weights > 0) != rows[i].own)
            fail_msg("%s: %s, %llu on the host", rows[i].label, p.map, (unsigned long long)p.host.weights);
        assert_non_null(strstr(p.map, "\"cpu\"")); /* that is what it is called, either way */
        const model_place_row *last = &p.rows[p.row_count - 1];
        assert_int_equal(last->was_cpu, rows[i].own);
        if (strstr(last->why, rows[i].own ? "on the host's processor" : "visits device 0") == NULL)
            fail_msg("%s: \"%s\"", rows[i].label, last->why);
        model_placement_free(&p);
        model_tree_free(&s->tree);
    }
}

static void reasons_name_the_parts(void **state)
{
    (void)state;
    scene *s = new_scene("tiny/llama", false);
    s->f.kind = MODEL_MAP_SEQUENTIAL;
    add_site(s, 100);
    add_site(s, 200);
    uint32_t        short_of;
    model_placement p = plan(s, &short_of);
    assert_int_equal(short_of, MODEL_NOWHERE);
    const model_place_row *row = &p.rows[0];
    while (row->why[0] == '\0')
        row++;
    static const char *const words[] = { "device 0: 100 MiB budget", "MiB workspace", "MiB used", "the next needs" };
    for (size_t i = 0; i < COUNT(words); i++) {
        if (strstr(row->why, words[i]) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", row->why, words[i]);
    }
    assert_string_equal(p.rows[0].modules, "model.embed_tokens");
    assert_string_equal(p.rows[p.row_count - 1].modules, "model.norm, lm_head");
    model_placement_free(&p);
    model_tree_free(&s->tree);
}

/* ---- Maps */

#define ENTRY(name, kind, device) { name, { kind, device } }
#define MAX_ENTRIES 8

static const struct {
    const char     *label, *folder;
    bool            tied;
    model_map_entry entries[MAX_ENTRIES];
    const char     *map;   /* NULL: refused */
    const char     *words; /* in the message, or in a warning */
} maps[] = {
    { "all on one", "tiny/llama", false, { ENTRY("", MODEL_ON_DEVICE, 1) }, "{\"\": 1}", NULL },
    { "the longest name counts", "tiny/llama", false, { ENTRY("", MODEL_ON_DEVICE, 0), ENTRY("model.layers", MODEL_ON_DEVICE, 1), ENTRY("model.layers.0", MODEL_ON_CPU, 0) },
      "{\"model.embed_tokens\": 0, \"model.layers.0\": \"cpu\", \"model.layers.1\": 1, \"model.norm\": 0, \"model.rotary_emb\": 0, \"lm_head\": 0}", NULL },
    { "disk", "tiny/llama", false, { ENTRY("model", MODEL_ON_DISK, 0), ENTRY("lm_head", MODEL_ON_DEVICE, 0) },
      "{\"model.embed_tokens\": \"disk\", \"model.layers\": \"disk\", \"model.norm\": 0, \"model.rotary_emb\": \"disk\", \"lm_head\": 0}",
      "computed together" },
    { "a name ends at a dot", "families/gemma4", true, { ENTRY("model.layer", MODEL_ON_DEVICE, 0), ENTRY("", MODEL_ON_DEVICE, 1) }, "{\"\": 1}",
      "\"model.layer\" names no module of this model" },
    { "what a larger model has around it", "families/gemma2", true,
      { ENTRY("model.language_model", MODEL_ON_DEVICE, 1), ENTRY("lm_head", MODEL_ON_DEVICE, 1), ENTRY("model.vision_tower", MODEL_ON_DEVICE, 0) }, "{\"\": 1}", NULL },
    { "parts of a layer that agree", "tiny/llama", false,
      { ENTRY("", MODEL_ON_DEVICE, 0), ENTRY("model.layers.1", MODEL_ON_DEVICE, 1), ENTRY("model.layers.1.mlp", MODEL_ON_DEVICE, 1) },
      "{\"model.embed_tokens\": 0, \"model.layers.0\": 0, \"model.layers.1\": 1, \"model.norm\": 0, \"model.rotary_emb\": 0, \"lm_head\": 0}", NULL },
    { "parts of a layer that do not", "tiny/llama", false, { ENTRY("", MODEL_ON_DEVICE, 0), ENTRY("model.layers.1.mlp", MODEL_ON_DEVICE, 1) }, NULL,
      "\"model.layers.1.mlp\" goes to device 1, but \"\" to device 0: a layer is not split; name \"model.layers.1\" alone" },
    { "something is left out", "tiny/llama", false, { ENTRY("model.layers", MODEL_ON_DEVICE, 0), ENTRY("lm_head", MODEL_ON_DEVICE, 0) }, NULL,
      "says nothing of model.embed_tokens, model.norm; name a place" },
    { "a tied head follows", "tiny/gpt2", true, { ENTRY("", MODEL_ON_DEVICE, 1), ENTRY("lm_head", MODEL_ON_DEVICE, 0) }, "{\"\": 1}", "weights are the same" },
    { "a tied head need not be named", "tiny/gpt2", true, { ENTRY("transformer", MODEL_ON_DEVICE, 1) }, "{\"\": 1}", NULL },
    { "a part of a layer that is none", "tiny/llama", false, { ENTRY("", MODEL_ON_DEVICE, 0), ENTRY("model.layers.1.attn", MODEL_ON_DEVICE, 0) }, "{\"\": 0}",
      "\"model.layers.1.attn\" names no module" },
};

static char warned[2000];

static void note_warning(oclm_log_level level, const char *line, void *user)
{
    (void)level;
    (void)user;
    const size_t used = strlen(warned);
    snprintf(warned + used, sizeof warned - used, "%s\n", line);
}

static void maps_mean_what_they_say(void **state)
{
    (void)state;
    core_log_set(note_warning, NULL, OCLM_LOG_INFO);
    for (size_t i = 0; i < COUNT(maps); i++) {
        uint32_t        short_of = 0;
        model_placement p;
        scene          *s = new_scene(maps[i].folder, maps[i].tied);
        add_site(s, 1000);
        add_site(s, 1000);
        s->f.kind = MODEL_MAP_GIVEN;
        s->f.entries = maps[i].entries;
        while (s->f.entry_count < MAX_ENTRIES && maps[i].entries[s->f.entry_count].module != NULL)
            s->f.entry_count++;
        warned[0] = '\0';
        const oclm_status status = model_place_units(&s->f, &p, &short_of);
        if ((status == OCLM_OK) != (maps[i].map != NULL) || (status != OCLM_OK && status != OCLM_ERR_ARGUMENT))
            fail_msg("%s: status %d (%s)", maps[i].label, (int)status, oclm_last_error());
        const char *said = status == OCLM_OK ? warned : oclm_last_error();
        if (maps[i].words != NULL ? strstr(said, maps[i].words) == NULL : status == OCLM_OK && said[0] != '\0')
            fail_msg("%s: said \"%s\", not \"%s\"", maps[i].label, said, maps[i].words != NULL ? maps[i].words : "");
        if (status == OCLM_OK && strcmp(p.map, maps[i].map) != 0)
            fail_msg("%s: %s, want %s", maps[i].label, p.map, maps[i].map);
        model_placement_free(&p);
        model_tree_free(&s->tree);
    }
    core_log_set(NULL, NULL, OCLM_LOG_ERROR);
}

static void maps_that_do_not_fit_tell_of_what(void **state)
{
    (void)state;
    const model_map_entry entries[] = { ENTRY("", MODEL_ON_DEVICE, 0), ENTRY("lm_head", MODEL_ON_CPU, 0) };
    scene                *s = new_scene("tiny/llama", false);
    uint32_t              short_of;
    add_site(s, 60);
    s->f.kind = MODEL_MAP_GIVEN;
    s->f.entries = entries;
    s->f.entry_count = COUNT(entries);
    model_placement p = plan(s, &short_of);
    assert_int_equal(short_of, 0);
    check_sums(s, &p, false);
    model_placement_free(&p);
    s->sites[0].budget = 1000 * MIB;
    s->f.host_limit = 40 * MIB;
    p = plan(s, &short_of);
    assert_int_equal(short_of, MODEL_HOST);
    model_placement_free(&p);
    model_tree_free(&s->tree);
}

/* A map may part layers that read one cache: each device then has its copy, and what is on the way. */
static void parted_caches_are_counted(void **state)
{
    static const model_map_entry entries[] = { ENTRY("", MODEL_ON_DEVICE, 0), ENTRY("model.layers.1", MODEL_ON_DEVICE, 1) };
    uint32_t                     reads[MAX_UNITS], short_of;
    (void)state;
    scene *s = new_scene("tiny/llama", false);
    for (uint32_t unit = 0; unit < MAX_UNITS; unit++)
        reads[unit] = unit;
    reads[MODEL_UNIT_LAYERS + 1] = MODEL_UNIT_LAYERS;
    s->cache[MODEL_UNIT_LAYERS + 1] = 0;
    weigh(s);
    add_site(s, 1000);
    add_site(s, 1000);
    s->f.reads = reads;
    s->f.kind = MODEL_MAP_GIVEN;
    s->f.entries = entries;
    s->f.entry_count = COUNT(entries);
    model_placement p = plan(s, &short_of);
    assert_int_equal(p.devices[0].cache, (s->a.layers - 1) * 2 * MIB);
    assert_int_equal(p.devices[1].cache, 2 * 2 * MIB);
    model_placement_free(&p);
    model_tree_free(&s->tree);
}

/* ---- Failing memory */

typedef struct attempt {
    scene          *s;
    model_placement p;
} attempt;

static oclm_status try_plan(void *user)
{
    attempt          *t = user;
    uint32_t          short_of;
    const oclm_status status = model_place_units(&t->s->f, &t->p, &short_of);
    if (status != OCLM_OK)
        model_placement_free(&t->p);
    return status;
}

static void undo_plan(void *user) { model_placement_free(&((attempt *)user)->p); }

static void failing_memory_is_told(void **state)
{
    const model_map_entry entries[] = { ENTRY("", MODEL_ON_DEVICE, 0), ENTRY("lm_head", MODEL_ON_CPU, 0) };
    attempt               t = { .s = new_scene("tiny/llama", false) };
    (void)state;
    add_site(t.s, 80);
    fails_cleanly_at_every_request("a plan", try_plan, undo_plan, &t);
    t.s->f.kind = MODEL_MAP_GIVEN;
    t.s->f.entries = entries;
    t.s->f.entry_count = COUNT(entries);
    fails_cleanly_at_every_request("a map", try_plan, undo_plan, &t);
    model_tree_free(&t.s->tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(budgets_count_cache_and_workspace),
        cmocka_unit_test(a_cache_larger_than_a_buffer_may_be_is_seen_before_anything_is_allocated),
        cmocka_unit_test(plans_are_as_transformers_makes_them),
        cmocka_unit_test(every_plan_adds_up_and_fits),
        cmocka_unit_test(the_host_is_what_is_faster),
        cmocka_unit_test(reasons_name_the_parts),
        cmocka_unit_test(maps_mean_what_they_say),
        cmocka_unit_test(maps_that_do_not_fit_tell_of_what),
        cmocka_unit_test(parted_caches_are_counted),
        cmocka_unit_test(failing_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
