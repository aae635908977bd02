/* SPDX-License-Identifier: MIT */
/* The loader against modules with something wrong (tests/badplugins): each is
 * refused in words that say what and why, and nothing else is affected.
 *
 * The program is its own probe: with --probe-module it does what `patchbay
 * --probe-module` does. */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/str.h"
#include "module/loader.h"

static char top[256]; /* of this test: removed at the end */
static char dir_a[300], dir_b[300], gen[300];
static char built[4096]; /* tests/badplugins/built */
static char providers[4096];
static char self[4096];
static struct catalogue cat;

/* --- files --- */

static const char *join(const char *dir, const char *name)
{
    static char path[4][4096];
    static unsigned turn;
    char *p = path[turn++ % 4];
    ck_assert_int_eq(fs_join(p, sizeof path[0], dir, name), 0);
    return p;
}

/* Put a file there as a package would: beside, then renamed over. */
static void install(const char *from, const char *to)
{
    char *data = NULL;
    size_t n = 0;
    int rc = fs_read(from, LIM_MODULE_FILE, &data, &n);
    ck_assert_msg(rc == 0, "%s: %s", from, strerror(-rc));
    ck_assert_int_eq(fs_write_atomic(to, str_n(data, n), 0755), 0);
    free(data);
}

static void install_bad(const char *dir, const char *name)
{
    char file[64];
    snprintf(file, sizeof file, "%s.so", name);
    install(join(built, file), join(dir, file));
}

static void install_loopback(const char *dir)
{
    install(join(providers, "loopback.so"), join(dir, "loopback.so"));
}

static void write_text(const char *path, const char *text)
{
    ck_assert_int_eq(fs_write_atomic(path, str_c(text), 0644), 0);
}

static void init(const char *probe)
{
    const char *const dirs[] = {dir_a, join(top, "missing"), dir_b, NULL};
    struct loader_options o = {
        .dirs = dirs, .vendor_dir = dir_b, .gen_dir = gen, .self = probe};
    char *err = NULL;
    ck_assert_msg(loader_init(&o, &err) == 0, "%s", err);
}

