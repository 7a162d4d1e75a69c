/* SPDX-License-Identifier: MIT */
/* fuzz_model.c - any bytes as the file of a language model, of a network or of
 * a checkpoint: what is taken runs, in whatever dtype, and what a checkpoint
 * asks for is trained on with.
 *
 * The first 8 bytes are not the header's length here: see fuzz_header_length.
 * A checksum is put right before anything reads it, so that changes get
 * through.  The inputs that all begin from are written by the library, one
 * model and one checkpoint of every kind, and networks alone. */
#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700 /* mkdtemp */
#endif
#include "../unit/test_context.h"
#include "../../src/io/file.h"
#include "../../src/io/safetensors.h"
#include "../../src/model/lm_file.h"
#include "../../src/model/model_file.h"
#include "standalone.h"

#include <inttypes.h>
#include <math.h>
#include <unistd.h>

enum {
    BLOCK_MOST = 1 << 22, /* no file of a few thousand bytes needs as much */
    INPUT_MOST = 4096,    /* libFuzzer's own choice where it is given nothing */
    SEED_MOST = 32,
    ROWS = 2 /* sequences side by side */
};

/* ---- A context, and a text in a folder of its own ------------------------*/

static elman_context *context;
static elman_text *text;
static char folder[512], text_path[600], file_path[600];
static int64_t live; /* blocks that belong to the context and the text */
static size_t most;  /* bytes that any block has had since it was set to 0 */

static void *alloc_little(void *user, size_t size)
{
    most = size > most ? size : most;
    return size > BLOCK_MOST ? NULL : test_alloc(user, size);
}

static void remove_all(void)
{
    unlink(text_path);
    unlink(file_path);
    rmdir(folder);
}

/* A new file each time: some file systems wait for the disk when an old one is
 * cut to nothing and written again. */
static void write_file(const char *path, const void *bytes, size_t size)
{
    unlink(path);
    FILE *const file = fopen(path, "wb");
    FUZZ_CHECK(file);
    FUZZ_CHECK(fwrite(bytes, 1, size, file) == size);
    FUZZ_CHECK(fclose(file) == 0);
}

static void begin(void)
{
    static const char letters[] = "abcabacabbcabcabcacbabcabc\n";
    /* In memory, where that can be had: a busy disk takes its time. */
    const char *const shm = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : NULL;
    const char *const work = shm ? shm : getenv("WORK");
    const char *const paths[] = {text_path};
    elman_context_desc desc = ELMAN_CONTEXT_DESC;
    elman_text_desc text_desc = ELMAN_TEXT_DESC;
    if (context)
        return;
    snprintf(folder, sizeof folder, "%s/fuzz-model-XXXXXX",
             work && *work ? work : "/tmp");
    FUZZ_CHECK(mkdtemp(folder));
    snprintf(text_path, sizeof text_path, "%s/text", folder);
    snprintf(file_path, sizeof file_path, "%s/file", folder);
    atexit(remove_all);
    write_file(text_path, letters, sizeof letters - 1);
    desc.allocator = (elman_allocator){alloc_little, test_free, NULL};
    FUZZ_CHECK(elman_context_create(&desc, &context) == ELMAN_OK);
    text_desc.paths = paths;
    text_desc.path_count = 1;
    FUZZ_CHECK(elman_text_open(context, &text_desc, &text) == ELMAN_OK);
    live = test_live;
}

/* ---- One input -----------------------------------------------------------*/

/* It is a model as any other: it could have been created, too. */
static void run_model(const elman_lm *lm)
{
    elman_lm *same;
    elman_lm_state *state;
    const int64_t V = elman_vocab_size(elman_lm_vocab(lm));
    int32_t ids[ROWS] = {0, (int32_t)V - 1};
    elman_lm_desc desc = ELMAN_LM_DESC;
    elman_lm_describe(lm, &desc);
    FUZZ_CHECK(!elman_lm_create(context, &desc, elman_lm_vocab(lm), &same));
    FUZZ_CHECK(elman_lm_parameters(lm) == elman_lm_parameters(same));
    elman_lm_destroy(&same);
    void *const logits = malloc((size_t)(ROWS * V) * sizeof(double));
    FUZZ_CHECK(logits);
    FUZZ_CHECK(elman_lm_state_create(lm, ROWS, &state) == ELMAN_OK);
    for (int step = 0; step < 2; ++step)
        FUZZ_CHECK(elman_lm_step(lm, state, ids, logits) == ELMAN_OK);
    elman_lm_state_destroy(&state);
    free(logits);
}

