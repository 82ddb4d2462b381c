/* main.c: the subcommands, help, and the way from a command line to one of them. */
#include <string.h>

#include "cli/cli.h"

const cli_command cli_commands[] = {
    { "generate", "MODEL [PROMPT]", "continue a prompt",
      "MODEL is a folder with config.json and model.safetensors, as on the Hugging Face Hub. PROMPT may be - for standard\n"
      "input. Values that are not given come from generation_config.json, then from transformers' defaults (20 new tokens,\n"
      "greedy). Ctrl-C ends with what was made so far, and exit status 130.\n", CMD_GENERATE, 2, cmd_generate },
    { "logits", "MODEL [PROMPT]", "score a prompt: the logits of every position",
      "Without --json: for each position the five likeliest next tokens.\n", CMD_LOGITS, 2, cmd_logits },
    { "tokenize", "MODEL [TEXT]", "turn text into token ids",
      "TEXT may be - for standard input. With --jsonl: lines {\"text\": \"...\"} in, {\"ids\": [...]} out.\n", CMD_TOKENIZE, 2,
      cmd_tokenize },
    { "detokenize", "MODEL --ids 1,2,3", "turn token ids into text",
      "With --jsonl: lines {\"ids\": [...]} in, {\"text\": \"...\"} out.\n", CMD_DETOKENIZE, 1, cmd_detokenize },
    { "devices", "", "list the OpenCL devices", NULL, CMD_DEVICES, 0, cmd_devices },
    { "info", "MODEL", "tell a model's size and where it fits, without loading it", NULL, CMD_INFO, 1, cmd_info },
    { "bench", "MODEL", "measure prefill and decoding beside the device's own rates", NULL, CMD_BENCH, 1, cmd_bench },
};
const size_t cli_command_count = sizeof cli_commands / sizeof cli_commands[0];

const cli_command *cli_command_find(const char *name)
{
    for (size_t i = 0; i < cli_command_count; i++)
        if (strcmp(cli_commands[i].name, name) == 0)
            return &cli_commands[i];
    return NULL;
}

static int print_overview(FILE *out)
{
    (void)fputs("oclm runs pretrained language models on OpenCL devices.\n\n"
                "  oclm generate path/to/model \"Once upon a time\"\n\n", out);
    for (size_t i = 0; i < cli_command_count; i++) {
        char left[48];
        (void)snprintf(left, sizeof left, "oclm %s %s", cli_commands[i].name, cli_commands[i].usage);
        (void)fprintf(out, "  %-34s %s\n", left, cli_commands[i].summary);
    }
    (void)fputs("  oclm help COMMAND                  what a command takes\n"
                "  oclm --version                     the version\n\n"
                "Exit status: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 out of memory, 5 device or driver, 6 broken file,\n"
                "130 ended by Ctrl-C.\n", out);
    return EXIT_OK;
}

static int print_help(const cli_command *command)
{
    (void)printf("oclm %s %s: %s\n\n", command->name, command->usage, command->summary);
    if (command->details)
        (void)printf("%s\n", command->details);
    cli_print_options(stdout, command->bit);
    return cli_output_end();
}

static int unknown_command(const char *typed)
{
    const char *names[sizeof cli_commands / sizeof cli_commands[0]];
    const char *near;
    for (size_t i = 0; i < cli_command_count; i++)
        names[i] = cli_commands[i].name;
    near = cli_nearest(typed, names, cli_command_count);
    if (near)
        return cli_fail(EXIT_USAGE, "unknown command \"%s\"; did you mean \"%s\"? (oclm help lists all)", typed, near);
    return cli_fail(EXIT_USAGE, "unknown command \"%s\"; oclm help lists all", typed);
}

static int help(int argc, char **argv)
{
    const cli_command *command;
    if (argc == 0) {
        (void)print_overview(stdout);
        return cli_output_end();
    }
    if (argc > 1)
        return cli_fail(EXIT_USAGE, "help: one command at a time; oclm help COMMAND");
    command = cli_command_find(argv[0]);
    return command ? print_help(command) : unknown_command(argv[0]);
}

static int run(const cli_command *command, int argc, char **argv)
{
    cli_args args;
    int      result, written;
    cli_args_init(&args);
    if (!cli_parse(command, argc, argv, &args))
        return EXIT_USAGE;
    if (args.help)
        return print_help(command);
    if (args.quiet && args.verbose)
        return cli_fail(EXIT_USAGE, "--quiet and --verbose contradict each other; choose one");
    cli_output_begin(&args);
    cli_interrupt_begin();
    result = command->run(&args);
    written = cli_output_end();
    return result != EXIT_OK ? result : written;
}

int main(int argc, char **argv)
{
    const cli_command *command;
    if (argc < 2) {
        (void)print_overview(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)
        return help(argc - 2, argv + 2);
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
        (void)printf("oclm %s\n", oclm_version());
        return cli_output_end();
    }
    if (argv[1][0] == '-')
        return cli_fail(EXIT_USAGE, "the command comes first: oclm COMMAND [OPTIONS]; oclm help lists the commands");
    command = cli_command_find(argv[1]);
    return command ? run(command, argc - 2, argv + 2) : unknown_command(argv[1]);
}
