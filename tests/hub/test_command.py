"""test_command.py: what a user of the command meets beside the numbered cases: parts of a model, folders, progress, odd moments."""

import contextlib
import pty
import re
import unittest

from hub_case import *

WEIGHTS = "model.safetensors"
OFFLINE = {"HF_HUB_OFFLINE": "1"}


class Command(HubCase):
    @slow
    def test_first_use_of_the_readme(self):
        """A name is all it takes; the second time the hub is not needed."""
        self.hub.repo("gpt2", STORIES)
        words = ("generate", "gpt2", "Once upon a time", "--max-new-tokens", "8")
        first = self.oclm(*words, timeout=300)
        self.assertEqual(first.status, DONE, first.err)
        self.hub.forget()
        for second in (self.oclm(*words, env=OFFLINE, timeout=300), self.oclm(*words, "--offline", timeout=300)):
            self.assertEqual((second.status, second.out), (DONE, first.out), second.err)
        self.assertEqual(self.asked(), [])

    @slow
    def test_commands_of_the_readme(self):
        """Those of its sh blocks that name gpt2, as they stand, the sample model served under that name; a line with --offline asks nothing."""
        with open(os.path.join(SOURCE, "README.md")) as file:
            blocks = re.findall(r"^```sh\n(.*?)^```", file.read(), re.MULTILINE | re.DOTALL)
        lines = [line for block in blocks for line in block.splitlines() if line.startswith("oclm ") and ("gpt2" in line or " cache " in line)]
        self.assertGreaterEqual(len(lines), 3, "README.md shows no models by name")
        self.hub.repo("gpt2", STORIES)
        command = os.path.dirname(os.environ["OCLM_COMMAND"])
        environment = self.environment()
        environment["PATH"] = command + os.pathsep + environment["PATH"]
        for line in lines:
            self.hub.forget()
            ended = subprocess.run(["sh", "-c", line], env=environment, cwd=self.work, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                   timeout=300, check=False)
            self.assertEqual(ended.returncode, 0, f"{line}\n{ended.stdout}{ended.stderr}")
            self.assertTrue(ended.stdout, line)
            self.assertTrue("--offline" not in line or not self.asked(), line)

    def test_tokenizing_needs_no_weights(self):
        self.hub.repo("gpt2", STORIES)
        result = self.oclm("tokenize", "gpt2", "Once upon a time")
        self.assertEqual(result.status, DONE, result.err)
        self.assertEqual(self.hub.requests("*safetensors*", method="GET") + self.hub.requests(listener="cdn"), [])

    def test_every_command_takes_a_revision(self):
        self.model.refs["v1.0"] = self.commit
        for command in (("tokenize",), ("info",), ("generate",), ("logits",), ("bench",)):
            self.hub.forget()
            # The model is none; what matters is where it is looked for.
            self.oclm(*command, "o/m", "text", "--revision", "v1.0") if command[0] not in ("info", "bench") else \
                self.oclm(*command, "o/m", "--revision", "v1.0")
            self.assertTrue(self.hub.requests("/o/m/resolve/v1.0/*"), command)
            subprocess.run(["rm", "-rf", self.cache], check=True)

    def test_N14_subfolder(self):
        files = {f"deep/er/{path}": data for path, data in MODEL.items()}
        commit = self.model.commit({"README.md": b"#", **files})
        result = self.download("--subfolder", "deep/er")
        for path, data in files.items():
            self.assertTrue(os.path.exists(self.pointer(path, commit)), result)
        self.assertFalse(os.path.lexists(self.pointer("README.md", commit)))
        for subfolder in ("../x", "/x", "a//b", "."):
            self.assertEqual(self.oclm("download", "o/m", "--subfolder", subfolder).status, USAGE, subfolder)

    @slow
    def test_a_gguf_file_is_all_that_is_fetched(self):
        """A model with its tokenizer in one file, beside others that no one asked for; the second time the hub is not needed."""
        gguf = os.path.join(self.scratch, "stories.Q8_0.gguf")
        made = self.oclm("quantize", STORIES, gguf, "--to", "q8_0")
        self.assertEqual(made.status, DONE, made.err)
        files = {"README.md": b"#", "config.json": b"{}", "stories.Q8_0.gguf": Content(gguf), "stories.Q4_0.gguf": noise(5000)}
        for model, subfolder in (("o/g", ""), ("o/deep", "quants/8")):
            prefix = subfolder + "/" if subfolder else ""
            commit = self.hub.repo(model, {prefix + path: data for path, data in files.items()}).refs["main"]
            where = ("--gguf-file", "stories.Q8_0.gguf", *(("--subfolder", subfolder) if subfolder else ()))
            words = ("generate", model, "Once upon a time", *where, "--max-new-tokens", "8")
            first = self.oclm(*words, timeout=300)
            self.assertEqual(first.status, DONE, first.err)
            self.assertEqual(first.out, self.oclm("generate", gguf, *words[2:3], *words[-2:], timeout=300).out)
            self.assertEqual(os.listdir(os.path.dirname(self.pointer(prefix + "stories.Q8_0.gguf", commit, model))), ["stories.Q8_0.gguf"])
            self.assertEqual(len(self.hub.requests(listener="cdn", method="GET")), 1)
            self.hub.forget()
            second = self.oclm(*words, "--offline", timeout=300)
            self.assertEqual((second.status, second.out), (DONE, first.out), second.err)
            self.assertEqual(self.asked(), [])

    def test_all_parts_of_a_gguf_file_are_fetched(self):
        parts = {f"m.Q4_K_M-0000{i}-of-00003.gguf": noise(3000 + i) for i in (1, 2, 3)}
        commit = self.model.commit({**MODEL, **parts, "m.Q8_0-00001-of-00002.gguf": noise(100), "m.Q4_K_M.gguf": noise(200)})
        told = self.download("--gguf-file", "m.Q4_K_M-00001-of-00003.gguf").out.strip()
        self.assertEqual(sorted(os.listdir(os.path.dirname(self.pointer("x", commit)))), sorted(parts))
        for path, data in parts.items():
            self.assert_cached(path, data, commit=commit)
        self.assertTrue(os.path.samefile(told, self.pointer("m.Q4_K_M-00001-of-00003.gguf", commit)), told)
        self.assert_no_residue()

    def test_a_gguf_file_that_is_not_there(self):
        self.refused("--gguf-file", "m.Q8_0.gguf", says="m.Q8_0.gguf")
        self.refused("--gguf-file", "../m.gguf", says="../m.gguf")
        for name in ("config.json", "m.gguf/"):
            self.assertEqual(self.oclm("download", "o/m", "--gguf-file", name).status, USAGE, name)
        self.assertEqual(self.hub.requests("*gguf*", method="GET"), [])

    def test_json_is_one_object(self):
        told = json.loads(self.download("--json").out)
        self.assertEqual((told["model"], told["commit"]), ("o/m", self.commit))
        self.assertEqual(told["path"], os.path.dirname(self.pointer("config.json")))

    def test_quiet(self):
        self.assertEqual(self.download("--quiet").err, "")

    def test_the_environment_says_how_much_is_told(self):
        for variable, word, told in (("HF_HUB_VERBOSITY", "debug", True), ("HF_DEBUG", "1", True), ("HF_HUB_VERBOSITY", "warning", False)):
            result = self.download("--force", env={variable: word})
            self.assertEqual("debug: hub: HEAD " in result.err, told, variable + word + result.err)
        self.assertNotIn("debug: ", self.download("--force", "--quiet", env={"HF_DEBUG": "1"}).err)

    def test_progress_on_a_terminal(self):
        """Name, share, rate and time left; elsewhere no control characters."""
        self.assertNotIn("\x1b", self.download().err)
        subprocess.run(["rm", "-rf", self.cache], check=True)
        self.model.commit({**MODEL, WEIGHTS: noise(3 << 20)})
        self.hub.rule(listener="cdn", rate=3 << 20)
        ours, theirs = pty.openpty()
        process = subprocess.Popen([os.environ["OCLM_COMMAND"], "download", "o/m"], env=self.environment(TERM="xterm"), cwd=self.work,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs)
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):
            while data := os.read(ours, 65536):
                shown += data
        process.communicate(timeout=60)
        os.close(ours)
        self.assertEqual(process.returncode, 0)
        for word in (WEIGHTS.encode(), b"%", b"/s"):
            self.assertIn(word, shown)

    def test_a_failed_update_leaves_the_old_one_usable(self):
        """The branch moves once all of the new commit is there, not before."""
        first = self.download().out
        newer = self.model.commit({**MODEL, "config.json": b'{"model_type": "llama", "new": 1}', WEIGHTS: noise(300_000, 9)})
        self.hub.rule(listener="cdn", status=404)
        self.refused(status=None, says=WEIGHTS)
        self.assert_ref(self.commit)
        self.assertEqual(self.download(env=OFFLINE).out, first)
        self.hub.rules = []
        self.download()
        self.assert_ref(newer)

    def test_no_permission_to_write(self):
        os.mkdir(self.home)
        os.chmod(self.home, 0o555)
        self.refused(status=None, says=(self.home, "permission"), preexec_fn=without_override)
        self.assertEqual(os.listdir(self.home), [])

    def test_cache_is_a_file(self):
        os.mkdir(self.home)
        with open(self.cache, "w") as file:
            file.write("no folder")
        self.refused(status=None, says=self.cache)

    def test_cache_behind_a_link(self):
        """As many a user has it: home is small, another disk is large."""
        large = os.path.join(self.scratch, "large")
        os.mkdir(large)
        os.mkdir(self.home)
        os.symlink(large, self.cache)
        self.download()
        self.assert_cached(WEIGHTS)
        self.download(env=OFFLINE)

    def test_local_dir(self):
        where = os.path.join(self.scratch, "plain")
        precious = os.path.join(self.scratch, "precious")
        os.mkdir(where)
        with open(precious, "w") as file:
            file.write("keep")
        os.symlink(precious, os.path.join(where, "config.json"))
        self.download("--local-dir", where)
        for path, data in MODEL.items():
            self.assertFalse(os.path.islink(os.path.join(where, path)))
            with open(os.path.join(where, path), "rb") as file:
                self.assertEqual(file.read(), data)
        with open(precious) as file:
            self.assertEqual(file.read(), "keep", "written through a link")

    def test_force_fetches_again(self):
        self.download()
        with open(os.path.realpath(self.pointer(WEIGHTS)), "r+b") as file:
            file.write(b"spoilt")
        self.download("--force")
        self.assert_cached(WEIGHTS)

    def test_terminated(self):
        """SIGTERM and a closed terminal end it like Ctrl-C: at once, and every lock is free."""
        self.model.commit({**MODEL, WEIGHTS: noise(3 << 20)})
        self.hub.rule(listener="cdn", rate=1 << 20)
        for how in (signal.SIGTERM, signal.SIGHUP):
            process = self.start("download", "o/m")
            until = time.monotonic() + 20
            while not self.hub.requests(listener="cdn") and time.monotonic() < until:
                time.sleep(0.01)
            process.send_signal(how)
            process.communicate(timeout=5)
            for path in tree(self.scratch):
                self.assertTrue(not path.endswith(".lock") or lock_is_free(os.path.join(self.scratch, path)))
            self.hub.forget()

    def test_many_small_files(self):
        files = {**MODEL, **{f"d{i % 7}/{i}.txt": b"%d" % i for i in range(300)}}
        commit = self.model.commit(files)
        self.download("--include", "*.txt")
        for path, data in files.items():
            if path.endswith(".txt"):
                with open(self.pointer(path, commit), "rb") as file:
                    self.assertEqual(file.read(), data)
        self.assert_no_residue()

    @slow
    def test_dropped_again_and_again_but_getting_on(self):
        """More drops than tries, with more than 1 MiB between two of them: the tries begin anew."""
        data = noise(24 << 20, 4)
        commit = self.model.commit({**MODEL, WEIGHTS: data})
        self.hub.rule(listener="cdn", cut=3 << 20)
        self.download()
        self.assert_cached(WEIGHTS, data, commit=commit)
        self.assertGreaterEqual(len(self.hub.requests(listener="cdn")), 8)

    def test_removing_one_revision(self):
        self.download()
        newer = self.model.commit({**MODEL, "config.json": b"{}"})
        self.download()
        result = self.oclm("cache", "remove", "o/m", "--revision", self.commit)
        self.assertEqual(result.status, DONE, result.err)
        self.assertFalse(os.path.lexists(os.path.join(self.folder(), "blobs", Content(MODEL["config.json"]).git_id)))
        self.assert_cached("config.json", b"{}", commit=newer)
        self.assert_cached(WEIGHTS, commit=newer)
        self.download(env=OFFLINE)
        self.assertEqual(self.oclm("cache", "remove", "o/m", "--revision", "main").status, DONE)
        self.download(env=OFFLINE, status=NOT_FOUND)


class Complete(unittest.TestCase):
    def test_every_number_has_a_case_or_a_reason(self):
        here = os.path.dirname(os.path.abspath(__file__))
        known = set()
        for name in sorted(os.listdir(here)):
            if name.startswith("test_") and name.endswith(".py"):
                with open(os.path.join(here, name)) as file:
                    for method in re.findall(r"def test_((?:[A-Z]\d\d_)+)", file.read()):
                        known.update(method.strip("_").split("_"))
        with open(os.path.join(here, "README.md")) as file:
            known.update(re.findall(r"^\| ([A-Z]\d\d) \|", file.read(), re.MULTILINE))
        wanted = {f"{letter}{i:02}" for letter, count in (("N", 32), ("F", 47), ("C", 8), ("I", 7), ("S", 23)) for i in range(1, count + 1)}
        self.assertEqual(sorted(wanted - known), [])


if __name__ == "__main__":
    unittest.main()
