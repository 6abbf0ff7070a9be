/*
 * plugin/elf.c - reads the export table of a shared object.
 *
 * A driver that exports more than its entry would lend its symbols to whatever is loaded after it, or clash with
 * another driver's copy of the same library; nobody sees that until it bites. dlsym() can't list symbols, so the
 * file is read: program headers -> dynamic section -> hash table (which says how many symbols there are) -> symbols and names.
 * That is the path the dynamic linker itself takes; section headers are not used, since they may be
 * stripped or lie.
 *
 * The file is outside input: every offset and count is checked against a cap and each read against the file, and
 * nothing is mapped (a file cut short under a mapping would be a SIGBUS).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "plugin/elf.h"

#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

#if __BYTE_ORDER == __LITTLE_ENDIAN
#define ELF_DATA_NATIVE ELFDATA2LSB
#else
#define ELF_DATA_NATIVE ELFDATA2MSB
#endif
#if __SIZEOF_POINTER__ == 8
#define ELF_CLASS_NATIVE ELFCLASS64
#define SYMBOL_BIND(i) ELF64_ST_BIND(i)
#define SYMBOL_VISIBILITY(o) ELF64_ST_VISIBILITY(o)
#else
#define ELF_CLASS_NATIVE ELFCLASS32
#define SYMBOL_BIND(i) ELF32_ST_BIND(i)
#define SYMBOL_VISIBILITY(o) ELF32_ST_VISIBILITY(o)
#endif

#define NAMES_SHOWN 5 /* of superfluous symbols, in the message */

struct image {
    int fd;
    ElfW(Phdr) segments[ELF_SEGMENTS_MAX];
    unsigned n_segments;
    /* From the dynamic section; virtual addresses, 0: absent. */
    uint64_t symtab, strtab, strsz, hash, gnu_hash;
    uint32_t n_symbols;
};

static int bad(struct skl_error *err, const char *why)
{
    return error_set(err, SKL_ERR_UNAVAILABLE, "not a usable shared object: %s", why);
}

static bool read_at(const struct image *im, uint64_t off, void *p, size_t n)
{
    char *at = p;

    if (off > INT64_MAX - n)
        return false;
    while (n > 0) {
        ssize_t got = pread(im->fd, at, n, (off_t)off);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        at += got;
        off += (uint64_t)got;
        n -= (size_t)got;
    }
    return true;
}

/* As read_at, from where the loader would map that address from. */
static bool read_mapped(const struct image *im, uint64_t addr, void *p, size_t n)
{
    for (unsigned i = 0; i < im->n_segments; i++) {
        const ElfW(Phdr) *ph = &im->segments[i];
        if (ph->p_type != PT_LOAD || addr < ph->p_vaddr || addr - ph->p_vaddr >= ph->p_filesz)
            continue;
        uint64_t skip = addr - ph->p_vaddr;
        return n <= ph->p_filesz - skip && ph->p_offset <= UINT64_MAX - skip &&
               read_at(im, ph->p_offset + skip, p, n);
    }
    return false;
}

static int read_headers(struct image *im, struct skl_error *err)
{
    ElfW(Ehdr) eh;

    if (!read_at(im, 0, &eh, sizeof eh) || memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0)
        return error_set(err, SKL_ERR_UNAVAILABLE, "not a shared object (no ELF file)");
    if (eh.e_ident[EI_CLASS] != ELF_CLASS_NATIVE || eh.e_ident[EI_DATA] != ELF_DATA_NATIVE)
        return bad(err, "it was built for another kind of machine");
    if (eh.e_type != ET_DYN)
        return bad(err, "it is a program or an object file (link it with -shared)");
    if (eh.e_phentsize != sizeof im->segments[0] || eh.e_phnum == 0 || eh.e_phnum > ELF_SEGMENTS_MAX)
        return bad(err, "its program headers are damaged");
    im->n_segments = eh.e_phnum;
    if (!read_at(im, eh.e_phoff, im->segments, im->n_segments * sizeof im->segments[0]))
        return bad(err, "its program headers are cut off");
    return 0;
}

static void note_dynamic(struct image *im, const ElfW(Dyn) *d)
{
    switch (d->d_tag) {
    case DT_SYMTAB:
        im->symtab = d->d_un.d_ptr;
        break;
    case DT_STRTAB:
        im->strtab = d->d_un.d_ptr;
        break;
    case DT_STRSZ:
        im->strsz = d->d_un.d_val;
        break;
    case DT_HASH:
        im->hash = d->d_un.d_ptr;
        break;
    case DT_GNU_HASH:
        im->gnu_hash = d->d_un.d_ptr;
        break;
    }
}

static int read_dynamic(struct image *im, struct skl_error *err)
{
    const ElfW(Phdr) *ph = NULL;
    ElfW(Dyn) d;

    for (unsigned i = 0; i < im->n_segments; i++)
        if (im->segments[i].p_type == PT_DYNAMIC)
            ph = &im->segments[i];
    if (ph == NULL)
        return bad(err, "it has no dynamic section");
    for (unsigned i = 0; i < ELF_DYNAMIC_MAX && i < ph->p_filesz / sizeof d; i++) {
        if (!read_mapped(im, ph->p_vaddr + i * sizeof d, &d, sizeof d))
            return bad(err, "its dynamic section is cut off");
        if (d.d_tag == DT_NULL)
            break;
        note_dynamic(im, &d);
    }
    if (im->symtab == 0 || im->strtab == 0 || (im->hash == 0 && im->gnu_hash == 0))
        return bad(err, "it has no dynamic symbol table");
    if (im->strsz == 0 || im->strsz > ELF_STRINGS_MAX)
        return bad(err, "its table of names has an unlikely size");
    return 0;
}

