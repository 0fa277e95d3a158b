//! The exchange of a link, the ephemerals its peer authenticated, and the sessions between them.
//!
//! A session is the pair of ephemerals: who erases it erases our ephemeral too ([`Sessions::fresh`]),
//! so no pair of keys ever gets a second session object, with its nonces and replay filter anew.

use alloc::{boxed::Box, vec::Vec};
use core::ops::Range;

use rand_core::CryptoRng;
use telehash_e3x::{
    Exchange, ExchangeError, Identity, Instant, MessageError, OpenError, Opened, RemoteEphemeral,
    Rounds, SealError, Session, SessionContext, Token,
};
use telehash_hashname::Hashname;

use super::{
    beside,
    control::Agreeable,
    fresh_keys::{FreshKeys, LocalTokens},
};
use crate::config::MAX_REMOTE_EPHEMERALS;

#[derive(Debug)]
pub(crate) struct Sessions {
    pub(super) local: Hashname,
    pub(super) remote: Hashname,
    pub(super) exchange: Box<dyn Exchange>,
    pub(super) sides: Vec<Side>,
    pub(super) active: Option<Token>,
    /// For cipher sets with a fresh ephemeral each round.
    pub(super) fresh: Option<FreshKeys>,
}

/// One authenticated ephemeral of the peer.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) token: Token,
    /// What stands for the same ephemeral on packets that are cloaked only at their head.
    pub(super) head_only: Token,
    /// None where ephemerals are fresh: it was used up by the session.
    pub(super) ephemeral: Option<RemoteEphemeral>,
    pub(super) session: Option<Box<dyn Session>>,
    /// Our side of the session, where ephemerals are fresh.
    pub(super) local: Option<LocalTokens>,
    /// What both offered in the handshakes of the session, where ephemerals are fresh.
    pub(super) offer: Agreeable,
    /// The bytes of our answer, until the session is confirmed.
    pub(super) answer: Option<beside::Sealed>,
}

impl Side {
    /// The tokens that the endpoint knows of it.
    pub(super) fn tokens(&self) -> impl Iterator<Item = Token> + use<> {
        let local = self.local.map(|tokens| [tokens.full, tokens.head_only]);
        [self.token].into_iter().chain(local.into_iter().flatten())
    }
}

impl Sessions {
    pub(crate) fn new(identity: &Identity, remote: Hashname, exchange: Box<dyn Exchange>) -> Self {
        let is_fresh = exchange.rounds() == Rounds::FreshEphemeral;
        Self {
            local: identity.hashname(),
            remote,
            exchange,
            sides: Vec::new(),
            active: None,
            fresh: is_fresh.then(FreshKeys::default),
        }
    }

    pub(crate) fn exchange(&self) -> &dyn Exchange {
        &*self.exchange
    }

    /// Opens a message BODY; of an adopted ephemeral without public-key work.
    ///
    /// # Errors
    /// It does not open, or its KEY only begins like that of an ephemeral we know: such a message
    /// would cost an agreement that no budget covers.
    pub(crate) fn open_message(&self, body: &[u8]) -> Result<Opened, MessageError> {
        let sent = |ephemeral: &RemoteEphemeral| ephemeral.sent(body);
        if !self
            .sides
            .iter()
            .any(|side| side.ephemeral.as_ref().is_some_and(sent))
        {
            return Err(MessageError::Forged);
        }
        self.exchange.open(body)
    }

    /// Proves that the peer sent this message.
    pub(crate) fn verify(&mut self, body: &[u8], opened: &Opened) -> Result<(), MessageError> {
        self.exchange.verify(body, opened)
    }

    /// Seals the messages of one handshake with the same ephemeral.
    pub(crate) fn seal_messages(
        &mut self,
        inner: &[Vec<u8>],
        rng: &mut dyn CryptoRng,
    ) -> Result<beside::Sealed, SealError> {
        seal_all(&mut *self.exchange, inner, rng)
    }

    pub(crate) fn knows(&self, token: Token) -> bool {
        self.sides.iter().any(|side| side.token == token)
    }

    /// Keeps an authenticated ephemeral. Returns the token of one that made room for it.
    pub(crate) fn learn(&mut self, ephemeral: &RemoteEphemeral) -> Option<Token> {
        let token = ephemeral.token();
        if self.knows(token) || self.exchange.adopt(ephemeral).is_err() {
            return None;
        }
        let full = self.sides.len() >= MAX_REMOTE_EPHEMERALS;
        // Only one that never had a session may go: the others' replay filters must stay.
        let spare = |side: &Side| side.session.is_none();
        let evicted = if full {
            Some(self.sides.iter().position(spare)?)
        } else {
            None
        };
        let evicted = evicted.map(|at| self.sides.remove(at).token);
        self.sides.reserve_exact(1);
        self.sides.push(Side {
            token,
            head_only: ephemeral.head_only_token(),
            ephemeral: Some(ephemeral.clone()),
            session: None,
            local: None,
            offer: Agreeable::default(),
            answer: None,
        });
        evicted
    }

