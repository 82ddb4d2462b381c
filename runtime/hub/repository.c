/* repository.c: rounds of files. The first is config.json at the revision that was asked for; its commit is the revision of all that follows,
 * so that a model is never put together from two commits. The ref moves at the end, when all of them are there. */
#include "hub/repository.h"

#include <string.h>

#include "core/platform.h"
#include "hub/fetch.h"
#include "hub/listing.h"
#include "hub/local_dir.h"
#include "hub/scan.h"

#define DEFAULT_REVISION "main"
#define CONFIG_NAME "config.json"

/* Fetched where the repository has them. */
static const char *const config_names[] = { "generation_config.json" };
static const char *const tokenizer_names[] = { "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
                                               "chat_template.jinja" };
/* Without tokenizer.json: what tokenizer/sources.c reads. */
static const char *const slow_tokenizer_names[] = { "vocab.json", "merges.txt", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model",
                                                    "tekken.json", "tiktoken.model", "qwen.tiktoken" };

typedef struct repository {
    const oclm_hub_options *options;
    const char *revision;
    const hub_weight_reader *reader;
    hub_weight_names weights;
    hub_settings settings;
    hub_shared   shared;
    char         commit[HUB_COMMIT_LENGTH + 1]; /* of all files */
    hub_names    got;                           /* files that are in the cache now */
} repository;

/* ---- A round: files that are asked for together */

typedef enum round_kind { REQUIRED, OPTIONAL, PROBED } round_kind;

typedef struct round {
    hub_download *downloads;
    size_t        count;
} round;

static void round_free(round *r)
{
    for (size_t i = 0; i < r->count; i++)
        hub_download_deinit(&r->downloads[i]);
    core_free(r->downloads);
    r->downloads = NULL;
    r->count = 0;
}

static bool by_patterns(const oclm_hub_options *options)
{
    return options->include_count > 0 || options->exclude_count > 0;
}

/* Of the files that are asked for without knowing whether the repository has them: all but the weights can be done without. Where the index of
 * shards is in the cache, so can the one file that others have instead. */
static bool may_be_missing(const repository *repo, const char *name)
{
    core_text index = CORE_TEXT_INIT, path = CORE_TEXT_INIT;
    bool      sharded = false;
    if (strcmp(name, repo->weights.single) != 0)
        return strcmp(name, repo->weights.index) != 0;
    if (repo->weights.index[0] != '\0' &&
        core_path_join(&index, repo->options->subfolder != NULL ? repo->options->subfolder : "", repo->weights.index) == OCLM_OK)
        sharded = hub_cache_has(&repo->shared.cache, repo->commit, index.data, &path);
    core_text_free(&index);
    core_text_free(&path);
    return sharded;
}

/* Names are below the subfolder, if there is one; those of a listing are whole. */
static oclm_status round_run(repository *repo, const hub_names *names, const char *revision, round_kind kind, round *r)
{
    core_text   path = CORE_TEXT_INIT;
    const char *below = repo->options->subfolder != NULL && !by_patterns(repo->options) ? repo->options->subfolder : "";
    oclm_status status = OCLM_OK;
    r->count = 0;
    if ((r->downloads = core_alloc_zero(names->count, sizeof *r->downloads, "downloads")) == NULL)
        return OCLM_ERR_MEMORY;
    for (size_t i = 0; i < names->count && status == OCLM_OK; i++) {
        status = core_path_join(&path, below, names->names[i]);
        if (status == OCLM_OK && (status = hub_file_name_check(path.data)) == OCLM_OK) {
            status = hub_download_init(&r->downloads[r->count++], &repo->shared, path.data, revision);
            r->downloads[i].probe = kind == PROBED;
            r->downloads[i].optional = kind == OPTIONAL && may_be_missing(repo, names->names[i]);
        }
    }
    if (status == OCLM_OK)
        status = hub_fetch(&repo->shared, r->downloads, r->count);
    for (size_t i = 0; i < r->count && status == OCLM_OK && kind != PROBED; i++)
        if (r->downloads[i].outcome == HUB_READY)
            status = hub_names_add(&repo->got, r->downloads[i].file);
    core_text_free(&path);
    return status;
}

