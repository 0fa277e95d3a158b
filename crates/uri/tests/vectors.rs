//! URIs that JS and C made or were given, against what we make of them.

use serde_json::Value;
use telehash_hashname::{Csid, KeySet, Path, base32};
use telehash_uri::{ItemError, LinkUri, UriError};

const JS: &str = include_str!("../../../interop/vectors/js/uri.json");
const C: &str = include_str!("../../../interop/vectors/c/uri.json");

fn file(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().expect(field)
}

fn strict(uri: &str) -> LinkUri {
    LinkUri::parse_strict(uri).unwrap_or_else(|error| panic!("{uri}: {error}"))
}

fn keys(pairs: &[(Csid, &str)]) -> KeySet {
    let mut keys = KeySet::new();
    for &(csid, key) in pairs {
        keys.insert_key(csid, base32::decode(key).unwrap()).unwrap();
    }
    keys
}

/// JS writes no slash between authority and query where the base URI had none; uri.md has one.
fn with_slash(js: &str) -> String {
    match js.split_once('?') {
        Some((base, query)) if base.ends_with("://") || !base.ends_with('/') => {
            format!("{base}/?{query}")
        }
        _ => js.to_owned(),
    }
}

#[test]
fn what_js_produces_is_what_we_write_but_for_the_slash_before_the_query() {
    let file = file(JS);
    let produced = file["produced"].as_object().unwrap();
    assert!(produced.len() >= 6);
    for (name, uri) in produced {
        let uri = uri.as_str().unwrap();
        assert_eq!(strict(uri).to_string(), with_slash(uri), "{name}");
    }
}

#[test]
fn what_we_build_is_what_js_produces() {
    let file = file(JS);
    let produced = |name: &str| with_slash(text(&file["produced"], name));
    let base = || LinkUri::new().with_host("127.0.0.1", Some(42424)).unwrap();
    let both = keys(&[
        (Csid::CS1A, "aitszst66gnrnbf5fe5q6hncyxaes6sh4y"),
        (
            Csid::CS3A,
            "bouqamijm4lsv5kao3n3wycqivrpysaclqqdxsujteedbrdkrqjq",
        ),
    ]);

    let with_keys = base().with_keys(both.clone()).unwrap();
    assert_eq!(with_keys.to_string(), produced("keys"));

    let no_host = LinkUri::new().with_keys(both).unwrap();
    assert_eq!(no_host.to_string(), produced("keys_no_host"));

    let paths = [
        Path::udp("192.168.0.36:42424".parse().unwrap()),
        Path::http("http://192.168.0.36:42424"),
    ];
    let with_paths = base()
        .with_query("foo", "bar")
        .unwrap()
        .with_paths(paths)
        .unwrap();
    assert_eq!(with_paths.to_string(), produced("paths"));

    let fragment = LinkUri::new().with_host("127.0.0.1", None).unwrap();
    let fragment = fragment.with_query("sid", "42").unwrap();
    let fragment = fragment
        .with_fragment("aebagbafaydqr5efbhxutujnea")
        .unwrap();
    assert_eq!(fragment.to_string(), produced("fragment"));
}

#[test]
fn what_js_decodes_we_decode() {
    let file = file(JS);
    let decoded = file["decoded"].as_array().unwrap();
    assert!(decoded.len() >= 9);
    for expected in decoded {
        let name = text(expected, "uri");
        let uri = strict(name);
        assert_eq!(
            format!("{}:", uri.scheme()),
            text(expected, "protocol"),
            "{name}"
        );
        let host = uri.host().map(ToString::to_string).unwrap_or_default();
        assert_eq!(
            host.trim_matches(['[', ']']),
            text(expected, "hostname"),
            "{name}"
        );
        let port = expected["port"].as_str().unwrap_or("42424");
        assert_eq!(uri.port().to_string(), port, "{name}");
        assert_eq!(
            uri.path_component(),
            expected["pathname"].as_str().unwrap_or("/"),
            "{name}"
        );
        assert_eq!(
            Value::Object(uri.keys().to_json()),
            expected["keys"],
            "{name}"
        );
        check_query(&uri, &expected["query"]);
        check_paths(&uri, expected["paths"].as_array().unwrap());
        let fragment = uri.fragment().map(base32::decode);
        if name != "http://example.com/a?cs3a=aa#frag" {
            let hex = fragment.map(|bytes| data_hex(&bytes.unwrap()));
            assert_eq!(hex.as_deref(), expected["fragment_hex"].as_str(), "{name}");
        } else {
            // JS decodes whatever stands there and drops stray bits; the text is ours to keep.
            assert_eq!(uri.fragment(), Some("frag"));
        }
    }
}

