//! RFC 3161: asking for a timestamp, and believing it.

use der::{
    Any, AnyRef, Decode as _, Encode as _, Reader as _, SliceReader, Tag, Tagged as _,
    asn1::{Int, ObjectIdentifier, OctetString},
};
use econnector_base::AuthorityWords;
use ring::{
    digest,
    rand::{SecureRandom as _, SystemRandom},
};
use time::{Duration, OffsetDateTime, PrimitiveDateTime, macros::format_description};
use x509_cert::spki::AlgorithmIdentifier;
use x509_tsp::{MessageImprint, TimeStampReq, TimeStampResp, TspVersion};

use crate::{
    SignatureError, TrustStore,
    envelope::{Opened, hash},
    oid,
};

/// A question to the timestamp authority, and the number by which its answer is recognised.
pub(crate) struct Query {
    pub(crate) der: Vec<u8>,
    nonce: Vec<u8>,
}

impl Query {
    /// Asks for the time of `signature`, with the authority's certificate in the answer.
    pub(crate) fn new(signature: &[u8]) -> Result<Self, SignatureError> {
        let mut nonce = [0; 16];
        SystemRandom::new().fill(&mut nonce).map_err(|_| SignatureError::Encoding)?;
        // A positive INTEGER without padding, whatever the dice say.
        nonce[0] = nonce[0] & 0x7F | 0x40;
        let request = TimeStampReq {
            version: TspVersion::V1,
            message_imprint: MessageImprint {
                hash_algorithm: AlgorithmIdentifier {
                    oid: oid::SHA256,
                    parameters: Some(Any::null()),
                },
                hashed_message: OctetString::new(digest::digest(&digest::SHA256, signature).as_ref())?,
            },
            req_policy: None,
            nonce: Some(Int::new(&nonce)?),
            cert_req: true,
            extensions: None,
        };
        Ok(Self {
            der: request.to_der()?,
            nonce: nonce.to_vec(),
        })
    }
}

/// A timestamp that was checked.
pub(crate) struct Stamp {
    /// The token (a CMS), byte for byte.
    pub(crate) token: Vec<u8>,
    /// When the authority saw the signature.
    pub(crate) time: OffsetDateTime,
}

/// Takes the token out of the authority's answer and checks everything about it. `at` is now.
pub(crate) fn accept(
    answer: &[u8],
    query: &Query,
    signature: &[u8],
    trust: &TrustStore,
    at: OffsetDateTime,
) -> Result<Stamp, SignatureError> {
    if answer.starts_with(&[0x30, 0x80]) {
        return Err(SignatureError::TimestampWrong("it is BER, not DER"));
    }
    let answer = TimeStampResp::from_der(answer).map_err(|_| SignatureError::TimestampWrong("it is no RFC 3161 answer"))?;
    let status = answer.status.status as u8;
    if status > GRANTED_WITH_MODS {
        let words = answer.status.status_string.unwrap_or_default();
        let words: Vec<&str> = words.iter().map(|text| text.as_str()).collect();
        return Err(SignatureError::TimestampRefused(Some(AuthorityWords::new(
            status.to_string(),
            words.join(" "),
        ))));
    }
    let token = answer
        .time_stamp_token
        .ok_or(SignatureError::TimestampWrong("there is none in the answer"))?
        .to_der()?;
    let (time, nonce) = judge(&token, signature, trust, at)?;
    if nonce.as_deref() != Some(query.nonce.as_slice()) {
        return Err(SignatureError::TimestampOtherRequest);
    }
    if (time - at).abs() > CLOCKS_APART {
        return Err(SignatureError::TimestampWrong("its time is far from this computer's"));
    }
    Ok(Stamp { token, time })
}

/// The time a token proves for `signature`, when the token is sound and its authority believed at `at`.
pub(crate) fn proven_time(
    token: &[u8],
    signature: &[u8],
    trust: &TrustStore,
    at: OffsetDateTime,
) -> Result<OffsetDateTime, SignatureError> {
    judge(token, signature, trust, at).map(|(time, _)| time)
}

const GRANTED_WITH_MODS: u8 = 1;

/// How far the authority's clock and ours may differ while it answers a question of this minute.
const CLOCKS_APART: Duration = Duration::minutes(5);

