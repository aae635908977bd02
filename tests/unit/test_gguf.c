/* SPDX-License-Identifier: MIT */
/* llamacpp.so's model files: headers made here byte by byte, whole, damaged and
 * hostile; directories with shards and projectors; paths of Windows. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "../../plugins/llamacpp/files.h"
#include "../../plugins/llamacpp/path.h"
#include "unit.h"

/* --- making headers ------------------------------------------------------- */

enum {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    BOOL,
    STRING,
    ARRAY,
    U64,
    I64,
    F64
};

struct made {
    unsigned char p[1 << 16];
    size_t n;
    unsigned version;
    bool big;
    size_t count_at; /* where the number of pairs stands */
    uint64_t pairs;
};

static struct made h;

static void put(uint64_t v, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        h.p[h.n++] = (unsigned char)(v >> 8 * (h.big ? bytes - 1 - i : i));
}

static size_t wide(void)
{
    return h.version == 1 ? 4 : 8;
}

static void put_bytes(const char *s, size_t n)
{
    put(n, wide());
    memcpy(h.p + h.n, s, n);
    h.n += n;
}

static void put_str(const char *s)
{
    put_bytes(s, strlen(s));
}

static void set_pairs(uint64_t n)
{
    size_t end = h.n;

    h.n = h.count_at;
    put(n, wide());
    h.n = end;
    h.pairs = n;
}

static void begin(unsigned version, bool big)
{
    memset(&h, 0, sizeof h);
    h.version = version;
    h.big = big;
    memcpy(h.p, "GGUF", 4);
    h.n = 4;
    put(version, 4);
    put(0, wide());
    h.count_at = h.n;
    put(0, wide());
}

static void key(const char *name, unsigned type)
{
    set_pairs(h.pairs + 1);
    put_str(name);
    put(type, 4);
}

static void text(const char *name, const char *value)
{
    key(name, STRING);
    put_str(value);
}

static void number(const char *name, unsigned type, uint64_t v, size_t bytes)
{
    key(name, type);
    put(v, bytes);
}

/* A well-made model. */
static void model(unsigned version, bool big)
{
    begin(version, big);
    text("general.architecture", "llama");
    text("general.name", "Grüner Tee");
    text("general.size_label", "8B");
    number("general.file_type", U32, 15, 4);
    number("llama.context_length", U32, 131072, 4);
    number("llama.rope.freq_base", F32, 0, 4);
    key("general.tags", ARRAY);
    put(STRING, 4);
    put(2, wide());
    put_str("a");
    put_str("bc");
}

static int from_memory(void *arg, uint64_t at, void *buf, size_t n)
{
    (void)arg;
    if (at > h.n || n > h.n - at)
        return -1;
    memcpy(buf, h.p + at, n);
    return 0;
}

static struct gguf g;
static char err[256];

static int reads(void)
{
    struct gguf_source from = {from_memory, NULL, h.n};

    err[0] = '\0';
    return gguf_read(&from, &g, err, sizeof err);
}

/* It is refused with these words. */
static void refused(const char *words)
{
    ck_assert_int_eq(reads(), -1);
    ck_assert_msg(strstr(err, words), "\"%s\" is not about \"%s\"", err, words);
}

/* --- headers -------------------------------------------------------------- */

START_TEST(test_versions)
{
    static const struct {
        unsigned version;
        bool big;
    } all[] = {{1, false}, {2, false}, {3, false}, {3, true}};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        model(all[i].version, all[i].big);
        ck_assert_msg(reads() == 0, "version %u: %s", all[i].version, err);
        ck_assert_uint_eq(g.version, all[i].version);
        ck_assert_int_eq(g.big_endian, all[i].big);
        ck_assert_str_eq(g.architecture, "llama");
        ck_assert_str_eq(g.name, "Grüner Tee");
        ck_assert_str_eq(g.size_label, "8B");
        ck_assert_uint_eq(g.context, 131072);
        ck_assert_int_eq(g.file_type, 15);
        ck_assert_uint_eq(g.pairs, 7);
        ck_assert_int_eq(g.pools, 0);
    }
}
END_TEST

START_TEST(test_any_order_and_type)
{
    begin(3, false);
    number("split.count", U16, 3, 2);
    number("gemma3.context_length", U64, 8192, 8);
    number("nomic.pooling_type", U32, 1, 4);
    text("general.architecture", "gemma3");
    ck_assert_msg(reads() == 0, "%s", err);
    ck_assert_uint_eq(g.context, 8192);
    ck_assert_uint_eq(g.split_count, 3);
    ck_assert_int_eq(g.pools, 1);
    ck_assert_int_eq(g.file_type, -1);
    ck_assert_str_eq(g.name, "");
}
END_TEST

