use base64::{Engine as _, engine::general_purpose::STANDARD};
use econnector_base::Secret;
use zeroize::Zeroizing;

use crate::ns;

/// How the OIDC access token rides in the STS request. Not public: the one place to change when it becomes so.
pub trait TokenCarrier: Send + Sync {
    /// XML that carries the token. Prefixes `wsse`, `wsu` and `wst` may be used without declaring them.
    fn carry(&self, token: &Secret) -> Carried;
}

/// XML to be placed in an STS request. Wiped when dropped.
pub struct Carried {
    /// Inside `wst:RequestSecurityToken`, after the claims; signed with the Body.
    pub in_request: Zeroizing<String>,
    /// Inside `wsse:Security`, before our own tokens; not signed by us.
    pub in_header: Zeroizing<String>,
}

/// Our reading: `wst:OnBehalfOf` with the compact JWT as a `wsse:BinarySecurityToken` (docs/wire.md).
#[derive(Clone, Copy, Debug, Default)]
pub struct JwtOnBehalfOf;

impl TokenCarrier for JwtOnBehalfOf {
    fn carry(&self, token: &Secret) -> Carried {
        let jwt = Zeroizing::new(STANDARD.encode(token.reveal()));
        let open = format!(
            "<wst:OnBehalfOf><wsse:BinarySecurityToken ValueType=\"{}\" EncodingType=\"{}\">",
            ns::JWT,
            ns::BASE64_BINARY
        );
        Carried {
            in_request: Zeroizing::new([&open, jwt.as_str(), "</wsse:BinarySecurityToken></wst:OnBehalfOf>"].concat()),
            in_header: Zeroizing::default(),
        }
    }
}
