/* filters.c: a filter by its name; those that are known but not here say so. */
#include "tokenizer/chat/call.h"

static const char *const not_here[] = { "filesizeformat", "pprint", "random",   "striptags",
                                        "urlencode",      "urlize", "wordwrap", "xmlattr" };

jinja_ref jinja_filter(jinja_run *run, jinja_ref name, jinja_ref value, const jinja_arguments *arguments)
{
    const jinja_table *const tables[] = { &jinja_text_filters, &jinja_list_filters, &jinja_select_filters,
                                          &jinja_number_filters };
    for (size_t i = 0; i < COUNT(tables); i++) {
        const jinja_callable *row = jinja_find(tables[i], name);
        if (row)
            return jinja_call_row(run, row, value, arguments);
    }
    for (size_t i = 0; i < COUNT(not_here); i++)
        if (jinja_is_text(name, not_here[i]))
            return jinja_fail_as(run, OCLM_ERR_UNSUPPORTED, "the filter %s is not supported by oclm", not_here[i]);
    return jinja_fail(run, "No filter named '%.*s'.", (int)name->as.text.length, name->as.text.data);
}
