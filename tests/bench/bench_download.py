#!/usr/bin/env python3
"""bench_download.py: how fast a sharded model comes from a loopback hub, against curl and openssl's SHA-256 on as many streams.

usage: bench_download.py [--oclm build/release/runtime/cli/oclm] [--gib 1] [--shards 8] [--streams 8] [--runs 3] [--folder DIR]
Prints seconds and rates of the runs in turn (so that a busy machine troubles both), the ratio of the medians, oclm's peak of resident
memory, and how long it takes to find the model again in the cache, offline. oclm writes through to the disk before it publishes a file;
curl is measured with and without doing so (`sync FILE`).
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(SOURCE, "tests", "hub"))
from loopback_repo import Content  # noqa: E402


def make_model(folder, size, shards):
    names = [f"model-{i + 1:05}-of-{shards:05}.safetensors" for i in range(shards)]
    piece = os.urandom(1 << 20)
    for number, name in enumerate(names):
        with open(os.path.join(folder, name), "wb") as file:
            file.write(number.to_bytes(8, "little"))
            for _ in range(size // shards >> 20):
                file.write(piece)
    with open(os.path.join(folder, "model.safetensors.index.json"), "w") as file:
        json.dump({"metadata": {"total_size": size}, "weight_map": {str(i): name for i, name in enumerate(names)}}, file)
    for name in ("config.json", "tokenizer.json"):
        with open(os.path.join(folder, name), "w") as file:
            file.write("{}")
    return names


def timed(command, **how):
    """(seconds, peak bytes of resident memory)."""
    begin = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **how)
    errors = process.stderr.read().decode(errors="replace")
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.monotonic() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{command}: status {process.returncode}\n{errors}")
    return seconds, used.ru_maxrss * 1024


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--oclm", default=os.path.join(SOURCE, "build", "release", "runtime", "cli", "oclm"))
    options.add_argument("--gib", type=float, default=1)
    options.add_argument("--shards", type=int, default=8)
    options.add_argument("--streams", type=int, default=8, help="of curl; oclm has its own number")
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--folder", help="where to work; default: a temporary folder")
    arguments = options.parse_args()
    for needed in ("curl", "openssl"):
        if not shutil.which(needed):
            sys.exit(f"{needed} is missing: oclm is measured against curl and openssl's SHA-256, which is as fast as the machine's")
    size = int(arguments.gib * (1 << 30))
    scratch = tempfile.mkdtemp(prefix="oclm-bench-", dir=arguments.folder)
    server = None
    try:
        model, home, there = (os.path.join(scratch, name) for name in ("model", "home", "curl"))
        os.mkdir(model)
        names = make_model(model, size, arguments.shards)
        # Its sums are worked out when first asked for: before anything is timed.
        server = subprocess.Popen([sys.executable, os.path.join(SOURCE, "tests", "hub", "loopback_hub.py"), "--repo", f"o/big={model}"],
                                  stdout=subprocess.PIPE, text=True)
        hub = json.loads(server.stdout.readline())
        urls = [f"{hub['cdn']}/blob/{Content(os.path.join(model, name)).sha256}" for name in names]
        environment = {"PATH": os.environ["PATH"], "HOME": scratch, "HF_HOME": home, "HF_ENDPOINT": hub["hub"]}
        timed([arguments.oclm, "download", "o/big"], env=environment)  # the hub now knows its blobs, the page cache its files

        def by_oclm():
            shutil.rmtree(home)
            return timed([arguments.oclm, "download", "o/big"], env=environment)

        def by_curl(then):
            shutil.rmtree(there, ignore_errors=True)
            os.mkdir(there)
            script = 'curl --silent --fail --output "${1##*/}" "$1" && openssl dgst -sha256 "${1##*/}"' + then
            command = ["xargs", "-n", "1", "-P", str(arguments.streams), "sh", "-c", script, "sh"]
            with open(os.path.join(scratch, "urls"), "w") as file:
                file.write("\n".join(urls) + "\n")
            return timed(["sh", "-c", 'exec "$@" < ../urls', "sh", *command], cwd=there)

        kinds = {"curl": lambda: by_curl(""), "curl, synced": lambda: by_curl(' && sync "${1##*/}"'), "oclm": by_oclm}
        seconds = {kind: [] for kind in kinds}
        peak = 0
        for _ in range(arguments.runs):
            for kind, run in kinds.items():
                took, resident = run()
                seconds[kind].append(took)
                peak = max(peak, resident) if kind == "oclm" else peak
        median = {kind: statistics.median(took) for kind, took in seconds.items()}
        for kind, took in seconds.items():
            print(f"{kind:13} {' '.join(f'{one:6.2f}' for one in took)} s   median {size / median[kind] / 1e6:6.0f} MB/s")
        print(f"oclm reaches {median['curl'] / median['oclm']:.0%} of curl's rate, {median['curl, synced'] / median['oclm']:.0%} of curl's with sync; "
              f"peak of resident memory {peak / 1e6:.0f} MB")

        offline = {**environment, "HF_HUB_OFFLINE": "1"}
        found = [timed([arguments.oclm, "download", "o/big"], env=offline)[0] for _ in range(30)]
        started = [timed([arguments.oclm, "--version"], env=offline)[0] for _ in range(30)]
        print(f"found offline in {statistics.median(found) * 1e3:.1f} ms, of which {statistics.median(started) * 1e3:.1f} ms start a process (oclm --version)")
    finally:
        if server:
            server.kill()
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
