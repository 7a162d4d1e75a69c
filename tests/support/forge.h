/* SPDX-License-Identifier: MIT */
/* forge.h - zip archives and pickles made by hand, for tests and fuzzers: the
 * archive is whole, whatever lies in it. */
#ifndef TEST_FORGE_H
#define TEST_FORGE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct forged {
    unsigned char bytes[1 << 15];
    size_t size;
    bool full; /* something did not fit */
} forged;

static inline void forged_add(forged *f, const void *bytes, size_t size)
{
    if (size > sizeof f->bytes - f->size) {
        f->full = true;
    } else if (size > 0) {
        memcpy(f->bytes + f->size, bytes, size);
        f->size += size;
    }
}

static inline void forged_number(forged *f, uint64_t number, int bytes)
{
    for (int i = 0; i < bytes; ++i) {
        const unsigned char byte = (unsigned char)(i < 8 ? number >> 8 * i : 0);
        forged_add(f, &byte, 1);
    }
}

static inline void forged_text(forged *f, const char *text)
{
    forged_add(f, text, strlen(text));
}

/* ---- Archives -------------------------------------------------------------*/

typedef struct forged_entry {
    const char *name;
    const void *bytes;
    size_t size;
} forged_entry;

static inline uint32_t forged_crc32(const void *bytes, size_t size)
{
    static uint32_t table[256];
    for (uint32_t i = 0; table[255] == 0 && i < 256; ++i) {
        table[i] = i;
        for (int bit = 0; bit < 8; ++bit)
            table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xedb88320 : 0);
    }
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < size; ++i)
        crc = crc >> 8 ^ table[(crc ^ ((const unsigned char *)bytes)[i]) & 255];
    return ~crc;
}

/* What a local and a central header have in common. */
static inline void forged_head(forged *f, const forged_entry *e)
{
    forged_number(f, 20, 2); /* the version that is needed */
    forged_number(f, 0, 2);
    forged_number(f, 0, 2); /* stored */
    forged_number(f, 0, 4);
    forged_number(f, forged_crc32(e->bytes, e->size), 4);
    forged_number(f, e->size, 4);
    forged_number(f, e->size, 4);
    forged_number(f, strlen(e->name), 2);
    forged_number(f, 0, 2);
}

/* The end of an archive, whose directory begins at from. */
static inline void forged_end(forged *f, size_t from, int count)
{
    const size_t size = f->size - from;
    forged_text(f, "PK\5\6");
    forged_number(f, 0, 4);
    forged_number(f, (uint64_t)count, 2);
    forged_number(f, (uint64_t)count, 2);
    forged_number(f, size, 4);
    forged_number(f, from, 4);
    forged_number(f, 0, 2);
}

/* At most 16 entries. */
static inline void forged_zip(forged *f, const forged_entry *entries, int count)
{
    size_t at[16];
    for (int i = 0; i < count; ++i) {
        at[i] = f->size;
        forged_text(f, "PK\3\4");
        forged_head(f, &entries[i]);
        forged_text(f, entries[i].name);
        forged_add(f, entries[i].bytes, entries[i].size);
    }
    const size_t from = f->size;
    for (int i = 0; i < count; ++i) {
        forged_text(f, "PK\1\2");
        forged_number(f, 20, 2);
        forged_head(f, &entries[i]);
        forged_number(f, 0, 10);
        forged_number(f, at[i], 4);
        forged_text(f, entries[i].name);
    }
    forged_end(f, from, count);
}

/* The same as PyTorch writes it: sizes stand behind the data and not before
 * them, and data begin at multiples of 64, a field called FB filling up to
 * there. */
static inline void forged_zip_aligned(forged *f, const forged_entry *entries,
                                      int count)
{
    enum { FLAGS = 0x0808, HEAD = 30, FIELD = 4 };
    size_t at[16];
    for (int i = 0; i < count; ++i) {
        const forged_entry *const e = &entries[i];
        const uint32_t crc = forged_crc32(e->bytes, e->size);
        at[i] = f->size;
        const size_t data = f->size + HEAD + strlen(e->name) + FIELD;
        const size_t padding = (64 - data % 64) % 64;
        forged_text(f, "PK\3\4");
        forged_number(f, 20, 2);
        forged_number(f, FLAGS, 2);
        forged_number(f, 0, 18);
        forged_number(f, strlen(e->name), 2);
        forged_number(f, FIELD + padding, 2);
        forged_text(f, e->name);
        forged_text(f, "FB");
        forged_number(f, padding, 2);
        for (size_t k = 0; k < padding; ++k)
            forged_text(f, "Z");
        forged_add(f, e->bytes, e->size);
        forged_text(f, "PK\7\10");
        forged_number(f, crc, 4);
        forged_number(f, e->size, 4);
        forged_number(f, e->size, 4);
    }
    const size_t from = f->size;
    for (int i = 0; i < count; ++i) {
        forged_text(f, "PK\1\2");
        forged_number(f, 20, 2);
        forged_number(f, 20, 2);
        forged_number(f, FLAGS, 2);
        forged_number(f, 0, 6);
        forged_number(f, forged_crc32(entries[i].bytes, entries[i].size), 4);
        forged_number(f, entries[i].size, 4);
        forged_number(f, entries[i].size, 4);
        forged_number(f, strlen(entries[i].name), 2);
        forged_number(f, 0, 12);
        forged_number(f, at[i], 4);
        forged_text(f, entries[i].name);
    }
    forged_end(f, from, count);
}