    /// Makes the session with this ephemeral the one that sends; derives it if there is none yet.
    pub(crate) fn activate(
        &mut self,
        token: Token,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), ExchangeError> {
        self.derive(token, rng)?;
        self.active = Some(token);
        // First in the list, since nearly every packet is of the active session.
        self.sides.sort_by_key(|side| side.token != token);
        Ok(())
    }

    /// Derives the session with this ephemeral unless it exists.
    pub(crate) fn derive(
        &mut self,
        token: Token,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), ExchangeError> {
        let context = context(self.local, self.remote, None);
        let Some(side) = self.sides.iter_mut().find(|side| side.token == token) else {
            return Err(ExchangeError::OtherSet);
        };
        let Some(ephemeral) = &side.ephemeral else {
            return Err(ExchangeError::NeedsFresh);
        };
        if side.session.is_none() {
            side.session = Some(self.exchange.session(ephemeral, &context, rng)?);
        }
        Ok(())
    }

    /// Has the session with this ephemeral seal packets to be cloaked only at their head, or in full.
    pub(crate) fn address(&mut self, token: Token, head_only: bool) {
        let Some(side) = self.side_mut(token) else {
            return;
        };
        let token = if head_only {
            side.head_only
        } else {
            side.token
        };
        if let Some(session) = &mut side.session {
            session.set_remote_token(token);
        }
    }

    /// Whether packets of this session are for the channels: of one that the round did not settle
    /// on they are proof of life, not data.
    pub(crate) fn carries(&self, token: Token) -> bool {
        match self.fresh {
            Some(_) => self.knows(token),
            None => self.active == Some(token),
        }
    }

    pub(super) fn side(&self, token: Token) -> Option<&Side> {
        self.sides.iter().find(|side| side.token == token)
    }

    pub(super) fn side_mut(&mut self, token: Token) -> Option<&mut Side> {
        self.sides.iter_mut().find(|side| side.token == token)
    }

    /// The session that sends.
    pub(crate) fn active(&mut self) -> Option<&mut (dyn Session + 'static)> {
        let token = self.active?;
        self.sides
            .iter_mut()
            .find(|side| side.token == token)?
            .session
            .as_deref_mut()
    }

    /// Bytes that the sending session adds to a plaintext; 0 without one.
    pub(crate) fn overhead(&self) -> usize {
        let active = self
            .sides
            .iter()
            .find(|side| Some(side.token) == self.active);
        let session = active.and_then(|side| side.session.as_ref());
        session.map_or(0, |session| session.overhead().total())
    }

    pub(crate) fn active_token(&self) -> Option<Token> {
        self.active
    }

    /// Decrypts a channel packet in place: with the active session, else with another.
    /// Returns whose ephemeral the session has, and the plaintext's place.
    pub(crate) fn open_channel(
        &mut self,
        now: Instant,
        packet: &mut [u8],
    ) -> Result<(Token, Range<usize>), OpenError> {
        let mut result = Err(OpenError::Forged);
        for side in &mut self.sides {
            let Some(session) = side.session.as_deref_mut() else {
                continue;
            };
            match session.open(now, packet) {
                Ok(range) => return Ok((side.token, range)),
                // A forged packet is left as it was: the next session may try it.
                Err(OpenError::Forged) => {}
                Err(error) => result = Err(error),
            }
        }
        result
    }

    /// Erases all sessions, and our ephemeral with them. Returns the tokens that are gone.
    pub(crate) fn fresh(&mut self, rng: &mut dyn CryptoRng) -> Result<Vec<Token>, ExchangeError> {
        let mut gone: Vec<Token> = self.sides.drain(..).map(|side| side.token).collect();
        gone.push(self.exchange.token());
        gone.push(self.exchange.head_only_token());
        self.active = None;
        self.exchange.fresh(rng)?;
        Ok(gone)
    }
}

/// Seals the messages of one handshake with the ephemeral of `exchange`.
pub(super) fn seal_all(
    exchange: &mut dyn Exchange,
    inner: &[Vec<u8>],
    rng: &mut dyn CryptoRng,
) -> Result<beside::Sealed, SealError> {
    inner
        .iter()
        .map(|inner| exchange.seal(inner, rng))
        .collect()
}

pub(super) fn context(
    local: Hashname,
    remote: Hashname,
    resume: Option<&[u8; 32]>,
) -> SessionContext<'_> {
    SessionContext {
        local,
        remote,
        resume,
    }
}
