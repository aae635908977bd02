/* SPDX-License-Identifier: MIT */
/* Loading: the only file that calls libltdl, and the life of generations.
 *
 * libltdl's own loader binds lazily and turns every failure into "file not
 * found".  Ours binds at once and keeps the dynamic linker's words; the stock
 * one is taken out, because libltdl would fall back to it. */
#include "config.h"

#include "module/loader_priv.h"

#include <dlfcn.h>
#include <errno.h>
#include <ltdl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"

#define ENTRY "pbay_provider_entry"

struct loader_state loader;

/* libltdl is not thread-safe: everything of it happens under this lock. */
static pthread_mutex_t ltdl_lock = PTHREAD_MUTEX_INITIALIZER;
static bool ltdl_ready;
static char *last_error; /* the dynamic linker's words */

/* ------------------------------------------------- our loader in libltdl */

static void keep_error(void)
{
    const char *text = dlerror();
    free(last_error);
    last_error = strdup(text ? text : "unknown error");
}

static lt_module strict_open(lt_user_data data, const char *file,
                             lt_dladvise advise)
{
    (void)data;
    (void)advise;
    void *h = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (!h)
        keep_error();
    return h;
}

static int strict_close(lt_user_data data, lt_module module)
{
    (void)data;
    return dlclose(module);
}

static void *strict_symbol(lt_user_data data, lt_module module,
                           const char *name)
{
    (void)data;
    void *p = dlsym(module, name);
    if (!p)
        keep_error();
    return p;
}

static const lt_dlvtable strict_loader = {.name = "patchbay",
                                          .module_open = strict_open,
                                          .module_close = strict_close,
                                          .find_sym = strict_symbol,
                                          .priority = LT_DLLOADER_PREPEND};

/* Under the lock.  Once for the process: lt_dlexit() would close everything. */
static bool start_ltdl(void)
{
    if (ltdl_ready)
        return true;
    if (lt_dlinit() != 0 || lt_dlloader_add(&strict_loader) != 0)
        return false;
    if (lt_dlloader_find("lt_dlopen")) {
        lt_dlvtable *stock = lt_dlloader_remove("lt_dlopen");
        if (!stock)
            return false;
        free(stock); /* whoever removes a loader owns its table */
    }
    return ltdl_ready = true;
}

/* ------------------------------------------------------- opening a module */

static bool check_table(const pbay_plugin *p, const struct manifest *note,
                        char **err)
{
    if (!p)
        return mf_fail(err, "its entry function returned NULL instead of its "
                            "table");
    if (p->magic != PBAY_MAGIC)
        return mf_fail(err,
                       "its table begins with 0x%08x, not with 0x%08x: it "
                       "is no pbay_plugin",
                       (unsigned)p->magic, PBAY_MAGIC);
    if (p->abi_major != PBAY_ABI_MAJOR || p->abi_minor != PBAY_ABI_MINOR)
        return mf_fail(err,
                       "its table says ABI %u.%u, host offers %u.%u: "
                       "rebuild it with this host's headers",
                       (unsigned)p->abi_major, (unsigned)p->abi_minor,
                       PBAY_ABI_MAJOR, PBAY_ABI_MINOR);
    if (p->size != sizeof *p)
        return mf_fail(err,
                       "its table says it has %u bytes, in ABI %u.%u it "
                       "has %zu: set size to sizeof(pbay_plugin)",
                       (unsigned)p->size, PBAY_ABI_MAJOR, PBAY_ABI_MINOR,
                       sizeof *p);
    if (!p->create || !p->destroy || !p->extension)
        return mf_fail(err, "its table lacks %s()",
                       !p->create    ? "create"
                       : !p->destroy ? "destroy"
                                     : "extension");
    if (p->manifest.n == note->json_len &&
        memcmp(p->manifest.p, note->json, note->json_len) == 0)
        return true;
    size_t at = 0,
           n = p->manifest.n < note->json_len ? p->manifest.n : note->json_len;
    while (at < n && p->manifest.p[at] == note->json[at])
        at++;
    return mf_fail(err,
                   "its manifest in the note (%zu bytes) and the one in "
                   "its table (%zu bytes) differ from byte %zu on: make both "
                   "from one literal",
                   note->json_len, p->manifest.n, at);
}

/* The linker names the private copy, which means nothing to anybody. */
static const char *without_path(const char *text, const char *path)
{
    size_t n = strlen(path);
    if (strncmp(text, path, n) == 0 && text[n] == ':')
        for (text += n + 1; *text == ' ';)
            text++;
    return text;
}

