// SPDX-License-Identifier: BSD-3-Clause
// INFO texts under the pattern info(...).
#pragma once

#include "pattern.h"

// Whether two INFO texts have the same sections and fields in the same order, and values of the same
// kind. If not, `why` gets the reason.
bool info_match(const struct pattern *pattern, struct span oracle, struct span ours,
                struct buffer *why);
