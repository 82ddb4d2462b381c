"""test_security.py: cases S: what a hostile hub, CDN or cache may try. Nothing is written outside the cache, no token leaves."""

import shutil
import unittest

from hub_case import *

WEIGHTS = "model.safetensors"
HEAD = {"path": "*config.json*", "method": "HEAD"}


class Hostile(HubCase):
    def written(self):
        """Files below the scratch folder, less what every download makes."""
        return sorted(path for path, (mode, _) in tree(self.scratch).items() if not stat.S_ISDIR(mode) and not path.endswith("CACHEDIR.TAG"))

    def rejected(self, says=(), allowed=(), **how):
        """The download fails, and leaves no file but `allowed` (beginnings of paths below the scratch folder)."""
        result = self.refused(status=None, says=says, **how)
        left = [path for path in self.written() if not path.startswith(tuple(allowed))]
        self.assertEqual(left, [])
        return result

    def lies(self, header, values, says=()):
        for value in values:
            with self.subTest(value=value[:60]):
                self.hub.rules = []
                self.hub.rule(set={header: value}, **HEAD)
                self.rejected(says)

    def test_S01_etags(self):
        self.lies("X-Linked-Etag", ['"../../../evil"', '"a/b"', '""', '"."', '".."', '"' + "e" * 300 + '"', '"x.lock"', '"x.tmp"', '"x.incomplete"',
                                    '"a b"', '"a\x01b"', '"a\\b"', '"-a"', '"\xe9"', 'W/"/etc/x"'])

    def test_S02_commits(self):
        self.lies("X-Repo-Commit", ["../../x", "short", "A" * 40, "a" * 41, "", "a" * 39 + "/", "a" * 39 + "g"])

    def test_S03_sizes(self):
        self.lies("X-Linked-Size", ["-1", "1e9", "99999999999999999999", "12abc", "0x10", "1 2", "+5", "9223372036854775808"])

    def test_S04_endless_body(self):
        for path, rule in (("config.json", {"path": "*config.json*", "method": "GET"}), (WEIGHTS, {"listener": "cdn"})):
            self.hub.rules = []
            self.hub.rule(endless=True, set={"Content-Length": None}, **rule)
            begin = time.monotonic()
            self.refused(status=None, says=path)
            self.assertLess(time.monotonic() - begin, 30)
            self.assert_nothing_of(path)

    def redirected(self, location, **rule):
        self.hub.rules = []
        self.hub.forget()
        self.hub.rule(status=302, location=location, **rule)
        result = self.oclm("download", "o/m", env={"HF_TOKEN": "hf_good"})
        for entry in self.hub.requests():
            if entry["listener"] != "hub":
                self.assertNotIn("authorization", entry["headers"], location)
                self.assertNotIn("hf_good", entry["path"])
        self.assertNotEqual(result.status, DONE, location)
        return result

    def test_S05_redirects_elsewhere(self):
        evil = self.hub.address("evil")
        port = self.hub.ports["evil"]
        for location in (evil + "/x", f"http://localhost:{port}/x", f"//127.0.0.1:{port}/x", f"http://user:hf_good@127.0.0.1:{port}/x",
                         f"HTTP://127.0.0.1:{port}/x", f"http://127.0.0.1:{self.hub.ports['hub']}@127.0.0.1:{port}/x", f"\\\\127.0.0.1:{port}/x"):
            for rule in (HEAD, {"path": "*/config.json*", "method": "GET"}):
                self.redirected(location, **rule)

    def test_S05_schemes(self):
        for location in ("file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/x", "javascript:1", "data:,x", "dict://127.0.0.1:11211/x"):
            self.redirected(location, **HEAD)
            self.redirected(location, path="*/config.json*", method="GET")
            self.assertFalse([path for path in self.written() if "snapshots" in path], location)

    def test_S06_back_and_forth(self):
        """CDN sends to the hub, and to a third host: the token goes to the hub alone."""
        goal = f"{self.hub.url}/gift"
        self.hub.rule(listener="cdn", status=302, location=goal)
        self.hub.rule(path="/gift", status=200, body=MODEL[WEIGHTS])
        self.oclm("download", "o/m", env={"HF_TOKEN": "hf_good"})
        self.hub.rules = []
        self.hub.rule(listener="cdn", status=302, location=self.hub.address("evil") + "/x")
        self.hub.rule(listener="evil", status=200, body=MODEL[WEIGHTS])
        self.oclm("download", "o/m", env={"HF_TOKEN": "hf_good"})
        for entry in self.hub.requests():
            self.assertEqual("authorization" in entry["headers"], entry["listener"] == "hub", entry["path"])
        self.hub.rules = []
        self.hub.forget()
        self.hub.rule(listener="cdn", status=302, location=self.hub.address("cdn") + "/round")
        subprocess.run(["rm", "-rf", self.cache], check=True)
        self.refused(status=None, says="redirect")
        self.assertLess(len(self.hub.requests(listener="cdn")), 80)

    def test_S07_cookies(self):
        self.hub.rule(listener="hub", set={"Set-Cookie": "a=b; Path=/"})
        self.hub.rule(listener="cdn", set={"Set-Cookie": "a=b; Path=/"})
        self.download()
        self.model.commit({**MODEL, "config.json": b"{}"})
        self.download()
        for entry in self.hub.requests():
            self.assertNotIn("cookie", entry["headers"])

    NAMES = ("../../../etc/passwd", "folder/../../x", "..\\..\\W", "folder\\..\\..\\e", "/etc/passwd", "C:\\x", "C:/x", "D:rel\\x", "\\\\h\\s\\e", "\\evil",
             "folder/C:\\x", "folder/\\\\h\\s\\e", "folder/\\evil", "a//b", "./a", "a/", "", "..", ".", "a\0b", "a\nb", "x" * 300, "\ud800",
             "model.safetensors/../../x", "~/x.safetensors", "sub/../../../../x.safetensors")

    def test_S08_names_in_a_listing(self):
        for name in self.NAMES:
            with self.subTest(name=name):
                self.hub.rules = []
                listing = [{"type": "file", "path": "config.json", "size": 3, "oid": "0" * 40}, {"type": "file", "path": name, "size": 3, "oid": "0" * 40}]
                self.hub.rule(path="/api/models/o/m/tree/*", status=200, body=json.dumps(listing))
                self.hub.rule(path="/api/models/o/m", status=200, body=json.dumps({"sha": self.commit, "siblings": [{"rfilename": name}]}))
                self.hub.rule(path="*passwd*", status=200, body="x", headers={"ETag": '"abc"', "X-Repo-Commit": self.commit})
                self.oclm("download", "o/m", "--include", "*", env={"HF_TOKEN": "hf_good"})
                here = [path for path in self.written() if not path.startswith(("home/hub/models--o--m/", "home/hub/.locks/models--o--m/"))]
                self.assertEqual(here, [])
                snapshot = os.path.join(self.folder(), "snapshots", self.commit)
                found = os.listdir(snapshot) if os.path.isdir(snapshot) else []
                self.assertLessEqual(set(found), {"config.json"})
                subprocess.run(["rm", "-rf", self.cache], check=True)

    def test_S08_S20_names_in_an_index(self):
        for name in self.NAMES + ("*", "[a-z]*", "*.safetensors", "pytorch_model.bin", "evil.py", "sub/model.safetensors"):
            with self.subTest(name=name):
                index = json.dumps({"weight_map": {"a": "model-1.safetensors", "b": name}}).encode()
                self.hub.repo("o/s", {"config.json": MODEL["config.json"], "model.safetensors.index.json": index, "model-1.safetensors": b"1",
                                      "pytorch_model.bin": b"2", "evil.py": b"3"})
                result = self.download(model="o/s", status=None)
                self.assertLess(len(result.err), 4000)
                self.assertFalse([entry for entry in self.hub.requests("*evil.py*") + self.hub.requests("*pytorch_model*")
                                  if entry["method"] == "GET"])
                self.assertFalse([path for path in self.written() if not path.startswith(("home/hub/models--o--s/", "home/hub/.locks/models--o--s/"))])

    def test_S11_links_planted_in_the_cache(self):
        precious = os.path.join(self.scratch, "precious")
        for plant in ("snapshots", "snapshot", "blobs", "refs", "folder", "locks"):
            with self.subTest(plant=plant):
                os.makedirs(precious)
                folder = self.folder()
                where = {"snapshots": f"{folder}/snapshots", "snapshot": f"{folder}/snapshots/{self.commit}", "blobs": f"{folder}/blobs",
                         "refs": f"{folder}/refs", "folder": f"{folder}/.no_exist", "locks": f"{self.cache}/.locks"}[plant]
                os.makedirs(os.path.dirname(where), exist_ok=True)
                os.symlink(precious, where)
                self.oclm("download", "o/m")
                self.assertEqual(os.listdir(precious), [], f"{plant}: written through a link")
                shutil.rmtree(self.cache)
                os.rmdir(precious)

    def test_S11_lock_is_a_link(self):
        precious = os.path.join(self.scratch, "precious")
        with open(precious, "w") as file:
            file.write("keep")
        os.chmod(precious, 0o600)
        for path in MODEL:
            content = Content(MODEL[path])
            name = os.path.join(self.cache, ".locks", "models--o--m", (content.sha256 if path == WEIGHTS else content.git_id) + ".lock")
            os.makedirs(os.path.dirname(name), exist_ok=True)
            os.symlink(precious, name)
        self.oclm("download", "o/m")
        with open(precious) as file:
            self.assertEqual(file.read(), "keep")
        self.assertEqual(stat.S_IMODE(os.stat(precious).st_mode), 0o600)

    def test_S12_pointers_that_are_no_files(self):
        for make in (os.mkfifo, os.mkdir):
            self.download()
            for path in ("config.json", WEIGHTS):
                name = self.pointer(path)
                os.unlink(name)
                make(name)
            begin = time.monotonic()
            self.download(env={"HF_HUB_OFFLINE": "1"}, status=None)
            self.oclm("cache", "list")
            self.oclm("cache", "verify")
            self.assertLess(time.monotonic() - begin, 10)
            shutil.rmtree(self.cache)

    def test_S13_pointer_to_somewhere_else(self):
        """The user's own doing, perhaps: used, and told."""
        self.download()
        elsewhere = os.path.join(self.scratch, "elsewhere")
        with open(elsewhere, "wb") as file:
            file.write(MODEL["config.json"])
        os.unlink(self.pointer("config.json"))
        os.symlink(elsewhere, self.pointer("config.json"))
        self.assert_says(self.download(env={"HF_HUB_OFFLINE": "1"}), "config.json", "out of the cache")

    def test_S14_terminal_escapes_and_endless_headers(self):
        self.hub.rule(status=403, headers={"X-Error-Message": "\x1b[2J\x1b]0;evil\x07Forbidden fruit\x9b"}, **HEAD)
        result = self.rejected("Forbidden fruit")
        for byte in ("\x1b", "\x07", "\x9b"):
            self.assertNotIn(byte, result.err)
        # With a model in the cache: without, it would be tried for as long as a network that is broken.
        self.hub.rules = []
        self.download()
        for size, lines in ((100 << 10, 1), (30 << 10, 12)):
            self.hub.rules = []
            self.hub.rule(set={f"X-Long-{line}": "x" * size for line in range(lines)}, **HEAD)
            self.assertLess(len(self.oclm("download", "o/m").err), 5000)
        self.hub.rules = []
        self.hub.rule(status=404, headers={"X-Error-Code": "RepoNotFound", "X-Error-Message": "m" * 60_000}, **HEAD)
        self.assertLess(len(self.oclm("download", "o/m").err), 8000)

    def test_S15_endless_error(self):
        for what in ({"listener": "cdn"}, {"path": "*/config.json*", "method": "GET"}):
            self.hub.rules = []
            shutil.rmtree(self.cache, ignore_errors=True)
            self.hub.rule(status=404, body="no" * 1000, endless=True, set={"Content-Length": None}, **what)
            begin = time.monotonic()
            self.refused(status=None)
            self.assertLess(time.monotonic() - begin, 30)

    def test_S17_token_files(self):
        os.mkdir(self.home)
        with open(os.path.join(self.home, "token"), "w") as file:
            file.write("hf_good")
        os.chmod(os.path.join(self.home, "token"), 0o644)
        self.assert_says(self.download(), "token", "chmod 600")
        self.hub.forget()
        self.oclm("download", "o/m", env={"HF_TOKEN": "hf_good\r\nX-Injected: 1"})
        self.oclm("download", "o/m", "--token", "hf_good\r\nX-Injected: 1")
        self.oclm("download", "o/m", env={"HF_HUB_USER_AGENT_ORIGIN": "a\r\nX-Injected: 1"})
        for entry in self.hub.requests():
            self.assertNotIn("x-injected", entry["headers"])

    def test_S19_listings_that_go_on(self):
        commit = self.model.commit({**MODEL, **{f"{i}.txt": b"" for i in range(5)}})
        for link in (self.hub.address("evil") + "/next", f"{self.hub.url}/api/models/o/m/tree/{commit}?recursive=true&expand=false"):
            self.hub.rules = []
            self.hub.forget()
            self.hub.rule(path="/api/models/*/tree/*", set={"Link": f'<{link}>; rel="next"'})
            self.oclm("download", "o/m", "--include", "*.txt", env={"HF_TOKEN": "hf_good"})
            self.assertEqual(self.hub.requests(listener="evil"), [])
            self.assertLessEqual(len(self.hub.requests("/api/*")), 205)

    def test_S20_an_index_of_a_million(self):
        index = b'{"weight_map": {' + b",".join(b'"t%d": "model-%d.safetensors"' % (i, i) for i in range(200_000)) + b"}}"
        self.hub.repo("o/s", {"config.json": MODEL["config.json"], "model.safetensors.index.json": index})
        begin = time.monotonic()
        self.refused(model="o/s", status=BROKEN, says="model.safetensors.index.json")
        self.assertLess(time.monotonic() - begin, 20)
        self.assertEqual(self.hub.requests("*model-*"), [])

    def test_S21_headers_twice(self):
        for name, values in (("X-Repo-Commit", ["a" * 40, "b" * 40]), ("X-Linked-Etag", ['"aa"', '"bb"']), ("X-Linked-Size", ["1", "2"]),
                             ("Location", ["/a", "/b"])):
            self.hub.rules = []
            self.hub.rule(set={name: values}, **HEAD)
            self.rejected()

    def test_S22_answers_that_are_no_http(self):
        etag = Content(MODEL["config.json"]).git_id
        for raw in ("SSH-2.0-OpenSSH_9.2\r\n", "<html>hello</html>", "HTTP/1.1 200 OK\r\nX-Repo-Commit\r\n\r\n", "HTTP/9.9 abc\r\n\r\n", "\0" * 5000,
                    f"HTTP/1.1 200 OK\r\nX-Repo-Commit: {self.commit}\r\n folded/../..\r\nETag: \"{etag}\"\r\nContent-Length: 9\r\n\r\n",
                    f"HTTP/1.1 200 OK\r\nX-Repo-Commit: {self.commit}\r\nETag: \"{etag}\"\r\nContent-Length: 9\r\nContent-Length: 8\r\n\r\n"):
            with self.subTest(raw=raw[:40]):
                self.hub.rules = []
                self.hub.rule(raw=raw, times=1, **HEAD)
                self.hub.rule(status=400, **HEAD)
                self.rejected()

    def test_S23_compressed_bomb(self):
        self.hub.rule(body=bytes(40 << 20), gzip=True, **{"path": "*/config.json*", "method": "GET"})
        self.refused(status=None, says="config.json")
        self.assert_nothing_of("config.json")


