#!/usr/bin/env python3
"""Deposits an eCIT. Usage: deposit.py ready.json|connection.json values.json [id]  (Python 3.9 or newer, nothing to install)"""
import hashlib, hmac, http.client, json, os, ssl, sys, time, urllib.error, urllib.parse, urllib.request, uuid


def send(url, data, headers, trust):
    """One POST, or a GET without data: status, JSON, and after how many seconds to ask again (0: not)."""
    # Plain HTTP is this computer's own: a proxy would read everything.
    direct = [urllib.request.ProxyHandler({})] if url.startswith("http:") else []
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=trust), *direct)
    try:
        with opener.open(urllib.request.Request(url, data, headers), timeout=240) as answer:
            return answer.status, json.load(answer), 0
    except urllib.error.HTTPError as problem:
        return problem.code, json.load(problem), int(problem.headers.get("Retry-After", 0))
    except (OSError, http.client.HTTPException) as lost:
        sys.exit(f"eConnector does not answer: start it and read the file anew; if something was sent, send the same id again ({url}: {lost})")


def token(place, trust):
    """A hospital's token in the physician's name (RFC 8693)."""
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "client_id": place["client_id"],
            "client_secret": place["client_secret"], "requested_subject": place["ehealth_id"], "audience": "https://eadmin.lu/"}
    status, answer, _ = send(place["token_endpoint"], urllib.parse.urlencode(form).encode(), {}, trust)
    return answer["access_token"] if status == 200 else sys.exit(f"no token: {answer}")


len(sys.argv) > 2 or sys.exit(__doc__)
try:
    place = json.load(open(sys.argv[1], encoding="utf-8"))
except OSError as missing:
    sys.exit(f"eConnector does not run as this user, or its file is elsewhere: {missing}")
headers = {"Content-Type": "application/json", "Accept-Language": "en"}
if "key" in place:  # a connection file: the desktop of this user; it asks the physician herself
    base, trust, challenge = place["url"], None, uuid.uuid4().hex
    # After a crash another user's program may have taken the port: only the one that wrote this file knows its key.
    proof = send(base + "/econnector/status", None, {"X-EConnector-Challenge": challenge}, trust)[1].get("link", {}).get("proof", "")
    if not hmac.compare_digest(proof, hmac.new(place["key"].encode(), challenge.encode(), hashlib.sha256).hexdigest()):
        sys.exit("this is not the program of the connection file: read the file anew")
    headers |= {"X-EConnector-Key": place["key"], "X-EConnector-Software": "Sample Python/1.0"}
    if "ECONNECTOR_TOKEN" in os.environ:  # a token of the practice software's own login: no window is needed
        headers["Authorization"] = "Bearer " + os.environ["ECONNECTOR_TOKEN"]
else:  # a ready file: the hospital server of `cargo xtask sandbox`
    base, trust = place["api"], ssl.create_default_context(cafile=place["ca_pem"])
    headers["Authorization"] = "Bearer " + token(place, trust)

# The id is made once for each certificate and kept: sent again after a lost answer, it is never deposited twice.
document = {"id": sys.argv[3] if len(sys.argv) > 3 else str(uuid.uuid4()), "kind": "ecit",
            "values": json.load(open(sys.argv[2], encoding="utf-8"))}
print("id", document["id"], file=sys.stderr)
for again in range(4, -1, -1):
    status, answer, wait = send(base + "/econnector/v1/documents", json.dumps(document).encode(), headers, trust)
    if not (wait and again):
        break
    print(answer["next"], file=sys.stderr)
    time.sleep(wait)
if answer.get("state") != "deposited":
    sys.exit(json.dumps(answer.get("problem", answer), indent=2, ensure_ascii=False))
print("deposited" if status == 201 else "deposited before", answer["receipt"]["reference"])
