//! What the lenient and the strict parser make of a text.

use telehash_hashname::limits::MAX_CSIDS;
use telehash_hashname::{Base32Error, Csid, CsidError, KeySetError, Path, base32};
use telehash_uri::limits::{MAX_QUERY_ITEMS, MAX_URI_LEN, MAX_URI_PATHS};
use telehash_uri::{DEFAULT_PORT, Host, ItemError, LinkUri, Skipped, UriError};

/// What the lenient parser skips in a query, after checking that the strict one refuses the first.
fn skipped(query: &str) -> Vec<(String, ItemError)> {
    let text = format!("link://192.0.2.1/?{query}");
    let parsed = LinkUri::parse(&text).unwrap();
    let first = parsed
        .skipped
        .first()
        .cloned()
        .expect("something is skipped");
    assert_eq!(LinkUri::parse_strict(&text), Err(UriError::Item(first)));
    parsed
        .skipped
        .into_iter()
        .map(|Skipped { name, error, .. }| (name, error))
        .collect()
}

fn path_item(json: &str) -> String {
    format!("paths={}", base32::encode(json.as_bytes()))
}

#[test]
fn the_slash_before_the_query_may_be_absent_as_js_writes_it() {
    let with = LinkUri::parse_strict("link://192.0.2.1:1/?cs3a=aa#f").unwrap();
    assert_eq!(
        LinkUri::parse_strict("link://192.0.2.1:1?cs3a=aa#f"),
        Ok(with)
    );
}

#[test]
fn a_bad_key_is_skipped_and_the_rest_is_kept() {
    assert_eq!(
        skipped("cs3a=0&cs1a=aa"),
        [("cs3a".into(), Base32Error::Length { len: 1 }.into())]
    );
    assert_eq!(
        skipped("cs3a=0a"),
        [("cs3a".into(), Base32Error::Alphabet { position: 0 }.into())]
    );
    assert_eq!(skipped("cs3A=aa"), [("cs3A".into(), CsidError.into())]);
    assert_eq!(skipped("cs00=aa"), [("cs00".into(), CsidError.into())]);
    assert_eq!(skipped("csrf=aa"), [("csrf".into(), CsidError.into())]);
    let csid = Csid::CS3A;
    assert_eq!(
        skipped("cs3a="),
        [(
            "cs3a".into(),
            KeySetError::KeyLength { csid, len: 0 }.into()
        )]
    );
    let parsed = LinkUri::parse("link://192.0.2.1/?cs3a=0&cs1a=aa&x=y").unwrap();
    assert_eq!(
        parsed.uri,
        LinkUri::parse_strict("link://192.0.2.1/?cs1a=aa&x=y").unwrap()
    );
}

#[test]
fn of_two_keys_for_one_set_the_first_counts() {
    assert_eq!(
        skipped("cs3a=aa&cs3a=ae"),
        [("cs3a".into(), ItemError::Repeated)]
    );
    let parsed = LinkUri::parse("link://192.0.2.1/?cs3a=aa&cs3a=ae").unwrap();
    assert_eq!(parsed.uri.keys().key(Csid::CS3A), Some(&[0][..]));
}

#[test]
fn a_bad_path_is_skipped() {
    for json in ["", "{", "[]", "{}", r#"{"type":"udp4","type":"udp4"}"#] {
        let skipped = skipped(&path_item(json));
        assert!(
            matches!(skipped[..], [(_, ItemError::Path(_))]),
            "{json}: {skipped:?}"
        );
    }
    assert!(matches!(
        skipped("paths=1")[..],
        [(_, ItemError::Base32(_))]
    ));
    assert!(matches!(skipped("paths=74")[..], [(_, ItemError::NotText)]));
}

