use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use telehash_hashname::Hashname;

use super::*;

const SECRET: [u8; 32] = [7; 32];
const PRIVATE: &[u8] = include_bytes!("../../tests/keys/es256-private.pem");
const PUBLIC: &[u8] = include_bytes!("../../tests/keys/es256-public.pem");
const OTHER_PRIVATE: &[u8] = include_bytes!("../../tests/keys/other-private.pem");
const NOW: u64 = 1_800_000_000;

fn us() -> Hashname {
    Hashname::from_bytes([1; 32])
}

fn sender() -> Hashname {
    Hashname::from_bytes([2; 32])
}

fn hs256() -> JwtPolicy {
    JwtPolicy::new([JwtKey::hs256(&SECRET).unwrap()]).unwrap()
}

fn es256() -> JwtPolicy {
    JwtPolicy::new([JwtKey::es256_pem(PUBLIC).unwrap()]).unwrap()
}

fn both() -> JwtPolicy {
    let keys = [
        JwtKey::hs256(&SECRET).unwrap(),
        JwtKey::es256_pem(PUBLIC).unwrap(),
    ];
    JwtPolicy::new(keys).unwrap()
}

fn claims() -> Value {
    json!({"aud": us().to_string(), "exp": NOW + 3600})
}

fn with(field: &str, value: impl Into<Value>) -> Value {
    let mut claims = claims();
    claims[field] = value.into();
    claims
}

fn without(field: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(field);
    claims
}

fn hmac(secret: &[u8], claims: &Value) -> String {
    let key = EncodingKey::from_secret(secret);
    encode(&Header::new(Algorithm::HS256), claims, &key).unwrap()
}

fn ecdsa(pem: &[u8], claims: &Value) -> String {
    let key = EncodingKey::from_ec_pem(pem).unwrap();
    encode(&Header::new(Algorithm::ES256), claims, &key).unwrap()
}

fn check(policy: &JwtPolicy, token: impl AsRef<[u8]>) -> Result<(), JwtRefusal> {
    policy.check(&us(), &sender(), Duration::from_secs(NOW), token.as_ref())
}

#[test]
fn a_token_of_either_kind_is_good_for_the_key_that_it_was_made_for() {
    let (secret, signed) = (hmac(&SECRET, &claims()), ecdsa(PRIVATE, &claims()));
    assert_eq!(check(&hs256(), &secret), Ok(()));
    assert_eq!(check(&es256(), &signed), Ok(()));
    assert_eq!(check(&both(), &secret), Ok(()));
    assert_eq!(check(&both(), &signed), Ok(()));
}

#[test]
fn no_token_chooses_how_it_is_verified() {
    use JwtRefusal::{BadSignature, Malformed, WrongAlgorithm};
    // The public key is no secret: as an HMAC key everybody could sign with it.
    let confused = hmac(PUBLIC, &claims());
    assert_eq!(check(&es256(), &confused), Err(WrongAlgorithm));
    assert_eq!(check(&both(), &confused), Err(BadSignature));
    let signed = ecdsa(PRIVATE, &claims());
    assert_eq!(check(&hs256(), &signed), Err(WrongAlgorithm));
    let hs384 = Header::new(Algorithm::HS384);
    let hs384 = encode(&hs384, &claims(), &EncodingKey::from_secret(&SECRET)).unwrap();
    assert_eq!(check(&both(), hs384), Err(WrongAlgorithm));
    // {"alg":"none"} and {"alg":"None"}, with and without the signature of another token.
    let good = hmac(&SECRET, &claims());
    let parts: Vec<_> = good.split('.').collect();
    for none in ["eyJhbGciOiJub25lIn0", "eyJhbGciOiJOb25lIn0"] {
        for signature in ["", parts[2]] {
            let token = format!("{none}.{}.{signature}", parts[1]);
            assert_eq!(check(&both(), token), Err(Malformed), "{none}");
        }
    }
}

#[test]
fn a_token_by_another_key_or_altered_or_cut_is_refused() {
    use JwtRefusal::BadSignature;
    assert_eq!(check(&both(), hmac(&[8; 32], &claims())), Err(BadSignature));
    let other = ecdsa(OTHER_PRIVATE, &claims());
    assert_eq!(check(&both(), other), Err(BadSignature));
    let good = hmac(&SECRET, &claims());
    let later = hmac(&[8; 32], &with("exp", NOW + 7200));
    let mut parts: Vec<_> = good.split('.').collect();
    parts[1] = later.split('.').nth(1).unwrap();
    assert_eq!(check(&both(), parts.join(".")), Err(BadSignature));
    for len in 0..good.len() {
        assert!(check(&both(), &good[..len]).is_err(), "{len} bytes");
    }
}

