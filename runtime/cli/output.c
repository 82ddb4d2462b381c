/* output.c: everything the command prints: messages, log, the progress bar, JSON. */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "cli/cli.h"

#define BAR_WIDTH 24
#define BAR_STEP_S 0.1 /* between two drawings; also how long work may take before a bar appears */

static struct {
    bool   enabled, drawn;
    double last;          /* when it was drawn, or the work began */
    char   what[24];
} bar; /* the process's one terminal */

/* ---- Messages -------------------------------------------------------------------------------------------------------------- */

int cli_fail(int exit_status, const char *format, ...)
{
    va_list arguments;
    cli_progress_clear();
    (void)fflush(stdout);
    (void)fputs("oclm: ", stderr);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
    return exit_status;
}

int cli_exit_status(oclm_status status)
{
    switch (status) {
    case OCLM_OK: return EXIT_OK;
    case OCLM_ERR_ARGUMENT:
    case OCLM_ERR_CAPACITY: return EXIT_USAGE;
    case OCLM_ERR_NOT_FOUND:
    case OCLM_ERR_HUB:
    case OCLM_ERR_ACCESS: return EXIT_NOT_FOUND;
    case OCLM_ERR_MEMORY:
    case OCLM_ERR_DEVICE_MEMORY: return EXIT_MEMORY;
    case OCLM_ERR_NO_DEVICE:
    case OCLM_ERR_DEVICE: return EXIT_DEVICE;
    case OCLM_ERR_FORMAT: return EXIT_FORMAT;
    case OCLM_ERR_CANCELLED: return EXIT_INTERRUPTED;
    default: return EXIT_OTHER;
    }
}

int cli_fail_status(oclm_status status)
{
    return cli_fail(cli_exit_status(status), "%s", oclm_last_error());
}

static void on_log(oclm_log_level level, const char *line, void *user)
{
    static const char *const names[] = { "error: ", "warning: ", "", "debug: " };
    (void)user;
    cli_progress_clear();
    (void)fprintf(stderr, "oclm: %s%s\n", names[level], line);
}

bool cli_environment_says(const char *name)
{
    static const char *const words[] = { "1", "on", "yes", "true" };
    const char              *set = getenv(name);
    for (size_t i = 0; set && i < sizeof words / sizeof words[0]; i++)
        if (strcasecmp(set, words[i]) == 0)
            return true;
    return false;
}

/* What is logged where the command line is silent: HF_DEBUG and HF_HUB_VERBOSITY, as for Python's huggingface_hub. */
static oclm_log_level default_level(void)
{
    static const struct {
        const char    *word;
        oclm_log_level level;
    } levels[] = { { "debug", OCLM_LOG_DEBUG }, { "info", OCLM_LOG_INFO }, { "error", OCLM_LOG_ERROR }, { "critical", OCLM_LOG_ERROR } };
    const char *const set = getenv("HF_HUB_VERBOSITY");
    if (cli_environment_says("HF_DEBUG"))
        return OCLM_LOG_DEBUG;
    for (size_t i = 0; set && i < sizeof levels / sizeof levels[0]; i++)
        if (strcasecmp(set, levels[i].word) == 0)
            return levels[i].level;
    return OCLM_LOG_WARNING;
}

void cli_output_begin(const cli_args *args)
{
    const oclm_log_level level = args->quiet ? OCLM_LOG_ERROR : args->verbose == 0 ? default_level()
                                 : args->verbose == 1 ? OCLM_LOG_INFO : OCLM_LOG_DEBUG;
    oclm_set_log(on_log, NULL, level);
    bar.enabled = !args->quiet && cli_is_terminal(stderr);
}

int cli_output_end(void)
{
    cli_progress_clear();
    if (fflush(stdout) != 0 || ferror(stdout))
        return cli_fail(EXIT_OTHER, "writing to standard output failed: %s", strerror(errno));
    return EXIT_OK;
}

double cli_seconds(void)
{
    struct timespec now;
    (void)timespec_get(&now, TIME_UTC);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* ---- The bar: "loading  [##########              ]  41 %" ------------------------------------------------------------------ */

void cli_progress_clear(void)
{
    cli_download_clear();
    if (bar.drawn)
        (void)fputs("\r\033[K", stderr);
    bar.drawn = false;
}

bool cli_progress(const char *what, uint64_t done, uint64_t total, void *user)
{
    const double fraction = total > 0 ? (double)done / (double)total : 0;
    const double now = cli_seconds();
    (void)user;
    if (cli_interrupted())
        return false;
    if (!bar.enabled)
        return true;
    if (strncmp(bar.what, what, sizeof bar.what - 1) != 0) {
        (void)snprintf(bar.what, sizeof bar.what, "%s", what);
        bar.last = now;
    }
    if (done >= total) {
        cli_progress_clear();
    } else if (now - bar.last >= BAR_STEP_S) {
        const int filled = (int)(fraction * BAR_WIDTH);
        (void)fprintf(stderr, "\r%-8s [%.*s%*s] %3.0f %%", what, filled, "########################", BAR_WIDTH - filled, "",
                      100 * fraction);
        (void)fflush(stderr);
        bar.drawn = true;
        bar.last = now;
    }
    return true;
}

/* ---- Words ----------------------------------------------------------------------------------------------------------------- */

const char *cli_format_bytes(uint64_t bytes, char buffer[32])
{
    static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
        value /= 1024;
        unit++;
    }
    (void)snprintf(buffer, 32, unit > 0 && value < 100 ? "%.1f %s" : "%.0f %s", value, units[unit]);
    return buffer;
}

