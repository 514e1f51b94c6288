//! The token service (WS-Trust 1.3): a physician's OIDC token becomes a mySecu security token for one space.

use std::sync::PoisonError;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use rustls_pki_types::CertificateDer;
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};
use uppsala::{Document, NodeId};
use uuid::Uuid;

use super::{Fault, Issued, Mysecu, Outcome, SYNC_EXCHANGE, message::Message, ns, wss::Signed};
use crate::{
    faults::{Arrived, Kind, Struck},
    people::PEOPLE,
    xml::{attribute, child, elements, is, text},
};

/// How long a security token lives.
const LIFE: Duration = Duration::minutes(30);
/// A request's `wsu:Timestamp` spans five minutes, and clocks may differ by one.
const LONGEST_TIMESTAMP: Duration = Duration::minutes(5);
const SKEW: Duration = Duration::minutes(1);

/// WS-Policy and WS-Addressing each have two namespaces in use.
const WSP: [&str; 2] = ["http://schemas.xmlsoap.org/ws/2004/09/policy", "http://www.w3.org/ns/ws-policy"];
const WSA: [&str; 2] = [
    "http://www.w3.org/2005/08/addressing",
    "http://schemas.xmlsoap.org/ws/2004/08/addressing",
];
const AUTH: [&str; 2] = [
    "http://schemas.xmlsoap.org/ws/2006/12/authorization",
    "http://docs.oasis-open.org/wsfed/authorization/200706",
];

pub(super) fn answer(
    mysecu: &Mysecu,
    document: &Document<'_>,
    message: &Message,
    signed: &Signed,
    client: &CertificateDer<'_>,
    (struck, arrived): (Struck, Arrived),
) -> Result<Outcome, Fault> {
    let request = message.content;
    if !is(document, request, ns::WST, "RequestSecurityToken") {
        return Err(Fault::client("DEMANDE_INVALIDE", "wst:RequestSecurityToken est attendu"));
    }
    fresh(document, message, signed)?;
    match child(document, request, ns::WST, "RequestType")
        .map(|node| text(document, node))
        .as_deref()
    {
        Some(ns::ISSUE) => issue(mysecu, document, request, client, (struck, arrived)),
        Some(ns::CANCEL) => cancel(mysecu, document, request, client),
        _ => Err(Fault::client("DEMANDE_INVALIDE", "wst:RequestType inconnu")),
    }
}

/// A signed `wsu:Timestamp` that is neither old nor from the future.
fn fresh(document: &Document<'_>, message: &Message, signed: &Signed) -> Result<(), Fault> {
    let timestamp = child(document, message.security, ns::WSU, "Timestamp")
        .filter(|node| signed.covers(*node))
        .ok_or_else(|| Fault::invalid_security("wsu:Timestamp signé attendu"))?;
    let instant = |name: &str| {
        let node = child(document, timestamp, ns::WSU, name)?;
        OffsetDateTime::parse(&text(document, node), &Rfc3339).ok()
    };
    let (Some(created), Some(expires)) = (instant("Created"), instant("Expires")) else {
        return Err(Fault::invalid_security("wsu:Timestamp sans Created ou Expires"));
    };
    let now = crate::now();
    if created > now + SKEW || expires < now - SKEW || expires <= created || expires - created > LONGEST_TIMESTAMP {
        return Err(Fault {
            code: "wsse:InvalidSecurity",
            detail: "MESSAGE_PERIME",
            message: "wsu:Timestamp hors délai".into(),
        });
    }
    Ok(())
}

fn issue(
    mysecu: &Mysecu,
    document: &Document<'_>,
    request: NodeId,
    client: &CertificateDer<'_>,
    (struck, Arrived(arrived)): (Struck, Arrived),
) -> Result<Outcome, Fault> {
    let invalid = |what: &str| Fault::client("DEMANDE_INVALIDE", what);
    if child(document, request, ns::WST, "TokenType")
        .map(|node| text(document, node))
        .as_deref()
        != Some(ns::BST)
    {
        return Err(invalid("wst:TokenType inconnu"));
    }
    let target = format!("{}{SYNC_EXCHANGE}", mysecu.shared.mysecu);
    if address(document, request).as_deref() != Some(target.as_str()) {
        return Err(invalid("wsp:AppliesTo ne désigne pas le service syncexchange"));
    }
    let code = space(document, request).ok_or_else(|| invalid("wst:Claims ne désigne aucun espace"))?;

    let unauthenticated = |why: &str| Fault::authentication("JETON_OIDC_REFUSE", format!("Jeton d'accès refusé : {why}"));
    let token = access_token(document, request).ok_or_else(|| unauthenticated("wst:OnBehalfOf"))?;
    mysecu.shared.note_expired(&token, "sts", arrived);
    if struck.by(Kind::Expired) {
        return Err(unauthenticated("token expired"));
    }
    let access = mysecu.shared.access(&token).map_err(unauthenticated)?;
    // The physician of the token, and those for whom its holder acts.
    let mut physicians = PEOPLE
        .iter()
        .filter(|person| person.ehealth_id.is_some_and(|id| access.acts_for(id)))
        .peekable();
    if physicians.peek().is_none() {
        return Err(Fault::authentication("MEDECIN_INCONNU", "Le jeton ne désigne aucun médecin"));
    }
    let physician = physicians
        .find(|person| person.provider_codes.contains(&code.as_str()))
        .ok_or_else(|| Fault::authentication("ESPACE_REFUSE", format!("L'espace {code} n'est pas celui du médecin")))?;
    if !physician.activated || struck.by(Kind::Refuse) {
        let message = format!("Les services web ne sont pas activés pour l'espace {code}");
        return Err(Fault::authentication("ESPACE_NON_ACTIVE", message));
    }

    let now = crate::now();
    let until = now + LIFE;
    let value = BASE64.encode(
        [Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4()]
            .map(Uuid::into_bytes)
            .concat(),
    );
    let element = format!(
        "<wsse:BinarySecurityToken xmlns:wsse=\"{}\" ValueType=\"{}\" EncodingType=\"{}\">{value}</wsse:BinarySecurityToken>",
        ns::WSSE,
        ns::BST,
        ns::BASE64_BINARY
    );
    let body = format!(
        "<wst:RequestSecurityTokenResponseCollection xmlns:wst=\"{wst}\"><wst:RequestSecurityTokenResponse>\
         <wst:TokenType>{bst}</wst:TokenType><wst:RequestedSecurityToken>{element}</wst:RequestedSecurityToken>\
         <wst:Lifetime><wsu:Created>{created}</wsu:Created><wsu:Expires>{expires}</wsu:Expires></wst:Lifetime>\
         </wst:RequestSecurityTokenResponse></wst:RequestSecurityTokenResponseCollection>",
        wst = ns::WST,
        bst = ns::BST,
        created = to_the_second(now),
        expires = to_the_second(until),
    );
    let issued = Issued {
        element,
        holder: client.clone().into_owned(),
        provider_code: code,
        ehealth_id: physician.ehealth_id.unwrap_or_default().to_owned(),
        until,
    };
    let mut tokens = mysecu.tokens.lock().unwrap_or_else(PoisonError::into_inner);
    tokens.retain(|_, token| token.until > now);
    tokens.insert(value, issued);
    Ok(Outcome {
        body,
        word: "token",
        ..Outcome::default()
    })
}

