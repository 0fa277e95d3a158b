//! Whom a request is for: its `Host`, or its target if that is absolute.

use std::net::IpAddr;

use http::header::HOST;
use http::uri::{Authority, Scheme};
use http::{Method, Request};

/// Under which every endpoint is a site of its own.
const LOCALHOST: &str = "localhost";

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Destination {
    /// The endpoint of this name, and the origin of its pages.
    Name { name: String, origin: String },
    /// The proxy itself, by a loopback address.
    Proxy,
}

/// Why a request is for nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HostError {
    /// 400: what it says of its host is missing, doubled, contradictory or malformed.
    Malformed(&'static str),
    /// 421: it is for another host. This is what a rebound name of a foreign page gets.
    Misdirected,
    /// 405: it wants a tunnel.
    Tunnel,
}

/// Reads whom a request to the proxy at `port` is for.
pub(super) fn destination<B>(request: &Request<B>, port: u16) -> Result<Destination, HostError> {
    if request.method() == Method::CONNECT {
        return Err(HostError::Tunnel);
    }
    let host = host(request)?;
    let uri = request.uri();
    match (uri.scheme(), uri.authority()) {
        (None, None) if uri.path().starts_with('/') => read(
            &host.ok_or(HostError::Malformed("the request names no host"))?,
            port,
            false,
        ),
        (Some(scheme), Some(authority)) if *scheme == Scheme::HTTP => {
            if host.is_some_and(|host| !host.as_str().eq_ignore_ascii_case(authority.as_str())) {
                return Err(HostError::Malformed("the request names two hosts"));
            }
            read(authority, port, true)
        }
        (Some(_), _) => Err(HostError::Misdirected),
        _ => Err(HostError::Malformed(
            "the request's target is neither a path nor a URL",
        )),
    }
}

/// The one `Host` header.
fn host<B>(request: &Request<B>) -> Result<Option<Authority>, HostError> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (first, second) = (hosts.next(), hosts.next());
    if second.is_some() {
        return Err(HostError::Malformed("the request has more than one host"));
    }
    first
        .map(|host| Authority::try_from(host.as_bytes()))
        .transpose()
        .map_err(|_| HostError::Malformed("the request's host is malformed"))
}

/// `bare` if the name may stand without `.localhost`, as it may where we are asked as a proxy.
fn read(authority: &Authority, port: u16, bare: bool) -> Result<Destination, HostError> {
    if authority.as_str().contains('@') {
        return Err(HostError::Malformed("a host has no user"));
    }
    let host = authority.host().to_ascii_lowercase();
    let has_port = authority.as_str().len() > host.len();
    let asked = match (authority.port_u16(), has_port) {
        (None, true) => return Err(HostError::Malformed("the host's port is malformed")),
        (asked, _) => asked,
    };
    let is_ours = asked.is_none_or(|asked| asked == port);
    if host == LOCALHOST || is_loopback(&host) {
        return is_ours
            .then_some(Destination::Proxy)
            .ok_or(HostError::Misdirected);
    }
    let suffixed = host
        .strip_suffix(LOCALHOST)
        .and_then(|name| name.strip_suffix('.'));
    let (name, is_ours) = match suffixed {
        Some(name) => (name, is_ours),
        // As a proxy we are asked for a name that no domain can have.
        None if bare && !host.contains('.') => (host.as_str(), asked.is_none_or(|port| port == 80)),
        None => return Err(HostError::Misdirected),
    };
    if !is_ours || !is_name(name) {
        return Err(HostError::Misdirected);
    }
    let origin = match asked {
        None | Some(80) => format!("http://{host}"),
        Some(port) => format!("http://{host}:{port}"),
    };
    Ok(Destination::Name {
        name: name.to_owned(),
        origin,
    })
}

fn is_loopback(host: &str) -> bool {
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    literal
        .parse::<IpAddr>()
        .is_ok_and(|address| address.is_loopback())
}

fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    name.bytes().all(allowed) && name.starts_with(|first: char| first.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORT: u16 = 8042;
    const HASHNAME: &str = "ekkubb4bmjrqikl4mp6flzbzw6mvauwgvppkl3e2tfa2jdtnavya";

    fn at(target: &str, hosts: &[&str]) -> Result<Destination, HostError> {
        let mut request = Request::get(target);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        destination(&request.body(()).unwrap(), PORT)
    }

    fn name(name: &str, origin: &str) -> Result<Destination, HostError> {
        Ok(Destination::Name {
            name: name.into(),
            origin: origin.into(),
        })
    }

    #[test]
    fn an_endpoint_is_a_host_under_localhost() {
        let host = format!("{HASHNAME}.localhost:8042");
        assert_eq!(
            at("/x", &[&host]),
            name(HASHNAME, &format!("http://{host}"))
        );
        let url = format!("http://{host}/x");
        assert_eq!(
            at(&url, &[&host]),
            name(HASHNAME, &format!("http://{host}"))
        );
        assert_eq!(
            at("/", &["Bob.LOCALHOST:8042"]),
            name("bob", "http://bob.localhost:8042")
        );
        assert_eq!(
            at("/", &["bob.localhost"]),
            name("bob", "http://bob.localhost")
        );
    }

    #[test]
    fn a_proxy_is_asked_for_a_bare_name() {
        let bare = format!("http://{HASHNAME}/x");
        assert_eq!(
            at(&bare, &[HASHNAME]),
            name(HASHNAME, &format!("http://{HASHNAME}"))
        );
        assert_eq!(
            at(&bare, &[]),
            name(HASHNAME, &format!("http://{HASHNAME}"))
        );
        assert_eq!(at("/x", &[HASHNAME]), Err(HostError::Misdirected));
    }

    #[test]
    fn loopback_addresses_are_the_proxy_itself() {
        for host in [
            "127.0.0.1:8042",
            "localhost:8042",
            "[::1]:8042",
            "localhost",
        ] {
            assert_eq!(at("/", &[host]), Ok(Destination::Proxy), "{host}");
        }
    }

    #[test]
    fn any_other_host_is_misdirected() {
        for host in [
            "evil.example",
            "evil.example:8042",
            "bob.localhost:80",
            "bob.localhost:8043",
            "192.0.2.1:8042",
            "localhost.evil.example",
            "boblocalhost",
            "127.0.0.1.evil.example:8042",
            "bob.localhost.",
            ".localhost",
            "-.localhost",
            "127.0.0.1:80",
        ] {
            assert_eq!(at("/", &[host]), Err(HostError::Misdirected), "{host}");
        }
        for url in [
            "http://evil.example/",
            "https://bob.localhost:8042/",
            "http://192.0.2.1/",
        ] {
            assert_eq!(at(url, &[]), Err(HostError::Misdirected), "{url}");
        }
    }

    #[test]
    fn a_host_that_is_missing_doubled_or_malformed_is_refused() {
        for hosts in [
            &[][..],
            &["bob.localhost", "bob.localhost"],
            &["a@bob.localhost"],
            &["bob.localhost:x"],
            &["bob localhost"],
        ] {
            let refused = at("/", hosts);
            assert!(
                matches!(refused, Err(HostError::Malformed(_))),
                "{hosts:?}: {refused:?}"
            );
        }
        let two = at("http://bob.localhost:8042/", &["ann.localhost:8042"]);
        assert!(matches!(two, Err(HostError::Malformed(_))), "{two:?}");
        let tunnel = Request::connect("bob.localhost:8042").body(()).unwrap();
        assert_eq!(destination(&tunnel, PORT), Err(HostError::Tunnel));
    }
}
