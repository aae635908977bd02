/* SPDX-License-Identifier: MIT */
/* Manifests: what is taken, what is refused and in which words, and files that
 * are damaged in every way a generator can think of. */
#include <check.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/str.h"
#include "module/manifest.h"

#include <patchbay/plugin.h>

#define GOOD_HEAD                                           \
    "{\"abi\":\"0.1\",\"id\":\"demo\",\"version\":\"1.2\"," \
    "\"license\":\"MIT\",\"kind\":\"codec\""
#define GOOD GOOD_HEAD "}"

static const char full[] = GOOD_HEAD
    ",\"name\":\"Demo\",\"aliases\":[\"other\",\"demo-2\"],\"local\":true,"
    "\"base_url\":\"https://api.example.org/v1\","
    "\"base_urls\":{\"eu\":\"https://eu.example.org\"},"
    "\"env\":{\"DEMO_API_KEY\":\"api_key\",\"DEMO_URL\":\"base_url\"},"
    "\"needs\":[\"api_key\",\"base_url\"],\"own\":[\"models\"],"
    "\"models\":[{\"match\":\"big-*\",\"capabilities\":[\"vision\",\"tools\"],"
    "\"context_window\":128000,\"max_output\":4096},{\"match\":\"*\"}],"
    "\"embeddings\":{\"max_inputs\":96,\"max_tokens\":5000},"
    "\"keys\":["
    "{\"name\":\"region\",\"type\":\"string\",\"default\":\"eu\","
    "\"choices\":[\"eu\",\"us\"],\"doc\":\"Where.\"},"
    "{\"name\":\"wait\",\"type\":\"duration\",\"default\":\"1.5s\",\"min\":1,"
    "\"max\":60000,\"doc\":\"How long.\"},"
    "{\"name\":\"room\",\"type\":\"size\",\"default\":\"2K\",\"doc\":\"x\"},"
    "{\"name\":\"share\",\"type\":\"float\",\"default\":0.5,\"min\":0,"
    "\"max\":1,\"doc\":\"x\"},"
    "{\"name\":\"count\",\"type\":\"int\",\"unit\":\"pieces\",\"default\":3,"
    "\"doc\":\"x\"},"
    "{\"name\":\"on\",\"type\":\"bool\",\"default\":false,\"doc\":\"x\"},"
    "{\"name\":\"token\",\"type\":\"secret\",\"doc\":\"x\"},"
    "{\"name\":\"tags\",\"type\":\"strings\",\"default\":[\"a\"],"
    "\"doc\":\"x\"}]}";

static struct manifest *parse(const char *text, char **err)
{
    return manifest_parse(str_c(text), err);
}

/* The text is refused, and the reason contains `part`. */
static void refused(const char *text, const char *part)
{
    char *err = NULL;
    struct manifest *m = parse(text, &err);
    ck_assert_msg(!m, "accepted: %s", text);
    ck_assert_msg(err && strstr(err, part), "%s\n  said: %s\n  not:  %s", text,
                  err ? err : "(nothing)", part);
    free(err);
}

START_TEST(everything_is_read)
{
    char *err = NULL;
    struct manifest *m = parse(full, &err);
    ck_assert_msg(m != NULL, "%s", err);
    ck_assert_uint_eq(m->abi_major, 0);
    ck_assert_uint_eq(m->abi_minor, 1);
    ck_assert_str_eq(m->id, "demo");
    ck_assert_str_eq(m->version, "1.2");
    ck_assert_str_eq(m->license, "MIT");
    ck_assert_str_eq(m->name, "Demo");
    ck_assert_str_eq(m->base_url, "https://api.example.org/v1");
    ck_assert(m->codec && !m->native && m->local);
    ck_assert_str_eq(m->aliases[1], "demo-2");
    ck_assert_ptr_null(m->aliases[2]);
    ck_assert_uint_eq(m->n_urls, 1);
    ck_assert_str_eq(m->urls[0].name, "eu");
    ck_assert_str_eq(m->urls[0].url, "https://eu.example.org");
    ck_assert_uint_eq(m->n_env, 2);
    ck_assert_str_eq(m->env[1].var, "DEMO_URL");
    ck_assert_str_eq(m->env[1].key, "base_url");
    ck_assert_str_eq(m->needs[0], "api_key");
    ck_assert_uint_eq(m->n_keys, 8);
    ck_assert_uint_eq(m->json_len, strlen(full));
    ck_assert_str_eq(m->json, full);
    manifest_free(m);
}
END_TEST

