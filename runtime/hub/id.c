/* id.c: repository ids, revisions and file names. The rules are those of Python's huggingface_hub, made stricter where it lets pass what
 * would leave the cache: ASCII ids only, and revisions and file names without anything that a file system may read in its own way. */
#include "hub/id.h"

#include <string.h>

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool ends_with(const char *text, size_t length, const char *suffix)
{
    const size_t suffix_length = strlen(suffix);
    return length >= suffix_length && memcmp(text + length - suffix_length, suffix, suffix_length) == 0;
}

/* ---- Repository ids */

static bool is_part(const char *part, size_t length)
{
    if (length == 0 || !is_word(part[0]) || !is_word(part[length - 1]))
        return false;
    for (size_t i = 0; i < length; i++)
        if (!is_word(part[i]) && part[i] != '-' && part[i] != '.')
            return false;
    return true;
}

oclm_status hub_id_check(const char *id)
{
    const char  *slash = strchr(id, '/');
    const char  *name = slash != NULL ? slash + 1 : id;
    const size_t length = strlen(name);
    if (length > HUB_MAX_NAME)
        return core_fail(OCLM_ERR_ARGUMENT, "\"%s\" is no model: the name has %zu characters, at most %d are allowed", id, length, HUB_MAX_NAME);
    if ((slash != NULL && !is_part(id, (size_t)(slash - id))) || !is_part(name, length) || strstr(id, "--") != NULL ||
        strstr(id, "..") != NULL || ends_with(id, strlen(id), ".git"))
        return core_fail(OCLM_ERR_ARGUMENT, "\"%s\" is neither a folder nor a model on the hub, which is called NAME or OWNER/NAME: letters, "
                         "digits, _ - and . (not at the ends, no -- or .., no .git)", id);
    return OCLM_OK;
}

oclm_status hub_id_folder(const char *id, core_text *out)
{
    const char *slash = strchr(id, '/');
    return slash != NULL ? core_text_printf(out, "models--%.*s--%s", (int)(slash - id), id, slash + 1)
                         : core_text_printf(out, "models--%s", id);
}

bool hub_id_of_folder(const char *folder, core_text *id)
{
    static const char prefix[] = "models--";
    core_text_clear(id);
    if (strncmp(folder, prefix, sizeof prefix - 1) != 0)
        return false;
    const char *rest = folder + sizeof prefix - 1, *cut = strstr(rest, "--");
    if ((cut != NULL ? core_text_printf(id, "%.*s/%s", (int)(cut - rest), rest, cut + 2) : core_text_add_string(id, rest)) != OCLM_OK)
        return false;
    return id->length > 0;
}

/* ---- Revisions */

static bool is_revision_segment(const char *segment, size_t length)
{
    if (length == 0 || length > HUB_MAX_SEGMENT || (length == 1 && segment[0] == '.') || (length == 2 && memcmp(segment, "..", 2) == 0))
        return false;
    return !ends_with(segment, length, ".lock");
}

/* Is it text without control characters, of segments between slashes that are each fine? */
static bool is_plain_path(const char *path, size_t length, size_t most, bool (*is_segment)(const char *segment, size_t length))
{
    bool good = length > 0 && length <= most && core_utf8_check(path, length) == SIZE_MAX;
    for (size_t i = 0; good && i < length; i++)
        good = (unsigned char)path[i] >= 0x20 && path[i] != 0x7f;
    for (const char *p = path; good;) {
        const size_t segment = strcspn(p, "/");
        good = is_segment(p, segment);
        if (p[segment] == '\0')
            break;
        p += segment + 1;
    }
    return good;
}

oclm_status hub_revision_check(const char *revision)
{
    static const char rule[] = "a branch, a tag (such as main or v1.0), refs/pr/N, or the 40 digits of a commit";
    const size_t length = strlen(revision);
    const bool   good = is_plain_path(revision, length, HUB_MAX_REVISION, is_revision_segment) && strpbrk(revision, "\\:?*[~^ ") == NULL &&
                      strstr(revision, "@{") == NULL && !ends_with(revision, length, ".tmp");
    return good ? OCLM_OK : core_fail(OCLM_ERR_ARGUMENT, "\"%.*s\" cannot be a revision: give %s", (int)core_utf8_cut(revision, length, 100), revision, rule);
}

/* ---- File names */

/* Windows would leave the folder for a segment that begins with a drive; a name that means two things is refused everywhere. */
static bool is_file_segment(const char *segment, size_t length)
{
    if (length == 0 || length > HUB_MAX_SEGMENT || (length == 1 && segment[0] == '.') || (length == 2 && memcmp(segment, "..", 2) == 0))
        return false;
    return length < 2 || segment[1] != ':';
}

oclm_status hub_file_name_check(const char *name)
{
    const size_t length = strlen(name);
    const bool   good = is_plain_path(name, length, HUB_MAX_FILE_NAME, is_file_segment) && strchr(name, '\\') == NULL;
    return good ? OCLM_OK : core_fail(OCLM_ERR_ARGUMENT, "\"%.*s\" cannot be the name of a file in a repository: it must be a plain path below it",
                                      (int)core_utf8_cut(name, length, 100), name);
}

/* ---- Hashes */

static bool is_hex(const char *text, size_t length)
{
    return strlen(text) == length && strspn(text, "0123456789abcdef") == length;
}

bool hub_is_commit(const char *text)
{
    return is_hex(text, HUB_COMMIT_LENGTH);
}

bool hub_is_sha256(const char *text)
{
    return is_hex(text, 64);
}

bool hub_is_etag(const char *text)
{
    const size_t length = strlen(text);
    if (length == 0 || length > HUB_MAX_ETAG || !is_word(text[0]) || text[0] == '_')
        return false;
    for (size_t i = 0; i < length; i++)
        if (!is_word(text[i]) && text[i] != '.' && text[i] != '-')
            return false;
    return !ends_with(text, length, ".lock") && !hub_is_unfinished(text);
}

bool hub_is_unfinished(const char *name)
{
    const size_t length = strlen(name);
    return ends_with(name, length, ".incomplete") || ends_with(name, length, ".tmp");
}

/* ---- URLs */

oclm_status hub_url_encode(const char *text, bool slashes, core_text *out)
{
    oclm_status status = OCLM_OK;
    for (const char *p = text; *p != '\0' && status == OCLM_OK; p++) {
        const bool plain = is_word(*p) || *p == '.' || *p == '-' || *p == '~' || (slashes && *p == '/');
        status = plain ? core_text_add_char(out, *p) : core_text_printf(out, "%%%02X", (unsigned)(unsigned char)*p);
    }
    return status;
}

oclm_status hub_url_file(const char *endpoint, const char *id, const char *revision, const char *file, core_text *out)
{
    oclm_status status;
    core_text_clear(out);
    if ((status = core_text_printf(out, "%s/%s/resolve/", endpoint, id)) != OCLM_OK || (status = hub_url_encode(revision, false, out)) != OCLM_OK ||
        (status = core_text_add_char(out, '/')) != OCLM_OK)
        return status;
    return hub_url_encode(file, true, out);
}
