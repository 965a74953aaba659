#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The differential runner finds what differs, and only that: redis-server is held against itself, and
# against itself with other settings.
# shellcheck source=tests/support/house.sh
. "$(dirname "$0")/../support/house.sh"

# server NAME OPTION...: stands in for Respite.
server() {
    local name=$1
    shift
    plant "$name" <<END
#!/bin/sh
exec redis-server "\$@" $*
END
    chmod +x "$tree/$name"
}

# compat SERVER ARGUMENT...: the runner, with the planted folder as redis-compat.
compat() {
    local server=$1
    shift
    RESPITE_SERVER=./$server ./compat --root . --jobs 1 "$@"
}

${CC:-gcc} -std=gnu11 -D_GNU_SOURCE -o "$tree/compat" "$root"/redis-compat/runner/*.c -lm -lpthread ||
    { fail 'the runner is built'; finish; exit 1; }
server same --databases 16
server other --databases 4 --maxclients 9000 --hz 20 --notify-keyspace-events KEA
server dead --no-such-directive yes

plant KNOWN_DIFFERENCES.md <<'END'
| `run` | run | for this test |
| `new` | 7.2 | for this test |
| `order` | run | %scan refers to it |
END

# case NAME: a case file from standard input.
case_file() {
    { echo '=== planted'; cat; } | plant "$1.case"
}

# --- What is the same passes -------------------------------------------------------------------

case_file same <<'END'
# A comment.
SET k "a b\r\n\x00$(x*3)"
GET k
b> GET k
%pipeline
INCR n
INCR n
%end
%raw 2 "PING\r\nPING\r\n"
%send ECHO later
%read
%silent
%until 2 GET n
%until >=1 GET n
%scan SCAN $(cursor) COUNT 1
CLIENT ID
    ? run int
    save mine
CLIENT KILL ID $(mine) SKIPME no
%closed
c> TIME
    ? run [number~2, type]
s> SUBSCRIBE news end
s> %read
s> %drain end
c> PUBLISH news a
c> PUBLISH news b
c> PUBLISH other c
s> %drain end
s> PING
END
expect_said 'the same server' '2 passed, 0 failed' compat same same.case

case_file swapped <<'END'
CONFIG GET maxclients
    ? run type
    save mine element 1
    save theirs element 1 swapped
SADD s $(mine) $(theirs)
SMEMBERS s
END
expect_said 'replies are swapped' '2 passed, 0 failed' compat other swapped.case

# --- What differs fails -------------------------------------------------------------------------

case_file differs <<'END'
SELECT 5
END
expect_refused 'another reply' 'line 2: SELECT 5' compat other differs.case
expect_refused 'both replies are shown' '-ERR DB index is out of range\r\n' compat other differs.case
expect_refused 'it is counted' '0 passed, 2 failed' compat other differs.case

case_file drained <<'END'
s> PSUBSCRIBE *
s> %drain end
SET k v
s> %drain end
END
expect_refused 'what is drained' '__keyspace@0__:k' compat other drained.case
sed -i 's/PSUBSCRIBE \*/PSUBSCRIBE e*/' "$tree/drained.case"
expect_said 'what is not subscribed to' '2 passed, 0 failed' compat other drained.case

# pattern PATTERN [COMMAND]: compared with it.
pattern() {
    printf '%s\n    ? run %s\n' "${2:-CONFIG GET maxclients}" "$1" | case_file pattern
}
for good in type shape unordered\* '{maxclients: number~1000}' '{maxclients: bulk}' \
    '{maxclients: side(100)}'; do
    pattern "$good"
    [ "$good" = 'unordered*' ] || expect_ok "pattern $good" compat other pattern.case
done
for bad in = unordered 'unordered*' int 'prefix(x)' '{hz: type}' '{maxclients: number~10}' \
    '{maxclients: side(9500)}' '[=]' help; do
    pattern "$bad"
    expect_refused "pattern $bad" 'planted' compat other pattern.case
