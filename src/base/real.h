/* SPDX-License-Identifier: MIT */
/* real.h - elementary functions of doubles, ours, so that no result depends on
 * a machine's libm.  Each is one sequence of IEEE operations.  Errors are at
 * most 1 ulp for exp and log, 1.6 for cos, 2 for expm1, 2.6 for tanh. */
#ifndef EL_REAL_H
#define EL_REAL_H

#include <stdint.h>

double el_exp64(double x);
double el_expm1_64(double x); /* for |x| <= 40 */
double el_log64(double x);
double el_tanh64(double x);
double el_cos64(double x); /* for |x| <= 100 */
/* x^n by repeated squaring; n >= 0. */
double el_powi64(double x, int64_t n);

#endif