static void set_up(void)
{
    const char *builddir = getenv("top_builddir");
    const char *dir = getenv("PATCHBAY_PROVIDERS");
    ck_assert_msg(builddir && dir, "top_builddir and PATCHBAY_PROVIDERS are "
                                   "not set: run make check");
    snprintf(built, sizeof built, "%s/tests/badplugins/built", builddir);
    snprintf(providers, sizeof providers, "%s", dir);
    snprintf(top, sizeof top, "/tmp/patchbay-loader-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(top));
    snprintf(dir_a, sizeof dir_a, "%s/a", top);
    snprintf(dir_b, sizeof dir_b, "%s/b", top);
    snprintf(gen, sizeof gen, "%s/gen", top);
    ck_assert_int_eq(mkdir(dir_a, 0755), 0);
    ck_assert_int_eq(mkdir(dir_b, 0755), 0);
    ck_assert_int_eq(chmod(dir_a, 0755), 0);
    ck_assert_int_eq(chmod(dir_b, 0755), 0);
    init(self);
}

static void tear_down(void)
{
    catalogue_done(&cat);
    loader_done();
    fs_rmtree(top);
}

/* --- looking --- */

static struct module *find(const char *id)
{
    struct module *m = catalogue_find(&cat, str_c(id));
    ck_assert_msg(m != NULL, "%s is not in the catalogue", id);
    return m;
}

static void says(const struct module *m, const char *part)
{
    ck_assert_msg(m->reason && strstr(m->reason, part),
                  "%s\n  said: %s\n  not:  %s", m->path,
                  m->reason ? m->reason : "(nothing)", part);
}

static void scan(void)
{
    ck_assert_int_eq(catalogue_scan(&cat), 0);
}

static struct generation *must_load(const char *id)
{
    struct module *m = find(id);
    struct generation *g = module_load(&cat, m);
    ck_assert_msg(g != NULL, "%s: %s", id, m->reason);
    ck_assert_int_eq(m->state, MODULE_LOADED);
    return g;
}

static void must_fail(const char *id, const char *part)
{
    struct module *m = find(id);
    ck_assert_ptr_null(module_load(&cat, m));
    ck_assert_int_eq(m->state, MODULE_REFUSED);
    says(m, part);
}

/* A line for the host's log. */
static char logged[256];

static void keep_log(const pbay_host *host, int32_t level, pbay_str msg)
{
    (void)host;
    (void)level;
    snprintf(logged, sizeof logged, "%.*s", STR_ARG(msg));
}

/* Make an instance and see whether it offers what loopback offers. */
static void is_alive(const struct generation *g)
{
    static const pbay_host host = {.size = sizeof host, .log = keep_log};
    void *inst = NULL;
    ck_assert_int_eq(g->plugin->create(&host, STR("{}"), &inst), PBAY_OK);
    const pbay_native *n = g->plugin->extension(inst, STR(PBAY_EXT_NATIVE));
    ck_assert_ptr_nonnull(n);
    ck_assert(n->ops & PBAY_OP_BIT(PBAY_OP_CHAT));
    g->plugin->destroy(inst);
}

/* --- refusals --- */

static const struct {
    const char *name, *part;
    bool unread; /* refused by what can be read, before anything is run */
    bool crash;  /* only to be tried in a child */
} bad[] = {
    {"abi_two", "needs ABI 2.0, host offers 0.1", true, false},
    {"no_note", "has no Patchbay manifest", true, false},
    {"two_notes", "has 2 manifests", true, false},
    {"not_json", "the manifest is not JSON", true, false},
    {"other_id",
     "its id is \"someone-else\", but the file is named \"other_id.so\"", true,
     false},
    {"ctor_crash", "its constructor crashed: signal 11", false, true},
    {"ctor_hang", "its constructor did not return within 5000 ms", false, true},
    {"ctor_exit", "its constructor ended the process with exit status 0", false,
     true},
    {"ctor_spy",
     "exit status 7: report it to its author, or remove the file; "
     "it printed: the key is \"hidden\"",
     false, true},
    {"entry_crash", "its entry function crashed: signal 6", false, true},
    {"wild_table", "reading its table crashed: signal 11", false, true},
    {"null_table", "its entry function returned NULL", false, false},
    {"wrong_magic", "begins with 0xdeadbeef, not with 0x59414250", false,
     false},
    {"lying_size", "its table says it has 4096 bytes, in ABI 0.1 it has ",
     false, false},
    {"table_abi", "its table says ABI 2.1, host offers 0.1", false, false},
    {"note_differs", "differ from byte", false, false},
    {"no_functions", "its table lacks create()", false, false},
    {"no_entry", "has no function pbay_provider_entry()", false, false},
    {"undefined",
     "the dynamic linker refuses it: undefined symbol: nobody_has_this", false,
     false},
    {"missing_dep",
     "the dynamic linker refuses it: libpatchbay-nowhere.so.1: cannot open",
     false, false},
};
#define N_BAD (sizeof bad / sizeof *bad)

START_TEST(all_bad_ones_beside_a_good_one)
{
    setenv("OPENAI_API_KEY", "sk-secret", 1);
    for (size_t i = 0; i < N_BAD; i++)
        install_bad(dir_a, bad[i].name);
    install_bad(dir_a, "forger");
    install_bad(dir_a, "create_fails");
    install_loopback(dir_b);
    write_text(join(dir_a, "script.so"), "#!/bin/sh\n");
    write_text(join(dir_a, "empty.so"), "");
    write_text(join(dir_a, "notes.txt"), "not a module");
    write_text(join(dir_a, ".hidden.so"), "not a module");
    ck_assert_int_eq(mkdir(join(dir_a, "folder.so"), 0755), 0);
    ck_assert_int_eq(symlink("/nonexistent/x.so", join(dir_a, "dead.so")), 0);
    ck_assert_int_eq(mkfifo(join(dir_a, "pipe.so"), 0644), 0);
    install_bad(dir_a, "forger");
    install(join(built, "forger.so"), join(dir_a, "cut.so"));
    ck_assert_int_eq(truncate(join(dir_a, "cut.so"), 9000), 0);
    scan();
    ck_assert_uint_eq(cat.n, N_BAD + 3 + 6);
    says(find("script"), "no ELF header");
    says(find("empty"), "no ELF header");
    says(find("folder"), "is not a regular file");
    says(find("dead"), "leads nowhere");
    says(find("pipe"), "is not a regular file");
    says(find("cut"), "damaged or cut short");
    for (size_t i = 0; i < N_BAD; i++) {
        struct module *m = find(bad[i].name);
        ck_assert_int_eq(m->state,
                         bad[i].unread ? MODULE_REFUSED : MODULE_FOUND);
        must_fail(bad[i].name, bad[i].part);
    }
    /* Those with nothing wrong in them are not touched by all this. */
    must_load("forger");
    is_alive(must_load("loopback"));
    ck_assert(find("loopback")->vendor && !find("forger")->vendor);
    struct generation *g = must_load("create_fails");
    static const pbay_host host = {.size = sizeof host, .log = keep_log};
    void *inst = NULL;
    ck_assert_int_eq(g->plugin->create(&host, STR("{}"), &inst), PBAY_FAIL);
    ck_assert_str_eq(logged, "create_fails always does");
}
END_TEST

/* Without a probe everything is still checked but what kills. */
START_TEST(checks_do_not_depend_on_the_probe)
{
    init(NULL);
    for (size_t i = 0; i < N_BAD; i++)
        if (!bad[i].crash)
            install_bad(dir_a, bad[i].name);
    scan();
    for (size_t i = 0; i < N_BAD; i++)
        if (!bad[i].crash)
            must_fail(bad[i].name, bad[i].part);
}
END_TEST

/* What has misbehaved is not run again, whatever happens to its file. */
START_TEST(misbehaviour_is_remembered_by_content)
{
    install_bad(dir_a, "null_table");
    install_bad(dir_a, "undefined");
    scan();
    must_fail("null_table", "returned NULL");
    must_fail("undefined", "nobody_has_this");
    ck_assert_uint_eq(strlen(find("null_table")->hash), 64);
    ck_assert_uint_eq(cat.n_bad, 1);
    init("/nonexistent/probe"); /* now any probe would be noticed */
    scan();
    must_fail("null_table", "returned NULL");
    ck_assert_int_eq(find("undefined")->state, MODULE_FOUND);
    must_fail("undefined", "/nonexistent/probe cannot be run");
    install_bad(dir_a, "null_table");
    scan();
    ck_assert_int_eq(find("null_table")->state, MODULE_FOUND);
    must_fail("null_table", "returned NULL");
    ck_assert_uint_eq(cat.n_bad, 1);
}
END_TEST

/* --- ownership --- */

START_TEST(modes_and_owners_are_checked)
{
    install_loopback(dir_a);
    const char *path = join(dir_a, "loopback.so");
    ck_assert_int_eq(chmod(path, 0646), 0);
    scan();
    says(find("loopback"), "the file is world-writable (mode 0646)");
    ck_assert_int_eq(chmod(path, 0664), 0); /* by our own group */
    scan();
    ck_assert_int_eq(find("loopback")->state, MODULE_FOUND);
    ck_assert_int_eq(chmod(dir_a, 0777), 0);
    scan();
    says(find("loopback"), "the directory is world-writable (mode 0777)");
    ck_assert_int_eq(chmod(dir_a, 01777), 0);
    scan();
    says(find("loopback"), "the directory is world-writable");
    ck_assert_int_eq(chmod(dir_a, 0755), 0);
    /* Between the scan and the load it counts too. */
    scan();
    ck_assert_int_eq(find("loopback")->state, MODULE_FOUND);
    ck_assert_int_eq(chmod(path, 0666), 0);
    must_fail("loopback", "the file is world-writable");
    ck_assert_int_eq(chmod(path, 0644), 0);
    scan();
    must_load("loopback");
}
END_TEST

START_TEST(other_owners_are_refused)
{
    install_loopback(dir_a);
    const char *path = join(dir_a, "loopback.so");
    ck_assert_int_eq(chown(path, 12345, 0), 0);
    scan();
    says(find("loopback"), "the file belongs to user 12345, not to root");
    ck_assert_int_eq(chown(path, 0, 12345), 0);
    scan();
    ck_assert_int_eq(find("loopback")->state, MODULE_FOUND);
    ck_assert_int_eq(chmod(path, 0664), 0);
    scan();
    says(find("loopback"), "the file is writable by group 12345 (mode 0664)");
    ck_assert_int_eq(chmod(path, 0644), 0);
    ck_assert_int_eq(chown(dir_a, 12345, 0), 0);
    scan();
    says(find("loopback"), "the directory belongs to user 12345");
    /* Whoever says that owners do not matter gets it. */
    const char *const dirs[] = {dir_a, NULL};
    struct loader_options o = {
        .dirs = dirs, .gen_dir = gen, .self = self, .allow_any_owner = true};
    char *err = NULL;
    ck_assert_int_eq(loader_init(&o, &err), 0);
    scan();
    must_load("loopback");
}
END_TEST

START_TEST(links_count_where_they_lead)
{
    install_loopback(dir_b);
    ck_assert_int_eq(
        symlink(join(dir_b, "loopback.so"), join(dir_a, "loopback.so")), 0);
    ck_assert_int_eq(chmod(dir_b, 0777), 0);
    scan();
    struct module *m = find("loopback");
    says(m, "is a link to");
    says(m, "the directory is world-writable");
    ck_assert_int_eq(chmod(dir_b, 0755), 0);
    scan();
    m = find("loopback");
    ck_assert_int_eq(m->state, MODULE_FOUND);
    ck_assert_str_eq(m->path, join(dir_a, "loopback.so"));
    must_load("loopback");
}
END_TEST

START_TEST(odd_directories)
{
    char *err = NULL;
    write_text(join(top, "file"), "");
    char file[300], many[300];
    snprintf(file, sizeof file, "%s/file", top);
    snprintf(many, sizeof many, "%s/many", top);
    ck_assert_int_eq(mkdir(many, 0755), 0);
    for (int i = 0; i < LIM_MODULES + 5; i++) {
        char name[32];
        snprintf(name, sizeof name, "m%03d.so", i);
        write_text(join(many, name), "x");
    }
    /* A directory that is listed twice is looked at once. */
    const char *const dirs[] = {file, many, many, NULL};
    struct loader_options o = {.dirs = dirs, .gen_dir = gen};
    ck_assert_int_eq(loader_init(&o, &err), 0);
    scan();
    ck_assert_uint_eq(cat.n, 1 + LIM_MODULES + 1);
    says(find("file"), "is not a directory");
    says(find("many"), "holds 69 module files: only the first 64");
    says(find("m063"), "no ELF header");
    ck_assert_ptr_null(catalogue_find(&cat, STR("m064")));
    scan();
    ck_assert_uint_eq(cat.n, 1 + LIM_MODULES + 1);
}
END_TEST

/* --- two of one id --- */

START_TEST(first_directory_wins)
{
    install_loopback(dir_a);
    install_loopback(dir_b);
    scan();
    ck_assert_uint_eq(cat.n, 2);
    struct module *m = find("loopback");
    ck_assert_str_eq(m->path, join(dir_a, "loopback.so"));
    says(cat.modules[1], "another module has the id \"loopback\"");
    says(cat.modules[1], m->path);
    /* When the first is no good, the second is used. */
    write_text(join(dir_a, "loopback.so"), "junk");
    scan();
    m = find("loopback");
    ck_assert_str_eq(m->path, join(dir_b, "loopback.so"));
    must_load("loopback");
    /* And the first again once it is mended. */
    install_loopback(dir_a);
    scan();
    ck_assert_str_eq(find("loopback")->path, join(dir_a, "loopback.so"));
    must_load("loopback");
}
END_TEST

START_TEST(second_is_used_when_the_first_does_not_load)
{
    install(join(built, "null_table.so"), join(dir_a, "null_table.so"));
    install(join(built, "null_table.so"), join(dir_b, "null_table.so"));
    scan();
    struct module *m = find("null_table");
    ck_assert_str_eq(m->path, join(dir_a, "null_table.so"));
    ck_assert_ptr_null(module_load(&cat, m));
    m = find("null_table");
    ck_assert_int_eq(m->state, MODULE_FOUND);
    ck_assert_str_eq(m->path, join(dir_b, "null_table.so"));
}
END_TEST

START_TEST(aliases_are_found_after_ids)
{
    install(join(built, "v1/plain.so"), join(dir_a, "plain.so"));
    install_loopback(dir_a);
    scan();
    ck_assert_str_eq(find("simple")->id, "plain");
    ck_assert_ptr_null(catalogue_find(&cat, STR("simpl")));
    ck_assert_ptr_null(catalogue_find(&cat, STR("")));
}
END_TEST

/* --- generations --- */

START_TEST(newer_file_is_a_new_generation)
{
    install(join(built, "v1/plain.so"), join(dir_a, "plain.so"));
    scan();
    struct generation *one = must_load("plain");
    ck_assert_ptr_eq(module_load(&cat, find("plain")), one);
    generation_ref(one);
    ck_assert_str_eq(one->manifest->name, "version 1");
    const struct manifest *held = find("plain")->manifest;
    install(join(built, "v2/plain.so"), join(dir_a, "plain.so"));
    ck_assert_ptr_eq(module_load(&cat, find("plain")), one);
    scan();
    ck_assert_int_eq(find("plain")->state, MODULE_LOADED);
    struct generation *two = must_load("plain");
    ck_assert_ptr_ne(one, two);
    ck_assert_uint_gt(two->number, one->number);
    ck_assert_str_eq(two->manifest->name, "version 2");
    ck_assert_ptr_ne(one->plugin, two->plugin);
    ck_assert_str_ne(one->path, two->path);
    ck_assert_str_ne(one->hash, two->hash);
    ck_assert_str_eq(two->source, join(dir_a, "plain.so"));
    /* The old one is whole as long as anybody has it, and stays mapped. */
    ck_assert_str_eq(held->name, "version 1");
    const pbay_plugin *old = one->plugin;
    generation_unref(&cat, one);
    ck_assert_uint_eq(cat.n_retained, 1);
    ck_assert_uint_eq(old->magic, PBAY_MAGIC);
    ck_assert_ptr_null(old->extension(NULL, STR("x")));
    /* The current one is not retired by losing its last instance. */
    generation_ref(two);
    generation_unref(&cat, two);
    ck_assert_uint_eq(cat.n_retained, 1);
    ck_assert_ptr_eq(must_load("plain"), two);
}
END_TEST

START_TEST(unloadable_one_is_closed)
{
    install_loopback(dir_a);
    scan();
    struct generation *one = must_load("loopback");
    ck_assert(one->plugin->flags & PBAY_F_UNLOADABLE);
    char copy[4096];
    snprintf(copy, sizeof copy, "%s", one->path);
    ck_assert_int_eq(access(copy, R_OK), 0);
    generation_ref(one);
    install_loopback(dir_a); /* the same content in a new file */
    scan();
    struct generation *two = must_load("loopback");
    ck_assert_ptr_ne(one, two);
    is_alive(one);
    generation_unref(&cat, one);
    ck_assert_uint_eq(cat.n_retained, 0);
    ck_assert_int_eq(access(copy, F_OK), -1);
    is_alive(two);
}
END_TEST

START_TEST(failed_newer_file_leaves_the_old_one)
{
    install(join(built, "v1/plain.so"), join(dir_a, "plain.so"));
    scan();
    struct generation *one = must_load("plain");
    write_text(join(dir_a, "plain.so"), "junk");
    scan();
    struct module *m = find("plain");
    ck_assert_int_eq(m->state, MODULE_LOADED);
    says(m, "no ELF header");
    ck_assert_ptr_eq(must_load("plain"), one);
    ck_assert_str_eq(m->manifest->name, "version 1");
    /* One that can be read but does not load. */
    init("/nonexistent/probe");
    install(join(built, "v2/plain.so"), join(dir_a, "plain.so"));
    scan();
    ck_assert_ptr_eq(must_load("plain"), one);
    says(find("plain"), "/nonexistent/probe cannot be run");
    ck_assert_int_eq(unlink(join(dir_a, "plain.so")), 0);
    scan();
    says(find("plain"), "the file is gone");
    ck_assert_ptr_eq(must_load("plain"), one);
    ck_assert_uint_eq(one->plugin->magic, PBAY_MAGIC);
}
END_TEST

START_TEST(removed_file_is_forgotten)
{
    install_loopback(dir_a);
    scan();
    const struct manifest *held = find("loopback")->manifest;
    ck_assert_int_eq(unlink(join(dir_a, "loopback.so")), 0);
    must_fail("loopback", "cannot be opened: No such file");
    scan();
    ck_assert_uint_eq(cat.n, 0);
    ck_assert_str_eq(held->id, "loopback"); /* a configuration may have it */
}
END_TEST

START_TEST(too_many_kept_generations)
{
    install_loopback(dir_a);
    scan();
    cat.n_retained = LIM_GENERATIONS;
    must_fail("loopback", "restart the host");
    cat.n_retained = 0;
}
END_TEST

/* --- private copies --- */

/* The entry of dir that begins with the prefix; "" if there is none. */
static const char *entry(const char *dir, const char *prefix)
{
    static char name[256];
    name[0] = '\0';
    DIR *d = opendir(dir);
    struct dirent *e;
    while (d && (e = readdir(d)))
        if (strncmp(e->d_name, prefix, strlen(prefix)) == 0)
            snprintf(name, sizeof name, "%s", e->d_name);
    if (d)
        closedir(d);
    return name;
}

START_TEST(copies_are_private_and_removed)
{
    char prefix[64];
    struct stat st;
    install_loopback(dir_a);
    scan();
    ck_assert_int_eq(access(gen, F_OK), -1); /* looking makes nothing */
    struct generation *g = must_load("loopback");
    snprintf(prefix, sizeof prefix, "patchbay-gen-%ld-", (long)getpid());
    const char *own = entry(gen, prefix);
    ck_assert_str_ne(own, "");
    ck_assert_int_eq(stat(join(gen, own), &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0700);
    ck_assert_int_eq(strncmp(g->path, join(gen, own), strlen(join(gen, own))),
                     0);
    ck_assert_int_eq(stat(g->path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0444);
    ck_assert(str_ends(str_c(g->path), "/loopback.so"));
    /* What happens to the original does not matter to what runs. */
    ck_assert_int_eq(truncate(join(dir_a, "loopback.so"), 0), 0);
    is_alive(g);
    loader_done();
    ck_assert_str_eq(entry(gen, "patchbay-gen-"), "");
    is_alive(g);
}
END_TEST

static long dead_pid(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    return (long)pid;
}

START_TEST(leftovers_of_killed_hosts_are_removed)
{
    char stale[400], held[400], live[400], other[400];
    ck_assert_int_eq(fs_mkdirs(gen, 0700), 0);
    snprintf(stale, sizeof stale, "%s/patchbay-gen-%ld-aaaaaa", gen,
             dead_pid());
    snprintf(held, sizeof held, "%s/patchbay-gen-%ld-bbbbbb", gen, dead_pid());
    snprintf(live, sizeof live, "%s/patchbay-gen-%ld-cccccc", gen,
             (long)getppid());
    snprintf(other, sizeof other, "%s/patchbay-gen-notes", gen);
    const char *const all[] = {stale, held, live, other};
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(mkdir(all[i], 0700), 0);
        write_text(join(all[i], "x.so"), "x");
    }
    int fd = open(held, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_eq(flock(fd, LOCK_EX), 0);
    install_loopback(dir_a);
    scan();
    must_load("loopback");
    ck_assert_int_eq(access(stale, F_OK), -1);
    ck_assert_int_eq(access(held, F_OK), 0);
    ck_assert_int_eq(access(live, F_OK), 0);
    ck_assert_int_eq(access(other, F_OK), 0);
    close(fd);
}
END_TEST

static bool write_map(const char *file, const char *text)
{
    int fd = open(file, O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return ok;
}

/* An empty file system there that nothing can be run from, for this process
 * alone.  A user who is not root needs a user namespace for it. */
static bool mount_noexec(const char *dir)
{
    char map[64];
    unsigned uid = geteuid(), gid = getegid();
    if (unshare(CLONE_NEWNS) < 0) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
            return false;
        snprintf(map, sizeof map, "%u %u 1", uid, uid);
        if (!write_map("/proc/self/uid_map", map))
            return false;
        snprintf(map, sizeof map, "%u %u 1", gid, gid);
        if (!write_map("/proc/self/setgroups", "deny") ||
            !write_map("/proc/self/gid_map", map))
            return false;
    }
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", dir, "tmpfs", MS_NOEXEC | MS_NOSUID | MS_NODEV,
                 "mode=0755,size=16m") == 0;
}

START_TEST(noexec_is_told)
{
    char where[300];
    snprintf(where, sizeof where, "%s/noexec", top);
    ck_assert_int_eq(mkdir(where, 0755), 0);
    if (!mount_noexec(where)) {
        puts("noexec_is_told: not run, a file system cannot be mounted here");
        return;
    }
    install_loopback(dir_a);
    ck_assert_int_eq(loader_set_gen_dir(where), 0);
    scan();
    must_fail("loopback", "is mounted noexec");
    says(find("loopback"), where);
    says(find("loopback"), "set generation_dir");
    /* Where it is not asked for, it is passed over. */
    setenv("XDG_RUNTIME_DIR", where, 1);
    ck_assert_int_eq(loader_set_gen_dir(NULL), 0);
    scan();
    struct generation *g = must_load("loopback");
    ck_assert_ptr_null(strstr(g->path, where));
    ck_assert_int_eq(umount(where), 0);
}
END_TEST

START_TEST(unusable_directory_is_told)
{
    install_loopback(dir_a);
    ck_assert_int_eq(loader_set_gen_dir("/dev/null/x"), 0);
    scan();
    must_fail("loopback", "/dev/null/x: Not a directory");
    says(find("loopback"), "set generation_dir");
    ck_assert_int_eq(loader_set_gen_dir(gen), 0);
    scan();
    must_load("loopback");
}
END_TEST

START_TEST(without_a_directory_one_is_found)
{
    install_loopback(dir_a);
    ck_assert_int_eq(loader_set_gen_dir(NULL), 0);
    setenv("XDG_RUNTIME_DIR", dir_b, 1);
    setenv("TMPDIR", dir_b, 1);
    scan();
    struct generation *g = must_load("loopback");
    ck_assert_msg(g->path[0] == '/', "%s", g->path);
    char copy[4096];
    snprintf(copy, sizeof copy, "%s", g->path);
    loader_done();
    ck_assert_int_eq(access(copy, F_OK), -1);
}
END_TEST

/* A probe takes milliseconds, not the whole time it is given. */
START_TEST(probe_of_a_good_module_is_quick)
{
    install_loopback(dir_a);
    scan();
    int64_t from = clock_us();
    must_load("loopback");
    int64_t took = clock_us() - from;
    ck_assert_msg(took < LIM_PROBE_MS * 500, "%lld us", (long long)took);
}
END_TEST

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--probe-module") == 0)
        return loader_probe_main(argv[2]);
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    if (len < 0)
        return 1;
    Suite *s = suite_create("loader");
    TCase *t = tcase_create("loader");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, all_bad_ones_beside_a_good_one);
    tcase_add_test(t, checks_do_not_depend_on_the_probe);
    tcase_add_test(t, misbehaviour_is_remembered_by_content);
    tcase_add_test(t, modes_and_owners_are_checked);
    if (geteuid() == 0)
        tcase_add_test(t, other_owners_are_refused);
    else
        puts("other_owners_are_refused: not run, only root can give files "
             "away");
    tcase_add_test(t, links_count_where_they_lead);
    tcase_add_test(t, odd_directories);
    tcase_add_test(t, first_directory_wins);
    tcase_add_test(t, second_is_used_when_the_first_does_not_load);
    tcase_add_test(t, aliases_are_found_after_ids);
    tcase_add_test(t, newer_file_is_a_new_generation);
    tcase_add_test(t, unloadable_one_is_closed);
    tcase_add_test(t, failed_newer_file_leaves_the_old_one);
    tcase_add_test(t, removed_file_is_forgotten);
    tcase_add_test(t, too_many_kept_generations);
    tcase_add_test(t, copies_are_private_and_removed);
    tcase_add_test(t, leftovers_of_killed_hosts_are_removed);
    tcase_add_test(t, noexec_is_told);
    tcase_add_test(t, unusable_directory_is_told);
    tcase_add_test(t, without_a_directory_one_is_found);
    tcase_add_test(t, probe_of_a_good_module_is_quick);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
