//! What the core reports: to the application, and from a link to its endpoint.

use alloc::vec::Vec;

use telehash_e3x::{Opened, Token};
use telehash_hashname::{Csid, Hashname, KeySet};

use crate::{ChannelEvent, HandshakeMessage, LinkKey, MessageSet, PipeId, PipeSlot};

/// State of a link, observable at any time (links.md, States).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkState {
    /// The hashname is known; keys or paths are missing.
    Unresolved,
    /// Keys are verified and there is a path, but no session.
    Down,
    /// A session is agreed and authenticated.
    Up,
}

/// Why a link went down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DownReason {
    /// The application closed it.
    Closed,
    /// Nothing answered the handshakes.
    Unreachable,
    /// The peer stopped answering keepalives on every pipe.
    Silent,
    /// The keys of the session sealed all they may, or too many packets were forged in a cipher set
    /// whose MAC is weak. New ones are being agreed.
    WornOut,
}

/// News of a link for the application. Drain with [`Link::poll_event`](crate::Link::poll_event).
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A session is agreed: channels may be opened. The first packet of theirs that authenticates
    /// brings the link up; a link that stays quiet is up one second later.
    Agreed,
    /// The link came up.
    Up,
    /// The link went down; its channels have failed.
    Down(DownReason),
    /// The peer restarted: its old session is replaced, channels of it have failed.
    Restarted,
    /// Persist this: the highest `at` of this link so far (links.md, `at`).
    RememberAt(u64),
    /// The peer sent another message beside its `link` handshake (`jwt`, `uri`, an application's).
    Handshake(HandshakeMessage),
    /// News of a channel.
    Channel(ChannelEvent),
    /// A pipe joined the table; handshakes go there.
    PipeAdded(PipeSlot),
    /// The peer authenticated from a new place, or the application dialled one that was known but not
    /// proven: a path check decides whether the link moves there.
    PipeCandidate(PipeSlot),
    /// The pipe is validated: traffic may go there.
    PipeValidated(PipeSlot),
    /// The pipe left the table.
    PipeLost(PipeSlot),
    /// Traffic goes by this pipe from now on.
    PipeSelected(PipeSlot),
    /// Nothing comes back by the pipe that sends, or the network changed: path checks of every pipe
    /// decide where traffic goes.
    PipesDoubted,
    /// The path ceased to carry packets of the size that it did: they are smaller from now on.
    PipeShrank(PipeSlot),
    /// Content fills packets: it is worth finding out whether pipes carry larger ones
    /// ([`Link::size_to_probe`](crate::Link::size_to_probe)). Said once.
    PacketsFull,
}

impl Event {
    /// Whether it is of pipes, which outlive sessions.
    pub(crate) fn is_of_pipes(&self) -> bool {
        matches!(
            self,
            Self::PipeAdded(_)
                | Self::PipeCandidate(_)
                | Self::PipeValidated(_)
                | Self::PipeLost(_)
                | Self::PipeSelected(_)
                | Self::PipesDoubted
                | Self::PipeShrank(_)
                | Self::PacketsFull
        )
    }
}

/// What a link tells its endpoint. Hand it to
/// [`Endpoint::handle_link_event`](crate::Endpoint::handle_link_event) before transmits go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndpointEvent(pub(crate) ToEndpoint);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ToEndpoint {
    /// Packets that carry this token, and messages of this ephemeral, are the link's.
    AddToken(Token, TokenOwner),
    /// No longer.
    RemoveToken(Token),
    /// The link lives at this pipe.
    AddPipe(PipeId),
    /// No longer.
    RemovePipe(PipeId),
}

/// Whose ephemeral a token stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenOwner {
    /// Ours: channel packets to us carry it.
    Local,
    /// Ours too: channel packets to us that are cloaked only at their head carry it.
    LocalHeadOnly,
    /// The peer's: its handshakes take the fast lane.
    Remote,
}

/// What a packet turned out to be. See [`Endpoint::handle`](crate::Endpoint::handle).
#[derive(Debug)]
pub enum Dispatch {
    /// Nobody's; the reason is for counters, never for the sender.
    Drop(DropReason),
    /// Hand the input, with the same packet, to this link.
    Link(LinkKey, Input),
    /// A stranger proved an identity and asks for a link: accept or refuse.
    Incoming(Incoming),
    /// A packet between two others, whom we route for: hand it on as it is with
    /// [`Link::forward`](crate::Link::forward).
    Forward(LinkKey),
}

/// What the endpoint learnt of a packet while it looked for its link.
#[derive(Debug)]
pub struct Input {
    pub(crate) kind: InputKind,
    /// The pipe that it counts for, if that is not the one that brought it: a router's.
    pub(crate) pipe: Option<PipeId>,
}

impl From<InputKind> for Input {
    fn from(kind: InputKind) -> Self {
        Self { kind, pipe: None }
    }
}

#[derive(Debug)]
pub(crate) enum InputKind {
    /// A channel packet; only its first block was peeled. `head_only`: nothing else was cloaked.
    Channel {
        peek: telehash_lob::cloak::Peek,
        head_only: bool,
    },
    /// A message of an ephemeral that the link knows; only its first block was peeled.
    Message(telehash_lob::cloak::Peek),
    /// The messages of a handshake with another ephemeral: opened, not yet authenticated.
    Opened(Vec<OpenedMessage>),
}

/// A message that our identity opened, before its sender is authenticated.
#[derive(Debug)]
pub(crate) struct OpenedMessage {
    pub(crate) opened: Opened,
    pub(crate) message: HandshakeMessage,
    /// The outer BODY, which the sender's MAC covers.
    pub(crate) body: Vec<u8>,
    pub(crate) cloaked: bool,
    /// Identifies the packet, byte for byte.
    pub(crate) digest: [u8; 16],
    /// Size of the packet as it came, in bytes.
    pub(crate) bytes: usize,
}

/// A stranger that proved its identity. Nothing is sent to it unless
/// [`Endpoint::accept`](crate::Endpoint::accept) takes the ticket.
#[derive(Debug)]
pub struct Incoming {
    /// Redeem or refuse it; it expires after [`HALF_OPEN_TIMEOUT`](crate::HALF_OPEN_TIMEOUT).
    pub ticket: Ticket,
    /// Who: verified.
    pub hashname: Hashname,
    /// Its keys and intermediates.
    pub keys: KeySet,
    /// The cipher set of the handshake.
    pub csid: Csid,
    /// The messages of its round (`link`, `jwt`, `uri`, application types), authenticated.
    pub round: MessageSet,
    /// Where it came from.
    pub pipe: PipeId,
}

/// Names a pending [`Incoming`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[must_use = "a ticket that is neither accepted nor refused holds its place until it expires"]
pub struct Ticket(pub(crate) u64);

/// Why a packet was dropped: counted, traced, never told to the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// Not a packet of this protocol.
    Malformed,
    /// Uncovering it would cost more than its source may spend.
    TooManyRounds,
    /// No link and no bridge has this token.
    UnknownToken,
    /// A handshake in a cipher set that our identity does not have.
    UnknownCipherSet,
    /// A handshake in a lower cipher set than both ends have.
    Downgrade,
    /// A handshake beyond the budget of its source.
    Throttled,
    /// A handshake that does not open, or whose sender is not who it claims.
    Forged,
    /// A handshake with our own identity.
    OwnIdentity,
    /// A stranger, and strangers are not admitted.
    Unwelcome,
    /// One more message of a handshake that already waits.
    Pending,
    /// For somebody else, from somebody whom it does not concern, or beyond the pair's budget.
    NotRouted,
}
