//! URIs that we make.

use core::net::SocketAddr;

use proptest::prelude::*;
use telehash_hashname::limits::MAX_PATH_JSON_LEN;
use telehash_hashname::{Csid, Hashname, Intermediate, KeySet, LinkJson, Path};
use telehash_uri::limits::{MAX_QUERY_ITEMS, MAX_URI_LEN, MAX_URI_PATHS};
use telehash_uri::{BuildError, LinkUri, UriError};

fn keys() -> KeySet {
    let mut keys = KeySet::new();
    keys.insert_key(Csid::CS3A, vec![7; 32]).unwrap();
    keys
}

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn a_links_first_udp_address_becomes_the_authority_and_what_follows_from_it_is_not_listed() {
    let mut link = LinkJson::new(keys()).unwrap();
    let router = Path::peer(Hashname::from_bytes([9; 32]));
    link.paths = vec![
        router.clone(),
        Path::tcp(addr("192.0.2.1:7")),
        Path::udp(addr("192.0.2.1:7")),
        Path::udp(addr("[2001:db8::1]:7")),
        Path::quic(addr("192.0.2.1:8")),
    ];
    let uri = LinkUri::for_link(&link).unwrap();
    assert!(
        uri.to_string().starts_with("link://192.0.2.1:7/?cs3a="),
        "{uri}"
    );
    let listed = [
        router,
        Path::udp(addr("[2001:db8::1]:7")),
        Path::quic(addr("192.0.2.1:8")),
    ];
    assert_eq!(uri.listed_paths(), listed);

    let read = LinkUri::parse_strict(&uri.to_string())
        .unwrap()
        .link_json()
        .unwrap();
    assert_eq!((read.hashname, &read.keys), (link.hashname, &link.keys));
    assert_eq!(read.paths.len(), link.paths.len());
    assert!(link.paths.iter().all(|path| read.paths.contains(path)));
}

#[test]
fn without_udp_the_first_tcp_address_becomes_the_authority() {
    let mut link = LinkJson::new(keys()).unwrap();
    assert!(
        LinkUri::for_link(&link)
            .unwrap()
            .to_string()
            .starts_with("link:///?cs3a=")
    );
    link.paths.push(Path::tcp(addr("[2001:db8::1]:7")));
    let uri = LinkUri::for_link(&link).unwrap();
    assert!(
        uri.to_string().starts_with("link://[2001:db8::1]:7/?cs3a="),
        "{uri}"
    );
}

#[test]
fn keys_known_by_their_hash_only_cannot_go_into_a_uri() {
    let mut partial = keys();
    partial
        .insert_intermediate(Csid::CS1A, Intermediate::of(&[1]))
        .unwrap();
    assert_eq!(
        LinkUri::new().with_keys(partial),
        Err(BuildError::PartialKeys)
    );
}

#[test]
fn what_would_read_differently_is_refused() {
    let uri = LinkUri::new();
    for name in ["cs3a", "csrf", "paths"] {
        let refused = Err(BuildError::ReservedName { name: name.into() });
        assert_eq!(uri.clone().with_query(name, "x"), refused);
    }
    assert_eq!(uri.clone().with_scheme("a b"), Err(UriError::Scheme.into()));
    assert_eq!(
        uri.clone().with_host("", None),
        Err(UriError::NoHost.into())
    );
    assert_eq!(
        uri.clone().with_host("a/b", None),
        Err(UriError::Host.into())
    );
    assert_eq!(
        uri.clone().with_host("::1", None),
        Err(UriError::Host.into())
    );
    assert_eq!(
        uri.clone().with_host("h", Some(0)),
        Err(UriError::Port.into())
    );
    assert_eq!(
        uri.clone().with_addr(addr("192.0.2.1:0")),
        Err(UriError::Port.into())
    );
    assert!(matches!(
        uri.with_fragment("a b"),
        Err(BuildError::Uri(UriError::Character { .. }))
    ));
}

