"""test_together.py: cases C and I: several processes, and caches that another program wrote. Python itself takes part in interop.py."""

import fcntl
import threading
import unittest

from hub_case import *

WEIGHTS = "model.safetensors"


class Together(HubCase):
    def weights_fetched(self):
        return len(self.asked(listener="cdn", method="GET"))

    def lock_path(self, path=WEIGHTS):
        content = Content(MODEL[path])
        etag = content.sha256 if path == WEIGHTS else content.git_id
        return os.path.join(self.cache, ".locks", "models--o--m", etag + ".lock")

    def take_lock(self):
        os.makedirs(os.path.dirname(self.lock_path()), exist_ok=True)
        file = open(self.lock_path(), "a")
        fcntl.flock(file, fcntl.LOCK_EX)
        return file

    def all_succeed(self, processes):
        for process in processes:
            result = self.finish(process)
            self.assertEqual(result.status, DONE, result.err)

    def test_C01_two_four_eight_processes(self):
        self.hub.rule(listener="cdn", rate=2_000_000)
        for count in (2, 4, 8):
            self.hub.forget()
            self.all_succeed([self.start("download", "o/m") for _ in range(count)])
            self.assertEqual(self.weights_fetched(), 1)
            for path in MODEL:
                self.assert_cached(path)
            self.assert_no_residue()
            subprocess.run(["rm", "-rf", self.cache], check=True)

    def test_C02_somebody_else_holds_the_lock(self):
        held = self.take_lock()
        process = self.start("download", "o/m")
        time.sleep(2)
        self.assertIsNone(process.poll(), "it did not wait")
        self.assertEqual(self.weights_fetched(), 0)
        held.close()
        self.all_succeed([process])
        self.assert_cached(WEIGHTS)

    def test_C03_the_lock_file_is_removed_meanwhile(self):
        old = self.take_lock()
        process = self.start("download", "o/m")
        time.sleep(1)
        # At one stroke, or the process could be the one that makes the new file.
        new = open(self.lock_path() + ".new", "a")
        fcntl.flock(new, fcntl.LOCK_EX)
        os.rename(new.name, self.lock_path())
        old.close()
        time.sleep(1)
        self.assertEqual(self.weights_fetched(), 0, "it trusts the lock on a file that is gone")
        new.close()
        self.all_succeed([process])
        self.assert_cached(WEIGHTS)

    def test_C04_locks_do_not_exist(self):
        self.all_succeed([self.start("download", "o/m", env=self.broken_system(BROKEN_LOCKS="fail"))])
        self.assert_cached(WEIGHTS)

    def test_C05_locks_do_not_lock(self):
        self.hub.rule(listener="cdn", rate=600_000)
        self.all_succeed([self.start("download", "o/m", env=self.broken_system(BROKEN_LOCKS="lie")) for _ in range(4)])
        self.assertGreaterEqual(self.weights_fetched(), 2)
        self.assert_cached(WEIGHTS)
        self.assert_no_residue()

    @slow
    def test_slow_disk(self):
        """A file that takes long to reach the disk must not make the hub look dead: the time-outs are the network's."""
        shards = {f"model-{i}.safetensors": noise(size, size) for i, size in enumerate((300_000, 1_000_000))}
        index = json.dumps({"weight_map": {str(i): name for i, name in enumerate(shards)}}).encode()
        self.hub.repo("o/shards", {"config.json": MODEL["config.json"], "model.safetensors.index.json": index, **shards})
        self.hub.rule(listener="cdn", rate=250_000)
        environment = self.broken_system(SLOW_SYNC="6", BROKEN_LOCKS="lie")
        # No less than 3 s: libcurl looks at a transfer's speed once a second, and a busy machine is slow to begin one.
        environment.update(HF_HUB_ETAG_TIMEOUT="3", HF_HUB_DOWNLOAD_TIMEOUT="3")
        result = self.download("--verbose", model="o/shards", env=environment)
        self.assertNotIn("warning", result.err)
        self.assertEqual(self.weights_fetched(), 2, "shards were asked for again:\n" + result.err)

    def broken_system(self, **how):
        library = os.environ.get("OCLM_BROKEN_SYSTEM")
        if not library:
            self.skipTest("no library to break the system with (OCLM_BROKEN_SYSTEM; not with sanitizers)")
        return {"LD_PRELOAD": library, **how}

    def test_C07_two_files_of_one_content(self):
        shard = noise(400_000, 3)
        index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
        files = {"config.json": MODEL["config.json"], "model.safetensors.index.json": json.dumps(index).encode(),
                 "model-1.safetensors": shard, "model-2.safetensors": shard}
        commit = self.hub.repo("o/twins", files).refs["main"]
        self.hub.rule(listener="cdn", rate=4_000_000)
        self.download(model="o/twins")
        self.assertEqual(self.weights_fetched(), 1)
        for path in files:
            self.assert_cached(path, files[path], model="o/twins", commit=commit)

    def test_C08_a_ref_is_rewritten_while_it_is_read(self):
        """As huggingface_hub before 1.18 wrote it: emptied, then filled."""
        self.download()
        done = threading.Event()

        def rewrite():
            while not done.is_set():
                file = os.open(os.path.join(self.folder(), "refs", "main"), os.O_WRONLY | os.O_TRUNC)
                os.write(file, self.commit.encode())
                os.close(file)
                time.sleep(0.003)

        thread = threading.Thread(target=rewrite)
        thread.start()
        try:
            for _ in range(20):
                self.download(env={"HF_HUB_OFFLINE": "1"})
        finally:
            done.set()
            thread.join()


