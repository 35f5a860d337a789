// SPDX-License-Identifier: Apache-2.0
#pragma once

#if defined(__CUDACC__)
#define FFDP_HD __host__ __device__
#else
#define FFDP_HD
#endif
