#!/usr/bin/env python3
"""run_cases.py: runs the numbered cases of the files named, several at a time, for most of a case is waiting.

usage: run_cases.py --oclm PATH [--jobs N] [--only PATTERN] FILE...      e.g. --only 'F0*'; no FILE: all
A case is a method test_F07_what_it_shows; its number is what stands between the first two underscores. Ends with 77 where all are skipped.
"""

import argparse
import concurrent.futures
import fnmatch
import importlib
import os
import signal
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))


def number(case):
    return case._testMethodName.split("_")[1]


def run(case):
    result = unittest.TestResult()
    begin = time.monotonic()
    case.run(result)
    return result, time.monotonic() - begin


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--oclm", required=True, help="the command to test")
    options.add_argument("--jobs", type=int, default=6)
    options.add_argument("--only", default="*", help="a pattern for numbers")
    options.add_argument("files", nargs="*", help="modules of this folder, as test_normal")
    arguments = options.parse_args()
    os.environ["OCLM_COMMAND"] = os.path.abspath(arguments.oclm)
    # Shells start what runs in the background with SIGINT ignored, and the command would inherit that: cases that interrupt it need it.
    signal.signal(signal.SIGINT, signal.default_int_handler)

    cases = []
    here = os.path.dirname(os.path.abspath(__file__))
    for name in arguments.files or sorted(name[:-3] for name in os.listdir(here) if name.startswith("test_") and name.endswith(".py")):
        for suite in unittest.defaultTestLoader.loadTestsFromModule(importlib.import_module(name)):
            cases += [case for case in suite if fnmatch.fnmatchcase(number(case), arguments.only)]
    # The slowest first, so that they run beside the others; a class says so by its attribute `slow`.
    cases.sort(key=lambda case: not getattr(case, case._testMethodName).__dict__.get("slow", False))
    failed = skipped = 0
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        running = {pool.submit(run, case): case for case in cases}
        for future in concurrent.futures.as_completed(running):
            case = running[future]
            result, seconds = future.result()
            word = "ok"
            if result.skipped:
                word, skipped = f"skipped: {result.skipped[0][1]}", skipped + 1
            troubles = [text for _, text in result.failures + result.errors]
            if troubles:
                word, failed = "FAILED", failed + 1
            print(f"{case._testMethodName[5:]:60} {seconds:6.2f} s  {word}", flush=True)
            for text in troubles:
                print(text, flush=True)
    print(f"{len(cases)} cases, {failed} failed, {skipped} skipped")
    if failed or not cases:
        return 1
    return 77 if skipped == len(cases) else 0


if __name__ == "__main__":
    sys.exit(main())