class WrittenByOthers(HubCase):
    offline = {"HF_HUB_OFFLINE": "1"}

    def lay_all(self):
        return {path: self.lay(path, data) for path, data in MODEL.items()}

    def found_offline(self):
        result = self.download(env=self.offline)
        self.assertEqual(self.asked(), [])
        return result

    def test_I02_as_a_snapshot_download_leaves_it(self):
        laid = self.lay_all()
        folder = self.folder()
        os.mkdir(os.path.join(folder, "trees"))
        with open(os.path.join(folder, "trees", self.commit + ".json"), "w") as file:
            json.dump({"format_version": 1, "files": {path: {"size": len(data), "blob_id": "0" * 40} for path, data in MODEL.items()}}, file)
        os.makedirs(os.path.join(folder, ".no_exist", self.commit))
        open(os.path.join(folder, ".no_exist", self.commit, "generation_config.json"), "w").close()
        before = tree(self.home)
        self.found_offline()
        self.assertEqual(tree(self.home), before)
        self.assertEqual(len(laid), 3)

    def test_I02_shared_blobs(self):
        """Since 2.0 a blob may itself be a link, into a store that the whole cache shares."""
        blob, _ = self.lay_all()[WEIGHTS]
        shared = os.path.join(self.cache, "blobs", "ab", "ab" * 32)
        os.makedirs(os.path.dirname(shared))
        os.rename(blob, shared)
        os.chmod(shared, 0o444)
        os.symlink("../../blobs/ab/" + "ab" * 32, blob)
        with open(os.path.join(self.cache, "blobs", ".huggingface-shared-blobs"), "w") as file:
            file.write("1\n")
        self.found_offline()
        self.hub.forget()
        self.download()
        self.assertEqual(self.hub.requests(listener="cdn"), [])
        listed = self.oclm("cache", "list")
        self.assertEqual(listed.status, DONE, listed.err)
        verified = self.oclm("cache", "verify")
        self.assertEqual(verified.status, DONE, verified.err)
        self.oclm("cache", "remove", "o/m")
        self.assertTrue(os.path.exists(shared), "a blob of the whole cache was removed")

    def test_I03_without_links(self):
        for path, data in MODEL.items():
            name = self.pointer(path)
            os.makedirs(os.path.dirname(name), exist_ok=True)
            with open(name, "wb") as file:
                file.write(data)
        os.makedirs(os.path.join(self.folder(), "refs"))
        with open(os.path.join(self.folder(), "refs", "main"), "w") as file:
            file.write(self.commit)
        self.found_offline()
        self.hub.forget()
        self.download()
        self.assertEqual(self.hub.requests(listener="cdn"), [])

    def test_I06_known_absent(self):
        self.download()
        for path in ("generation_config.json", "chat_template.jinja"):
            known = os.path.join(self.folder(), ".no_exist", self.commit, path)
            self.assertTrue(os.path.isfile(known) and os.path.getsize(known) == 0, path)