START_TEST(keys_are_read)
{
    char *err = NULL;
    struct manifest *m = parse(full, &err);
    ck_assert_msg(m != NULL, "%s", err);
    const struct manifest_key *k = manifest_key(m, STR("wait"));
    ck_assert_ptr_nonnull(k);
    ck_assert_int_eq(k->type, KEY_DURATION);
    ck_assert_str_eq(k->def, "\"1.5s\"");
    ck_assert(k->has_min && k->has_max && k->min <= 1 && k->max >= 60000);
    k = manifest_key(m, STR("region"));
    ck_assert_str_eq(k->choices[1], "us");
    ck_assert(!k->has_min && !k->unit);
    k = manifest_key(m, STR("count"));
    ck_assert_str_eq(k->unit, "pieces");
    ck_assert_str_eq(k->def, "3");
    ck_assert_ptr_null(manifest_key(m, STR("token"))->def);
    ck_assert_str_eq(manifest_key(m, STR("tags"))->def, "[\"a\"]");
    ck_assert_ptr_null(manifest_key(m, STR("regio")));
    ck_assert_str_eq(key_type_name(KEY_STRINGS), "strings");
    manifest_free(m);
}
END_TEST

START_TEST(types_and_models_are_matched)
{
    char *err = NULL;
    struct manifest *m = parse(full, &err);
    ck_assert_msg(m != NULL, "%s", err);
    ck_assert(manifest_is(m, STR("demo")));
    ck_assert(manifest_is(m, STR("other")));
    ck_assert(!manifest_is(m, STR("dem")));
    ck_assert(!manifest_is(m, STR("")));
    const struct manifest_model *model = manifest_model(m, STR("big-7b"));
    ck_assert_uint_eq(model->context_window, 128000);
    ck_assert_uint_eq(model->max_output, 4096);
    ck_assert_str_eq(model->capabilities[1], "tools");
    ck_assert_ptr_eq(manifest_model(m, STR("small")), &m->models[1]);
    ck_assert_int_eq(m->embed_inputs, 96);
    ck_assert_int_eq(m->embed_tokens, 5000);
    ck_assert(manifest_owns(m, "models") && !manifest_owns(m, "fallbacks"));
    manifest_free(m);
    m = parse(GOOD, &err);
    ck_assert(!manifest_owns(m, "models"));
    ck_assert_ptr_null(manifest_model(m, STR("small")));
    manifest_free(m);
}
END_TEST

