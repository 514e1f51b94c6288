#!/usr/bin/env node
// Deposits an eCIT. Usage: deposit.mjs ready.json|connection.json values.json [id]  (Node 18 or newer, nothing to install)
import { createHmac, randomUUID } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { setTimeout as pause } from "node:timers/promises";

process.on("uncaughtException", (error) => { console.error(error.message); process.exitCode = 1; });
const [, , placeFile, valuesFile, id = randomUUID()] = process.argv;
if (!existsSync(placeFile)) throw new Error(`eConnector does not run as this user, or its file is elsewhere: ${placeFile}`);
const place = JSON.parse(readFileSync(placeFile, "utf8"));
const headers = { "Content-Type": "application/json", "Accept-Language": "en" };
const ca = place.ca_pem && readFileSync(place.ca_pem);
// One POST, or a GET without body: status, JSON, and after how many seconds to ask again (0: not).
function send(url, body, headers) {
  return new Promise((resolve, reject) => {
    const lost = (error) => reject(new Error("eConnector does not answer: start it and read the file anew; if something was sent, " +
      `send the same id again (${url}: ${error.message || error.code})`));
    // Plain HTTP is this computer's own: an agent of its own takes no proxy, which would read everything.
    const [{ request }, agent] = url.startsWith("http:") ? [http, new http.Agent()] : [https];
    const call = request(url, { method: body ? "POST" : "GET", headers, ca, agent, timeout: 240_000 }, (answer) => {
      const pieces = [];
      answer.on("error", lost).on("data", (piece) => pieces.push(piece)).on("end", () => {
        const json = JSON.parse(Buffer.concat(pieces).toString("utf8"));
        resolve({ status: answer.statusCode, json, wait: Number(answer.headers["retry-after"] ?? 0) });
      });
    });
    call.on("timeout", () => call.destroy(new Error("no answer in time"))).on("error", lost).end(body);
  });
}

if (place.key) { // a connection file: the desktop of this user; it asks the physician herself, unless your software brings a token
  // After a crash another user's program may have taken the port: only the one that wrote this file knows its key.
  const challenge = randomUUID();
  const status = await send(`${place.url}/econnector/status`, undefined, { "X-EConnector-Challenge": challenge });
  const proof = createHmac("sha256", place.key).update(challenge).digest("hex");
  if (status.json.link?.proof !== proof) throw new Error("this is not the program of the connection file: read the file anew");
  Object.assign(headers, { "X-EConnector-Key": place.key, "X-EConnector-Software": "Sample JavaScript/1.0" });
  if (process.env.ECONNECTOR_TOKEN) headers.Authorization = `Bearer ${process.env.ECONNECTOR_TOKEN}`;
} else { // a ready file: the hospital server of `cargo xtask sandbox`, with a token in the physician's name (RFC 8693)
  const form = new URLSearchParams({ grant_type: "urn:ietf:params:oauth:grant-type:token-exchange", client_id: place.client_id,
    client_secret: place.client_secret, requested_subject: place.ehealth_id, audience: "https://eadmin.lu/" });
  const exchanged = await send(place.token_endpoint, form.toString(), { "Content-Type": "application/x-www-form-urlencoded" });
  if (exchanged.status !== 200) throw new Error(`no token: ${JSON.stringify(exchanged.json)}`);
  headers.Authorization = `Bearer ${exchanged.json.access_token}`;
}

// The id is made once for each certificate and kept: sent again after a lost answer, it is never deposited twice.
const body = JSON.stringify({ id, kind: "ecit", values: JSON.parse(readFileSync(valuesFile, "utf8")) });
console.error("id", id);
const post = () => send(`${place.api ?? place.url}/econnector/v1/documents`, body, headers);
let answer = await post();
for (let again = 4; answer.wait && again > 0; again -= 1, answer = await post()) {
  console.error(answer.json.next);
  await pause(answer.wait * 1000);
}
if (answer.json.state !== "deposited") throw new Error(JSON.stringify(answer.json.problem ?? answer.json, null, 2));
console.log(answer.status === 201 ? "deposited" : "deposited before", answer.json.receipt.reference);
