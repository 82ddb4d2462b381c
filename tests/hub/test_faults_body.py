"""test_faults_body.py: cases F21 to F31 and F40 to F47: what goes wrong while a body arrives, or with what an earlier try left."""

import resource
import unittest

from hub_case import *

WEIGHTS = "model.safetensors"
CDN = {"listener": "cdn", "method": "GET"}


class Body(HubCase):
    def ranges(self):
        """The Range of every request to the CDN, None where there was none."""
        return [entry["headers"].get("range") for entry in self.hub.requests(listener="cdn")]

    def fails(self, path=WEIGHTS, **how):
        result = self.refused(says=path, **{"status": None, **how})
        self.assert_nothing_of(path)
        return result

    @slow
    def test_F21_longer_than_told(self):
        self.hub.rule(body=MODEL[WEIGHTS] + b"x", **CDN)
        self.fails()

    @slow
    def test_F21_shorter_than_told(self):
        self.hub.rule(body=MODEL[WEIGHTS][:-1], **CDN)
        self.fails()

    def test_F22_wrong_bytes_of_an_lfs_file(self):
        self.hub.rule(corrupt=True, **CDN)
        result = self.fails()
        self.assertEqual(self.ranges(), [None, None])
        self.assert_says(result, "checksum")

    def test_F22_wrong_bytes_of_a_regular_file(self):
        self.hub.rule(path="*config.json*", method="GET", corrupt=True)
        self.fails("config.json")
        self.assertEqual(len(self.asked("*config.json*", method="GET")), 2)

    def test_F22_wrong_once(self):
        self.hub.rule(corrupt=True, times=1, **CDN)
        self.download()
        self.assert_cached(WEIGHTS)

    def test_F23_dropped_and_resumed(self):
        for then in ("close", "reset"):
            self.hub.rules = []
            self.hub.forget()
            self.hub.rule(cut=100_000, then=then, times=1, **CDN)
            self.download()
            got = self.ranges()
            self.assertEqual(len(got), 2)
            self.assertRegex(got[1], r"^bytes=\d+-$")
            if then == "close":
                self.assertEqual(got, [None, "bytes=100000-"])
            self.assert_cached(WEIGHTS)
            self.assert_no_residue()
            subprocess.run(["rm", "-rf", self.cache], check=True)

    def test_F24_range_ignored(self):
        self.hub.rule(cut=100_000, times=1, **CDN)
        self.hub.rule(ignore_range=True, **CDN)
        self.download()
        self.assert_cached(WEIGHTS)

    @slow
    def test_F25_wrong_range(self):
        for value in ("bytes 99999-299999/300000", "bytes 100000-299999/300001", "bytes 100000-299999/*x", None):
            with self.subTest(value=value):
                self.hub.rules = []
                self.hub.forget()
                self.hub.rule(cut=100_000, times=1, **CDN)
                self.hub.rule(set={"Content-Range": value}, times=1, header="range", **CDN)
                self.download()
                self.assertEqual(self.ranges(), [None, "bytes=100000-", None])
                self.assert_cached(WEIGHTS)
                subprocess.run(["rm", "-rf", self.cache], check=True)

    @slow
    def test_F25_wrong_range_again_and_again(self):
        self.hub.rule(set={"Content-Range": "bytes 5-299999/300000"}, header="range", **CDN)
        self.hub.rule(cut=100_000, **CDN)
        self.fails()
        self.assertLessEqual(len(self.ranges()), 12)

    def test_F26_range_refused(self):
        self.hub.rule(cut=100_000, times=1, **CDN)
        self.hub.rule(status=416, times=1, header="range", **CDN)
        self.download()
        self.assertEqual(self.ranges(), [None, "bytes=100000-", None])
        self.assert_cached(WEIGHTS)

    @slow
    def test_F27_never_gets_anywhere(self):
        self.hub.rule(cut=10, **CDN)
        self.fails(status=NOT_FOUND)
        self.assertLessEqual(len(self.ranges()), 6)

    @slow
    def test_F28_stalled(self):
        self.hub.rule(cut=100_000, then="hang", times=1, **CDN)
        self.download(env={"HF_HUB_DOWNLOAD_TIMEOUT": "1"})
        self.assertEqual(self.ranges(), [None, "bytes=100000-"])
        self.assert_cached(WEIGHTS)

    def test_F29_signature_expired(self):
        self.hub.rule(cut=100_000, times=1, **CDN)
        self.hub.rule(status=403, times=1, **CDN)
        self.download()
        self.assertEqual(self.ranges()[-1], "bytes=100000-")
        self.assertEqual(len(self.asked(f"*{WEIGHTS}", method="HEAD")), 2)
        self.assert_cached(WEIGHTS)

    @slow
    def test_F30_cdn_has_a_bad_day(self):
        for rule in ({"status": 500, "times": 2}, {"status": 429, "headers": {"Retry-After": "1"}, "times": 1}, {"reset": True, "times": 1}):
            self.hub.rules = []
            self.hub.rule(**rule, **CDN)
            self.download()
            self.assert_cached(WEIGHTS)
            subprocess.run(["rm", "-rf", self.cache], check=True)

    @slow
    def test_F31_compressed_though_not_asked_for(self):
        for path, rule in (("config.json", {"path": "*config.json*", "method": "GET"}), (WEIGHTS, CDN)):
            self.hub.rules = []
            self.hub.rule(gzip=True, **rule)
            if self.oclm("download", "o/m").status == DONE:
                self.assert_cached(path)
            else:
                self.assert_nothing_of(path)


