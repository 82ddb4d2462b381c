/* cmd_info.c: oclm info: a model's sizes and where it fits, from its files' headers alone. */
#include <string.h>

#include "cli/cli.h"

/* The ways in which weights may be stored. */
typedef struct way {
    const char *name, *key; /* for people; for --json */
    uint64_t    bytes;
} way;

#define MOST_WAYS 6u

/* Those there are of this model: one that is quantised already cannot be quantised again, but has a size as it is. */
static size_t ways_of(const oclm_model_info *m, way ways[MOST_WAYS])
{
    const way all[] = {
        { "float32", "float32", m->weight_bytes_float32 },  { "float16", "float16", m->weight_bytes_float16 },
        { "bfloat16", "bfloat16", m->weight_bytes_bfloat16 }, { "in 8 bits", "8bit", m->weight_bytes_8bit },
        { "in 4 bits", "4bit", m->weight_bytes_4bit },        { "as it is", "as_is", m->weight_bytes_8bit > 0 ? 0 : m->weight_bytes },
    };
    size_t count = 0;
    for (size_t i = 0; i < MOST_WAYS; i++) {
        if (all[i].bytes > 0)
            ways[count++] = all[i];
    }
    return count;
}

/* Bytes of the cache of one sequence of so many positions: layers with a window keep no more than that needs. */
static uint64_t cache_bytes(const oclm_model_info *m, uint64_t positions)
{
    const uint64_t windows = (m->kv_bytes_per_token - m->kv_whole_bytes_per_token) * positions;
    return m->kv_whole_bytes_per_token * positions + (windows < m->kv_window_bytes ? windows : m->kv_window_bytes);
}

/* Positions whose cache fits beside the weights, at most the model's; 0: not even the weights fit. */
static uint64_t positions_that_fit(const oclm_model_info *m, const oclm_device_info *d, uint64_t weights)
{
    const uint64_t room = d->budget_bytes;
    uint64_t       fitting = 0, beyond = (uint64_t)m->max_position_embeddings + 1;
    while (room > weights && fitting + 1 < beyond) { /* `fitting` positions do, `beyond` do not */
        const uint64_t middle = fitting + (beyond - fitting) / 2;
        *(cache_bytes(m, middle) <= room - weights ? &fitting : &beyond) = middle;
    }
    return fitting;
}

static oclm_device_info get(const oclm_device_list *list, size_t i)
{
    oclm_device_info info = { .struct_size = sizeof info };
    (void)oclm_device_list_get(list, i, &info);
    return info;
}

static void print_shape_json(cli_json *json, const oclm_model_info *m)
{
    cli_json_uint(json, "vocab_size", m->vocab_size);
    cli_json_uint(json, "hidden_size", m->hidden_size);
    cli_json_uint(json, "intermediate_size", m->intermediate_size);
    cli_json_uint(json, "num_hidden_layers", m->num_hidden_layers);
    cli_json_uint(json, "num_attention_heads", m->num_attention_heads);
    cli_json_uint(json, "num_key_value_heads", m->num_key_value_heads);
    cli_json_uint(json, "head_dim", m->head_dim);
    cli_json_uint(json, "max_position_embeddings", m->max_position_embeddings);
    cli_json_bool(json, "tie_word_embeddings", m->tie_word_embeddings);
    cli_json_text(json, "rope_type", m->rope_type);
}

static void print_json(const cli_args *args, const oclm_model_info *m, const oclm_device_list *list, const oclm_plan *plan)
{
    way          ways[MOST_WAYS];
    const size_t way_count = ways_of(m, ways);
    cli_json     json = cli_json_begin(stdout);
    cli_json_open(&json, NULL, '{');
    cli_json_text(&json, "model", args->model);
    cli_json_text(&json, "model_type", m->model_type);
    cli_json_uint(&json, "parameters", m->parameters);
    cli_json_text(&json, "dtype", cli_dtype_name(m->dtype));
    cli_json_text(&json, "checkpoint_dtype", cli_dtype_name(m->checkpoint_dtype));
    cli_json_text(&json, "weight_storage", m->weight_storage);
    cli_json_uint(&json, "weight_bytes", m->weight_bytes);
    cli_json_open(&json, "bytes", '{');
    for (size_t t = 0; t < way_count; t++)
        cli_json_uint(&json, ways[t].key, ways[t].bytes);
    cli_json_close(&json, '}');
    cli_json_uint(&json, "kv_bytes_per_token", m->kv_bytes_per_token);
    cli_json_uint(&json, "kv_whole_bytes_per_token", m->kv_whole_bytes_per_token);
    cli_json_uint(&json, "kv_window_bytes", m->kv_window_bytes);
    cli_json_uint(&json, "kv_quantized_bytes_per_token", m->kv_quantized_bytes_per_token);
    print_shape_json(&json, m);
    cli_json_open(&json, "devices", '[');
    for (size_t i = 0; i < oclm_device_list_count(list); i++) {
        const oclm_device_info d = get(list, i);
        if (d.unusable)
            continue;
        cli_json_open(&json, NULL, '{');
        cli_json_uint(&json, "index", d.index);
        cli_json_text(&json, "name", d.name);
        cli_json_uint(&json, "budget_bytes", d.budget_bytes);
        cli_json_open(&json, "positions_that_fit", '{');
        for (size_t t = 0; t < way_count; t++)
            cli_json_uint(&json, ways[t].key, positions_that_fit(m, &d, ways[t].bytes));
        cli_json_close(&json, '}');
        cli_json_close(&json, '}');
    }
    cli_json_close(&json, ']');
    if (plan)
        cli_json_plan(&json, "placement", plan);
    cli_json_close(&json, '}');
    cli_json_end(&json);
}

