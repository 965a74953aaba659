// SPDX-License-Identifier: BSD-3-Clause
// What eviction learns about reuse: see reuse.h.
//
// The measure. Of two keys the one should go that is used again later. Nobody knows which, but for
// a kind of key the chance of being used in the next moment can be counted: its uses, divided by
// how many of them there are. Uses are counted when they happen. For the other, eviction's looks
// stand: it passes by every key in turn, so a kind is looked at as often as it is frequent. Both
// sums are halved each time that they are taken into account, which is when a sixteenth of the keys
// has been evicted. This is least hit density (Beckmann, Chen, Cidon, NSDI 2018) for keys whose
// chance only falls while they are not used: then the next moment says all.
//
// Recency. There are two kinds: keys that came and were never asked for again, what a scan leaves
// behind, and the others. The idle time of the first counts more than it is, by a weight, so that
// they pass through a part of the memory only, as in 2Q (Johnson and Shasha, VLDB 1994) and S3-FIFO
// (Yang et al., SOSP 2023). How large a part depends: with steady popularity a weight of 8 makes 8
// to 13 % fewer misses than none, but where the hot keys change, those of yesterday stay for too
// long, and it makes 11 % more. So keys that are about to go are counted, those idle for half as
// long as what goes, or longer: if such keys of one kind are used more often than those of the
// other, the weight moves in their favour. It rises slowly and falls at once: as quick both ways it
// swings with the shifts, 2 % more. Where hot keys change it stays close to 1, else it reaches its
// upper bound.
//
// Frequency. A key's kind is its counter, its generations without use, and whether it has returned
// soon after it had been evicted. It is the counter without what it has lost since its last use,
// until that makes it less than a new key's: else each turn of the minute would make new keys and
// those used once alike, just when the latter are half of all. To begin with, a kind is worth what
// the documented policy says: the least counter goes, and among equals the one not used for longer.
// What is counted then says how much uses of long ago are worth against one of now. A generation is
// over when half as many keys have been evicted as there are.
//
// Tried without success (a simulation of bench_eviction's traces):
// - recency: remembering evicted keys, so that those that return count as used: at most 1 % fewer
//   misses;
// - frequency: half and quarter steps of the counter: nothing; eight generations instead of three:
//   1 % fewer with shifts; generations four times as long: 1 % more, with shifts 6 %;
// - the counter with what it has lost: 2 % more once the minute has turned; and to suppose that a
//   kind is never worth more for being older: another 1 %;
// - remembering twice as many evicted keys: 0.5 % fewer.
#include "store/reuse.h"

// Evictions between two times that counts are taken into account: a part of the keys, and a few at
// least.
#define WINDOW_PART 16
#define WINDOW_MIN  64

// Recency.
#define WEIGHT_ONE     256u
#define WEIGHT_INITIAL (2 * WEIGHT_ONE)
#define WEIGHT_MAX     (16 * WEIGHT_ONE)
#define WEIGHT_RISE    1.05
#define WEIGHT_FALL    0.5
#define BOUNDARY_PART  2     // keys near the boundary: from one half of it on
#define BOUNDARY_OF    1024  // evictions that the boundary is a mean of
#define FEW_USES       5     // these many in that many looks are supposed, until there are more
#define FEW_LOOKS      100

// Frequency.
#define WORTH_ONE    (UINT64_C(1) << 20)
#define WORTH_MAX    ((UINT64_C(1) << 40) - 1)
#define PRIOR_LOOKS  50    // what was known counts as much as so many looks
#define WORTH_A_STEP 1024  // of the counter, as long as nothing is known
#define LEVELS_EXACT 16    // counters below are a level each; above, each fourth of an octave
#define MINUTES_BITS 13

static unsigned level_of(uint32_t counter)
{
    if (counter < LEVELS_EXACT)
        return counter;
    unsigned log2 = 31 - (unsigned)__builtin_clz(counter);
    return log2 * 4 + (counter >> (log2 - 2) & 3);
}

// The least counter of a level.
static uint32_t counter_of(unsigned level)
{
    if (level < LEVELS_EXACT)
        return level;
    return (4 + level % 4) << (level / 4 - 2);
}

static enum reuse_state state_of(const struct access_rules *rules, uint32_t access)
{
    uint32_t stored = access_stored_counter(access);
    uint32_t counter = access_counter(rules, access);
    if (counter < stored && counter < ACCESS_COUNTER_START)
        return REUSE_FORGOTTEN;
    return access_is_returned(access) ? REUSE_RETURNED : REUSE_PLAIN;
}

static unsigned kind_number(unsigned level, unsigned age, unsigned state)
{
    return (level * REUSE_AGES + age) * REUSE_STATES + state;
}

static unsigned kind_of(const struct access_rules *rules, uint32_t access)
{
    return kind_number(level_of(access_stored_counter(access)), access_age(rules, access),
                       state_of(rules, access));
}

// What the documented policy makes of it.
static uint64_t initial_worth(unsigned level, unsigned age, unsigned state)
{
    uint64_t worth = counter_of(level) + 1;
    if (state == REUSE_FORGOTTEN)
        return worth;
    worth *= WORTH_A_STEP;
    worth += state == REUSE_RETURNED ? WORTH_A_STEP / 2 : 0;
    return worth - age * (WORTH_A_STEP / 8);
}

