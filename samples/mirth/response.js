// What becomes of the message. Sent again by itself is only what certainly did not arrive, or what the one server there is remembers; with
// several servers a lost answer is for a person, who asks GET /econnector/v1/documents/{id} first. So is an outcome that is not known.
function verdict(status, answer, several) {
  var code = answer && (answer.code || (answer.problem && answer.problem.code)) || "";
  if ((status === 200 || status === 201) && answer && answer.state === "deposited") return "SENT";
  if (/-outcome-unknown$/.test(code) || (answer && answer.state === "unknown")) return "ERROR";
  if (status === 408 || status === 429) return "QUEUED";
  var lost = code === "answer-too-slow" || (status >= 502 && status <= 504 && !code);
  if (lost) return several ? "ERROR" : "QUEUED";
  return status === 503 || status === 504 ? "QUEUED" : "ERROR";
}
