//! Heads of requests and responses: a LOB head, which is JSON, before the bytes of the body.
//!
//! Each is checked here, once, so strictly that two readers cannot disagree about what it says.

use http::header::{CONTENT_LENGTH, HOST, SET_COOKIE, TRANSFER_ENCODING};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use serde::ser::{SerializeMap as _, Serializer as _};
use serde_json::{Map, Value};

use crate::error::HeadError;
use crate::headers::strip_hop_by_hop;

/// Limit: bytes of the JSON of a head. A larger one cannot be sent; a received request gets 431, a
/// received response fails the request.
pub const MAX_HEAD: usize = telehash_lob::MAX_HEAD;

/// Limit: headers in a head. At the limit as with [`MAX_HEAD`].
pub const MAX_HEADERS: usize = 100;

/// Limit: bytes of a header's name. At the limit as with [`MAX_HEAD`].
pub const MAX_HEADER_NAME: usize = 256;

/// Limit: bytes of a header's value. At the limit as with [`MAX_HEAD`].
pub const MAX_HEADER_VALUE: usize = 16 * 1024;

/// Bytes before the JSON: its length.
pub(crate) const PREFIX: usize = 2;

/// What reading and writing come to.
pub type Result<T> = std::result::Result<T, HeadError>;

/// The bytes of a request's head, in front of which nothing and behind which the body goes.
pub fn write_request<B>(request: &Request<B>) -> Result<Vec<u8>> {
    let path = request.uri().path_and_query();
    let path = path.map_or("/", PathAndQuery::as_str);
    write(
        &[
            (":method", Pseudo::Text(request.method().as_str())),
            (":path", Pseudo::Text(path)),
        ],
        request.headers(),
    )
}

/// The bytes of a response's head.
pub fn write_response<B>(response: &Response<B>) -> Result<Vec<u8>> {
    write(
        &[(":status", Pseudo::Number(response.status().as_u16()))],
        response.headers(),
    )
}

/// What does not come from a header.
enum Pseudo<'a> {
    Text(&'a str),
    Number(u16),
}

