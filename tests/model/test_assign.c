/* test_assign.c: limits and maps of golden/device_maps.json, which transformers made, come out to the byte (and those of the shared data, 336 of
 * them, where OCLM_SHARED_DATA names a folder with them); and what holds of every tree and all limits. */
#include <stdio.h>

#include "core/unit.h"
#include "device/devices.h"

#include "core/json.h"
#include "model/assign.h"

#define MAX_LIMITS 8
#define MAX_JSON (8u << 20)

/* ---- Trees from JSON */

static const char *no_split[8];

static bool is_no_split(const char *name)
{
    for (size_t i = 0; i < COUNT(no_split) && name != NULL; i++) {
        if (no_split[i] != NULL && strcmp(no_split[i], name) == 0)
            return true;
    }
    return false;
}

static void add_tensors(model_modules *m, uint32_t node, const cJSON *tensors, model_module_kind kind)
{
    for (const cJSON *t = tensors != NULL ? tensors->child : NULL; t != NULL; t = t->next)
        assert_ok(model_modules_add(m, node, t->child->valuestring, kind, (uint64_t)t->child->next->valuedouble, NULL));
}

/* The committed form: {"n", "w", "p", "b", "c"}; "3-7" are five. */
static void add_short(model_modules *m, uint32_t parent, const cJSON *json)
{
    const char    *name = core_json_member(json, "n")->valuestring, *dash = strchr(name, '-');
    const uint32_t first = dash != NULL ? (uint32_t)strtoul(name, NULL, 10) : 0, last = dash != NULL ? (uint32_t)strtoul(dash + 1, NULL, 10) : 0;
    for (uint32_t i = first; i <= last; i++) {
        char         number[16];
        uint32_t     node;
        const cJSON *parts = core_json_member(json, "c");
        snprintf(number, sizeof number, "%u", i);
        assert_ok(model_modules_add(m, parent, dash != NULL ? number : name, MODEL_MODULE, 0, &node));
        m->at[node].no_split = core_json_has(json, "w");
        add_tensors(m, node, core_json_member(json, "p"), MODEL_PARAMETER);
        for (const cJSON *part = parts != NULL ? parts->child : NULL; part != NULL; part = part->next)
            add_short(m, node, part);
        add_tensors(m, node, core_json_member(json, "b"), MODEL_BUFFER);
    }
}

/* The shared form: {"class", "params", "buffers", "children": [[name, module]]}. */
static void add_long(model_modules *m, uint32_t parent, const char *name, const cJSON *json)
{
    uint32_t     node;
    const cJSON *children = core_json_member(json, "children");
    assert_ok(model_modules_add(m, parent, name, MODEL_MODULE, 0, &node));
    m->at[node].no_split = is_no_split(core_json_member(json, "class")->valuestring);
    add_tensors(m, node, core_json_member(json, "params"), MODEL_PARAMETER);
    for (const cJSON *c = children != NULL ? children->child : NULL; c != NULL; c = c->next)
        add_long(m, node, c->child->valuestring, c->child->next);
    add_tensors(m, node, core_json_member(json, "buffers"), MODEL_BUFFER);
}

static void tie(model_modules *m, const char *a, const char *b)
{
    const uint32_t nodes[] = { model_modules_find(m, a), model_modules_find(m, b) };
    assert_int_not_equal(nodes[0], UINT32_MAX);
    assert_int_not_equal(nodes[1], UINT32_MAX);
    assert_ok(model_modules_tie(m, nodes, 2));
}

static model_modules read_short(const cJSON *model)
{
    model_modules m = MODEL_MODULES_INIT;
    add_short(&m, MODEL_ROOT, core_json_member(model, "tree"));
    for (const cJSON *t = core_json_member(model, "ties")->child; t != NULL; t = t->next)
        tie(&m, t->child->valuestring, t->child->next->valuestring);
    return m;
}

