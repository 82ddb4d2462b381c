/* plan.c: where a model's parts go, as a table or as JSON: oclm info --device-map. */
#include <string.h>

#include "cli/cli.h"

static oclm_plan_row row_at(const oclm_plan *plan, size_t i)
{
    oclm_plan_row row = { .struct_size = sizeof row };
    (void)oclm_plan_get_row(plan, i, &row);
    return row;
}

static oclm_plan_share share_at(const oclm_plan *plan, size_t i)
{
    oclm_plan_share share = { .struct_size = sizeof share };
    (void)oclm_plan_get_share(plan, i, &share);
    return share;
}

static oclm_plan_choice choice_at(const oclm_plan *plan, size_t i)
{
    oclm_plan_choice choice = { .struct_size = sizeof choice };
    (void)oclm_plan_get_choice(plan, i, &choice);
    return choice;
}

static const char *place_name(oclm_place place)
{
    return place == OCLM_PLACE_CPU ? "cpu" : place == OCLM_PLACE_DISK ? "disk" : "device";
}

/* ---- For people */

/* "0", "cpu for 0": who holds, and who computes. */
static void place_words(const oclm_plan_row *row, char words[32])
{
    if (row->place == OCLM_PLACE_DEVICE)
        (void)snprintf(words, 32, "%llu%s", (unsigned long long)row->device_index, row->cpu_device ? " as cpu" : "");
    else
        (void)snprintf(words, 32, "%s for %llu", place_name(row->place), (unsigned long long)row->device_index);
}

static void print_rows(const oclm_plan *plan)
{
    char   weights[32], cache[32], place[32];
    size_t widest = strlen("module");
    for (size_t i = 0; i < oclm_plan_row_count(plan); i++) {
        const size_t width = strlen(row_at(plan, i).modules);
        widest = width > widest ? width : widest;
    }
    (void)printf("  %-*s  %10s  %10s  %-10s  %s\n", (int)widest, "module", "weights", "cache", "device", "why");
    for (size_t i = 0; i < oclm_plan_row_count(plan); i++) {
        const oclm_plan_row row = row_at(plan, i);
        place_words(&row, place);
        (void)printf("  %-*s  %10s  %10s  %-10s  %s\n", (int)widest, row.modules, cli_format_bytes(row.weight_bytes, weights),
                     cli_format_bytes(row.kv_bytes, cache), place, row.why);
    }
}

static void print_share(const oclm_plan_share *s)
{
    char used[32], budget[32], weights[32], visiting[32], cache[32], work[32];
    if (s->place == OCLM_PLACE_DEVICE)
        (void)printf("  device %llu, %s: ", (unsigned long long)s->device_index, s->device_name);
    else
        (void)printf("  %s: ", place_name(s->place));
    (void)printf("%s", cli_format_bytes(s->used_bytes, used));
    if (s->budget_bytes != UINT64_MAX)
        (void)printf(" of %s", cli_format_bytes(s->budget_bytes, budget));
    (void)printf(" (weights %s", cli_format_bytes(s->weight_bytes, weights));
    if (s->place == OCLM_PLACE_DEVICE)
        (void)printf(", cache %s, workspace %s", cli_format_bytes(s->kv_bytes, cache), cli_format_bytes(s->workspace_bytes, work));
    if (s->visiting_bytes > 0)
        (void)printf(", for visiting weights %s", cli_format_bytes(s->visiting_bytes, visiting));
    (void)printf(")\n");
}

void cli_print_plan(const oclm_plan *plan)
{
    (void)printf("placement, with room for %lu positions:\n", (unsigned long)oclm_plan_context_length(plan));
    print_rows(plan);
    for (size_t i = 0; i < oclm_plan_share_count(plan); i++) {
        const oclm_plan_share s = share_at(plan, i);
        if (s.place == OCLM_PLACE_DEVICE || s.used_bytes > 0)
            print_share(&s);
    }
    if (oclm_plan_problem(plan))
        (void)printf("does not fit: %s\n", oclm_plan_problem(plan));
}

