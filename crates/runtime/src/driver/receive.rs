//! The receive loop of one transport.

use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use telehash_link::{
    Announcement, Dispatch, DropReason, Incoming, Input, Instant, LinkKey, PipeId,
};
use telehash_transport::{RecvBatch, Remote};

use super::Port;
use crate::convert;
use crate::events::MeshEvent;
use crate::shared::Shared;

/// A packet that belongs to a link.
struct Routed<'a> {
    key: LinkKey,
    pipe: PipeId,
    input: Input,
    packet: &'a mut [u8],
}

/// Receives batches and hands them to their links, until the transport is closed or fails.
pub(crate) async fn receive(shared: Arc<Shared>, port: Arc<Port>) {
    let Some(transport) = port.transport() else {
        return;
    };
    let mut batch = transport.recv_batch();
    loop {
        match poll_fn(|cx| transport.poll_recv(cx, &mut batch)).await {
            Ok(_packets) => {
                // What concerns one link is contained there; this is for faults before that.
                let handled =
                    catch_unwind(AssertUnwindSafe(|| shared.handle_batch(&port, &mut batch)));
                if handled.is_err() {
                    tracing::error!(transport = port.name(), "a fault lost a batch of packets");
                }
            }
            Err(error) => return shared.transport_failed(&port, &error),
        }
        tokio::task::consume_budget().await;
    }
}

impl Shared {
    fn handle_batch(self: &Arc<Self>, port: &Port, batch: &mut RecvBatch) {
        let now = self.clock.now();
        let mut routed = Vec::with_capacity(batch.len());
        let (mut forwarded, mut overheard) = (Vec::new(), Vec::new());
        let strangers = self.route(
            now,
            port,
            batch,
            &mut routed,
            &mut forwarded,
            &mut overheard,
        );
        // Stable, so the packets of a link stay in order; nearly always they are in order already.
        if !routed.is_sorted_by_key(|packet| packet.key) {
            routed.sort_by_key(|packet| packet.key);
        }
        let mut rest = routed.into_iter().peekable();
        while let Some(key) = rest.peek().map(|packet| packet.key) {
            let own = std::iter::from_fn(|| rest.next_if(|packet| packet.key == key));
            match self.link_by_key(key) {
                Some(driver) => {
                    // The link may close or break while it works; its packets go with it.
                    let _ = driver.run(self, |core, now| {
                        for Routed {
                            pipe,
                            input,
                            packet,
                            ..
                        } in own
                        {
                            core.link.handle(now, pipe, input, packet);
                        }
                    });
                }
                None => own.for_each(drop),
            }
        }
        self.forward(forwarded);
        for stranger in strangers {
            self.meet(stranger);
        }
        for (from, packet) in overheard {
            self.overheard(port, from, &packet);
        }
    }

    /// Sends packets between others on their way.
    fn forward(self: &Arc<Self>, packets: Vec<(LinkKey, &mut [u8])>) {
        let mut rest = packets.into_iter().peekable();
        while let Some(key) = rest.peek().map(|(key, _)| *key) {
            let own = std::iter::from_fn(|| rest.next_if(|(next, _)| *next == key));
            match self.link_by_key(key) {
                Some(driver) => {
                    let _ = driver.run(self, |core, _| {
                        own.for_each(|(_, packet)| {
                            core.link.forward(packet);
                        });
                    });
                }
                None => own.for_each(drop),
            }
        }
    }

    /// Finds the link of each packet, with the endpoint locked once. What nobody can use and may
    /// be an announcement is copied to `overheard`.
    fn route<'a>(
        &self,
        now: Instant,
        port: &Port,
        batch: &'a mut RecvBatch,
        routed: &mut Vec<Routed<'a>>,
        forwarded: &mut Vec<(LinkKey, &'a mut [u8])>,
        overheard: &mut Vec<(Remote, Vec<u8>)>,
    ) -> Vec<Incoming> {
        let mut strangers = Vec::new();
        let mut endpoint = self.endpoint();
        if let Some(welcome) = self.door.news(&self.known) {
            endpoint.set_welcome(welcome);
        }
        for received in batch.packets() {
            let packet = received.contents;
            let pipe = PipeId {
                transport: port.id(),
                remote: convert::to_link(received.remote),
            };
            match endpoint.handle(now, pipe, packet) {
                Dispatch::Link(key, input) => routed.push(Routed {
                    key,
                    pipe,
                    input,
                    packet,
                }),
                Dispatch::Incoming(incoming) => strangers.push(incoming),
                Dispatch::Forward(key) => forwarded.push((key, packet)),
                Dispatch::Drop(reason) => {
                    tracing::trace!(%pipe, ?reason, "packet dropped");
                    let from = received.remote;
                    if self.is_overheard(now, from, reason, packet) {
                        overheard.push((from, packet.to_vec()));
                    }
                }
            }
        }
        self.timers.arm_endpoint(endpoint.poll_timeout());
        strangers
    }

    /// Whether a dropped packet may be an announcement, and of a source that is listened to.
    ///
    /// A long one looks cloaked, so that uncovering it ends in noise: no packet, too many rounds, or
    /// an unknown token. Nothing has been uncovered in place then.
    fn is_overheard(&self, now: Instant, from: Remote, reason: DropReason, packet: &[u8]) -> bool {
        let noise = matches!(
            reason,
            DropReason::Malformed | DropReason::TooManyRounds | DropReason::UnknownToken
        );
        noise && Announcement::is_likely(packet) && self.discovery.admits(now, from)
    }

    fn transport_failed(&self, port: &Port, error: &io::Error) {
        // Closing is how a transport stops in order.
        if error.kind() == io::ErrorKind::NotConnected && self.lifecycle.is_closing() {
            return;
        }
        let transport = port.name();
        tracing::warn!(transport, %error, "transport failed");
        self.events.publish(MeshEvent::TransportFailed {
            transport,
            error: error.to_string(),
        });
    }
}