class Tls(HubCase):
    """S18: certificates made with the openssl command."""

    def certificate(self, name, *arguments):
        file = os.path.join(self.scratch, name + ".pem")
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", file + ".key",
                   "-out", file + ".crt", *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(file, "w") as both:
            for part in (".key", ".crt"):
                with open(file + part) as one:
                    both.write(one.read())
        return file, file + ".crt"

    def setUp(self):
        if not shutil.which("openssl"):
            self.skipTest("no openssl command to make certificates with")
        super().setUp()

    def serve(self, file):
        from loopback_hub import LoopbackHub

        hub = LoopbackHub(certificate=file)
        self.addCleanup(hub.close)
        hub.repo("o/m", MODEL)
        return {"HF_ENDPOINT": hub.address("tls")}, hub

    def test_S18_certificates(self):
        good, trusted = self.certificate("good", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
        endpoint, hub = self.serve(good)
        begin = time.monotonic()
        self.refused(env=endpoint, says=("certificate",))
        self.assertLess(time.monotonic() - begin, 5, "a bad certificate is not tried again")
        self.assertEqual(hub.log, [])
        for variable in ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
            self.fetch("config.json", env={**endpoint, variable: trusted})
            shutil.rmtree(self.cache)
        self.download(env={**endpoint, "SSL_CERT_FILE": trusted})
        # Cached: not knowing the server is a warning.
        self.assert_says(self.download(env=endpoint), "cache")

        # From https to http anybody could change what arrives.
        for rule in ({"path": "/o/m/resolve/*/config.json", "method": "HEAD"}, {"path": "*/config.json*", "method": "GET"}):
            shutil.rmtree(self.cache)
            os.makedirs(self.cache)
            hub.rules = []
            hub.rule(status=302, location=hub.url + "/x", **rule)
            hub.forget()
            self.refused(env={**endpoint, "SSL_CERT_FILE": trusted}, status=None, says="http")
            self.assertEqual(hub.requests(listener="hub"), [])

        wrong, trusted = self.certificate("wrong", "-subj", "/CN=elsewhere", "-addext", "subjectAltName=DNS:elsewhere.example")
        endpoint, _ = self.serve(wrong)
        shutil.rmtree(self.cache)
        self.refused(env={**endpoint, "SSL_CERT_FILE": trusted}, says=("127.0.0.1",))


if __name__ == "__main__":
    unittest.main()
