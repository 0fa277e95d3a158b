//! PCP and NAT-PMP.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};

use super::{Change, Server, Temper, protocol};
use crate::port::{Method, Port, Protocol};

/// Results that both protocols have.
const SUCCESS: u8 = 0;
const UNSUPPORTED_VERSION: u8 = 1;
const NOT_AUTHORIZED: u8 = 2;

/// What answers have in common: this bit of the operation.
const ANSWER: u8 = 0x80;

pub(super) fn bind(server: &Server) -> io::Result<UdpSocket> {
    UdpSocket::bind((server.description.address, crab_nat::GATEWAY_PORT))
}

pub(super) fn serve(server: &Server, socket: &UdpSocket) -> io::Result<()> {
    let mut buffer = [0; 1100];
    loop {
        let (length, from) = socket.recv_from(&mut buffer)?;
        if let Some(mut answer) = answer(server, &buffer[..length], from) {
            match server.description.temper {
                Temper::Short => answer.truncate(answer.len() / 2),
                Temper::Mistaken => answer.iter_mut().skip(8).for_each(|byte| *byte ^= 0x55),
                Temper::Silent => continue,
                Temper::Good | Temper::Refusing => {}
            }
            socket.send_to(&answer, from)?;
        }
    }
}

fn answer(server: &Server, request: &[u8], from: SocketAddr) -> Option<Vec<u8>> {
    let IpAddr::V4(client) = from.ip() else {
        return None;
    };
    let speaks = |method| server.description.methods.contains(&method);
    match request {
        [2, 1, ..] if speaks(Method::Pcp) => map(server, request, client),
        [0, operation, ..] if speaks(Method::NatPmp) => natpmp(server, *operation, request, client),
        // As NAT-PMP says it to whoever speaks PCP.
        [2, operation, ..] => Some(vec![
            0,
            operation | ANSWER,
            0,
            UNSUPPORTED_VERSION,
            0,
            0,
            0,
            0,
        ]),
        _ => None,
    }
}

/// RFC 6887, 11.1.
fn map(server: &Server, request: &[u8], client: Ipv4Addr) -> Option<Vec<u8>> {
    let (head, body) = request.split_at_checked(24)?;
    let body = body.get(..36)?;
    let number = |at: usize| u16::from_be_bytes([body[at], body[at + 1]]);
    let lifetime = u32::from_be_bytes(head[4..8].try_into().ok()?);
    let (internal, wish) = (number(16), number(18));
    let external = if wish == 0 { internal } else { wish };
    let refusing = server.description.temper == Temper::Refusing;
    if !refusing && server.description.temper == Temper::Good {
        server.change(Change {
            method: Method::Pcp,
            port: port(protocol(body[12])?, client, internal),
            external,
            lifetime,
        });
    }
    let result = if refusing { NOT_AUTHORIZED } else { SUCCESS };
    let mut answer = vec![2, 1 | ANSWER, 0, result];
    answer.extend(lifetime.to_be_bytes());
    answer.extend(server.description.epoch.to_be_bytes());
    answer.extend([0; 12]);
    answer.extend(&body[..18]);
    answer.extend(external.to_be_bytes());
    answer.extend(server.description.external.to_ipv6_mapped().octets());
    Some(answer)
}

/// RFC 6886, 3.2 and 3.3.
fn natpmp(server: &Server, operation: u8, request: &[u8], client: Ipv4Addr) -> Option<Vec<u8>> {
    let refusing = server.description.temper == Temper::Refusing;
    let result = if refusing { NOT_AUTHORIZED } else { SUCCESS };
    let mut answer = vec![0, operation | ANSWER, 0, result];
    answer.extend(server.description.epoch.to_be_bytes());
    let kind = match operation {
        0 => {
            answer.extend(server.description.external.octets());
            return Some(answer);
        }
        1 => Protocol::Udp,
        2 => Protocol::Tcp,
        _ => return None,
    };
    let body: [u8; 8] = request.get(4..12)?.try_into().ok()?;
    let [a, b, c, d, lifetime @ ..] = body;
    let (internal, wish) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    let lifetime = u32::from_be_bytes(lifetime);
    let external = match (lifetime, wish) {
        (0, _) => 0,
        (_, 0) => internal,
        (_, wish) => wish,
    };
    if server.description.temper == Temper::Good {
        server.change(Change {
            method: Method::NatPmp,
            port: port(kind, client, internal),
            external,
            lifetime,
        });
    }
    answer.extend(internal.to_be_bytes());
    answer.extend(external.to_be_bytes());
    answer.extend(lifetime.to_be_bytes());
    Some(answer)
}

fn port(protocol: Protocol, client: Ipv4Addr, number: u16) -> Port {
    Port {
        protocol,
        address: SocketAddrV4::new(client, number),
    }
}
