"""hub_case.py: what every case of the hub has: a loopback hub, a folder of its own as home and cache, and the `oclm` command.

A case never sees the user's own cache, token or proxy: the environment of the command is built from nothing.
"""

import collections
import contextlib
import ctypes
import fcntl
import hashlib
import json
import os
import random
import shutil
import signal
import stat
import subprocess
import tempfile
import time
import unittest

from loopback_hub import LoopbackHub
from loopback_repo import Content, is_lfs

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STORIES = os.path.join(SOURCE, "samples", "models", "stories")

# Exit statuses of the command.
DONE, OTHER, USAGE, NOT_FOUND, DEVICE, BROKEN = 0, 1, 2, 3, 5, 6

LIBC = ctypes.CDLL(None)
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1

Result = collections.namedtuple("Result", "status out err")


def noise(size, seed=1):
    return random.Random(seed).randbytes(size)


# Files in memory, where that can be had: what a busy disk does to the time a case takes is no matter here.
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) and shutil.disk_usage("/dev/shm").free > 1 << 30 else None

# A model as far as downloading is concerned.
MODEL = {
    "config.json": b'{"model_type": "llama", "vocab_size": 16}\n',
    "tokenizer.json": b'{"version": "1.0"}\n',
    "model.safetensors": noise(300_000),
}


def slow(case):
    """Marks a case that waits for seconds, so that it starts early."""
    case.slow = True
    return case


def tree(top):
    """{path below top: (kind and mode, text of a link or hash of a file)}: what is there, to compare before and after."""
    found = {}
    for where, folders, files in os.walk(top):
        for name in folders + files:
            full = os.path.join(where, name)
            status = os.lstat(full)
            what = None
            if stat.S_ISLNK(status.st_mode):
                what = os.readlink(full)
            elif stat.S_ISREG(status.st_mode):
                with open(full, "rb") as file:
                    what = hashlib.sha256(file.read()).hexdigest()
            found[os.path.relpath(full, top)] = (status.st_mode, what)
    return found


def lock_is_free(path):
    with open(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            return False


def without_override():
    """For `preexec_fn`: whoever may write everywhere (root) may do so no more, so that modes count. Nothing to do for others."""
    if os.getuid() == 0 and LIBC.prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0) != 0:
        raise OSError("prctl")


