//! WS-Trust 1.3: asking for a mySecu token, reading it, giving it back.

use econnector_base::Secret;
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};
use uppsala::{Document, NodeId};
use zeroize::Zeroizing;

use crate::{Carried, Space, ns, xml};

/// Prefixes of an STS request's Body.
pub(crate) const NAMESPACES: [(&str, &str); 4] = [("wst", ns::WST), ("wsp", ns::WSP), ("wsa", ns::WSA), ("auth", ns::AUTH)];

/// A mySecu token as the STS gave it.
pub(crate) struct Issued {
    /// The `wsse:BinarySecurityToken`, byte for byte, but for prefixes that had to be declared on it.
    pub(crate) token: Secret,
    /// How long it lasts. Taken as a difference: neither clock needs to be right.
    pub(crate) lifetime: Duration,
}

/// The Body of a request for a token for `space`, to be shown to `exchange_url`.
pub(crate) fn issue(space: &Space, exchange_url: &str, carried: &Carried) -> Zeroizing<String> {
    let open = format!(
        "<wst:RequestSecurityToken><wst:RequestType>{issue}</wst:RequestType><wst:TokenType>{bst}</wst:TokenType>\
         <wsp:AppliesTo><wsa:EndpointReference><wsa:Address>{address}</wsa:Address></wsa:EndpointReference></wsp:AppliesTo>\
         <wst:Claims Dialect=\"{dialect}\"><auth:ClaimType Uri=\"{claim}\"><auth:Value>{code}</auth:Value></auth:ClaimType></wst:Claims>",
        issue = ns::WST_ISSUE,
        bst = ns::BST_TYPE,
        address = xml::escape(exchange_url),
        dialect = ns::AUTH_CLAIMS,
        claim = ns::SPACE_CLAIM,
        code = xml::escape(&space.code),
    );
    Zeroizing::new([&open, carried.in_request.as_str(), "</wst:RequestSecurityToken>"].concat())
}

/// The Body of a request that ends a token.
pub(crate) fn cancel(token: &Secret) -> Zeroizing<String> {
    let open = format!(
        "<wst:RequestSecurityToken><wst:RequestType>{}</wst:RequestType><wst:CancelTarget>",
        ns::WST_CANCEL
    );
    Zeroizing::new([&open, token.reveal(), "</wst:CancelTarget></wst:RequestSecurityToken>"].concat())
}

