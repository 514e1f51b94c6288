//! The synchronous exchange: a `RequestInfo` with a model and a document in, a `ResponseInfo` out.

use quick_xml::{Reader, events::Event};
use rustls_pki_types::CertificateDer;
use uppsala::Document;

use super::{
    Fault, Mysecu, Outcome,
    fields::Fields,
    message::Message,
    models::{self, Case},
    ns,
    reply::Anomaly,
};
use crate::{
    faults::{Kind, Struck},
    xml::{attribute, elements, is},
};

pub(super) fn answer(
    mysecu: &Mysecu,
    document: &Document<'_>,
    message: &Message,
    client: &CertificateDer<'_>,
    struck: Struck,
) -> Result<Outcome, Fault> {
    let tokens = message.tokens(document, ns::BST);
    let [token] = tokens.as_slice() else {
        return Err(Fault::invalid_token("Un jeton mySecu est attendu dans wsse:Security"));
    };
    let issued = mysecu.issued(document, *token, client)?;
    if struck.by(Kind::Expired) {
        return Err(Fault {
            code: "wsse:InvalidSecurityToken",
            detail: "JETON_EXPIRE",
            message: "Jeton mySecu expiré".into(),
        });
    }
    if struck.by(Kind::Refuse) {
        return Err(Fault::client("DEPOT_REFUSE", "Dépôt refusé pour cet espace"));
    }

    if !is(document, message.content, ns::SYNC, "RequestInfo") {
        return Err(Fault::client(
            "MESSAGE_INVALIDE",
            "RequestInfo de http://ws.mysecu.lu/generic/sync est attendu",
        ));
    }
    let model =
        attribute(document, message.content, "modelUID").ok_or_else(|| Fault::client("MODELE_ABSENT", "Attribut modelUID absent"))?;
    if !is_model_uid(model) {
        return Err(Fault::client("MODELE_INVALIDE", "modelUID ne suit pas [\\w_-]{1,32}"));
    }
    let contents = elements(document, message.content);
    if contents.len() > 1 || contents.iter().any(|node| is_of_sync_namespace(document, *node)) {
        return Err(Fault::client(
            "MESSAGE_INVALIDE",
            "RequestInfo contient au plus un élément, d'un autre espace de noms",
        ));
    }
    let known = models::find(model).ok_or_else(|| Fault::client("MODELE_INCONNU", format!("Modèle inconnu : {model}")))?;
    let [content] = contents.as_slice() else {
        return Err(Fault::client("MESSAGE_INVALIDE", "RequestInfo sans document"));
    };
    if let Some(schema) = known.schema {
        mysecu.rules.schemas.check(schema, document, *content)?;
    }
    let simulated = struck
        .by(Kind::Anomaly)
        .then(|| Anomaly::error("SIMULEE", "Anomalie simulée par l'environnement de formation"));
    let reply = (known.answer)(Case {
        root: Fields::new(document, *content),
        sender: &issued,
        anomalies: simulated.into_iter().collect(),
        mysecu,
    })?;
    Ok(Outcome {
        body: format!("<syn:ResponseInfo xmlns:syn=\"{}\">{}</syn:ResponseInfo>", ns::SYNC, reply.xml()),
        word: if reply.accepted { "accepted" } else { "refused" },
        reference: Some(reply.reference),
        model_uid: Some(model.to_owned()),
        document_pdf: reply.document_pdf,
        links: reply.links,
    })
}

fn is_of_sync_namespace(document: &Document<'_>, node: uppsala::NodeId) -> bool {
    document
        .element(node)
        .is_some_and(|element| element.name.namespace_uri.as_deref().is_none_or(|uri| uri == ns::SYNC))
}

/// `[\w_-]{1,32}`, ASCII.
fn is_model_uid(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

/// The model a request names, however wrong the rest of it is: for the record.
pub(super) fn model_uid(envelope: &str) -> Option<String> {
    let mut reader = Reader::from_str(envelope);
    loop {
        match reader.read_event().ok()? {
            Event::Start(element) | Event::Empty(element) => {
                let found = element.attributes().flatten().find(|a| a.key.as_ref() == "modelUID");
                if let Some(found) = found {
                    return Some(found.value.to_string());
                }
            }
            Event::Eof => return None,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{is_model_uid, model_uid};

    #[test]
    fn model_uids_follow_the_pattern() {
        for good in ["2026_ECIT_DEPOT-V1", "a", &"x".repeat(32)] {
            assert!(is_model_uid(good), "{good}");
        }
        for bad in ["", "a b", "a.b", "é", &"x".repeat(33)] {
            assert!(!is_model_uid(bad), "{bad}");
        }
    }

    #[test]
    fn the_model_is_found_in_a_request_that_is_refused() {
        assert_eq!(model_uid("<a><b modelUID=\"M-1\"/></a>").as_deref(), Some("M-1"));
        assert_eq!(model_uid("<a><b/></a>"), None);
        assert_eq!(model_uid("<a"), None);
    }
}