static model_modules read_long(const cJSON *model)
{
    model_modules m = MODEL_MODULES_INIT;
    size_t        i = 0;
    memset(no_split, 0, sizeof no_split);
    for (const cJSON *name = core_json_member(model, "no_split")->child; name != NULL; name = name->next)
        no_split[i++] = name->valuestring;
    add_long(&m, MODEL_ROOT, "", core_json_member(model, "tree"));
    for (const cJSON *t = core_json_member(model, "tied")->child; t != NULL; t = t->next)
        tie(&m, t->string, t->valuestring);
    assert_int_equal(m.at[MODEL_ROOT].bytes, (uint64_t)core_json_member(model, "total")->valuedouble);
    return m;
}

/* ---- Cases from JSON */

static uint32_t read_where(const cJSON *item)
{
    return cJSON_IsNumber(item) ? (uint32_t)item->valuedouble : strcmp(item->valuestring, "cpu") == 0 ? MODEL_HOST : MODEL_DISK;
}

static uint64_t read_bytes(const cJSON *item)
{
    static const struct { const char *unit; double bytes; } units[] = { { "GiB", 1073741824.0 }, { "KiB", 1024.0 }, { "KB", 1000.0 } };
    char *end;
    if (cJSON_IsNumber(item))
        return (uint64_t)item->valuedouble;
    const double number = strtod(item->valuestring, &end);
    for (size_t i = 0; i < COUNT(units); i++) {
        if (strcmp(end, units[i].unit) == 0)
            return (uint64_t)(number * units[i].bytes + 0.5);
    }
    fail_msg("\"%s\" is no size", item->valuestring);
    return 0;
}

static void check_case(const char *label, const model_modules *m, const cJSON *one, const char *kind_key, const char *limits_key,
                       const char *map_key)
{
    const char   *kind = core_json_member(one, kind_key)->valuestring;
    const cJSON  *balanced = core_json_member(one, "balanced"), *expected = core_json_member(one, map_key);
    model_limit   limits[MAX_LIMITS];
    size_t        count = 0, entries = 0, found = 0;
    uint32_t     *map = calloc(m->count, sizeof *map);
    for (const cJSON *l = core_json_member(one, limits_key)->child; l != NULL; l = l->next)
        limits[count++] = (model_limit){ read_where(l->child), read_bytes(l->child->next) };
    if (strcmp(kind, "sequential") != 0)
        model_balance(m, strcmp(kind, "balanced_low_0") == 0, limits, count);
    for (size_t i = 0; i < count && balanced != NULL; i++) {
        const cJSON   *want = cJSON_GetArrayItem(balanced, (int)i);
        const uint64_t bytes = read_bytes(cJSON_IsArray(want) ? want->child->next : want);
        if (limits[i].bytes != bytes)
            fail_msg("%s: limit %zu became %llu, not %llu", label, i, (unsigned long long)limits[i].bytes, (unsigned long long)bytes);
    }
    assert_ok(model_assign(m, limits, count, map, NULL));
    model_collapse(m, map);
    for (uint32_t i = 0; i < m->count; i++) {
        if (map[i] == MODEL_NOWHERE)
            continue;
        const cJSON *want = cJSON_GetObjectItemCaseSensitive(expected, m->at[i].name);
        if (want == NULL || read_where(want) != map[i])
            fail_msg("%s: \"%s\" went to %u, which transformers %s", label, m->at[i].name, map[i], want != NULL ? "sees elsewhere" : "does not name");
        found++;
    }
    for (const cJSON *e = expected->child; e != NULL; e = e->next)
        entries++;
    if (found != entries)
        fail_msg("%s: %zu entries, transformers has %zu", label, found, entries);
    free(map);
}