/// Reads the token out of a verified answer.
pub(crate) fn read_issued(doc: &Document<'_>, content: NodeId) -> Result<Issued, &'static str> {
    let response = response(doc, content)?;
    if let Some(kind) = xml::only_child(doc, response, ns::WST, "TokenType")
        && xml::text(doc, kind) != ns::BST_TYPE
    {
        return Err("the token is of another type than asked for");
    }
    let token = xml::only_child(doc, response, ns::WST, "RequestedSecurityToken")
        .and_then(|requested| xml::only_child(doc, requested, ns::WSSE, "BinarySecurityToken"))
        .filter(|token| !xml::text(doc, *token).is_empty())
        .ok_or("it holds no token")?;
    Ok(Issued {
        token: Secret::new(self_contained(doc, token)?),
        lifetime: lifetime(doc, response),
    })
}

/// Checks that an answer confirms the end of a token.
pub(crate) fn read_cancelled(doc: &Document<'_>, content: NodeId) -> Result<(), &'static str> {
    xml::only_child(doc, response(doc, content)?, ns::WST, "RequestedTokenCancelled")
        .map(|_| ())
        .ok_or("it does not confirm the end of the token")
}

fn response(doc: &Document<'_>, content: NodeId) -> Result<NodeId, &'static str> {
    match () {
        () if xml::is(doc, content, ns::WST, "RequestSecurityTokenResponse") => Some(content),
        () if xml::is(doc, content, ns::WST, "RequestSecurityTokenResponseCollection") => {
            xml::only_child(doc, content, ns::WST, "RequestSecurityTokenResponse")
        }
        () => None,
    }
    .ok_or("it is not an answer to a request for a token")
}

/// From Created to Expires; nothing when the STS does not say, so that the token is used once.
fn lifetime(doc: &Document<'_>, response: NodeId) -> Duration {
    let instant = |name| {
        let lifetime = xml::only_child(doc, response, ns::WST, "Lifetime")?;
        OffsetDateTime::parse(&xml::text(doc, xml::only_child(doc, lifetime, ns::WSU, name)?), &Rfc3339).ok()
    };
    match (instant("Created"), instant("Expires")) {
        (Some(created), Some(expires)) => expires - created,
        _ => Duration::ZERO,
    }
}

/// The source of `token`. Prefixes it takes from outside are declared on it, except those that our requests declare alike:
/// then not a byte changes.
fn self_contained(doc: &Document<'_>, token: NodeId) -> Result<String, &'static str> {
    let source = doc.node_source(token).ok_or("its token cannot be read")?;
    let element = doc.element(token).ok_or("its token cannot be read")?;

    let mut needed: Vec<(&str, &str)> = Vec::new();
    let names = std::iter::once(&element.name).chain(element.attributes.iter().map(|attribute| &attribute.name));
    for name in names {
        let (Some(prefix), Some(namespace)) = (name.prefix.as_deref(), name.namespace_uri.as_deref()) else {
            continue;
        };
        let declared = element.namespace_declarations.iter().any(|(own, _)| own == prefix);
        let known = [("wsse", ns::WSSE), ("wsu", ns::WSU)].contains(&(prefix, namespace));
        if !declared && !known && prefix != "xml" && !needed.contains(&(prefix, namespace)) {
            needed.push((prefix, namespace));
        }
    }
    if element.name.prefix.is_none() && !element.namespace_declarations.iter().any(|(own, _)| own.is_empty()) {
        needed.push(("", ns::WSSE));
    }
    if !xml::elements(doc, token).is_empty() {
        return Err("its token is not binary");
    }

    let (start, rest) = source
        .split_at_checked(1 + element.name.prefixed_name().len())
        .ok_or("its token cannot be read")?;
    let declarations: String = needed
        .iter()
        .map(|(prefix, namespace)| {
            let colon = if prefix.is_empty() { "" } else { ":" };
            format!(" xmlns{colon}{prefix}=\"{}\"", xml::escape(namespace))
        })
        .collect();
    Ok(format!("{start}{declarations}{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(inside: &str) -> String {
        format!(
            "<s:Envelope xmlns:s=\"{}\" xmlns:wsse=\"{}\" xmlns:wsu=\"{}\" xmlns:x=\"{}\" xmlns:wst=\"{}\"><s:Body>\
             <wst:RequestSecurityTokenResponseCollection><wst:RequestSecurityTokenResponse>{inside}\
             </wst:RequestSecurityTokenResponse></wst:RequestSecurityTokenResponseCollection></s:Body></s:Envelope>",
            ns::SOAP,
            ns::WSSE,
            ns::WSU,
            ns::WSSE,
            ns::WST,
        )
    }

    fn read(inside: &str) -> Result<Issued, &'static str> {
        let source = answer(inside);
        let doc = xml::parse(&source).unwrap();
        let body = doc.get_elements_by_tag_name_ns(ns::SOAP, "Body")[0];
        read_issued(&doc, xml::elements(&doc, body)[0])
    }

    fn requested(token: &str) -> String {
        format!("<wst:RequestedSecurityToken>{token}</wst:RequestedSecurityToken>")
    }

    #[test]
    fn a_token_is_kept_byte_for_byte() {
        let token = "<wsse:BinarySecurityToken  wsu:Id='BST-1'\n ValueType=\"urn:a&amp;b\" xmlns:soap=\"urn:soap\" >abc\nDEF==&#10;</wsse:BinarySecurityToken >";
        assert_eq!(read(&requested(token)).unwrap().token.reveal(), token);
    }

    #[test]
    fn a_token_takes_foreign_prefixes_along() {
        let token = "<x:BinarySecurityToken wsu:Id=\"B\">abc</x:BinarySecurityToken>";
        let kept = read(&requested(token)).unwrap().token.reveal().to_owned();
        assert_eq!(
            kept,
            format!(
                "<x:BinarySecurityToken xmlns:x=\"{}\" wsu:Id=\"B\">abc</x:BinarySecurityToken>",
                ns::WSSE
            )
        );

        let unprefixed = format!(
            "<wst:RequestedSecurityToken xmlns=\"{}\"><BinarySecurityToken>abc</BinarySecurityToken></wst:RequestedSecurityToken>",
            ns::WSSE
        );
        let kept = read(&unprefixed).unwrap().token.reveal().to_owned();
        assert_eq!(
            kept,
            format!("<BinarySecurityToken xmlns=\"{}\">abc</BinarySecurityToken>", ns::WSSE)
        );

        let rebound = "<wsse:BinarySecurityToken xmlns:wsse=\"urn:other\">abc</wsse:BinarySecurityToken>";
        assert!(read(&requested(rebound)).is_err());
    }

    #[test]
    fn a_lifetime_is_the_difference_of_its_ends() {
        let token = requested("<wsse:BinarySecurityToken>abc</wsse:BinarySecurityToken>");
        let with = |lifetime: &str| read(&format!("{token}<wst:Lifetime>{lifetime}</wst:Lifetime>")).unwrap().lifetime;
        assert_eq!(
            with("<wsu:Created>2031-05-04T10:00:00Z</wsu:Created><wsu:Expires>2031-05-04T12:30:00.5+02:00</wsu:Expires>"),
            Duration::milliseconds(1_800_500)
        );
        assert_eq!(with("<wsu:Expires>2031-05-04T10:00:00Z</wsu:Expires>"), Duration::ZERO);
        assert_eq!(
            with("<wsu:Created>now</wsu:Created><wsu:Expires>later</wsu:Expires>"),
            Duration::ZERO
        );
        assert_eq!(read(&token).unwrap().lifetime, Duration::ZERO);
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let token = "<wsse:BinarySecurityToken>abc</wsse:BinarySecurityToken>";
        for inside in [
            String::new(),
            requested(""),
            requested("<wsse:BinarySecurityToken/>"),
            requested("<wsse:BinarySecurityToken> </wsse:BinarySecurityToken>"),
            requested("<wsse:BinarySecurityToken><a/>abc</wsse:BinarySecurityToken>"),
            requested(&token.repeat(2)),
            requested(token).repeat(2),
            format!("<wst:TokenType>urn:other</wst:TokenType>{}", requested(token)),
        ] {
            assert!(read(&inside).is_err(), "{inside}");
        }
    }
}
