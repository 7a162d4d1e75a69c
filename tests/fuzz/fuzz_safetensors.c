/* SPDX-License-Identifier: MIT */
/* fuzz_safetensors.c - any bytes as a tensor file: what is taken can be read to
 * its last byte.
 *
 * The first 8 bytes are not the header's length here: see fuzz_header_length.
 */
#include "../unit/test_context.h"
#include "../../src/io/safetensors.h"
#include "../../src/tensor/dtype.h"
#include "standalone.h"

static unsigned touched;

static void check_tensor(const elman_tensors *file, int index)
{
    elman_tensor t, same;
    int64_t count = 1;
    FUZZ_CHECK(elman_tensors_at(file, index, &t) == ELMAN_OK);
    FUZZ_CHECK(elman_tensors_find(file, t.name, &same) == ELMAN_OK);
    FUZZ_CHECK(memcmp(&t, &same, sizeof t) == 0);
    FUZZ_CHECK(t.rank >= 0 && t.rank <= 8 && t.data);
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    elman_context *const context = test_context();
    elman_tensors *file;
    unsigned char *const bytes = el_alloc(context, size);
    FUZZ_CHECK(bytes);
    if (size > 0)
        memcpy(bytes, data, size);
    fuzz_header_length(bytes, size);
    const elman_status status =
        el_tensors_parse(context, "fuzz", bytes, size, &file);
    FUZZ_CHECK(status == ELMAN_OK || status == ELMAN_EFORMAT);
    FUZZ_CHECK((status == ELMAN_OK) == (file != NULL));
    if (file) {
        const char *const sum = elman_tensors_meta(file, "checksum");
        FUZZ_CHECK(!sum || strlen(sum) == 16);
        for (int i = 0; i < elman_tensors_count(file); ++i)
            check_tensor(file, i);
    }
    elman_tensors_destroy(&file);
    FUZZ_CHECK(test_live == 0);
    return 0;
}

#define SEED(data, header)                                                     \
    {                                                                          \
        data "\0\0\0\0\0\0\0" header, 8 + sizeof header - 1                    \
    }

FUZZ_MAIN
{
    static const fuzz_seed seeds[] = {
        SEED("\0", "{}"),
        SEED("\0", "{\"__metadata__\":{\"a\":\"b\",\"c\":\"\"}}  "),
        SEED("\x8", "{\"w\":{\"dtype\":\"F32\",\"shape\":[1,2],"
                    "\"data_offsets\":[0,8]}}        12345678"),
        SEED("\x5", "{\"b\":{\"dtype\":\"I32\",\"shape\":[1],"
                    "\"data_offsets\":[1,5]},\"\":{\"dtype\":\"U8\","
                    "\"shape\":[],\"data_offsets\":[0,1]},\"z\":{\"dtype\":"
                    "\"F64\",\"shape\":[2,0],\"data_offsets\":[5,5]}} "
                    "12345")};
    return fuzz_main(argc, argv, seeds, sizeof seeds / sizeof seeds[0], 200000);
}
