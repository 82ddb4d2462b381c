"""loopback_repo.py: what the loopback hub serves: contents, commits and repositories, without any HTTP.

A repository is a row of commits, each a whole listing {path: Content}, and names for them (branches, tags, pull requests).
Commit ids are made of the listing, so a test that says the same twice sees the same id twice.
"""

import hashlib
import os

# Stored by Git LFS on the real hub, hence served by its CDN; everything else is a regular file of the repository.
LFS_SUFFIXES = (".safetensors", ".bin", ".gguf", ".h5", ".onnx", ".model")


class Content:
    """The bytes of one file, from memory or from a file on disk, and its two ids."""

    def __init__(self, source):
        self.file = None if isinstance(source, bytes) else os.fspath(source)
        self.data = source if isinstance(source, bytes) else None
        self.size = len(source) if self.file is None else os.path.getsize(self.file)
        self._ids = None

    def pieces(self, begin=0, end=None, piece=1 << 20):
        """The bytes from begin to before end, a piece at a time."""
        end = self.size if end is None else end
        if self.data is not None:
            for at in range(begin, end, piece):
                yield self.data[at : min(at + piece, end)]
            return
        with open(self.file, "rb") as file:
            file.seek(begin)
            while begin < end:
                data = file.read(min(piece, end - begin))
                if not data:
                    return
                begin += len(data)
                yield data

    def bytes(self):
        return b"".join(self.pieces())

    def ids(self):
        """(sha256 of the content, its git blob id)."""
        if self._ids is None:
            sha256, git = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % self.size)
            for data in self.pieces():
                sha256.update(data)
                git.update(data)
            self._ids = (sha256.hexdigest(), git.hexdigest())
        return self._ids

    @property
    def sha256(self):
        return self.ids()[0]

    @property
    def git_id(self):
        return self.ids()[1]


class Repo:
    """A repository. `private` and `gated` need a token of the hub; for a gated one it must be in `granted` too."""

    def __init__(self, name, private=False, gated=False):
        self.name = name
        self.private = private
        self.gated = gated
        self.granted = set()
        self.commits = {}  # id -> {path: Content}
        self.refs = {}  # "main", "v1.0", "refs/pr/1" -> id

    def commit(self, files, ref="main"):
        """Adds a commit that holds just `files` ({path: bytes, str or a path on disk}), moves `ref` to it, returns its id."""
        listing = {}
        for path, source in files.items():
            listing[path] = source if isinstance(source, Content) else Content(source)
        tree = "".join(f"{path}\0{content.git_id}\0" for path, content in sorted(listing.items()))
        commit = hashlib.sha1(f"{self.name}\0{tree}".encode("utf-8", "surrogateescape")).hexdigest()
        self.commits[commit] = listing
        self.refs[ref] = commit
        return commit

    def find(self, revision):
        """The commit id of a branch, a tag, a pull request, a full hash or the first 7 digits or more of one; or None."""
        if revision in self.refs:
            return self.refs[revision]
        if revision in self.commits:
            return revision
        if len(revision) >= 7:
            matching = [commit for commit in self.commits if commit.startswith(revision)]
            if len(matching) == 1:
                return matching[0]
        return None


def folder_files(folder):
    """{path with slashes: path on disk} of every file below folder."""
    files = {}
    for where, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            full = os.path.join(where, name)
            files[os.path.relpath(full, folder).replace(os.sep, "/")] = full
    return files


def is_lfs(path):
    return path.endswith(LFS_SUFFIXES)
