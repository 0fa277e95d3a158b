//! What commands report: JSON lines for programs, sentences for people.

mod bench;
mod chat;
mod invites;
mod letters;
mod links;
mod netcheck;
mod ports;
mod text;

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub(crate) use self::bench::BenchRow;
pub(crate) use self::chat::{ChatRecord, MessageRecord, ParticipantRecord, Presence};
pub(crate) use self::invites::InviteRecord;
pub(crate) use self::letters::LetterRecord;
pub(crate) use self::links::{KnownRecord, LinkRecord, PathRecord, show_path};
pub(crate) use self::netcheck::{GatewayRecord, NetcheckRecord, SeenRecord, SocketRecord};
pub(crate) use self::ports::PortMappingRecord;

/// One line of output. In JSON the field `event` names the kind; `Display` is for people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(crate) enum Record {
    /// The endpoint runs.
    Ready {
        hashname: String,
        link: Value,
        uri: String,
        /// The same with a secret that is good once, within an hour; if anybody is accepted.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        invite: Option<String>,
        /// The invite, drawn.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        qr: Option<String>,
    },
    /// An invite, when it is issued or listed.
    Invite(InviteRecord),
    /// A router gave us a URI to share.
    RouterUri { hashname: String },
    /// A peer whom we, as a router, gave a URI to share.
    Session { handle: String, hashname: String },
    /// Somebody redeemed an invite.
    Invited { hashname: String },
    /// Invites were taken back.
    Revoked { count: usize },
    /// A link changed, or is shown.
    Link(LinkRecord),
    /// A peer opened a channel, and somebody handles it.
    Channel { hashname: String, kind: String },
    /// A peer opened a channel and was refused.
    ChannelRefused { hashname: String, kind: String },
    /// A stranger asked for a link and was refused, in silence.
    Refused { hashname: String },
    /// A peer says that it sees us there.
    SeenAs { hashname: String, path: String },
    /// The traffic of a link goes by another path.
    Way {
        hashname: String,
        relayed: bool,
        path: String,
    },
    /// An endpoint announced itself on a local network.
    Discover { hashname: String, link: Value },
    /// How many did.
    Discovered { found: usize, seconds: f64 },
    /// Something went wrong, but the command goes on.
    Warning { message: String },
    /// One round trip.
    Ping { seq: u32, ms: f64, path: String },
    /// One that did not come back.
    PingLost { seq: u32 },
    /// All of them.
    PingSummary(PingSummary),
    /// The running endpoint; a `link` line for each of its links follows.
    Status {
        hashname: String,
        link: Value,
        uri: String,
        links: usize,
    },
    /// What the network lets through to us.
    Netcheck(Box<NetcheckRecord>),
    /// Which ports the gateway passes on.
    PortMapping(PortMappingRecord),
    /// A known link.
    Known(KnownRecord),
    /// A known link was forgotten.
    Forgotten { hashname: String },
    /// A stream through a pipe ended well in both directions.
    Piped {
        hashname: String,
        sent: u64,
        received: u64,
        seconds: f64,
    },
    /// Files were sent; `left_out` lines say which were not, and why.
    FilesSent {
        hashname: String,
        files: u64,
        bytes: u64,
        left_out: u64,
        seconds: f64,
    },
    /// Files were received; `left_out` lines say which were not, and why.
    FilesReceived {
        hashname: String,
        files: u64,
        bytes: u64,
        left_out: u64,
        seconds: f64,
    },
    /// A file was not transferred.
    LeftOut { name: String, reason: String },
    /// Files are received into this folder.
    Receiving { dir: String },
    /// A letter that came.
    Letter(LetterRecord),
    /// So many letters came.
    Letters { count: u64 },
    /// A letter was left: with whom it is for, or at these caches.
    LetterSent {
        hashname: String,
        id: String,
        bytes: u64,
        direct: bool,
        caches: Vec<String>,
        seconds: f64,
    },
    /// Letters that are kept for others, and what they take of the quota.
    Keeping { letters: usize, bytes: usize },
    /// A site is served, and this is its address in browsers.
    Serving { what: String, url: String },
    /// Browsers are served here.
    Proxying { address: SocketAddr },
    /// Something listens for what is to be forwarded: here, or at the peer.
    Forwarding {
        hashname: String,
        /// `local`, `remote`, `socks` or `udp`.
        kind: String,
        listening: String,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        to: Option<String>,
    },
    /// A connection was not forwarded.
    NotForwarded {
        hashname: String,
        to: String,
        /// Since the peer does not allow it.
        denied: bool,
        message: String,
    },
    /// A peer asked for a tunnel and was denied it.
    TunnelDenied {
        hashname: String,
        destination: String,
        /// It wanted us to listen there, not to connect.
        bind: bool,
    },
    /// How far a measurement is. Shown on a terminal only.
    Progress { done: u64, total: u64 },
    /// How far measurements are, in time. Shown on a terminal only.
    Measuring { what: String, ms: u64, of_ms: u64 },
    /// What was measured of one transport in one cipher set.
    BenchRow(BenchRow),
    /// A measurement.
    Bench {
        what: String,
        value: f64,
        unit: String,
    },
    /// A step of the demo, with what it measured.
    Step {
        step: String,
        ok: bool,
        #[serde(flatten)]
        figures: Map<String, Value>,
    },
    /// An identity, and where it is kept.
    Identity {
        hashname: String,
        file: String,
        link: Value,
        uri: String,
        jwk: Value,
    },
    /// What a URI says.
    Uri(UriRecord),
    /// The chat that we take part in.
    Chat(ChatRecord),
    /// Somebody says something.
    Message(MessageRecord),
    /// Somebody says something else in place of what they said last.
    Edited(MessageRecord),
    /// Somebody takes part, comes or goes.
    Participant(ParticipantRecord),
    /// The leader of the chat has let us in.
    Joined {
        /// The name of the chat, if it has one.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        title: Option<String>,
    },
    /// Somebody asks to be let in.
    Knock { hashname: String, name: String },
    /// What was said has reached everybody who is there.
    Delivered { count: usize },
}