fn data_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn check_query(uri: &LinkUri, expected: &Value) {
    let others = expected.as_object().unwrap().iter();
    let others: Vec<_> = others
        .filter(|(name, _)| *name != "paths" && !name.starts_with("cs"))
        .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(uri.query(), others);
}

/// JS calls an IPv6 address `udp4`, leaves names unresolved in its paths, and adds for every scheme
/// a `http` path under the wrong key, which its own transport ignores.
fn check_paths(uri: &LinkUri, expected: &[Value]) {
    let is_address = matches!(uri.host(), Some(telehash_uri::Host::Ipv4(_)));
    let expected: Vec<Path> = expected
        .iter()
        .map(|path| Path::from_json(path.as_object().unwrap()).unwrap())
        .filter(Path::is_known)
        .collect();
    if is_address {
        assert_eq!(uri.paths(), expected, "{uri}");
    } else {
        assert_eq!(uri.listed_paths(), [], "{uri}");
    }
}

#[test]
fn an_ipv6_authority_means_the_paths_that_js_gets_wrong() {
    let uri = strict("link://[::1]:42424/?cs1a=aa");
    let addr = "[::1]:42424".parse().unwrap();
    assert_eq!(uri.paths(), [Path::udp(addr), Path::tcp(addr)]);
}

#[test]
fn what_c_reformats_faithfully_we_write_alike() {
    let file = file(C);
    let mut alike = 0;
    for case in file["cases"].as_array().unwrap() {
        let input = text(case, "in");
        let parsed = LinkUri::parse(input);
        match input {
            // C repeats the fragment inside the last query value, so that it appears twice.
            _ if input.contains('#') => {
                let uri = parsed.unwrap().uri;
                assert_eq!(uri.fragment(), case_fragment(input));
            }
            "link://[::1]:42424/" => assert_eq!(case["parse_ok"], false, "C has no IPv6"),
            // C takes the scheme for a host and the first number of the address for a port.
            "link:127.0.0.1" => assert_eq!(parsed, Err(UriError::NoScheme)),
            // C wraps the port at 65536.
            "link://h:99999/" => assert_eq!(parsed, Err(UriError::Port)),
            _ => {
                let parsed = parsed.unwrap_or_else(|error| panic!("{input}: {error}"));
                assert_eq!(parsed.skipped, [], "{input}");
                assert_eq!(parsed.uri.to_string(), text(case, "reformatted"));
                alike += 1;
            }
        }
    }
    assert_eq!(alike, 4);
}

fn case_fragment(input: &str) -> Option<&str> {
    input.split_once('#').map(|(_, fragment)| fragment)
}

#[test]
fn keys_and_addresses_are_those_that_c_finds() {
    let file = file(C);
    let case = &file["cases"][0];
    let uri = strict(text(case, "in"));
    let c_keys: Value = serde_json::from_str(text(case, "keys")).unwrap();
    assert_eq!(Value::Object(uri.keys().to_json()), c_keys);
    // C spells `udp4` wrong and puts the port into the address, so its paths cannot be compared.
    let addr = "127.0.0.1:42424".parse().unwrap();
    assert_eq!(uri.paths(), [Path::udp(addr), Path::tcp(addr)]);
}

#[test]
fn the_odd_uris_of_c_lose_only_what_cannot_be_used() {
    let parsed = LinkUri::parse("chat://foo.com:99/path/x?a=b&paths=pmrh#frag.ment").unwrap();
    assert_eq!(
        parsed.uri.to_string(),
        "chat://foo.com:99/path/x?a=b#frag.ment"
    );
    assert_eq!(parsed.skipped[0].name, "paths");

    let parsed = LinkUri::parse("link://user@host:1/?sid=42&cs1a=X#Y.Z").unwrap();
    assert_eq!(parsed.uri.to_string(), "link://user@host:1/?sid=42#Y.Z");
    assert!(matches!(parsed.skipped[0].error, ItemError::Base32(_)));

    let whole = "https://example.com/link?ref=42#u8kb";
    assert_eq!(strict(whole).to_string(), whole);
}

#[test]
fn adding_a_path_gives_the_bytes_of_c() {
    let file = file(C);
    let added = &file["add_path"][0];
    let path: Path = text(added, "path").parse().unwrap();
    let uri = LinkUri::new().with_host("127.0.0.1", Some(42424)).unwrap();
    let uri = uri
        .with_keys(keys(&[(
            Csid::CS3A,
            "eg3fxjnjkz763cjfnhyabeftyf75m2s4gll3gvmuacegax5h6nia",
        )]))
        .unwrap()
        .with_paths([path])
        .unwrap();
    assert_eq!(uri.to_string(), text(added, "uri"));
    assert_eq!(strict(text(added, "uri")), uri);
}
