//! Fragments of router URIs: ours, JavaScript's, and somebody else's.

use proptest::prelude::*;
use telehash_hashname::{Base32Error, Hashname};
use telehash_uri::limits::MAX_CUSTOM_LEN;
use telehash_uri::{Fragment, FragmentError, LinkUri, Secret};

/// The peer whose fragment is in `interop/vectors/js/uri.json`, by its digest in
/// `chat-box-siphash.json`.
const PEER: &str = "jhchbufcbylymlz7yjxylns5x75ov6yaqj2jnyxhgmbpvvbqsoxq";
const JS: &str = "aebagbafaydqr5efbhxutujnea";
const OURS: &str = "6scqt32j2ewsa.aebagbafaydqq";
const CUSTOM: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

fn peer() -> Hashname {
    PEER.parse().unwrap()
}

fn read(text: &str) -> Result<Fragment, FragmentError> {
    text.parse()
}

#[test]
fn the_one_string_of_javascript_says_the_same_as_our_two_parts() {
    let js = read(JS).unwrap();
    assert_eq!(js, read(OURS).unwrap());
    assert_eq!(js, Fragment::new(&peer(), &CUSTOM).unwrap());
    assert_eq!(js.to_string(), OURS);
    assert_eq!(js.custom(), Some(&CUSTOM[..]));
}

#[test]
fn a_fragment_is_of_the_peer_that_made_it_and_of_nobody_else() {
    let fragment = read(OURS).unwrap();
    assert!(fragment.is_of(&peer()));
    assert!(!fragment.is_of(&Hashname::from_bytes([1; 32])));
    // The digest fits other custom bytes.
    let other = read("6scqt32j2ewsa.aebagbafaydqs").unwrap();
    assert!(!other.is_of(&peer()));
    assert!(!fragment.digest_only().is_of(&peer()), "nothing proves it");
}

#[test]
fn a_peer_answers_for_its_own_fragment_only() {
    let asked = read(OURS).unwrap();
    let [whole, bare] = [asked.clone(), asked.digest_only()];
    assert!(asked.is_answered_by(&whole, &peer()));
    assert!(bare.is_answered_by(&whole, &peer()));
    assert!(
        !asked.is_answered_by(&bare, &peer()),
        "repeats what it heard"
    );
    assert!(!bare.is_answered_by(&bare, &peer()));
    let mallory = Hashname::from_bytes([1; 32]);
    assert!(!asked.is_answered_by(&whole, &mallory));
    let own = Fragment::new(&mallory, &CUSTOM).unwrap();
    assert!(!asked.is_answered_by(&own, &mallory));
    let another = Fragment::new(&peer(), b"87654321").unwrap();
    assert!(!asked.is_answered_by(&another, &peer()), "of another URI");
}

#[test]
fn custom_parts_are_refused_beyond_the_limit_and_when_empty() {
    let of = |len: usize| Fragment::new(&peer(), &vec![7; len]);
    let longest = of(MAX_CUSTOM_LEN).unwrap();
    assert_eq!(read(&longest.to_string()), Ok(longest.clone()));
    assert_eq!(of(MAX_CUSTOM_LEN + 1), Err(FragmentError::Custom));
    assert_eq!(of(0), Err(FragmentError::Custom));
    let longer = format!("{longest}aaaaaaaa");
    assert_eq!(read(&longer), Err(FragmentError::Custom));
    assert_eq!(read("6scqt32j2ewsa."), Err(FragmentError::Custom));
}

#[test]
fn what_is_no_fragment_says_so() {
    assert_eq!(read(""), Err(FragmentError::Digest));
    assert_eq!(read("aebagbafaydqr5ef"), Err(FragmentError::Digest));
    // JavaScript's string and another custom part: one of them is a lie.
    let both = format!("{JS}.aebagbafaydqq");
    assert_eq!(read(&both), Err(FragmentError::Digest));
    let letters = read("6scqt32j2ewsa.1");
    assert!(
        matches!(
            letters,
            Err(FragmentError::Base32(
                Base32Error::Length { .. } | Base32Error::Alphabet { .. }
            ))
        ),
        "{letters:?}"
    );
}

#[test]
fn a_router_uri_carries_a_session_for_the_router_and_a_fragment_for_the_peer() {
    let session = Secret::from_bytes([7; 16]);
    let base = LinkUri::new().with_host("router.example", None).unwrap();
    let base = base.with_session(&session).unwrap();
    let fragment = Fragment::new(&peer(), &CUSTOM).unwrap();
    let shared = base.clone().with_share(&fragment).unwrap();
    let read = LinkUri::parse_strict(&shared.to_string()).unwrap();
    assert_eq!(read.session(), Some(session));
    assert_eq!(read.share(), Ok(Some(fragment)));
    assert_eq!(read.without_fragment(), base);
    assert!(
        !base.to_string().contains(PEER),
        "the hashname is not in it"
    );

    let js = LinkUri::parse_strict("link://127.0.0.1/?sid=42#aebagbafaydqr5efbhxutujnea").unwrap();
    assert_eq!((js.session(), js.query_value("sid")), (None, Some("42")));
    assert!(js.share().unwrap().unwrap().is_of(&peer()));
}

proptest! {
    #[test]
    fn a_fragment_reads_as_it_was_written(name: [u8; 32], custom in prop::collection::vec(any::<u8>(), 1..=MAX_CUSTOM_LEN)) {
        let peer = Hashname::from_bytes(name);
        let fragment = Fragment::new(&peer, &custom).unwrap();
        let again: Fragment = fragment.to_string().parse().unwrap();
        prop_assert!(again.is_of(&peer));
        prop_assert_eq!(again, fragment);
    }

    #[test]
    fn arbitrary_texts_are_no_fragments_of_anybody(text in "[a-z2-7.]{0,40}") {
        if let Ok(fragment) = text.parse::<Fragment>() {
            prop_assert!(!fragment.is_of(&Hashname::from_bytes([3; 32])));
        }
    }
}