const char *cli_dtype_name(oclm_dtype dtype)
{
    switch (dtype) {
    case OCLM_DTYPE_FLOAT32: return "float32";
    case OCLM_DTYPE_FLOAT16: return "float16";
    case OCLM_DTYPE_BFLOAT16: return "bfloat16";
    default: return "auto";
    }
}

/* ---- JSON ------------------------------------------------------------------------------------------------------------------ */

/* Bytes of the character at `p`, 0 where it is no UTF-8. */
static size_t utf8_length(const unsigned char *p, size_t left)
{
    const unsigned char c = p[0];
    const size_t        n = c < 0x80 ? 1 : c >= 0xC2 && c < 0xE0 ? 2 : (c & 0xF0) == 0xE0 ? 3 : c >= 0xF0 && c < 0xF5 ? 4 : 0;
    if (n == 0 || n > left)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    if ((c == 0xE0 && p[1] < 0xA0) || (c == 0xED && p[1] > 0x9F) || (c == 0xF0 && p[1] < 0x90) || (c == 0xF4 && p[1] > 0x8F))
        return 0; /* overlong, a surrogate, above U+10FFFF */
    return n;
}

static void write_string(FILE *out, const char *text, size_t length)
{
    const unsigned char *p = (const unsigned char *)text;
    (void)fputc('"', out);
    for (size_t i = 0, n; i < length; i += n) {
        n = utf8_length(p + i, length - i);
        if (n == 0) {
            (void)fputs("\xEF\xBF\xBD", out); /* U+FFFD */
            n = 1;
        } else if (p[i] == '"' || p[i] == '\\') {
            (void)fprintf(out, "\\%c", p[i]);
        } else if (p[i] == '\n') {
            (void)fputs("\\n", out);
        } else if (p[i] < 0x20 || p[i] == 0x7F) {
            (void)fprintf(out, "\\u%04x", p[i]);
        } else {
            (void)fwrite(p + i, 1, n, out);
        }
    }
    (void)fputc('"', out);
}

cli_json cli_json_begin(FILE *out)
{
    return (cli_json){ out, true };
}

void cli_json_end(cli_json *json)
{
    (void)fputc('\n', json->out);
}

/* What stands before a value: a comma, a key. */
static void lead(cli_json *json, const char *key)
{
    if (!json->first)
        (void)fputs(", ", json->out);
    json->first = false;
    if (key) {
        write_string(json->out, key, strlen(key));
        (void)fputs(": ", json->out);
    }
}

void cli_json_open(cli_json *json, const char *key, char bracket)
{
    lead(json, key);
    (void)fputc(bracket, json->out);
    json->first = true;
}

void cli_json_close(cli_json *json, char bracket)
{
    (void)fputc(bracket, json->out);
    json->first = false;
}

void cli_json_string(cli_json *json, const char *key, const char *text, size_t length)
{
    lead(json, key);
    if (text)
        write_string(json->out, text, length);
    else
        (void)fputs("null", json->out);
}

void cli_json_text(cli_json *json, const char *key, const char *text)
{
    cli_json_string(json, key, text, text ? strlen(text) : 0);
}

void cli_json_uint(cli_json *json, const char *key, uint64_t value)
{
    lead(json, key);
    (void)fprintf(json->out, "%llu", (unsigned long long)value);
}

void cli_json_number(cli_json *json, const char *key, double value)
{
    lead(json, key);
    if (isfinite(value))
        (void)fprintf(json->out, "%.9g", value);
    else
        (void)fputs("null", json->out);
}

void cli_json_bool(cli_json *json, const char *key, bool value)
{
    lead(json, key);
    (void)fputs(value ? "true" : "false", json->out);
}

void cli_json_ids(cli_json *json, const char *key, const int32_t *ids, size_t count)
{
    cli_json_open(json, key, '[');
    for (size_t i = 0; i < count; i++) {
        lead(json, NULL);
        (void)fprintf(json->out, "%ld", (long)ids[i]);
    }
    cli_json_close(json, ']');
}
