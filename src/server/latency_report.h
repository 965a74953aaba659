// SPDX-License-Identifier: BSD-3-Clause
// What the latency monitor has seen, for people: LATENCY GRAPH and LATENCY DOCTOR.
#pragma once

#include "base/bytes.h"

struct latency;
struct latency_series;

// Draws the series: four lines of three heights each, 80 samples side by side, and below each how
// long ago it was.
void latency_draw(const struct latency_series *series, struct bytes *out);

// Says what has happened and what might help.
void latency_explain(const struct latency *latency, struct bytes *out);
