/* SPDX-License-Identifier: MIT */
/* fuzz_torch.c - any bytes as a file of torch.save: what is taken are tensors
 * that can be read to their last byte.
 *
 * The first byte of an input is 0 where the rest is the file.  Else the file is
 * made around a pickle, whose length the next two bytes are, and a storage,
 * which is what follows it: checksums and directories are whole then, and
 * changes of the pickle get through. */
#include "../unit/test_context.h"
#include "../../src/interop/torch_file.h"
#include "../../src/tensor/dtype.h"
#include "../support/forge.h"
#include "standalone.h"

enum { BLOCK_MOST = 1 << 24 };

static elman_context *context;
static unsigned touched;

/* No file of some thousand bytes needs a large block. */
static void *alloc_little(void *user, size_t size)
{
    return size > BLOCK_MOST ? NULL : test_alloc(user, size);
}

static void begin(void)
{
    static elman_context little = {
        .allocator = {alloc_little, test_free, NULL}};
    context = &little;
}

static void check_tensor(const elman_tensors *file, int index)
{
    elman_tensor t;
    int64_t count = 1;
    FUZZ_CHECK(elman_tensors_at(file, index, &t) == ELMAN_OK);
    FUZZ_CHECK(t.rank >= 0 && t.rank <= 8 && t.data && t.name);
    for (int i = 0; i < t.rank; ++i) {
        FUZZ_CHECK(t.shape[i] >= 0);
        count *= t.shape[i];
    }
    const size_t size = el_dtype_size(t.dtype);
    FUZZ_CHECK(count == t.count && size > 0);
    FUZZ_CHECK((uintptr_t)t.data % size == 0);
    const unsigned char *const bytes = t.data;
    for (size_t i = 0; i < (size_t)count * size; ++i)
        touched += bytes[i];
}

static void check_file(const void *bytes, size_t size)
{
    elman_tensors *file;
    const elman_status status =
        el_torch_parse(context, "fuzz", bytes, size, &file);
    FUZZ_CHECK(status == ELMAN_OK || status == ELMAN_EFORMAT ||
               status == ELMAN_EUNSUPPORTED);
    FUZZ_CHECK((status == ELMAN_OK) == (file != NULL));
    for (int i = 0; i < elman_tensors_count(file); ++i)
        check_tensor(file, i);
    elman_tensors_destroy(&file);
    FUZZ_CHECK(test_live == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static forged whole;
    begin();
    if (size == 0)
        return 0;
    if (data[0] == 0 || size < 3) {
        check_file(data + 1, size - 1);
        return 0;
    }
    const size_t left = size - 3;
    size_t pickle = (size_t)data[1] | (size_t)data[2] << 8;
    pickle = pickle < left ? pickle : left;
    whole.size = 0;
    whole.full = false;
    forged_torch(&whole, data + 3, pickle, data + 3 + pickle, left - pickle);
    if (!whole.full)
        check_file(whole.bytes, whole.size);
    return 0;
}

static unsigned char storage[64];
static fuzz_seed seeds[16];
static size_t seed_count;

/* Both as a file, and as what a file is made of. */
static void add_seed(const forged *pickle)
{
    static forged made[16];
    forged *const whole = &made[seed_count];
    forged_text(whole, "");
    forged_number(whole, 0, 1);
    static forged zip;
    zip.size = 0;
    forged_torch(&zip, pickle->bytes, pickle->size, storage, sizeof storage);
    forged_add(whole, zip.bytes, zip.size);
    seeds[seed_count++] = (fuzz_seed){whole->bytes, whole->size};

    forged *const parts = &made[seed_count];
    forged_number(parts, 1, 1);
    forged_number(parts, pickle->size, 2);
    forged_add(parts, pickle->bytes, pickle->size);
    forged_add(parts, storage, sizeof storage);
    seeds[seed_count++] = (fuzz_seed){parts->bytes, parts->size};
    FUZZ_CHECK(!whole->full && !parts->full && whole->size < 4096);
}

/* A module that was saved whole. */
static void pickle_module(forged *f)
{
    static const pickled weight = {"weight", "DoubleStorage", 8, 1,
                                   {3, 2},   {2, 1},          2};
    forged_text(f, "\x80\x02"
                   "c__main__\nNet\n)\x81}(");
    pickle_text(f, "mode");
    pickle_text(f, "RNN_RELU");
    pickle_text(f, "_parameters");
    forged_text(f, "}");
    pickle_text(f, "weight");
    forged_text(f, "ctorch._utils\n_rebuild_parameter\n(");
    pickle_tensor(f, &weight);
    forged_text(f, "\x88"
                   "ccollections\nOrderedDict\n)RtRs");
    pickle_text(f, "_modules");
    forged_text(f, "}ub.");
}

/* A checkpoint with numbers and arrays of NumPy in it. */
static void pickle_checkpoint(forged *f)
{
    static const pickled weight = {"weight", "FloatStorage", 16, 1,
                                   {3, 2},   {2, 1},         2};
    forged_text(f, "\x80\x02}(");
    pickle_text(f, "epoch");
    pickle_numpy_number(f, "core");
    pickle_text(f, "losses");
    pickle_numpy_array(f, "_core");
    pickle_text(f, "model");
    pickle_tensor(f, &weight);
    forged_text(f, "u.");
}

FUZZ_MAIN
{
    static const pickled tensors[][2] = {
        {{"a", "FloatStorage", 16, 0, {2, 3}, {3, 1}, 2},
         {"b", "FloatStorage", 16, 1, {3, 4}, {1, 3}, 2}},
        {{"a", "HalfStorage", 32, 0, {2, 2, 2}, {1, 2, 4}, 3},
         {"b", "BFloat16Storage", 32, 31, {1}, {7}, 1}},
        {{"a", "ShortStorage", 32, 5, {0, 3}, {3, 1}, 2},
         {"b", "CharStorage", 64, 0, {64}, {1}, 1}},
        {{"a.0", "LongStorage", 8, 0, {0}, {0}, 0},
         {"b", "BoolStorage", 64, 2, {3}, {0}, 1}}};
    for (size_t i = 0; i < sizeof storage; ++i)
        storage[i] = (unsigned char)(37 * i);
    for (int i = 0; i < 4; ++i) {
        static forged pickle;
        pickle.size = 0;
        pickle_dict(&pickle, tensors[i], 2);
        add_seed(&pickle);
    }
    static forged module;
    pickle_module(&module);
    add_seed(&module);
    static forged checkpoint;
    pickle_checkpoint(&checkpoint);
    add_seed(&checkpoint);
    /* What all begin from is taken, unless nothing is. */
    for (size_t i = 0; i < seed_count; i += 2) {
        elman_tensors *file;
        const fuzz_seed *const seed = &seeds[i];
        begin();
        const elman_status status =
            el_torch_parse(context, "seed", (const char *)seed->bytes + 1,
                           seed->size - 1, &file);
        FUZZ_CHECK(status == ELMAN_OK || status == ELMAN_EUNSUPPORTED);
        elman_tensors_destroy(&file);
    }
    return fuzz_main(argc, argv, seeds, seed_count, 100000);
}
