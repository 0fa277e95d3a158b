//! Transfers that share one path, each between two flows of its own.

use std::{net::SocketAddr, time::Duration};

use telehash_link::{
    ChannelEvent, ChannelId, ControllerKind, Flow, FlowConfig, Instant, Open, Order, PacketError,
    PipeProfile, PipeSlot,
};
use telehash_netsim::{Conditions, Loss, Network, Packet, Queue, Verdict};

/// What token, cloak, cipher (CS3a), UDP and IP add to a packet.
const ENVELOPE: usize = 94;

/// Content of a full packet, in datagrams of 1400 bytes.
const MAX_PLAIN: usize = 1400 + 28 - ENVELOPE;

const SLOT: PipeSlot = PipeSlot(0);

/// The content of every transfer repeats this.
const PERIOD: usize = 65_521;

pub(crate) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(crate) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// A path, the same in both directions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path {
    /// Thousands of bits a second.
    pub(crate) kbit: u64,
    /// The round trip, without a queue.
    pub(crate) rtt: Duration,
    /// The share of packets that get lost, in thousandths, each way.
    pub(crate) loss: u64,
    /// Bytes that wait before the bottleneck at most; what does not fit is lost.
    pub(crate) queue: usize,
}

impl Path {
    /// A path whose queue holds as much as a round trip does, and no less than 32 packets.
    pub(crate) fn new(kbit: u64, rtt_ms: u64, loss: u64) -> Self {
        let bdp = usize::try_from(kbit * rtt_ms / 8).expect("small");
        Self {
            kbit,
            rtt: ms(rtt_ms),
            loss,
            queue: bdp.max(32 * 1428),
        }
    }

    pub(crate) fn rate(&self) -> u64 {
        self.kbit * 125
    }

    pub(crate) fn conditions(&self) -> Conditions {
        Conditions::perfect()
            .with_rate(self.rate())
            .with_delay(self.rtt / 2)
            .with_loss(Loss::Random(self.loss as f64 / 1000.0))
            .with_queue(Queue {
                bytes: self.queue,
                packets: usize::MAX,
            })
    }
}

/// What the application of a transfer has to send.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    /// As much as is taken.
    Bulk,
    /// So many bytes, so often.
    Every(usize, Duration),
    Silent,
}

/// One sender, one receiver, one stream.
pub(crate) struct Transfer {
    pub(crate) flows: [Flow; 2],
    places: [SocketAddr; 2],
    id: ChannelId,
    source: Source,
    due: Instant,
    waiting: usize,
    pub(crate) written: usize,
    pub(crate) read: usize,
}

impl Transfer {
    fn app(&mut self, now: Instant, content: &[u8]) {
        if let Source::Every(bytes, interval) = self.source {
            while self.due <= now {
                self.waiting += bytes;
                self.due += interval;
            }
        }
        while self.waiting > 0 || matches!(self.source, Source::Bulk) {
            let at = self.written % PERIOD;
            let most = if matches!(self.source, Source::Bulk) {
                PERIOD
            } else {
                self.waiting.min(PERIOD)
            };
            let taken = self.flows[0]
                .write(now, self.id, &content[at..at + most])
                .expect("writes");
            self.written += taken;
            self.waiting = self.waiting.saturating_sub(taken);
            if taken < most {
                break;
            }
        }
        while let Ok(Some(packet)) = self.flows[1].read(now, self.id) {
            let at = self.read % PERIOD;
            let expected = &content[at..at + packet.body.len()];
            assert!(packet.body == expected, "wrong content at {}", self.read);
            self.read += packet.body.len();
        }
    }

    fn next(&self) -> Option<Instant> {
        let source = matches!(self.source, Source::Every(..)).then_some(self.due);
        let flows = self.flows.iter().filter_map(Flow::poll_timeout);
        flows.chain(source).min()
    }
}

