//! Tokens that callers bring along, as somebody would make them who wants to be taken for a physician; and an AeS whose keys are slow,
//! gone, or garbage.

use std::time::{Duration, Instant};

use econnector_base::Explain as _;
use econnector_identity::{Aes, Authorized, Identity as _};
use openidconnect::core::CoreJwsSigningAlgorithm;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::desk::{PATIENCE, in_french};
use crate::realm::{
    AUDIENCE, Answer, FOREIGN, P256, P384, RSA, Realm, ec_signed, encode, es256, es256_asn1, es384, foreign_signed, input, public_bytes,
    rs256, rsa_signed,
};

const HEADER: &str = r#"{"alg":"RS256","kid":"k1"}"#;

/// What becomes of a token: `accepted`, or the problem's code.
async fn verdict(aes: &Aes, token: &str) -> &'static str {
    match aes.bearer(token, None).await {
        Ok(_) => "accepted",
        Err(error) => {
            let said = format!("{error} {error:?}");
            let piece = token.get(..40).unwrap_or(token);
            assert!(piece.len() < 8 || !said.contains(piece), "the refusal quotes the token: {said}");
            error.code()
        }
    }
}

/// The realm, and a hospital's server that asks it.
async fn stage() -> (Realm, Aes) {
    let realm = Realm::open().await;
    let aes = realm.desk.start_with(realm.desk.delegated()).await;
    assert_eq!(verdict(&aes, &realm.token(&json!({}))).await, "accepted");
    (realm, aes)
}

#[tokio::test]
async fn the_header_does_not_choose_how_it_is_checked() {
    let (realm, aes) = stage().await;
    realm.publishes(&[&RSA.0, &P256.1, &P384.1]);
    let claims = realm.claims();
    let with = |header: Value| input(&header, &claims);
    let rs = CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256;

    // The three that are allowed.
    assert_eq!(verdict(&aes, &es256(&with(json!({"alg": "ES256", "kid": "e1"})))).await, "accepted");
    let pss = rsa_signed(
        &with(json!({"alg": "PS256", "kid": "k1"})),
        &CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    );
    assert_eq!(verdict(&aes, &pss).await, "accepted");

    let mut forged = Vec::new();
    for none in ["none", "None", "NONE", "nOnE", "", "null"] {
        let unsigned = with(json!({"alg": none, "kid": "k1"}));
        forged.push(format!("{unsigned}."));
        forged.push(rsa_signed(&unsigned, &rs));
    }
    for secret in public_bytes() {
        for (name, algorithm) in [
            ("HS256", ring::hmac::HMAC_SHA256),
            ("HS384", ring::hmac::HMAC_SHA384),
            ("HS512", ring::hmac::HMAC_SHA512),
        ] {
            for claimed in [name, "RS256"] {
                let mac_input = with(json!({"alg": claimed, "kid": "k1"}));
                let mac = ring::hmac::sign(&ring::hmac::Key::new(algorithm, &secret), mac_input.as_bytes());
                forged.push(format!("{mac_input}.{}", encode(mac)));
            }
        }
    }
    // Good signatures under names that are not allowed, or not the key's.
    for name in [
        "rs256",
        "RS256 ",
        "ＲＳ２５６",
        "RS384",
        "RS512",
        "PS384",
        "EdDSA",
        "ES256",
        "HS256",
        "RSA-OAEP",
        "dir",
    ] {
        forged.push(rsa_signed(&with(json!({"alg": name, "kid": "k1"})), &rs));
    }
    for (name, algorithm) in [
        ("RS384", CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384),
        ("RS512", CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512),
        ("PS512", CoreJwsSigningAlgorithm::RsaSsaPssSha512),
    ] {
        forged.push(rsa_signed(&with(json!({"alg": name, "kid": "k1"})), &algorithm));
    }
    // Other curves, another form of signature, the signature of all zeros, and none.
    forged.push(es384(&with(json!({"alg": "ES384", "kid": "e3"}))));
    forged.push(es384(&with(json!({"alg": "ES256", "kid": "e3"}))));
    let p256 = with(json!({"alg": "ES256", "kid": "e1"}));
    forged.push(es256_asn1(&p256));
    forged.extend([0, 1, 63, 64, 65, 96].map(|count| format!("{p256}.{}", encode(vec![0; count]))));
    forged.push(es256(&with(json!({"alg": "ES256K", "kid": "e1"}))));
    // Headers that are none.
    for header in [
        json!({"kid": "k1"}),
        json!({"alg": ["RS256"], "kid": "k1"}),
        json!({"alg": 256, "kid": "k1"}),
        json!({"alg": null, "kid": "k1"}),
        json!("RS256"),
        json!(["RS256"]),
        json!(null),
    ] {
        forged.push(rsa_signed(&with(header), &rs));
    }
    for header in [
        r#"{"alg":"RS256","alg":"none","kid":"k1"}"#,
        r#"{"alg":"none","alg":"RS256","kid":"k1"}"#,
        r#"{"alg":"none","\u0061lg":"RS256","kid":"k1"}"#,
        r#"{"alg":"RS256","kid":"x","kid":"k1"}"#,
        "{\"alg\":\"RS256\",\"kid\":\"k1\"}\u{0}",
        "\u{feff}{\"alg\":\"RS256\",\"kid\":\"k1\"}",
        "{'alg':'RS256','kid':'k1'}",
    ] {
        forged.push(rsa_signed(&format!("{}.{}", encode(header), encode(claims.to_string())), &rs));
    }
    for token in forged {
        assert_eq!(verdict(&aes, &token).await, "token-invalid", "{token}");
    }
}