class CacheCommand(HubCase):
    def listed(self):
        result = self.oclm("cache", "list", "--json")
        self.assertEqual(result.status, DONE, result.err)
        return json.loads(result.out)

    def test_list_verify_remove(self):
        self.download()
        self.hub.repo("gpt2", {"config.json": b"{}", WEIGHTS: b"1"})
        self.download(model="gpt2")
        listed = self.listed()
        repos = {repo["id"]: repo for repo in listed["repos"]}
        self.assertEqual(sorted(repos), ["gpt2", "o/m"])
        self.assertEqual(repos["o/m"]["size_on_disk"], sum(map(len, MODEL.values())))
        self.assertEqual([revision["commit"] for revision in repos["o/m"]["revisions"]], [self.commit])
        self.assertEqual(self.oclm("cache", "verify").status, DONE)
        # One byte of a blob is another: verify tells which.
        blob = os.path.realpath(self.pointer(WEIGHTS))
        with open(blob, "r+b") as file:
            file.write(bytes([MODEL[WEIGHTS][0] ^ 1]))
        spoilt = self.oclm("cache", "verify")
        self.assertEqual(spoilt.status, BROKEN)
        self.assertIn(WEIGHTS, spoilt.out + spoilt.err)
        self.assertEqual(self.oclm("cache", "verify", "gpt2").status, DONE)
        self.assertEqual(self.oclm("cache", "remove", "o/m").status, DONE)
        self.assertEqual([repo["id"] for repo in self.listed()["repos"]], ["gpt2"])
        self.assertFalse(os.path.exists(blob))
        self.assertEqual(self.oclm("cache", "remove", "o/m").status, NOT_FOUND)

    def test_what_a_killed_writer_leaves_is_no_ref(self):
        self.download()
        for name, text in (("main.12345678.tmp", ""), ("main.87654321.tmp", self.commit)):
            with open(os.path.join(self.folder(), "refs", name), "w") as file:
                file.write(text)
        self.assertEqual([revision["refs"] for repo in self.listed()["repos"] for revision in repo["revisions"]], [["main"]])
        self.assertEqual(self.oclm("cache", "verify").status, DONE)

    def test_remove_never_leaves_the_cache(self):
        self.download()
        precious = os.path.join(self.scratch, "precious")
        os.mkdir(precious)
        with open(os.path.join(precious, "file"), "w") as file:
            file.write("keep me")
        os.symlink(precious, os.path.join(self.folder(), "snapshots", "0" * 40))
        self.oclm("cache", "remove", "o/m")
        self.assertTrue(os.path.exists(os.path.join(precious, "file")))
        for name in ("..", "../home", "/", ""):
            self.assertEqual(self.oclm("cache", "remove", name).status, USAGE, name)

    def test_list_of_no_cache(self):
        result = self.oclm("cache", "list", "--json")
        self.assertEqual(result.status, DONE, result.err)
        self.assertEqual(json.loads(result.out)["repos"], [])
        self.assertFalse(os.path.exists(self.home), "looking made a folder")


if __name__ == "__main__":
    unittest.main()