/// Transfers over one bottleneck.
pub(crate) struct Sim {
    pub(crate) now: Instant,
    pub(crate) network: Network,
    pub(crate) transfers: Vec<Transfer>,
    path: Path,
    content: Vec<u8>,
    /// How long each arrived packet of a sender had waited in the queue.
    pub(crate) waits: Vec<Duration>,
}

impl Sim {
    pub(crate) fn new(path: Path, seed: u64) -> Self {
        let mut network = Network::new(seed);
        network.set_conditions(&path.conditions());
        let content = (0..2 * PERIOD).map(|at| pattern(at % PERIOD)).collect();
        Self {
            // Not zero: arithmetic that goes back in time must not saturate unnoticed.
            now: Instant::from_micros(1_000_000_000),
            network,
            transfers: Vec::new(),
            path,
            content,
            waits: Vec::new(),
        }
    }

    /// One transfer of all that the path carries.
    pub(crate) fn bulk(path: Path, controller: ControllerKind, seed: u64) -> Self {
        let mut sim = Self::new(path, seed);
        sim.add(controller, Source::Bulk);
        sim
    }

    /// Adds a transfer, which begins now.
    pub(crate) fn add(&mut self, controller: ControllerKind, source: Source) -> usize {
        let n = self.transfers.len();
        let host = |side: u8| SocketAddr::from(([10, 0, side, n as u8], 42_424));
        let places = [host(0), host(1)];
        if let Some(first) = self.transfers.first() {
            let [from, to] = first.places;
            self.network.share_road((places[0], places[1]), (from, to));
            self.network.share_road((places[1], places[0]), (to, from));
        }
        let mut flows = [Order::Odd, Order::Even].map(|order| {
            let mut config = FlowConfig::default();
            config.controller = controller;
            let mut flow = Flow::new(config, order);
            let profile = PipeProfile {
                initial_rtt: Some(self.path.rtt),
                ..PipeProfile::default()
            };
            flow.pipe_opened(self.now, SLOT, profile);
            flow.pipe_selected(self.now, SLOT);
            flow.set_max_plain(MAX_PLAIN);
            flow
        });
        let id = flows[0]
            .open(self.now, Open::reliable("stream"))
            .expect("opens");
        self.transfers.push(Transfer {
            flows,
            places,
            id,
            source,
            due: self.now,
            waiting: 0,
            written: 0,
            read: 0,
        });
        self.pump(n);
        n
    }

    pub(crate) fn set_source(&mut self, n: usize, source: Source) {
        let transfer = &mut self.transfers[n];
        (transfer.source, transfer.due) = (source, self.now);
        self.pump(n);
    }

    /// Changes the path from now on, for all.
    pub(crate) fn set_path(&mut self, path: Path) {
        self.path = path;
        self.network.set_conditions(&path.conditions());
    }

    /// Loses everything from now on, or no longer.
    pub(crate) fn set_blocked(&mut self, blocked: bool) {
        for transfer in &self.transfers {
            let [one, other] = transfer.places;
            for (from, to) in [(one, other), (other, one)] {
                if blocked {
                    self.network.block(from, to);
                } else {
                    self.network.unblock(from, to);
                }
            }
        }
    }

    /// Holds acks back, so that all of so long arrive at once.
    pub(crate) fn bunch_acks(&mut self, time: Duration) {
        let senders: Vec<SocketAddr> = self.transfers.iter().map(|one| one.places[0]).collect();
        let micros = time.as_micros() as u64;
        self.network.add_filter(move |packet: &mut Packet| {
            if !senders.contains(&packet.to) {
                return Verdict::Pass;
            }
            let late = packet.sent.as_micros() % micros;
            Verdict::Delay(Duration::from_micros(micros - late))
        });
    }

    /// Runs for this long.
    pub(crate) fn run(&mut self, time: Duration) {
        let until = self.now + time;
        while self.step(until) {}
    }

