/* SPDX-License-Identifier: MIT */
/* fuzz_npy.c - any bytes as a .npy file: what is taken is an array that can be
 * read to its last byte.
 *
 * The length of the header is not what the input says, but reckoned from the
 * newline that ends it, so that a header may change its length. */
#include "../unit/test_context.h"
#include "../../src/io/npy.h"
#include "../../src/tensor/dtype.h"
#include "standalone.h"

static unsigned touched;

static void put_length_right(unsigned char *bytes, size_t size)
{
    const size_t from = size > 6 && bytes[6] == 1 ? 10 : 12;
    const unsigned char *const end =
        size > from ? memchr(bytes + from, '\n', size - from) : NULL;
    if (!end || bytes[7] == 0xff)
        return;
    const size_t length = (size_t)(end - bytes) + 1 - from;
    for (size_t i = 8; i < from; ++i)
        bytes[i] = (unsigned char)(length >> 8 * (i - 8));
}

static void check_tensor(const elman_tensors *file)
{
    elman_tensor t;
    int64_t count = 1;
    FUZZ_CHECK(elman_tensors_count(file) == 1);
    FUZZ_CHECK(elman_tensors_at(file, 0, &t) == ELMAN_OK);
    FUZZ_CHECK(t.rank >= 0 && t.rank <= 8 && t.data);
    for (int i = 0; i < t.rank; ++i) {
        FUZZ_CHECK(t.shape[i] >= 0);
        count *= t.shape[i];
    }
    const size_t size = el_dtype_size(t.dtype);
    FUZZ_CHECK(count == t.count && size > 0);
    const unsigned char *const bytes = t.data;
    for (size_t i = 0; i < (size_t)count * size; ++i)
        touched += bytes[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    elman_context *const context = test_context();
    elman_tensors *file;
    unsigned char *const bytes = el_alloc(context, size);
    FUZZ_CHECK(bytes);
    if (size > 0)
        memcpy(bytes, data, size);
    put_length_right(bytes, size);
    const elman_status status =
        el_npy_parse(context, "fuzz", bytes, size, &file);
    FUZZ_CHECK(status == ELMAN_OK || status == ELMAN_EFORMAT);
    FUZZ_CHECK((status == ELMAN_OK) == (file != NULL));
    if (file)
        check_tensor(file);
    elman_tensors_destroy(&file);
    FUZZ_CHECK(test_live == 0);
    return 0;
}

#define SEED(text)                                                             \
    {                                                                          \
        text, sizeof text - 1                                                  \
    }

FUZZ_MAIN
{
    static const fuzz_seed seeds[] = {
        SEED("\x93NUMPY\1\0\0\0{'descr': '<f4', 'fortran_order': False, "
             "'shape': (2, 3), }   \n"
             "123456789012345678901234"),
        SEED("\x93NUMPY\2\0\0\0\0\0{'descr': '<i8', 'fortran_order': True, "
             "'shape': (1, 2,), }\n"
             "1234567890123456"),
        SEED("\x93NUMPY\3\0\0\0\0\0{\"shape\": (), \"fortran_order\": False, "
             "\"descr\": \"|u1\"}\n1"),
        SEED("\x93NUMPY\1\0\0\0{'descr': '<f8', 'fortran_order': True, "
             "'shape': (0, 7), }\n")};
    return fuzz_main(argc, argv, seeds, sizeof seeds / sizeof seeds[0], 200000);
}
