"""test_faults_head.py: cases F01 to F20 and F32 to F39: what goes wrong before a body is asked for, or with what is cached.

A cached model must go on working whatever the hub says, unless the hub says that the thing asked for does not exist.
"""

import unittest

from hub_case import *

DEAD = "http://127.0.0.1:1"
HEAD = {"path": "*config.json*", "method": "HEAD"}


class Unreachable(HubCase):
    def cached_all_the_same(self, **how):
        """A cached model works, at once, and what is wrong is said."""
        begin = time.monotonic()
        result = self.download(**how)
        self.assertIn("cache", result.err.lower())
        self.assertEqual(result.out.strip(), os.path.join(self.folder(), "snapshots", self.commit))
        return time.monotonic() - begin

    def test_F01_refused_cached(self):
        self.download()
        before = tree(self.home)
        self.assertLess(self.cached_all_the_same(env={"HF_ENDPOINT": DEAD}), 3)
        self.assertEqual(tree(self.home), before)

    @slow
    def test_F02_no_answer_not_cached(self):
        self.hub.rule(close=True)
        self.refused(says=("o/m", "127.0.0.1"))
        self.assert_no_sooner(self.gaps(), [0, 1, 2, 4, 8, 8])
        self.assertFalse(os.path.exists(self.folder()))

    def test_F03_hanging(self):
        self.download()
        rule = self.hub.rule(hang=True)
        seconds = self.cached_all_the_same(env={"HF_HUB_ETAG_TIMEOUT": "1"})
        self.assertTrue(0.9 < seconds < 4, seconds)
        # Not cached: asked again, with more patience.
        self.hub.rules.remove(rule)
        subprocess.run(["rm", "-rf", self.cache], check=True)
        self.hub.rule(hang=True)
        self.assert_waits([1], env={"HF_HUB_ETAG_TIMEOUT": "1"})

    def test_F04_end_or_reset_cached(self):
        self.download()
        for fault in ({"close": True}, {"reset": True}):
            self.hub.rules = []
            self.hub.rule(**fault)
            self.assertLess(self.cached_all_the_same(), 3)

    @slow
    def test_F05_servers_errors(self):
        self.download()
        for status in (500, 502, 503, 504, 408):
            self.hub.rules = []
            self.hub.rule(status=status)
            self.hub.forget()
            self.assertLess(self.cached_all_the_same(), 3)
            self.assertEqual(len(self.asked(method="HEAD")), 1)
        subprocess.run(["rm", "-rf", self.cache], check=True)
        for status in (500, 502, 503, 504, 408):
            self.hub.rules = []
            self.hub.rule(status=status)
            self.assert_waits([0, 1])

    @slow
    def test_F06_retry_after(self):
        self.hub.rule(status=503, headers={"Retry-After": "3"})
        self.assert_waits([0, 4])

    @slow
    def test_F07_rate_limits(self):
        for headers, expected in (
            ({"RateLimit": '"resolvers";r=0;t=2'}, [0, 3]), ({"RateLimit": '"resolvers";r=5;t=7'}, [0, 1, 2]), ({"Retry-After": "2"}, [0, 3]),
            ({"RateLimit": "resolvers r=0 t=7", "Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, [0, 1]), ({"Retry-After": "-5"}, [0, 1]),
        ):
            self.hub.rules = []
            self.hub.rule(status=429, headers=headers)
            self.assert_waits(expected)

    def test_F08_too_long_a_wait_is_none(self):
        limits = {"RateLimit": '"resolvers";r=0;t=100000', "RateLimit-Policy": '"fixed window";"resolvers";q=5000;w=300'}
        self.hub.rule(status=429, headers=limits)
        begin = time.monotonic()
        self.refused(says=("5000", "resolvers", "100000"))
        self.assertLess(time.monotonic() - begin, 3)

    def test_F08_a_wait_can_be_interrupted(self):
        self.hub.rule(status=429, headers={"Retry-After": "200"})
        process = self.start("download", "o/m")
        time.sleep(2)
        self.assertIsNone(process.poll(), "it gave up")
        self.assertLessEqual(len(self.asked()), 2, "it did not wait")
        process.send_signal(signal.SIGINT)
        begin = time.monotonic()
        self.assertNotEqual(self.finish(process).status, DONE)
        self.assertLess(time.monotonic() - begin, 1.5)

    @slow
    def test_F09_better_at_the_third_try(self):
        self.hub.rule(status=503, times=2, **HEAD)
        self.download()
        self.assert_cached("config.json")
        self.assert_no_sooner(self.gaps("*/main/config.json", method="HEAD"), [0, 1])


class Refusals(HubCase):
    """What the hub answers, with a model in the cache (`cached`: it works all the same, with a warning) and without."""

    def both(self, rule, says, cached=True, heads=1):
        self.hub.rules = []
        self.hub.rule(**{**HEAD, **rule})
        self.hub.forget()
        self.refused(status=None, says=says)
        self.assertEqual(len(self.asked("*config.json", method="HEAD")), heads, "asked again")
        self.assertNotIn("models--o--m/snapshots", "\n".join(tree(self.cache)))
        self.hub.rules = []
        self.download()
        before = tree(self.home)
        self.hub.rule(**{**HEAD, **rule})
        result = self.download(status=DONE if cached else NOT_FOUND)
        if cached:
            self.assertIn("cache", result.err.lower())
            self.assertEqual(tree(self.home), before)
        subprocess.run(["rm", "-rf", self.cache], check=True)
        return result

    def test_F10_not_authorized_or_no_such_name(self):
        self.both({"status": 401}, ("o/m", "private", "gated", "token"))

    def test_F11_bad_token(self):
        self.both({"status": 401, "headers": {"X-Error-Message": "Invalid credentials in Authorization header"}}, ("token",))
        self.refused(env={"HF_TOKEN": "hf_bad"}, says="token")

    def test_F12_gated(self):
        for status in (401, 403):
            self.both({"status": status, "headers": {"X-Error-Code": "GatedRepo", "X-Error-Message": "Ask the owners for it."}},
                      ("Ask the owners for it.", "/o/m"))
        self.hub.rules = []
        gated = self.hub.repo("o/gated", MODEL, gated=True)
        self.refused(model="o/gated", says="gated")
        self.refused(model="o/gated", env={"HF_TOKEN": "hf_good"}, says="gated")
        gated.granted.add("hf_good")
        self.download(model="o/gated", env={"HF_TOKEN": "hf_good"})

    def test_F13_no_such_repository(self):
        self.both({"status": 404, "headers": {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"}}, ("o/m", "private"))
        self.hub.rules = []
        self.refused(model="o/nothing", env={"HF_TOKEN": "hf_good"}, says="o/nothing")
        self.hub.repo("o/private", MODEL, private=True)
        self.refused(model="o/private", says=("o/private", "token"))
        self.download(model="o/private", env={"HF_TOKEN": "hf_good"})

    def test_F14_no_such_revision(self):
        self.both({"status": 404, "headers": {"X-Error-Code": "RevisionNotFound"}}, ("main",), cached=False)
        self.refused("--revision", "nope", says="nope")

    def test_F15_file_is_gone_from_the_newest_commit(self):
        self.download()
        newer = self.model.commit({"tokenizer.json": MODEL["tokenizer.json"]})
        self.refused(says="config.json")
        self.assertEqual(os.path.getsize(os.path.join(self.folder(), ".no_exist", newer, "config.json")), 0)
        self.assert_ref(self.commit)
        self.download(env={"HF_HUB_OFFLINE": "1"})

    def test_F16_file_not_found_without_a_commit(self):
        self.hub.rule(status=404, headers={"X-Error-Code": "EntryNotFound"}, **HEAD)
        self.refused(says="config.json")
        self.assertEqual([name for name in tree(self.scratch) if "o--m/" in name], [])

    def test_F17_not_found_by_a_server_that_is_no_hub(self):
        self.both({"status": 404, "body": "<html>nginx</html>"}, ("127.0.0.1",))
        self.assertFalse([name for name in tree(self.scratch) if ".no_exist" in name])

    def test_F18_other_refusals(self):
        self.both({"status": 403, "headers": {"X-Error-Message": "Access to this resource is disabled."}}, ("disabled",))
        self.both({"status": 403, "headers": {"X-Error-Message": "No weights for you"}}, ("No weights for you",))
        self.both({"status": 400, "headers": {"X-Error-Message": "Bad thing"}}, ("Bad thing",))
        self.both({"status": 416}, ("416",))
        self.both({"status": 501}, ("501",))


class Metadata(HubCase):
    def setUp(self):
        super().setUp()
        self.plain = self.hub.repo("m", MODEL)

    def lacks(self, model, path, **rule):
        """Without this, no file: unless it is cached."""
        self.hub.rules = []
        self.hub.rule(path=f"*{path}*", method="HEAD", **rule)
        self.refused(model=model, status=None, says=path)
        self.assertFalse([name for name in tree(self.folder(model)) if name.endswith(path) or name.startswith("refs/")])
        self.hub.rules = []
        self.download(model=model)
        self.hub.rule(path=f"*{path}*", method="HEAD", **rule)
        self.download(model=model)
        subprocess.run(["rm", "-rf", self.cache], check=True)

    def test_F19_no_commit(self):
        self.lacks("m", "config.json", set={"X-Repo-Commit": None})

    def test_F19_no_etag(self):
        self.lacks("m", "config.json", set={"ETag": None})

    def test_F19_no_length(self):
        self.lacks("m", "config.json", chunked=True)

    def test_F20_the_length_of_a_redirect_is_no_size(self):
        self.lacks("m", "model.safetensors", set={"X-Linked-Size": None})

    def test_F32_redirects_without_end(self):
        for location in ("/o/m/resolve/main/config.json", self.hub.url + "/o/m/resolve/main/config.json?again"):
            self.hub.rules = []
            self.hub.rule(location=location, status=307, **HEAD)
            self.hub.forget()
            self.refused(status=None, says="redirect")
            self.assertLessEqual(len(self.asked(method="HEAD")), 12)

    def test_F32_ten_redirects_and_no_more(self):
        goal = f"/api/resolve-cache/models/o/m/{self.commit}/config.json"
        for hops, status in ((10, DONE), (11, None)):
            self.hub.rules = []
            for hop in range(hops):
                self.hub.rule(path="/o/m/resolve/main/config.json" if hop == 0 else f"/hop/{hop}", status=307,
                              location=goal if hop == hops - 1 else f"/hop/{hop + 1}")
            self.download(status=status)
            subprocess.run(["rm", "-rf", self.cache], check=True)

    def test_F33_redirect_to_nowhere(self):
        self.hub.rule(status=307, **HEAD)
        self.refused(status=None, says="redirect")

    def test_F34_relative_redirects(self):
        data = MODEL["config.json"]
        there = {"status": 200, "body": data, "headers": {"ETag": f'"{Content(data).git_id}"', "X-Repo-Commit": self.commit, "Accept-Ranges": "bytes"}}
        for location, goal in (("/x/y?a=%2F&b", "/x/y?a=%2F&b"), ("other", "/o/m/resolve/main/other"), ("?q=1", "/o/m/resolve/main/config.json?q=1"),
                               ("../other", "/o/m/resolve/other"), ("./a/../other#part", "/o/m/resolve/main/other")):
            with self.subTest(location=location):
                self.hub.rules = []
                self.hub.rule(path=goal.replace("?", "[?]"), **there)
                self.hub.rule(path="/o/m/resolve/main/config.json", status=307, location=location)
                self.download()
                self.assertTrue(self.hub.requests(goal.replace("?", "[?]"), method="GET"), self.asked())
                self.assert_cached("config.json")
                subprocess.run(["rm", "-rf", self.cache], check=True)


class Cached(HubCase):
    offline = {"HF_HUB_OFFLINE": "1"}

    def test_F35_offline(self):
        begin = time.monotonic()
        self.refused(env=self.offline, says=("o/m", "offline"))
        self.assertLess(time.monotonic() - begin, 2)
        self.download()
        self.hub.forget()
        self.download(env=self.offline)
        self.download("--offline")
        self.assertEqual(self.oclm("download", "o/m", "--force", env=self.offline).status, USAGE)
        self.assertEqual(self.oclm("download", "o/m", "--force", "--offline").status, USAGE)
        self.assertEqual(self.asked(), [])

    def test_F36_another_revision_is_never_used(self):
        self.download()
        self.hub.forget()
        self.refused("--revision", "v2", env=self.offline, says="v2")
        self.refused("--revision", "0" * 40, env=self.offline)
        self.assertEqual(self.asked(), [])

    def test_F37_what_a_ref_may_hold(self):
        self.download()
        ref = os.path.join(self.folder(), "refs", "main")
        for text, status in ((self.commit + "\n", DONE), (" " + self.commit + "\r\n", DONE), ("", NOT_FOUND), (self.commit[:39], NOT_FOUND),
                             ("../../../x", NOT_FOUND), (self.commit.upper() + "x", NOT_FOUND), ("\0" * 40, NOT_FOUND), (self.commit * 2, NOT_FOUND)):
            with self.subTest(text=text):
                with open(ref, "w") as file:
                    file.write(text)
                self.download(env=self.offline, status=status)
        os.unlink(ref)
        self.download(env=self.offline, status=NOT_FOUND)

    def test_F38_dangling_pointer(self):
        self.download()
        os.unlink(os.path.realpath(self.pointer("model.safetensors")))
        self.refused(env=self.offline, says="model.safetensors")
        self.download()
        self.assert_cached("model.safetensors")

    def test_F38_pointer_to_another_blob(self):
        self.download()
        os.unlink(self.pointer("model.safetensors"))
        os.symlink("../../blobs/" + "0" * 40, self.pointer("model.safetensors"))
        self.download()
        self.assert_cached("model.safetensors")

    def test_F39_blob_of_the_wrong_size(self):
        blob, pointer = self.lay("model.safetensors", MODEL["model.safetensors"])
        os.truncate(blob, 1000)
        os.unlink(pointer)
        self.download()
        self.assert_cached("model.safetensors")
        self.assert_no_residue()


if __name__ == "__main__":
    unittest.main()
