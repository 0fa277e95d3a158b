//! What the flags of `mesh forward` say, in ssh's syntax: `[bind:]port:host:hostport`, IPv6 addresses in brackets.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use mesh::sock::{Destination, SockError};
use serde::{Deserialize, Serialize};

/// A host, by name or address, and a port of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct HostPort {
    /// An address without brackets, or a name.
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// Where to listen: `[bind:]port`. Port 0 is any free one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bind {
    pub(crate) at: Interface,
    pub(crate) port: u16,
}

/// On which addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Interface {
    /// Nothing is said: only programs of this host; a peer chooses by itself.
    Unsaid,
    /// Only programs of this host: `localhost`.
    Loopback,
    /// Everybody: `*`, or nothing before the colon.
    Any,
    At(IpAddr),
}

/// A listener, and where what comes there goes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rule {
    pub(crate) bind: Bind,
    pub(crate) to: HostPort,
}

impl Bind {
    /// The addresses to try, the first that works being enough.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        let addresses: &[IpAddr] = match &self.at {
            Interface::Unsaid | Interface::Loopback => &[
                IpAddr::V4(Ipv4Addr::LOCALHOST),
                IpAddr::V6(Ipv6Addr::LOCALHOST),
            ],
            // Where there is IPv6, its socket takes both.
            Interface::Any => &[
                IpAddr::V6(Ipv6Addr::UNSPECIFIED),
                IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            ],
            Interface::At(address) => std::slice::from_ref(address),
        };
        addresses
            .iter()
            .map(|address| SocketAddr::new(*address, self.port))
            .collect()
    }
}

impl Bind {
    /// Where a peer is to listen.
    pub(crate) fn destination(&self) -> Result<Destination, SockError> {
        let host = match self.at {
            Interface::Unsaid => return Ok(Destination::any(self.port)),
            Interface::Loopback => "localhost".to_owned(),
            Interface::Any => "0.0.0.0".to_owned(),
            Interface::At(address) => address.to_string(),
        };
        Destination::new(&host, self.port)
            .map_err(|_| SockError::Usage("this is no address to listen at"))
    }
}

impl FromStr for HostPort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match fields(text)?.as_slice() {
            [host, port] => Self::of(host, port),
            _ => Err(wrong(text, "HOST:PORT")),
        }
    }
}

impl FromStr for Bind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match fields(text)?.as_slice() {
            [port] => Self::of(None, port),
            [bind, port] => Self::of(Some(bind), port),
            _ => Err(wrong(text, "[BIND:]PORT")),
        }
    }
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (bind, host, port) = match fields(text)?.as_slice() {
            [listen, host, port] => (Bind::of(None, listen)?, *host, *port),
            [bind, listen, host, port] => (Bind::of(Some(bind), listen)?, *host, *port),
            _ => return Err(wrong(text, "[BIND:]PORT:HOST:HOSTPORT")),
        };
        let to = HostPort::of(&host, &port)?;
        Ok(Self { bind, to })
    }
}

impl HostPort {
    fn of(host: &Field<'_>, port: &Field<'_>) -> Result<Self, String> {
        let port = match number(port.text)? {
            0 => return Err("port 0 is no destination".to_owned()),
            port => port,
        };
        let host = host.host()?;
        Destination::new(&host, port).map_err(|error| error.to_string())?;
        Ok(Self { host, port })
    }

    /// The same for a link.
    pub(crate) fn destination(&self) -> Result<Destination, SockError> {
        Destination::new(&self.host, self.port)
            .map_err(|_| SockError::Usage("this is no host that a peer could connect to"))
    }
}

impl Bind {
    fn of(bind: Option<&Field<'_>>, port: &Field<'_>) -> Result<Self, String> {
        let at = bind.map_or(Ok(Interface::Unsaid), Interface::of)?;
        let port = number(port.text)?;
        Ok(Self { at, port })
    }
}

impl Interface {
    fn of(field: &Field<'_>) -> Result<Self, String> {
        match field.text {
            "localhost" => Ok(Self::Loopback),
            "" | "*" if !field.bracketed => Ok(Self::Any),
            text => text.parse().map(Self::At).map_err(|_| {
                format!("`{text}` is no address to listen at: use an IP address, localhost or *")
            }),
        }
    }
}

/// What is between colons, or in brackets.
#[derive(Clone, Copy, Debug)]
struct Field<'a> {
    text: &'a str,
    bracketed: bool,
}

