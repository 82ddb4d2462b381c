#!/usr/bin/env python3
"""interop.py: Python's huggingface_hub and oclm use one cache: in turn, at the same moment, and offline. Run by interop.sh.

Each step prints what it showed; the first that fails ends the run with its traceback.
"""

import argparse
import json
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from hub_case import MEMORY, STORIES, noise, tree  # noqa: E402
from loopback_hub import LoopbackHub  # noqa: E402
from loopback_repo import folder_files  # noqa: E402

SHARDED = {
    "config.json": b'{"model_type": "llama"}', "tokenizer.json": b"{}", "generation_config.json": b"{}",
    **{f"model-{i}.safetensors": noise(1 << 20, i) for i in range(4)},
    "model.safetensors.index.json": json.dumps({"metadata": {"total_size": 1}, "weight_map": {str(i): f"model-{i}.safetensors" for i in range(4)}}).encode(),
}


def check(condition, text):
    if not condition:
        raise AssertionError(text)


def python_downloads(hub_url, cache, model, barrier, results, rounds):
    """A process of its own: huggingface_hub fetches the model once a round, at the moment all others do."""
    os.environ.update(HF_ENDPOINT=hub_url, HF_HUB_CACHE=cache, HF_HUB_DISABLE_PROGRESS_BARS="1")
    import huggingface_hub

    for _ in range(rounds):
        barrier.wait()
        try:
            results.put(huggingface_hub.snapshot_download(model))
        except Exception as error:  # whatever it is, the other side reports it
            results.put(error)
        barrier.wait()


