// SPDX-License-Identifier: BSD-3-Clause
// What a fuzz target defines: libFuzzer, or fuzz_main.c where the compiler has none, calls it.
#pragma once

#include <stddef.h>
#include <stdint.h>

// Called once, before the first input. Returns 0.
int LLVMFuzzerInitialize(int *argc, char ***argv);

// Called with each input. Aborts on a finding, else returns 0 and leaves nothing behind.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
