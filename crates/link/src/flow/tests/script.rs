//! One flow against a peer that the test plays, packet by packet.

use alloc::string::String;

use serde_json::{Value, json};
use telehash_lob::Lob;

use super::*;

/// One flow, odd unless said otherwise, and the moment.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) now: Instant,
    pub(super) flow: Flow,
}

/// What a flow sent: header and body.
pub(super) type Seen = (Value, Vec<u8>);

impl Script {
    pub(super) fn new() -> Self {
        Self::with(FlowConfig::default(), Order::Odd)
    }

    pub(super) fn with(config: FlowConfig, order: Order) -> Self {
        let now = Instant::from_micros(1_000_000_000);
        let mut flow = Flow::new(config, order);
        let initial_rtt = Some(ms(20));
        flow.pipe_opened(
            now,
            SLOT,
            PipeProfile {
                initial_rtt,
                ..PipeProfile::default()
            },
        );
        flow.pipe_selected(now, SLOT);
        flow.set_max_plain(MAX_PLAIN);
        Self { now, flow }
    }

    /// The peer sends a packet.
    pub(super) fn receive(&mut self, head: &Value, body: &[u8]) -> Result<(), PacketError> {
        let packet = encode(head, body);
        self.flow.handle_packet(self.now, SLOT, &packet)
    }

    /// The same where nothing may be wrong with it.
    pub(super) fn gets(&mut self, head: &Value) {
        self.receive(head, b"").expect("a proper packet");
    }

    /// What the flow sends now.
    pub(super) fn sends(&mut self) -> Vec<Seen> {
        self.sends_by(SLOT)
    }

    pub(super) fn sends_by(&mut self, slot: PipeSlot) -> Vec<Seen> {
        self.sends_sized(slot, MAX_PLAIN)
    }

    /// What the flow sends now in packets of at most this size.
    pub(super) fn sends_sized(&mut self, slot: PipeSlot, max: usize) -> Vec<Seen> {
        core::iter::from_fn(|| {
            let mut out = Vec::new();
            let sent = self.flow.poll_packet(self.now, slot, max, &mut out)?;
            assert_eq!(sent.len, out.len());
            Some(decode(&out))
        })
        .collect()
    }

    /// The headers of what the flow sends now.
    pub(super) fn heads(&mut self) -> Vec<Value> {
        self.sends().into_iter().map(|(head, _)| head).collect()
    }

    /// Lets time pass; returns what was sent on the way, with when.
    pub(super) fn pass(&mut self, time: Duration) -> Vec<(Duration, Value)> {
        let (start, end) = (self.now, self.now + time);
        let mut sent = Vec::new();
        let mut steps = 0;
        loop {
            let since = self.now.saturating_duration_since(start);
            sent.extend(self.heads().into_iter().map(|head| (since, head)));
            let next = self.flow.poll_timeout().filter(|next| *next <= end);
            let Some(next) = next else { break };
            self.now = self.now.max(next);
            self.flow.handle_timeout(self.now);
            steps += 1;
            assert!(steps < 10_000, "livelock");
        }
        self.now = end;
        sent
    }

    pub(super) fn events(&mut self) -> Vec<ChannelEvent> {
        core::iter::from_fn(|| self.flow.poll_event()).collect()
    }

    /// Opens a reliable channel that the peer has answered.
    pub(super) fn open(&mut self) -> ChannelId {
        let id = self
            .flow
            .open(self.now, Open::reliable("stream"))
            .expect("opens");
        assert_eq!(
            self.heads(),
            [json!({"type": "stream", "c": id.get(), "seq": 1})]
        );
        self.gets(&json!({"c": id.get(), "ack": 1}));
        assert_eq!(self.events(), [ChannelEvent::Established(id)]);
        id
    }

    /// Accepts a reliable channel that the peer opens.
    pub(super) fn accept(&mut self, id: u32) -> ChannelId {
        self.gets(&json!({"type": "stream", "c": id, "seq": 1}));
        assert!(matches!(self.events()[..], [ChannelEvent::Opened { .. }]));
        let id = ChannelId::new(id).expect("an id");
        self.flow.accept(self.now, id).expect("accepts");
        id
    }

    /// Sends numbered messages of one packet each.
    pub(super) fn send_messages(&mut self, id: ChannelId, messages: u32) {
        for n in 0..messages {
            let body = Vec::from(n.to_be_bytes());
            self.flow
                .send(self.now, id, Packet::new(body))
                .expect("sends");
        }
    }
}

/// A packet of the wire.
pub(super) fn encode(head: &Value, body: &[u8]) -> Vec<u8> {
    let head = serde_json::to_vec(head).expect("a header");
    telehash_lob::encode(&head, body).expect("a short head")
}

/// A packet of the wire, read.
pub(super) fn decode(packet: &[u8]) -> Seen {
    let packet = Lob::parse(packet).expect("a packet");
    (
        serde_json::from_slice(packet.head()).expect("a header"),
        packet.body().into(),
    )
}

/// The `seq` of each header that has one.
pub(super) fn seqs(heads: &[Value]) -> Vec<u64> {
    heads
        .iter()
        .filter_map(|head| head["seq"].as_u64())
        .collect()
}

/// The `err` of each header that has one.
pub(super) fn errs(heads: &[(Duration, Value)]) -> Vec<String> {
    heads
        .iter()
        .filter_map(|(_, head)| Some(head["err"].as_str()?.into()))
        .collect()
}
