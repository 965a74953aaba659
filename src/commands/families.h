// SPDX-License-Identifier: BSD-3-Clause
// The families of commands: each file of this folder holds handlers and, at its bottom, their table.
#pragma once

struct registry;

// Registers all families.
void commands_register(struct registry *registry);
