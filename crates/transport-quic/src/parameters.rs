//! How QUIC is set up: buffers, windows, packet sizes.

use std::{sync::Arc, time::Duration};

use quinn::{
    ClientConfig, EndpointConfig, IdleTimeout, MtuDiscoveryConfig, ServerConfig, TransportConfig,
    VarInt,
};
use telehash_transport::Capabilities;

use crate::{
    limits::{MAX_HANDSHAKES, MAX_STRANGER_STREAMS, MAX_STREAMS},
    tls::Tls,
};

/// Limit: bytes of one connection's datagrams that wait to leave. What does not fit waits at its
/// sender.
pub const SEND_BUFFER: usize = 512 * 1024;

/// Limit: bytes of one connection's datagrams that arrived and were not received yet, each counted
/// as a few more. The oldest are lost then, as in a full socket buffer.
pub const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;

/// How long a connection lasts on which nothing arrives: more than two keepalives of a link. QUIC
/// sends none of its own.
const IDLE_TIMEOUT: Duration =
    Duration::from_secs(2 * Capabilities::STREAM_KEEPALIVE.as_secs() + 60);

/// UDP payload, in bytes, that a path is taken to carry until it proves more or less. What is left
/// of it fits a packet of 1200 bytes; on IPv4 it passes where 1280 bytes do.
const INITIAL_MTU: u16 = 1240;

/// Largest UDP payload that is probed for: Ethernet's.
const PATH_MTU: u16 = 1452;

/// The same between two ends on one host. Ten of them, which quinn sends at once, are just no
/// larger than what the system segments.
const LOOPBACK_MTU: u16 = 6500;

/// Bytes that may arrive on one stream: the largest packet.
const STREAM_WINDOW: u32 = Capabilities::MAX_DATAGRAM as u32;

/// Bytes that may arrive on all streams of a connection that a link uses.
const WINDOW: u32 = 1024 * 1024;

/// The same on the connection of a stranger: two packets of the largest size.
const STRANGER_WINDOW: u32 = 2 * STREAM_WINDOW;

/// Bytes of handshakes that nobody looked at yet, of one and of all.
const INCOMING_BUFFERS: (u64, u64) = (16 * 1024, 1024 * 1024);

/// The parameters of an endpoint: those of connections between hosts, and within this one.
#[derive(Clone, Debug)]
pub(crate) struct Parameters {
    between: Pair,
    within: Pair,
}

/// For accepting and for dialling.
#[derive(Clone, Debug)]
struct Pair {
    server: Arc<ServerConfig>,
    client: ClientConfig,
}

impl Parameters {
    pub(crate) fn new(tls: &Tls) -> Self {
        let server = ServerConfig::with_crypto(tls.server.clone());
        let pair = |mtu| {
            let mut server = server.clone();
            server
                .max_incoming(MAX_HANDSHAKES)
                .incoming_buffer_size(INCOMING_BUFFERS.0)
                .incoming_buffer_size_total(INCOMING_BUFFERS.1)
                .transport_config(transport(mtu, STRANGER_WINDOW, MAX_STRANGER_STREAMS).into());
            let mut client = ClientConfig::new(tls.client.clone());
            client.transport_config(transport(mtu, WINDOW, MAX_STREAMS).into());
            let server = server.into();
            Pair { server, client }
        };
        Self {
            between: pair(PATH_MTU),
            within: pair(LOOPBACK_MTU),
        }
    }

    /// For accepting a connection.
    pub(crate) fn server(&self, loopback: bool) -> Arc<ServerConfig> {
        self.pair(loopback).server.clone()
    }

    /// For dialling.
    pub(crate) fn client(&self, loopback: bool) -> ClientConfig {
        self.pair(loopback).client.clone()
    }

    const fn pair(&self, loopback: bool) -> &Pair {
        if loopback {
            &self.within
        } else {
            &self.between
        }
    }
}

/// For all connections of an endpoint.
pub(crate) fn endpoint() -> EndpointConfig {
    let mut config = EndpointConfig::default();
    if let Err(error) = config.max_udp_payload_size(LOOPBACK_MTU) {
        tracing::debug!(%error, "QUIC keeps to packets of Ethernet's size");
    }
    config
}

/// Lets a connection that is a stranger's no more have what the others have.
pub(crate) fn widen(connection: &quinn::Connection) {
    connection.set_receive_window(WINDOW.into());
    connection.set_max_concurrent_uni_streams(streams(MAX_STREAMS));
}

fn transport(mtu: u16, window: u32, max_streams: usize) -> TransportConfig {
    let mut discovery = MtuDiscoveryConfig::default();
    discovery.upper_bound(mtu);
    let mut config = TransportConfig::default();
    config
        .max_idle_timeout(IdleTimeout::try_from(IDLE_TIMEOUT).ok())
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .max_concurrent_uni_streams(streams(max_streams))
        .stream_receive_window(STREAM_WINDOW.into())
        .receive_window(window.into())
        .send_window(WINDOW.into())
        .datagram_send_buffer_size(SEND_BUFFER)
        .datagram_receive_buffer_size(Some(RECEIVE_BUFFER))
        .initial_mtu(INITIAL_MTU)
        .mtu_discovery_config(Some(discovery));
    config
}

fn streams(count: usize) -> VarInt {
    VarInt::from_u32(u32::try_from(count).unwrap_or(u32::MAX))
}