class Leftovers(HubCase):
    def setUp(self):
        super().setUp()
        self.etag = Content(MODEL[WEIGHTS]).sha256
        self.left = os.path.join(self.folder(), "blobs", self.etag + ".incomplete")
        os.makedirs(os.path.dirname(self.left))

    def leave(self, data):
        with open(self.left, "wb") as file:
            file.write(data)

    def first_range(self):
        self.download()
        self.assert_cached(WEIGHTS)
        return self.hub.requests(listener="cdn")[0]["headers"].get("range")

    def test_F40_I05_valid_beginning_is_used(self):
        self.leave(MODEL[WEIGHTS][:123_456])
        self.assertEqual(self.first_range(), "bytes=123456-")
        self.assert_no_residue()

    def test_F40_garbage_is_found_out(self):
        self.leave(b"garbage" * 1000)
        self.first_range()
        self.assert_no_residue()

    def test_F40_too_long(self):
        self.leave(MODEL[WEIGHTS] + b"more")
        self.assertIsNone(self.first_range())

    def test_F40_link(self):
        target = os.path.join(self.scratch, "precious")
        with open(target, "wb") as file:
            file.write(MODEL[WEIGHTS][:1000])
        os.symlink(target, self.left)
        self.assertIsNone(self.first_range())
        self.assertEqual(os.path.getsize(target), 1000)

    def test_F40_another_name_for_something(self):
        target = os.path.join(self.scratch, "precious")
        with open(target, "wb") as file:
            file.write(MODEL[WEIGHTS][:1000])
        os.link(target, self.left)
        self.assertIsNone(self.first_range())
        self.assertEqual(os.path.getsize(target), 1000)

    def test_F40_files_of_others_are_left_alone(self):
        other = os.path.join(os.path.dirname(self.left), self.etag + ".0123abcd.incomplete")
        with open(other, "wb") as file:
            file.write(b"somebody is writing this")
        self.assertIsNone(self.first_range())
        self.assertEqual(os.path.getsize(other), 24)

    def test_F41_disk_full(self):
        """A limit on the size of files stands in for a full disk; where a small file system can be had, that as well."""

        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

        # SIGXFSZ stays ignored, as Python has it, so that writing fails instead.
        self.refused(status=None, preexec_fn=limit, restore_signals=False)
        self.assert_nothing_of(WEIGHTS)

    def test_F41_small_file_system(self):
        where = os.path.join(self.scratch, "small")
        os.mkdir(where)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "none", where], stderr=subprocess.DEVNULL, check=False)
        if mounted.returncode != 0:
            self.skipTest("a file system cannot be mounted here")
        self.addCleanup(subprocess.run, ["umount", where], check=False)
        self.refused("--cache-dir", where, status=None, says="space")
        self.assertFalse([name for name in tree(where) if "incomplete" in name or self.etag in name.split("/")[-1] and "blobs" in name])