START_TEST(bad_manifests_are_refused_by_name)
{
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"", "not JSON"},
        {"{\"abi\":", "not JSON"},
        {"{\"abi\":\"0.1\"} x", "not JSON"},
        {"[]", "must be a JSON object"},
        {"null", "must be a JSON object"},
        {"{}", "\"abi\" is missing"},
        {"{\"abi\":1}", "\"abi\" must be a string"},
        {"{\"abi\":\"0\"}", "\"abi\" must be \"MAJOR.MINOR\""},
        {"{\"abi\":\"0.1.2\"}", "\"abi\" must be \"MAJOR.MINOR\""},
        {"{\"abi\":\"0.99999\"}", "\"abi\" must be \"MAJOR.MINOR\""},
        {"{\"abi\":\"0.1\"}", "\"id\" is missing"},
        {"{\"abi\":\"0.1\",\"id\":\"Demo\"}", "\"id\" must be a small"},
        {"{\"abi\":\"0.1\",\"id\":\"../x\"}", "\"id\" must be a small"},
        {"{\"abi\":\"0.1\",\"id\":\"a23456789012345678901234567890123\"}",
         "\"id\" must be a small"},
        {"{\"abi\":\"0.1\",\"id\":\"d\"}", "\"version\" is missing"},
        {"{\"abi\":\"0.1\",\"id\":\"d\",\"version\":\"1\"}",
         "\"license\" is missing"},
        {"{\"abi\":\"0.1\",\"id\":\"d\",\"version\":\"1\\u0007\"}",
         "control characters"},
        {"{\"abi\":\"0.1\",\"id\":\"d\",\"version\":\"1\",\"license\":\"M\","
         "\"kind\":\"both\"}",
         "\"kind\" must be"},
        {GOOD_HEAD ",\"licence\":\"MIT\"}", "is \"license\" meant?"},
        {GOOD_HEAD ",\"zebra\":1}", "unknown member \"zebra\""},
        {GOOD_HEAD ",\"local\":1}", "\"local\" must be true or false"},
        {GOOD_HEAD ",\"aliases\":\"x\"}", "must be a list of strings"},
        {GOOD_HEAD ",\"aliases\":[\"X\"]}", "\"aliases\"[0] must be"},
        {GOOD_HEAD ",\"aliases\":[\"a\",\"a\"]}", "is there already"},
        {GOOD_HEAD ",\"aliases\":[\"demo\"]}", "is there already"},
        {GOOD_HEAD ",\"base_url\":\"ftp://x\"}", "http://"},
        {GOOD_HEAD ",\"base_url\":\"https:///x\"}", "http://"},
        {GOOD_HEAD ",\"base_url\":\"https://me:pw@x\"}", "no user name"},
        {GOOD_HEAD ",\"base_urls\":{\"eu\":7}}", "\"eu\" must be a string"},
        {GOOD_HEAD ",\"base_urls\":[]}", "must be an object of URLs"},
        {GOOD_HEAD ",\"env\":{\"lower\":\"api_key\"}}", "capital letters"},
        {GOOD_HEAD ",\"env\":{\"X\":\"A B\"}}", "configuration key"},
        {GOOD_HEAD ",\"env\":7}", "\"env\" must be an object"},
        {GOOD_HEAD ",\"needs\":[7]}", "\"needs\"[0] must be"},
        {GOOD_HEAD ",\"own\":[\"fallbacks\"]}",
         "\"own\"[0] must be \"models\""},
        {GOOD_HEAD ",\"own\":\"models\"}", "must be a list"},
        {GOOD_HEAD ",\"embeddings\":3}", "\"embeddings\" must be an object"},
        {GOOD_HEAD ",\"embeddings\":{\"inputs\":3}}", "\"inputs\""},
        {GOOD_HEAD ",\"embeddings\":{\"max_inputs\":0}}",
         "\"max_inputs\" must be a whole number from 1"},
        {GOOD_HEAD ",\"models\":[{}]}", "\"models\"[0]: \"match\" is missing"},
        {GOOD_HEAD ",\"models\":[7]}", "\"models\"[0]: must be an object"},
        {GOOD_HEAD ",\"models\":[{\"match\":\"*\",\"max_output\":-1}]}",
         "\"max_output\" must be a whole number"},
        {GOOD_HEAD ",\"models\":[{\"match\":\"*\",\"context\":1}]}",
         "unknown member \"context\""},
        {GOOD_HEAD ",\"x\":[[[[[[[[[1]]]]]]]]]}", "not JSON"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(cases[i].text, cases[i].part);
}
END_TEST