impl Record {
    /// Whether a client of the control socket says when it has printed it: until then it is nowhere else than where it came
    /// from.
    pub(crate) fn is_confirmed(&self) -> bool {
        matches!(self, Self::Letter(_))
    }
}

/// The figures that `ping` ends with. Times are in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct PingSummary {
    pub(crate) hashname: String,
    pub(crate) sent: u32,
    pub(crate) received: u32,
    /// From 0 to 1.
    pub(crate) loss: f64,
    pub(crate) time_ms: f64,
    #[serde(flatten, skip_serializing_if = "Option::is_none", default)]
    pub(crate) rtt: Option<RttSummary>,
}

/// Round trips, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RttSummary {
    pub(crate) min_ms: f64,
    pub(crate) avg_ms: f64,
    pub(crate) max_ms: f64,
    /// Standard deviation.
    pub(crate) mdev_ms: f64,
}

/// A URI, explained.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct UriRecord {
    /// The canonical form.
    pub(crate) uri: String,
    pub(crate) scheme: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) hashname: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) host: Option<String>,
    pub(crate) port: u16,
    /// `{csid: base32}`.
    pub(crate) keys: Value,
    pub(crate) paths: Vec<Value>,
    /// Names of the other query items; their values may be secret.
    pub(crate) query: Vec<String>,
    pub(crate) fragment: bool,
    /// What could not be used, and why.
    pub(crate) skipped: Vec<String>,
    /// Drawn.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) qr: Option<String>,
}

impl RttSummary {
    /// Of these round trips, if there are any.
    pub(crate) fn of(ms: &[f64]) -> Option<Self> {
        let count = ms.len() as f64;
        let (min_ms, max_ms) = (
            ms.iter().copied().reduce(f64::min)?,
            ms.iter().copied().reduce(f64::max)?,
        );
        let avg_ms = ms.iter().sum::<f64>() / count;
        let squares = ms.iter().map(|value| value * value).sum::<f64>() / count;
        let mdev_ms = (squares - avg_ms * avg_ms).max(0.0).sqrt();
        Some(Self {
            min_ms,
            avg_ms,
            max_ms,
            mdev_ms,
        })
    }
}

/// The first characters of a hashname: enough to recognise it.
pub(crate) fn short(hashname: &str) -> &str {
    hashname.get(..8).unwrap_or(hashname)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_the_control_socket() {
        let records = [
            Record::PingSummary(PingSummary {
                sent: 2,
                ..PingSummary::default()
            }),
            Record::PingSummary(PingSummary {
                rtt: RttSummary::of(&[1.0, 3.0]),
                ..PingSummary::default()
            }),
            Record::Uri(UriRecord {
                port: 42424,
                ..UriRecord::default()
            }),
            Record::Piped {
                hashname: "abc".into(),
                sent: 1,
                received: u64::MAX,
                seconds: 0.5,
            },
        ];
        for record in records {
            let text = serde_json::to_string(&record).unwrap();
            assert_eq!(
                serde_json::from_str::<Record>(&text).unwrap(),
                record,
                "{text}"
            );
        }
    }

    #[test]
    fn round_trips_are_summed_up_as_ping_does() {
        assert_eq!(RttSummary::of(&[]), None);
        let summary = RttSummary::of(&[1.0, 2.0, 3.0]).unwrap();
        assert_eq!(
            (summary.min_ms, summary.avg_ms, summary.max_ms),
            (1.0, 2.0, 3.0)
        );
        assert!((summary.mdev_ms - 0.8165).abs() < 1e-4, "{summary:?}");
    }
}
