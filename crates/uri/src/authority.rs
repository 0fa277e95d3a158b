//! The `user@host:port` part.

use alloc::string::String;

use url::Host;

use crate::UriError;

/// What an authority says; all of it may be absent.
#[derive(Default)]
pub(crate) struct Authority {
    pub(crate) userinfo: Option<String>,
    pub(crate) host: Option<Host>,
    pub(crate) port: Option<u16>,
}

impl Authority {
    pub(crate) fn parse(text: &str) -> Result<Self, UriError> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let (userinfo, host_port) = match text.rsplit_once('@') {
            Some((userinfo, host_port)) => (Some(userinfo.into()), host_port),
            None => (None, text),
        };
        let (host, port) = split_port(host_port)?;
        Ok(Self {
            userinfo,
            host: Some(parse_host(host)?),
            port: parse_port(port)?,
        })
    }
}

/// Also turns an international name into its ASCII form and checks it.
pub(crate) fn parse_host(text: &str) -> Result<Host, UriError> {
    match text {
        "" => Err(UriError::NoHost),
        _ => Host::parse(text).map_err(|_| UriError::Host),
    }
}

/// Host, with the brackets of an IPv6 address, and port, empty if absent.
fn split_port(host_port: &str) -> Result<(&str, &str), UriError> {
    let bracket = host_port.starts_with('[').then(|| host_port.find(']'));
    let after_host = match bracket {
        Some(Some(bracket)) => bracket + 1,
        Some(None) => return Err(UriError::Host),
        None => host_port.find(':').unwrap_or(host_port.len()),
    };
    let (host, rest) = host_port.split_at(after_host);
    match rest.strip_prefix(':') {
        Some(port) => Ok((host, port)),
        None if rest.is_empty() => Ok((host, "")),
        None => Err(UriError::Host),
    }
}

fn parse_port(text: &str) -> Result<Option<u16>, UriError> {
    // `parse` alone would let a plus sign pass.
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(UriError::Port);
    }
    match text.parse() {
        _ if text.is_empty() => Ok(None),
        Ok(0) | Err(_) => Err(UriError::Port),
        Ok(port) => Ok(Some(port)),
    }
}