#[test]
fn one_path_more_than_the_limit_is_not_added() {
    let path = Path::http("http://h");
    let full = LinkUri::new()
        .with_paths(vec![path.clone(); MAX_URI_PATHS])
        .unwrap();
    assert_eq!(full.with_paths([path]), Err(BuildError::TooManyPaths));
}

#[test]
fn a_path_beyond_the_limit_is_not_added() {
    let frame = Path::http("").to_string().len();
    let path = |len: usize| Path::http("h".repeat(len - frame));
    let uri = LinkUri::new()
        .with_paths([path(MAX_PATH_JSON_LEN)])
        .unwrap();
    assert_eq!(LinkUri::parse_strict(&uri.to_string()).as_ref(), Ok(&uri));
    let len = MAX_PATH_JSON_LEN + 1;
    assert_eq!(
        uri.with_paths([path(len)]),
        Err(BuildError::PathTooLong { len })
    );
}

#[test]
fn one_query_item_more_than_the_limit_is_not_added() {
    let mut uri = LinkUri::new().with_keys(keys()).unwrap();
    for _ in 1..MAX_QUERY_ITEMS {
        uri = uri.with_query("a", "b").unwrap();
    }
    assert_eq!(LinkUri::parse_strict(&uri.to_string()).as_ref(), Ok(&uri));
    assert_eq!(uri.with_query("a", "b"), Err(BuildError::TooManyItems));
}

#[test]
fn a_uri_does_not_grow_beyond_the_limit() {
    let frame = "link:///#".len();
    let uri = LinkUri::new()
        .with_fragment(&"f".repeat(MAX_URI_LEN - frame))
        .unwrap();
    assert_eq!(uri.to_string().len(), MAX_URI_LEN);
    let refused = uri.with_fragment(&"f".repeat(MAX_URI_LEN - frame + 1));
    assert_eq!(
        refused,
        Err(UriError::TooLong {
            len: MAX_URI_LEN + 1
        }
        .into())
    );
}

type Ingredients = (
    (SocketAddr, Vec<(SocketAddr, bool)>),
    Vec<u8>,
    Vec<(String, String)>,
    Option<String>,
    String,
);

fn ingredients() -> impl Strategy<Value = Ingredients> {
    let addr =
        || any::<SocketAddr>().prop_map(|addr| SocketAddr::new(addr.ip(), addr.port().max(1)));
    (
        (
            addr(),
            proptest::collection::vec((addr(), any::<bool>()), 0..4),
        ),
        proptest::collection::vec(any::<u8>(), 1..100),
        proptest::collection::vec((any::<String>(), any::<String>()), 0..4),
        proptest::option::of("[!-~]{0,20}"),
        "[a-zA-Z][a-zA-Z0-9+.-]{0,8}",
    )
}

fn build(from: Ingredients) -> Result<LinkUri, BuildError> {
    let ((addr, paths), key, query, fragment, scheme) = from;
    let mut keys = KeySet::new();
    keys.insert_key(Csid::CS3A, key).unwrap();
    let path = |(addr, is_udp)| {
        if is_udp {
            Path::udp(addr)
        } else {
            Path::tcp(addr)
        }
    };
    let mut uri = LinkUri::new()
        .with_scheme(&scheme)?
        .with_addr(addr)?
        .with_keys(keys)?
        .with_paths(paths.into_iter().map(path))?;
    for (name, value) in query {
        uri = uri.with_query(&name, &value)?;
    }
    match fragment {
        Some(fragment) => uri.with_fragment(&fragment),
        None => Ok(uri),
    }
}

proptest! {
    #[test]
    fn what_we_build_both_parsers_read(from in ingredients()) {
        let uri = build(from).expect("all of it can be built");
        let text = uri.to_string();
        let strict = LinkUri::parse_strict(&text);
        prop_assert_eq!(strict.as_ref(), Ok(&uri));
        let parsed = LinkUri::parse(&text).unwrap();
        prop_assert_eq!((parsed.uri, parsed.skipped), (uri, vec![]));
    }
}