#[tokio::test]
async fn a_token_does_not_bring_its_own_key() {
    let (realm, aes) = stage().await;
    // Whoever would fetch a key from where the token says comes here.
    let lure = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = format!("https://127.0.0.1:{}/keys", lure.local_addr().unwrap().port());
    let claims = realm.claims();
    for extra in [
        json!({"jwk": FOREIGN.0}),
        json!({"jku": there}),
        json!({"x5u": there}),
        json!({"x5c": ["MIIB"], "x5t": "AAAA", "x5t#S256": "AAAA"}),
        json!({"jwk": FOREIGN.0, "jku": there, "x5u": there, "iss": realm.issuer}),
    ] {
        let mut header = json!({"alg": "RS256", "kid": "k1"});
        header.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        assert_eq!(
            verdict(&aes, &foreign_signed(&input(&header, &claims))).await,
            "token-invalid",
            "{header}"
        );
        // They change nothing in a token of the realm's either: they are not looked at.
        assert_eq!(verdict(&aes, &rs256(&header, &claims)).await, "accepted", "{header}");
        header.as_object_mut().unwrap().remove("kid");
        assert_eq!(
            verdict(&aes, &foreign_signed(&input(&header, &claims))).await,
            "token-invalid",
            "{header}"
        );
    }
    for kid in [
        "",
        "K1",
        " k1",
        "k1 ",
        "k1\u{0}",
        "k2",
        "../../../../../../dev/null",
        "/etc/passwd",
        "file:///etc/passwd",
        &there,
        "k1' OR '1'='1",
        "k1\r\nX-Other: y",
        "${jndi:ldap://127.0.0.1/x}",
        "ｋ１",
        &"k".repeat(8 * 1024),
    ] {
        let header = json!({"alg": "RS256", "kid": kid});
        for token in [foreign_signed(&input(&header, &claims)), rs256(&header, &claims)] {
            assert_eq!(verdict(&aes, &token).await, "token-invalid", "{kid:?}");
        }
    }
    for kid in [json!(1), json!(["k1"]), json!({"kid": "k1"}), json!(true)] {
        let header = json!({"alg": "RS256", "kid": kid});
        assert_eq!(verdict(&aes, &rs256(&header, &claims)).await, "token-invalid", "{header}");
    }
    let nobody = tokio::time::timeout(Duration::from_millis(200), lure.accept()).await;
    assert!(nobody.is_err(), "a key was looked for where a token said");
}

