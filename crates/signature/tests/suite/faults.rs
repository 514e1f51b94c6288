//! A service that answers, and answers wrongly: a distinct refusal each time, and nothing asked for beyond that point.

use econnector_base::{Explain, Fault};
use econnector_signature::SignatureError;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose};
use time::{Duration, macros::datetime};

use crate::{
    authority::{Authority, Ca, EHEALTH_ID, Misdeed, named, now, physician, stamper},
    paper::{Style, pdf, sign, sign_for},
};

const FIRST: &[&str] = &["certificate"];
const UP_TO_SIGNATURE: &[&str] = &["certificate", "sign"];
const ALL: &[&str] = &["certificate", "sign", "timestamp"];

async fn refusal(authority: &Authority, code: &str, calls: &[&str]) -> SignatureError {
    let error = sign(&pdf(Style::Classic), authority).await.err().unwrap();
    assert_eq!((error.code(), authority.called().as_slice()), (code, calls), "{error}");
    error
}

#[tokio::test]
async fn a_misdeed_ends_the_signing_where_it_is_seen() {
    for (misdeed, code, calls) in [
        (Misdeed::CertificateGarbage, "kms-garbage", FIRST),
        (Misdeed::CertificateTrailing, "kms-garbage", FIRST),
        (Misdeed::SignatureOfSomethingElse, "signature-wrong", UP_TO_SIGNATURE),
        (Misdeed::SignatureGarbage, "signature-wrong", UP_TO_SIGNATURE),
        (Misdeed::StampRefused, "timestamp-refused", ALL),
        (Misdeed::StampOfAnotherDigest, "timestamp-other-digest", ALL),
        (Misdeed::StampWithoutNonce, "timestamp-other-request", ALL),
        (Misdeed::StampForged, "timestamp-wrong", ALL),
        (Misdeed::StampWithoutToken, "timestamp-wrong", ALL),
        (Misdeed::StampBer, "timestamp-wrong", ALL),
        (Misdeed::StampGarbage, "timestamp-wrong", ALL),
    ] {
        let error = refusal(&Authority::misbehaving(misdeed), code, calls).await;
        assert_eq!(error.fault(), Fault::Authority);
    }
}

#[tokio::test]
async fn the_authoritys_own_words_are_kept() {
    let error = refusal(&Authority::misbehaving(Misdeed::StampRefused), "timestamp-refused", ALL).await;
    let words = error.authority().unwrap();
    assert_eq!((words.code.as_str(), words.message.as_str()), ("2", "requête refusée"));
    let ber = refusal(&Authority::misbehaving(Misdeed::StampBer), "timestamp-wrong", ALL).await;
    assert!(ber.to_string().contains("BER"));
}

#[tokio::test]
async fn an_old_timestamp_is_not_taken_twice() {
    let authority = Authority::misbehaving(Misdeed::StampReplayed);
    sign(&pdf(Style::Classic), &authority).await.unwrap();
    // ECDSA signatures differ each time, so the digest gives it away first.
    assert_eq!(
        sign(&pdf(Style::Classic), &authority).await.err(),
        Some(SignatureError::TimestampOtherDigest)
    );
}

#[tokio::test]
async fn a_timestamp_bears_the_time_of_now() {
    for minutes in [-30 * 24 * 60, -6, 6, 365 * 24 * 60] {
        let moved = stamped_in(Duration::minutes(minutes), Authority::new());
        let error = refusal(&moved, "timestamp-wrong", ALL).await;
        assert!(error.to_string().contains("time is far"), "{error}");
    }
    for minutes in [-4, 4] {
        let near = stamped_in(Duration::minutes(minutes), Authority::new());
        let signed = sign(&pdf(Style::Classic), &near).await.unwrap();
        assert_eq!(signed.timestamp, near.stamped_at.replace_nanosecond(0).unwrap());
    }
}