static size_t check_file(const char *path, model_modules (*read)(const cJSON *), const char *kind, const char *limits, const char *map)
{
    cJSON *file = NULL;
    size_t count = 0;
    assert_ok(core_json_read_file(path, MAX_JSON, &file));
    for (const cJSON *one = core_json_member(file, "cases")->child; one != NULL; one = one->next) {
        char          label[96];
        const char   *model = core_json_member(one, "model")->valuestring;
        model_modules m = read(core_json_member(core_json_member(file, "models"), model));
        snprintf(label, sizeof label, "case %zu (%s, %s)", count++, model, core_json_member(one, kind)->valuestring);
        check_case(label, &m, one, kind, limits, map);
        model_modules_free(&m);
    }
    cJSON_Delete(file);
    return count;
}

static void maps_are_those_of_transformers(void **state)
{
    (void)state;
    assert_int_equal(check_file(OCLM_SOURCE_DIR "/tests/golden/device_maps.json", read_short, "kind", "limits", "map"), 40);
}

static void maps_are_those_of_the_shared_data(void **state)
{
    (void)state;
    if (OCLM_SHARED_DATA[0] == '\0') {
        print_message("skipped: 336 further maps are in shared data; -DOCLM_SHARED_DATA=FOLDER tells where they are\n");
        skip();
    }
    assert_int_equal(check_file(OCLM_SHARED_DATA "/data/generation/device_maps.json", read_long, "device_map", "max_memory", "expected"), 336);
}

/* ---- Whatever the tree */

static uint32_t seed;

static uint32_t draw(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)(seed >> 8) * below) >> 24);
}

/* Modules in modules, some of which stay whole; leaves hold something, or nothing. */
static void grow_tree(model_modules *m, uint32_t parent, uint32_t depth)
{
    const uint32_t parts = 1 + draw(depth > 2 ? 2 : 5);
    for (uint32_t i = 0; i < parts; i++) {
        char     name[16];
        uint32_t node;
        snprintf(name, sizeof name, "m%u", i);
        const bool leaf = depth >= 3 || draw(3) == 0;
        assert_ok(model_modules_add(m, parent, name, MODEL_MODULE, leaf && draw(8) > 0 ? draw(1000) : 0, &node));
        m->at[node].no_split = draw(3) == 0;
        if (!leaf)
            grow_tree(m, node, depth + 1);
    }
}

static model_modules random_tree(void)
{
    model_modules m = MODEL_MODULES_INIT;
    assert_ok(model_modules_add(&m, MODEL_ROOT, "", MODEL_MODULE, 0, NULL));
    grow_tree(&m, MODEL_ROOT, 0);
    return m;
}

/* Two leaves that are one weight: none holds the other. */
static void tie_leaves(model_modules *m, uint32_t tied[2])
{
    uint32_t leaves[512], count = 0;
    tied[0] = tied[1] = UINT32_MAX;
    for (uint32_t i = 1; i < m->count && count < COUNT(leaves); i++) {
        bool whole = false;
        for (uint32_t p = m->at[i].parent; p != MODEL_ROOT; p = m->at[p].parent)
            whole = whole || m->at[p].no_split;
        if (!m->at[i].has_modules && !whole)
            leaves[count++] = i;
    }
    if (count < 2)
        return;
    const uint32_t a = draw(count), b = draw(count);
    if (a == b)
        return;
    tied[0] = leaves[a];
    tied[1] = leaves[b];
    assert_ok(model_modules_tie(m, tied, 2));
}

static uint32_t place_of(const model_modules *m, const uint32_t *map, uint32_t node)
{
    while (map[node] == MODEL_NOWHERE && node != MODEL_ROOT)
        node = m->at[node].parent;
    return map[node];
}

static size_t random_limits(const model_modules *m, model_limit *limits)
{
    const uint32_t devices = draw(5), total = (uint32_t)m->at[MODEL_ROOT].bytes + 1;
    size_t         count = 0;
    while (count < devices) {
        limits[count] = (model_limit){ (uint32_t)count, draw(total) };
        count++;
    }
    if (draw(3) > 0)
        limits[count++] = (model_limit){ MODEL_HOST, draw(2 * total) };
    return count;
}

