//! Paths and their JSON descriptions.

use core::net::SocketAddr;
use proptest::prelude::*;
use serde_json::{Value, json};
use telehash_hashname::limits::{MAX_JSON_DEPTH, MAX_PATH_JSON_LEN};
use telehash_hashname::{Hashname, JsonError, Path, PathError};

fn read(json: &Value) -> Path {
    Path::from_json(json.as_object().unwrap()).unwrap()
}

fn v4() -> SocketAddr {
    "192.0.2.1:42424".parse().unwrap()
}

fn v6() -> SocketAddr {
    "[2001:db8::1]:42424".parse().unwrap()
}

#[test]
fn every_kind_with_an_address_reads_and_writes_its_json() {
    type Make = fn(SocketAddr) -> Path;
    let kinds: [(&str, Make); 4] = [
        ("udp", Path::udp),
        ("tcp", Path::tcp),
        ("quic", Path::quic),
        ("tls", Path::tls),
    ];
    for (kind, make) in kinds {
        for (family, addr, ip) in [(4, v4(), "192.0.2.1"), (6, v6(), "2001:db8::1")] {
            let path = make(addr);
            let text = format!(r#"{{"type":"{kind}{family}","ip":"{ip}","port":42424}}"#);
            assert_eq!(path.to_string(), text);
            assert_eq!(text.parse().as_ref(), Ok(&path));
            assert_eq!(path.kind(), format!("{kind}{family}"));
            assert_eq!(path.socket_addr(), Some(addr));
            assert!(path.is_known());
        }
    }
}

#[test]
fn a_peer_path_is_read_under_either_name_and_written_under_one() {
    let name = Hashname::from_bytes([7; 32]);
    let path = Path::peer(name);
    assert_eq!(read(&json!({"type": "peer", "hn": name})), path);
    assert_eq!(read(&json!({"type": "peer", "peer": name})), path);
    assert_eq!(
        Value::Object(path.to_json()),
        json!({"type": "peer", "hn": name})
    );
    assert_eq!(path.socket_addr(), None);
}

#[test]
fn a_http_path_has_its_url() {
    let json = json!({"type": "http", "url": "http://192.0.2.1:42424"});
    assert_eq!(read(&json), Path::http("http://192.0.2.1:42424"));
    assert_eq!(Value::Object(read(&json).to_json()), json);
}

#[test]
fn what_a_known_kind_does_not_define_is_dropped() {
    // JS adds `host` to its TCP paths.
    let json = json!({"type": "tcp4", "ip": "192.0.2.1", "port": 42424, "host": "x"});
    assert_eq!(read(&json), Path::tcp(v4()));
}

#[test]
fn unknown_kinds_and_unusable_paths_stay_word_for_word() {
    for json in [
        json!({"type": "ble", "mac": "42:00", "deep": [{"er": 1.5}]}),
        json!({"type": "upd4", "ip": "192.0.2.1", "port": 1}),
        json!({"type": "udp4", "ip": "localhost", "port": 1}),
        json!({"type": "udp4", "ip": "::1", "port": 1}),
        json!({"type": "udp6", "ip": "192.0.2.1", "port": 1}),
        json!({"type": "udp6", "ip": "fe80::1%eth0", "port": 1}),
        json!({"type": "udp4", "ip": "192.0.2.1"}),
        json!({"type": "udp4", "ip": "192.0.2.1", "port": 0}),
        json!({"type": "udp4", "ip": "192.0.2.1", "port": 65536}),
        json!({"type": "udp4", "ip": "192.0.2.1", "port": "1"}),
        json!({"type": "http", "http": "http://192.0.2.1"}),
        json!({"type": "peer", "hn": "x"}),
    ] {
        let path = read(&json);
        assert!(!path.is_known(), "{json}");
        assert_eq!(path.kind(), json["type"]);
        assert_eq!(path.to_string(), json.to_string());
        assert_eq!(path.socket_addr(), None);
    }
}

#[test]
fn an_ipv4_address_in_ipv6_clothes_is_ipv4() {
    assert_eq!(
        Path::udp("[::ffff:192.0.2.1]:42424".parse().unwrap()),
        Path::udp(v4())
    );
}

#[test]
fn without_a_type_it_is_no_path() {
    for text in ["{}", r#"{"type":4}"#, r#"{"ip":"192.0.2.1","port":1}"#] {
        assert_eq!(text.parse::<Path>(), Err(PathError::NoType));
        assert!(serde_json::from_str::<Path>(text).is_err());
    }
}

#[test]
fn a_name_given_twice_is_refused_at_any_depth() {
    for text in [
        r#"{"type":"udp4","type":"tcp4","ip":"192.0.2.1","port":1}"#,
        r#"{"type":"x","a":[{"b":1,"b":2}]}"#,
        r#"{"type":"x","a":1,"\u0061":2}"#,
    ] {
        let error = text.parse::<Path>().expect_err(text).to_string();
        assert!(error.contains("twice"), "{error}");
    }
}

#[test]
fn nesting_is_refused_one_level_beyond_the_limit() {
    let nested = |depth: usize| {
        let inner = depth - 1;
        format!(
            r#"{{"type":"x","a":{}{}}}"#,
            "[".repeat(inner),
            "]".repeat(inner)
        )
    };
    assert!(nested(MAX_JSON_DEPTH).parse::<Path>().is_ok());
    let error = nested(MAX_JSON_DEPTH + 1).parse::<Path>().unwrap_err();
    assert!(error.to_string().contains("too deeply"), "{error}");
}

#[test]
fn a_path_is_refused_one_byte_beyond_the_limit() {
    let padded = |len: usize| {
        let frame = r#"{"type":"x","a":""}"#.len();
        format!(r#"{{"type":"x","a":"{}"}}"#, "y".repeat(len - frame))
    };
    assert!(padded(MAX_PATH_JSON_LEN).parse::<Path>().is_ok());
    let (len, max) = (MAX_PATH_JSON_LEN + 1, MAX_PATH_JSON_LEN);
    let refused = Err(PathError::Json(JsonError::TooLong { len, max }));
    assert_eq!(padded(len).parse::<Path>(), refused);
}

#[test]
fn a_path_that_outgrows_the_limit_when_written_is_refused() {
    let numbers = vec!["1e15"; 100].join(",");
    let text = format!(r#"{{"type":"x","a":[{numbers}]}}"#);
    assert!(text.len() < MAX_PATH_JSON_LEN);
    assert!(matches!(
        text.parse::<Path>(),
        Err(PathError::Json(JsonError::TooLong { .. }))
    ));
}

proptest! {
    #[test]
    fn paths_survive_their_json(addr: SocketAddr, url: String, name: [u8; 32]) {
        prop_assume!(addr.port() != 0);
        for path in [
            Path::udp(addr), Path::tcp(addr), Path::quic(addr), Path::tls(addr),
            Path::http(url), Path::peer(Hashname::from_bytes(name)),
        ] {
            let without_scope = Path::from_json(&path.to_json()).unwrap();
            prop_assert_eq!(without_scope.to_json(), path.to_json());
            prop_assert_eq!(
                without_scope.socket_addr().map(|addr| (addr.ip(), addr.port())),
                path.socket_addr().map(|addr| (addr.ip(), addr.port()))
            );
        }
    }
}