START_TEST(bad_keys_are_refused_by_name)
{
    static const struct {
        const char *key, *part;
    } cases[] = {
        {"7", "must be an object"},
        {"{\"type\":\"int\",\"doc\":\"x\"}", "\"name\" is missing"},
        {"{\"name\":\"a-b\",\"type\":\"int\",\"doc\":\"x\"}", "\"name\" must"},
        {"{\"name\":\"a\",\"type\":\"num\",\"doc\":\"x\"}", "\"type\" must"},
        {"{\"name\":\"a\",\"type\":\"int\"}", "\"doc\" is missing"},
        {"{\"name\":\"a\",\"type\":\"int\",\"doc\":\"x\",\"defualt\":1}",
         "is \"default\" meant?"},
        {"{\"name\":\"a\",\"type\":\"int\",\"doc\":\"x\",\"default\":1.5}",
         "\"default\" must be a int"},
        {"{\"name\":\"a\",\"type\":\"int\",\"doc\":\"x\",\"default\":9,"
         "\"max\":8}",
         "outside"},
        {"{\"name\":\"a\",\"type\":\"int\",\"doc\":\"x\",\"min\":9,"
         "\"max\":8}",
         "\"min\" is above \"max\""},
        {"{\"name\":\"a\",\"type\":\"string\",\"doc\":\"x\",\"min\":9}",
         "\"min\" is for numbers"},
        {"{\"name\":\"a\",\"type\":\"int\",\"doc\":\"x\",\"min\":\"9\"}",
         "\"min\" must be a number"},
        {"{\"name\":\"a\",\"type\":\"duration\",\"doc\":\"x\","
         "\"default\":\"5 minutes\"}",
         "\"default\" must be a duration"},
        {"{\"name\":\"a\",\"type\":\"size\",\"doc\":\"x\","
         "\"default\":\"0x10K\"}",
         "\"default\" must be a size"},
        {"{\"name\":\"a\",\"type\":\"size\",\"doc\":\"x\",\"default\":-1}",
         "\"default\" must be a size"},
        {"{\"name\":\"a\",\"type\":\"duration\",\"doc\":\"x\","
         "\"default\":\"2s\",\"max\":1999}",
         "outside"},
        {"{\"name\":\"a\",\"type\":\"secret\",\"doc\":\"x\","
         "\"default\":\"k\"}",
         "a secret has no \"default\""},
        {"{\"name\":\"a\",\"type\":\"string\",\"doc\":\"x\","
         "\"default\":\"c\",\"choices\":[\"a\",\"b\"]}",
         "not among"},
        {"{\"name\":\"a\",\"type\":\"bool\",\"doc\":\"x\","
         "\"choices\":[\"a\"]}",
         "\"choices\" is for strings"},
        {"{\"name\":\"a\",\"type\":\"strings\",\"doc\":\"x\","
         "\"default\":[1]}",
         "\"default\" must be a strings"},
        {"{\"name\":\"a\",\"type\":\"int\",\"doc\":\"x\"},"
         "{\"name\":\"a\",\"type\":\"int\",\"doc\":\"x\"}",
         "\"keys\"[1]: \"a\" is declared twice"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1024];
        snprintf(text, sizeof text, GOOD_HEAD ",\"keys\":[%s]}", cases[i].key);
        refused(text, cases[i].part);
    }
    refused(GOOD_HEAD ",\"keys\":{}}", "\"keys\" must be a list");
}
END_TEST

START_TEST(too_long_is_refused)
{
    size_t n = 70000;
    char *text = malloc(n + 1), *err = NULL;
    memset(text, ' ', n);
    memcpy(text, GOOD, strlen(GOOD));
    text[n] = '\0';
    ck_assert_ptr_null(manifest_parse(str_n(text, n), &err));
    ck_assert_ptr_nonnull(strstr(err, "70000 bytes"));
    free(err);
    free(text);
}
END_TEST

/* A later ABI may have members that this host does not know; the refusal must
 * still be about the ABI. */
START_TEST(another_abi_is_refused_with_both_values)
{
    char *err = NULL;
    struct manifest *m =
        parse("{\"abi\":\"2.0\",\"id\":\"demo\",\"new\":[1]}", &err);
    ck_assert_msg(m != NULL, "%s", err);
    ck_assert_int_eq(manifest_abi_ok(m, &err), -ENOTSUP);
    ck_assert_ptr_nonnull(strstr(err, "needs ABI 2.0, host offers 0.1"));
    free(err);
    manifest_free(m);
    m = parse("{\"abi\":\"0.2\",\"id\":\"demo\"}", &err);
    ck_assert_int_eq(manifest_abi_ok(m, &err), -ENOTSUP);
    ck_assert_ptr_nonnull(strstr(err, "needs ABI 0.2, host offers 0.1"));
    free(err);
    manifest_free(m);
    m = parse(GOOD, &err);
    ck_assert_int_eq(manifest_abi_ok(m, &err), 0);
    ck_assert_ptr_null(err);
    manifest_free(m);
}
END_TEST

