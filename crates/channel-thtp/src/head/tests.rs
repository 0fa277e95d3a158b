//! Heads as they should be, and as they should not.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn request(json: &Value) -> Result<Request<()>> {
    read_request(json.to_string().as_bytes())
}

fn response(json: &Value) -> Result<Response<()>> {
    read_response(json.to_string().as_bytes())
}

fn with_header(name: &str, value: impl Into<Value>) -> Result<Request<()>> {
    let mut head = json!({ ":method": "GET", ":path": "/" });
    head[name] = value.into();
    request(&head)
}

#[test]
fn hostile_requests_are_malformed() {
    let hostile = [
        json!({}),
        json!({ ":method": "GET" }),
        json!({ ":path": "/" }),
        json!({ ":method": 1, ":path": "/" }),
        json!({ ":method": "", ":path": "/" }),
        json!({ ":method": "GE T", ":path": "/" }),
        json!({ ":method": "GET\r\n", ":path": "/" }),
        json!({ ":method": "GET", ":path": ["/"] }),
        json!({ ":method": "GET", ":path": "" }),
        json!({ ":method": "GET", ":path": "x" }),
        json!({ ":method": "GET", ":path": "*" }),
        json!({ ":method": "GET", ":path": "http://elsewhere/" }),
        json!({ ":method": "GET", ":path": "/a b" }),
        json!({ ":method": "GET", ":path": "/a#b" }),
        json!({ ":method": "GET", ":path": "/ HTTP/1.1\r\nx: y" }),
        json!({ ":method": "GET", ":path": "/\u{0}" }),
        json!({ ":method": "GET", ":path": "/", ":scheme": "http" }),
        json!({ ":method": "GET", ":path": "/", "": "x" }),
        json!({ ":method": "GET", ":path": "/", "a b": "x" }),
        json!({ ":method": "GET", ":path": "/", "a:b": "x" }),
        json!({ ":method": "GET", ":path": "/", "a\r\nb": "x" }),
        json!({ ":method": "GET", ":path": "/", "a": "x\r\ny: z" }),
        json!({ ":method": "GET", ":path": "/", "a": "x\u{0}" }),
        json!({ ":method": "GET", ":path": "/", "a": "x", "A": "y" }),
        json!({ ":method": "GET", ":path": "/", "a": { "b": "c" } }),
        json!({ ":method": "GET", ":path": "/", "a": ["b"] }),
        json!({ ":method": "GET", ":path": "/", "a": null }),
        json!({ ":method": "GET", ":path": "/", "set-cookie": [1] }),
        json!({ ":method": "GET", ":path": "/", "host": "a, b" }),
        json!({ ":method": "GET", ":path": "/", "content-length": "1, 2" }),
        json!({ ":method": "GET", ":path": "/", "content-length": "+1" }),
        json!({ ":method": "GET", ":path": "/", "content-length": "-1" }),
        json!({ ":method": "GET", ":path": "/", "content-length": "" }),
        json!({ ":method": "GET", ":path": "/", "content-length": "99999999999999999999" }),
        json!({ ":method": "GET", ":path": "/", "content-length": "1", "transfer-encoding": "chunked" }),
    ];
    for head in hostile {
        let read = request(&head);
        assert!(
            matches!(read, Err(HeadError::Malformed(_))),
            "{head}: {read:?}"
        );
    }
    for text in [
        "",
        "[]",
        "{",
        r#"{":path":"/",":path":"/x",":method":"GET"}"#,
        "\u{0}",
    ] {
        assert!(read_request(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn hostile_responses_are_malformed() {
    for head in [
        json!({}),
        json!({ ":status": 99 }),
        json!({ ":status": 100 }),
        json!({ ":status": 101 }),
        json!({ ":status": 1000 }),
        json!({ ":status": -200 }),
        json!({ ":status": 200.5 }),
        json!({ ":status": "ok" }),
        json!({ ":status": 200, "x": "a\nb" }),
        json!({ ":status": 200, "content-length": "1, 1" }),
    ] {
        let read = response(&head);
        assert!(
            matches!(read, Err(HeadError::Malformed(_))),
            "{head}: {read:?}"
        );
    }
}

#[test]
fn a_head_has_as_many_headers_as_the_limit_and_no_more() {
    let with = |count: usize| {
        let mut head = json!({ ":method": "GET", ":path": "/" });
        for number in 0..count {
            head[format!("x-{number}")] = "y".into();
        }
        request(&head)
    };
    assert_eq!(with(MAX_HEADERS).unwrap().headers().len(), MAX_HEADERS);
    assert_eq!(with(MAX_HEADERS + 1).unwrap_err(), HeadError::TooLarge);
    let cookies = |count: usize| with_header("set-cookie", vec!["a=b"; count]);
    assert!(cookies(MAX_HEADERS).is_ok());
    assert_eq!(cookies(MAX_HEADERS + 1).unwrap_err(), HeadError::TooLarge);
}

#[test]
fn a_name_and_a_value_are_as_long_as_the_limit_and_no_longer() {
    assert!(with_header(&"n".repeat(MAX_HEADER_NAME), "x").is_ok());
    let long = with_header(&"n".repeat(MAX_HEADER_NAME + 1), "x");
    assert_eq!(long.unwrap_err(), HeadError::TooLarge);
    assert!(with_header("x", "v".repeat(MAX_HEADER_VALUE)).is_ok());
    let long = with_header("x", "v".repeat(MAX_HEADER_VALUE + 1));
    assert_eq!(long.unwrap_err(), HeadError::TooLarge);
}

#[test]
fn a_head_is_as_long_as_the_limit_and_no_longer() {
    assert_eq!(length(&(MAX_HEAD as u16).to_be_bytes()), Ok(Some(MAX_HEAD)));
    let longer = (MAX_HEAD as u16 + 1).to_be_bytes();
    assert_eq!(length(&longer), Err(HeadError::TooLarge));
    assert_eq!(length(&[1]), Ok(None));
    assert!(length(&[0, 0]).is_err());

    let mut own = Request::get("/").body(()).unwrap();
    for name in ["a", "b", "c"] {
        let value = HeaderValue::try_from("v".repeat(MAX_HEADER_VALUE)).unwrap();
        own.headers_mut()
            .insert(HeaderName::from_static(name), value);
    }
    assert_eq!(write_request(&own).unwrap_err(), HeadError::TooLarge);
}

#[test]
fn what_is_about_one_connection_is_not_read() {
    let mut head = json!({ ":method": "get", ":path": "/x?y", "connection": "close, x-a" });
    for name in [
        "x-a",
        "x-b",
        "keep-alive",
        "te",
        "upgrade",
        "transfer-encoding",
    ] {
        head[name] = "z".into();
    }
    let request = request(&head).unwrap();
    assert_eq!(request.method(), Method::GET, "methods are upper case");
    assert_eq!(request.uri(), "/x?y");
    let names: Vec<_> = request.headers().keys().collect();
    assert_eq!(names, ["x-b"]);
}

#[test]
fn only_cookies_are_an_array_and_both_forms_are_read() {
    let mut own = Response::new(());
    for value in ["a=1", "b=2"] {
        own.headers_mut()
            .append(SET_COOKIE, HeaderValue::from_static(value));
        own.headers_mut()
            .append("vary", HeaderValue::from_static(value));
    }
    let written = write_response(&own).unwrap();
    let json: Value = serde_json::from_slice(&written[PREFIX..]).unwrap();
    assert_eq!(
        json,
        json!({ ":status": 200, "set-cookie": ["a=1", "b=2"], "vary": "a=1, b=2" })
    );
    let read = response(&json).unwrap();
    assert_eq!(read.headers().get_all(SET_COOKIE).iter().count(), 2);
    let one = response(&json!({ ":status": "404", ":reason": "no", "set-cookie": "a=1" })).unwrap();
    assert_eq!(one.status(), 404);
    assert_eq!(one.headers()[SET_COOKIE], "a=1");
}

/// Heads of the conversation of two JavaScript endpoints, in one direction.
fn trace(direction: &str) -> Vec<Vec<u8>> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = root.join("../../interop/vectors/traces/thtp.dialer.jsonl");
    let text = std::fs::read_to_string(file).unwrap();
    let records = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let first = records.filter(|record| record["trace"] == direction && record["json"]["seq"] == 1);
    let byte = |hex: &str, at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    first
        .filter_map(|record| record["body"].as_str().map(str::to_owned))
        .map(|hex| (0..hex.len()).step_by(2).map(|at| byte(&hex, at)).collect())
        .collect()
}

#[test]
fn what_js_asks_and_answers_is_read() {
    let asked: Vec<_> = trace("chan-out")
        .iter()
        .map(|bytes| read_request(&bytes[PREFIX..]).unwrap())
        .collect();
    let asked: Vec<_> = asked
        .iter()
        .map(|head| (head.method().as_str(), head.uri().path()))
        .collect();
    assert_eq!(asked, [("GET", "/hello"), ("POST", "/echo")]);
    let answered = trace("chan-in");
    assert_eq!(answered.len(), 2);
    for bytes in answered {
        let end = PREFIX + length(&bytes).unwrap().unwrap();
        let head = read_response(&bytes[PREFIX..end]).unwrap();
        assert_eq!(head.status(), 200);
        assert!(head.headers().contains_key("content-type"));
    }
}

#[test]
fn what_fuzzing_found_interesting_is_no_trouble() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let seeds = std::fs::read_dir(root.join("../../fuzz/corpus/thtp_head")).unwrap();
    let mut count = 0;
    for seed in seeds {
        crate::fuzzing::thtp_head(&std::fs::read(seed.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count > 0, "the seeds are there");
}

proptest! {
    #[test]
    fn what_is_written_is_read_the_same(
        method in "[A-Z]{1,8}",
        path in "/[a-z0-9/._~%?=&-]{0,40}",
        headers in prop::collection::btree_map("x-[a-z0-9-]{1,20}", "[!-~]([ -~]{0,30}[!-~])?", 0..20),
    ) {
        let mut own = Request::new(());
        *own.method_mut() = Method::from_bytes(method.as_bytes()).unwrap();
        *own.uri_mut() = path.parse().unwrap();
        for (name, value) in &headers {
            own.headers_mut().insert(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        let written = write_request(&own).unwrap();
        prop_assert_eq!(length(&written).unwrap(), Some(written.len() - PREFIX));
        let read = read_request(&written[PREFIX..]).unwrap();
        prop_assert_eq!(read.method(), own.method());
        prop_assert_eq!(read.uri(), own.uri());
        prop_assert_eq!(read.headers(), own.headers());
    }

    #[test]
    fn no_bytes_are_trouble(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        crate::fuzzing::thtp_head(&bytes);
    }
}