/* 134515008: "134.5 million" */
static const char *count_words(uint64_t count, char buffer[32])
{
    const double n = (double)count;
    if (n >= 1e9)
        (void)snprintf(buffer, 32, "%.2f billion", n / 1e9);
    else if (n >= 1e6)
        (void)snprintf(buffer, 32, "%.1f million", n / 1e6);
    else
        (void)snprintf(buffer, 32, "%llu", (unsigned long long)count);
    return buffer;
}

static void print_fit(const oclm_model_info *m, const oclm_device_info *d)
{
    char         buffer[32];
    way          ways[MOST_WAYS];
    const size_t way_count = ways_of(m, ways);
    (void)printf("  %zu  %s, %s to use: ", d->index, d->name, cli_format_bytes(d->budget_bytes, buffer));
    for (size_t t = 0; t < way_count; t++) {
        const uint64_t positions = positions_that_fit(m, d, ways[t].bytes);
        (void)printf("%s%s ", t ? "; " : "", ways[t].name);
        if (positions == 0)
            (void)printf("does not fit");
        else if (positions < m->max_position_embeddings)
            (void)printf("up to %llu positions", (unsigned long long)positions);
        else
            (void)printf("fits");
    }
    (void)putchar('\n');
}

static void print_people(const oclm_model_info *m, const oclm_device_list *list)
{
    char         buffer[32];
    way          ways[MOST_WAYS];
    const size_t way_count = ways_of(m, ways);
    (void)printf("%s, %s parameters, weights in %s (%s in the checkpoint)\n", m->model_type, count_words(m->parameters, buffer),
                 m->weight_storage, cli_dtype_name(m->checkpoint_dtype));
    (void)printf("layers %lu, hidden %lu, intermediate %lu, heads %lu of %lu (%lu for keys and values), vocabulary %lu%s\n",
                 (unsigned long)m->num_hidden_layers, (unsigned long)m->hidden_size, (unsigned long)m->intermediate_size,
                 (unsigned long)m->num_attention_heads, (unsigned long)m->head_dim, (unsigned long)m->num_key_value_heads,
                 (unsigned long)m->vocab_size, m->tie_word_embeddings ? ", head tied to the embedding" : "");
    (void)printf("positions %lu%s%s\n", (unsigned long)m->max_position_embeddings, m->rope_type ? ", rotary: " : ", learned",
                 m->rope_type ? m->rope_type : "");
    (void)fputs("on a device: ", stdout);
    for (size_t t = 0; t < way_count; t++)
        (void)printf("%s%s %s", t ? ", " : "", cli_format_bytes(ways[t].bytes, buffer), ways[t].name);
    (void)printf("\ncache: %s a token", cli_format_bytes(m->kv_bytes_per_token, buffer));
    (void)printf(" (%s quantized)", cli_format_bytes(m->kv_quantized_bytes_per_token, buffer));
    if (m->kv_window_bytes > 0)
        (void)printf(", %s once windows are full", cli_format_bytes(m->kv_whole_bytes_per_token, buffer));
    (void)printf(", %s for all positions\n", cli_format_bytes(cache_bytes(m, m->max_position_embeddings), buffer));
    for (size_t i = 0; i < oclm_device_list_count(list); i++) {
        const oclm_device_info d = get(list, i);
        if (!d.unusable)
            print_fit(m, &d);
    }
}

int cmd_info(cli_args *args)
{
    oclm_model_info    info = { .struct_size = sizeof info };
    oclm_device_list  *list = NULL;
    oclm_model_options options;
    oclm_hub_options   hub;
    oclm_plan         *plan = NULL;
    oclm_status        status;
    if (args->families && args->model)
        return cli_fail(EXIT_USAGE, "info: --families lists all and takes no model, but \"%s\" is one; oclm info MODEL tells of it", args->model);
    if (args->families)
        return cli_print_families(args);
    const int found = cli_find_model(args);
    if (found != EXIT_OK)
        return found;
    cli_model_options(args, &options, &hub);
    if ((status = oclm_model_inspect(args->folder, &options, &info)) != OCLM_OK)
        return cli_fail_status(status);
    if ((args->loading.device_map || args->loading.max_memory > 0 || args->loading.max_memory_map) &&
        (status = oclm_plan_new(args->folder, &options, &plan)) != OCLM_OK)
        return cli_fail_status(status);
    status = oclm_device_list_new(&list); /* a machine without a device may still look at a model */
    if (args->json)
        print_json(args, &info, list, plan);
    else
        print_people(&info, list);
    if (status != OCLM_OK && !args->json)
        (void)printf("no device: %s\n", oclm_last_error());
    if (plan && !args->json)
        cli_print_plan(plan);
    oclm_plan_free(plan);
    oclm_device_list_free(list);
    return EXIT_OK;
}