#[test]
fn paths_of_unknown_kinds_are_kept() {
    let item = path_item(r#"{"type":"ble","mac":"00:42"}"#);
    let uri = LinkUri::parse_strict(&format!("link:///?{item}")).unwrap();
    assert_eq!(uri.listed_paths()[0].kind(), "ble");
    assert_eq!(uri.to_string(), format!("link:///?{item}"));
}

#[test]
fn other_query_items_are_kept_in_order_and_decoded() {
    let uri = LinkUri::parse_strict("link:///?b=1&a=%20%26+&b=2&cs=1&csxyz=2&flag").unwrap();
    let query: Vec<_> = uri
        .query()
        .iter()
        .map(|(name, value)| (&name[..], &value[..]))
        .collect();
    let expected = [
        ("b", "1"),
        ("a", " & "),
        ("b", "2"),
        ("cs", "1"),
        ("csxyz", "2"),
        ("flag", ""),
    ];
    assert_eq!(query, expected);
    assert_eq!(uri.query_value("b"), Some("1"));
    assert_eq!(uri.query_value("c"), None);
    assert_eq!(
        uri.to_string(),
        "link:///?b=1&a=+%26+&b=2&cs=1&csxyz=2&flag="
    );
}

#[test]
fn the_default_port_is_that_of_telehash_whatever_the_scheme() {
    for uri in [
        "link://192.0.2.1",
        "link://192.0.2.1:/",
        "http://192.0.2.1/",
    ] {
        assert_eq!(
            LinkUri::parse_strict(uri).unwrap().port(),
            DEFAULT_PORT,
            "{uri}"
        );
    }
    assert_eq!(
        LinkUri::parse_strict("http://192.0.2.1:80").unwrap().port(),
        80
    );
}

#[test]
fn the_scheme_says_which_paths_the_authority_means() {
    let addr = "192.0.2.1:7".parse().unwrap();
    let paths = |scheme: &str| {
        LinkUri::parse_strict(&format!("{scheme}://192.0.2.1:7"))
            .unwrap()
            .paths()
    };
    let (udp, tcp) = (Path::udp(addr), Path::tcp(addr));
    assert_eq!(paths("link"), [udp.clone(), tcp.clone()]);
    assert_eq!(
        paths("quic"),
        [udp.clone(), tcp.clone()],
        "QUIC is only ever listed"
    );
    assert_eq!(paths("tls"), [udp.clone(), tcp.clone(), Path::tls(addr)]);
    assert_eq!(
        paths("HTTPS"),
        [udp, tcp, Path::http("https://192.0.2.1:7")]
    );
}

#[test]
fn listed_paths_come_first_and_none_comes_twice() {
    let item = path_item(r#"{"type":"tcp4","ip":"192.0.2.1","port":7}"#);
    let uri = LinkUri::parse_strict(&format!("link://192.0.2.1:7/?{item}")).unwrap();
    let addr = "192.0.2.1:7".parse().unwrap();
    assert_eq!(uri.paths(), [Path::tcp(addr), Path::udp(addr)]);
}

#[test]
fn a_name_gives_paths_once_it_is_resolved() {
    let uri = LinkUri::parse_strict("http://EXAMPLE.com:7/").unwrap();
    assert_eq!(uri.host(), Some(&Host::Domain("example.com".into())));
    assert_eq!(uri.paths(), [Path::http("http://example.com:7")]);
    let addr = "[2001:db8::1]:7".parse().unwrap();
    let resolved = uri.paths_at("2001:db8::1".parse().unwrap());
    assert_eq!(resolved[..2], [Path::udp(addr), Path::tcp(addr)]);
}

#[test]
fn an_international_name_becomes_ascii() {
    let uri = LinkUri::parse_strict("link://B\u{fc}cher.example/").unwrap();
    assert_eq!(uri.to_string(), "link://xn--bcher-kva.example/");
}

#[test]
fn an_ipv6_address_stands_in_brackets() {
    let uri = LinkUri::parse_strict("link://[2001:DB8:0::1]:7/").unwrap();
    assert_eq!(uri.to_string(), "link://[2001:db8::1]:7/");
    let without = LinkUri::parse_strict("link://[::1]").unwrap();
    assert_eq!(
        without.paths()[0],
        Path::udp("[::1]:42424".parse().unwrap())
    );
    for wrong in [
        "link://::1/",
        "link://[::1/",
        "link://[::1]7/",
        "link://[::g]/",
        "link://::1:7/",
    ] {
        assert!(LinkUri::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn what_is_wrong_outside_the_query_is_an_error_for_both_parsers() {
    for (text, error) in [
        ("", UriError::NoScheme),
        ("hello", UriError::NoScheme),
        ("mailto:a@example.com", UriError::NoScheme),
        ("/@192.0.2.1:7", UriError::NoScheme),
        ("user@192.0.2.1:7", UriError::NoScheme),
        ("192.0.2.1:7/?cs3a=aa", UriError::NoScheme),
        ("?x=link://h", UriError::NoScheme),
        ("://h", UriError::Scheme),
        ("1://h", UriError::Scheme),
        ("l_k://h", UriError::Scheme),
        ("link://:7/", UriError::NoHost),
        ("link://user@/", UriError::NoHost),
        ("link://a%b/", UriError::Host),
        ("link://h:0/", UriError::Port),
        ("link://h:+7/", UriError::Port),
        ("link://h:7a/", UriError::Port),
        ("link://h:65536/", UriError::Port),
        ("link://h/a b", UriError::Character { position: 10 }),
        ("link://h/#\u{0}", UriError::Character { position: 10 }),
    ] {
        assert_eq!(LinkUri::parse(text), Err(error.clone()), "{text:?}");
        assert_eq!(LinkUri::parse_strict(text), Err(error), "{text:?}");
    }
}

#[test]
fn only_the_lenient_parser_reads_white_space_around_and_a_missing_scheme() {
    for (pasted, meant) in [
        ("  link://h:7/?cs3a=aa\r\n", "link://h:7/?cs3a=aa"),
        ("127.0.0.1:7", "link://127.0.0.1:7/"),
        ("[::1]:7", "link://[::1]:7/"),
    ] {
        let parsed = LinkUri::parse(pasted).unwrap();
        assert_eq!(parsed.uri, LinkUri::parse_strict(meant).unwrap());
        assert_eq!(parsed.skipped, []);
        assert!(LinkUri::parse_strict(pasted).is_err());
    }
}

#[test]
fn the_fragment_is_kept_word_for_word_and_can_be_left_out() {
    let uri = LinkUri::parse_strict("link://h/?sid=42#a.b%20?/#x").unwrap();
    assert_eq!(uri.fragment(), Some("a.b%20?/#x"));
    assert_eq!(uri.without_fragment().to_string(), "link://h/?sid=42");
}

#[test]
fn debug_output_hides_the_values_of_the_query() {
    let secret = "a".repeat(26);
    let uri = format!("link://h/?inv={secret}&word=sesame#hidden");
    let uri = LinkUri::parse_strict(&uri).unwrap();
    let shown = format!("{uri:?} {:?}", uri.invite());
    assert!(shown.contains("inv"), "{shown}");
    for hidden in [&secret, "sesame", "hidden"] {
        assert!(!shown.contains(hidden), "{shown}");
    }
}

#[test]
fn paths_beyond_the_limit_are_skipped() {
    let item = path_item(r#"{"type":"x"}"#);
    let most = vec![item.as_str(); MAX_URI_PATHS].join("&");
    let full = LinkUri::parse_strict(&format!("link:///?{most}")).unwrap();
    assert_eq!(full.listed_paths().len(), MAX_URI_PATHS);
    assert_eq!(
        skipped(&format!("{most}&{item}")),
        [("paths".into(), ItemError::TooManyPaths)]
    );
}

#[test]
fn query_items_beyond_the_limit_are_skipped_and_reported_once() {
    let most = vec!["a=b"; MAX_QUERY_ITEMS].join("&");
    let full = LinkUri::parse_strict(&format!("link:///?{most}")).unwrap();
    assert_eq!(full.query().len(), MAX_QUERY_ITEMS);
    assert_eq!(
        skipped(&format!("{most}&c=d&e=f")),
        [("c".into(), ItemError::TooManyItems)]
    );
    let bad = vec!["csxx=1"; 2 * MAX_QUERY_ITEMS].join("&");
    assert_eq!(
        skipped(&bad).len(),
        MAX_QUERY_ITEMS + 1,
        "reports are bounded too"
    );
}

#[test]
fn keys_beyond_the_limit_of_a_key_set_are_skipped() {
    let items: Vec<_> = (1..=MAX_CSIDS + 1)
        .map(|csid| format!("cs{csid:02x}=aa"))
        .collect();
    let name = format!("cs{:02x}", MAX_CSIDS + 1);
    assert_eq!(
        skipped(&items.join("&")),
        [(name, KeySetError::TooManyCsids.into())]
    );
}

#[test]
fn a_uri_is_refused_one_byte_beyond_the_limit() {
    let padded = |len: usize| format!("link://h/?a={}", "b".repeat(len - "link://h/?a=".len()));
    for parse in [
        |text: &str| LinkUri::parse(text).map(|parsed| parsed.uri),
        LinkUri::parse_strict,
    ] {
        assert_eq!(
            parse(&padded(MAX_URI_LEN)).unwrap().to_string().len(),
            MAX_URI_LEN
        );
        let len = MAX_URI_LEN + 1;
        assert_eq!(parse(&padded(len)), Err(UriError::TooLong { len }));
    }
}