impl Field<'_> {
    fn host(&self) -> Result<String, String> {
        let text = self.text;
        match self.bracketed {
            true if text.parse::<Ipv6Addr>().is_err() => {
                Err(format!("`{text}` is no IPv6 address, as brackets are for"))
            }
            false if text.is_empty() => Err("a host is missing".to_owned()),
            _ => Ok(text.to_owned()),
        }
    }
}

/// Splits at colons that are not in brackets.
fn fields(text: &str) -> Result<Vec<Field<'_>>, String> {
    let mut fields = Vec::new();
    let mut rest = text;
    loop {
        let (field, after) = match rest.strip_prefix('[') {
            Some(inner) => {
                let (inner, after) = inner
                    .split_once(']')
                    .ok_or_else(|| format!("a bracket is not closed in `{text}`"))?;
                (
                    Field {
                        text: inner,
                        bracketed: true,
                    },
                    after,
                )
            }
            None => {
                let (plain, after) = rest.split_at(rest.find(':').unwrap_or(rest.len()));
                (
                    Field {
                        text: plain,
                        bracketed: false,
                    },
                    after,
                )
            }
        };
        fields.push(field);
        match after.strip_prefix(':') {
            Some(more) => rest = more,
            None if after.is_empty() => return Ok(fields),
            None => return Err(format!("a colon is missing after the bracket in `{text}`")),
        }
    }
}

fn number(text: &str) -> Result<u16, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is no port: use a number from 0 to 65535"))
}

fn wrong(text: &str, form: &str) -> String {
    format!("`{text}` is not {form}; an IPv6 address goes in brackets")
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Display for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Interface::Unsaid | Interface::Loopback => write!(f, "localhost:{}", self.port),
            Interface::Any => write!(f, "*:{}", self.port),
            Interface::At(address) => SocketAddr::new(address, self.port).fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> (String, String) {
        let rule: Rule = text.parse().unwrap();
        (rule.bind.to_string(), rule.to.to_string())
    }

    #[test]
    fn a_rule_is_written_as_ssh_does() {
        for (text, bind, to) in [
            ("6379:redis:6380", "localhost:6379", "redis:6380"),
            ("localhost:1:h:2", "localhost:1", "h:2"),
            ("127.0.0.2:1:10.0.0.1:2", "127.0.0.2:1", "10.0.0.1:2"),
            ("*:0:h:2", "*:0", "h:2"),
            (":1:h:2", "*:1", "h:2"),
            ("[::1]:1:[fe80::1]:2", "[::1]:1", "[fe80::1]:2"),
            (
                "1:[2001:db8::7]:65535",
                "localhost:1",
                "[2001:db8::7]:65535",
            ),
        ] {
            assert_eq!(rule(text), (bind.to_owned(), to.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_rule_is_said() {
        for (text, word) in [
            ("", "PORT:HOST:HOSTPORT"),
            ("80", "PORT:HOST:HOSTPORT"),
            ("80:h", "PORT:HOST:HOSTPORT"),
            ("1:2:3:4:5", "PORT:HOST:HOSTPORT"),
            ("1:fe80::1:2", "in brackets"),
            ("65536:h:1", "65536"),
            ("-1:h:1", "no port"),
            ("1:h:0", "port 0"),
            ("1::2", "host is missing"),
            ("1:[h]:2", "no IPv6 address"),
            ("[::1:1:h:2", "not closed"),
            ("[::1]1:h:2", "colon is missing"),
            ("here:1:h:2", "localhost or *"),
            ("[*]:1:h:2", "localhost or *"),
            ("1:a b:2", "no host"),
            ("1:a@b:2", "no host"),
        ] {
            let error = text.parse::<Rule>().unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        }
    }

    #[test]
    fn a_port_alone_listens_for_this_host_and_a_destination_needs_both() {
        let bind: Bind = "1080".parse().unwrap();
        assert!(bind.addresses().iter().all(|at| at.ip().is_loopback()));
        let bind: Bind = "*:1080".parse().unwrap();
        assert!(bind.addresses().iter().all(|at| at.ip().is_unspecified()));
        assert!("1:2:3".parse::<Bind>().unwrap_err().contains("[BIND:]PORT"));
        assert_eq!("[::1]:22".parse::<HostPort>().unwrap().host, "::1");
        assert!("22".parse::<HostPort>().unwrap_err().contains("HOST:PORT"));
    }
}