class Ended(HubCase):
    """Ended in the middle of 24 MB."""

    def setUp(self):
        super().setUp()
        self.data = noise(24 << 20, 7)
        self.commit = self.model.commit({**MODEL, WEIGHTS: self.data})
        self.blobs = os.path.join(self.folder(), "blobs")

    def received(self):
        try:
            return max((os.path.getsize(os.path.join(self.blobs, name)) for name in os.listdir(self.blobs) if name.endswith(".incomplete")), default=0)
        except FileNotFoundError:
            return 0

    def end(self, how, after):
        self.hub.rule(cut=after, then="hang", **CDN)
        process = self.start("download", "o/m", env={"HF_HUB_DOWNLOAD_TIMEOUT": "60"})
        until = time.monotonic() + 30
        while self.received() < after and time.monotonic() < until:
            time.sleep(0.01)
        process.send_signal(how)
        begin = time.monotonic()
        if how == signal.SIGKILL:
            process.communicate()
        else:
            self.assertNotEqual(self.finish(process).status, DONE)
            self.assertLess(time.monotonic() - begin, 1.5)
        self.hub.rules = []
        self.hub.forget()

    def test_F42_interrupted_late_is_resumed(self):
        self.end(signal.SIGINT, 12 << 20)
        left = [name for name in os.listdir(self.blobs) if name.endswith(".incomplete")]
        self.assertEqual(left, [Content(self.data).sha256 + ".incomplete"])
        with open(os.path.join(self.blobs, left[0]), "rb") as file:
            begun = file.read()
        self.assertEqual(begun, self.data[: len(begun)])
        for path in tree(self.scratch):
            self.assertTrue(not path.endswith(".lock") or lock_is_free(os.path.join(self.scratch, path)))
        self.download()
        self.assertEqual(self.hub.requests(listener="cdn")[0]["headers"].get("range"), f"bytes={len(begun)}-")
        self.assert_cached(WEIGHTS, self.data)
        self.assert_no_residue()

    def test_F42_interrupted_early_leaves_nothing(self):
        self.end(signal.SIGINT, 1 << 20)
        self.assert_no_residue()
        self.assertFalse(os.path.lexists(self.pointer(WEIGHTS)))

    def test_F43_killed(self):
        self.end(signal.SIGKILL, 4 << 20)
        self.download()
        self.assert_cached(WEIGHTS, self.data)


class Proxy(HubCase):
    def test_F44_proxies(self):
        self.download()
        dead, alive = "http://127.0.0.1:1", self.hub.address("evil")
        for environment, proxied in (
            ({"http_proxy": dead}, None), ({"http_proxy": dead, "NO_PROXY": "127.0.0.1"}, False), ({"http_proxy": dead, "no_proxy": "*"}, False),
            ({"HTTP_PROXY": alive}, True), ({"http_proxy": alive, "HTTP_PROXY": dead}, True), ({"all_proxy": alive}, True),
            ({"HTTP_PROXY": dead, "REQUEST_METHOD": "GET"}, False),
        ):
            with self.subTest(environment=environment):
                self.hub.forget()
                result = self.download(env=environment)
                if proxied is None:
                    self.assertEqual(self.asked(), [])
                    self.assertIn("cache", result.err.lower())
                else:
                    self.assertEqual({entry["proxied"] for entry in self.hub.requests()}, {proxied})


class Shards(HubCase):
    def serve(self, index, **files):
        files = {"config.json": MODEL["config.json"], "model.safetensors.index.json": index, **files}
        return self.hub.repo("o/s", files)

    def test_F45_broken_index(self):
        good = b'{"metadata": {}, "weight_map": {"a": "model-1.safetensors"}}'
        for index in (good[:-10], b"", b"[]", b"null", b'"text"', b"{}", b'{"weight_map": []}', b'{"weight_map": {"a": 1}}',
                      b'{"weight_map": {"a": {"b": "c"}}}', b'{"weight_map": {}}', b"[" * 100_000, b"\xff\xfe"):
            with self.subTest(index=index[:40]):
                self.serve(index)
                self.refused(model="o/s", status=BROKEN, says="model.safetensors.index.json")

    def test_F46_shard_is_missing(self):
        self.serve(b'{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}', **{"model-1.safetensors": b"1"})
        self.refused(model="o/s", says="model-2.safetensors")

    def test_F47_commit_moves_meanwhile(self):
        first = {"seen": False}

        def watch(request):
            if first["seen"]:
                self.model.commit({**MODEL, WEIGHTS: noise(300_000, 2), "tokenizer.json": b"[]"})
            first["seen"] = first["seen"] or "config.json" in request.target

        self.hub.watch = watch
        self.download()
        for path in MODEL:
            self.assert_cached(path)


if __name__ == "__main__":
    unittest.main()
