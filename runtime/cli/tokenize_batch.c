/* tokenize_batch.c: oclm tokenize with what takes more than ids: pairs, padding, truncation, offsets, and lists of texts. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

void cli_encode_options(const cli_args *args, oclm_encode_options *options)
{
    oclm_encode_options_init(options, sizeof *options);
    options->add_special_tokens = !args->no_special_tokens;
    options->return_offsets = args->offsets;
    options->split_special_tokens = args->split_special_tokens;
    options->padding = (oclm_padding)args->padding;
    options->padding_side = (oclm_side)args->padding_side;
    options->pad_to_multiple_of = args->pad_to_multiple_of;
    if (args->pad_token_id != OCLM_UNSET)
        options->pad_token_id = args->pad_token_id <= INT32_MAX ? (int32_t)args->pad_token_id : INT32_MAX;
    options->truncation = (oclm_truncation)args->truncation;
    options->truncation_side = (oclm_side)args->truncation_side;
    options->max_length = args->tokens_max_length;
}

bool cli_wants_batch(const cli_args *args)
{
    return args->text_pair || args->offsets || args->split_special_tokens != OCLM_SWITCH_UNSET || args->padding || args->padding_side ||
           args->pad_to_multiple_of || args->truncation || args->truncation_side || args->tokens_max_length;
}

/* ---- Printing. With `lists` each member is a list of rows, else there is one row. */

typedef struct column {
    const char *key;
    void (*value)(cli_json *json, const oclm_tokenizer *tokenizer, const oclm_encoding *row, size_t i);
} column;

static void id_at(cli_json *json, const oclm_tokenizer *tokenizer, const oclm_encoding *row, size_t i)
{
    (void)tokenizer;
    cli_json_uint(json, NULL, (uint64_t)row->ids[i]);
}

static void token_at(cli_json *json, const oclm_tokenizer *tokenizer, const oclm_encoding *row, size_t i)
{
    cli_json_text(json, NULL, oclm_tokenizer_token(tokenizer, row->ids[i]));
}

static void type_at(cli_json *json, const oclm_tokenizer *tokenizer, const oclm_encoding *row, size_t i)
{
    (void)tokenizer;
    cli_json_uint(json, NULL, (uint64_t)row->type_ids[i]);
}

static void attention_at(cli_json *json, const oclm_tokenizer *tokenizer, const oclm_encoding *row, size_t i)
{
    (void)tokenizer;
    cli_json_uint(json, NULL, row->attention_mask[i]);
}

static void special_at(cli_json *json, const oclm_tokenizer *tokenizer, const oclm_encoding *row, size_t i)
{
    (void)tokenizer;
    cli_json_uint(json, NULL, row->special_tokens_mask[i]);
}

static void offsets_at(cli_json *json, const oclm_tokenizer *tokenizer, const oclm_encoding *row, size_t i)
{
    (void)tokenizer;
    cli_json_open(json, NULL, '[');
    cli_json_uint(json, NULL, row->offsets[i].begin);
    cli_json_uint(json, NULL, row->offsets[i].end);
    cli_json_close(json, ']');
}

static const column columns[] = {
    { "ids", id_at },
    { "tokens", token_at }, /* with --json only: a pipe wants numbers */
    { "type_ids", type_at },
    { "attention_mask", attention_at },
    { "special_tokens_mask", special_at },
    { "offsets", offsets_at },
};

static void get(const oclm_batch *batch, size_t index, oclm_encoding *row)
{
    row->struct_size = sizeof *row;
    (void)oclm_batch_get(batch, index, row); /* cannot fail for an index below the count */
}

static void print_column(cli_json *json, const column *c, const oclm_tokenizer *tokenizer, const oclm_batch *batch, bool lists)
{
    const size_t count = oclm_batch_count(batch);
    if (lists)
        cli_json_open(json, c->key, '[');
    for (size_t r = 0; r < count; r++) {
        oclm_encoding row;
        get(batch, r, &row);
        cli_json_open(json, lists ? NULL : c->key, '[');
        for (size_t i = 0; i < row.length; i++)
            c->value(json, tokenizer, &row, i);
        cli_json_close(json, ']');
    }
    if (lists)
        cli_json_close(json, ']');
}

static void print_json(const cli_args *args, const oclm_tokenizer *tokenizer, const oclm_batch *batch, bool lists)
{
    cli_json json = cli_json_begin(stdout);
    cli_json_open(&json, NULL, '{');
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        if ((columns[i].value != token_at || args->json) && (columns[i].value != offsets_at || args->offsets))
            print_column(&json, &columns[i], tokenizer, batch, lists);
    }
    cli_json_close(&json, '}');
    cli_json_end(&json);
}

static void print_people(const cli_args *args, const oclm_tokenizer *tokenizer, const oclm_batch *batch)
{
    oclm_encoding row;
    get(batch, 0, &row);
    for (size_t i = 0; i < row.length; i++) {
        const char *token = oclm_tokenizer_token(tokenizer, row.ids[i]);
        (void)printf("%7ld  ", (long)row.ids[i]);
        if (args->offsets)
            (void)printf("%6zu-%-6zu  ", row.offsets[i].begin, row.offsets[i].end);
        (void)printf("%s%s\n", token ? token : "", row.attention_mask[i] ? "" : "  (padding)");
    }
}

/* ---- Texts from the command line, and from lines */

int cli_tokenize_pair(const cli_args *args, const oclm_tokenizer *tokenizer, const char *text, size_t length)
{
    const oclm_text     one = { text, length, args->text_pair, args->text_pair ? strlen(args->text_pair) : 0 };
    oclm_encode_options options;
    oclm_batch         *batch;
    cli_encode_options(args, &options);
    const oclm_status status = oclm_tokenizer_encode_batch(tokenizer, &one, 1, &options, &batch);
    if (status != OCLM_OK)
        return cli_fail_status(status);
    if (args->json)
        print_json(args, tokenizer, batch, false);
    else
        print_people(args, tokenizer, batch);
    oclm_batch_free(batch);
    return EXIT_OK;
}

/* Without any of the options: ids alone, as ever. */
static void print_ids(const oclm_batch *batch, bool list)
{
    cli_json json = cli_json_begin(stdout);
    cli_json_open(&json, NULL, '{');
    print_column(&json, &columns[0], NULL, batch, list);
    cli_json_close(&json, '}');
    cli_json_end(&json);
}

int cli_tokenize_line(const cli_args *args, const oclm_tokenizer *tokenizer, const char *line, size_t length, size_t number)
{
    oclm_encode_options options;
    cli_texts           texts;
    oclm_batch         *batch;
    const int           result = cli_jsonl_texts(line, length, number, &texts);
    if (result != EXIT_OK)
        return result;
    cli_encode_options(args, &options);
    const oclm_status status = oclm_tokenizer_encode_batch(tokenizer, texts.texts, texts.count, &options, &batch);
    const bool        list = texts.list, ids_alone = !cli_wants_batch(args) && !texts.pairs;
    cli_texts_free(&texts);
    if (status != OCLM_OK)
        return cli_fail(cli_exit_status(status), "line %zu of standard input: %s", number, oclm_last_error());
    if (ids_alone)
        print_ids(batch, list);
    else
        print_json(args, tokenizer, batch, list);
    oclm_batch_free(batch);
    return EXIT_OK;
}