#[tokio::test]
async fn what_is_critical_nested_or_packed_is_refused() {
    let (realm, aes) = stage().await;
    let claims = realm.claims();
    for extra in [
        json!({"crit": ["b64"], "b64": false}),
        json!({"crit": ["exp"]}),
        json!({"crit": []}),
        json!({"crit": null}),
        json!({"crit": "b64"}),
        json!({"cty": "JWT"}),
        json!({"cty": null}),
        json!({"typ": "logout+jwt"}),
        json!({"typ": "dpop+jwt"}),
        json!({"typ": "JOSE+JSON"}),
        json!({"typ": ["JWT"]}),
    ] {
        let mut header = json!({"alg": "RS256", "kid": "k1"});
        header.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        assert_eq!(verdict(&aes, &rs256(&header, &claims)).await, "token-invalid", "{header}");
    }
    // Claims that are not encoded (RFC 7797), which are signed as they stand.
    let raw = format!("{}.{claims}", encode(r#"{"alg":"RS256","kid":"k1","b64":false}"#));
    let rs = CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256;
    assert_eq!(verdict(&aes, &rsa_signed(&raw, &rs)).await, "token-invalid");

    // A token within a token, one beside another, with five parts as an encrypted one has, and in the JSON form of JWS.
    let good = realm.token(&json!({}));
    let parts: Vec<&str> = good.split('.').collect();
    let object = json!({"payload": parts[1], "protected": parts[0], "signature": parts[2]});
    for odd in [
        rsa_signed(&format!("{}.{}", encode(HEADER), encode(&good)), &rs),
        rsa_signed(&format!("{}.{}", encode(HEADER), encode(json!(good).to_string())), &rs),
        format!("{good}.{good}"),
        format!("{good},{good}"),
        format!("{good} {good}"),
        format!("{good}.a.b"),
        format!("a.{good}.b"),
        rsa_signed(&format!("{}..", encode(HEADER)), &rs),
        object.to_string(),
        json!({"payload": parts[1], "signatures": [{"protected": parts[0], "signature": parts[2]}]}).to_string(),
    ] {
        assert_eq!(verdict(&aes, &odd).await, "token-invalid", "{odd}");
    }
}

#[tokio::test]
async fn no_claim_stands_twice() {
    let (realm, aes) = stage().await;
    let rs = CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256;
    let good = realm.claims().to_string();
    for twice in [
        r#""iss":"https://evil.example""#,
        r#""sub":"dr.muller""#,
        r#""aud":"https://eadmin.lu/""#,
        r#""exp":4000000000"#,
        r#""nbf":0,"nbf":0"#,
        r#""iat":0"#,
        r#""typ":"Bearer""#,
        r#""name":"Dr Luc Muller""#,
        r#""eHealthId":"1900000002""#,
        r#""\u0065HealthId":"1900000002""#,
        r#""providerCodes":["90000102"]"#,
        r#""act":{"sub":"a"},"act":{"sub":"b"}"#,
        r#""act":{"sub":"a","sub":"b"}"#,
        r#""actsFor":[],"actsFor":[{"eHealthId":"1900000002"}]"#,
        r#""actsFor":[{"eHealthId":"1900000002","eHealthId":"1900000003"}]"#,
    ] {
        let claims = format!("{},{twice}}}", good.strip_suffix('}').unwrap());
        let token = rsa_signed(&format!("{}.{}", encode(HEADER), encode(&claims)), &rs);
        assert_eq!(verdict(&aes, &token).await, "token-invalid", "{twice}");
    }
    // A name nobody knows may stand there as often as it likes.
    let claims = format!("{},\"x\":1,\"x\":2}}", good.strip_suffix('}').unwrap());
    let token = rsa_signed(&format!("{}.{}", encode(HEADER), encode(&claims)), &rs);
    assert_eq!(verdict(&aes, &token).await, "accepted");
}

#[tokio::test]
async fn pieces_and_monsters_are_refused() {
    let (realm, aes) = stage().await;
    let good = realm.token(&json!({}));
    for length in (0..good.len()).step_by(23).chain([good.len() - 1, good.len() - 2]) {
        assert_eq!(verdict(&aes, &good[..length]).await, "token-invalid", "{length}");
    }
    let (front, last) = good.split_at(good.len() - 1);
    // 256 bytes leave four bits of the last character unused: fifteen others would decode to the same signature.
    let twins = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['-', '_']);
    for twin in twins.filter(|twin| *twin != last.chars().next().unwrap()) {
        assert_eq!(verdict(&aes, &format!("{front}{twin}")).await, "token-invalid", "{twin}");
    }
    for odd in [
        format!("{good}="),
        format!("{good}\n"),
        format!(" {good}"),
        format!("Bearer {good}"),
        format!("{good}\u{0}"),
        format!("{good}%2e"),
        good.replace('.', "%2E"),
        good.replace('.', "\u{3002}"),
        good.replace('.', "．"),
        good.to_uppercase(),
        ".".repeat(3),
        "\u{1F600}.\u{1F600}.\u{1F600}".to_owned(),
        "é".repeat(8000),
        good.chars().rev().collect(),
    ] {
        assert_eq!(verdict(&aes, &odd).await, "token-invalid", "{odd:.60}");
    }
    // With a good signature, and too long, too deep, not UTF-8, half a surrogate, numbers beyond numbers.
    let rs = CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256;
    let big = realm.token(&json!({"filler": "x".repeat(12 * 1024)}));
    assert!(big.len() > 16 * 1024 && big.len() < 18 * 1024, "{}", big.len());
    assert_eq!(verdict(&aes, &big).await, "token-invalid");
    let body = realm.claims().to_string();
    let open = body.strip_suffix('}').unwrap();
    let signed = |claims: &[u8]| rsa_signed(&format!("{}.{}", encode(HEADER), encode(claims)), &rs);
    let mut latin = body.clone().into_bytes();
    latin[body.find("Weber").unwrap()] = 0xff;
    for claims in [
        latin,
        format!("{body}{body}").into_bytes(),
        format!("{body} trailing").into_bytes(),
        format!("{open},\"exp\":1e400}}").into_bytes(),
        body.replace("dr.weber", "\\ud800").into_bytes(),
        body.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        b"[]".to_vec(),
        b"null".to_vec(),
        Vec::new(),
    ] {
        assert_eq!(
            verdict(&aes, &signed(&claims)).await,
            "token-invalid",
            "{}",
            String::from_utf8_lossy(&claims)
        );
    }
    // What stands in a claim that nobody reads may be looked at or not; it never makes the program stumble.
    for odd in [
        format!("{}{}", "[".repeat(4000), "]".repeat(4000)),
        "\"\\ud800\"".to_owned(),
        "1e400".to_owned(),
    ] {
        let said = verdict(&aes, &signed(format!("{open},\"x\":{odd}}}").as_bytes())).await;
        assert!(matches!(said, "token-invalid" | "accepted"), "{said}: {odd:.20}");
    }
}

#[tokio::test]
async fn issuer_audience_times_and_kind_are_exact() {
    let (realm, aes) = stage().await;
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    let upper = realm.issuer.replace("localhost", "LOCALHOST");
    let cyrillic = realm.issuer.replace("realms", "re\u{430}lms");
    let short = realm.issuer.trim_end_matches("default").to_owned();
    for (claims, code) in [
        (json!({"iss": format!("{}/", realm.issuer)}), "token-other-issuer"),
        (json!({"iss": upper}), "token-other-issuer"),
        (json!({"iss": cyrillic}), "token-other-issuer"),
        (json!({"iss": short}), "token-other-issuer"),
        (json!({"iss": format!("{}.evil.example", realm.issuer)}), "token-other-issuer"),
        (json!({"iss": ""}), "token-other-issuer"),
        (json!({"iss": [realm.issuer]}), "token-invalid"),
        (json!({"iss": null}), "token-invalid"),
        (json!({"aud": "https://eadmin.lu"}), "token-wrong-audience"),
        (json!({"aud": "https://eadmin.lu/x"}), "token-wrong-audience"),
        (json!({"aud": "https://eadmin.lu/.evil.example"}), "token-wrong-audience"),
        (json!({"aud": "https://EADMIN.lu/"}), "token-wrong-audience"),
        (json!({"aud": " https://eadmin.lu/"}), "token-wrong-audience"),
        (json!({"aud": "account https://eadmin.lu/"}), "token-wrong-audience"),
        (json!({"aud": "https://e\u{430}dmin.lu/"}), "token-wrong-audience"),
        (json!({"aud": "https:／／eadmin.lu/"}), "token-wrong-audience"),
        (json!({"aud": ["econnector", "account"]}), "token-wrong-audience"),
        (json!({"aud": []}), "token-wrong-audience"),
        (json!({"aud": ""}), "token-wrong-audience"),
        (json!({"aud": [[AUDIENCE]]}), "token-invalid"),
        (json!({"aud": {"0": AUDIENCE}}), "token-invalid"),
        (json!({"aud": [AUDIENCE, 1]}), "token-invalid"),
        (json!({"aud": null}), "token-invalid"),
        (json!({"exp": now - 57}), "accepted"),
        (json!({"exp": now - 60}), "token-expired"),
        (json!({"exp": now - 3600}), "token-expired"),
        (json!({"exp": 0}), "token-expired"),
        (json!({"exp": now as f64 + 10.5}), "accepted"),
        (json!({"exp": null}), "token-invalid"),
        (json!({"exp": (now + 300).to_string()}), "token-invalid"),
        (json!({"exp": -1}), "token-invalid"),
        (json!({"exp": 1e300}), "token-invalid"),
        (json!({"exp": u64::MAX}), "token-invalid"),
        (json!({"exp": [now + 300]}), "token-invalid"),
        (json!({"nbf": now + 57}), "accepted"),
        (json!({"nbf": now + 64}), "token-not-yet-valid"),
        (json!({"nbf": i64::MAX}), "token-invalid"),
        (json!({"iat": now + 57}), "accepted"),
        (json!({"iat": now + 64}), "token-not-yet-valid"),
        (json!({"iat": "now"}), "token-invalid"),
        (json!({"typ": "ID"}), "token-invalid"),
        (json!({"typ": "Refresh"}), "token-invalid"),
        (json!({"typ": "Offline"}), "token-invalid"),
        (json!({"typ": "Logout"}), "token-invalid"),
        (json!({"typ": "bearer"}), "accepted"),
        (json!({"sub": ""}), "token-invalid"),
        (json!({"sub": null}), "token-invalid"),
        (json!({"sub": 7}), "token-invalid"),
        (json!({"sub": "dr\nweber"}), "token-invalid"),
        (json!({"sub": "d".repeat(256)}), "token-invalid"),
        (json!({"act": {"sub": "engine\u{0}"}}), "token-invalid"),
        (json!({"act": {}}), "token-invalid"),
        (json!({"act": "engine"}), "token-invalid"),
        (json!({"eHealthId": "１９００００００００"}), "token-invalid"),
        (json!({"eHealthId": "1900000001 "}), "token-invalid"),
        (json!({"eHealthId": "1900000001\u{0}"}), "token-invalid"),
        (json!({"eHealthId": "19000000010"}), "token-invalid"),
        (json!({"eHealthId": 1_900_000_001}), "token-invalid"),
        (json!({"eHealthId": ["1900000001"]}), "token-invalid"),
        (json!({"eHealthId": null}), "identity-no-physician"),
    ] {
        assert_eq!(verdict(&aes, &realm.token(&claims)).await, code, "{claims}");
    }
}

#[tokio::test]
async fn a_token_is_judged_by_the_clock_of_aes() {
    for off in [-300, 300] {
        let realm = Realm::open().await;
        realm.tells_the_time();
        realm.desk.clock.by(off);
        let aes = realm.desk.start_with(realm.desk.delegated()).await;
        assert_eq!(verdict(&aes, &realm.token(&json!({}))).await, "accepted", "fresh, {off}");
        let now = time::OffsetDateTime::now_utc();
        let dead = json!({"iat": now.unix_timestamp() - 420, "exp": now.unix_timestamp() - 120});
        assert_eq!(verdict(&aes, &realm.token(&dead)).await, "token-expired", "{off}");
        assert!((aes.time() - now).abs() < time::Duration::seconds(5), "{off}");

        // The clock is put right. AeS is asked what time it is, and not more often than for a key.
        realm.desk.clock.by(0);
        realm.desk.clock.pass(31);
        let asked = realm.keys_asked();
        for _ in 0..3 {
            assert_eq!(verdict(&aes, &realm.token(&json!({}))).await, "accepted", "put right, {off}");
        }
        assert!(realm.keys_asked() <= asked + 1, "{off}");
    }
}

#[tokio::test]
async fn names_are_shown_as_names_and_nothing_else() {
    let (realm, aes) = stage().await;
    for (name, shown) in [
        ("Dr Zoë Müller-Ætherström", "Dr Zoë Müller-Ætherström"),
        ("Dr 李 明", "Dr 李 明"),
        ("Dr Weber\r\nfor Dr Muller", "Dr Weberfor Dr Muller"),
        ("Dr \u{202e}rebeW\u{202c}", "Dr rebeW"),
        ("\u{2066}Dr Weber\u{2069}\u{0}\u{1b}[31m", "Dr Weber[31m"),
        ("", "dr.weber"),
        (" \u{200f}\n", "dr.weber"),
    ] {
        let authorized = aes.bearer(&realm.token(&json!({"name": name})), None).await.unwrap();
        assert_eq!(authorized.principal.actor.name, shown);
        assert_eq!(authorized.principal.physician.name, shown);
    }
    let long = aes.bearer(&realm.token(&json!({"name": "x".repeat(5000)})), None).await.unwrap();
    assert_eq!(long.principal.actor.name.chars().count(), 200);
    let listed = json!({"eHealthId": null, "actsFor": [{"eHealthId": "1900000002", "name": "Dr \u{202e}Muller\n"}]});
    let mandate = aes.bearer(&realm.token(&listed), None).await.unwrap();
    assert_eq!(mandate.principal.physician.name, "Dr Muller");
}

#[tokio::test]
async fn nobody_acts_for_whom_the_token_does_not_list() {
    let (realm, aes) = stage().await;
    let listed = |ids: &[&str]| -> Value {
        ids.iter()
            .map(|id| json!({"eHealthId": id, "name": format!("Dr {id}"), "providerCodes": [format!("90{}", &id[4..])]}))
            .collect()
    };
    let acts = async |claims: Value, physician: Option<&str>| -> Result<Authorized, &'static str> {
        aes.bearer(&realm.token(&claims), physician).await.map_err(|error| error.code())
    };
    let whom = |authorized: Result<Authorized, &'static str>| {
        authorized.map(|authorized| {
            let Authorized { principal, .. } = authorized;
            (
                principal.actor.id,
                principal.physician.ehealth_id,
                principal.physician.provider_codes,
                principal.mandate,
            )
        })
    };
    let herself = Ok(("dr.weber".to_owned(), "1900000001".to_owned(), vec!["90000101".to_owned()], false));
    for (claims, asked) in [
        (json!({}), None),
        (json!({}), Some("1900000001")),
        (json!({"actsFor": listed(&["1900000002"])}), None),
        (json!({"actsFor": listed(&["1900000002"])}), Some("1900000001")),
        // Listed among her colleagues she is still herself.
        (json!({"actsFor": listed(&["1900000001", "1900000002"])}), Some("1900000001")),
    ] {
        assert_eq!(whom(acts(claims.clone(), asked).await), herself, "{claims} {asked:?}");
    }

    let secretary = |ids: &[&str]| json!({"sub": "sec.klein", "eHealthId": null, "providerCodes": null, "actsFor": listed(ids)});
    let for_muller = |actor: &str| Ok((actor.to_owned(), "1900000002".to_owned(), vec!["90000002".to_owned()], true));
    let both = ["1900000001", "1900000002"];
    assert_eq!(whom(acts(secretary(&["1900000002"]), None).await), for_muller("sec.klein"));
    assert_eq!(whom(acts(secretary(&both), Some("1900000002")).await), for_muller("sec.klein"));
    let colleague = json!({"actsFor": listed(&["1900000002"])});
    assert_eq!(whom(acts(colleague, Some("1900000002")).await), for_muller("dr.weber"));
    // The same one twice is one.
    assert_eq!(
        whom(acts(secretary(&["1900000002", "1900000002"]), None).await),
        for_muller("sec.klein")
    );

    assert_eq!(acts(secretary(&both), None).await.err(), Some("physician-not-chosen"));
    assert_eq!(acts(secretary(&[]), None).await.err(), Some("identity-no-physician"));
    for stranger in [
        "1900000003",
        "190000000",
        "19000000020",
        "",
        " 1900000002",
        "1900000002\n",
        "１９０００００００２",
        "*",
        "1900000001,1900000002",
        "sec.klein",
    ] {
        for claims in [json!({}), secretary(&both), secretary(&["1900000002"]), secretary(&[])] {
            assert_eq!(
                acts(claims.clone(), Some(stranger)).await.err(),
                Some("physician-not-represented"),
                "{claims} {stranger:?}"
            );
        }
    }
    for odd in [
        json!([{"eHealthId": "190000000"}]),
        json!([{}]),
        json!({"eHealthId": "1900000002"}),
        json!(["1900000002"]),
    ] {
        let claims = json!({"eHealthId": null, "actsFor": odd});
        assert_eq!(
            acts(claims.clone(), Some("1900000002")).await.err(),
            Some("token-invalid"),
            "{claims}"
        );
    }
}

