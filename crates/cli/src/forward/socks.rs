//! The server's side of SOCKS5 (RFC 1928), as far as a tunnel needs it: CONNECT, without authentication.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use super::spec::HostPort;

/// Limit: how long a client may take to say where it wants to go, and as long again to read an answer; then it is closed.
pub(super) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const NO_METHOD: u8 = 0xff;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// What the client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Succeeded = 0,
    Failed = 1,
    NotAllowed = 2,
    HostUnreachable = 4,
    Refused = 5,
    CommandUnknown = 7,
    AddressUnknown = 8,
}

/// Reads what the client wants. One that wants something else is told so, and is an error.
pub(super) async fn request<S>(client: &mut S) -> io::Result<HostPort>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let asked = timeout(HANDSHAKE_TIMEOUT, ask(client)).await;
    match asked.unwrap_or_else(|_| Err(Bad::Client(io::ErrorKind::TimedOut.into()))) {
        Ok(to) => Ok(to),
        Err(Bad::Client(error)) => Err(error),
        Err(Bad::Request(answer, what)) => {
            reply(client, answer).await?;
            Err(io::Error::new(io::ErrorKind::InvalidData, what))
        }
    }
}

/// Tells it what became of that.
pub(super) async fn reply(client: &mut (impl AsyncWrite + Unpin), reply: Reply) -> io::Result<()> {
    // The address that the connection has over there is nobody's business, and most servers say nothing of it.
    let answer = [VERSION, reply as u8, 0, IPV4, 0, 0, 0, 0, 0, 0];
    timeout(HANDSHAKE_TIMEOUT, client.write_all(&answer)).await?
}

/// Why there is no request.
#[derive(Debug)]
enum Bad {
    /// It left, or does not speak SOCKS5.
    Client(io::Error),
    /// It is to be told why.
    Request(Reply, &'static str),
}

impl From<io::Error> for Bad {
    fn from(error: io::Error) -> Self {
        Self::Client(error)
    }
}

async fn ask<S>(client: &mut S) -> Result<HostPort, Bad>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    greet(client).await?;
    let [version, command, _, kind] = bytes(client).await?;
    if version != VERSION {
        return Err(not_socks("it speaks another version of SOCKS").into());
    }
    let host = match kind {
        IPV4 => Ipv4Addr::from(bytes::<4>(client).await?).to_string(),
        IPV6 => Ipv6Addr::from(bytes::<16>(client).await?).to_string(),
        NAME => name(client).await?,
        _ => {
            return Err(Bad::Request(
                Reply::AddressUnknown,
                "an unknown kind of address",
            ));
        }
    };
    let port = u16::from_be_bytes(bytes(client).await?);
    match command {
        CONNECT if port != 0 && !host.is_empty() => Ok(HostPort { host, port }),
        CONNECT => Err(Bad::Request(
            Reply::Failed,
            "a destination without host or port",
        )),
        _ => Err(Bad::Request(
            Reply::CommandUnknown,
            "another command than CONNECT",
        )),
    }
}

/// Agrees on going without authentication.
async fn greet<S>(client: &mut S) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let [version, count] = bytes(client).await?;
    if version != VERSION {
        return Err(not_socks("it does not speak SOCKS5"));
    }
    let mut methods = vec![0; count.into()];
    client.read_exact(&mut methods).await?;
    if methods.contains(&NO_AUTHENTICATION) {
        return client.write_all(&[VERSION, NO_AUTHENTICATION]).await;
    }
    client.write_all(&[VERSION, NO_METHOD]).await?;
    Err(not_socks("it insists on authentication"))
}

/// A name, or an address as text, which some clients send so. What is in it can only be a host.
async fn name(client: &mut (impl AsyncRead + Unpin)) -> Result<String, Bad> {
    let [count] = bytes(client).await?;
    let mut name = vec![0; count.into()];
    client.read_exact(&mut name).await?;
    let in_names = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._:".contains(byte);
    match String::from_utf8(name) {
        Ok(name) if name.bytes().all(|byte| in_names(&byte)) => Ok(name),
        _ => Err(Bad::Request(
            Reply::HostUnreachable,
            "a name that no host has",
        )),
    }
}

