#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Each check of `make check` accepts a clean tree and refuses what it is there to refuse.
# shellcheck source=tests/support/house.sh
. "$(dirname "$0")/../support/house.sh"

make_tree
for check in layers headers globals size; do
    expect_ok "clean tree, check-$check" make "check-$check"
done
expect_ok 'clean tree, format-check' make format-check
expect_ok 'clean tree, lint' make lint
expect_ok 'clean tree, unit test' make test-unit
expect_said 'clean tree, all at once' 'check: all passed' make -j2 check test

# ---- check-layers
plant src/base/up.c <<'END'
#include "ds/two.h"
END
expect_refused 'include upwards' 'base/ (level 0) includes ds/ (level 1)' make check-layers
make_tree
plant src/resp/neighbour.c <<'END'
#include "ds/two.h"
END
expect_refused 'include of a neighbour' 'resp/ includes its neighbour ds/' make check-layers
make_tree
plant src/ds/relative.c <<'END'
#include "../base/one.h"
END
expect_refused 'relative include' 'is not written from src/' make check-layers
make_tree
plant src/ds/angled.c <<'END'
#include <base/one.h>
END
expect_refused 'own header in angle brackets' 'include it in quotes' make check-layers
make_tree
plant src/base/one_internal.h <<'END'
#pragma once
END
plant src/ds/peek.c <<'END'
#include "base/one_internal.h"
END
expect_refused 'internal header of another folder' 'is for base/ only' make check-layers
make_tree
plant src/attic/old.c <<'END'
#include <stddef.h>
END
expect_refused 'unknown folder' 'lies in no folder of layers.txt' make check-layers

# A call upwards without the include gets past the scan, but not past the linker.
make_tree
plant src/base/leak.c <<'END'
#include <stddef.h>

size_t two_length(void);
size_t leak(void);

size_t leak(void)
{
    return two_length();
}
END
expect_refused 'call upwards' "undefined reference to \`two_length'" make test-unit

# ---- check-headers
make_tree
plant src/base/needy.h <<'END'
#pragma once

size_t needy(void);
END
expect_refused 'header that needs another' 'src/base/needy.h: does not compile alone' \
    make check-headers
make_tree
plant src/base/twice.h <<'END'
struct twice {
    int x;
};
END
expect_refused 'header without a guard' 'redefinition of' make check-headers

# ---- check-globals
for kind in 'int counter;' 'static int counter = 7;' 'static _Thread_local int counter;' \
    'static const char *counter = "x";'; do
    make_tree
    plant src/base/state.c <<END
$kind

int *state(void);

int *state(void)
{
    return (int *)&counter;
}
END
    expect_refused "global '$kind'" 'src/base/state.c: writable global counter' make check-globals
done
make_tree
plant src/base/state.c <<'END'
int state(void);

int state(void)
{
    static int calls;
    return ++calls;
}
END
expect_refused 'static in a function' 'src/base/state.c: writable global calls' make check-globals
echo 'src/base/state.c | calls | counts its calls' >>"$tree/utils/check/globals.allow"
expect_ok 'global on the list' make check-globals
rm "$tree/src/base/state.c"
expect_refused 'entry without a global' 'there is no such global' make check-globals
make_tree
echo 'src/base/state.c | calls' >>"$tree/utils/check/globals.allow"
expect_refused 'entry without a reason' 'not of the form' make check-globals

# ---- check-size
# Writes a function of $2 lines, head and braces included, to $1.
plant_function() {
    {
        printf '#include <stdio.h>\n\nstatic void show(int a,\n                 int b)\n{\n'
        for ((i = 0; i < $2 - 4; i++)); do echo '    puts("line");'; done
        echo '}'
    } | plant "$1"
}
make_tree
plant_function src/base/long.c 70
expect_ok 'function of 70 lines' make check-size
plant_function src/base/long.c 71
expect_refused 'function of 71 lines' 'src/base/long.c:3: src/base/long.c:show has 71 lines' \
    make check-size
echo 'src/base/long.c:show | 71 | a list that reads best in one piece' \
    >>"$tree/utils/check/size.allow"
expect_ok 'long function on the list' make check-size
plant_function src/base/long.c 72
expect_refused 'longer than the list says' 'has 72 lines, allowed are 71' make check-size
plant_function src/base/long.c 70
expect_refused 'entry not needed any more' 'not needed any more' make check-size
make_tree
(
    echo '#pragma once'
    for ((i = 0; i < 200; i++)); do echo "int x$i(void);"; done
) | plant src/base/long.h
expect_refused 'header of 201 lines' 'src/base/long.h has 201 lines' make check-size
make_tree
for ((i = 0; i < 1001; i++)); do echo "int x$i(void);"; done | plant src/base/long.c
echo 'src/base/long.c | 2000 | no reason is good enough' >>"$tree/utils/check/size.allow"
expect_refused 'file of 1,001 lines' 'at most 1000 are allowed' make check-size

make_tree
plant src/base/deep.c <<'END'
static const int table[] = {
    1,
};

int deep(int a);

int deep(int a)
{
    for (int i = 0; i < a; i++) {
        if (a > i) {
            int list[] = {
                table[0],
            };
            while (a > 0) {
                a -= list[0];
            }
        }
    }
    return a;
}
END
expect_ok 'three levels' make check-size
sed -i 's/^                a -= list.*/                if (a > 7) {\n                    a--;\n                }/' \
    "$tree/src/base/deep.c"
expect_refused 'four levels' 'src/base/deep.c:deep nesting has 4 levels' make check-size
echo 'src/base/deep.c:deep nesting | 4 | a parser' >>"$tree/utils/check/size.allow"
expect_ok 'four levels on the list' make check-size

# ---- format-check
make_tree
sed -i 's/^    return one/  return one/' "$tree/src/ds/two.c"
expect_refused 'wrong indentation' 'src/ds/two.c' make format-check
expect_ok 'format' make format
expect_ok 'after format' make format-check

# ---- lint
make_tree
plant src/base/divide.c <<'END'
int divide(int a);

int divide(int a)
{
    int zero = 0;
    if (a > 0)
        zero = a - a;
    return a / zero;
}
END
expect_refused 'finding of clang-tidy' 'divide.c' make build/lint/src/base/divide.tidy
make_tree
plant src/base/beyond.c <<'END'
int beyond(void);

int beyond(void)
{
    int a[4] = { 0 };
    return a[4];
}
END
expect_refused 'finding of cppcheck' 'arrayIndexOutOfBounds' make build/lint/cppcheck.stamp
make_tree
plant utils/careless.sh <<'END'
#!/bin/sh
rm -r $1
END
expect_refused 'finding of shellcheck' 'SC2086' make build/lint/shellcheck.stamp

finish
