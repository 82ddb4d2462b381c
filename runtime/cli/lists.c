/* lists.c: lists of lists of token ids in an option: --bad-words-ids '[[1,2],[3]]', --sequence-bias '[[[1,2],-3.5]]', or @FILE with the same. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cli/cli.h"

/* How many ids; SIZE_MAX where it is no list of ids. */
static size_t count_ids(const cJSON *list)
{
    size_t count = 0;
    if (!cJSON_IsArray(list))
        return SIZE_MAX;
    for (const cJSON *id = list->child; id; id = id->next, count++)
        if (!cJSON_IsNumber(id) || id->valuedouble < 0 || id->valuedouble > INT32_MAX || floor(id->valuedouble) != id->valuedouble)
            return SIZE_MAX;
    return count;
}

/* The list of ids of an entry; NULL where the entry is none. */
static const cJSON *ids_of(const cJSON *entry, bool biases)
{
    if (!biases)
        return entry;
    return cJSON_IsArray(entry) && cJSON_GetArraySize(entry) == 2 && cJSON_IsNumber(entry->child->next) ? entry->child : NULL;
}

static int32_t *put_ids(const cJSON *list, int32_t *at)
{
    for (const cJSON *id = list->child; id; id = id->next)
        *at++ = (int32_t)id->valuedouble;
    return at;
}

static int wrong(const char *name, const char *text, bool biases)
{
    return cli_fail(EXIT_USAGE, "--%s: \"%.60s%s\" is not %s", name, text, strlen(text) > 60 ? "..." : "",
                    biases ? "a list of pairs, each of token ids and a number, as [[[1,2],-3.5],[[3],2]]" : "a list of lists of token ids, as [[1,2],[3]]");
}

/* Entries, and behind them their ids. */
static int fill(const char *name, const char *text, const cJSON *tree, bool biases, void **list, size_t *count)
{
    const size_t size = biases ? sizeof(oclm_sequence_bias) : sizeof(oclm_token_ids);
    size_t       ids = 0, entries = 0;
    int32_t     *behind;
    if (!cJSON_IsArray(tree))
        return wrong(name, text, biases);
    for (const cJSON *entry = tree->child; entry; entry = entry->next, entries++) {
        const size_t n = count_ids(ids_of(entry, biases));
        if (n == SIZE_MAX)
            return wrong(name, text, biases);
        ids += n;
    }
    if (!(*list = malloc(entries * size + ids * sizeof *behind + 1)))
        return cli_fail(EXIT_MEMORY, "out of memory for %zu lists of ids", entries);
    *count = entries;
    behind = (int32_t *)(void *)((char *)*list + entries * size);
    entries = 0;
    for (const cJSON *entry = tree->child; entry; entry = entry->next, entries++) {
        int32_t *const begin = behind;
        behind = put_ids(ids_of(entry, biases), behind);
        if (biases)
            ((oclm_sequence_bias *)*list)[entries] = (oclm_sequence_bias){ begin, (size_t)(behind - begin), (float)entry->child->next->valuedouble };
        else
            ((oclm_token_ids *)*list)[entries] = (oclm_token_ids){ begin, (size_t)(behind - begin) };
    }
    return EXIT_OK;
}

int cli_parse_lists(const char *name, const char *text, bool biases, void **list, size_t *count)
{
    char  *file = NULL;
    size_t length;
    cJSON *tree;
    int    result = EXIT_OK;
    *list = NULL;
    *count = 0;
    if (*text == '@' && (result = cli_read_file(text + 1, &file, &length)) != EXIT_OK)
        return result;
    tree = cJSON_ParseWithOpts(file ? file : text, NULL, true);
    result = fill(name, file ? file : text, tree, biases, list, count);
    cJSON_Delete(tree);
    free(file);
    return result;
}
