//! What was sent, read with the keys that some of the nodes hold.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use telehash_e3x::{Exchange, Instant, OpenError, Session, SessionContext, Token};
use telehash_hashname::Hashname;
use telehash_lob::{
    Lob,
    cloak::{self, WorkBudget},
};

use crate::world::{Id, World};

const NOW: Instant = Instant::from_micros(1);

/// Keys of nodes, in CS3a, and what can be read with them. It looks into packets that are not
/// compressed.
pub(crate) struct Wiretap {
    ends: Vec<End>,
    rng: ChaCha20Rng,
}

/// Reads what comes to `owner` from `peer`.
struct End {
    owner: Id,
    peer: Id,
    names: [Hashname; 2],
    exchange: Box<dyn Exchange>,
    sessions: Vec<Box<dyn Session>>,
}

/// Something that could be read.
pub(crate) struct Heard {
    pub(crate) owner: Id,
    pub(crate) peer: Id,
    pub(crate) text: Vec<u8>,
}

impl Heard {
    /// Whether it belongs to the link between these two.
    pub(crate) fn is_between(&self, one: Id, other: Id) -> bool {
        [(one, other), (other, one)].contains(&(self.owner, self.peer))
    }
}

impl Wiretap {
    /// Has the keys of these nodes, each with its peers in the order in which their links began.
    pub(crate) fn with(world: &World, nodes: &[(Id, &[Id])]) -> Self {
        let ends = nodes.iter().flat_map(|(owner, peers)| {
            let exchanges = world.exchanges(*owner, peers).into_iter().zip(*peers);
            exchanges.map(|(exchange, peer)| End {
                owner: *owner,
                peer: *peer,
                names: [world.name(*owner), world.name(*peer)],
                exchange,
                sessions: Vec::new(),
            })
        });
        Self {
            ends: ends.collect(),
            rng: ChaCha20Rng::seed_from_u64(1),
        }
    }

    /// Everything of this datagram that can be read, with the handshakes that requests bring. It has
    /// to see datagrams in the order in which they were sent.
    pub(crate) fn read(&mut self, datagram: &[u8]) -> Vec<Heard> {
        let mut packet = datagram.to_vec();
        let peek = cloak::peek(&packet, &mut WorkBudget::new(cloak::HEAD_LEN)).unwrap();
        let token: Option<[u8; 16]> = peek.head().get(2..18).and_then(|at| at.try_into().ok());
        let token = token.map(Token::from_bytes);
        let mut ends = self.ends.iter();
        let head_only = ends.any(|end| Some(end.exchange.head_only_token()) == token);
        let plain = cloak::finish(&mut packet, &peek, head_only);
        self.read_plain(plain)
    }

    fn read_plain(&mut self, packet: &mut [u8]) -> Vec<Heard> {
        if packet.starts_with(&[0, 1]) {
            return self.read_message(packet).into_iter().collect();
        }
        let Some(heard) = self.read_channel(packet) else {
            return Vec::new();
        };
        let mut inside =
            Lob::parse(&heard.text).map_or_else(|_| Vec::new(), |lob| lob.body().to_vec());
        let mut all = vec![heard];
        if inside.starts_with(&[0, 1]) {
            all.extend(self.read_plain(&mut inside));
        }
        all
    }

    fn read_message(&mut self, packet: &[u8]) -> Option<Heard> {
        let body = Lob::parse(packet).ok()?.body();
        let rng = &mut self.rng;
        self.ends.iter_mut().find_map(|end| {
            let opened = end.exchange.open(body).ok()?;
            end.exchange.verify(body, &opened).ok()?;
            let context = SessionContext {
                local: end.names[0],
                remote: end.names[1],
                resume: None,
            };
            // Refused if there is one already.
            let session = end.exchange.session(&opened.remote, &context, rng);
            end.sessions.extend(session);
            Some(end.heard(opened.inner))
        })
    }

    fn read_channel(&mut self, packet: &[u8]) -> Option<Heard> {
        self.ends.iter_mut().find_map(|end| {
            let mut copy = packet.to_vec();
            let opened = end.sessions.iter_mut().find_map(|session| {
                let head = session.overhead().head;
                match session.open(NOW, &mut copy) {
                    Ok(text) => Some(text),
                    // On its way through a router it is seen twice.
                    Err(OpenError::Replayed) => Some(head..copy.len()),
                    Err(_) => None,
                }
            });
            opened.map(|text| end.heard(copy[text].to_vec()))
        })
    }

    /// Whether one of the sessions opens this channel packet if it is made to look like one of its
    /// own.
    pub(crate) fn forces(&mut self, datagram: &[u8]) -> bool {
        let mut packet = datagram.to_vec();
        let start = cloak::decloak_in_place(&mut packet, &mut WorkBudget::new(10_000)).unwrap();
        let mut sessions = self.ends.iter_mut().flat_map(|end| &mut end.sessions);
        sessions.any(|session| {
            let mut copy = packet[start..].to_vec();
            copy[2..18].copy_from_slice(session.local_token().as_bytes());
            session.open(NOW, &mut copy) != Err(OpenError::Forged)
        })
    }

    /// How many sessions it can read.
    pub(crate) fn sessions(&self) -> usize {
        self.ends.iter().map(|end| end.sessions.len()).sum()
    }
}

impl End {
    fn heard(&self, text: Vec<u8>) -> Heard {
        Heard {
            owner: self.owner,
            peer: self.peer,
            text,
        }
    }
}
