"""test_normal.py: cases N: what a download asks for and what it leaves in the cache when nothing is wrong."""

import unittest

from hub_case import *


class Requests(HubCase):
    def test_N01_regular_file_by_a_relative_redirect(self):
        self.download(env={"HF_TOKEN": "hf_good"})
        asked = self.hub.requests("*config.json*", method="HEAD")[:2] + self.hub.requests("*config.json*", method="GET")[:1]
        where = f"/api/resolve-cache/models/o/m/{self.commit}/config.json"
        self.assertEqual([(entry["method"], entry["path"].split("?")[0]) for entry in asked],
                         [("HEAD", "/o/m/resolve/main/config.json"), ("HEAD", where), ("GET", where)])
        for entry in asked:
            self.assertEqual(entry["headers"]["authorization"], "Bearer hf_good")
            self.assertEqual(entry["headers"]["accept-encoding"], "identity")
            self.assertNotIn("hf_hub/", entry["headers"]["user-agent"])
        self.assertIn("etag=%22", asked[2]["path"], "the query of a redirect was lost")
        self.assert_cached("config.json")
        self.assert_no_residue()

    def test_N02_lfs_file_from_the_cdn(self):
        self.fetch("model.safetensors", env={"HF_TOKEN": "hf_good"})
        for entry in self.hub.requests(listener="hub"):
            self.assertEqual(entry["headers"].get("authorization"), "Bearer hf_good", entry["path"])
        self.assertEqual([method for _, method, _ in self.asked(listener="cdn")], ["GET"])
        for entry in self.hub.requests(listener="cdn"):
            self.assertNotIn("authorization", entry["headers"])
            self.assertTrue(entry["path"].endswith("?sig=a%2Bb&expires=1"), "a signed URL was changed")
        self.assert_cached("model.safetensors")
        self.assert_no_residue()

    def test_N03_xet_headers_are_ignored(self):
        self.hub.rule(path="*model.safetensors", method="HEAD", set={
            "X-Xet-Hash": "ab" * 32, "Link": f'<{self.hub.url}/api/models/o/m/xet-read-token/{self.commit}>; rel="xet-auth"'})
        self.fetch("model.safetensors")
        self.assertEqual(self.hub.requests("*xet*"), [])
        self.assert_cached("model.safetensors")

    def test_N04_file_answered_at_once(self):
        commit = self.hub.repo("gpt2", MODEL).refs["main"]
        self.download(model="gpt2")
        heads = self.asked("*config.json", method="HEAD")
        gets = self.asked("*config.json", method="GET")
        self.assertEqual(heads[0], ("hub", "HEAD", "/gpt2/resolve/main/config.json"))
        self.assertEqual(len(gets), 1)
        self.assert_cached("config.json", model="gpt2", commit=commit)

    def test_N05_again_without_a_change(self):
        first = self.download()
        before = tree(self.home)
        self.hub.forget()
        second = self.download()
        self.assertEqual(self.hub.requests("*config.json*", method="GET") + self.hub.requests(listener="cdn"), [])
        self.assertIn(("hub", "HEAD", "/o/m/resolve/main/config.json"), self.asked())
        self.assertEqual(tree(self.home), before)
        self.assertEqual(second.out, first.out)

    def test_N06_new_commit_same_file(self):
        self.fetch()
        newer = self.model.commit({**MODEL, "tokenizer.json": b"{}"})
        self.hub.forget()
        self.fetch()
        self.assertEqual(self.hub.requests("*config.json*", method="GET"), [])
        self.assert_cached("config.json", commit=newer)
        self.assert_cached("config.json", ref=None)

    def test_N07_new_commit_new_file(self):
        self.fetch()
        newer = self.model.commit({**MODEL, "config.json": b"{}"})
        self.fetch()
        self.assert_cached("config.json", b"{}", commit=newer)
        self.assert_cached("config.json", ref=None)

    def test_N08_a_cached_commit_asks_nothing(self):
        self.download("--revision", self.commit)
        self.hub.forget()
        self.download("--revision", self.commit)
        self.assertEqual(self.asked(), [])

    def test_N09_a_commit_gets_no_ref(self):
        self.fetch("config.json", "--revision", self.commit)
        self.assert_cached("config.json", ref=None)
        self.assertFalse(os.path.isdir(os.path.join(self.folder(), "refs")) and os.listdir(os.path.join(self.folder(), "refs")))

    def test_N10_pull_request(self):
        self.model.refs["refs/pr/1"] = self.commit
        self.download("--revision", "refs/pr/1")
        self.assertTrue(self.hub.requests("/o/m/resolve/refs%2Fpr%2F1/config.json"), self.asked())
        self.assert_cached("config.json", ref="refs/pr/1")

    def test_N11_names_that_look_like_commits(self):
        upper = "A" * 40
        for name in ("v1.0", upper, self.commit[:7]):
            self.model.refs[name] = self.commit
            self.fetch("config.json", "--revision", name)
            self.assert_cached("config.json", ref=name)

    def test_N12_file_in_folders(self):
        commit = self.model.commit({**MODEL, "sub/dir/x.json": b"[1]"})
        self.fetch("sub/dir/x.json")
        self.assert_cached("sub/dir/x.json", b"[1]", commit=commit)

    def test_N13_names_are_encoded_in_urls_only(self):
        name = "sub dir/to awful, é 100%.json"
        commit = self.model.commit({**MODEL, name: b"[2]"})
        self.fetch(name.replace("[", "*"))
        self.assertTrue(self.hub.requests("/o/m/resolve/*/sub%20dir/to%20awful%2C%20%C3%A9%20100%25.json"), self.asked())
        self.assert_cached(name, b"[2]", commit=commit)

    def test_N15_empty_file_is_not_fetched(self):
        commit = self.model.commit({**MODEL, "added_tokens.json": b""})
        self.fetch("added_tokens.json")
        self.assertEqual(self.hub.requests("*added_tokens.json*", method="GET"), [])
        self.assertTrue(os.path.islink(self.pointer("added_tokens.json", commit)))
        blob = os.path.join(self.folder(), "blobs", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391")
        self.assertEqual(os.path.getsize(blob), 0)

    def test_N16_renamed_repository_keeps_its_old_folder(self):
        self.hub.renamed["o/old"] = "o/m"
        self.fetch(model="o/old")
        self.assert_cached("config.json", model="o/old")
        self.assertFalse(os.path.exists(self.folder("o/m")))

    def test_N17_forms_of_an_etag(self):
        etag = Content(MODEL["config.json"]).git_id
        for given in (f'W/"{etag}"', etag, f'"{etag}"'):
            # In X-Linked-Etag, where it wins over the other; and in ETag alone.
            for headers in ({"X-Linked-Etag": given, "ETag": '"other"'}, {"X-Linked-Etag": None, "ETag": given}):
                with self.subTest(headers=headers):
                    self.hub.rules = []
                    self.hub.rule(path="*config.json*", method="HEAD", set=headers)
                    cache = os.path.join(self.scratch, "cache")
                    self.fetch("config.json", "--cache-dir", cache)
                    self.assertTrue(os.path.isfile(os.path.join(self.folder(cache=cache), "blobs", etag)))
                    subprocess.run(["rm", "-rf", cache], check=True)

    def test_N18_endpoint_with_a_path_and_slashes(self):
        self.hub.prefix = "/mirror/hf"
        self.download(env={"HF_ENDPOINT": self.hub.url + "//"})
        self.assertTrue(self.hub.requests("/o/m/resolve/main/config.json"))
        self.assert_cached("config.json")
        self.assert_cached("model.safetensors")

    def test_N19_where_the_token_comes_from(self):
        token_file = os.path.join(self.home, "token")
        other_file = os.path.join(self.scratch, "token-elsewhere")
        os.mkdir(self.home)
        for name in (token_file, other_file):
            with open(os.open(name, os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
                file.write("hf_other\n")
        good, other, none = "Bearer hf_good", "Bearer hf_other", None
        rows = (
            ({"HF_TOKEN": " hf_good \r\n"}, (), good),
            ({"HF_TOKEN": ""}, (), other),
            ({}, (), other),
            ({"HF_TOKEN_PATH": other_file, "HF_HOME": os.path.join(self.scratch, "h2")}, (), other),
            ({"HF_TOKEN_PATH": os.path.join(self.scratch, "none")}, (), none),
            ({"HF_TOKEN_PATH": "/none", "HUGGING_FACE_HUB_TOKEN": "hf_good"}, (), good),
            ({"HF_TOKEN": "hf_good", "HUGGING_FACE_HUB_TOKEN": "hf_other"}, (), good),
            ({"HF_TOKEN": "hf_good", "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}, (), none),
            ({"HF_TOKEN": "hf_other"}, ("--token", "hf_good"), good),
            ({"HF_TOKEN": "hf_other", "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}, ("--token", "hf_good"), good),
        )
        for environment, arguments, expected in rows:
            with self.subTest(environment=environment, arguments=arguments):
                self.hub.forget()
                self.download(*arguments, env=environment)
                self.assertEqual(self.hub.requests("/o/m/resolve*")[0]["headers"].get("authorization"), expected)


class Places(HubCase):
    def test_N20_where_the_cache_is(self):
        """A model lies where a row says the cache is; offline, the command finds it only by looking there."""
        here = self.scratch
        rows = (
            ({}, ".cache/huggingface/hub"),
            ({"XDG_CACHE_HOME": f"{here}/x"}, "x/huggingface/hub"),
            ({"XDG_CACHE_HOME": "~/c"}, "c/huggingface/hub"),
            ({"HF_HOME": "~/hf", "XDG_CACHE_HOME": f"{here}/x"}, "hf/hub"),
            ({"HF_HOME": "$HOME/q"}, "q/hub"),
            ({"HF_HOME": "${HOME}/q2"}, "q2/hub"),
            ({"HF_HOME": f"{here}/$NO_SUCH/q3"}, "$NO_SUCH/q3/hub"),
            ({"HF_HUB_CACHE": "~/z", "HF_HOME": f"{here}/a"}, "z"),
            ({"HUGGINGFACE_HUB_CACHE": f"{here}/leg", "HF_HOME": f"{here}/a"}, "leg"),
            ({"HF_HUB_CACHE": f"{here}/new", "HUGGINGFACE_HUB_CACHE": f"{here}/leg2"}, "new"),
            ({"HF_HOME": "rel"}, "work/rel/hub"),
            # An empty value counts as none.
            ({"HF_HOME": ""}, ".cache/huggingface/hub"),
            ({"XDG_CACHE_HOME": ""}, ".cache/huggingface/hub"),
            ({"HF_HUB_CACHE": "", "HF_HOME": f"{here}/e"}, "e/hub"),
        )
        for environment, where in rows:
            with self.subTest(environment=environment):
                cache = os.path.join(here, where)
                for path, data in MODEL.items():
                    self.lay(path, data, cache=cache)
                environment = {"HF_HOME": None, "HF_HUB_OFFLINE": "1", **environment}
                found = self.download(env=environment).out.strip()
                self.assertTrue(os.path.samefile(found, os.path.join(self.folder(cache=cache), "snapshots", self.commit)), found)
                subprocess.run(["rm", "-rf", cache], check=True)

    def test_N20_true_values(self):
        for path, data in MODEL.items():
            self.lay(path, data)
        for value in ("1", "ON", "yes", "True"):
            self.hub.forget()
            self.download(env={"HF_HUB_OFFLINE": value})
            self.assertEqual(self.asked(), [], value)
        for environment in ({"HF_HUB_OFFLINE": "2"}, {"HF_HUB_OFFLINE": "0", "TRANSFORMERS_OFFLINE": "1"}):
            self.hub.forget()
            self.download(env=environment)
            self.assertNotEqual(self.asked(), [], environment)
        self.hub.forget()
        self.download(env={"TRANSFORMERS_OFFLINE": "1"})
        self.download(env={"HF_HUB_OFFLINE": "", "TRANSFORMERS_OFFLINE": "1"})
        self.assertEqual(self.asked(), [])

    def test_N20_timeouts_that_are_no_numbers(self):
        for value in ("", "2.5", "soon", "0"):
            self.fetch(env={"HF_HUB_ETAG_TIMEOUT": value})

    def test_N27_without_symbolic_links(self):
        environment = {"HF_HUB_DISABLE_SYMLINKS": "1"}
        self.download(env=environment)
        newer = self.model.commit({**MODEL, "config.json": b"{}"})
        self.download(env=environment)
        for commit in (self.commit, newer):
            self.assertFalse(os.path.islink(self.pointer("model.safetensors", commit)))
            with open(self.pointer("model.safetensors", commit), "rb") as file:
                self.assertEqual(file.read(), MODEL["model.safetensors"])
        self.assertEqual(os.listdir(os.path.join(self.folder(), "blobs")), [])
        self.assertEqual(len(self.hub.requests(listener="cdn", method="GET")), 2)
        self.hub.forget()
        self.download(env={"HF_HUB_OFFLINE": "1"})

    def test_N28_read_only_cache(self):
        self.download()
        subprocess.run(["chmod", "-R", "a-w", self.cache], check=True)
        before = tree(self.home)
        self.download(preexec_fn=without_override)
        self.assertEqual(tree(self.home), before)

    def test_N29_modes_follow_the_umask(self):
        for umask in (0o022, 0o077):
            home = os.path.join(self.scratch, oct(umask))
            self.home, self.cache = home, os.path.join(home, "hub")
            self.download(umask=umask)
            self.assert_cached("config.json", umask=umask)
            self.assert_cached("model.safetensors", umask=umask)
            for path, (mode, _) in tree(os.path.join(self.cache, ".locks")).items():
                if path.endswith(".lock"):
                    self.assertEqual(stat.S_IMODE(mode), 0o664, path)


class Models(HubCase):
    def test_N22_shards(self):
        shards = {f"model-0000{i}-of-00003.safetensors": noise(70_000, i) for i in (1, 2, 3)}
        index = {"metadata": {"total_size": 210000}, "weight_map": {f"layer.{i}.{j}": name for j in (0, 1) for i, name in enumerate(shards)}}
        files = {"config.json": MODEL["config.json"], "model.safetensors.index.json": json.dumps(index).encode(), **shards}
        repo = self.hub.repo("o/shards", files)
        self.download(model="o/shards")
        for path, data in files.items():
            self.assert_cached(path, data, commit=repo.refs["main"], model="o/shards")
        self.assertEqual(len(self.hub.requests(listener="cdn", method="GET")), 3)
        self.hub.forget()
        self.download(model="o/shards")
        self.assertEqual(self.hub.requests("*resolve*", method="GET") + self.hub.requests(listener="cdn"), [])

    def test_N23_only_pickles(self):
        repo = self.hub.repo("o/bin", {"config.json": MODEL["config.json"], "pytorch_model.bin": b"pickle"})
        self.refused(model="o/bin", status=None, says=("safetensors", "pytorch_model.bin"))
        known = os.path.join(self.folder("o/bin"), ".no_exist", repo.refs["main"])
        self.assertEqual(os.path.getsize(os.path.join(known, "model.safetensors")), 0)
        self.assertEqual(os.path.getsize(os.path.join(known, "model.safetensors.index.json")), 0)
        self.assertEqual(self.hub.requests(listener="cdn"), [], "the pickle was fetched")

    def test_N24_what_is_missing_is_remembered(self):
        self.download()
        known = os.path.join(self.folder(), ".no_exist", self.commit)
        self.assertEqual(os.path.getsize(os.path.join(known, "generation_config.json")), 0)
        self.hub.forget()
        self.download()
        self.assertEqual(self.hub.requests("*generation_config.json*"), [])

    def test_N25_variant(self):
        single = {"config.json": MODEL["config.json"], "model.fp16.safetensors": b"half", "model.safetensors": b"whole"}
        repo = self.hub.repo("o/half", single)
        self.download("--variant", "fp16", model="o/half")
        self.assert_cached("model.fp16.safetensors", b"half", commit=repo.refs["main"], model="o/half")
        self.assertEqual(self.hub.requests("*/model.safetensors"), [], "the weights without a variant were asked for")
        index = {"metadata": {}, "weight_map": {"a": "model.fp16-00001-of-00001.safetensors"}}
        shards = {"config.json": MODEL["config.json"], "model.safetensors.index.fp16.json": json.dumps(index).encode(),
                  "model.fp16-00001-of-00001.safetensors": b"shard"}
        repo = self.hub.repo("o/shards", shards)
        self.download("--variant", "fp16", model="o/shards")
        for path, data in shards.items():
            self.assert_cached(path, data, commit=repo.refs["main"], model="o/shards")
        self.refused("--variant", "bf16", model="o/half", status=NOT_FOUND, says=("model.bf16.safetensors", "model.safetensors.index.bf16.json"))
        self.refused("--variant", "../x", model="o/half", status=USAGE, says=("variant", "../x"))

    def test_weights_that_config_json_names(self):
        config = {**json.loads(MODEL["config.json"]), "transformers_weights": "other.safetensors"}
        repo = self.hub.repo("o/named", {"config.json": json.dumps(config).encode(), "other.safetensors": b"these", "model.safetensors": b"not these"})
        self.download(model="o/named")
        self.assert_cached("other.safetensors", b"these", commit=repo.refs["main"], model="o/named")
        self.assertEqual(self.hub.requests("*/model.safetensors*"), [])
        for name in ("../other.safetensors", "/etc/other.safetensors", "adapter_model.bin", "a/b.safetensors"):
            config["transformers_weights"] = name
            repo = self.hub.repo("o/lies", {"config.json": json.dumps(config).encode(), "model.safetensors": b"1"})
            self.refused(model="o/lies", status=BROKEN, says=("transformers_weights", name))
            subprocess.run(["rm", "-rf", self.cache], check=True)

    def test_N26_a_folder_of_that_name_wins(self):
        os.makedirs(os.path.join(self.work, "o"))
        os.symlink(STORIES, os.path.join(self.work, "o", "m"))
        result = self.oclm("tokenize", "o/m", "Once upon a time")
        self.assertEqual(result.status, DONE, result.err)
        self.assertEqual(self.asked(), [])

    def test_N30_listing_in_pages(self):
        files = {**MODEL, **{f"sub/{i}.txt": b"%d" % i for i in range(9)}}
        commit = self.model.commit(files)
        self.hub.page = 4
        self.download("--include", "*.json", "--include", "*.txt")
        for path in files:
            if path.endswith((".json", ".txt")):
                self.assert_cached(path, files[path], commit=commit)
        self.assertFalse(os.path.lexists(self.pointer("model.safetensors", commit)))

    def test_N30_patterns(self):
        commit = self.model.commit({**MODEL, "sub/a.txt": b"a", "sub/b.txt": b"b", "[x].md": b"x"})
        self.download("--include", "*.txt", "--exclude", "*b.txt")
        self.assertTrue(os.path.exists(self.pointer("sub/a.txt", commit)))
        for path in ("sub/b.txt", "[x].md", "config.json"):
            self.assertFalse(os.path.lexists(self.pointer(path, commit)), path)
        self.download("--include", "[[]x].md")
        self.assertTrue(os.path.exists(self.pointer("[x].md", commit)))


class Wire(HubCase):
    def head(self, text, times=1):
        """The hub answers the first HEAD of config.json with these very bytes, and the rest as ever."""
        self.hub.rule(path="/o/m/resolve/main/config.json", method="HEAD", raw=text, times=times)

    def answer(self, name=str.title, first="HTTP/1.1 200 OK"):
        etag = Content(MODEL["config.json"]).git_id
        headers = {"x-repo-commit": self.commit, "etag": f'"{etag}"', "content-length": str(len(MODEL["config.json"]))}
        return "\r\n".join([first] + [f"{name(key)}: {value}" for key, value in headers.items()]) + "\r\n\r\n"

    def test_N31_old_and_odd_answers(self):
        for text in (self.answer(first="HTTP/1.0 200 OK"), self.answer(str.lower), self.answer(str.upper),
                     "HTTP/1.1 103 Early Hints\r\nX-Repo-Commit: " + "0" * 40 + "\r\n\r\n" + self.answer()):
            with self.subTest(text=text):
                self.hub.rules = []
                self.head(text)
                cache = os.path.join(self.scratch, "cache")
                self.fetch("config.json", "--cache-dir", cache)
                self.assertTrue(os.path.exists(os.path.join(self.folder(cache=cache), "snapshots", self.commit, "config.json")))
                subprocess.run(["rm", "-rf", cache], check=True)

    def test_N33_tokenizers_without_tokenizer_json_and_named_templates(self):
        wanted = {"tokenizer.model": b"model", "tekken.json": b"{}", "special_tokens_map.json": b"{}", "added_tokens.json": b"{}", "chat_template.jinja": b"a",
                  "additional_chat_templates/tool_use.jinja": b"b", "additional_chat_templates/rag.jinja": b"c"}
        others = {"additional_chat_templates/README.md": b"d", "more/additional_chat_templates/x.jinja": b"e"}
        files = {name: data for name, data in MODEL.items() if name != "tokenizer.json"}
        commit = self.model.commit({**files, **wanted, **others})
        self.download()
        for name, data in wanted.items():
            with open(self.pointer(name, commit), "rb") as file:
                self.assertEqual(file.read(), data)
        for name in others:
            self.assertFalse(os.path.exists(self.pointer(name, commit)))
        self.hub.forget()
        self.download()
        self.assertEqual(self.hub.requests("*/tree/*"), [])

    def test_N32_a_warning_of_the_hub_is_said_once(self):
        self.hub.rule(path="*resolve*", set={"X-HF-Warning": ["Old clients; please move to the new land", "Old clients; again"]})
        result = self.download()
        self.assertEqual(result.err.count("new land") + result.err.count("again"), 1, result.err)


class Arguments(HubCase):
    def test_N21_S10_names_of_repositories(self):
        good = ("123", "foo", "foo/bar", "Foo-BAR_foo.bar123", "_a", "a_", "_/_", "a.-b", "foo.git/bar", "FOO.GIT", "a" * 96, "n" * 200 + "/x")
        bad = ("", "a/", "/a", "a//b", "datasets/foo/bar", ".a", "a.", "-a/b", "a-", "org-/x", "org./x", "a/..", "a b", "a:b", "a%2fb",
               "a\\b", "foo--bar", "foo..bar", "foo.git", "a/b.git", "a" * 97, "café", "a\n", "a\x1bb")
        for name in good:
            with self.subTest(name=name):
                self.hub.forget()
                self.oclm("download", name, env={"HF_TOKEN": "hf_good"})
                self.assertTrue(self.hub.requests(f"/{name}/resolve/*") or self.hub.requests(f"/api/models/{name}*"), "not asked for")
        self.hub.forget()
        for name in bad:
            with self.subTest(name=name):
                # Some could be folders, and then are none that exists.
                self.assertIn(self.oclm("download", "--", name).status, (USAGE, NOT_FOUND))
        self.assertEqual(self.asked(), [])

    def test_N21_S09_revisions(self):
        for revision in ("", "../../x", "/abs", "a\\b", "..", ".", "a//b", "a/", "x.lock", "x.lock/y", "x.tmp", "a b", "a:b", "a?", "a*", "a[",
                         "a~", "a^", "a@{1}", "r" * 251, "a\nb"):
            with self.subTest(revision=revision):
                self.assertEqual(self.oclm("download", "o/m", "--revision", revision).status, USAGE)
        self.assertEqual(self.asked(), [])
        self.assertFalse(os.path.exists(self.home))


if __name__ == "__main__":
    unittest.main()
