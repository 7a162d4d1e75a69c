/* SPDX-License-Identifier: MIT */
/* convert_onnx.c - ONNX on either side of `elman convert`. */
#include "convert.h"

int check_onnx(const convert_options *o, int from_onnx, int to_onnx)
{
    const int names = o->rnn != NULL || o->embedding != NULL ||
                      o->decoder != NULL || o->allow_unused || o->allow_missing;

    if (o->lengths && !to_onnx)
        return complain_usage("convert", "--lengths is of OUT.onnx");
    if (from_onnx && names)
        return complain_usage("convert", "a graph says by itself what is what "
                                         "(--rnn, --embedding, --decoder and "
                                         "--allow-... are of tensors by name)");
    if (from_onnx &&
        (o->has_cell || o->has_activation || o->reset == 1 || o->decode != 0))
        return complain_usage("convert", "a graph says by itself what its "
                                         "layers are (--cell, --activation, "
                                         "--reset and --decode are of tensors "
                                         "by name)");
    return DONE;
}

int read_onnx(conversion *c)
{
    elman_lm **const lm = c->options.vocab == NULL ? &c->lm : NULL;

    if (elman_onnx_read(c->context, c->from, lm, &c->network) != ELMAN_OK)
        return complain_library();
    return c->options.vocab == NULL ? DONE : make_lm_of_network(c);
}

int write_onnx(conversion *c)
{
    elman_onnx_desc d = ELMAN_ONNX_DESC;

    d.lengths = c->options.lengths;
    if (elman_onnx_write(c->lm, c->network, &d, c->to) != ELMAN_OK)
        return complain_library();
    return DONE;
}
