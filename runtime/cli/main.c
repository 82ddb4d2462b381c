/* main.c: the way from a command line to one of the subcommands, or to help. */
#include <string.h>

#include "cli/cli.h"

static int print_overview(FILE *out)
{
    (void)fputs("oclm runs pretrained language models on OpenCL devices.\n\n"
                "  oclm generate gpt2 \"Once upon a time\"\n\n", out);
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
    (void)printf("oclm %s%s%s: %s\n\n", command->name, *command->usage ? " " : "", command->usage, command->summary);
    if (command->details)
        (void)printf("%s\n", command->details);
    cli_print_options(stdout, command->bit);
    return cli_output_end();
}

static int unknown_command(const char *typed)
{
    const char *names[16];
    const char *near;
    size_t      count = 0;
    for (; count < cli_command_count && count < sizeof names / sizeof names[0]; count++)
        names[count] = cli_commands[count].name;
    if (strchr(typed, '/'))
        return cli_fail(EXIT_USAGE, "unknown command \"%s\"; to run a model: oclm generate %s \"Once upon a time\"", typed, typed);
    near = cli_nearest(typed, names, count);
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
    if (!cli_parse(command, argc, argv, &args)) {
        result = EXIT_USAGE;
    } else if (args.help) {
        result = print_help(command);
    } else if (args.quiet && args.verbose) {
        result = cli_fail(EXIT_USAGE, "--quiet and --verbose contradict each other; choose one");
    } else {
        args.parts = command->parts;
        cli_output_begin(&args);
        result = command->run(&args);
        oclm_free((void *)(uintptr_t)args.folder);
        written = cli_output_end();
        result = result != EXIT_OK ? result : written;
    }
    cli_args_free(&args);
    return result;
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
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0 || strcmp(argv[1], "version") == 0) {
        (void)printf("oclm %s\n", oclm_version());
        return cli_output_end();
    }
    if (argv[1][0] == '-')
        return cli_fail(EXIT_USAGE, "the command comes first: oclm COMMAND [OPTIONS]; oclm help lists the commands");
    command = cli_command_find(argv[1]);
    return command ? run(command, argc - 2, argv + 2) : unknown_command(argv[1]);
}
