// SPDX-License-Identifier: BSD-3-Clause
// The RDB format: what its bytes mean.
//
//   REDIS0010 | aux fields | for each database: SELECTDB, RESIZEDB, entries | EOF | CRC-64
//
//   entry: [EXPIRE_MS, 8 bytes] [IDLE, length | FREQ, byte] type | key, a string | value, by its type
//
//   a length   00llllll            up to 63                11tttttt  not a length but a string, which is
//              01llllll l8         up to 16,383              0, 1, 2   an integer of 1, 2, 4 bytes
//              10000000 l32 (BE)   10000001 l64 (BE)         3         compressed: length, length of the
//                                                                      original, bytes (LZF)
//   a string: a length and the bytes, or one of the two right above
//
// Integers are little-endian but for the lengths marked BE.
//
// Source: the published descriptions of the format (S. Kothari, "Redis RDB File Format"; J.-E. Rediger,
// "RDB File Format").
#pragma once

#include <stdint.h>

// What is read, up to, and what is written.
#define RDB_VERSION_MAX     12
#define RDB_VERSION_WRITTEN 10

#define RDB_MAGIC        "REDIS"
#define RDB_HEADER_BYTES 9  // the magic and four digits

// First checksummed version: files of earlier ones end with EOF.
#define RDB_VERSION_CHECKSUM 5
#define RDB_CHECKSUM_BYTES   8

// What a value is, and how it is encoded.
enum rdb_type {
    RDB_STRING = 0,
    RDB_LIST = 1,
    RDB_SET = 2,
    RDB_ZSET = 3,  // scores as text
    RDB_HASH = 4,
    RDB_ZSET_2 = 5,  // scores as 8 bytes
    RDB_MODULE_OLD = 6,
    RDB_MODULE = 7,
    RDB_HASH_ZIPMAP = 9,
    RDB_LIST_ZIPLIST = 10,
    RDB_SET_INTSET = 11,
    RDB_ZSET_ZIPLIST = 12,
    RDB_HASH_ZIPLIST = 13,
    RDB_LIST_QUICKLIST = 14,  // of ziplists
    RDB_STREAM = 15,
    RDB_HASH_LISTPACK = 16,
    RDB_ZSET_LISTPACK = 17,
    RDB_LIST_QUICKLIST_2 = 18,  // of listpacks, and of single values
    RDB_STREAM_2 = 19,
    RDB_SET_LISTPACK = 20,
    RDB_STREAM_3 = 21,
    RDB_HASH_METADATA_OLD = 22,
    RDB_HASH_LISTPACK_EX_OLD = 23,
    RDB_HASH_METADATA = 24,
    RDB_HASH_LISTPACK_EX = 25,
    RDB_TYPE_COUNT,
};

enum rdb_opcode {
    RDB_OP_SLOT_INFO = 0xF4,
    RDB_OP_FUNCTION = 0xF5,
    RDB_OP_FUNCTION_OLD = 0xF6,
    RDB_OP_MODULE_AUX = 0xF7,
    RDB_OP_IDLE = 0xF8,
    RDB_OP_FREQ = 0xF9,
    RDB_OP_AUX = 0xFA,
    RDB_OP_RESIZE_DB = 0xFB,
    RDB_OP_EXPIRE_MS = 0xFC,
    RDB_OP_EXPIRE_S = 0xFD,
    RDB_OP_SELECT_DB = 0xFE,
    RDB_OP_EOF = 0xFF,
};

// The top two bits of a length, and what stands for a string instead of one.
#define RDB_LENGTH_6      0x00
#define RDB_LENGTH_14     0x40
#define RDB_LENGTH_32     0x80
#define RDB_LENGTH_64     0x81
#define RDB_ENCODED       0xC0
#define RDB_ENCODED_INT8  0xC0
#define RDB_ENCODED_INT16 0xC1
#define RDB_ENCODED_INT32 0xC2
#define RDB_ENCODED_LZF   0xC3

// Scores as text: a length byte, or one of these.
#define RDB_SCORE_NAN       253
#define RDB_SCORE_PLUS_INF  254
#define RDB_SCORE_MINUS_INF 255

// A node of a quicklist.
enum rdb_node { RDB_NODE_PLAIN = 1, RDB_NODE_PACKED = 2 };