void reuse_start(struct reuse *reuse, bool only_volatile)
{
    *reuse = (struct reuse){
        .on = true,
        .only_volatile = only_volatile,
        .unused_weight = WEIGHT_INITIAL,
    };
    for (unsigned level = 0; level < REUSE_LEVELS; level++) {
        for (unsigned i = 0; i < REUSE_AGES * REUSE_STATES; i++) {
            unsigned age = i / REUSE_STATES;
            unsigned state = i % REUSE_STATES;
            reuse->worth[kind_number(level, age, state)] = initial_worth(level, age, state);
        }
    }
}

void reuse_stop(struct reuse *reuse)
{
    ghost_release(&reuse->ghost);
    reuse->on = false;
}

// --- Counting -----------------------------------------------------------------------------------

// In 1/256 ticks. Half a tick is the mean of those below one: a small and busy memory may have no
// others.
static uint64_t weighted_idle(const struct reuse *reuse, const struct access_rules *rules,
                              uint32_t access)
{
    uint64_t weight = access_is_used(access) ? WEIGHT_ONE : reuse->unused_weight;
    return (UINT64_C(2) * access_idle_ticks(rules, access) + 1) * weight / 2;
}

// Where a key with these access bits is counted; NULL if it tells nothing.
static struct reuse_count *count_of(struct reuse *reuse, const struct access_rules *rules,
                                    uint32_t access)
{
    if (rules->frequency)
        return &reuse->kinds[kind_of(rules, access)];
    uint64_t idle = weighted_idle(reuse, rules, access);
    if (idle < reuse->boundary_sum / BOUNDARY_OF / BOUNDARY_PART)
        return NULL;
    return &reuse->idle[access_is_used(access)];
}

void reuse_note_use(struct reuse *reuse, const struct access_rules *rules, uint32_t access)
{
    struct reuse_count *count = count_of(reuse, rules, access);
    if (count)
        count->uses++;
}

void reuse_note_look(struct reuse *reuse, const struct access_rules *rules, uint32_t access)
{
    struct reuse_count *count = count_of(reuse, rules, access);
    if (count)
        count->looks++;
}

uint32_t reuse_arrival(const struct reuse *reuse, const struct access_rules *rules, uint64_t hash,
                       uint32_t access)
{
    if (!rules->frequency || !ghost_has(&reuse->ghost, hash))
        return access;
    return access_returned(access);
}

// --- Learning -----------------------------------------------------------------------------------

static void halve(struct reuse_count *count)
{
    count->uses /= 2;
    count->looks /= 2;
}

static double rate_of(const struct reuse_count *count)
{
    return (double)(count->uses + FEW_USES) / (double)(count->looks + FEW_LOOKS);
}

// Rises slowly and falls at once.
static void learn_weight(struct reuse *reuse)
{
    double factor = rate_of(&reuse->idle[true]) / rate_of(&reuse->idle[false]);
    factor = factor > WEIGHT_RISE ? WEIGHT_RISE : factor;
    factor = factor < WEIGHT_FALL ? WEIGHT_FALL : factor;
    uint32_t weight = (uint32_t)(reuse->unused_weight * factor);
    weight = weight > WEIGHT_ONE ? weight : WEIGHT_ONE;
    reuse->unused_weight = weight < WEIGHT_MAX ? weight : WEIGHT_MAX;
    halve(&reuse->idle[false]);
    halve(&reuse->idle[true]);
}

static void learn_worth(struct reuse *reuse)
{
    for (unsigned i = 0; i < REUSE_KINDS; i++) {
        struct reuse_count *count = &reuse->kinds[i];
        uint64_t worth = count->uses * WORTH_ONE + PRIOR_LOOKS * reuse->worth[i];
        worth /= count->looks + PRIOR_LOOKS;
        reuse->worth[i] = worth < WORTH_MAX ? worth : WORTH_MAX;
        halve(count);
    }
}

bool reuse_note_evicted(struct reuse *reuse, const struct access_rules *rules,
                        const struct reuse_victim *victim)
{
    if (rules->frequency) {
        ghost_add(&reuse->ghost, victim->hash);
    } else {
        reuse->boundary_sum -= reuse->boundary_sum / BOUNDARY_OF;
        reuse->boundary_sum += weighted_idle(reuse, rules, victim->access);
    }
    if (++reuse->evicted < victim->keys / WINDOW_PART + WINDOW_MIN)
        return false;
    reuse->evicted = 0;
    if (rules->frequency) {
        learn_worth(reuse);
        ghost_fit(&reuse->ghost, victim->keys, victim->ghost_max_bytes);
    } else {
        learn_weight(reuse);
    }
    return true;
}

// --- Scores -------------------------------------------------------------------------------------

uint64_t reuse_score(const struct reuse *reuse, const struct access_rules *rules, uint32_t access)
{
    // When it would have been used last: so scores of different times compare.
    if (!rules->frequency)
        return UINT64_MAX - 1 -
               (rules->now_ticks * WEIGHT_ONE - weighted_idle(reuse, rules, access));
    uint64_t worth = reuse->worth[kind_of(rules, access)];
    uint64_t counter = access_counter(rules, access);
    uint64_t age = access_age(rules, access);
    return (WORTH_MAX - worth) << 24 | (UINT8_MAX - counter) << 16 | age << MINUTES_BITS |
           access_minutes(rules, access);
}