/* ---- JSON */

static void json_row(cli_json *json, const oclm_plan_row *row)
{
    cli_json_open(json, NULL, '{');
    cli_json_text(json, "modules", row->modules);
    cli_json_text(json, "place", place_name(row->place));
    cli_json_uint(json, "device", row->device_index);
    cli_json_text(json, "device_name", row->device_name);
    cli_json_bool(json, "cpu_device", row->cpu_device);
    cli_json_uint(json, "weight_bytes", row->weight_bytes);
    cli_json_uint(json, "kv_bytes", row->kv_bytes);
    cli_json_text(json, "why", row->why);
    cli_json_close(json, '}');
}

static void json_share(cli_json *json, const oclm_plan_share *s)
{
    cli_json_open(json, NULL, '{');
    cli_json_text(json, "place", place_name(s->place));
    if (s->place == OCLM_PLACE_DEVICE) {
        cli_json_uint(json, "device", s->device_index);
        cli_json_text(json, "device_name", s->device_name);
    }
    if (s->budget_bytes == UINT64_MAX)
        cli_json_text(json, "budget_bytes", NULL);
    else
        cli_json_uint(json, "budget_bytes", s->budget_bytes);
    cli_json_uint(json, "weight_bytes", s->weight_bytes);
    cli_json_uint(json, "visiting_bytes", s->visiting_bytes);
    cli_json_uint(json, "kv_bytes", s->kv_bytes);
    cli_json_uint(json, "workspace_bytes", s->workspace_bytes);
    cli_json_uint(json, "used_bytes", s->used_bytes);
    cli_json_uint(json, "left_bytes", s->left_bytes);
    cli_json_close(json, '}');
}

void cli_json_plan(cli_json *json, const char *key, const oclm_plan *plan)
{
    cli_json_open(json, key, '{');
    cli_json_bool(json, "fits", !oclm_plan_problem(plan));
    cli_json_text(json, "problem", oclm_plan_problem(plan));
    cli_json_text(json, "device_map", oclm_plan_device_map(plan));
    cli_json_uint(json, "context_length", oclm_plan_context_length(plan));
    cli_json_open(json, "rows", '[');
    for (size_t i = 0; i < oclm_plan_row_count(plan); i++) {
        const oclm_plan_row row = row_at(plan, i);
        json_row(json, &row);
    }
    cli_json_close(json, ']');
    cli_json_open(json, "memory", '[');
    for (size_t i = 0; i < oclm_plan_share_count(plan); i++) {
        const oclm_plan_share share = share_at(plan, i);
        json_share(json, &share);
    }
    cli_json_close(json, ']');
    cli_json_open(json, "choices", '[');
    for (size_t i = 0; i < oclm_plan_choice_count(plan); i++) {
        const oclm_plan_choice c = choice_at(plan, i);
        cli_json_open(json, NULL, '{');
        cli_json_text(json, "what", c.words);
        cli_json_uint(json, "bytes", c.bytes);
        cli_json_bool(json, "fits", c.fits);
        cli_json_close(json, '}');
    }
    cli_json_close(json, ']');
    cli_json_close(json, '}');
}

void cli_json_devices(cli_json *json, const oclm_model *model)
{
    const oclm_plan *plan = oclm_model_plan(model);
    oclm_model_info  info = { .struct_size = sizeof info };
    cli_json_open(json, "devices", '[');
    if (!plan && oclm_model_get_info(model, &info) == OCLM_OK)
        cli_json_text(json, NULL, info.device_name);
    for (size_t i = 0; i < oclm_plan_share_count(plan); i++) {
        const oclm_plan_share share = share_at(plan, i);
        if (share.place == OCLM_PLACE_DEVICE && share.used_bytes > 0)
            cli_json_text(json, NULL, share.device_name);
    }
    cli_json_close(json, ']');
}