/* --- files --- */

/* A small shared object with the given notes: a header, one segment over the
 * whole file, one segment of notes. */
struct object {
    char bytes[4096];
    size_t n, notes_at;
};

extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

static ElfW(Ehdr) * head_of(struct object *o)
{
    return (ElfW(Ehdr) *)(void *)o->bytes;
}

static ElfW(Phdr) * phdrs_of(struct object *o)
{
    return (ElfW(Phdr) *)(void *)(o->bytes + sizeof(ElfW(Ehdr)));
}

static void object_start(struct object *o)
{
    memset(o, 0, sizeof *o);
    ElfW(Ehdr) *h = head_of(o);
    memcpy(h->e_ident, __ehdr_start.e_ident, EI_NIDENT);
    h->e_type = ET_DYN;
    h->e_machine = __ehdr_start.e_machine;
    h->e_version = EV_CURRENT;
    h->e_ehsize = sizeof *h;
    h->e_phoff = sizeof *h;
    h->e_phentsize = sizeof(ElfW(Phdr));
    h->e_phnum = 2;
    o->notes_at = sizeof *h + 2 * sizeof(ElfW(Phdr));
    o->n = o->notes_at;
}

static void object_note(struct object *o, const char *owner, const char *text)
{
    ElfW(Nhdr) h = {.n_namesz = (unsigned)strlen(owner) + 1,
                    .n_descsz = (unsigned)strlen(text),
                    .n_type = 1};
    memcpy(o->bytes + o->n, &h, sizeof h);
    o->n += sizeof h;
    memcpy(o->bytes + o->n, owner, h.n_namesz);
    o->n += (h.n_namesz + 3u) & ~3u;
    memcpy(o->bytes + o->n, text, h.n_descsz);
    o->n += (h.n_descsz + 3u) & ~3u;
}

static void object_end(struct object *o)
{
    ElfW(Phdr) *p = phdrs_of(o);
    p[0] = (ElfW(Phdr)){.p_type = PT_LOAD,
                        .p_flags = PF_R,
                        .p_filesz = o->n,
                        .p_memsz = o->n,
                        .p_align = 4096};
    p[1] = (ElfW(Phdr)){.p_type = PT_NOTE,
                        .p_flags = PF_R,
                        .p_offset = o->notes_at,
                        .p_filesz = o->n - o->notes_at,
                        .p_memsz = o->n - o->notes_at,
                        .p_align = 4};
}

static void object_good(struct object *o)
{
    object_start(o);
    object_note(o, "GNU", "some other note");
    object_note(o, "Patchbay", GOOD);
    object_end(o);
}

static int file;

static void open_file(void)
{
    file = memfd_create("object", MFD_CLOEXEC);
    ck_assert_int_ge(file, 0);
}

static void close_file(void)
{
    close(file);
}

static void put_file(const char *bytes, size_t n)
{
    ck_assert_int_eq(ftruncate(file, 0), 0);
    ck_assert_int_eq(pwrite(file, bytes, n, 0), (ssize_t)n);
}

static struct manifest *read_object(const struct object *o, char **err)
{
    put_file(o->bytes, o->n);
    return manifest_read(file, err);
}

static void object_refused(const struct object *o, const char *part)
{
    char *err = NULL;
    ck_assert_ptr_null(read_object(o, &err));
    ck_assert_msg(err && strstr(err, part), "said: %s\n not: %s",
                  err ? err : "(nothing)", part);
    free(err);
}

START_TEST(a_note_is_read)
{
    struct object o;
    char *err = NULL;
    object_good(&o);
    struct manifest *m = read_object(&o, &err);
    ck_assert_msg(m != NULL, "%s", err);
    ck_assert_str_eq(m->id, "demo");
    ck_assert_str_eq(m->json, GOOD);
    manifest_free(m);
}
END_TEST