/* Under the lock. */
static int open_locked(const char *path, const struct manifest *note,
                       void (*phase)(enum phase), struct opened *out,
                       char **err)
{
    if (!start_ltdl()) {
        mf_fail(err, "libltdl cannot be started: %s", lt_dlerror());
        return -ENOEXEC;
    }
    phase(PHASE_CONSTRUCTOR);
    lt_dlhandle h = lt_dlopen(path);
    if (!h) {
        mf_fail(err,
                "the dynamic linker refuses it: %s (something it needs is not "
                "installed, or it was linked without it)",
                without_path(last_error ? last_error : lt_dlerror(), path));
        return -ENOEXEC;
    }
    pbay_entry_fn *entry;
    *(void **)&entry = lt_dlsym(h, ENTRY);
    if (!entry) {
        mf_fail(err, "has no function " ENTRY "(): export it with PBAY_EXPORT "
                     "and C linkage");
        lt_dlclose(h);
        return -EPROTO;
    }
    phase(PHASE_ENTRY);
    const pbay_plugin *p = entry(PBAY_ABI_MAJOR, PBAY_ABI_MINOR);
    phase(PHASE_TABLE);
    if (!check_table(p, note, err))
        return -EPROTO; /* left open: what it has started may still run */
    phase(PHASE_DONE);
    *out = (struct opened){h, p};
    return 0;
}

int module_open(const char *path, const struct manifest *note,
                void (*phase)(enum phase), struct opened *out, char **err)
{
    pthread_mutex_lock(&ltdl_lock);
    free(last_error);
    last_error = NULL;
    int rc = open_locked(path, note, phase, out, err);
    pthread_mutex_unlock(&ltdl_lock);
    return rc;
}

static void module_close(void *handle)
{
    pthread_mutex_lock(&ltdl_lock);
    lt_dlclose(handle);
    pthread_mutex_unlock(&ltdl_lock);
}

/* ---------------------------------------------------------------- options */

static char **copy_list(const char *const *list)
{
    size_t n = 0;
    while (list && list[n])
        n++;
    char **copy = calloc(n + 1, sizeof *copy);
    for (size_t i = 0; copy && i < n; i++) {
        copy[i] = strdup(list[i]);
        if (!copy[i]) {
            mf_strings_free(copy);
            return NULL;
        }
    }
    return copy;
}

static bool copy_text(char **to, const char *text)
{
    *to = text ? strdup(text) : NULL;
    return !text || *to;
}

static void options_free(void)
{
    mf_strings_free(loader.dirs);
    free(loader.vendor_dir);
    free(loader.gen_dir);
    free(loader.self);
    loader = (struct loader_state){0};
}

int loader_init(const struct loader_options *o, char **err)
{
    *err = NULL;
    pthread_mutex_lock(&ltdl_lock);
    bool started = start_ltdl();
    if (!started)
        mf_fail(err, "libltdl cannot be started: %s", lt_dlerror());
    pthread_mutex_unlock(&ltdl_lock);
    if (!started)
        return -ENOSYS;
    options_free();
    loader.dirs = copy_list(o->dirs);
    loader.any_owner = o->allow_any_owner;
    if (!loader.dirs || !copy_text(&loader.vendor_dir, o->vendor_dir) ||
        !copy_text(&loader.gen_dir, o->gen_dir) ||
        !copy_text(&loader.self, o->self)) {
        options_free();
        mf_fail(err, "out of memory");
        return -ENOMEM;
    }
    return 0;
}

int loader_set_gen_dir(const char *dir)
{
    char *copy = NULL;
    if (!copy_text(&copy, dir))
        return -ENOMEM;
    free(loader.gen_dir);
    loader.gen_dir = copy;
    return 0;
}

void loader_done(void)
{
    gen_remove_all();
    options_free();
}

/* ------------------------------------------------------------ generations */

static void no_phase(enum phase p)
{
    (void)p;
}

static const char *remembered(const struct catalogue *c, const char *hash)
{
    for (size_t i = 0; i < c->n_bad; i++)
        if (strcmp(c->bad[i].hash, hash) == 0)
            return c->bad[i].reason;
    return NULL;
}

/* Out of memory it is merely tried again the next time. */
static void remember(struct catalogue *c, const char *hash, const char *reason)
{
    if (!c->bad)
        c->bad = calloc(BAD_CONTENTS, sizeof *c->bad);
    char *text = strdup(reason ? reason : "it misbehaved");
    if (!c->bad || !text) {
        free(text);
        return;
    }
    if (c->n_bad == BAD_CONTENTS) {
        free(c->bad[0].reason);
        memmove(c->bad, c->bad + 1, --c->n_bad * sizeof *c->bad);
    }
    struct bad_content *b = &c->bad[c->n_bad++];
    memcpy(b->hash, hash, sizeof b->hash);
    b->reason = text;
}