class HubCase(unittest.TestCase):
    hub_options = {}

    def setUp(self):
        self.scratch = tempfile.mkdtemp(prefix="oclm-hub-", dir=MEMORY)
        self.addCleanup(self.remove_scratch)
        self.home = os.path.join(self.scratch, "home")
        self.cache = os.path.join(self.home, "hub")
        self.work = os.path.join(self.scratch, "work")
        os.mkdir(self.work)
        self.hub = LoopbackHub(**self.hub_options)
        self.addCleanup(self.hub.close)
        self.model = self.hub.repo("o/m", MODEL)
        self.commit = self.model.refs["main"]

    def remove_scratch(self):
        for where, folders, _ in os.walk(self.scratch):
            for name in folders:
                with contextlib.suppress(OSError):
                    os.chmod(os.path.join(where, name), 0o700)
        shutil.rmtree(self.scratch, ignore_errors=True)

    # Running the command.

    def environment(self, **more):
        """Names with None are left out."""
        environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": self.scratch, "HF_HOME": self.home, "HF_ENDPOINT": self.hub.url,
            "HF_HUB_ETAG_TIMEOUT": "2", "HF_HUB_DOWNLOAD_TIMEOUT": "2", "LC_ALL": "C.UTF-8",
        }
        # Kernels are compiled once for all cases, not once for each one's home.
        environment["POCL_CACHE_DIR"] = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "pocl", "kcache")
        for name, value in os.environ.items():
            if name.endswith("SAN_OPTIONS") or name.startswith(("OCL_", "POCL_", "OCLM_CACHE_DIR")):
                environment[name] = value
        environment.update(more)
        return {name: value for name, value in environment.items() if value is not None}

    def start(self, *arguments, env=None, **how):
        return subprocess.Popen([os.environ["OCLM_COMMAND"], *arguments], env=self.environment(**(env or {})),
                                cwd=how.pop("cwd", self.work), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **how)

    def finish(self, process, timeout=120):
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            self.fail(f"did not end within {timeout} s; said:\n{err.decode(errors='replace')}")
        result = Result(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))
        # S16: whatever a case is about, no token is ever said.
        for token in self.hub.tokens | {"hf_bad"}:
            self.assertNotIn(token, result.out + result.err, "a token was printed")
        self.assertGreaterEqual(result.status, 0, f"ended by signal {-result.status}; said:\n{result.err}")
        for word in ("Sanitizer", "runtime error:"):
            self.assertNotIn(word, result.err)
        return result

    def oclm(self, *arguments, env=None, timeout=120, **how):
        return self.finish(self.start(*arguments, env=env, **how), timeout)

    def download(self, *arguments, model="o/m", status=DONE, **how):
        """`oclm download MODEL ...`, which must end with `status` (None: anything but 0 and a crash)."""
        result = self.oclm("download", model, *arguments, **how)
        told = f"oclm download {model} {' '.join(arguments)} ended with {result.status}\n{result.out}{result.err}"
        if status is None:
            self.assertNotEqual(result.status, DONE, told)
        else:
            self.assertEqual(result.status, status, told)
        return result

    def fetch(self, path="config.json", *arguments, **how):
        """Downloads one file."""
        return self.download("--include", path, *arguments, **how)

    def refused(self, *arguments, says=(), **how):
        """A download that must fail with words that help: each of `says`, in any case."""
        result = self.download(*arguments, **{"status": NOT_FOUND, **how})
        self.assert_says(result, *([says] if isinstance(says, str) else says))
        return result

    def assert_says(self, result, *words):
        for word in words:
            self.assertIn(word.lower(), result.err.lower())

    def assert_waits(self, expected, env=None):
        """The first requests of a download come so many seconds apart. It is killed then: the rest is more of the same."""
        for _ in range(3):
            gaps = self.first_gaps(len(expected), env=env)
            self.assert_no_sooner(gaps, expected)
            if gaps == expected:
                return
            # Later than it should: a busy machine may do that, but not three times.
        self.fail(f"waits {gaps} s, not {expected}")

    def assert_no_sooner(self, gaps, expected):
        self.assertEqual(len(gaps), len(expected), f"waits {gaps} s, not {expected}")
        self.assertTrue(all(gap >= wait for gap, wait in zip(gaps, expected)), f"waits {gaps} s, not {expected}")

    def first_gaps(self, count, *arguments, env=None):
        """Seconds between the first requests of a download that is killed once it asked `count` + 1 times."""
        self.hub.forget()
        process = self.start("download", "o/m", *arguments, env=env)
        until = time.monotonic() + 60
        while len(self.hub.log) <= count and process.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        process.kill()
        process.communicate()
        return self.gaps()[:count]

    # What the cache holds.

    def folder(self, model="o/m", cache=None):
        return os.path.join(cache or self.cache, "models--" + model.replace("/", "--"))

    def pointer(self, path, commit=None, model="o/m"):
        return os.path.join(self.folder(model), "snapshots", commit or self.commit, path)

    def assert_cached(self, path, data=None, commit=None, model="o/m", ref="main", umask=0o022):
        """The blob, its pointer and the ref lie as huggingface_hub lays them."""
        commit = commit or self.commit
        content = Content(MODEL[path] if data is None else data)
        etag = content.sha256 if is_lfs(path) and content.size else content.git_id
        pointer = self.pointer(path, commit, model)
        self.assertTrue(os.path.islink(pointer), f"{pointer} is no link; there is:\n" + "\n".join(tree(self.home)))
        self.assertEqual(os.readlink(pointer), "../" * (2 + path.count("/")) + "blobs/" + etag)
        with open(pointer, "rb") as file:
            self.assertEqual(Content(file.read()).sha256, content.sha256, "the content differs")
        blob = os.path.join(self.folder(model), "blobs", etag)
        self.assertEqual(stat.S_IMODE(os.lstat(blob).st_mode), 0o666 & ~umask)
        if ref:
            self.assert_ref(commit, ref, model)

    def assert_ref(self, commit, ref="main", model="o/m"):
        with open(os.path.join(self.folder(model), "refs", ref), "rb") as file:
            self.assertEqual(file.read(), commit.encode())

    def assert_no_residue(self):
        """No temporary file, and every lock is free."""
        for path in tree(self.scratch):
            self.assertFalse(path.endswith((".incomplete", ".tmp")), path)
            if path.endswith(".lock"):
                self.assertTrue(lock_is_free(os.path.join(self.scratch, path)), f"{path} is held")

    def assert_nothing_of(self, path, model="o/m"):
        """No blob, no pointer and no temporary file of this file."""
        self.assert_no_residue()
        found = [name for name in tree(self.folder(model)) if name.endswith("/" + path) and not name.startswith(".no_exist")]
        self.assertEqual(found, [])
        data = MODEL.get(path)
        if data is not None:
            self.assertNotIn("blobs/" + (Content(data).sha256 if is_lfs(path) else Content(data).git_id), tree(self.folder(model)))

    def asked(self, pattern="*", listener=None, method=None):
        """How often, as (listener, method, path without query) in order."""
        return [(entry["listener"], entry["method"], entry["path"].split("?")[0])
                for entry in self.hub.requests(pattern, listener, method)]

    def gaps(self, pattern="*", **which):
        """Seconds between the requests, rounded."""
        times = [entry["time"] for entry in self.hub.requests(pattern, **which)]
        return [round(after - before) for before, after in zip(times, times[1:])]

    # A cache as another program left it.

    def lay(self, path, data, commit=None, ref="main", model="o/m", cache=None):
        """Puts a file into the cache the way huggingface_hub does, without a download."""
        folder = self.folder(model, cache)
        commit = commit or self.commit
        content = Content(data)
        etag = content.sha256 if is_lfs(path) else content.git_id
        blob, pointer = os.path.join(folder, "blobs", etag), os.path.join(folder, "snapshots", commit, path)
        for name in (blob, pointer):
            os.makedirs(os.path.dirname(name), exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)
        with open(blob, "wb") as file:
            file.write(data)
        os.symlink("../" * (2 + path.count("/")) + "blobs/" + etag, pointer)
        if ref:
            name = os.path.join(folder, "refs", ref)
            os.makedirs(os.path.dirname(name), exist_ok=True)
            with open(name, "w") as file:
                file.write(commit)
        return blob, pointer


__all__ = ["HubCase", "MEMORY", "Result", "MODEL", "STORIES", "SOURCE", "DONE", "OTHER", "USAGE", "NOT_FOUND", "DEVICE", "BROKEN",
           "noise", "slow", "tree", "lock_is_free", "Content", "without_override", "json", "os", "signal", "stat", "subprocess", "time"]