START_TEST(wrong_files_are_refused)
{
    struct object o;
    object_good(&o);
    head_of(&o)->e_machine =
        head_of(&o)->e_machine == EM_AARCH64 ? EM_X86_64 : EM_AARCH64;
    object_refused(&o, "is built for");
    object_good(&o);
    head_of(&o)->e_ident[EI_CLASS] ^= ELFCLASS32 ^ ELFCLASS64;
    object_refused(&o, "bit object");
    object_good(&o);
    head_of(&o)->e_ident[EI_DATA] ^= ELFDATA2LSB ^ ELFDATA2MSB;
    object_refused(&o, "-endian");
    object_good(&o);
    head_of(&o)->e_type = ET_REL;
    object_refused(&o, "link it with -shared");
    object_good(&o);
    head_of(&o)->e_phnum = 0;
    object_refused(&o, "damaged");
    object_good(&o);
    head_of(&o)->e_phoff = (ElfW(Off)) - 8;
    object_refused(&o, "damaged or cut short");
    object_good(&o);
    phdrs_of(&o)[0].p_filesz += 1;
    object_refused(&o, "damaged or cut short: segment 0");
    object_good(&o);
    phdrs_of(&o)[1].p_offset = (ElfW(Off)) - 16;
    object_refused(&o, "damaged or cut short: segment 1");
    o = (struct object){.bytes = "#!/bin/sh\necho hello\n", .n = 21};
    object_refused(&o, "no ELF header");
    o.n = 0;
    object_refused(&o, "no ELF header");
    object_good(&o);
    o.n = 20;
    object_refused(&o, "cut short in its ELF header");
}
END_TEST

START_TEST(wrong_notes_are_refused)
{
    struct object o;
    object_start(&o);
    object_note(&o, "GNU", GOOD);
    object_end(&o);
    object_refused(&o, "has no Patchbay manifest");
    object_start(&o);
    object_note(&o, "Patchbay", GOOD);
    object_note(&o, "Patchbay", GOOD);
    object_end(&o);
    object_refused(&o, "has 2 manifests");
    object_start(&o);
    object_note(&o, "Patchbay", "{\"abi\":");
    object_end(&o);
    object_refused(&o, "manifest that cannot be used: the manifest is not");
    object_good(&o);
    ElfW(Nhdr) *n = (ElfW(Nhdr) *)(void *)(o.bytes + o.notes_at);
    n->n_descsz = 0xfffffffe;
    object_refused(&o, "reaches past its segment");
    object_good(&o);
    n->n_namesz = 0xffffffff;
    object_refused(&o, "reaches past its segment");
}
END_TEST

START_TEST(not_a_file_is_refused)
{
    char *err = NULL;
    int fd = open("/", O_RDONLY | O_CLOEXEC);
    ck_assert_ptr_null(manifest_read(fd, &err));
    ck_assert_ptr_nonnull(strstr(err, "not a regular file"));
    free(err);
    close(fd);
    ck_assert_ptr_null(manifest_read(-1, &err));
    ck_assert_ptr_nonnull(strstr(err, "cannot be read"));
    free(err);
}
END_TEST

/* Whatever comes, it is a manifest or a reason. */
static bool survive(const char *bytes, size_t n)
{
    char *err = NULL;
    put_file(bytes, n);
    struct manifest *m = manifest_read(file, &err);
    ck_assert(m ? !err : err && *err);
    manifest_free(m);
    free(err);
    return m != NULL;
}

START_TEST(every_byte_damaged)
{
    struct object o;
    object_good(&o);
    size_t still_good = 0, bad = 0;
    for (size_t i = 0; i < o.n; i++) {
        static const unsigned char with[] = {0x01, 0x80, 0xff, 0x7f};
        char was = o.bytes[i];
        for (size_t k = 0; k < sizeof with; k++) {
            o.bytes[i] = (char)(was ^ with[k]);
            survive(o.bytes, o.n) ? still_good++ : bad++;
        }
        o.bytes[i] = was;
    }
    /* Damage is noticed where it matters, and only there. */
    ck_assert_uint_gt(bad, 300);
    ck_assert_uint_gt(still_good, 300);
}
END_TEST

