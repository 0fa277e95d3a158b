//! What is asked about, and what is not said while asking.

use telehash_hashname::Hashname;
use telehash_resolve::{Place, jwks, webfinger};
use telehash_uri::LinkUri;

fn place(uri: &str) -> Option<Place> {
    Place::of(&LinkUri::parse(uri).unwrap().uri)
}

#[test]
fn a_place_is_a_domain_with_or_without_a_user() {
    let bare = place("link://Example.ORG./").unwrap();
    assert_eq!(
        (bare.domain(), bare.user(), bare.port()),
        ("example.org", None, 42424)
    );
    assert_eq!(bare.resource(), "link://example.org/");
    assert_eq!(bare.to_string(), "example.org");
    let ann = place("link://ann@b\u{fc}cher.example:5").unwrap();
    assert_eq!((ann.user(), ann.port()), (Some("ann"), 5));
    assert_eq!(ann.resource(), "acct:ann@xn--bcher-kva.example");
    assert_eq!(ann.to_string(), "ann@xn--bcher-kva.example");
    for address in ["link://192.0.2.1/", "link://ann@[::1]/", "link:///"] {
        assert_eq!(place(address), None, "{address}");
    }
}

#[test]
fn neither_password_nor_query_nor_fragment_are_sent() {
    let secret = "link://ann:word@example.org/x?inv=a4dqobyha4dqobyha4dqobyhae&sid=9#abc.def";
    assert_eq!(place(secret).unwrap().resource(), "acct:ann@example.org");
    let bare = secret.replace("ann:word@", "");
    assert_eq!(place(&bare).unwrap().resource(), "link://example.org/x");
    let other_port = bare.replace("example.org", "example.org:7");
    assert_eq!(
        place(&other_port).unwrap().resource(),
        "link://example.org:7/x"
    );
    let shown = format!("{:?} {}", place(secret), place(secret).unwrap());
    assert!(!shown.contains("word") && !shown.contains("inv"), "{shown}");
}

#[test]
fn questions_are_for_the_domain_over_https() {
    let ann = place("link://a&b@example.org:5/").unwrap();
    let question = webfinger::question(&ann).unwrap();
    assert_eq!(
        question.as_str(),
        "https://example.org/.well-known/webfinger?resource=acct%3Aa%26b%40example.org\
         &rel=http%3A%2F%2Ftelehash.org%2Flink"
    );
    let question = jwks::question(&ann).unwrap();
    assert_eq!(
        question.as_str(),
        "https://example.org/.well-known/openid-configuration"
    );
}

#[test]
fn a_host_with_a_hashname_says_whom_to_expect_and_so_may_the_caller() {
    let hashname = Hashname::from_bytes([7; 32]);
    let named = place(&format!("link://{hashname}.example.org/")).unwrap();
    assert_eq!(named.hashname(), Some(&hashname));
    let bare = place("link://example.org/").unwrap();
    assert_eq!(bare.hashname(), None);
    assert_eq!(bare.expecting(hashname).hashname(), Some(&hashname));
}