static const hub_download *round_find(const round *r, const char *name)
{
    const size_t length = strlen(name);
    for (size_t i = 0; i < r->count; i++) {
        const size_t whole = strlen(r->downloads[i].file);
        if (whole >= length && strcmp(r->downloads[i].file + whole - length, name) == 0 &&
            (whole == length || r->downloads[i].file[whole - length - 1] == '/'))
            return &r->downloads[i];
    }
    return NULL;
}

static bool has(const hub_download *d)
{
    return d != NULL && d->outcome == HUB_READY;
}

/* ---- What is missing */

static oclm_status not_cached(const repository *repo, const char *file)
{
    const hub_subject subject = { &repo->settings, repo->shared.id, repo->revision, file };
    if (repo->shared.down) { /* the hub could not be asked for this one either */
        hub_request request = HUB_REQUEST_INIT;
        (void)snprintf(request.reason, sizeof request.reason, "%s", repo->shared.down_reason);
        return hub_fault_tell(&subject, repo->shared.down_fault == HUB_FINE ? HUB_UNREACHABLE : repo->shared.down_fault, &request);
    }
    return core_fail(OCLM_ERR_NOT_FOUND, "%s of %s (revision %s) is not in the cache (%s), and oclm is to stay offline (--offline, HF_HUB_OFFLINE, "
                     "TRANSFORMERS_OFFLINE or local_files_only); download it once: oclm download %s", file, repo->shared.id, repo->revision,
                     repo->settings.cache, repo->shared.id);
}

static oclm_status require(const repository *repo, const hub_download *d)
{
    const hub_subject subject = { &repo->settings, repo->shared.id, repo->revision, d->file };
    if (d->outcome == HUB_READY)
        return OCLM_OK;
    return d->outcome == HUB_NO_SUCH_FILE ? hub_fault_tell(&subject, HUB_ENTRY_NOT_FOUND, &d->request) : not_cached(repo, d->file);
}

/* Gets files of the commit, each of which must be there. */
static oclm_status get_all(repository *repo, const hub_names *names)
{
    round       r = { NULL, 0 };
    oclm_status status = round_run(repo, names, repo->commit, REQUIRED, &r);
    for (size_t i = 0; i < r.count && status == OCLM_OK; i++)
        status = require(repo, &r.downloads[i]);
    round_free(&r);
    return status;
}

/* ---- Weights */

static oclm_status add_shard(const char *name, void *user)
{
    oclm_status status = hub_file_name_check(name);
    return status == OCLM_OK ? hub_names_add(user, name) : status;
}

static oclm_status get_shards(repository *repo, const char *index_path)
{
    hub_names   names = { NULL, 0, 0 };
    oclm_status status = repo->reader->shards(index_path, add_shard, &names);
    if (status == OCLM_OK)
        status = get_all(repo, &names);
    hub_names_free(&names);
    return status;
}

/* Neither safetensors file is there: what is there instead? */
static oclm_status no_weights(repository *repo)
{
    static const char *const pickles[] = { "pytorch_model.bin", "pytorch_model.bin.index.json" };
    hub_names   names = { NULL, 0, 0 };
    round       r = { NULL, 0 };
    const char *const id = repo->shared.id;
    const bool        one = repo->weights.single[0] == '\0' || repo->weights.index[0] == '\0';
    const char *const name = repo->weights.single[0] != '\0' ? repo->weights.single : repo->weights.index;
    oclm_status status = hub_names_add_all(&names, pickles, COUNT(pickles));
    if (status == OCLM_OK)
        status = round_run(repo, &names, repo->commit, PROBED, &r);
    if (status == OCLM_OK && (has(&r.downloads[0]) || has(&r.downloads[1])))
        status = core_fail(OCLM_ERR_NOT_FOUND, "%s has no %s, only PyTorch's pickled weights (%s), which can run code when opened and which oclm "
                           "does not read; look for a conversion among its pull requests (%s/%s/discussions, then --revision refs/pr/N), or convert "
                           "it once in Python: AutoModelForCausalLM.from_pretrained(\"%s\").save_pretrained(\"FOLDER\")", id, name,
                           pickles[has(&r.downloads[0]) ? 0 : 1], repo->settings.endpoint, id, id);
    else if (status == OCLM_OK)
        status = core_fail(OCLM_ERR_NOT_FOUND, "%s (revision %s) has no weights that oclm reads: no %s%s%s; %s/%s/tree/%s lists its files", id,
                           repo->revision, repo->weights.single, one ? "" : ", no ", repo->weights.index, repo->settings.endpoint, id, repo->revision);
    round_free(&r);
    hub_names_free(&names);
    return status;
}

