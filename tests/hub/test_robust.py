"""test_robust.py: killed at random moments, and fed with headers and JSON that were changed at random. OCLM_FUZZ_RUNS asks for more of the latter."""

import random
import unittest

from hub_case import *

SHARDS = {f"model-{i}.safetensors": noise(3 << 20, i) for i in range(3)}
SHARDED = {
    "config.json": MODEL["config.json"], "tokenizer.json": b'{"a": 1}' * 1000, **SHARDS,
    "model.safetensors.index.json": json.dumps({"metadata": {"total_size": 1}, "weight_map": {str(i): name for i, name in enumerate(SHARDS)}}).encode(),
}


class Killed(HubCase):
    """Fifty kills in all. Whatever was there when the process died, the next one completes the model."""

    def setUp(self):
        super().setUp()
        self.commit = self.hub.repo("o/shards", SHARDED).refs["main"]

    def complete(self):
        self.download(model="o/shards")
        for path, data in SHARDED.items():
            self.assert_cached(path, data, model="o/shards", commit=self.commit)
        verified = self.oclm("cache", "verify", "o/shards")
        self.assertEqual(verified.status, DONE, verified.out + verified.err)

    def kill_at_random(self, seed):
        chance = random.Random(seed)
        begin = time.monotonic()
        self.complete()
        longest = time.monotonic() - begin
        kills = 0
        while kills < 10:
            subprocess.run(["rm", "-rf", self.cache], check=True)
            for _ in range(chance.randint(1, 3)):
                process = self.start("download", "o/shards")
                time.sleep(chance.uniform(0, longest))
                process.kill()
                process.communicate()
                kills += 1
            self.complete()
        self.download(model="o/shards", env={"HF_HUB_OFFLINE": "1"})

    @slow
    def test_K1_killed(self):
        self.kill_at_random(1)

    @slow
    def test_K2_killed(self):
        self.kill_at_random(2)

    @slow
    def test_K3_killed(self):
        self.kill_at_random(3)

    @slow
    def test_K4_killed(self):
        self.kill_at_random(4)

    @slow
    def test_K5_killed(self):
        self.kill_at_random(5)

    def test_K6_one_of_four_is_killed(self):
        chance = random.Random(6)
        for _ in range(3):
            subprocess.run(["rm", "-rf", self.cache], check=True)
            processes = [self.start("download", "o/shards") for _ in range(4)]
            time.sleep(chance.uniform(0.02, 0.2))
            processes[chance.randrange(4)].kill()
            for process in processes:
                process.communicate(timeout=60)
            self.assertGreaterEqual([process.returncode for process in processes].count(0), 3)
            self.complete()


class Mutated(HubCase):
    """Nothing a hub says makes the command crash, hang or write outside its cache."""

    def mutate(self, chance, data):
        data = bytearray(data)
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(len(data) + 1)
            kind = chance.randrange(5)
            if kind == 0:
                data[at:at] = chance.choice([b"../", b"\0", b"\xff\xff", b'"', b"{", b"[" * 300, b"9" * 40, b"\\u0000", b"-", b"\r\n", b"%2e%2e/", b":"])
            elif kind == 1 and data:
                del data[at : at + chance.randint(1, 20)]
            elif kind == 2 and at < len(data):
                data[at] = chance.randrange(256)
            elif kind == 3:
                end = min(len(data), at + chance.randint(1, 40))
                data[at:at] = data[at:end]
            else:
                data = data[: max(1, at)]
        return bytes(data)

    def survives(self, model, runs, prepare):
        def limited():
            return self.oclm("download", model, env={"HF_TOKEN": "hf_good", "HF_HUB_ETAG_TIMEOUT": "1", "HF_HUB_DOWNLOAD_TIMEOUT": "1"}, timeout=90)

        before = set(tree(self.scratch))
        for seed in range(runs):
            with self.subTest(seed=seed):
                self.hub.rules = []
                self.hub.forget()
                prepare(random.Random(seed))
                # A lie may make it try again for as long as a broken network would: the rest of the run is honest.
                result = limited()
                self.assertIn(result.status, (DONE, OTHER, USAGE, NOT_FOUND, BROKEN), result.err)
                made = [path for path in set(tree(self.scratch)) - before
                        if path not in ("home", "home/hub", "home/hub/CACHEDIR.TAG", "home/hub/.locks")
                        and not path.startswith((f"home/hub/models--{model.replace('/', '--')}", f"home/hub/.locks/models--{model.replace('/', '--')}"))]
                self.assertEqual(made, [])
                subprocess.run(["rm", "-rf", self.home], check=True)

    def runs(self, usual):
        return int(os.environ.get("OCLM_FUZZ_RUNS", usual))

    def test_Z1_headers(self):
        etag = Content(MODEL["config.json"]).git_id
        head = (f"HTTP/1.1 200 OK\r\nX-Repo-Commit: {self.commit}\r\nETag: \"{etag}\"\r\nX-Linked-Etag: \"{etag}\"\r\nX-Linked-Size: 42\r\n"
                f"Content-Length: 42\r\nLocation: /o/m/resolve/main/config.json\r\nRateLimit: \"api\";r=1;t=1\r\nX-Error-Code: x\r\n\r\n").encode()

        def prepare(chance):
            self.hub.rule(path="*config.json*", method="HEAD", raw=self.mutate(chance, head), times=1)
            self.hub.rule(path="*config.json*", method="HEAD", status=400)

        self.survives("o/m", self.runs(60), prepare)

    def test_Z2_index(self):
        def prepare(chance):
            self.hub.repo("o/shards", {**SHARDED, "model.safetensors.index.json": self.mutate(chance, SHARDED["model.safetensors.index.json"])})

        self.survives("o/shards", self.runs(40), prepare)

    @slow
    def test_Z3_range_answers(self):
        def prepare(chance):
            size = len(MODEL["model.safetensors"])
            head = f"HTTP/1.1 206 OK\r\nContent-Range: bytes 1000-{size - 1}/{size}\r\nContent-Length: {size - 1000}\r\n\r\n".encode()
            self.hub.rule(listener="cdn", cut=1000, times=1)
            self.hub.rule(listener="cdn", raw=self.mutate(chance, head) + MODEL["model.safetensors"][1000:], times=1)

        self.survives("o/m", self.runs(10), prepare)

    def test_Z4_listing(self):
        def prepare(chance):
            listing = json.dumps([{"type": "file", "path": path, "size": len(data), "oid": Content(data).git_id} for path, data in MODEL.items()])
            self.hub.rule(path="/api/*", status=200, body=self.mutate(chance, listing.encode()))

        original = self.oclm
        self.oclm = lambda *words, **how: original(*words, "--include", "*", **how)
        self.survives("o/m", self.runs(40), prepare)


if __name__ == "__main__":
    unittest.main()