#[test]
fn what_a_token_says_has_to_fit() {
    use JwtRefusal::{Expired, Malformed, NeverExpires, NotYetValid, WrongAudience};
    let leeway = LEEWAY.as_secs();
    let own = us().to_string();
    for (claims, expected) in [
        (with("exp", NOW - leeway), Err(Expired)),
        (with("exp", NOW - leeway + 1), Ok(())),
        (with("exp", -1), Err(Expired)),
        (with("exp", 1.5), Err(Expired)),
        (with("exp", "tomorrow"), Err(Malformed)),
        (without("exp"), Err(NeverExpires)),
        (with("nbf", NOW + leeway), Ok(())),
        (with("nbf", NOW + leeway + 1), Err(NotYetValid)),
        (with("nbf", Value::Null), Err(Malformed)),
        (with("aud", sender().to_string()), Err(WrongAudience)),
        (with("aud", vec!["office", own.as_str()]), Ok(())),
        (with("aud", Vec::<String>::new()), Err(WrongAudience)),
        (with("aud", format!("{own} ")), Err(WrongAudience)),
        (without("aud"), Err(WrongAudience)),
        (json!([1, 2]), Err(Malformed)),
    ] {
        assert_eq!(check(&both(), hmac(&SECRET, &claims)), expected, "{claims}");
        assert_eq!(
            check(&both(), ecdsa(PRIVATE, &claims)),
            expected,
            "{claims}"
        );
    }
}

#[test]
fn an_audience_takes_the_place_of_the_hashname_and_leeway_that_of_a_minute() {
    let policy = both().audience("office").leeway(Duration::ZERO);
    let office = with("aud", "office");
    assert_eq!(check(&policy, hmac(&SECRET, &office)), Ok(()));
    let refused = check(&policy, hmac(&SECRET, &claims()));
    assert_eq!(refused, Err(JwtRefusal::WrongAudience));
    let mut late = office;
    late["exp"] = NOW.into();
    let refused = check(&policy, hmac(&SECRET, &late));
    assert_eq!(refused, Err(JwtRefusal::Expired));
}

#[test]
fn a_bound_token_is_of_no_use_to_a_thief() {
    let policy = both().bound_to_sender(true);
    let (own, thief) = (sender().to_string(), us().to_string());
    for (claims, expected) in [
        (with("sub", own.as_str()), Ok(())),
        (with("cnf", json!({"kid": own})), Ok(())),
        (with("sub", thief.as_str()), Err(JwtRefusal::WrongSender)),
        (
            with("cnf", json!({"kid": thief})),
            Err(JwtRefusal::WrongSender),
        ),
        (with("cnf", own.as_str()), Err(JwtRefusal::WrongSender)),
        (claims(), Err(JwtRefusal::WrongSender)),
    ] {
        assert_eq!(check(&policy, hmac(&SECRET, &claims)), expected, "{claims}");
    }
}

#[test]
fn an_extension_that_must_be_understood_is_refused() {
    let mut header = Header::new(Algorithm::HS256);
    header.crit = Some(vec!["b64".into()]);
    let token = encode(&header, &claims(), &EncodingKey::from_secret(&SECRET)).unwrap();
    assert_eq!(check(&both(), token), Err(JwtRefusal::Malformed));
}

#[test]
fn a_token_beyond_the_limit_is_refused_unread() {
    let padded = |len| hmac(&SECRET, &with("pad", "a".repeat(len)));
    let overhead = padded(0).len();
    // Three bytes are four characters.
    let fits = padded((MAX_JWT - overhead) / 4 * 3 - 3);
    assert!(fits.len() <= MAX_JWT && fits.len() > MAX_JWT - 16);
    assert_eq!(check(&both(), &fits), Ok(()));
    let long = padded(MAX_JWT * 3 / 4);
    assert_eq!(check(&both(), long), Err(JwtRefusal::TooLong));
}

#[test]
fn keys_that_could_not_protect_anything_are_errors() {
    assert_eq!(
        JwtKey::hs256(&[7; 31]).unwrap_err(),
        JwtKeyError::ShortSecret { len: 31 }
    );
    let p384 = include_bytes!("../../tests/keys/p384-public.pem");
    for wrong in [&p384[..], b"", b"-----BEGIN", PRIVATE] {
        assert_eq!(JwtKey::es256_pem(wrong).unwrap_err(), JwtKeyError::NotP256);
    }
    let printed = format!("{:?}", both());
    assert!(!printed.contains('7'), "{printed}");
}

#[test]
fn a_policy_has_one_key_or_more_up_to_the_limit() {
    let keys = |count| vec![JwtKey::hs256(&SECRET).unwrap(); count];
    assert_eq!(JwtPolicy::new([]).unwrap_err(), JwtKeyError::NoKey);
    assert!(JwtPolicy::new(keys(MAX_JWT_KEYS)).is_ok());
    let more = JwtPolicy::new(keys(MAX_JWT_KEYS + 1));
    assert_eq!(more.unwrap_err(), JwtKeyError::TooManyKeys);
}

#[test]
fn the_last_of_several_keys_is_as_good_as_the_first() {
    let keys = [[1; 32], [2; 32], SECRET].map(|secret| JwtKey::hs256(&secret).unwrap());
    let policy = JwtPolicy::new(keys).unwrap();
    assert_eq!(check(&policy, hmac(&SECRET, &claims())), Ok(()));
}
