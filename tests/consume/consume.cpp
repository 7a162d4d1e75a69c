// SPDX-License-Identifier: MIT
// consume.cpp - consume.c as one writes it in C++17, which knows no designated
// initialisers: a descriptor is zeros and its own size.
#include <elman.h>

#include <cstdio>
#include <memory>
#include <stdexcept>

namespace
{

void check(elman_status status)
{
    if (status != ELMAN_OK)
        throw std::runtime_error(elman_message());
}

template <auto destroy> struct destroyer {
    template <typename T> void operator()(T *handle) const
    {
        destroy(&handle);
    }
};

using context =
    std::unique_ptr<elman_context, destroyer<elman_context_destroy>>;
using layer = std::unique_ptr<elman_rnn, destroyer<elman_rnn_destroy>>;
using state = std::unique_ptr<elman_state, destroyer<elman_state_destroy>>;

void run()
{
    elman_context *made = nullptr;
    check(elman_context_create(nullptr, &made));
    const context ours(made);

    elman_rnn_desc desc = {};
    desc.struct_size = sizeof desc;
    desc.cell = ELMAN_CELL_LSTM;
    desc.input = 3;
    desc.hidden = 35;
    elman_rnn *made_layer = nullptr;
    check(elman_rnn_create(ours.get(), &desc, &made_layer));
    const layer rnn(made_layer);
    elman_rnn_init(rnn.get(), 1);

    elman_state *made_state = nullptr;
    check(elman_state_create(rnn.get(), 1, &made_state));
    const state carried(made_state);

    const float x[3] = {1, 2, 3};
    float y[35];
    for (int i = 0; i < 20; i++)
        check(elman_rnn_step(rnn.get(), carried.get(), x, y));
    std::printf("elman %s: %d parameters,", elman_version(),
                static_cast<int>(elman_rnn_parameters(rnn.get())));
    for (const float value : y)
        std::printf(" %a", static_cast<double>(value));
    std::printf("\n");
}

} // namespace

int main()
{
    try {
        run();
    } catch (const std::exception &reason) {
        std::fprintf(stderr, "consume: %s\n", reason.what());
        return 1;
    }
    return 0;
}
