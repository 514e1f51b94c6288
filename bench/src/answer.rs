//! What the server answers, read as little as possible: the generator shares the machine.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::form::Form;

/// `%PDF-1`, in base64.
const PDF: &str = "JVBERi0x";

/// A document's answer, borrowed from the bytes that came.
#[derive(Deserialize)]
pub(crate) struct Issued<'a> {
    id: &'a str,
    state: &'a str,
    receipt: Option<Receipt<'a>>,
    #[serde(borrow, default)]
    volets: Vec<Volet<'a>>,
}

#[derive(Deserialize)]
struct Receipt<'a> {
    #[serde(default)]
    reference: Option<&'a str>,
    own_ms: Option<u32>,
    remote_ms: Option<u32>,
}

#[derive(Deserialize)]
struct Volet<'a> {
    name: &'a str,
    media_type: &'a str,
    signed: bool,
    content: &'a str,
}

/// A problem: its stable code, for the count of errors.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Problem {
    #[serde(default)]
    pub(crate) code: String,
}

/// The server's own time and that of the services it asked, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) own: f64,
    pub(crate) remote: f64,
}

impl Issued<'_> {
    /// Whether this is the whole answer to that document; what is missing when it is not.
    pub(crate) fn judge(&self, id: &str, form: &Form) -> Result<Times, &'static str> {
        let receipt = self.receipt.as_ref().ok_or("without receipt")?;
        if self.id != id {
            return Err("for another id");
        }
        if self.state != "deposited" {
            return Err("not deposited");
        }
        if receipt.reference.is_none_or(str::is_empty) {
            return Err("without reference");
        }
        let volets = self.volets.iter().map(|volet| (volet.name, volet.signed));
        if !volets.eq(form.volets.iter().copied()) {
            return Err("other volets");
        }
        if self
            .volets
            .iter()
            .any(|volet| volet.media_type != "application/pdf" || !volet.content.starts_with(PDF))
        {
            return Err("a volet that is no PDF");
        }
        match (receipt.own_ms, receipt.remote_ms) {
            (Some(own), Some(remote)) => Ok(Times {
                own: own.into(),
                remote: remote.into(),
            }),
            _ => Err("without times"),
        }
    }

    /// The signed volet, when it holds a signature from the first byte to the last.
    pub(crate) fn signed_pdf(&self) -> Result<Vec<u8>, &'static str> {
        let volet = self.volets.iter().find(|volet| volet.signed).ok_or("nothing signed")?;
        let pdf = STANDARD.decode(volet.content).map_err(|_| "a volet that is no base64")?;
        let holds = |what: &[u8]| pdf.windows(what.len()).any(|part| part == what);
        if holds(b"/ByteRange") && holds(b"ETSI.CAdES.detached") && pdf.trim_ascii_end().ends_with(b"%%EOF") {
            Ok(pdf)
        } else {
            Err("a volet without a signature")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form() -> Form {
        Form {
            kind: "ecit",
            values: serde_json::Map::new(),
            volets: &[("caisse", true), ("employeur", false)],
        }
    }

    fn answer() -> serde_json::Value {
        let pdf = STANDARD.encode(b"%PDF-1.7 /ByteRange ETSI.CAdES.detached\n%%EOF\n");
        serde_json::json!({
            "id": "1", "kind": "ecit", "state": "deposited",
            "receipt": { "reference": "R", "own_ms": 12, "remote_ms": 30, "anomalies": [] },
            "volets": [
                { "name": "caisse", "media_type": "application/pdf", "signed": true, "content": pdf },
                { "name": "employeur", "media_type": "application/pdf", "signed": false, "content": pdf },
            ],
        })
    }

    fn judged(answer: &serde_json::Value) -> Result<f64, &'static str> {
        let text = serde_json::to_string(answer).unwrap();
        let issued: Issued<'_> = serde_json::from_str(&text).unwrap();
        let times = issued.judge("1", &form())?;
        issued.signed_pdf()?;
        Ok(times.own)
    }

    #[test]
    fn only_a_whole_answer_counts() {
        assert_eq!(judged(&answer()), Ok(12.0));
        for (pointer, wrong) in [
            ("/id", "2".into()),
            ("/state", "failed".into()),
            ("/receipt", serde_json::Value::Null),
            ("/receipt/reference", "".into()),
            ("/receipt/own_ms", serde_json::Value::Null),
            ("/volets/0/signed", false.into()),
            ("/volets/0/name", "assure".into()),
            ("/volets/1/content", "bm8gUERG".into()),
            ("/volets/0/content", STANDARD.encode("%PDF-1.7 unsigned %%EOF").into()),
        ] {
            let mut answer = answer();
            *answer.pointer_mut(pointer).unwrap() = wrong;
            assert!(judged(&answer).is_err(), "{pointer}");
        }
    }
}