async fn bytes<const N: usize>(client: &mut (impl AsyncRead + Unpin)) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    client.read_exact(&mut bytes).await?;
    Ok(bytes)
}

fn not_socks(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GREETING: [u8; 4] = [5, 2, 2, 0];

    /// What comes of these bytes, and what the client hears.
    async fn said(bytes: &[u8]) -> (io::Result<HostPort>, Vec<u8>) {
        let (mut near, mut far) = tokio::io::duplex(1024);
        far.write_all(bytes).await.unwrap();
        far.shutdown().await.unwrap();
        let asked = request(&mut near).await;
        drop(near);
        let mut heard = Vec::new();
        far.read_to_end(&mut heard).await.unwrap();
        (asked, heard)
    }

    fn connect(rest: &[u8]) -> Vec<u8> {
        [&GREETING[..], &[5, 1, 0], rest].concat()
    }

    #[tokio::test]
    async fn names_and_addresses_of_both_families_are_destinations() {
        let ipv6 = [&[4][..], &Ipv6Addr::LOCALHOST.octets(), &[0, 22]].concat();
        for (rest, to) in [
            (&b"\x01\x7f\x00\x00\x01\x00\x50"[..], "127.0.0.1:80"),
            (b"\x03\x05redis\x18\xeb", "redis:6379"),
            (&ipv6, "[::1]:22"),
        ] {
            let (asked, heard) = said(&connect(rest)).await;
            assert_eq!(
                (asked.unwrap().to_string(), heard),
                (to.to_owned(), vec![5, 0])
            );
        }
    }

    #[tokio::test]
    async fn what_is_not_done_is_answered_with_the_code_for_it() {
        let bind = [&GREETING[..], b"\x05\x02\x00\x01\x7f\x00\x00\x01\x00\x50"].concat();
        for (bytes, code) in [
            (bind, Reply::CommandUnknown),
            (connect(b"\x05"), Reply::AddressUnknown),
            (connect(b"\x01\x7f\x00\x00\x01\x00\x00"), Reply::Failed),
            (connect(b"\x03\x00\x00\x50"), Reply::Failed),
            (connect(b"\x03\x03a b\x00\x50"), Reply::HostUnreachable),
            (connect(b"\x03\x02\xff\xff\x00\x50"), Reply::HostUnreachable),
        ] {
            let (asked, heard) = said(&bytes).await;
            assert_eq!(asked.unwrap_err().kind(), io::ErrorKind::InvalidData);
            assert_eq!(heard[..4], [5, 0, 5, code as u8], "{bytes:?}");
        }
    }

    #[tokio::test]
    async fn a_client_that_speaks_otherwise_is_closed() {
        for (bytes, answer) in [
            (&b"GET / HTTP/1.1\r\n"[..], &[][..]),
            (b"\x04\x01\x00\x50\x7f\x00\x00\x01\x00", &[]),
            (b"\x05\x01\x02", &[5, 0xff]),
            (b"\x05\x01\x00\x04\x01\x00\x01", &[5, 0]),
        ] {
            let (asked, heard) = said(bytes).await;
            asked.unwrap_err();
            assert_eq!(heard, answer);
        }
    }

    #[tokio::test]
    async fn a_request_cut_short_is_an_error_wherever_it_ends() {
        let whole = connect(b"\x03\x05redis\x18\xeb");
        for cut in 0..whole.len() {
            let (asked, _) = said(&whole[..cut]).await;
            assert_eq!(
                asked.unwrap_err().kind(),
                io::ErrorKind::UnexpectedEof,
                "{cut}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_says_nothing_is_waited_for_only_so_long() {
        let (mut near, _far) = tokio::io::duplex(1024);
        let start = tokio::time::Instant::now();
        let error = request(&mut near).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(start.elapsed(), HANDSHAKE_TIMEOUT);
    }
}