void generation_free(struct generation *g)
{
    if (!g)
        return;
    manifest_free(g->manifest);
    free(g->path);
    free(g->source);
    free(g->times);
    free(g);
}

/* What the source holds now, as a generation that is not open yet. */
static struct generation *take_copy(struct module *m, char **err)
{
    static unsigned number;
    struct module_file file;
    struct generation *g = calloc(1, sizeof *g);
    int fd = g ? trusted_open(m->path, loader.any_owner, &file, err) : -1;
    if (fd < 0) {
        free(g);
        return NULL;
    }
    const char *slash = strrchr(m->path, '/');
    g->number = ++number;
    g->path = gen_copy(loader.gen_dir, fd, g->number,
                       slash ? slash + 1 : m->path, g->hash, err);
    close(fd);
    g->source = strdup(m->path);
    g->times = calloc(LIM_LOOPS + 1, sizeof *g->times);
    int copy = -1;
    if (g->path && (!g->source || !g->times))
        mf_fail(err, "out of memory");
    else if (g->path)
        copy = trusted_open(g->path, true, &file, err);
    g->manifest = copy < 0 ? NULL : manifest_read(copy, err);
    if (copy >= 0)
        close(copy);
    if (g->manifest && strcmp(g->manifest->json, m->manifest->json) != 0) {
        mf_fail(err, "was changed while it was read: try again");
    } else if (g->manifest) {
        memcpy(m->hash, g->hash, sizeof m->hash);
        return g;
    }
    gen_remove(g->path);
    generation_free(g);
    return NULL;
}

/* Probe and open.  *bad: need not be tried again. */
static bool open_copy(struct generation *g, bool *bad, char **err)
{
    struct opened opened;
    if (loader.self) {
        enum probe_result r =
            probe_module(loader.self, g->path, g->manifest, err);
        *bad = r == PROBE_BAD;
        if (r != PROBE_OK)
            return false;
    }
    int rc = module_open(g->path, g->manifest, no_phase, &opened, err);
    *bad = rc == -EPROTO;
    if (rc < 0)
        return false;
    g->plugin = opened.plugin;
    g->handle = opened.handle;
    return true;
}

static struct generation *load(struct catalogue *c, struct module *m,
                               bool *passing, char **err)
{
    *passing = true;
    if (c->n_retained >= LIM_GENERATIONS) {
        mf_fail(err,
                "%d replaced modules are kept in memory, no more are "
                "loaded: restart the host",
                LIM_GENERATIONS);
        return NULL;
    }
    struct generation *g = take_copy(m, err);
    if (!g)
        return NULL;
    bool bad = false, ok = false;
    const char *known = remembered(c, g->hash);
    if (known)
        mf_fail(err, "%s", known);
    else
        ok = open_copy(g, &bad, err);
    if (ok)
        return g;
    if (bad)
        remember(c, g->hash, *err);
    *passing = !bad && !known;
    gen_remove(g->path);
    generation_free(g);
    return NULL;
}

/* No instance uses it and no module offers it any more. */
static void retire(struct catalogue *c, struct generation *g)
{
    if (g->plugin->flags & PBAY_F_UNLOADABLE) {
        module_close(g->handle);
        gen_remove(g->path);
        generation_free(g);
        return;
    }
    struct generation **more =
        realloc(c->retained, (c->n_retained + 1) * sizeof *more);
    if (!more)
        return; /* it stays mapped, only the list does not know */
    c->retained = more;
    more[c->n_retained++] = g;
}

static bool is_current(const struct catalogue *c, const struct generation *g)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->modules[i]->current == g)
            return true;
    return false;
}

struct generation *module_load(struct catalogue *c, struct module *m)
{
    if (m->state == MODULE_REFUSED)
        return NULL;
    if (m->state == MODULE_LOADED && !m->pending)
        return m->current;
    bool passing = false;
    char *err = NULL;
    struct generation *g = load(c, m, &passing, &err), *old = m->current;
    m->pending = false;
    if (!g && old) {
        log_line(LOG_ERROR, "module",
                 "a newer file is refused, the loaded one "
                 "goes on",
                 log_cstr("file", m->path),
                 log_cstr("reason", err ? err : "out of memory"), LOG_END);
        free(m->reason);
        m->reason = err;
        return old;
    }
    if (!g) {
        module_refuse(m, passing, err);
        catalogue_shadow(c);
        return NULL;
    }
    free(m->reason);
    m->reason = NULL;
    m->state = MODULE_LOADED;
    m->current = g;
    if (old && !old->refs)
        retire(c, old);
    return g;
}

struct generation *generation_ref(struct generation *g)
{
    g->refs++;
    return g;
}

void generation_unref(struct catalogue *c, struct generation *g)
{
    if (--g->refs == 0 && !is_current(c, g))
        retire(c, g);
}