/* A header does not make us allocate what the file cannot fill. */
static void check_loaded(elman_status s, bool loaded, size_t size)
{
    FUZZ_CHECK(s == ELMAN_OK || s == ELMAN_EFORMAT);
    FUZZ_CHECK((s == ELMAN_OK) == loaded);
    FUZZ_CHECK(most <= 1024 * size);
}

/* As it is, or for inference in one of the dtypes. */
static elman_dtype dtype_of(size_t size, bool *infers)
{
    static const elman_dtype all[] = {ELMAN_DTYPE_OWN, ELMAN_DTYPE_OWN,
                                      ELMAN_F32,       ELMAN_F64,
                                      ELMAN_BF16,      ELMAN_INT8};
    const size_t which = size % (sizeof all / sizeof *all);
    *infers = which > 0;
    return all[which];
}

/* As elman_lm_load and elman_lm_load_inference, from memory. */
static void load_model(const elman_tensors *file, size_t size)
{
    elman_lm *lm = NULL;
    bool infers;
    const elman_dtype dtype = dtype_of(size, &infers);
    most = 0;
    const elman_status s =
        el_lm_from_tensors(context, file, "fuzz", infers, dtype, &lm);
    check_loaded(s, lm != NULL, size);
    if (lm)
        run_model(lm);
    elman_lm_destroy(&lm);
}

static void run_network(const elman_network *n)
{
    elman_network_tape *tape;
    elman_network_desc d = ELMAN_NETWORK_DESC;
    elman_network_describe(n, &d);
    const int64_t width = elman_network_width(n);
    const int32_t ids[2 * ROWS] = {0, (int32_t)d.vocab - 1};
    elman_sequences q = ELMAN_SEQUENCES;
    void *const x =
        calloc((size_t)(2 * ROWS * d.rnn.input) + 1, sizeof(double));
    void *const y = calloc((size_t)(2 * ROWS * width), sizeof(double));
    FUZZ_CHECK(x && y);
    q.steps = 2;
    q.batch = ROWS;
    q.x = d.embed > 0 || d.rnn.input == 0 ? NULL : x;
    q.ids = d.embed > 0 ? ids : NULL;
    q.y = y;
    FUZZ_CHECK(!elman_network_tape_create(n, 2, ROWS, &tape));
    FUZZ_CHECK(!elman_network_run(n, tape, &q));
    elman_network_tape_destroy(&tape);
    free(x);
    free(y);
}

/* As elman_network_load and elman_network_load_inference. */
static void load_network(const elman_tensors *file, size_t size)
{
    elman_network *n = NULL;
    bool infers;
    const elman_dtype dtype = dtype_of(size, &infers);
    most = 0;
    const elman_status s =
        el_network_from_tensors(context, file, "fuzz", infers, dtype, &n);
    check_loaded(s, n != NULL, size);
    if (n)
        run_network(n);
    elman_network_destroy(&n);
}

/* Goes on from a checkpoint with the options that it has. */
static void resume(const void *bytes, size_t size)
{
    elman_train_desc desc;
    elman_trainer *trainer;
    elman_train_report report;
    char used[sizeof file_path + 8];
    write_file(file_path, bytes, size);
    desc.struct_size = sizeof desc;
    if (elman_checkpoint_describe(context, file_path, &desc, NULL) ||
        elman_trainer_resume(context, &desc, text, NULL, file_path, &trainer,
                             used, sizeof used, NULL))
        return;
    report.struct_size = sizeof report;
    for (int update = 0; update < 2; ++update)
        elman_trainer_step(trainer, &report);
    elman_trainer_destroy(&trainer);
}

static unsigned char *find(unsigned char *bytes, size_t size, const char *word)
{
    const size_t length = strlen(word);
    for (size_t i = 0; i + length <= size; ++i)
        if (bytes[i] == (unsigned char)word[0] &&
            memcmp(bytes + i, word, length) == 0)
            return bytes + i;
    return NULL;
}

