#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Prints what a Prometheus exporter tells about a server: the metrics, sorted, without their values.

    metrics.py URL

A label's value is kept where it says what is measured (a command, a database, a directive, a code of
errors, a key), and left out where it is a measurement itself (an address, a version, a time).
"""
import re
import sys
import urllib.request

TELLING = {"cmd", "db", "err", "event_name", "key"}
METRIC = re.compile(r"(\w+)(?:\{(.*)\})? \S+")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def name_of(line):
    name, labels = METRIC.fullmatch(line).groups()
    parts = [
        f"{label}={value}" if label in TELLING else label
        for label, value in LABEL.findall(labels or "")
    ]
    return f"{name}{{{','.join(parts)}}}" if parts else name


def main():
    with urllib.request.urlopen(sys.argv[1], timeout=20) as reply:
        lines = reply.read().decode().splitlines()
    print(*sorted({name_of(line) for line in lines if line.startswith("redis_")}), sep="\n")


main()