fn judge(
    token: &[u8],
    signature: &[u8],
    trust: &TrustStore,
    at: OffsetDateTime,
) -> Result<(OffsetDateTime, Option<Vec<u8>>), SignatureError> {
    let wrong = SignatureError::TimestampWrong;
    let opened = Opened::from_der(token).ok_or(wrong("its token cannot be read"))?;
    let content = opened.content().filter(|_| opened.content_type() == oid::TST_INFO);
    let content = content.ok_or(wrong("its token holds no time"))?;
    let info = TstInfo::from_der(content).map_err(|_| wrong("its content cannot be read"))?;

    let digest = hash(info.imprint_algorithm, &[signature]).ok_or(wrong("its digest is too weak"))?;
    if digest.as_ref() != info.imprint {
        return Err(SignatureError::TimestampOtherDigest);
    }
    if !opened.is_of(&[content]) || !opened.is_signed_by_its_signer() {
        return Err(wrong("its signature does not fit"));
    }
    let authority = opened.signer();
    if !authority.may_stamp() || trust.path(authority, &opened.offered(), at).is_err() {
        return Err(SignatureError::TimestampUntrusted);
    }
    let time = info.time.ok_or(wrong("its time cannot be read"))?;
    Ok((time, info.nonce))
}

/// The parts of `TSTInfo` that matter. Read by hand: the ready-made type refuses fractions of a second, which many send.
struct TstInfo {
    imprint_algorithm: ObjectIdentifier,
    imprint: Vec<u8>,
    time: Option<OffsetDateTime>,
    nonce: Option<Vec<u8>>,
}

impl TstInfo {
    fn from_der(bytes: &[u8]) -> der::Result<Self> {
        let mut outer = SliceReader::new(bytes)?;
        let info = outer.sequence(|reader| {
            let version = u8::decode(reader)?;
            if version != 1 {
                return Err(Tag::Integer.value_error());
            }
            ObjectIdentifier::decode(reader)?;
            let imprint = MessageImprint::decode(reader)?;
            AnyRef::decode(reader)?;
            let time = AnyRef::decode(reader)?;
            time.tag().assert_eq(Tag::GeneralizedTime)?;
            let mut nonce = None;
            while !reader.is_finished() {
                let rest = AnyRef::decode(reader)?;
                if rest.tag() == Tag::Integer {
                    nonce = Some(rest.value().to_vec());
                }
            }
            Ok(Self {
                imprint_algorithm: imprint.hash_algorithm.oid,
                imprint: imprint.hashed_message.as_bytes().to_vec(),
                time: moment(time.value()),
                nonce,
            })
        })?;
        outer.finish(info)
    }
}

/// `YYYYMMDDhhmmss[.f]Z`; fractions are dropped.
fn moment(bytes: &[u8]) -> Option<OffsetDateTime> {
    let text = std::str::from_utf8(bytes).ok()?.strip_suffix('Z')?;
    let whole = match text.split_once('.') {
        None => text,
        Some((whole, fraction)) if !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit()) => whole,
        Some(_) => return None,
    };
    let format = format_description!("[year][month][day][hour][minute][second]");
    PrimitiveDateTime::parse(whole, format).ok().map(PrimitiveDateTime::assume_utc)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn times_with_and_without_fractions_are_read() {
        assert_eq!(moment(b"20261121220854Z"), Some(datetime!(2026-11-21 22:08:54 UTC)));
        assert_eq!(moment(b"20261121220854.123456Z"), Some(datetime!(2026-11-21 22:08:54 UTC)));
        for bad in [
            b"20261121220854".as_slice(),
            b"20261121220854.Z",
            b"20261321220854Z",
            b"2611212208Z",
            b"\xFF",
            b"",
        ] {
            assert_eq!(moment(bad), None);
        }
    }

    #[test]
    fn no_two_questions_are_the_same() {
        let (one, two) = (Query::new(b"signature").unwrap(), Query::new(b"signature").unwrap());
        assert_ne!(one.der, two.der);
        let read = TimeStampReq::from_der(&one.der).unwrap();
        assert_eq!(read.nonce.unwrap().as_bytes(), one.nonce);
        assert!(read.cert_req);
    }
}