static void put_checksum_right(unsigned char *bytes, size_t size)
{
    static const char key[] = "\"checksum\":\"";
    enum { DIGITS = 16, KEY = sizeof key - 1 };
    char digits[DIGITS + 1];
    unsigned char *const at = find(bytes, size, key);
    if (!at || (size_t)(bytes + size - at) < KEY + DIGITS)
        return;
    memset(at + KEY, '0', DIGITS);
    snprintf(digits, sizeof digits, "%016" PRIx64, el_crc64(0, bytes, size));
    memcpy(at + KEY, digits, DIGITS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    elman_tensors *file;
    begin();
    unsigned char *const bytes = el_alloc(context, size);
    FUZZ_CHECK(bytes);
    if (size > 0)
        memcpy(bytes, data, size);
    fuzz_header_length(bytes, size);
    put_checksum_right(bytes, size);
    void *const copy = malloc(size ? size : 1);
    FUZZ_CHECK(copy);
    if (size > 0)
        memcpy(copy, bytes, size);
    if (el_tensors_parse(context, "fuzz", bytes, size, &file) == ELMAN_OK) {
        load_model(file, size);
        load_network(file, size);
        if (el_tensors_find(file, "trainer.integers"))
            resume(copy, size);
        el_tensors_free(file);
    }
    free(copy);
    FUZZ_CHECK(test_live == live);
    return 0;
}

/* ---- What all begin from -------------------------------------------------*/

static fuzz_seed seeds[SEED_MOST];
static size_t seed_count;

/* The file, with the length of its data in front. */
static void keep_seed(void)
{
    static unsigned char bytes[1 << 16];
    uint64_t header;
    FILE *const file = fopen(file_path, "rb");
    FUZZ_CHECK(file && seed_count < SEED_MOST);
    const size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    FUZZ_CHECK(size >= 8 && size <= INPUT_MOST);
    memcpy(&header, bytes, 8);
    const uint64_t data = size - 8 - header;
    memcpy(bytes, &data, 8);
    void *const copy = malloc(size);
    FUZZ_CHECK(copy);
    memcpy(copy, bytes, size);
    seeds[seed_count++] = (fuzz_seed){copy, size};
}

typedef struct recipe {
    elman_lm_desc model;
    elman_optimizer_kind optimizer;
    elman_sampling sampling;
    double valid_fraction;
    int updates;
} recipe;

/* A model of weights of a byte. */
static void make_bytes(const elman_lm *lm)
{
    elman_lm *bytes;
    FUZZ_CHECK(!elman_lm_convert(lm, ELMAN_INT8, &bytes));
    FUZZ_CHECK(!elman_lm_save(bytes, file_path));
    keep_seed();
    unlink(file_path);
    elman_lm_destroy(&bytes);
}

/* A network alone, with and without what may be around it. */
static void make_networks(void)
{
    static const elman_dtype dtypes[] = {ELMAN_F32, ELMAN_F64, ELMAN_BF16,
                                         ELMAN_INT8};
    for (int i = 0; i < 4; ++i) {
        elman_network_desc desc = ELMAN_NETWORK_DESC;
        elman_network *n;
        desc.rnn.cell = i % 2 ? ELMAN_CELL_LSTM : ELMAN_CELL_GRU;
        desc.rnn.proj = i == 1 ? 1 : 0;
        desc.rnn.bidirectional = i == 2;
        desc.rnn.dtype = dtypes[i];
        desc.rnn.hidden = 2;
        desc.rnn.input = 2;
        desc.vocab = i > 1 ? 3 : 0;
        desc.embed = i > 1 ? 2 : 0;
        desc.outputs = i > 0 ? 3 : 0;
        desc.decode = (elman_decode)(i % 3);
        FUZZ_CHECK(!elman_network_create(context, &desc, &n));
        FUZZ_CHECK(!elman_network_save(n, file_path));
        keep_seed();
        unlink(file_path);
        elman_network_destroy(&n);
    }
}

/* A model, the same of weights of a byte, and a checkpoint of a run that went
 * on from it. */
static void make_pair(const recipe *r)
{
    elman_train_desc desc = ELMAN_TRAIN_DESC;
    elman_trainer *trainer, *next;
    desc.model = r->model;
    desc.model.struct_size = sizeof desc.model;
    desc.optimizer.kind = r->optimizer;
    desc.sampling = r->sampling;
    desc.schedule.lr = 0.1;
    desc.valid_fraction = r->valid_fraction;
    desc.batch = ROWS;
    desc.steps = 3;
    desc.epochs = 4;
    FUZZ_CHECK(!elman_trainer_create(context, &desc, text, NULL, &trainer));
    for (int i = 0; i < r->updates; ++i)
        FUZZ_CHECK(!elman_trainer_step(trainer, NULL));
    FUZZ_CHECK(!elman_trainer_save(trainer, file_path));
    keep_seed();
    unlink(file_path);
    make_bytes(elman_trainer_lm(trainer));
    desc.from = elman_trainer_lm(trainer);
    FUZZ_CHECK(!elman_trainer_create(context, &desc, text, NULL, &next));
    elman_trainer_destroy(&trainer);
    for (int i = 0; i < r->updates; ++i)
        FUZZ_CHECK(!elman_trainer_step(next, NULL));
    FUZZ_CHECK(!elman_trainer_checkpoint(next, file_path, 7));
    keep_seed();
    elman_trainer_destroy(&next);
}

static void make_seeds(void)
{
    static const recipe recipes[] = {
        {.model = {.hidden = 3, .layers = 2, .dropout = 0.5},
         .optimizer = ELMAN_MOMENTUM,
         .valid_fraction = 0.3,
         .updates = 4},
        {.model = {.activation = ELMAN_RELU,
                   .hidden = 2,
                   .embed = 2,
                   .tie = 1,
                   .weight_drop = 0.25},
         .sampling = ELMAN_RANDOM,
         .updates = 1},
        {.model =
             {.cell = ELMAN_CELL_NONE, .hidden = 3, .embed = 2, .context = 3},
         .optimizer = ELMAN_RMSPROP,
         .updates = 2},
        {.model = {.cell = ELMAN_CELL_NONE, .hidden = 2, .context = 2},
         .updates = 2},
        {.model = {.cell = ELMAN_CELL_LSTM, .hidden = 2},
         .optimizer = ELMAN_ADAM,
         .updates = 3},
        {.model = {.cell = ELMAN_CELL_LSTM,
                   .hidden = 2,
                   .embed = 1,
                   .proj = 1,
                   .tie = 1,
                   .layers = 2},
         .optimizer = ELMAN_MOMENTUM,
         .updates = 1},
        {.model = {.cell = ELMAN_CELL_LSTM,
                   .dtype = ELMAN_F64,
                   .hidden = 2,
                   .embed = 1,
                   .locked = 1,
                   .dropout = 0.5},
         .updates = 2},
        {.model = {.cell = ELMAN_CELL_GRU, .hidden = 2},
         .optimizer = ELMAN_ADAMW,
         .updates = 1},
        {.model = {.cell = ELMAN_CELL_GRU,
                   .hidden = 1,
                   .embed = 1,
                   .tie = 1,
                   .reset_before = 1,
                   .layers = 2},
         .optimizer = ELMAN_ADAM,
         .updates = 2}};
    if (seed_count > 0)
        return;
    begin();
    for (size_t i = 0; i < sizeof recipes / sizeof *recipes; ++i)
        make_pair(&recipes[i]);
    make_networks();
}

/* ---- Changes of one word of the metadata ---------------------------------*/

static const char *const keys[] = {
    "cell",           "activation",   "hidden_size",   "num_layers",
    "embedding_size", "proj_size",    "reset",         "tied",
    "level",          "context_size", "vocabulary",    "training",
    "normalize",      "format",       "products",      "input_size",
    "vocab_size",     "output_size",  "bidirectional", "bias",
    "decoder_bias",   "decode",       "kind"};
static const char *const values[] = {"elman",
                                     "none",
                                     "lstm",
                                     "gru",
                                     "tanh",
                                     "relu",
                                     "after",
                                     "before",
                                     "last",
                                     "final",
                                     "bf16",
                                     "recurrent",
                                     "language-model",
                                     "yes",
                                     "no",
                                     "byte",
                                     "word",
                                     "letters",
                                     "-1",
                                     "0",
                                     "1",
                                     "2",
                                     "3",
                                     "4",
                                     "6",
                                     "12",
                                     "2e0",
                                     "4096",
                                     "2147483647",
                                     "9223372036854775807",
                                     "",
                                     "{}",
                                     "[]",
                                     "{\\\"runs\\\":-1,\\\"from\\\":{}}",
                                     "{\\\"from\\\":[{}]}",
                                     "[\\\"<unk>\\\"]",
                                     "[\\\"<unk>\\\",\\\"\\\"]"};
enum {
    KEYS = sizeof keys / sizeof *keys,
    VALUES = sizeof values / sizeof *values
};

/* The size that the input has then; 0 if it has no such key, or no room. */
static size_t say(uint8_t *bytes, size_t size, size_t room, const char *key,
                  const char *value)
{
    char word[40];
    const int length = snprintf(word, sizeof word, "\"%s\":\"", key);
    uint8_t *const at = find(bytes, size, word);
    if (!at)
        return 0;
    uint8_t *const from = at + length, *to = from;
    while (to < bytes + size && *to != '"')
        to += *to == '\\' && to + 1 < bytes + size ? 2 : 1;
    const size_t put = strlen(value), rest = (size_t)(bytes + size - to);
    const size_t whole = (size_t)(from - bytes) + put + rest;
    if (whole > room)
        return 0;
    memmove(from + put, to, rest);
    memcpy(from, value, put);
    return whole;
}

#ifdef FUZZ_STANDALONE

static void run_words(void)
{
    static uint8_t bytes[FUZZ_ROOM];
    for (size_t i = 0; i < seed_count; ++i)
        for (int key = 0; key < KEYS; ++key)
            for (int value = 0; value < VALUES; ++value) {
                memcpy(bytes, seeds[i].bytes, seeds[i].size);
                const size_t size = say(bytes, seeds[i].size, sizeof bytes,
                                        keys[key], values[value]);
                if (size > 0)
                    fuzz_run(bytes, size);
            }
}

/* Each number of a tensor of 8-byte ones becomes each of these in turn. */
static void run_numbers(const fuzz_seed *seed, const char *name,
                        const void *numbers, size_t count)
{
    static uint8_t bytes[FUZZ_ROOM];
    long long from, to;
    memcpy(bytes, seed->bytes, seed->size);
    const uint8_t *at = find(bytes, seed->size, name);
    if (!at)
        return;
    at = find((uint8_t *)at, (size_t)(bytes + seed->size - at), "offsets\":[");
    FUZZ_CHECK(at && sscanf((const char *)at, "offsets\":[%lld,%lld", &from,
                            &to) == 2);
    uint64_t data;
    memcpy(&data, bytes, sizeof data);
    uint8_t *const first = bytes + seed->size - data + from;
    for (uint8_t *p = first; p < first + (to - from); p += 8)
        for (size_t i = 0; i < count; ++i) {
            uint8_t old[8];
            memcpy(old, p, 8);
            memcpy(p, (const uint8_t *)numbers + 8 * i, 8);
            fuzz_run(bytes, seed->size);
            memcpy(p, old, 8);
        }
}

static void run_all_numbers(void)
{
    static const int64_t integers[] = {-1,
                                       0,
                                       1,
                                       2,
                                       3,
                                       4,
                                       100,
                                       INT64_C(1) << 20,
                                       INT64_C(1) << 31,
                                       INT64_C(1) << 62,
                                       INT64_MAX,
                                       INT64_MIN};
    static const double reals[] = {-1, 0, 0.5, 1, 1e-320, 1e308, INFINITY, NAN};
    for (size_t i = 0; i < seed_count; ++i) {
        run_numbers(&seeds[i], "\"trainer.integers\"", integers,
                    sizeof integers / sizeof *integers);
        run_numbers(&seeds[i], "\"trainer.reals\"", reals,
                    sizeof reals / sizeof *reals);
    }
}

int main(int argc, char **argv)
{
    make_seeds();
    if (argc == 1) {
        run_words();
        run_all_numbers();
    }
    const int status = fuzz_main(argc, argv, seeds, seed_count, 30000);
    for (size_t i = 0; i < seed_count; ++i)
        free((void *)seeds[i].bytes);
    elman_text_close(&text);
    elman_context_destroy(&context);
    return status;
}

#else

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t room);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room,
                               unsigned number);

/* libFuzzer alone would not come upon a model. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room,
                               unsigned number)
{
    make_seeds();
    const unsigned what = number % 16, which = number / 16;
    const fuzz_seed *const seed = &seeds[which % seed_count];
    if ((what == 0 || size < 64) && seed->size <= room) {
        memcpy(data, seed->bytes, seed->size);
        return seed->size;
    }
    const size_t said = what < 4 ? say(data, size, room, keys[which % KEYS],
                                       values[which / KEYS % VALUES])
                                 : 0;
    return said > 0 ? said : LLVMFuzzerMutate(data, size, room);
}

#endif