    /// Runs for this long; returns the bytes that each transfer carried meanwhile.
    pub(crate) fn carried(&mut self, time: Duration) -> Vec<usize> {
        let before: Vec<usize> = self.transfers.iter().map(|one| one.read).collect();
        self.run(time);
        let after = self.transfers.iter().map(|one| one.read);
        after
            .zip(before)
            .map(|(after, before)| after - before)
            .collect()
    }

    /// The same as a share of what the path carries, in thousandths.
    pub(crate) fn goodput(&mut self, time: Duration) -> u64 {
        let carried: usize = self.carried(time).iter().sum();
        let most = u128::from(self.path.rate()) * time.as_micros() / 1_000_000;
        u64::try_from(carried as u128 * 1000 / most).expect("small")
    }

    /// Has every source stop, and all that was written arrive.
    pub(crate) fn finish(&mut self) {
        for n in 0..self.transfers.len() {
            self.set_source(n, Source::Silent);
        }
        let until = self.now + secs(120);
        while self.transfers.iter().any(|one| one.read < one.written) {
            assert!(self.step(until), "something never arrives");
        }
    }

    fn step(&mut self, until: Instant) -> bool {
        let timeouts = self.transfers.iter().filter_map(Transfer::next);
        let next = timeouts.chain(self.network.next_delivery()).min();
        self.now = next.unwrap_or(until).clamp(self.now, until);
        while let Some(packet) = self.network.poll_delivery(self.now) {
            let found = self.transfers.iter().enumerate().find_map(|(n, one)| {
                let side = one.places.iter().position(|place| *place == packet.to)?;
                Some((n, side))
            });
            let (n, side) = found.expect("a packet of a transfer");
            if side == 1 {
                let under_way = self.now.saturating_duration_since(packet.sent);
                self.waits.push(under_way.saturating_sub(self.path.rtt / 2));
            }
            let plain = &packet.bytes[..packet.bytes.len() - ENVELOPE];
            let flow = &mut self.transfers[n].flows[side];
            match flow.handle_packet(self.now, SLOT, plain) {
                // The packet that opens the channel was lost.
                Ok(()) | Err(PacketError::UnknownChannel(_)) => {}
                Err(error) => panic!("refused: {error}"),
            }
            self.pump(n);
        }
        for n in 0..self.transfers.len() {
            if self.transfers[n].next().is_some_and(|at| at <= self.now) {
                for flow in &mut self.transfers[n].flows {
                    flow.handle_timeout(self.now);
                }
                self.pump(n);
            }
        }
        self.now < until
    }

    /// Lets one transfer do all it can now.
    fn pump(&mut self, n: usize) {
        let (now, transfer) = (self.now, &mut self.transfers[n]);
        transfer.app(now, &self.content);
        for side in 0..2 {
            let flow = &mut transfer.flows[side];
            let (from, to) = (transfer.places[side], transfer.places[1 - side]);
            let mut plain = Vec::with_capacity(MAX_PLAIN + ENVELOPE);
            while flow.poll_packet(now, SLOT, MAX_PLAIN, &mut plain).is_some() {
                plain.resize(plain.len() + ENVELOPE, 0);
                self.network
                    .send(now, from, to, core::mem::take(&mut plain));
            }
            while let Some(event) = flow.poll_event() {
                match event {
                    ChannelEvent::Opened { id, .. } => flow.accept(now, id).expect("accepts"),
                    ChannelEvent::Failed { error, .. } => panic!("failed: {error}"),
                    _ => {}
                }
            }
        }
        // What was accepted is to be answered.
        let (from, to) = (transfer.places[1], transfer.places[0]);
        let mut plain = Vec::new();
        while transfer.flows[1]
            .poll_packet(now, SLOT, MAX_PLAIN, &mut plain)
            .is_some()
        {
            plain.resize(plain.len() + ENVELOPE, 0);
            self.network
                .send(now, from, to, core::mem::take(&mut plain));
        }
    }
}

fn pattern(at: usize) -> u8 {
    (at.wrapping_mul(2_654_435_761) >> 13) as u8
}
