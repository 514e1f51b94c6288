// The Postman collection of an OpenAPI description, on standard output: node postman.mjs docs/openapi.json
// Postman's own converter makes it; what differs from run to run is taken out, and what a person would have to type is a variable.
import { readFileSync } from "node:fs";

const description = JSON.parse(readFileSync(process.argv[2], "utf8"));
// The window's own routes cannot be reached by a program.
for (const path of Object.keys(description.paths)) if (path.startsWith("/econnector/v1/link")) delete description.paths[path];
for (const operation of Object.values(description.paths).flatMap((path) => Object.values(path))) {
  const content = operation.requestBody?.content ?? {};
  if (content["application/json"]) operation.requestBody.content = { "application/json": content["application/json"] };
}

// The converter invents values where the description has no example: always the same ones, so before it is loaded.
let seed = 1;
Math.random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
const { default: converter } = await import("openapi-to-postmanv2");

// Which of the collection's variables is the id of what a route is about.
const SUBJECTS = [["pid", "simulation_id"], ["signatures", "signature_id"], ["paper", "paper_id"], ["documents", "document_id"]];
// What stands in a path when nobody typed anything else.
const USUAL = { kind: "ecit", name: "caisse" };
const VARIABLES = {
  baseUrl: "https://localhost:8443",
  // One way in: a token; or what a token is had with, as a hospital does; or a key with its software or physician; or a certificate with
  // the physician.
  token: "",
  token_endpoint: "", client_id: "", client_secret: "", physician: "",
  key: "", software: "Postman/1.0",
  ...Object.fromEntries(SUBJECTS.map(([, name]) => [name, ""])),
};

converter.convert({ type: "json", data: description }, {
  folderStrategy: "Tags",
  requestParametersResolution: "Example",
  exampleParametersResolution: "Example",
}, (error, converted) => {
  if (error || !converted.result) {
    console.error(error ?? converted.reason);
    process.exit(1);
  }
  const { item } = converted.output[0].data;
  process.stdout.write(JSON.stringify({
    info: {
      name: description.info.title,
      description: `${description.info.description}\n\nMade of docs/openapi.json by \`cargo xtask generate\`. Set baseUrl and one of: token; token_endpoint, client_id, client_secret and physician (her eHealthID), with which a token is got; key and software (loopback door, in the session of whoever is logged in, or with a token); key and physician (hospital door); physician, with the client certificate in Postman's settings (hospital door). Ids are made at the first request.`,
      schema: "https://schema.getpostman.com/json/collection/v2.1.0/collection.json",
      version: description.info.version,
    },
    auth: { type: "bearer", bearer: [{ key: "token", value: "{{token}}", type: "string" }] },
    event: [script("prerequest", [
      "// Every id is made once and kept: the same id again is never deposited twice.",
      `${JSON.stringify(SUBJECTS.map(([, name]) => name))}`
        + ".filter((name) => !pm.variables.get(name))"
        + ".forEach((name) => pm.collectionVariables.set(name, pm.variables.replaceIn(\"{{$randomUUID}}\")));",
      "const said = (name) => pm.variables.get(name);",
      "const header = (key, value) => value && pm.request.headers.upsert({ key, value });",
      "header(\"X-EConnector-Key\", said(\"key\"));",
      "if (said(\"key\")) header(\"X-EConnector-Software\", said(\"software\"));",
      "// Whoever gets a token names her there.",
      "if (!said(\"token\") && !said(\"token_endpoint\")) header(\"X-EConnector-Physician\", said(\"physician\"));",
      "// RFC 8693, as AeS takes it.",
      "if (!said(\"key\") && !said(\"token\") && said(\"token_endpoint\")) pm.sendRequest({",
      "  url: said(\"token_endpoint\"), method: \"POST\",",
      "  body: { mode: \"urlencoded\", urlencoded: Object.entries({",
      "    grant_type: \"urn:ietf:params:oauth:grant-type:token-exchange\", client_id: said(\"client_id\"), client_secret: said(\"client_secret\"),",
      "    requested_subject: said(\"physician\"), audience: \"https://eadmin.lu/\",",
      "  }).map(([key, value]) => ({ key, value })) },",
      "}, (error, answer) => pm.collectionVariables.set(\"token\", error ? \"\" : answer.json().access_token));",
    ])],
    variable: Object.entries(VARIABLES).map(([key, value]) => ({ key, value, type: "string" })),
    item: item.filter((tag) => tag.item.length > 0).map(folder),
  }, null, 2) + "\n");
});

function folder(entry) {
  if (entry.request) return call(entry);
  const about = (description.tags ?? []).find((tag) => tag.name === entry.name)?.description;
  const item = entry.item.map(folder).sort((one, other) => turn(one) - turn(other));
  return { name: entry.name, ...(about && { description: about }), item };
}

// Run one after the other: made first, then looked at, then changed, and forgotten last.
function turn({ request }) {
  const about = request?.url.path.some((part) => part.startsWith(":id"));
  return ["DELETE", "POST", "PUT"].includes(request?.method) && about ? (request.method === "DELETE" ? 3 : 2) : about ? 1 : 0;
}

function call({ name, request, response }) {
  const path = "/" + request.url.path.map((part) => part.replace(/^:(.*)$/, "{$1}")).join("/");
  const operation = description.paths[path][request.method.toLowerCase()];
  const subject = SUBJECTS.find(([part]) => request.url.path.includes(part))?.[1];
  const { auth: _, name: __, ...rest } = request;
  rest.description = [operation.summary, operation.description].filter(Boolean).join("\n\n");
  for (const variable of rest.url.variable ?? []) {
    delete variable.id;
    variable.value = variable.key === "id" ? `{{${subject}}}` : USUAL[variable.key] ?? variable.value;
  }
  // What authenticates is the collection's.
  rest.header = (rest.header ?? []).filter(({ key }) => !/^(authorization|x-econnector-.*)$/i.test(key));
  // An optional parameter is there to be switched on.
  for (const parameter of rest.url.query ?? []) Object.assign(parameter, { disabled: true, value: "" });
  if (rest.body?.raw && subject) rest.body.raw = rest.body.raw.replace(/("id": ")[0-9a-f-]{36}(")/, `$1{{${subject}}}$2`);
  for (const field of rest.body?.formdata ?? []) if (field.key === "id" && subject) field.value = `{{${subject}}}`;
  return {
    name: name.split(/(?<=[.:;])\s/)[0].replace(/[.:;]$/, ""),
    event: [script("test", [
      `pm.test("answered as documented", () => pm.expect(${JSON.stringify(Object.keys(operation.responses).map(Number))}).to.include(pm.response.code));`,
      "pm.test(\"no server error\", () => pm.expect(pm.response.code).to.be.below(500));",
    ])],
    request: rest,
    response: response.filter(({ code }) => code < 300 && exemplified(operation.responses[code])).map(({ id: _, cookie: __, originalRequest, ...kept }) => ({
      ...kept,
      originalRequest: { method: originalRequest.method, url: rest.url, header: rest.header },
      cookie: [],
    })),
  };
}

// Answers that the converter made up help nobody.
function exemplified(response) {
  return Object.values(response?.content ?? {}).some((media) => media.example !== undefined || media.examples !== undefined);
}

function script(listen, exec) {
  return { listen, script: { type: "text/javascript", exec } };
}