#[tokio::test]
async fn invented_keys_are_no_load_on_aes() {
    let (realm, aes) = stage().await;
    assert_eq!(realm.keys_asked(), 1);
    let claims = realm.claims();
    let invented = |number: usize| rs256(&json!({"alg": "RS256", "kid": format!("invented-{number}")}), &claims);
    let flood = async |from: usize| {
        let tokens: Vec<_> = (from..from + 60).map(invented).collect();
        let tasks = tokens.into_iter().map(|token| {
            let aes = aes.clone();
            tokio::spawn(async move { verdict(&aes, &token).await })
        });
        for task in tasks.collect::<Vec<_>>() {
            assert_eq!(task.await.unwrap(), "token-invalid");
        }
    };
    flood(0).await;
    assert_eq!(realm.keys_asked(), 1, "the keys were read a moment ago");
    realm.desk.clock.pass(31);
    flood(100).await;
    assert_eq!(realm.keys_asked(), 2);
    // Somebody sets the clock: neither more nor fewer questions.
    realm.desk.clock.by(-7200);
    flood(200).await;
    realm.desk.clock.by(7200);
    flood(300).await;
    realm.desk.clock.by(0);
    assert_eq!(realm.keys_asked(), 2);

    // Nor is a list of keys that cannot be had, or read, asked for again and again; and whoever has a good token is served all along.
    for broken in [
        Answer::bytes(500, "down"),
        Answer::bytes(404, ""),
        Answer::bytes(302, ""),
        Answer::bytes(200, "<html>"),
        Answer::bytes(200, r#"{"keys":7}"#),
        Answer::bytes(200, vec![b' '; 9 * 1024 * 1024]),
        Answer {
            cut: true,
            ..Answer::json(&json!({"keys": [RSA.0]}))
        },
    ] {
        let what = String::from_utf8_lossy(&broken.body[..broken.body.len().min(20)]).into_owned();
        let before = realm.keys_asked();
        realm.answers("certs", Some(broken));
        realm.desk.clock.pass(31);
        let tokens: Vec<_> = (0..20).map(invented).collect();
        for token in &tokens {
            assert_ne!(verdict(&aes, token).await, "accepted");
            assert_eq!(verdict(&aes, &realm.token(&json!({}))).await, "accepted");
        }
        assert_eq!(realm.keys_asked(), before + 1, "{what}");
    }
    // Once they can be had again, they are.
    realm.publishes(&[&RSA.0]);
    realm.desk.clock.pass(31);
    flood(400).await;
    assert_eq!(verdict(&aes, &realm.token(&json!({}))).await, "accepted");
}

#[tokio::test]
async fn a_silent_list_of_keys_holds_nobody_up() {
    let (realm, aes) = stage().await;
    realm.answers("certs", None);
    realm.desk.clock.pass(31);
    let invented = rs256(&json!({"alg": "RS256", "kid": "invented"}), &realm.claims());
    let started = Instant::now();
    let waiting: Vec<_> = (0..10)
        .map(|_| {
            let (aes, invented) = (aes.clone(), invented.clone());
            tokio::spawn(async move { verdict(&aes, &invented).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(verdict(&aes, &realm.token(&json!({}))).await, "accepted");
    assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
    for task in waiting {
        assert_ne!(task.await.unwrap(), "accepted");
    }
    assert!(started.elapsed() < 2 * PATIENCE, "{:?}", started.elapsed());
    assert_eq!(realm.keys_asked(), 2);

    // Keys of a quarter of an hour serve while newer ones are looked for.
    realm.desk.clock.pass(16 * 60);
    let started = Instant::now();
    for _ in 0..5 {
        assert_eq!(verdict(&aes, &realm.token(&json!({}))).await, "accepted");
    }
    assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
}

#[tokio::test]
async fn keys_come_and_go() {
    let (realm, aes) = stage().await;
    let mut second = FOREIGN.0.clone();
    second["kid"] = json!("k2");
    let by_second = foreign_signed(&input(&json!({"alg": "RS256", "kid": "k2"}), &realm.claims()));
    let by_first = realm.token(&json!({}));

    // A new key beside the old one: found at the first token that names it.
    realm.publishes(&[&RSA.0, &second]);
    assert_eq!(
        verdict(&aes, &by_second).await,
        "token-invalid",
        "not asked for again within half a minute"
    );
    realm.desk.clock.pass(31);
    assert_eq!(verdict(&aes, &by_second).await, "accepted");
    assert_eq!(verdict(&aes, &by_first).await, "accepted");

    // The old one is withdrawn: it counts no more once the list is a quarter of an hour old.
    realm.publishes(&[&second]);
    realm.desk.clock.pass(16 * 60);
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        match verdict(&aes, &by_first).await {
            "accepted" => assert!(Instant::now() < until, "it still counts"),
            other => break assert_eq!(other, "token-invalid"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(verdict(&aes, &by_second).await, "accepted");

    // Keys that are published for something else are not for signing, and a secret that is published is none.
    let secret = json!({"kty": "oct", "kid": "k1", "k": encode(b"published")});
    let mut sealing = RSA.0.clone();
    (sealing["use"], sealing["alg"], sealing["kid"]) = (json!("enc"), json!("RSA-OAEP"), json!("enc"));
    realm.publishes(&[&second, &secret, &sealing]);
    realm.desk.clock.pass(31);
    let header = json!({"alg": "HS256", "kid": "k1"});
    let unsigned = input(&header, &realm.claims());
    let mac = ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"published"), unsigned.as_bytes());
    for token in [
        format!("{unsigned}.{}", encode(mac)),
        rs256(&json!({"alg": "RS256", "kid": "enc"}), &realm.claims()),
        rs256(&json!({"alg": "RS256"}), &realm.claims()),
        ec_signed(
            &input(&json!({"alg": "ES256", "kid": "k2"}), &realm.claims()),
            &ring::signature::ECDSA_P256_SHA256_FIXED_SIGNING,
            &P256.0,
        ),
    ] {
        assert_eq!(verdict(&aes, &token).await, "token-invalid", "{token}");
    }
    assert_eq!(verdict(&aes, &by_second).await, "accepted");
}

#[tokio::test]
async fn an_aes_that_is_none_is_told_and_one_that_hangs_is_waited_for_once() {
    let realm = Realm::open().await;
    let aes = realm.desk.start_with(realm.desk.delegated()).await;
    let token = realm.token(&json!({}));
    let (good, elsewhere) = (realm.discovery(), "http://localhost:1/certs");
    for (change, code) in [
        (json!({"issuer": "https://evil.example"}), "aes-garbage"),
        (json!({"issuer": format!("{}/", realm.issuer)}), "aes-garbage"),
        (json!({"jwks_uri": elsewhere}), "aes-garbage"),
        (json!({"jwks_uri": "file:///etc/passwd"}), "aes-garbage"),
        (json!({"authorization_endpoint": "http://evil.example/auth"}), "aes-garbage"),
    ] {
        let mut document = good.clone();
        document.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        realm.answers("openid-configuration", Some(Answer::json(&document)));
        assert_eq!(verdict(&aes, &token).await, code, "{change}");
    }
    // One that takes the line and says nothing: whoever asks together, waits together.
    realm.answers("openid-configuration", None);
    let started = Instant::now();
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let (aes, token) = (aes.clone(), token.clone());
            tokio::spawn(async move { verdict(&aes, &token).await })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), "net-timeout");
    }
    assert!(started.elapsed() < 2 * PATIENCE, "{:?}", started.elapsed());

    realm.answers("openid-configuration", Some(Answer::json(&good)));
    assert_eq!(verdict(&aes, &token).await, "accepted");
}

#[tokio::test]
async fn a_login_at_an_aes_that_hangs_holds_no_caller_up() {
    let realm = Realm::open().await;
    let aes = realm.desk.start().await;
    let token = realm.token(&json!({}));
    assert_eq!(verdict(&aes, &token).await, "accepted");
    realm.answers("openid-configuration", None);
    let logins: Vec<_> = (0..2)
        .map(|_| {
            let aes = aes.clone();
            tokio::spawn(async move { aes.start_login(in_french()).await.map_err(|error| error.code()) })
        })
        .collect();
    let until = Instant::now() + PATIENCE;
    while realm.asked("openid-configuration") < 2 {
        assert!(Instant::now() < until, "the login asks nothing");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(verdict(&aes, &token).await, "accepted");
    assert!(logins.iter().all(|login| !login.is_finished()), "the caller waited for them");
    for login in logins {
        assert_eq!(login.await.unwrap().err(), Some("net-timeout"));
    }
    assert_eq!(realm.asked("openid-configuration"), 2, "both waited for the same answer");
}
