// SPDX-License-Identifier: BSD-3-Clause
// The list of the types.
#include "types/types.h"

#include "store/keyspace.h"
#include "types/hash.h"
#include "types/list.h"
#include "types/set.h"
#include "types/string.h"
#include "types/zset.h"

void types_register(struct keyspace *keyspace)
{
    keyspace_register_type(keyspace, TYPE_STRING, &string_type_ops);
    keyspace_register_type(keyspace, TYPE_LIST, &list_type_ops);
    keyspace_register_type(keyspace, TYPE_SET, &set_type_ops);
    keyspace_register_type(keyspace, TYPE_ZSET, &zset_type_ops);
    keyspace_register_type(keyspace, TYPE_HASH, &hash_type_ops);
}