START_TEST(test_context_of_something_else)
{
    begin(3, false);
    text("general.architecture", "llama");
    number("qwen2.context_length", U32, 8192, 4);
    ck_assert_msg(reads() == 0, "%s", err);
    ck_assert_uint_eq(g.context, 0);
}
END_TEST

START_TEST(test_long_name_is_cut_between_characters)
{
    char name[301];

    for (size_t i = 0; i < 300; i += 2)
        memcpy(name + i, "ü", 2);
    name[300] = '\0';
    begin(3, false);
    text("general.name", name);
    text("general.architecture", "llama");
    ck_assert_msg(reads() == 0, "%s", err);
    ck_assert_uint_eq(strlen(g.name), 254);
    ck_assert_int_eq(memcmp(g.name, name, 254), 0);
}
END_TEST

START_TEST(test_vocabulary_is_not_read)
{
    model(3, false);
    key("tokenizer.ggml.tokens", ARRAY);
    put(STRING, 4);
    put(UINT64_MAX, 8); /* would be refused */
    ck_assert_msg(reads() == 0, "%s", err);
}
END_TEST

START_TEST(test_every_cut)
{
    size_t whole;

    model(3, false);
    whole = h.n;
    for (size_t n = 0; n < whole; n++) {
        h.n = n;
        ck_assert_msg(reads() == -1, "cut after %zu bytes it is read", n);
        ck_assert_str_ne(err, "");
    }
}
END_TEST

START_TEST(test_no_gguf)
{
    model(3, false);
    h.p[3] = 'L';
    refused("no GGUF");
    h.n = 0;
    refused("no GGUF");
    model(3, false);
    h.p[4] = 4;
    refused("version 4");
    h.p[4] = 0;
    refused("version 0");
    begin(3, false);
    refused("architecture");
}
END_TEST

START_TEST(test_hostile_counts)
{
    static const uint64_t many[] = {1 << 16 | 1, UINT32_MAX, INT64_MAX,
                                    UINT64_MAX, UINT64_MAX / 13};

    for (size_t i = 0; i < sizeof many / sizeof *many; i++) {
        model(3, false);
        set_pairs(many[i]);
        refused("pairs");
        model(3, false);
        for (size_t k = 0; k < 8; k++)
            h.p[8 + k] = (unsigned char)(many[i] >> 8 * k);
        refused("tensors");
    }
}
END_TEST

START_TEST(test_hostile_lengths)
{
    static const uint64_t many[] = {1000, UINT32_MAX, INT64_MAX, UINT64_MAX,
                                    UINT64_MAX - 7};

    for (size_t i = 0; i < sizeof many / sizeof *many; i++) {
        /* a value */
        model(3, false);
        key("x.y", STRING);
        put(many[i], 8);
        refused("ends inside");
        /* a value that is wanted */
        begin(3, false);
        key("general.name", STRING);
        put(many[i], 8);
        refused("ends inside");
        /* arrays of fixed size, of strings, of arrays */
        for (unsigned type = U8; type <= F64; type++) {
            model(3, false);
            key("x.y", ARRAY);
            put(type, 4);
            put(many[i], 8);
            refused("does not fit");
        }
        /* a key */
        model(3, false);
        set_pairs(h.pairs + 1);
        put(many[i], 8);
        put(0, 8); /* room enough for one more pair */
        refused(many[i] > 65535 ? "key of" : "ends inside");
    }
}
END_TEST

START_TEST(test_nested_arrays)
{
    for (unsigned deep = 1; deep < 40; deep++) {
        model(3, false);
        key("x.y", ARRAY);
        for (unsigned i = 1; i < deep; i++) {
            put(ARRAY, 4);
            put(1, 8);
        }
        put(U8, 4);
        put(0, 8);
        if (deep > 4)
            refused("nested");
        else
            ck_assert_msg(reads() == 0, "%u: %s", deep, err);
    }
}
END_TEST

START_TEST(test_types)
{
    begin(3, false);
    number("general.architecture", U32, 1, 4);
    refused("general.architecture is a u32, not a string");
    begin(3, false);
    text("llama.context_length", "many");
    refused("llama.context_length is a string, not a whole number");
    begin(3, false);
    number("llama.context_length", I32, (uint32_t)-1, 4);
    refused("negative");
    begin(3, false);
    number("llama.context_length", U64, UINT64_MAX, 8);
    refused("no size of a context");
    begin(3, false);
    number("llama.context_length", F32, 0, 4);
    refused("not a whole number");
    begin(3, false);
    number("x.y", 13, 0, 4);
    refused("unknown type 13");
    begin(3, false);
    key("x.y", ARRAY);
    put(99, 4);
    put(0, 8);
    refused("unknown type 99");
}
END_TEST