fn write(pseudo: &[(&str, Pseudo<'_>)], headers: &HeaderMap) -> Result<Vec<u8>> {
    if headers.keys_len() > MAX_HEADERS {
        return Err(HeadError::TooLarge);
    }
    let mut out = Vec::with_capacity(256);
    out.extend_from_slice(&[0; PREFIX]);
    let mut json = serde_json::Serializer::new(&mut out);
    let mut entries = || {
        let mut map = json.serialize_map(None)?;
        for (name, value) in pseudo {
            match value {
                Pseudo::Text(text) => map.serialize_entry(name, text)?,
                Pseudo::Number(number) => map.serialize_entry(name, number)?,
            }
        }
        for name in headers.keys() {
            let values: Vec<&str> = headers.get_all(name).iter().filter_map(text).collect();
            match values.as_slice() {
                _ if *name == SET_COOKIE => map.serialize_entry(name.as_str(), &values)?,
                [value] => map.serialize_entry(name.as_str(), value)?,
                values => map.serialize_entry(name.as_str(), &values.join(", "))?,
            }
        }
        serde::ser::SerializeMap::end(map)
    };
    if headers.values().any(|value| text(value).is_none()) {
        return Err(HeadError::Malformed("a header is no UTF-8"));
    }
    entries().map_err(|_| HeadError::Malformed("a header cannot be written"))?;
    let length = out.len() - PREFIX;
    if length > MAX_HEAD {
        return Err(HeadError::TooLarge);
    }
    if let Some(prefix) = out.first_chunk_mut::<PREFIX>() {
        *prefix = (length as u16).to_be_bytes();
    }
    Ok(out)
}

fn text(value: &HeaderValue) -> Option<&str> {
    std::str::from_utf8(value.as_bytes()).ok()
}

/// The length of the JSON whose first bytes these are, once it can be told.
pub(crate) fn length(bytes: &[u8]) -> Result<Option<usize>> {
    let Some(prefix) = bytes.first_chunk::<PREFIX>() else {
        return Ok(None);
    };
    match usize::from(u16::from_be_bytes(*prefix)) {
        length if length > MAX_HEAD => Err(HeadError::TooLarge),
        0 => Err(HeadError::Malformed("there is no head")),
        length => Ok(Some(length)),
    }
}

/// The head of a request.
pub fn read_request(json: &[u8]) -> Result<Request<()>> {
    let mut fields = parse(json)?;
    let method =
        take_text(&mut fields, ":method")?.ok_or(HeadError::Malformed("there is no :method"))?;
    let path = take_text(&mut fields, ":path")?.ok_or(HeadError::Malformed("there is no :path"))?;
    let mut request = Request::new(());
    *request.method_mut() = Method::from_bytes(method.to_ascii_uppercase().as_bytes())
        .map_err(|_| HeadError::Malformed("the :method is none"))?;
    *request.uri_mut() = uri(&path, request.method())?;
    *request.headers_mut() = headers(fields)?;
    Ok(request)
}

/// The head of a response.
pub fn read_response(json: &[u8]) -> Result<Response<()>> {
    let mut fields = parse(json)?;
    let status = match fields.shift_remove(":status") {
        Some(Value::Number(number)) => number.as_u64(),
        Some(Value::String(digits)) => digits.parse().ok(),
        _ => None,
    };
    let status = status
        .and_then(|status| u16::try_from(status).ok())
        .and_then(|status| StatusCode::from_u16(status).ok())
        .filter(|status| !status.is_informational())
        .ok_or(HeadError::Malformed("the :status is none"))?;
    // The words beside the number mean nothing.
    fields.shift_remove(":reason");
    let mut response = Response::new(());
    *response.status_mut() = status;
    *response.headers_mut() = headers(fields)?;
    Ok(response)
}

fn parse(json: &[u8]) -> Result<Map<String, Value>> {
    telehash_lob::json::parse_object(json)
        .map_err(|_| HeadError::Malformed("the head is no JSON object"))
}

fn take_text(fields: &mut Map<String, Value>, name: &str) -> Result<Option<String>> {
    match fields.shift_remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(HeadError::Malformed("a field that is a text is none")),
    }
}

/// Only a path on this server, or `*` for OPTIONS.
fn uri(path: &str, method: &Method) -> Result<Uri> {
    let is_path = path.starts_with('/') || (path == "*" && method == Method::OPTIONS);
    let parsed = (is_path && !path.contains('#')).then(|| PathAndQuery::try_from(path));
    match parsed {
        Some(Ok(path)) => Ok(Uri::from(path)),
        _ => Err(HeadError::Malformed("the :path is none")),
    }
}

fn headers(fields: Map<String, Value>) -> Result<HeaderMap> {
    if fields.len() > MAX_HEADERS {
        return Err(HeadError::TooLarge);
    }
    let mut headers = HeaderMap::with_capacity(fields.len());
    for (name, value) in fields {
        if name.len() > MAX_HEADER_NAME {
            return Err(HeadError::TooLarge);
        }
        // A pseudo field that is none of these has a colon, which no name has.
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| HeadError::Malformed("a header's name is none"))?;
        if headers.contains_key(&name) {
            return Err(HeadError::Malformed("a header comes twice"));
        }
        for value in values(&name, value)? {
            headers.append(name.clone(), value);
        }
    }
    if headers.len() > MAX_HEADERS {
        return Err(HeadError::TooLarge);
    }
    if headers.contains_key(TRANSFER_ENCODING) && headers.contains_key(CONTENT_LENGTH) {
        return Err(HeadError::Malformed(
            "transfer-encoding contradicts content-length",
        ));
    }
    strip_hop_by_hop(&mut headers);
    content_length(&headers)?;
    if headers
        .get(HOST)
        .is_some_and(|host| host.as_bytes().contains(&b','))
    {
        return Err(HeadError::Malformed("there is more than one host"));
    }
    Ok(headers)
}

fn values(name: &HeaderName, value: Value) -> Result<Vec<HeaderValue>> {
    let value_of = |text: String| {
        if text.len() > MAX_HEADER_VALUE {
            return Err(HeadError::TooLarge);
        }
        HeaderValue::try_from(text).map_err(|_| HeadError::Malformed("a header's value is none"))
    };
    match value {
        Value::String(text) => Ok(vec![value_of(text)?]),
        // As node's `setHeader` leaves it.
        Value::Number(number) => Ok(vec![value_of(number.to_string())?]),
        Value::Array(several) if *name == SET_COOKIE => several
            .into_iter()
            .map(|value| match value {
                Value::String(text) => value_of(text),
                _ => Err(HeadError::Malformed("a cookie is no text")),
            })
            .collect(),
        _ => Err(HeadError::Malformed("a header's value is no text")),
    }
}

/// What `content-length` says.
pub fn content_length(headers: &HeaderMap) -> Result<Option<u64>> {
    let mut values = headers.get_all(CONTENT_LENGTH).iter();
    let Some(first) = values.next() else {
        return Ok(None);
    };
    let digits = first.as_bytes();
    let number = std::str::from_utf8(digits)
        .ok()
        .and_then(|text| text.parse().ok());
    match number {
        Some(number) if values.next().is_none() && digits.iter().all(u8::is_ascii_digit) => {
            Ok(Some(number))
        }
        _ => Err(HeadError::Malformed("the content-length is none")),
    }
}

/// Whether a response to such a request never has a body (RFC 9110, section 6.4.1).
pub fn is_bodiless(method: &Method, status: StatusCode) -> bool {
    *method == Method::HEAD || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

#[cfg(test)]
mod tests;
