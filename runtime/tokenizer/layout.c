/* layout.c: working layouts out, and filling them in. */
#include "tokenizer/layout.h"

#include <string.h>

#include "tokenizer/pipeline.h"

oclm_status tok_layout_add(tok_layout *layout, int32_t id, int32_t type_id)
{
    tok_part *parts;
    if (layout->count == TOK_MAX_PARTS)
        return core_fail(OCLM_ERR_FORMAT, "the post-processors put more than %d parts around a text", TOK_MAX_PARTS);
    if ((parts = core_realloc_array(layout->parts, layout->count + 1, sizeof *parts, "a tokenizer's post-processor")) == NULL)
        return OCLM_ERR_MEMORY;
    layout->parts = parts;
    parts[layout->count++] = (tok_part){ id, type_id, layout->groups - 1, id >= 0 };
    layout->added += id >= 0;
    return OCLM_OK;
}

oclm_status tok_layout_add_group(tok_layout *layout, const tok_layout *from, uint32_t group, int32_t type_id)
{
    oclm_status status = OCLM_OK;
    for (size_t i = 0; i < from->count && status == OCLM_OK; i++) {
        if (from->parts[i].group != group)
            continue;
        status = tok_layout_add(layout, from->parts[i].id, type_id >= 0 ? type_id : from->parts[i].type_id);
        if (status == OCLM_OK)
            layout->parts[layout->count - 1].special = from->parts[i].special;
    }
    return status;
}

void tok_layout_deinit(tok_layout *layout)
{
    core_free(layout->parts);
    memset(layout, 0, sizeof *layout);
}

/* ---- At load */

/* The texts, each a group of its own, with nothing around. */
static oclm_status begin(tok_layout *layout, bool pair)
{
    oclm_status status;
    layout->groups = 1;
    if ((status = tok_layout_add(layout, TOK_PART_A, 0)) != OCLM_OK || !pair)
        return status;
    layout->groups = 2;
    return tok_layout_add(layout, TOK_PART_B, 1);
}

/* What each post-processor adds to the bare texts, summed up: so the reference counts, even where one meets what another made. */
static oclm_status count_added(const tok_chain *chain, bool pair, size_t *added)
{
    tok_layout  bare = { NULL, 0, 0, 0, false };
    oclm_status status = begin(&bare, pair);
    *added = 0;
    for (size_t i = 0; i < chain->count && status == OCLM_OK; i++) {
        tok_layout next = { NULL, 0, 0, 0, false };
        status = chain->steps[i]->does.post_process(chain->steps[i], &bare, true, &next);
        *added += next.added;
        tok_layout_deinit(&next);
    }
    tok_layout_deinit(&bare);
    return status;
}

static oclm_status prepare(tok_layout *layout, const tok_chain *chain, bool pair, bool add_special_tokens)
{
    oclm_status status = begin(layout, pair);
    for (size_t i = 0; i < chain->count && status == OCLM_OK; i++) {
        tok_layout next = { NULL, 0, 0, 0, false };
        status = chain->steps[i]->does.post_process(chain->steps[i], layout, add_special_tokens, &next);
        tok_layout_deinit(layout);
        *layout = next;
    }
    if (status == OCLM_ERR_UNSUPPORTED) {
        tok_layout_deinit(layout);
        layout->impossible = true;
        return OCLM_OK;
    }
    return status;
}

oclm_status tok_layouts_prepare(tok_tokenizer *tokenizer)
{
    oclm_status status = OCLM_OK;
    for (size_t i = 0; i < COUNT(tokenizer->layouts) && status == OCLM_OK; i++)
        status = prepare(&tokenizer->layouts[i], &tokenizer->post_processor, (i & 2) != 0, (i & 1) != 0);
    for (size_t i = 0; i < COUNT(tokenizer->added_tokens) && status == OCLM_OK; i++)
        status = count_added(&tokenizer->post_processor, i == 1, &tokenizer->added_tokens[i]);
    return status;
}

void tok_layouts_deinit(tok_tokenizer *tokenizer)
{
    for (size_t i = 0; i < COUNT(tokenizer->layouts); i++)
        tok_layout_deinit(&tokenizer->layouts[i]);
}

/* ---- In use */

oclm_status tok_layout_of(const tok_tokenizer *tokenizer, bool pair, bool add_special_tokens, const tok_layout **layout)
{
    *layout = &tokenizer->layouts[(pair ? 2 : 0) + (add_special_tokens ? 1 : 0)];
    if (!(*layout)->impossible)
        return OCLM_OK;
    return core_fail(OCLM_ERR_UNSUPPORTED,
                     "the tokenizer's post-processors do not fit one another for %s: a TemplateProcessing "
                     "takes one sequence or two, and gets another number from the one before it%s",
                     pair ? "two texts" : "a text", add_special_tokens ? "; encode without special tokens" : "");
}

size_t tok_num_added_tokens(const tok_tokenizer *tokenizer, bool pair)
{
    return tokenizer->added_tokens[pair ? 1 : 0];
}

static oclm_status add_repeated(tok_ids *list, int32_t value, size_t count)
{
    oclm_status status;
    if (list == NULL)
        return OCLM_OK;
    if ((status = tok_ids_reserve(list, count)) != OCLM_OK)
        return status;
    for (size_t i = 0; i < count; i++)
        list->data[list->count++] = value;
    return OCLM_OK;
}

oclm_status tok_post_process(const tok_tokenizer *tokenizer, const tok_ids *a, const tok_ids *b, bool add_special_tokens,
                             tok_ids *ids, tok_ids *type_ids, tok_ids *special_mask)
{
    const tok_layout *layout;
    oclm_status       status = tok_layout_of(tokenizer, b != NULL, add_special_tokens, &layout);
    for (size_t i = 0; status == OCLM_OK && i < layout->count; i++) {
        const tok_part *part = &layout->parts[i];
        const tok_ids  *text = part->id == TOK_PART_A ? a : part->id == TOK_PART_B ? b : NULL;
        const size_t    count = text != NULL ? text->count : 1;
        if ((status = tok_ids_append(ids, text != NULL ? text->data : &part->id, count)) == OCLM_OK &&
            (status = add_repeated(type_ids, part->type_id, count)) == OCLM_OK)
            status = add_repeated(special_mask, part->special, count);
    }
    return status;
}