/* ---- The rounds */

static bool wants(const repository *repo, uint32_t part)
{
    return repo->options->parts == 0 || (repo->options->parts & part) != 0;
}

/* config.json may say what the weights are called. */
static oclm_status name_weights(repository *repo, const char *config_path)
{
    core_text   folder = CORE_TEXT_INIT;
    oclm_status status = core_text_printf(&folder, "%.*s", (int)(strlen(config_path) - strlen("/" CONFIG_NAME)), config_path);
    if (status == OCLM_OK)
        status = repo->reader->names(folder.data, repo->options->variant, &repo->weights);
    core_text_free(&folder);
    return status;
}

static oclm_status pin(repository *repo)
{
    hub_names   names = { NULL, 0, 0 };
    round       r = { NULL, 0 };
    oclm_status status = hub_names_add(&names, CONFIG_NAME);
    if (status == OCLM_OK)
        status = round_run(repo, &names, repo->revision, REQUIRED, &r);
    if (status == OCLM_OK) {
        const hub_download *const config = &r.downloads[0];
        memcpy(repo->commit, config->commit, sizeof repo->commit);
        if (wants(repo, OCLM_HUB_CONFIG) || wants(repo, OCLM_HUB_WEIGHTS) || repo->commit[0] == '\0')
            status = require(repo, config);
    }
    if (status == OCLM_OK && wants(repo, OCLM_HUB_WEIGHTS))
        status = name_weights(repo, r.downloads[0].path.data);
    round_free(&r);
    hub_names_free(&names);
    return status;
}

static oclm_status second_round(repository *repo, round *r)
{
    hub_names   names = { NULL, 0, 0 };
    oclm_status status = OCLM_OK;
    if (wants(repo, OCLM_HUB_CONFIG))
        status = hub_names_add_all(&names, config_names, COUNT(config_names));
    if (status == OCLM_OK && wants(repo, OCLM_HUB_TOKENIZER))
        status = hub_names_add_all(&names, tokenizer_names, COUNT(tokenizer_names));
    if (status == OCLM_OK && wants(repo, OCLM_HUB_WEIGHTS) && repo->weights.single[0] != '\0')
        status = hub_names_add(&names, repo->weights.single);
    if (status == OCLM_OK)
        status = round_run(repo, &names, repo->commit, OPTIONAL, r);
    hub_names_free(&names);
    return status;
}

/* "" is not there. */
static const hub_download *find_weights(const round *r, const char *name)
{
    return name[0] != '\0' ? round_find(r, name) : NULL;
}

static oclm_status third_round(repository *repo, const round *second, round *r)
{
    hub_names   names = { NULL, 0, 0 };
    oclm_status status = OCLM_OK;
    if (wants(repo, OCLM_HUB_TOKENIZER) && !has(round_find(second, tokenizer_names[0])))
        status = hub_names_add_all(&names, slow_tokenizer_names, COUNT(slow_tokenizer_names));
    if (status == OCLM_OK && wants(repo, OCLM_HUB_WEIGHTS) && repo->weights.index[0] != '\0' && !has(find_weights(second, repo->weights.single)))
        status = hub_names_add(&names, repo->weights.index);
    if (status == OCLM_OK)
        status = round_run(repo, &names, repo->commit, OPTIONAL, r);
    hub_names_free(&names);
    return status;
}

static oclm_status get_weights(repository *repo, const round *second, const round *third)
{
    const hub_download *const single = find_weights(second, repo->weights.single);
    const hub_download *const index = find_weights(third, repo->weights.index);
    if (has(single))
        return OCLM_OK;
    if (has(index))
        return get_shards(repo, index->path.data);
    if ((single != NULL && single->outcome == HUB_NOT_CACHED) || (index != NULL && index->outcome == HUB_NOT_CACHED))
        return not_cached(repo, single != NULL ? single->file : index->file);
    return no_weights(repo);
}

