// Runs the scripts of samples/mirth as the engine would: node mirth.mjs message.hl7
// Prints as JSON what the channel would send, and what it would make of answers.
import { readFileSync } from "node:fs";
import vm from "node:vm";

const folder = new URL("../../samples/mirth/", import.meta.url);
// An engine has no node and no browser in it.
const engine = vm.createContext({ message: readFileSync(process.argv[2], "utf8") });
for (const script of ["transformer.js", "response.js"]) vm.runInContext(readFileSync(new URL(script, folder), "utf8"), engine);
const run = (code) => vm.runInContext(code, engine);
const note = run("feeNote(message)");
const answers = [
  [201, { state: "deposited" }], [200, { state: "deposited" }], [200, { state: "unknown" }],
  [504, { code: "mysecu-outcome-unknown" }], [504, { code: "net-refused" }], [503, { code: "server-busy" }], [429, null],
  [408, { code: "request-too-slow" }], [422, { code: "values-wrong" }], [401, { code: "client-key-wrong" }],
  [502, { code: "mysecu-answer-unusable" }], [500, null], [200, null],
  // The answer was lost: of a document that is still under way, and by something in between.
  [504, { code: "answer-too-slow" }], [502, null], [504, null],
];
// What the channel says to the script, under each setting of the configuration map: an answer that was lost.
const channel = readFileSync(new URL("channel.xml", folder), "utf8");
const step = channel.split("// end of response.js\n")[1].split("]]>")[0];
const settled = (servers) => {
  const lost = vm.createContext({
    verdict: run("verdict"),
    $: () => "HTTP/1.1 504 Gateway Timeout",
    response: { getMessage: () => "" },
    configurationMap: { get: (key) => (key === "eConnectorServers" ? servers : null) },
    SENT: "SENT", QUEUED: "QUEUED", ERROR: "ERROR",
  });
  vm.runInContext(step, lost);
  return lost.responseStatus;
};
console.log(JSON.stringify({
  ...note,
  body: run("multipart(feeNote(message), 'econnector-5f2b7c1e9a')"),
  lost: Object.fromEntries(["1", " 1 ", "2", "10", "", null, "one"].map((servers) => [String(servers), settled(servers)])),
  verdicts: [false, true].map((several) => answers.map(([status, answer]) => run(`verdict(${status}, ${JSON.stringify(answer)}, ${several})`))),
}));
