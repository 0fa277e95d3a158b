//! Ours: the data plane of a link at both ends.

use std::time::Duration;

use anyhow::{Result, bail};
use telehash_link::{
    ChannelEvent, ChannelId, ControllerKind, Flow, FlowConfig, Instant, Open, Order, PacketError,
    PipeProfile, PipeSlot,
};

use super::{
    super::{contender::Kind, path::Path, wires::Way},
    DATAGRAM, Departing, Pair, Pings,
};

/// What token, cloak and cipher (CS3a) add to a packet.
const ENVELOPE: usize = 66;

/// Content of a full packet.
const MAX_PLAIN: usize = DATAGRAM - ENVELOPE;

const SLOT: PipeSlot = PipeSlot(0);

/// Where the clock begins: arithmetic that goes back in time is not to saturate.
const EPOCH: Instant = Instant::from_micros(1_000_000_000);

pub(super) struct OurPair {
    flows: [Flow; 2],
    bulk: ChannelId,
    echo: ChannelId,
    arrived: u64,
    pings: Pings,
    /// Bytes that are to be echoed.
    unechoed: usize,
    chunk: Vec<u8>,
}

fn at(now: Duration) -> Instant {
    EPOCH + now
}

impl OurPair {
    pub(super) fn new(kind: Kind, path: &Path) -> Result<Self> {
        let now = at(Duration::ZERO);
        let mut flows = [Order::Odd, Order::Even].map(|order| {
            let mut config = FlowConfig::default();
            config.controller = match kind {
                Kind::Cubic => ControllerKind::Cubic,
                Kind::Bbr => ControllerKind::Bbr,
            };
            let mut flow = Flow::new(config, order);
            // The handshake measured it.
            let profile = PipeProfile {
                initial_rtt: Some(path.rtt()),
                ..PipeProfile::default()
            };
            flow.pipe_opened(now, SLOT, profile);
            flow.pipe_selected(now, SLOT);
            flow.set_max_plain(MAX_PLAIN);
            flow
        });
        let bulk = flows[0].open(now, Open::reliable("stream"))?;
        let echo = flows[0].open(now, Open::reliable("stream"))?;
        Ok(Self {
            flows,
            bulk,
            echo,
            arrived: 0,
            pings: Pings::default(),
            unechoed: 0,
            chunk: vec![0x5a; 64 << 10],
        })
    }

    /// What the applications do.
    fn apps(&mut self, now: Duration) -> Result<()> {
        let [near, far] = &mut self.flows;
        while near.write(at(now), self.bulk, &self.chunk)? == self.chunk.len() {}
        self.pings.begin(now);
        let unsent = &self.chunk[..self.pings.unsent];
        self.pings.unsent -= near.write(at(now), self.echo, unsent)?;
        while let Ok(Some(packet)) = near.read(at(now), self.echo) {
            self.pings.came(now, packet.body.len());
        }
        while let Ok(Some(packet)) = far.read(at(now), self.bulk) {
            self.arrived += packet.body.len() as u64;
        }
        while let Ok(Some(packet)) = far.read(at(now), self.echo) {
            self.unechoed += packet.body.len();
        }
        if self.unechoed > 0 {
            let unechoed = self.unechoed.min(self.chunk.len());
            self.unechoed -= far.write(at(now), self.echo, &self.chunk[..unechoed])?;
        }
        Ok(())
    }

    /// Whether either end sent anything, or has anything new to be looked at.
    fn transmit(&mut self, now: Duration, out: &mut Departing) -> Result<bool> {
        let mut busy = false;
        for (flow, way) in self.flows.iter_mut().zip([Way::Forth, Way::Back]) {
            let mut plain = Vec::with_capacity(DATAGRAM);
            while flow
                .poll_packet(at(now), SLOT, MAX_PLAIN, &mut plain)
                .is_some()
            {
                plain.resize(plain.len() + ENVELOPE, 0);
                out.push((way, std::mem::take(&mut plain)));
                busy = true;
            }
            while let Some(event) = flow.poll_event() {
                match event {
                    ChannelEvent::Opened { id, .. } => {
                        flow.accept(at(now), id)?;
                        busy = true;
                    }
                    ChannelEvent::Failed { error, .. } => bail!("a channel failed: {error}"),
                    _ => {}
                }
            }
        }
        Ok(busy)
    }
}

impl Pair for OurPair {
    fn handle(&mut self, now: Duration, way: Way, datagram: &[u8]) -> Result<()> {
        let flow = match way {
            Way::Forth => &mut self.flows[1],
            Way::Back => &mut self.flows[0],
        };
        let plain = datagram.len().saturating_sub(ENVELOPE);
        match flow.handle_packet(at(now), SLOT, &datagram[..plain]) {
            // The packet that opens the channel was lost.
            Ok(()) | Err(PacketError::UnknownChannel(_)) => Ok(()),
            Err(error) => bail!("a packet was refused: {error}"),
        }
    }

    fn work(&mut self, now: Duration, out: &mut Departing) -> Result<()> {
        for flow in &mut self.flows {
            if flow.poll_timeout().is_some_and(|due| due <= at(now)) {
                flow.handle_timeout(at(now));
            }
        }
        self.apps(now)?;
        while self.transmit(now, out)? {
            self.apps(now)?;
        }
        Ok(())
    }

    fn next(&mut self) -> Option<Duration> {
        let timeouts = self.flows.iter().filter_map(Flow::poll_timeout);
        let timeouts = timeouts.map(|due| due.saturating_duration_since(EPOCH));
        timeouts.chain(self.pings.next()).min()
    }

    fn arrived(&self) -> u64 {
        self.arrived
    }

    fn ping(&mut self) {
        self.pings.on = true;
    }

    fn pings(&mut self) -> Vec<Duration> {
        std::mem::take(&mut self.pings.times)
    }
}