/* Each leaf has one place, the places hold what they may, and without ties follow each other. */
static void check_map(const model_modules *m, const model_limit *limits, size_t count, const model_filling *fillings, const uint32_t *map, bool tied)
{
    uint64_t held[MAX_LIMITS] = { 0 };
    uint32_t before = 0;
    for (uint32_t i = 1; i < m->count; i++) {
        uint32_t entries = 0;
        for (uint32_t p = i; p != MODEL_ROOT; p = m->at[p].parent)
            entries += map[p] != MODEL_NOWHERE;
        if (m->at[i].has_modules)
            continue;
        assert_int_equal(entries, 1);
        const uint32_t where = place_of(m, map, i);
        assert_true(tied || where >= before);
        before = where;
        for (size_t l = 0; l < count; l++)
            held[l] += limits[l].where == where ? m->at[i].bytes : 0;
    }
    for (size_t l = 0; l < count; l++) {
        assert_true(held[l] <= limits[l].bytes);
        assert_int_equal(held[l], fillings[l].used);
        assert_true(fillings[l].next == 0 || fillings[l].used + fillings[l].reserved + fillings[l].next > limits[l].bytes);
    }
}

static void every_map_is_whole_and_keeps_limits_and_order(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 3000; round++) {
        seed = round;
        model_modules m = random_tree();
        model_limit   limits[MAX_LIMITS];
        model_filling fillings[MAX_LIMITS];
        uint32_t      tied[2] = { UINT32_MAX, UINT32_MAX }, *map = calloc(m.count, sizeof *map), *again = calloc(m.count, sizeof *again);
        if (round % 3 == 0)
            tie_leaves(&m, tied);
        const size_t count = random_limits(&m, limits);
        if (round % 2 == 0)
            model_balance(&m, round % 4 == 0, limits, count);
        assert_ok(model_assign(&m, limits, count, map, fillings));
        check_map(&m, limits, count, fillings, map, m.tie_count > 0);
        if (tied[0] != UINT32_MAX)
            assert_int_equal(place_of(&m, map, tied[0]), place_of(&m, map, tied[1]));
        assert_ok(model_assign(&m, limits, count, again, NULL));
        assert_memory_equal(map, again, m.count * sizeof *map);
        model_collapse(&m, again);
        for (uint32_t i = 1; i < m.count; i++) { /* says the same in fewer words */
            if (!m.at[i].has_modules)
                assert_int_equal(place_of(&m, again, i), place_of(&m, map, i));
        }
        free(map);
        free(again);
        model_modules_free(&m);
    }
}

static oclm_status make_and_assign(void *user)
{
    model_modules *m = user;
    uint32_t       map[3], nodes[2];
    oclm_status    status;
    if ((status = model_modules_add(m, MODEL_ROOT, "", MODEL_MODULE, 0, NULL)) == OCLM_OK &&
        (status = model_modules_add(m, MODEL_ROOT, "a", MODEL_MODULE, 5, &nodes[0])) == OCLM_OK &&
        (status = model_modules_add(m, MODEL_ROOT, "b", MODEL_MODULE, 7, &nodes[1])) == OCLM_OK &&
        (status = model_modules_tie(m, nodes, 2)) == OCLM_OK)
        status = model_assign(m, &(model_limit){ 0, 100 }, 1, map, NULL);
    if (status != OCLM_OK)
        model_modules_free(m);
    return status;
}

static void undo(void *user) { model_modules_free(user); }

static void failing_memory_is_told(void **state)
{
    model_modules m = MODEL_MODULES_INIT;
    (void)state;
    fails_cleanly_at_every_request("a tree and its map", make_and_assign, undo, &m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_are_those_of_transformers),
        cmocka_unit_test(maps_are_those_of_the_shared_data),
        cmocka_unit_test(every_map_is_whole_and_keeps_limits_and_order),
        cmocka_unit_test(failing_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
