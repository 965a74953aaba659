// SPDX-License-Identifier: BSD-3-Clause
// Whether two replies are as expected: see judge.h.
#include "judge.h"
#include "kind.h"

static bool refuse(struct buffer *why, const char *reason)
{
    buffer_text(why, reason);
    return false;
}

static struct known *listed(struct known_list *known, struct span id, struct buffer *why)
{
    struct known *found = known_find(known, id);
    if (!found)
        buffer_printf(why, "\"%.*s\" is not in KNOWN_DIFFERENCES.md", SHOW(id));
    return found;
}

static bool judge_pattern(struct known_list *known, const struct exchange *x, struct buffer *why)
{
    const struct reply *oracle = &x->replies[ORACLE];
    const struct reply *ours = &x->replies[OURS];
    struct known *id = listed(known, x->expect->id, why);
    if (!id)
        return false;
    if (id->kind == KNOWN_VERSION && span_equal(oracle->raw, ours->raw))
        return refuse(why, "no longer differs from the oracle");
    return pattern_match(&x->expect->pattern, oracle, ours, why);
}

static bool judge_literal(struct known_list *known, const struct exchange *x, struct buffer *why)
{
    struct span wanted = x->expect->literal[x->protocol - 2];
    struct known *id = listed(known, x->expect->id, why);
    if (!id)
        return false;
    // Given for the other protocol only.
    if (!wanted.ptr)
        return span_equal(x->replies[ORACLE].raw, x->replies[OURS].raw) ||
               refuse(why, "the bytes differ");
    if (id->kind != KNOWN_VERSION)
        return refuse(why, "its kind in KNOWN_DIFFERENCES.md is not 7.2");
    if (span_equal(x->replies[ORACLE].raw, wanted))
        return refuse(why, "the oracle no longer differs from 7.2");
    return span_equal(x->replies[OURS].raw, wanted) || refuse(why, "not what 7.2 answers");
}

static bool judge_kind(struct known_list *known, const struct exchange *x, struct buffer *why)
{
    const struct reply *ours = &x->replies[OURS];
    struct span kind = x->expect->wanted_kind;
    bool version = x->expect->id.len > 0;
    if (version && !listed(known, x->expect->id, why))
        return false;
    if (kind_match(kind, &x->replies[ORACLE]) == version)
        return refuse(why, version ? "the oracle no longer differs from 7.2"
                                   : "the oracle's is not of this kind");
    if (x->ability == OUT_OF_STEP)
        return true;
    if (x->ability == UNABLE)
        return span_starts(ours->raw, "-ERR unknown ") || span_starts(ours->raw, "-NOAUTH ") ||
               refuse(why, "Respite does not have this command, but does not say so");
    return kind_match(kind, ours) || refuse(why, "ours is not of this kind");
}

bool judge(struct known_list *known, const struct exchange *exchange, struct buffer *why)
{
    static const struct pattern same = { .kind = PATTERN_SAME };
    switch (exchange->expect->kind) {
    case EXPECT_PATTERN: return judge_pattern(known, exchange, why);
    case EXPECT_LITERAL: return judge_literal(known, exchange, why);
    case EXPECT_KIND: return judge_kind(known, exchange, why);
    case EXPECT_SAME: break;
    }
    return pattern_match(&same, &exchange->replies[ORACLE], &exchange->replies[OURS], why);
}