START_TEST(test_texts)
{
    model(3, false);
    text("general.architecture", "llama");
    refused("twice");
    begin(3, false);
    text("general.architecture", "");
    refused("empty");
    begin(3, false);
    text("general.architecture", "LL ../x");
    refused("other characters");
    begin(3, false);
    key("general.architecture", STRING);
    put_bytes("a\0b", 3);
    refused("NUL");
    begin(3, false);
    text("a\nb", "x");
    refused("ASCII");
    begin(3, false);
    text("", "x");
    refused("key of 0");
    begin(3, false);
    number(".context_length", U32, 5, 4);
    refused("no name of an architecture");
    begin(3, false);
    number("a.context_length", U32, 5, 4);
    number("b.context_length", U32, 5, 4);
    refused("more than one");
}
END_TEST

/* --- directories ---------------------------------------------------------- */

static char seen[4096];

static int on_model(void *arg, const struct model_file *m)
{
    size_t n = strlen(seen);

    (void)arg;
    snprintf(seen + n, sizeof seen - n, "%s=%s(%u)%s%s;", m->id, m->file,
             m->shards, m->projector ? "+" : "",
             m->projector ? m->projector : "");
    return 0;
}

static void on_bad(void *arg, const char *file, const char *why)
{
    size_t n = strlen(seen);

    (void)arg;
    snprintf(seen + n, sizeof seen - n, "!%s: %s;", file, why);
}

static const struct files_sink sink = {on_model, on_bad, NULL};

static char dir[64];

static void write_file(const char *name, size_t n)
{
    char path[256];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(h.p, 1, n, f), n);
    ck_assert_int_eq(fclose(f), 0);
}

static void make_dir(const char *name)
{
    char path[256];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    ck_assert_int_eq(mkdir(path, 0700), 0);
}

static void dir_is(const char *want)
{
    seen[0] = '\0';
    ck_assert_msg(files_scan(dir, &sink, err, sizeof err) == 0, "%s", err);
    ck_assert_str_eq(seen, want);
    fs_rmtree(dir);
}

START_TEST(test_directory)
{
    unit_tmpdir(dir);
    model(3, false);
    write_file("b.gguf", h.n);
    write_file("a.gguf", h.n);
    write_file(".hidden.gguf", h.n);
    write_file("notes.txt", h.n);
    write_file("mmproj-b.gguf", h.n);
    make_dir("empty");
    make_dir("sees");
    write_file("sees/model.gguf", h.n);
    write_file("sees/mmproj-F16.gguf", h.n);
    write_file("broken.gguf", h.n / 2);
    dir_is("a=a.gguf(1);b=b.gguf(1);"
           "!broken.gguf: it ends inside its header (156 bytes);"
           "sees=sees/model.gguf(1)+sees/mmproj-F16.gguf;");
}
END_TEST

START_TEST(test_what_is_no_model)
{
    unit_tmpdir(dir);
    begin(3, false);
    text("general.architecture", "clip");
    write_file("eye.gguf", h.n);
    begin(3, false);
    text("general.architecture", "llama");
    text("general.type", "adapter");
    write_file("lora.gguf", h.n);
    dir_is("");
}
END_TEST

START_TEST(test_shards)
{
    unit_tmpdir(dir);
    model(3, false);
    number("split.count", U16, 2, 2);
    make_dir("big");
    write_file("big/x-00001-of-00002.gguf", h.n);
    write_file("big/x-00002-of-00002.gguf", 100);
    write_file("top-00001-of-00002.gguf", h.n);
    write_file("top-00002-of-00002.gguf", 1);
    write_file("gone-00001-of-00002.gguf", h.n);
    write_file("lies-00001-of-00003.gguf", h.n);
    model(3, false);
    write_file("many-00001-of-99999.gguf", h.n);
    write_file("none-00001-of-00000.gguf", h.n);
    write_file("no-1-of-2.gguf", h.n);
    dir_is("big=big/x-00001-of-00002.gguf(2);"
           "!gone-00001-of-00002.gguf: shard 2 of 2 is not there;"
           "!lies-00001-of-00003.gguf: its header and its name differ in how "
           "many shards there are;"
           "!many-00001-of-99999.gguf: no model has so many shards;"
           "no-1-of-2=no-1-of-2.gguf(1);"
           "!none-00001-of-00000.gguf: no model has so many shards;"
           "top-00001-of-00002=top-00001-of-00002.gguf(2);");
}
END_TEST

START_TEST(test_odd_files)
{
    char path[256], other[256];

    unit_tmpdir(dir);
    model(3, false);
    write_file("real", h.n);
    snprintf(path, sizeof path, "%s/fifo.gguf", dir);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    snprintf(path, sizeof path, "%s/link.gguf", dir);
    ck_assert_int_eq(symlink("real", path), 0);
    snprintf(other, sizeof other, "%s/loop.gguf", dir);
    ck_assert_int_eq(symlink("loop.gguf", other), 0);
    dir_is("!fifo.gguf: it is no plain file;link=link.gguf(1);"
           "!loop.gguf: Too many levels of symbolic links;");
}
END_TEST

