// From a DFT^P03 with the fee note's page in an OBX to the CNS XML and the multipart body of POST /econnector/v1/documents.
// Plain ECMAScript 5, as the engine's Rhino takes it; nothing of the engine is used, so that node can run it too.

// One segment's fields, by HL7's numbers: field 3 of a PID is [3]. MSH counts its separator as field 1.
function segments(message, name) {
  return message.split(/[\r\n]+/).filter(function (line) { return line.substring(0, 4) === name + "|"; }).map(function (line) {
    var fields = line.split("|");
    return name === "MSH" ? ["MSH", "|"].concat(fields.slice(1)) : fields;
  });
}

function segment(message, name) {
  var found = segments(message, name);
  if (found.length === 0) throw new Error("the message has no " + name);
  return found[0];
}

// A component, with HL7's escapes taken out. Numbers are HL7's, from 1.
function component(field, number, subcomponent) {
  var text = String(field || "").split("^")[number - 1] || "";
  text = subcomponent ? text.split("&")[subcomponent - 1] || "" : text;
  var escapes = { F: "|", S: "^", T: "&", R: "~", E: "\\" };
  return text.replace(/\\([FSTRE])\\/g, function (_, letter) { return escapes[letter]; });
}

// The repetition of an XCN that this authority assigned: the eHealthID and the CNS code stand side by side.
function assigned(field, authority) {
  var found = String(field || "").split("~").filter(function (one) { return component(one, 9) === authority; });
  if (found.length === 0) throw new Error("the attending physician has no identifier of " + authority);
  return found[0];
}

function day(hl7) {
  return hl7.substring(0, 4) + "-" + hl7.substring(4, 6) + "-" + hl7.substring(6, 8);
}

function element(name, text) {
  return "<" + name + ">" + text + "</" + name + ">";
}

function escaped(text) {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

// An element when there is something to say in it.
function optional(name, text) {
  return text ? element(name, escaped(text)) : "";
}

// Cents, so that a sum is a sum.
function cents(amount) {
  return Math.round(parseFloat(amount) * 100);
}

function money(cents) {
  return (cents / 100).toFixed(2);
}

// What the engine keeps in its channel map: id, eHealthID of the physician, the XML and the page in base64.
function feeNote(message) {
  var patient = segment(message, "PID");
  var visit = segment(message, "PV1");
  var own = segment(message, "ZEC"); // our own segment: the id that the record system made, and the fee note's number
  var page = segments(message, "OBX").filter(function (one) { return one[2] === "ED"; })[0];
  var lines = segments(message, "FT1");
  if (!page) throw new Error("the message has no page (OBX of type ED)");
  if (lines.length === 0) throw new Error("the message has no act (FT1)");
  var physician = assigned(visit[7], "CNS");
  var code = component(physician, 1);
  var total = lines.reduce(function (sum, line) { return sum + cents(component(line[11], 1)); }, 0);
  var acts = lines.map(function (line, index) {
    return element("prestation", element("numeroLigne", index + 1) + element("codeExecutant", code)
      + element("periode", element("dateDebut", day(line[4])))
      + element("acte", element("codeActe", escaped(component(line[7], 1))) + optional("libelle", component(line[7], 2).substring(0, 35)))
      + element("nombre", parseInt(line[10] || "1", 10)) + element("montantBrut", money(cents(component(line[11], 1)))));
  });
  var xml = "<cns:memoireHonoraire xmlns:cns=\"http://www.secu.lu/ciss/cns\">"
    + element("entete", element("UUID", own[1])
      + element("facturier", element("codePrestataire", code) + element("nom", escaped(component(physician, 2)))
        + optional("prenom", component(physician, 3)) + optional("titre", component(physician, 6))
        + element("adresse", element("rue", escaped(own[3]))))
      + element("patient", element("matricule", component(patient[3], 1)) + optional("nom", component(patient[5], 1))
        + optional("prenom", component(patient[5], 2)))
      + element("assure", optional("nom", component(patient[5], 1)) + optional("prenom", component(patient[5], 2))
        + element("adresse", optional("numeroRue", component(patient[11], 1, 1)) + element("rue", escaped(component(patient[11], 1, 2)))
          + optional("codePostal", component(patient[11], 5)) + optional("localite", component(patient[11], 3))))
      + optional("numeroMemoireHonoraires", own[2]) + element("dateMemoireHonoraires", day(lines[0][4]))
      + optional("numeroAdmission", component(visit[19], 1)))
    + acts.join("")
    + element("paiement", element("sousTotal", money(total)) + element("aPayer", money(total)) + element("devise", "EUR")
      + element("acquitte", "false"))
    + "<libre/><footer/><indicationsSupplementaires/></cns:memoireHonoraire>";
  return { id: own[1], physician: component(assigned(visit[7], "EHEALTH"), 1), xml: xml, pdf: component(page[5], 5) };
}

// The multipart body in base64, for an HTTP Sender that sends binary data. The page's bytes go in as they are.
function multipart(note, boundary) {
  var part = function (name, type, file) {
    return "--" + boundary + "\r\nContent-Disposition: form-data; name=\"" + name + "\"" + (file ? "; filename=\"" + file + "\"" : "")
      + "\r\nContent-Type: " + type + "\r\n\r\n";
  };
  return toBase64(bytes(part("id", "text/plain") + note.id + "\r\n" + part("kind", "text/plain") + "mh\r\n"
    + part("xml", "application/xml", "mh.xml") + note.xml + "\r\n" + part("pdf", "application/pdf", "mh.pdf"))
    + fromBase64(note.pdf) + "\r\n--" + boundary + "--\r\n");
}

// Strings of bytes: every character is one byte.
var LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

function bytes(text) {
  return unescape(encodeURIComponent(text));
}

function toBase64(bytes) {
  var text = [];
  for (var at = 0; at < bytes.length; at += 3) {
    var word = (bytes.charCodeAt(at) << 16) | ((bytes.charCodeAt(at + 1) || 0) << 8) | (bytes.charCodeAt(at + 2) || 0);
    text.push(LETTERS.charAt(word >> 18), LETTERS.charAt((word >> 12) & 63), at + 1 < bytes.length ? LETTERS.charAt((word >> 6) & 63) : "=",
      at + 2 < bytes.length ? LETTERS.charAt(word & 63) : "=");
  }
  return text.join("");
}

function fromBase64(text) {
  var bytes = [];
  var letters = text.replace(/[^A-Za-z0-9+\/]/g, "");
  for (var at = 0, word = 0, bits = 0; at < letters.length; at += 1) {
    word = ((word << 6) | LETTERS.indexOf(letters.charAt(at))) & 0xffffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes.push(String.fromCharCode((word >> bits) & 255));
    }
  }
  return bytes.join("");
}