class Interop:
    def __init__(self, oclm, rounds):
        self.oclm_path, self.rounds = oclm, rounds
        self.scratch = tempfile.mkdtemp(prefix="oclm-interop-", dir=MEMORY)
        self.home = os.path.join(self.scratch, "home")
        self.cache = os.path.join(self.home, "hub")
        self.hub = LoopbackHub()
        self.hub.repo("gpt2", STORIES)
        self.hub.repo("o/shards", SHARDED)
        os.environ.update(HF_ENDPOINT=self.hub.url, HF_HOME=self.home, HF_HUB_DISABLE_PROGRESS_BARS="1")
        for name in ("HF_TOKEN", "HF_HUB_CACHE", "HF_HUB_OFFLINE"):
            os.environ.pop(name, None)
        # Imported now, because it reads its environment once.
        import huggingface_hub

        self.python = huggingface_hub
        # Before 1.9 it did not know of CACHEDIR.TAG, which later versions and oclm make.
        self.old = tuple(map(int, huggingface_hub.__version__.split(".")[:2])) < (1, 9)
        print(f"huggingface_hub {huggingface_hub.__version__}")

    def oclm(self, *arguments, **environment):
        result = subprocess.run([self.oclm_path, *arguments], env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
                                capture_output=True, text=True, timeout=300)
        check(result.returncode == 0, f"oclm {' '.join(arguments)}: {result.returncode}\n{result.stdout}{result.stderr}")
        return result.stdout

    def empty(self):
        shutil.rmtree(self.home, ignore_errors=True)
        self.hub.forget()

    def scan(self):
        info = self.python.scan_cache_dir(self.cache)
        warnings = [warning for warning in info.warnings if not (self.old and "CACHEDIR.TAG" in str(warning))]
        check(not warnings, warnings)
        return info

    def python_first(self):
        self.empty()
        folder = self.python.snapshot_download("gpt2")
        self.hub.forget()
        words = ("generate", "gpt2", "Once upon a time", "--max-new-tokens", "8")
        before = tree(self.cache)
        by_name = self.oclm(*words, HF_HUB_OFFLINE="1")
        check(by_name == self.oclm("generate", folder, *words[2:]), "another text than from the folder")
        check(self.hub.log == [], "the hub was asked")
        check(tree(self.cache) == before, "the cache was changed")
        check(self.oclm("download", "gpt2").strip() == folder, "another folder")
        check(not self.hub.requests("*safetensors*", method="GET"), "fetched again")
        return "downloaded by Python, generated offline by oclm"

    def oclm_first(self):
        self.empty()
        folder = self.oclm("download", "o/shards").strip()
        self.hub.forget()
        for path, data in SHARDED.items():
            found = self.python.hf_hub_download("o/shards", path, local_files_only=True)
            check(found == os.path.join(folder, path), found)
            with open(found, "rb") as file:
                check(file.read() == data, path)
        check(self.python.snapshot_download("o/shards", local_files_only=True) == folder, "another folder")
        check(isinstance(self.python.try_to_load_from_cache("o/shards", "config.json"), str), "config.json is not known")
        absent = self.python.try_to_load_from_cache("o/shards", "chat_template.jinja")
        check(absent is not None and not isinstance(absent, str), f"chat_template.jinja is not known to be absent: {absent}")
        check(self.hub.log == [], "the hub was asked")
        # Online, Python finds every blob in its place.
        self.python.snapshot_download("o/shards")
        check(not self.hub.requests(listener="cdn"), "fetched again")
        self.scan()
        self.oclm("cache", "verify")
        return "downloaded by oclm, found offline and online by Python"

    def at_once(self):
        barrier, results = multiprocessing.Barrier(3), multiprocessing.SimpleQueue()
        workers = [multiprocessing.Process(target=python_downloads, daemon=True,
                                           args=(self.hub.url, self.cache, "o/shards", barrier, results, self.rounds)) for _ in range(2)]
        for worker in workers:
            worker.start()
        self.hub.rule(listener="cdn", rate=20 << 20)
        chance = random.Random(1)
        fetched = []
        commit = self.hub.repos["o/shards"].refs["main"]
        for number in range(self.rounds):
            self.empty()
            barrier.wait(60)
            running = []
            for _ in range(2):
                time.sleep(chance.uniform(0, 0.15))
                running.append(subprocess.Popen([self.oclm_path, "download", "o/shards"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
            for process in running:
                out, err = process.communicate(timeout=120)
                check(process.returncode == 0, f"round {number}: oclm: {out}{err}")
            barrier.wait(120)
            for _ in workers:
                result = results.get()
                check(isinstance(result, str), f"round {number}: Python: {result!r}")
            fetched.append(len(self.hub.requests(listener="cdn")))
            for path, data in SHARDED.items():
                with open(os.path.join(self.cache, "models--o--shards", "snapshots", commit, path), "rb") as file:
                    check(file.read() == data, f"round {number}: {path}")
            check(not [path for path in tree(self.cache) if path.endswith((".incomplete", ".tmp"))], "something is left")
            self.scan()
        self.oclm("cache", "verify")
        self.hub.rules = []
        check(max(fetched) == 4, f"4 shards were fetched {fetched} times: the locks do not keep the two sides apart")
        for worker in workers:
            worker.join(20)
        return f"{self.rounds} times two of each at once: every shard was fetched once"

    def compare(self, when):
        info = self.scan()
        listed = json.loads(self.oclm("cache", "list", "--json"))
        ours = {repo["id"]: repo for repo in listed["repos"] if repo["type"] == "model"}
        theirs = {repo.repo_id: repo for repo in info.repos if repo.repo_type == "model"}
        check(sorted(ours) == sorted(theirs), f"{when}: {sorted(ours)} and {sorted(theirs)}")
        check(listed["size_on_disk"] == info.size_on_disk, f"{when}: {listed['size_on_disk']} and {info.size_on_disk} bytes")
        for name, repo in theirs.items():
            check(ours[name]["size_on_disk"] == repo.size_on_disk, f"{when}: {name}: {ours[name]['size_on_disk']} and {repo.size_on_disk} bytes")
            check(ours[name]["nb_files"] == repo.nb_files, f"{when}: {name}: {ours[name]['nb_files']} and {repo.nb_files} files")
            revisions = {revision["commit"]: revision for revision in ours[name]["revisions"]}
            check(sorted(revisions) == sorted(revision.commit_hash for revision in repo.revisions), f"{when}: {name}: revisions")
            for revision in repo.revisions:
                mine = revisions[revision.commit_hash]
                check(mine["size_on_disk"] == revision.size_on_disk, f"{when}: {name}: {mine} and {revision.size_on_disk} bytes")
                check(mine["nb_files"] == revision.nb_files, f"{when}: {name}: {mine} and {revision.nb_files} files")
                check(sorted(mine["refs"]) == sorted(revision.refs), f"{when}: {name}: {mine['refs']} and {revision.refs}")
        return len(theirs)

    def lists_agree(self):
        self.empty()
        self.compare("empty") if os.path.isdir(self.cache) else None
        self.oclm("download", "gpt2")
        self.python.snapshot_download("o/shards")
        # A second commit that shares most blobs, under a pull request; a file in folders; an empty file; a repository without links.
        other = {**SHARDED, "config.json": b'{"model_type": "llama", "x": 1}', "sub/dir/a.txt": b"deep", "added_tokens.json": b""}
        main = self.hub.repos["o/shards"].refs["main"]
        pull = self.hub.repos["o/shards"].commit(other, "refs/pr/1")
        self.hub.repos["o/shards"].refs["v1.0"] = main
        self.oclm("download", "o/shards", "--revision", "refs/pr/1", "--include", "*")
        self.oclm("download", "o/shards", "--revision", "v1.0")
        self.hub.repo("plain", folder_files(STORIES))
        self.oclm("download", "plain", HF_HUB_DISABLE_SYMLINKS="1")
        check(self.compare("filled") == 3, "three repositories")
        self.python.scan_cache_dir(self.cache).delete_revisions(pull).execute()
        self.compare("after Python removed a revision")
        main_of_plain = self.hub.repos["plain"].refs["main"]
        self.hub.repos["plain"].commit({**folder_files(STORIES), "config.json": b"{}"})
        self.oclm("download", "plain")
        self.oclm("cache", "remove", "plain", "--revision", main_of_plain)
        self.compare("after oclm removed a revision")
        self.oclm("cache", "remove", "gpt2")
        self.compare("after oclm removed a repository")
        self.oclm("cache", "verify")
        return "oclm cache list and scan_cache_dir agree on sizes, files, revisions and refs"

    def killed(self):
        """What one side leaves when it is killed is no trouble for the other."""
        chance = random.Random(2)
        self.hub.rule(listener="cdn", rate=20 << 20)
        for _ in range(5):
            self.empty()
            process = subprocess.Popen([self.oclm_path, "download", "o/shards"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(chance.uniform(0.01, 0.15))
            process.kill()
            process.wait()
            self.python.snapshot_download("o/shards")
            self.scan()
            self.oclm("cache", "verify")
        self.hub.rules = []
        return "killed oclm, completed by Python"

    def run(self):
        try:
            for step in (self.python_first, self.oclm_first, self.at_once, self.lists_agree, self.killed):
                begin = time.monotonic()
                print(f"  {step()}  ({time.monotonic() - begin:.1f} s)", flush=True)
        finally:
            shutil.rmtree(self.scratch, ignore_errors=True)


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--oclm", required=True)
    options.add_argument("--rounds", type=int, default=15, help="of both at once")
    arguments = options.parse_args()
    multiprocessing.set_start_method("spawn")
    Interop(os.path.abspath(arguments.oclm), arguments.rounds).run()


if __name__ == "__main__":
    main()