/* ---- Chat templates with names, which only a listing tells. */

#define TEMPLATES "additional_chat_templates/"
#define MAX_TEMPLATES 64

typedef struct templates {
    core_text folder; /* in the repository */
    size_t    below;  /* bytes of it that name the subfolder */
    hub_names names;
} templates;

static oclm_status choose_template(const char *name, void *user)
{
    templates *const t = user;
    const size_t     length = strlen(name);
    if (t->names.count == MAX_TEMPLATES || strncmp(name, t->folder.data, t->folder.length) != 0 || length < 6 ||
        strcmp(name + length - 6, ".jinja") != 0)
        return OCLM_OK;
    return hub_names_add(&t->names, name + t->below);
}

/* They come with a chat_template.jinja. When that has just arrived the hub is asked; its answer is not needed: without one
 * there are no others, as for transformers. */
static oclm_status get_templates(repository *repo, const round *second)
{
    const hub_download *const main = round_find(second, "chat_template.jinja");
    const char *const below = repo->options->subfolder != NULL ? repo->options->subfolder : "";
    char        commit[HUB_COMMIT_LENGTH + 1];
    templates   found = { CORE_TEXT_INIT, 0, { NULL, 0, 0 } };
    round       r = { NULL, 0 };
    oclm_status status;
    if (!wants(repo, OCLM_HUB_TOKENIZER) || !has(main) || !main->received || repo->shared.down || repo->settings.offline)
        return OCLM_OK;
    if ((status = core_text_printf(&found.folder, "%s%s" TEMPLATES, below, below[0] != '\0' ? "/" : "")) != OCLM_OK)
        return status;
    found.below = found.folder.length - strlen(TEMPLATES);
    status = hub_list_files(&repo->shared, repo->commit, commit, choose_template, &found);
    if (status == OCLM_OK && found.names.count > 0)
        status = round_run(repo, &found.names, repo->commit, OPTIONAL, &r);
    else if (status != OCLM_OK && status != OCLM_ERR_MEMORY && status != OCLM_ERR_CANCELLED)
        status = OCLM_OK;
    round_free(&r);
    hub_names_free(&found.names);
    core_text_free(&found.folder);
    return status;
}

static oclm_status get_model(repository *repo)
{
    round       second = { NULL, 0 }, third = { NULL, 0 };
    oclm_status status;
    if ((status = pin(repo)) != OCLM_OK || (status = second_round(repo, &second)) != OCLM_OK || (status = third_round(repo, &second, &third)) != OCLM_OK ||
        (status = get_templates(repo, &second)) != OCLM_OK)
        goto done;
    if (wants(repo, OCLM_HUB_WEIGHTS))
        status = get_weights(repo, &second, &third);
done:
    round_free(&second);
    round_free(&third);
    return status;
}

/* ---- By patterns */

static bool is_wanted(const oclm_hub_options *options, const char *name)
{
    bool wanted = options->include_count == 0;
    for (size_t i = 0; i < options->include_count; i++)
        wanted |= hub_name_matches(options->include[i], name);
    for (size_t i = 0; i < options->exclude_count; i++)
        wanted &= !hub_name_matches(options->exclude[i], name);
    return wanted;
}

typedef struct choice {
    const oclm_hub_options *options;
    hub_names               names;
} choice;

static oclm_status choose(const char *name, void *user)
{
    choice *const c = user;
    return is_wanted(c->options, name) ? hub_names_add(&c->names, name) : OCLM_OK;
}

static oclm_status choose_cached(const char *path, const char *relative, const core_info *info, void *user)
{
    (void)path;
    (void)info;
    return choose(relative, user);
}

/* Offline: of the files that are in the snapshot. */
static oclm_status list_cached(repository *repo, choice *c)
{
    core_text   path = CORE_TEXT_INIT;
    oclm_status status = OCLM_OK;
    if (hub_cache_ref(&repo->shared.cache, repo->revision, repo->commit) &&
        (status = core_text_printf(&path, "%s/snapshots/%s", repo->shared.cache.folder.data, repo->commit)) == OCLM_OK && core_path_is_folder(path.data))
        status = hub_walk(path.data, choose_cached, c);
    core_text_free(&path);
    if (status == OCLM_OK && c->names.count == 0)
        status = not_cached(repo, "what matches");
    return status;
}

