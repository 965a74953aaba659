#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Installs what a package-lock.json lists, once: a stamp remembers for which one that was.
#
#   install.sh [FOLDER]     FOLDER is below this one; without it this one
set -u
cd "$(dirname "$0")/${1:-.}" || exit 1

# Tests that run at the same time install one after the other.
exec 9<package-lock.json && flock 9

stamp=node_modules/.installed
cmp -s package-lock.json "$stamp" && exit 0
command -v npm >/dev/null || { echo 'npm is not installed (deps/install.sh test)'; exit 1; }
npm ci --ignore-scripts --no-audit --no-fund --loglevel=error || exit 1
cp package-lock.json "$stamp"
