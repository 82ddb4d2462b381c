"""loopback_routes.py: how the loopback hub answers a request when no fault is asked for: the hub's URLs and headers.

    /{repo}/resolve/{revision}/{path}                          a file: 307 to the next, 302 to the CDN (LFS), or 200
    /api/resolve-cache/models/{repo}/{commit}/{path}           a regular file itself
    /api/models/{repo}[/revision/{revision}]                   what a revision holds
    /api/models/{repo}/tree/{revision}[/{folder}]              the same with sizes and ids, in pages
    /api/models/{repo}/refs, /commits/{revision}               names and commits
    CDN: /blob/{sha256}?sig=...
"""

import hashlib
import json
import re
import urllib.parse

from loopback_repo import is_lfs


class Answer:
    def __init__(self, status, headers, body=b""):
        self.status, self.headers, self.body = status, headers, body


def route(hub, request):
    path = urllib.parse.unquote(request.path, errors="surrogateescape")
    if request.listener in ("cdn", "tls-cdn"):
        return cdn(hub, path)
    if request.listener == "evil":
        return Answer(200, [("ETag", '"evil"')], b"evil")
    match = re.fullmatch(r"/api/resolve-cache/models/(.+?)/([0-9a-f]{40})/(.+)", path)
    if match:
        return resolve_cache(hub, *match.groups())
    # The revision is one segment, its slashes encoded: taken apart before it is decoded.
    match = re.fullmatch(r"/(.+?)/resolve/([^/]+)/(.+)", request.path)
    if match:
        return resolve(hub, request, *map(decoded, match.groups()))
    match = re.fullmatch(r"/api/models/(.+?)(?:/(revision|tree|commits)/([^/]+)(?:/(.+))?|/(refs))?", request.path)
    if match:
        name, what, revision, folder, refs = [decoded(part) if part else part for part in match.groups()]
        return api(hub, request, name, what or refs, revision or "main", folder or "")
    return Answer(404, [("Content-Type", "text/html")], b"<html>no such page</html>")


def decoded(text):
    return urllib.parse.unquote(text, errors="surrogateescape")


def error(status, code=None, message=None, extra=()):
    headers = [("Content-Type", "application/json"), ("x-request-id", "Root=1-loopback")]
    headers += [("X-Error-Code", code)] if code else []
    headers += [("X-Error-Message", message)] if message else []
    return Answer(status, headers + list(extra), json.dumps({"error": message or "error"}).encode())


def admit(hub, request, name):
    """(the repository, None) or (None, the refusal)."""
    token = request.authorization
    if token is not None:
        token = token.removeprefix("Bearer ")
        if token not in hub.tokens:
            return None, error(401, message="Invalid credentials in Authorization header")
    repo = hub.repos.get(name)
    if repo is None or (repo.private and token is None):
        if token is None:
            return None, error(401, message="Invalid username or password.")
        return None, error(404, "RepoNotFound", "Repository not found")
    return repo, None


def gate(repo, request):
    if not repo.gated:
        return None
    if request.authorization is None:
        return error(401, "GatedRepo", f"Access to model {repo.name} is restricted. You must be authenticated to access it.")
    if request.authorization.removeprefix("Bearer ") not in repo.granted:
        return error(403, "GatedRepo", f"Access to model {repo.name} is restricted and you are not in the authorized list. "
                     f"Visit https://huggingface.co/{repo.name} to ask for access.")
    return None


def renamed(hub, request, name):
    """Where a name has moved to, as the hub tells it: relative, with another repository in the path."""
    if name not in hub.renamed:
        return None
    target = request.target.replace(name, hub.renamed[name], 1)
    return Answer(307, [("Location", hub.prefix + target)], b"Temporary Redirect")


def resolve(hub, request, name, revision, path):
    moved = renamed(hub, request, name)
    if moved:
        return moved
    repo, refusal = admit(hub, request, name)
    refusal = refusal or gate(repo, request)
    if refusal:
        return refusal
    commit = repo.find(revision)
    if commit is None:
        return error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
    content = repo.commits[commit].get(path)
    if content is None:
        return error(404, "EntryNotFound", "Entry not found", [("X-Repo-Commit", commit)])
    headers = [("X-Repo-Commit", commit), ("RateLimit", '"resolvers";r=4999;t=300'),
               ("RateLimit-Policy", '"fixed window";"resolvers";q=5000;w=300')]
    if is_lfs(path) and content.size > 0:
        sha256 = content.sha256
        hub.blobs[sha256] = content
        where = f"{hub.address('tls-cdn' if request.listener == 'tls' else 'cdn')}/blob/{sha256}?sig=a%2Bb&expires=1"
        headers += [("Location", where), ("X-Linked-Etag", f'"{sha256}"'), ("X-Linked-Size", str(content.size)),
                    ("Content-Type", "text/plain")]
        return Answer(302, headers, b"Found. Redirecting to " + where.encode())
    etag = f'"{content.git_id}"'
    # Straight from the hub: what may not lie in its edge cache, and names without an owner.
    if repo.private or repo.gated or "/" not in name or content.size == 0:
        return Answer(200, headers + [("ETag", etag), ("Accept-Ranges", "bytes")], content)
    quoted = urllib.parse.quote(path, errors="surrogateescape")
    where = f"{hub.prefix}/api/resolve-cache/models/{name}/{commit}/{quoted}?{urllib.parse.quote(request.path, safe='')}=&etag=%22{content.git_id}%22"
    headers += [("Location", where), ("X-Linked-Etag", etag), ("X-Linked-Size", str(content.size))]
    return Answer(307, headers, b"Temporary Redirect. Redirecting to " + where.encode())


