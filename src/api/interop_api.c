/* SPDX-License-Identifier: MIT */
/* interop_api.c - other programs' files, from the outside. */
#include "../base/cpu.h"
#include "../interop/c_source.h"
#include "../interop/onnx.h"
#include "../interop/torch_file.h"
#include "check.h"
#include "checks.h"

elman_status elman_tensors_read_torch(elman_context *context, const char *path,
                                      elman_tensors **out)
{
    EL_REQUIRE(out, "out is NULL");
    *out = NULL;
    EL_REQUIRE(context && path, "context or path is NULL");
    return el_torch_read(context, path, out);
}

/* ---- ONNX -----------------------------------------------------------------*/

elman_status elman_onnx_write(const elman_lm *lm, const elman_network *network,
                              const elman_onnx_desc *desc, const char *path)
{
    EL_REQUIRE(!lm != !network, "of lm and network one must be NULL");
    EL_REQUIRE(desc && path, "desc or path is NULL");
    elman_onnx_desc d = ELMAN_ONNX_DESC;
    elman_status s = el_take_desc(&d, sizeof d, desc, "elman_onnx_desc");
    const elman_network *const n = lm ? &lm->net : network;
    if (!s)
        s = el_check_exact(n);
    return s ? s : el_onnx_write(lm, n, &d, path);
}

elman_status elman_onnx_read(elman_context *context, const char *path,
                             elman_lm **lm, elman_network **network)
{
    EL_REQUIRE(network, "network is NULL");
    *network = NULL;
    if (lm)
        *lm = NULL;
    EL_REQUIRE(context && path, "context or path is NULL");
    elman_status s;
    EL_COMPUTE(s = el_onnx_read(context, path, lm, network));
    return s;
}

/* ---- C source -------------------------------------------------------------*/

static elman_status check_weights(elman_c_weights weights)
{
    EL_REQUIRE(weights >= ELMAN_C_F32 && weights <= ELMAN_C_INT8,
               "weights is %d (one of elman_c_weights)", (int)weights);
    return ELMAN_OK;
}

elman_status elman_lm_rounded(const elman_lm *lm, elman_c_weights weights,
                              elman_lm **out)
{
    EL_REQUIRE(out, "out is NULL");
    *out = NULL;
    EL_REQUIRE(lm, "lm is NULL");
    elman_status s = check_weights(weights);
    if (!s)
        EL_COMPUTE(s = el_c_rounded_lm(lm, weights, out));
    return s;
}

elman_status elman_network_rounded(const elman_network *network,
                                   elman_c_weights weights, elman_network **out)
{
    EL_REQUIRE(out, "out is NULL");
    *out = NULL;
    EL_REQUIRE(network, "network is NULL");
    elman_status s = check_weights(weights);
    if (!s)
        EL_COMPUTE(s = el_c_rounded_network(network, weights, out));
    return s;
}

elman_status elman_c_write(const elman_lm *lm, const elman_network *network,
                           const elman_c_desc *desc, const char *path)
{
    EL_REQUIRE(!lm != !network, "of lm and network one must be NULL");
    EL_REQUIRE(desc && path, "desc or path is NULL");
    elman_c_desc d = ELMAN_C_DESC;
    elman_status s = el_take_desc(&d, sizeof d, desc, "elman_c_desc");
    if (!s)
        s = check_weights(d.weights);
    if (!s)
        EL_COMPUTE(s = el_c_write(lm, network, &d, path));
    return s;
}