START_TEST(every_length_cut)
{
    struct object o;
    object_good(&o);
    for (size_t n = 0; n < o.n; n++)
        ck_assert_msg(!survive(o.bytes, n), "accepted at %zu bytes", n);
    ck_assert(survive(o.bytes, o.n));
}
END_TEST

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Several bytes at once, most of them in the headers, some as whole words of
 * the kind that overflows. */
START_TEST(random_damage)
{
    static const uint64_t words[] = {0,
                                     1,
                                     0x7fffffff,
                                     0x80000000,
                                     0xffffffff,
                                     0xfffffffffffffff8,
                                     0x7fffffffffffffff,
                                     0x8000000000000000,
                                     UINT64_MAX,
                                     4096,
                                     64};
    struct object good, o;
    object_good(&good);
    uint64_t state = 0x9e3779b97f4a7c15;
    for (int run = 0; run < 20000; run++) {
        o = good;
        unsigned hits = 1 + (unsigned)(next_random(&state) % 4);
        for (unsigned h = 0; h < hits; h++) {
            size_t at = next_random(&state) % (o.n - 8);
            uint64_t r = next_random(&state);
            if (r & 1)
                memcpy(o.bytes + (at & ~(size_t)3),
                       &words[(r >> 8) % (sizeof words / sizeof *words)],
                       r & 2 ? 4 : 8);
            else
                o.bytes[at] = (char)(r >> 8);
        }
        survive(o.bytes, o.n);
    }
}
END_TEST

/* The same with a provider as it was really built and linked. */
START_TEST(real_module_damaged)
{
    const char *dir = getenv("PATCHBAY_PROVIDERS");
    ck_assert_msg(dir != NULL, "PATCHBAY_PROVIDERS is not set: run make check");
    char path[4096], *err = NULL;
    snprintf(path, sizeof path, "%s/loopback.so", dir);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
    struct manifest *m = manifest_read(fd, &err);
    ck_assert_msg(m != NULL, "%s", err);
    ck_assert_str_eq(m->id, "loopback");
    manifest_free(m);
    size_t n = (size_t)lseek(fd, 0, SEEK_END), head = n < 2048 ? n : 2048;
    char *bytes = malloc(n);
    ck_assert_int_eq(pread(fd, bytes, n, 0), (ssize_t)n);
    close(fd);
    uint64_t state = 42;
    for (size_t i = 0; i < head; i++) {
        char was = bytes[i];
        bytes[i] = (char)next_random(&state);
        survive(bytes, n);
        bytes[i] = was;
    }
    for (size_t cut = 0; cut < n; cut += 1 + cut / 16)
        survive(bytes, cut);
    free(bytes);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("manifest");
    TCase *text = tcase_create("text");
    tcase_add_test(text, everything_is_read);
    tcase_add_test(text, keys_are_read);
    tcase_add_test(text, types_and_models_are_matched);
    tcase_add_test(text, bad_manifests_are_refused_by_name);
    tcase_add_test(text, bad_keys_are_refused_by_name);
    tcase_add_test(text, too_long_is_refused);
    tcase_add_test(text, another_abi_is_refused_with_both_values);
    suite_add_tcase(s, text);
    TCase *files = tcase_create("files");
    tcase_add_checked_fixture(files, open_file, close_file);
    tcase_add_test(files, a_note_is_read);
    tcase_add_test(files, wrong_files_are_refused);
    tcase_add_test(files, wrong_notes_are_refused);
    tcase_add_test(files, not_a_file_is_refused);
    tcase_add_test(files, every_byte_damaged);
    tcase_add_test(files, every_length_cut);
    tcase_add_test(files, random_damage);
    tcase_add_test(files, real_module_damaged);
    suite_add_tcase(s, files);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