#[tokio::test]
async fn the_signer_is_believed_at_the_stamped_time_too() {
    let valid = |from: Duration, until: Duration| {
        let mut params = physician(EHEALTH_ID);
        (params.not_before, params.not_after) = (now() + from, now() + until);
        Authority::with(&params, KeyPair::generate().unwrap(), &stamper())
    };
    let (minute, day) = (Duration::minutes(1), Duration::days(1));
    let ends = stamped_in(minute * 3, valid(-day, minute));
    refusal(&ends, "signer-expired", ALL).await;
    let begins = stamped_in(-minute * 3, valid(-minute, day));
    refusal(&begins, "signer-not-yet-valid", ALL).await;
    let lasts = stamped_in(minute * 3, valid(-day, minute * 4));
    sign(&pdf(Style::Classic), &lasts).await.unwrap();
}

fn stamped_in(ahead: Duration, mut authority: Authority) -> Authority {
    authority.stamped_at = now() + ahead;
    authority
}

#[tokio::test]
async fn nobody_signs_for_somebody_else() {
    let authority = Authority::new();
    let error = sign_for(&pdf(Style::Classic), &authority, "9999999999").await.err();
    assert_eq!(error, Some(SignatureError::OtherPhysician));
    assert_eq!(authority.called(), FIRST);
    // Neither is a name that is a part of the other, nor a certificate without any.
    assert_eq!(
        sign_for(&pdf(Style::Classic), &authority, "123456789").await.err(),
        Some(SignatureError::OtherPhysician)
    );
    let mut nameless = named("Dr Nobody");
    nameless.key_usages = vec![KeyUsagePurpose::ContentCommitment];
    let nameless = Authority::with(&nameless, KeyPair::generate().unwrap(), &stamper());
    assert_eq!(
        sign_for(&pdf(Style::Classic), &nameless, "").await.err(),
        Some(SignatureError::OtherPhysician)
    );
}

#[tokio::test]
async fn a_certificate_that_may_not_sign_now_does_not() {
    let changed = |change: &dyn Fn(&mut CertificateParams)| {
        let mut params = physician(EHEALTH_ID);
        change(&mut params);
        Authority::with(&params, KeyPair::generate().unwrap(), &stamper())
    };
    let expired = changed(&|params| params.not_after = now() - Duration::days(1));
    refusal(&expired, "signer-expired", FIRST).await;
    let early = changed(&|params| params.not_before = now() + Duration::days(1));
    refusal(&early, "signer-not-yet-valid", FIRST).await;
    let encryption = changed(&|params| params.key_usages = vec![KeyUsagePurpose::KeyEncipherment]);
    refusal(&encryption, "signer-unfit", FIRST).await;
    let unlimited = changed(&|params| params.key_usages = Vec::new());
    refusal(&unlimited, "signer-unfit", FIRST).await;
    let stamping = changed(&|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::TimeStamping]);
    refusal(&stamping, "signer-unfit", FIRST).await;
    let ca = changed(&|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    refusal(&ca, "signer-unfit", FIRST).await;
}

#[tokio::test]
async fn strangers_are_not_believed_whatever_they_bring_along() {
    let (mut authority, stranger) = (Authority::new(), Authority::new());
    authority.physician = stranger.signing.issue(&physician(EHEALTH_ID), KeyPair::generate().unwrap());
    authority.signing = stranger.signing;
    refusal(&authority, "signer-untrusted", FIRST).await;

    let mut authority = Authority::new();
    authority.stamper = Ca::root("Stranger").issue(&stamper(), KeyPair::generate().unwrap());
    refusal(&authority, "timestamp-untrusted", ALL).await;
}

#[tokio::test]
async fn a_certificate_for_something_else_stamps_nothing() {
    let mut web = named("Web server");
    web.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let mut lax = named("Not critical");
    lax.extended_key_usages = vec![ExtendedKeyUsagePurpose::TimeStamping];
    let mut old = stamper();
    old.not_after = datetime!(2021-01-01 0:00 UTC);
    for params in [web, lax, old, named("No purpose")] {
        let authority = Authority::with(&physician(EHEALTH_ID), KeyPair::generate().unwrap(), &params);
        refusal(&authority, "timestamp-untrusted", ALL).await;
    }
}
