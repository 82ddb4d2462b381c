/* families.c: oclm info --families: which models oclm runs. */
#include "cli/cli.h"

static oclm_family_info get(size_t i)
{
    oclm_family_info info = { .struct_size = sizeof info };
    (void)oclm_family_get(i, &info);
    return info;
}

static void print_json(void)
{
    cli_json json = cli_json_begin(stdout);
    cli_json_open(&json, NULL, '{');
    cli_json_open(&json, "families", '[');
    for (size_t i = 0; i < oclm_family_count(); i++) {
        const oclm_family_info f = get(i);
        cli_json_open(&json, NULL, '{');
        cli_json_text(&json, "model_type", f.model_type);
        cli_json_text(&json, "class", f.class_name);
        cli_json_text(&json, "limits", f.limits);
        cli_json_close(&json, '}');
    }
    cli_json_close(&json, ']');
    cli_json_close(&json, '}');
    cli_json_end(&json);
}

int cli_print_families(const cli_args *args)
{
    if (args->json) {
        print_json();
        return EXIT_OK;
    }
    (void)printf("%zu kinds of models, by the model_type of config.json, and the class of transformers:\n", oclm_family_count());
    for (size_t i = 0; i < oclm_family_count(); i++) {
        const oclm_family_info f = get(i);
        (void)printf("  %-18s  %s\n", f.model_type, f.class_name);
        if (f.limits)
            (void)printf("  %18s    %s\n", "", f.limits);
    }
    return EXIT_OK;
}
