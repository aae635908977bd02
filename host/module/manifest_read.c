/* SPDX-License-Identifier: MIT */
/* The manifest of a module file, read from its ELF note without loading it.
 *
 * The file may be anything, damaged or hostile: nothing in it is believed
 * before it was checked against the file's size.  Notes are found through the
 * program headers, which is what the dynamic linker goes by and what survives
 * stripping. */
#include "module/manifest_priv.h"

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"

#include <patchbay/plugin.h>

/* A note segment may hold other notes beside ours. */
#define NOTES_MAX (LIM_MANIFEST * 2)
/* Real shared objects have about ten program headers. */
#define PHDRS_MAX 256

typedef ElfW(Ehdr) ehdr_t;
typedef ElfW(Phdr) phdr_t;

/* This program's own header: the linker puts it there.  What it says about
 * class, byte order and machine is what a module must say too. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

struct elf_file {
    int fd;
    uint64_t size;
    phdr_t *phdrs;
    size_t n_phdrs;
};

struct found_note {
    char *text; /* malloc'd */
    size_t n;
    unsigned count;
};

static bool read_at(const struct elf_file *f, void *to, uint64_t n, uint64_t at)
{
    if (at > f->size || n > f->size - at)
        return false;
    char *p = to;
    while (n) {
        ssize_t got = pread(f->fd, p, n, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        p += got;
        n -= (uint64_t)got;
        at += (uint64_t)got;
    }
    return true;
}

static const char *machine_name(unsigned machine)
{
    static const struct {
        unsigned machine;
        const char *name;
    } names[] = {{EM_386, "x86 (32 bit)"},   {EM_X86_64, "x86-64"},
                 {EM_ARM, "ARM (32 bit)"},   {EM_AARCH64, "AArch64"},
                 {EM_RISCV, "RISC-V"},       {EM_PPC64, "PowerPC 64"},
                 {EM_S390, "s390"},          {EM_MIPS, "MIPS"},
                 {EM_LOONGARCH, "LoongArch"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].machine == machine)
            return names[i].name;
    return "another machine";
}

static bool check_ident(const ehdr_t *h, char **err)
{
    if (memcmp(h->e_ident, ELFMAG, SELFMAG) != 0)
        return mf_fail(err, "is not a shared object (no ELF header): put only "
                            "provider modules here");
    const unsigned char *own = __ehdr_start.e_ident;
    if (h->e_ident[EI_CLASS] != own[EI_CLASS])
        return mf_fail(err,
                       "is a %d bit object, this host is a %d bit "
                       "program: build it for this machine",
                       h->e_ident[EI_CLASS] == ELFCLASS64 ? 64 : 32,
                       own[EI_CLASS] == ELFCLASS64 ? 64 : 32);
    if (h->e_ident[EI_DATA] != own[EI_DATA])
        return mf_fail(err,
                       "has %s-endian byte order, this host %s-endian: "
                       "build it for this machine",
                       h->e_ident[EI_DATA] == ELFDATA2MSB ? "big" : "little",
                       own[EI_DATA] == ELFDATA2MSB ? "big" : "little");
    if (h->e_machine != __ehdr_start.e_machine)
        return mf_fail(err,
                       "is built for %s (%u), this host runs on %s (%u): "
                       "build it for this machine",
                       machine_name(h->e_machine), (unsigned)h->e_machine,
                       machine_name(__ehdr_start.e_machine),
                       (unsigned)__ehdr_start.e_machine);
    if (h->e_ident[EI_VERSION] != EV_CURRENT || h->e_version != EV_CURRENT)
        return mf_fail(err, "has an unknown ELF version");
    if (h->e_type != ET_DYN)
        return mf_fail(err,
                       "is not a shared object (ELF type %u): link it "
                       "with -shared",
                       (unsigned)h->e_type);
    return true;
}

static bool read_headers(struct elf_file *f, char **err)
{
    ehdr_t h;
    struct stat st;
    if (fstat(f->fd, &st) < 0)
        return mf_fail(err, "cannot be read: %s", strerror(errno));
    if (!S_ISREG(st.st_mode))
        return mf_fail(err, "is not a regular file");
    f->size = (uint64_t)st.st_size;
    if (!read_at(f, &h, sizeof h, 0)) {
        /* Too short for a header of ours: say what it lacks. */
        memset(&h, 0, sizeof h);
        if (f->size < SELFMAG || !read_at(f, &h, SELFMAG, 0) ||
            memcmp(h.e_ident, ELFMAG, SELFMAG) != 0)
            return mf_fail(err, "is not a shared object (no ELF header): put "
                                "only provider modules here");
        return mf_fail(err, "is cut short in its ELF header: copy it again");
    }
    if (!check_ident(&h, err))
        return false;
    if (h.e_phentsize != sizeof(phdr_t) || !h.e_phnum || h.e_phnum > PHDRS_MAX)
        return mf_fail(err, "is damaged: %u program headers of %u bytes",
                       (unsigned)h.e_phnum, (unsigned)h.e_phentsize);
    f->n_phdrs = h.e_phnum;
    f->phdrs = calloc(f->n_phdrs, sizeof *f->phdrs);
    if (!f->phdrs)
        return mf_fail(err, "out of memory");
    if (!read_at(f, f->phdrs, f->n_phdrs * sizeof *f->phdrs, h.e_phoff))
        return mf_fail(err, "is damaged or cut short: its program headers lie "
                            "outside the file");
    return true;
}

/* What the dynamic linker would map must be in the file: touching a page past
 * its end kills the process. */
static bool check_segments(const struct elf_file *f, char **err)
{
    for (size_t i = 0; i < f->n_phdrs; i++) {
        const phdr_t *p = &f->phdrs[i];
        if (p->p_type == PT_NULL || !p->p_filesz)
            continue;
        if (p->p_offset > f->size || p->p_filesz > f->size - p->p_offset)
            return mf_fail(err,
                           "is damaged or cut short: segment %zu ends "
                           "after the file (%llu bytes): copy it again",
                           i, (unsigned long long)f->size);
    }
    return true;
}

static uint64_t padded(uint32_t n, uint64_t align)
{
    return ((uint64_t)n + align - 1) & ~(align - 1);
}

/* Go through the notes of one segment, `data` of n bytes. */
static bool walk_notes(const char *data, size_t n, uint64_t align,
                       struct found_note *out, char **err)
{
    uint64_t at = 0;
    while (n - at >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) h;
        memcpy(&h, data + at, sizeof h);
        uint64_t name = at + sizeof h;
        uint64_t desc = name + padded(h.n_namesz, align);
        if (desc > n || h.n_descsz > n - desc)
            return mf_fail(err, "is damaged: a note reaches past its segment");
        bool ours = h.n_namesz == sizeof PBAY_NOTE_OWNER &&
                    memcmp(data + name, PBAY_NOTE_OWNER, h.n_namesz) == 0 &&
                    h.n_type == PBAY_NOTE_MANIFEST;
        if (ours && out->count++ == 0) {
            out->text = malloc((size_t)h.n_descsz + 1);
            if (!out->text)
                return mf_fail(err, "out of memory");
            memcpy(out->text, data + desc, h.n_descsz);
            out->n = h.n_descsz;
            if (out->n && out->text[out->n - 1] == '\0')
                out->n--;
        }
        at = desc + padded(h.n_descsz, align);
        if (at > n)
            break;
    }
    return true;
}

