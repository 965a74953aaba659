// SPDX-License-Identifier: BSD-3-Clause
// What walking through a ziplist or a zipmap from outside comes to.
#pragma once

enum old_packed_step {
    OLD_PACKED_ENTRY,
    OLD_PACKED_END,
    OLD_PACKED_DAMAGED,
};
