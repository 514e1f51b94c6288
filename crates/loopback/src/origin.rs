use url::{Host, Url};

use crate::LinkError;

/// The exact origin of a web application as browsers send it, from what somebody typed or copied.
///
/// # Errors
/// [`LinkError::OriginInvalid`]: no origin, more than an origin, or one that anybody on the way could pretend to be.
pub(crate) fn origin(typed: &str) -> Result<String, LinkError> {
    let typed = typed.trim();
    if typed.len() > 255 {
        return Err(LinkError::OriginInvalid("too long"));
    }
    let url = Url::parse(typed).map_err(|_| LinkError::OriginInvalid("no address"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(LinkError::OriginInvalid("a user name in it"));
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(LinkError::OriginInvalid("more than scheme, host and port"));
    }
    let here = match url.host() {
        Some(Host::Domain(name)) if !is_name(name) => return Err(LinkError::OriginInvalid("no host name")),
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return Err(LinkError::OriginInvalid("no host")),
    };
    match url.scheme() {
        "https" => {}
        // What travels without TLS can be replaced on the way; on this computer there is no way to travel.
        "http" if here => {}
        _ => return Err(LinkError::OriginInvalid("not https")),
    }
    Ok(url.origin().ascii_serialization())
}

/// A name of this one host: no wildcard, no empty part.
fn is_name(name: &str) -> bool {
    name.split('.')
        .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port_and_nothing_else() {
        for (typed, found) in [
            ("https://praxis.example", Some("https://praxis.example")),
            (" https://Praxis.example/ ", Some("https://praxis.example")),
            ("https://praxis.example:443", Some("https://praxis.example")),
            ("https://praxis.example:8443", Some("https://praxis.example:8443")),
            ("https://pr\u{e4}xis.example", Some("https://xn--prxis-hra.example")),
            ("http://localhost:3000", Some("http://localhost:3000")),
            ("http://127.0.0.1:3000", Some("http://127.0.0.1:3000")),
            ("http://[::1]:3000", Some("http://[::1]:3000")),
            ("http://praxis.example", None),
            ("http://192.168.1.4", None),
            ("https://praxis.example/app", None),
            ("https://praxis.example?x", None),
            ("https://praxis.example#x", None),
            ("https://me@praxis.example", None),
            ("https://*.praxis.example", None),
            ("https://praxis.example.", None),
            ("https://", None),
            ("praxis.example", None),
            ("file:///etc/passwd", None),
            ("null", None),
            ("*", None),
            ("", None),
        ] {
            assert_eq!(origin(typed).ok().as_deref(), found, "{typed:?}");
        }
    }
}