static oclm_status get_matching(repository *repo)
{
    const char *const asked = repo->options->include_count == 1 ? repo->options->include[0] : NULL; /* of several, each may be the wrong one */
    choice      c = { repo->options, { NULL, 0, 0 } };
    oclm_status status = repo->settings.offline ? list_cached(repo, &c) : hub_list_files(&repo->shared, repo->revision, repo->commit, choose, &c);
    if (status == OCLM_OK && c.names.count == 0)
        status = core_fail(OCLM_ERR_NOT_FOUND, "%s (revision %s) has no file that matches%s%s%s; %s/%s/tree/%s lists its files", repo->shared.id,
                           repo->revision, asked != NULL ? " \"" : "", asked != NULL ? asked : "", asked != NULL ? "\"" : "",
                           repo->settings.endpoint, repo->shared.id, repo->revision);
    if (status == OCLM_OK)
        status = get_all(repo, &c.names);
    hub_names_free(&c.names);
    return status;
}

/* ---- All of it */

static oclm_status check(const char *id, const repository *repo)
{
    oclm_status status;
    if ((status = hub_id_check(id)) != OCLM_OK || (status = hub_revision_check(repo->revision)) != OCLM_OK)
        return status;
    return repo->options->subfolder != NULL ? hub_file_name_check(repo->options->subfolder) : OCLM_OK;
}

static oclm_status open_all(const char *id, repository *repo)
{
    oclm_status status;
    if ((status = hub_settings_init(&repo->settings, repo->options)) != OCLM_OK)
        return status;
    repo->shared.settings = &repo->settings;
    repo->shared.id = id;
    repo->shared.progress = repo->options->progress;
    repo->shared.progress_user = repo->options->progress_user;
    if ((status = hub_cache_init(&repo->shared.cache, &repo->settings, id)) != OCLM_OK)
        return status;
    return repo->settings.offline ? OCLM_OK : hub_http_new(&repo->settings, &repo->shared.http);
}

static oclm_status tell_folder(const repository *repo, core_text *folder)
{
    const char *const subfolder = repo->options->subfolder;
    core_text_clear(folder);
    const oclm_status status = repo->options->local_dir != NULL ? core_text_add_string(folder, repo->options->local_dir)
                                                                : core_text_printf(folder, "%s/snapshots/%s", repo->shared.cache.folder.data, repo->commit);
    return status == OCLM_OK && subfolder != NULL ? core_text_printf(folder, "/%s", subfolder) : status;
}

oclm_status hub_get(const char *id, const oclm_hub_options *options, const hub_weight_reader *reader, core_text *folder)
{
    repository       repo;
    oclm_hub_options mine = *options;
    oclm_status      status;
    const core_pipe_guard guard = core_pipe_guard_begin(); /* libcurl leaves that to us (CURLOPT_NOSIGNAL), also for closing connections */
    memset(&repo, 0, sizeof repo);
    if (mine.subfolder != NULL && mine.subfolder[0] == '\0')
        mine.subfolder = NULL;
    repo.options = &mine;
    repo.reader = reader;
    repo.revision = mine.revision != NULL ? mine.revision : DEFAULT_REVISION;
    if ((status = check(id, &repo)) != OCLM_OK || (status = open_all(id, &repo)) != OCLM_OK)
        goto done;
    if ((status = by_patterns(&mine) ? get_matching(&repo) : get_model(&repo)) != OCLM_OK)
        goto done;
    if (!repo.settings.offline && !repo.shared.down)
        hub_cache_write_ref(&repo.shared.cache, repo.revision, repo.commit);
    if (mine.local_dir != NULL && (status = hub_copy_out(&repo.shared.cache, repo.commit, &repo.got, mine.local_dir)) != OCLM_OK)
        goto done;
    status = tell_folder(&repo, folder);
done:
    hub_http_free(repo.shared.http);
    hub_cache_deinit(&repo.shared.cache);
    hub_settings_deinit(&repo.settings);
    hub_names_free(&repo.got);
    core_pipe_guard_end(guard);
    return status;
}
