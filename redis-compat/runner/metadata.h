// SPDX-License-Identifier: BSD-3-Clause
// Compares what both servers say of the commands they both have: COMMAND INFO, and COMMAND DOCS once
// Respite has it.
#pragma once

#include "catalog.h"
#include "known.h"
#include "report.h"

void metadata_compare(const struct catalog *catalog, const struct pair *pair,
                      struct known_list *known, struct report *report);