def resolve_cache(hub, name, commit, path):
    content = hub.repos[name].commits.get(commit, {}).get(path) if name in hub.repos else None
    if content is None:
        return error(404, "EntryNotFound", "Entry not found")
    return Answer(200, [("ETag", f'"{content.git_id}"'), ("X-Repo-Commit", commit), ("Accept-Ranges", "bytes")], content)


def cdn(hub, path):
    content = hub.blobs.get(path.removeprefix("/blob/"))
    if content is None:
        return Answer(403, [("Content-Type", "application/xml")], b"<Error>AccessDenied</Error>")
    # A CDN's own etag has nothing to do with the file's.
    return Answer(200, [("ETag", '"%s"' % hashlib.md5(content.sha256.encode()).hexdigest()), ("Accept-Ranges", "bytes")], content)


def api(hub, request, name, what, revision, folder):
    moved = renamed(hub, request, name)
    if moved:
        return moved
    repo, refusal = admit(hub, request, name)
    if refusal:
        return refusal
    if what == "refs":
        kinds = {"branches": [], "tags": [], "converts": [], "pullRequests": []}
        for ref, commit in repo.refs.items():
            kind = "pullRequests" if ref.startswith("refs/pr/") else "tags" if ref.startswith("v") else "branches"
            kinds[kind].append({"name": ref, "ref": ref if "/" in ref else f"refs/heads/{ref}", "targetCommit": commit})
        return as_json(kinds)
    commit = repo.find(revision)
    if commit is None:
        return error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
    listing = repo.commits[commit]
    if what == "commits":
        return as_json([{"id": commit, "title": "A commit", "message": "", "authors": [], "date": "2026-01-01T00:00:00.000Z"}])
    if what == "tree":
        return tree(hub, request, repo, listing, folder)
    return as_json({"_id": "1", "id": name, "modelId": name, "sha": commit, "private": repo.private, "disabled": False,
                    "gated": "auto" if repo.gated else False, "tags": [], "downloads": 0, "likes": 0,
                    "siblings": [{"rfilename": path} for path in sorted(listing)]})


def tree(hub, request, repo, listing, folder):
    asked = urllib.parse.parse_qs(request.query)
    recursive = asked.get("recursive", ["false"])[0].lower() in ("true", "1")
    below = folder.rstrip("/") + "/" if folder else ""
    entries = {}
    for path, content in sorted(listing.items()):
        if not path.startswith(below):
            continue
        parts = path[len(below):].split("/")
        for depth in range(1, len(parts)):
            name = below + "/".join(parts[:depth])
            if depth == 1 or recursive:
                entries[name] = {"type": "directory", "oid": hashlib.sha1(name.encode("utf-8", "replace")).hexdigest(), "size": 0, "path": name}
        if len(parts) == 1 or recursive:
            entries[path] = file_entry(path, content)
    if folder and not entries:
        return error(404, "EntryNotFound", "Entry not found")
    entries = list(entries.values())
    begin = int(asked.get("cursor", ["0"])[0])
    headers = []
    if begin + hub.page < len(entries):
        asked["cursor"] = [str(begin + hub.page)]
        query = urllib.parse.urlencode(asked, doseq=True)
        headers.append(("Link", f'<{hub.url}{request.path}?{query}>; rel="next"'))
    return as_json(entries[begin : begin + hub.page], headers)


def file_entry(path, content):
    entry = {"type": "file", "oid": content.git_id, "size": content.size, "path": path}
    if is_lfs(path) and content.size > 0:
        entry["oid"] = hashlib.sha1(content.sha256.encode()).hexdigest()
        entry["lfs"] = {"oid": content.sha256, "size": content.size, "pointerSize": 134}
    return entry


def as_json(value, headers=()):
    return Answer(200, [("Content-Type", "application/json; charset=utf-8"), *headers], json.dumps(value).encode())