static bool find_note(const struct elf_file *f, struct found_note *out,
                      char **err)
{
    for (size_t i = 0; i < f->n_phdrs; i++) {
        const phdr_t *p = &f->phdrs[i];
        if (p->p_type != PT_NOTE || !p->p_filesz)
            continue;
        if (p->p_filesz > NOTES_MAX)
            return mf_fail(err,
                           "has %llu bytes of notes: at most %zu are "
                           "read",
                           (unsigned long long)p->p_filesz, NOTES_MAX);
        char *data = malloc(p->p_filesz);
        if (!data)
            return mf_fail(err, "out of memory");
        bool ok = read_at(f, data, p->p_filesz, p->p_offset) ||
                  mf_fail(err, "cannot be read: it changed meanwhile");
        ok = ok &&
             walk_notes(data, p->p_filesz, p->p_align == 8 ? 8 : 4, out, err);
        free(data);
        if (!ok)
            return false;
    }
    if (!out->count)
        return mf_fail(err, "has no Patchbay manifest: it is not a provider "
                            "module, or lacks PBAY_PLUGIN_NOTE()");
    if (out->count > 1)
        return mf_fail(err,
                       "has %u manifests: a module is one provider, with "
                       "one PBAY_PLUGIN_NOTE()",
                       out->count);
    return true;
}

struct manifest *manifest_read(int fd, char **err)
{
    struct elf_file f = {.fd = fd};
    struct found_note note = {0};
    struct manifest *m = NULL;
    *err = NULL;
    if (read_headers(&f, err) && check_segments(&f, err) &&
        find_note(&f, &note, err)) {
        m = manifest_parse(str_n(note.text, note.n), err);
        if (!m) {
            char *why = *err;
            *err = NULL;
            mf_fail(err, "has a manifest that cannot be used: %s",
                    why ? why : "out of memory");
            free(why);
        }
    }
    free(note.text);
    free(f.phdrs);
    return m;
}
