//! A stranger knocks: with noise, and with a valid handshake. Nobody answers.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use mesh::prelude::*;
use mesh::{Events, Path};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::data::Noise;
use super::{Figures, PATIENCE, figures};
use crate::failure::{Failure, Outcome};

/// Datagrams of noise.
const NOISE: u32 = 20;

/// How long an answer may still come after the handshake was refused; on one machine that is an age.
const ANSWER: Duration = Duration::from_millis(300);

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Stands between the stranger and the endpoint, and counts what passes.
struct Relay {
    socket: UdpSocket,
    endpoint: SocketAddr,
    sent: u32,
    answers: u32,
}

pub(super) async fn knocks(endpoint: &Mesh) -> Outcome<((), Figures)> {
    let mut relay = Relay::to(endpoint).await?;
    let mut events = endpoint.events();
    relay.send_noise().await?;
    let stranger = mesh::builder()
        .udp(LOOPBACK)
        .accept(Accept::None)
        .build()
        .await?;
    let mut target = endpoint.local_link_json();
    target.paths = vec![Path::udp(relay.address()?)];
    let link = stranger.link(target).await?;
    // That it is refused proves that the handshake arrived and was understood.
    let refused = tokio::select! {
        refused = timeout(PATIENCE, refusal(&mut events, stranger.hashname())) => refused.is_ok(),
        error = relay.run() => return Err(error),
    };
    if !refused {
        return Err(Failure::failed(
            "the stranger's handshake was not even noticed",
        ));
    }
    if let Ok(error) = timeout(ANSWER, relay.run()).await {
        return Err(error);
    }
    stranger.close().await;
    match (relay.answers, link.is_up()) {
        (0, false) => Ok((
            (),
            figures([("datagrams_sent", relay.sent.into()), ("answers", 0.into())]),
        )),
        (answers, _) => Err(Failure::failed(format_args!(
            "{answers} datagrams answered a stranger"
        ))),
    }
}

async fn refusal(events: &mut Events, stranger: Hashname) {
    while let Some(event) = events.next().await {
        if event == (MeshEvent::StrangerRefused { hashname: stranger }) {
            return;
        }
    }
}

impl Relay {
    async fn to(endpoint: &Mesh) -> Outcome<Self> {
        let paths = endpoint.local_paths();
        let endpoint = paths.iter().find_map(Path::socket_addr);
        let endpoint = endpoint.ok_or_else(|| Failure::failed("the endpoint has no address"))?;
        let socket = UdpSocket::bind(LOOPBACK).await.map_err(Failure::failed)?;
        Ok(Self {
            socket,
            endpoint,
            sent: 0,
            answers: 0,
        })
    }

    fn address(&self) -> Outcome<SocketAddr> {
        self.socket.local_addr().map_err(Failure::failed)
    }

    async fn send_noise(&mut self) -> Outcome {
        let mut noise = Noise::new(u64::MAX);
        for size in 0..NOISE {
            let mut datagram = vec![0; 60 * size as usize];
            noise.fill(&mut datagram);
            self.pass_on(&datagram).await?;
        }
        Ok(())
    }

    async fn pass_on(&mut self, datagram: &[u8]) -> Outcome {
        self.sent += 1;
        self.socket
            .send_to(datagram, self.endpoint)
            .await
            .map(drop)
            .map_err(Failure::failed)
    }

    /// Passes datagrams on to the endpoint, and counts those that come from there. Ends only with an error.
    async fn run(&mut self) -> Failure {
        let mut datagram = vec![0; 2048];
        loop {
            match self.socket.recv_from(&mut datagram).await {
                Ok((_, from)) if from == self.endpoint => self.answers += 1,
                Ok((count, _)) => {
                    if let Err(failure) = self.pass_on(&datagram[..count]).await {
                        return failure;
                    }
                }
                Err(error) => return Failure::failed(error),
            }
        }
    }
}