static void found_is(const char *id, const char *want)
{
    seen[0] = '\0';
    ck_assert_msg(files_find(dir, id, &sink, err, sizeof err) == 0, "%s", err);
    ck_assert_msg(strcmp(seen, want) == 0, "%s: \"%s\"", id, seen);
}

/* One by its id, as the list has it, and nothing else. */
START_TEST(test_find)
{
    char name[600];

    unit_tmpdir(dir);
    model(3, false);
    write_file("a.gguf", h.n);
    write_file(".hidden.gguf", h.n);
    write_file("mmproj-a.gguf", h.n);
    write_file("half.gguf", h.n / 2);
    make_dir("sees");
    write_file("sees/model.gguf", h.n);
    write_file("sees/mmproj-F16.gguf", h.n);
    write_file("x-00001-of-00002.gguf", h.n);
    write_file("x-00002-of-00002.gguf", 100);
    make_dir("empty");
    found_is("a", "a=a.gguf(1);");
    found_is("sees", "sees=sees/model.gguf(1)+sees/mmproj-F16.gguf;");
    found_is("x-00001-of-00002",
             "x-00001-of-00002=x-00001-of-00002.gguf(2);");
    found_is("half", "!half.gguf: it ends inside its header (156 bytes);");
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    const char *const none[] = {"",
                                ".",
                                "..",
                                "../a",
                                "./a",
                                "sees/model",
                                "/etc/passwd",
                                ".hidden",
                                "mmproj-a",
                                "x-00002-of-00002",
                                "empty",
                                "A",
                                "a.gguf",
                                name};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        found_is(none[i], "");
    fs_rmtree(dir);
    ck_assert_int_eq(files_find(dir, "a", &sink, err, sizeof err), -1);
    ck_assert_ptr_nonnull(strstr(err, "No such file"));
}
END_TEST

START_TEST(test_no_directory)
{
    ck_assert_int_eq(files_scan("/nonexistent/models", &sink, err, sizeof err),
                     -1);
    ck_assert_ptr_nonnull(strstr(err, "/nonexistent/models"));
    ck_assert_ptr_nonnull(strstr(err, "No such file"));
}
END_TEST

/* --- paths ---------------------------------------------------------------- */

static void path_is(const char *given, int wsl, const char *want)
{
    char why[512];
    char *path = path_models_dir(given, wsl, why, sizeof why);

    ck_assert_msg(path, "%s: %s", given, why);
    ck_assert_str_eq(path, want);
    free(path);
}

static void path_is_refused(const char *given, int wsl, const char *mend)
{
    char why[512];

    ck_assert_ptr_null(path_models_dir(given, wsl, why, sizeof why));
    ck_assert_ptr_nonnull(strstr(why, given));
    ck_assert_msg(strstr(why, mend), "%s", why);
}

START_TEST(test_paths)
{
    path_is("D:\\models", 1, "/mnt/d/models");
    path_is("d:/models\\big one", 1, "/mnt/d/models/big one");
    path_is("C:\\", 1, "/mnt/c/");
    path_is("C:", 1, "/mnt/c");
    path_is("/srv/models", 1, "/srv/models");
    path_is("/srv/models", 0, "/srv/models");
    path_is_refused("D:\\models", 0, "/mnt/d/models");
    path_is_refused("\\\\nas\\models", 1, "mount");
    path_is_refused("models", 0, "absolute");
    path_is_refused("D:models", 1, "absolute");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("gguf");
    TCase *c = tcase_create("header");

    tcase_add_test(c, test_versions);
    tcase_add_test(c, test_any_order_and_type);
    tcase_add_test(c, test_context_of_something_else);
    tcase_add_test(c, test_long_name_is_cut_between_characters);
    tcase_add_test(c, test_vocabulary_is_not_read);
    tcase_add_test(c, test_every_cut);
    tcase_add_test(c, test_no_gguf);
    tcase_add_test(c, test_hostile_counts);
    tcase_add_test(c, test_hostile_lengths);
    tcase_add_test(c, test_nested_arrays);
    tcase_add_test(c, test_types);
    tcase_add_test(c, test_texts);
    suite_add_tcase(s, c);
    c = tcase_create("directory");
    tcase_add_test(c, test_directory);
    tcase_add_test(c, test_what_is_no_model);
    tcase_add_test(c, test_shards);
    tcase_add_test(c, test_odd_files);
    tcase_add_test(c, test_find);
    tcase_add_test(c, test_no_directory);
    tcase_add_test(c, test_paths);
    suite_add_tcase(s, c);
    return unit_main(&s, 1);
}
