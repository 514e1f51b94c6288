// What becomes of the message. Sent again by itself is only what certainly did not arrive; an outcome that is not known is for a person.
function verdict(status, answer) {
  var code = answer && (answer.code || (answer.problem && answer.problem.code)) || "";
  if ((status === 200 || status === 201) && answer.state === "deposited") return "SENT";
  if (/-outcome-unknown$/.test(code) || (answer && answer.state === "unknown")) return "ERROR";
  return status === 429 || status === 503 || status === 504 ? "QUEUED" : "ERROR";
}