done
pattern '[=, number~1000]'
sed -i '1a %proto 2' "$tree/pattern.case"
expect_ok 'pattern [=, number~1000]' compat other pattern.case
pattern 'prefix(ERR )' 'NOSUCH'
expect_ok 'pattern prefix' compat same pattern.case
pattern 'behind(unknown)' 'NOSUCH'
expect_ok 'pattern behind' compat same pattern.case
pattern 'behind(nowhere)' 'NOSUCH'
expect_refused 'pattern behind, text missing' 'not there' compat same pattern.case
pattern 'side(0)' 'INCR n'
expect_ok 'pattern side' compat same pattern.case
pattern 'int~0' 'INCR n'
expect_ok 'pattern int~0' compat same pattern.case
pattern 'fields(id addr laddr fd age idle qbuf qbuf-free argv-mem rbs rbp tot-mem +nosuch)' 'CLIENT INFO'
expect_ok 'pattern fields' compat same pattern.case
pattern 'fields(cmd)' 'INFO server'
expect_refused 'pattern fields, other values' 'the field' compat same pattern.case

# infos: cases from lines NAME|ORACLE|OURS: two texts below a header, as INFO answers them, with ^ for a
# line's end. The one who serves 16 databases is the oracle.
infos() {
    local name oracle ours
    while IFS='|' read -r name oracle ours; do
        echo "=== $name"
        echo '%proto 2'
        echo "EVAL \"local oracle = redis.pcall('select', 5).ok;" \
            "return '# A^' .. (oracle and '$oracle' or '$ours')\" 0"
        echo '    ? run info(w +extra ~Out)'
    done | sed 's/\^/\\\\r\\\\n/g'
}
infos <<'END' | plant infos.case
integers|a:1^b:-1^|a:20^b:0^
decimals|a:1.00^b:0.000001^|a:17.25^b:1.234567^
sizes|a:0B^b:1.50M^|a:2.25K^b:17B^
percentages|a:1.50%^|a:100.00%^
lists|db0:keys=1,ttl=2.50^|db0:keys=20,ttl=0.75^
words|a:ok^b:^c:1-2^|a:ok^b:^c:1-2^
an exception|w:x^a:1^|w:1.5^a:1^
a field of ours|a:1^|a:1^extra:x^
a section that is left out|a:1^^# B^|a:1^^# Out^q:1^^# B^
the same that the oracle has|a:1^^# Out^q:1^|a:1^
END
expect_said 'pattern info' '10 passed, 0 failed' compat other infos.case
infos <<'END' | plant infos.case
another kind|a:1^|a:x^
decimals for an integer|a:1^|a:1.00^
fewer decimals|a:1.00^|a:1.0^
a size without its unit|a:1.00K^|a:1.00^
no percentage|a:1.00%^|a:1.00^
another word|a:ok^|a:err^
nothing for a value|a:1^|a:^
another key in a list|db0:keys=1^|db0:key=1^
a longer list|db0:keys=1^|db0:keys=1,ttl=1^
another order|a:1^b:1^|b:1^a:1^
a missing field|a:1^b:1^|a:1^
a field too many|a:1^|a:1^b:1^
a field of ours that the oracle has|a:1^extra:1^|a:1^extra:1^
a missing section|a:1^^# B^|a:1^
another section|a:1^^# B^|a:1^^# C^
a field in another section|a:1^^# B^|^# B^a:1^
no empty line|a:1^^# B^|a:1^# B^
an empty line within|a:1^b:1^|a:1^^b:1^
an empty line at the end|a:1^|a:1^^
a line end without CR|a:1^|a:1\\n
END
expect_refused 'pattern info, what differs' '0 passed, 20 failed' compat other infos.case
pattern 'info(run_id executable)' 'INFO server'
expect_ok 'pattern info, of INFO in both protocols' compat other pattern.case
pattern 'info()' 'INFO server'
expect_refused 'pattern info, another id' 'the field run_id is of another kind' compat other pattern.case

# --- 7.2 ----------------------------------------------------------------------------------------

printf 'SELECT 5\n    7.2 new "-ERR DB index is out of range\\r\\n"\n' | case_file new
expect_ok 'what 7.2 answers' compat other new.case
expect_refused 'it does not answer so' 'not what 7.2 answers' compat same new.case
printf 'SELECT 5\n    7.2 new "+OK\\r\\n"\n' | case_file new
expect_refused 'no difference any more' 'no longer differs' compat other new.case
printf 'SELECT 5\n    7.2 run "-ERR DB index is out of range\\r\\n"\n' | case_file new
expect_refused 'of another kind' 'is not 7.2' compat other new.case
printf 'SELECT 5\n    7.2 unheard "-ERR DB index is out of range\\r\\n"\n' | case_file new
expect_refused 'not on the list' 'is not in KNOWN_DIFFERENCES.md' compat other new.case
printf 'SELECT 5\n    ? unheard type\n' | case_file new
expect_refused 'a pattern not on the list' 'is not in KNOWN_DIFFERENCES.md' compat other new.case