/* What torch.save writes, of a pickle and one storage, "0". */
static inline void forged_torch(forged *f, const void *pickle, size_t size,
                                const void *storage, size_t storage_size)
{
    const forged_entry entries[] = {{"net/data.pkl", pickle, size},
                                    {"net/byteorder", "little", 6},
                                    {"net/data/0", storage, storage_size},
                                    {"net/version", "3\n", 2}};
    forged_zip(f, entries, 4);
}

/* ---- Pickles --------------------------------------------------------------*/

static inline void pickle_text(forged *f, const char *text)
{
    forged_text(f, "X");
    forged_number(f, strlen(text), 4);
    forged_text(f, text);
}

static inline void pickle_integer(forged *f, int64_t number)
{
    forged_text(f, "\x8a\x08");
    forged_number(f, (uint64_t)number, 8);
}

static inline void pickle_integers(forged *f, const int64_t *list, int count)
{
    forged_text(f, "(");
    for (int i = 0; i < count; ++i)
        pickle_integer(f, list[i]);
    forged_text(f, "t");
}

/* A tensor in storage "0", as torch._utils._rebuild_tensor_v2. */
typedef struct pickled {
    const char *name;    /* of the tensor */
    const char *storage; /* "FloatStorage" */
    int64_t numbers;     /* that the storage has */
    int64_t offset, shape[4], stride[4];
    int rank;
} pickled;

static inline void pickle_tensor(forged *f, const pickled *t)
{
    forged_text(f, "ctorch._utils\n_rebuild_tensor_v2\n((");
    pickle_text(f, "storage");
    forged_text(f, "ctorch\n");
    forged_text(f, t->storage);
    forged_text(f, "\n");
    pickle_text(f, "0");
    pickle_text(f, "cpu");
    pickle_integer(f, t->numbers);
    forged_text(f, "tQ");
    pickle_integer(f, t->offset);
    pickle_integers(f, t->shape, t->rank);
    pickle_integers(f, t->stride, t->rank);
    forged_text(f, "\x89"
                   "ccollections\nOrderedDict\n)RtR");
}

/* Bytes as protocol 2 has them: text that Python would encode. */
static inline void pickle_bytes(forged *f, const char *text)
{
    forged_text(f, "c_codecs\nencode\n");
    pickle_text(f, text);
    pickle_text(f, "latin1");
    forged_text(f, "\x86R");
}

/* dtype("f4"), little-endian. */
static inline void pickle_dtype(forged *f)
{
    forged_text(f, "cnumpy\ndtype\n");
    pickle_text(f, "f4");
    forged_text(f, "\x89\x88\x87R(K\3");
    pickle_text(f, "<");
    forged_text(f, "NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK");
    forged_number(f, 0, 1);
    forged_text(f, "tb");
}

/* A number of NumPy; core is "core" of NumPy 1 or "_core" of NumPy 2. */
static inline void pickle_numpy_number(forged *f, const char *core)
{
    forged_text(f, "cnumpy.");
    forged_text(f, core);
    forged_text(f, ".multiarray\nscalar\n");
    pickle_dtype(f);
    pickle_bytes(f, "abc?");
    forged_text(f, "\x86R");
}

/* An array of two such numbers. */
static inline void pickle_numpy_array(forged *f, const char *core)
{
    forged_text(f, "cnumpy.");
    forged_text(f, core);
    forged_text(f, ".multiarray\n_reconstruct\ncnumpy\nndarray\nK");
    forged_number(f, 0, 1);
    forged_text(f, "\x85");
    pickle_bytes(f, "b");
    forged_text(f, "\x87R(K\1K\2\x85");
    pickle_dtype(f);
    forged_text(f, "\x89");
    pickle_bytes(f, "abc?abc?");
    forged_text(f, "tb");
}

/* A state dict of those tensors. */
static inline void pickle_dict(forged *f, const pickled *list, int count)
{
    forged_text(f, "\x80\x02"
                   "ccollections\nOrderedDict\n)Rq");
    forged_number(f, 0, 1);
    forged_text(f, "(");
    for (int i = 0; i < count; ++i) {
        pickle_text(f, list[i].name);
        pickle_tensor(f, &list[i]);
    }
    forged_text(f, "u.");
}

#endif