/* The classic table states the number; the GNU one must be walked to the end of its last chain. */
static bool count_gnu_hash(struct image *im)
{
    uint32_t head[4], bucket, last = 0, link; /* head: buckets, first symbol, bloom words, shift */
    uint64_t at;

    if (!read_mapped(im, im->gnu_hash, head, sizeof head) || head[0] > ELF_SYMBOLS_MAX ||
        head[1] > ELF_SYMBOLS_MAX || head[2] > ELF_SYMBOLS_MAX)
        return false;
    at = im->gnu_hash + sizeof head + (uint64_t)head[2] * sizeof(ElfW(Addr));
    for (uint32_t i = 0; i < head[0]; i++, at += sizeof bucket) {
        if (!read_mapped(im, at, &bucket, sizeof bucket))
            return false;
        last = bucket > last ? bucket : last;
    }
    im->n_symbols = head[1];
    if (last < head[1])
        return true; /* all buckets are empty: nothing is exported */
    at += (uint64_t)(last - head[1]) * sizeof link;
    for (; last < ELF_SYMBOLS_MAX; last++, at += sizeof link) {
        if (!read_mapped(im, at, &link, sizeof link))
            return false;
        if (link & 1u) {
            im->n_symbols = last + 1;
            return true;
        }
    }
    return false;
}

static int count_symbols(struct image *im, struct skl_error *err)
{
    uint32_t head[2];

    if (im->gnu_hash != 0) {
        if (!count_gnu_hash(im))
            return bad(err, "its hash table of symbols is damaged");
        return 0;
    }
    if (!read_mapped(im, im->hash, head, sizeof head) || head[1] > ELF_SYMBOLS_MAX)
        return bad(err, "its hash table of symbols is damaged");
    im->n_symbols = head[1];
    return 0;
}

static bool is_exported(const ElfW(Sym) *s)
{
    unsigned bind = SYMBOL_BIND(s->st_info), visibility = SYMBOL_VISIBILITY(s->st_other);

    return s->st_shndx != SHN_UNDEF && bind != STB_LOCAL &&
           (visibility == STV_DEFAULT || visibility == STV_PROTECTED);
}

/* What older linkers export by themselves. */
static bool is_made_by_linker(const char *name)
{
    static const char *const names[] = {"_init", "_fini", "_edata", "edata", "_end", "end", "__bss_start"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

struct findings {
    const char *only;
    bool found;
    unsigned others;
    struct buf names;
};

static void note_symbol(struct findings *f, const char *name)
{
    if (strcmp(name, f->only) == 0) {
        f->found = true;
        return;
    }
    if (is_made_by_linker(name))
        return;
    if (f->others++ < NAMES_SHOWN)
        buf_printf(&f->names, "%s%.64s", f->others > 1 ? ", " : "",
                   utf8_valid(name, strlen(name)) ? name : "?");
}

/* strings: strsz bytes and a NUL. */
static int walk_symbols(const struct image *im, const char *strings, struct findings *f, struct skl_error *err)
{
    ElfW(Sym) s;

    for (uint32_t i = 1; i < im->n_symbols; i++) {
        if (!read_mapped(im, im->symtab + (uint64_t)i * sizeof s, &s, sizeof s))
            return bad(err, "its symbol table is cut off");
        if (!is_exported(&s))
            continue;
        if (s.st_name >= im->strsz)
            return bad(err, "its symbol table is damaged");
        note_symbol(f, strings + s.st_name);
    }
    return 0;
}

static int judge(const struct findings *f, struct skl_error *err)
{
    if (!f->found)
        return error_set(err, SKL_ERR_UNAVAILABLE, "not a driver: it does not export %s", f->only);
    if (f->others > 0)
        return error_set(err, SKL_ERR_UNAVAILABLE,
                         "exports %u symbol%s besides %s (%s%s): a driver exports exactly that one; "
                         "build it with -fvisibility=hidden",
                         f->others, f->others > 1 ? "s" : "", f->only, buf_str(&f->names),
                         f->others > NAMES_SHOWN ? ", ..." : "");
    return 0;
}

int elf_check_exports(int fd, const char *only, struct skl_error *err)
{
    CLEANUP(free_p) struct image *im = xcalloc(1, sizeof *im);
    CLEANUP(free_p) char *strings = NULL;
    struct findings f = {.only = only};
    int r;

    im->fd = fd;
    if (read_headers(im, err) < 0 || read_dynamic(im, err) < 0 || count_symbols(im, err) < 0)
        return -1;
    strings = xcalloc(1, im->strsz + 1);
    if (!read_mapped(im, im->strtab, strings, im->strsz))
        return bad(err, "its table of names is cut off");
    buf_init(&f.names, 1024);
    r = walk_symbols(im, strings, &f, err);
    if (r == 0)
        r = judge(&f, err);
    buf_fini(&f.names);
    return r;
}