# --- Kinds --------------------------------------------------------------------------------------

printf 'CONFIG GET maxclients\n    => map(maxclients) | pairs(maxclients)\n' | case_file kind
expect_ok 'of its kind' compat other kind.case
printf 'CONFIG GET maxclients\n    => pairs(maxclients)\n' | case_file kind
expect_refused 'of another kind in RESP3' '1 passed, 1 failed' compat other kind.case
printf 'SELECT 5\n    => status OK\n' | case_file kind
expect_refused 'ours of another kind' 'ours is not of this kind' compat other kind.case

# --- Mistakes in files --------------------------------------------------------------------------

# mistaken TEXT LINE...: refused with the line's number and these words.
mistaken() {
    local text=$1
    shift
    printf '%s\n' "$@" | case_file mistaken
    expect_refused "mistake: $*" "$text" compat same mistaken.case
}
mistaken 'mistaken.case:2: no such directive' '%nosuch'
mistaken 'mistaken.case:2: a " without its end' 'SET k "v'
mistaken 'mistaken.case:3: no such pattern' 'PING' '    ? run nosuch'
mistaken 'stats(...) without its end' 'PING' '    ? run info(a'
mistaken 'mistaken.case:3: no such kind' 'PING' '    => nosuch'
mistaken 'mistaken.case:2: %pipeline without %end' '%pipeline'
mistaken 'mistaken.case:2: an indented line belongs' '    ? run type'
mistaken 'mistaken.case:3: an indented line begins' 'PING' '    nosuch'
mistaken 'mistaken.case:2: %proto' '%proto 4'
# shellcheck disable=SC2016 # the runner replaces it
mistaken 'of a name that was not saved' 'GET $(nosuch)'
mistaken 'no such command or word' '%covers nosuch arity' 'PING'
echo 'PING' | plant nameless.case
expect_refused 'no case' 'nameless.case:1: a case begins with' compat same nameless.case
expect_refused 'a server that does not start' 'does not start' compat dead same.case

# --- A whole run --------------------------------------------------------------------------------

mkdir -p "$tree/cases/family" "$tree/handshakes"
echo '=== one
PING' | tee "$tree/cases/family/one.case" >"$tree/handshakes/one.case"
expect_refused 'coverage' 'get: missing-key' compat same --only cases
expect_refused 'coverage of tokens' 'set: KEEPTTL' compat same --only cases
expect_said 'metadata' ' 0 failed' compat same --only metadata
expect_ok 'one family' compat same --family family
expect_refused 'no such case' 'no such case' compat same --case nosuch

plant random.rules <<'END'
keys string a b
values type:string x 1
values type:integer 1 2
values type:double 1
values type:pattern *
values type:unix-time 4102444800
values seconds $(spread:1000)
values milliseconds $(spread:1000000)
values unix-time-milliseconds $(spread:1000000:4102444800000)
values index 0 5
weight select 1
reply randomkey run type
state * type $(key)
state string get $(key)
state hash hgetall $(key)
END
# skip_all_but COMMAND...: rules that leave these.
skip_all_but() {
    local socket=$tree/s pid name
    (cd "$tree" && exec redis-server --port 0 --unixsocket s --save '' >/dev/null 2>&1) &
    pid=$!
    for _ in {1..200}; do
        redis-cli -s "$socket" PING >/dev/null 2>&1 && break
        sleep 0.05
    done
    for name in $(redis-cli -s "$socket" COMMAND LIST); do
        case " $* " in
        *" $name "*) ;;
        *) echo "skip $name not for this test" ;;
        esac
    done
    kill -9 "$pid"
    wait "$pid" 2>/dev/null
}
skip_all_but get set append strlen incr select mset >>"$tree/random.rules"
expect_said 'random commands' 'random runs' compat same --only random --commands 5000
expect_refused 'random commands find a difference' 'select 5' compat other --only random --commands 5000
(cd "$tree" && compat other --only random --commands 5000) >"$tree.out" 2>&1
expect_equal 'shrunk to one command' 1 "$(sed -n '/^=== random/,/^$/p' "$tree.out" | sed 1,2d | grep -c .)"
echo 'values set.key a' >>"$tree/random.rules"
sed -i 's/^values index 0 5/values index 99/; s/^weight select 1/weight select 3/' "$tree/random.rules"
expect_refused 'too many errors' 'FAIL' compat same --only random --commands 5000

finish