fn cancel(mysecu: &Mysecu, document: &Document<'_>, request: NodeId, client: &CertificateDer<'_>) -> Result<Outcome, Fault> {
    let token = child(document, request, ns::WST, "CancelTarget")
        .and_then(|target| child(document, target, ns::WSSE, "BinarySecurityToken"))
        .ok_or_else(|| Fault::client("DEMANDE_INVALIDE", "wst:CancelTarget sans jeton"))?;
    mysecu.issued(document, token, client)?;
    mysecu
        .tokens
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .remove(&text(document, token));
    let body = format!(
        "<wst:RequestSecurityTokenResponse xmlns:wst=\"{}\"><wst:RequestedTokenCancelled/></wst:RequestSecurityTokenResponse>",
        ns::WST
    );
    Ok(Outcome {
        body,
        word: "cancelled",
        ..Outcome::default()
    })
}

impl Mysecu {
    /// The security token a message presents: byte for byte as it was given, to this TLS client, not expired.
    pub(super) fn issued(&self, document: &Document<'_>, token: NodeId, client: &CertificateDer<'_>) -> Result<Issued, Fault> {
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let issued = tokens
            .get(&text(document, token))
            .ok_or_else(|| Fault::invalid_token("Jeton mySecu inconnu ou annulé"))?;
        if document.node_source(token) != Some(issued.element.as_str()) {
            return Err(Fault::invalid_token("Le jeton mySecu n'est pas repris à l'octet près"));
        }
        if issued.holder.as_ref() != client.as_ref() {
            return Err(Fault::invalid_token("Le jeton mySecu a été remis à un autre client"));
        }
        if issued.until <= crate::now() {
            return Err(Fault {
                code: "wsse:InvalidSecurityToken",
                detail: "JETON_EXPIRE",
                message: "Jeton mySecu expiré".into(),
            });
        }
        Ok(issued.clone())
    }
}

fn address(document: &Document<'_>, request: NodeId) -> Option<String> {
    let applies_to = WSP.iter().find_map(|wsp| child(document, request, wsp, "AppliesTo"))?;
    WSA.iter().find_map(|wsa| {
        let endpoint = child(document, applies_to, wsa, "EndpointReference")?;
        Some(text(document, child(document, endpoint, wsa, "Address")?))
    })
}

/// The provider code of the space asked for.
fn space(document: &Document<'_>, request: NodeId) -> Option<String> {
    let claims = child(document, request, ns::WST, "Claims")?;
    if attribute(document, claims, "Dialect") != Some(ns::CLAIMS_DIALECT) {
        return None;
    }
    let code = AUTH.iter().find_map(|auth| {
        let claim = elements(document, claims)
            .into_iter()
            .find(|node| is(document, *node, auth, "ClaimType") && attribute(document, *node, "Uri") == Some(ns::SPACE_CLAIM))?;
        Some(text(document, child(document, claim, auth, "Value")?))
    })?;
    (code.len() == 8 && code.bytes().all(|b| b.is_ascii_digit())).then_some(code)
}

/// The compact JWT in `wst:OnBehalfOf` (docs/wire.md).
fn access_token(document: &Document<'_>, request: NodeId) -> Option<String> {
    let on_behalf_of = child(document, request, ns::WST, "OnBehalfOf")?;
    let token = child(document, on_behalf_of, ns::WSSE, "BinarySecurityToken")?;
    let encoded = attribute(document, token, "EncodingType") == Some(ns::BASE64_BINARY);
    if attribute(document, token, "ValueType") != Some(ns::JWT) || !encoded {
        return None;
    }
    String::from_utf8(BASE64.decode(text(document, token)).ok()?).ok()
}

fn to_the_second(at: OffsetDateTime) -> String {
    crate::timestamp(at.replace_nanosecond(0).unwrap_or(at))
}
