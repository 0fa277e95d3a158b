//! The keys of a link whose cipher set has a fresh ephemeral for each round.
//!
//! An ephemeral is used for one handshake and one session, and is erased with the derivation of
//! that session or when its round gives up; the next use makes a new one. So every session has a
//! pair of its own, and no pair comes twice.

use alloc::{boxed::Box, vec::Vec};

use rand_core::CryptoRng;
use telehash_e3x::{Exchange, Instant, RemoteEphemeral, Resumption, Session, SessionId, Token};

use super::{
    beside,
    control::Agreeable,
    sessions::{Sessions, Side, context, seal_all},
};

/// What [`Sessions`] has beside, for such a set.
#[derive(Debug, Default)]
pub(super) struct FreshKeys {
    /// The exchange's ephemeral was used.
    spent: bool,
    /// The bytes of our unanswered round.
    round: Option<beside::Sealed>,
    /// The peer's ephemeral in the handshake that is being looked at.
    heard: Option<RemoteEphemeral>,
    /// The session that was renewed, after its keys were erased, and the peer's ephemeral of it.
    muted: Option<(Token, Resumption)>,
}

/// The tokens of channel packets to us in one session.
#[derive(Clone, Copy, Debug)]
pub(super) struct LocalTokens {
    pub(super) full: Token,
    pub(super) head_only: Token,
}

impl LocalTokens {
    pub(super) fn of(exchange: &dyn Exchange) -> Self {
        Self {
            full: exchange.token(),
            head_only: exchange.head_only_token(),
        }
    }
}

impl Sessions {
    pub(super) fn uses_fresh(&self) -> bool {
        self.fresh.is_some()
    }

    /// Keeps the peer's ephemeral of a handshake until it led to something or was
    /// [forgotten](Self::forget_heard).
    pub(super) fn hear(&mut self, ephemeral: &RemoteEphemeral) {
        if let Some(fresh) = &mut self.fresh {
            fresh.heard = Some(ephemeral.clone());
        }
    }

    pub(super) fn forget_heard(&mut self) {
        if let Some(fresh) = &mut self.fresh {
            fresh.heard = None;
        }
    }

    /// Seals our round with an ephemeral of its own; any other round of ours is over.
    pub(super) fn begin_round(&mut self, inner: &[Vec<u8>], rng: &mut dyn CryptoRng) {
        let Some(fresh) = &mut self.fresh else { return };
        fresh.round = None;
        if make_unused(&mut *self.exchange, &mut fresh.spent, rng).is_some() {
            fresh.spent = true;
            fresh.round = seal_all(&mut *self.exchange, inner, rng).ok();
        }
    }

    pub(super) fn round(&self) -> Option<&[Vec<u8>]> {
        self.fresh.as_ref()?.round.as_deref()
    }

    /// Our round is over: its ephemeral is erased.
    pub(super) fn erase_round(&mut self) {
        if let Some(fresh) = &mut self.fresh {
            fresh.round = None;
            fresh.spent = true;
            self.exchange.erase();
        }
    }

    /// Answers the handshake that was [heard](Self::hear) with an ephemeral of its own, and derives
    /// the session of the two.
    pub(super) fn answer(
        &mut self,
        remote: Token,
        inner: &[Vec<u8>],
        continues: Option<Token>,
        offer: Agreeable,
        rng: &mut dyn CryptoRng,
    ) -> Option<LocalTokens> {
        let heard = self.take_heard(remote)?;
        let fresh = self.fresh.as_mut()?;
        make_unused(&mut *self.exchange, &mut fresh.spent, rng)?;
        fresh.spent = true;
        let answer = seal_all(&mut *self.exchange, inner, rng).ok()?;
        self.derive_from(&heard, continues, offer, Some(answer), rng)
    }

    /// The handshake that was [heard](Self::hear) answers our round: derives the session of the
    /// two, which uses our ephemeral up.
    pub(super) fn derive_round(
        &mut self,
        remote: Token,
        continues: Option<Token>,
        offer: Agreeable,
        rng: &mut dyn CryptoRng,
    ) -> Option<LocalTokens> {
        let heard = self.take_heard(remote)?;
        self.fresh.as_mut()?.round.take()?;
        self.derive_from(&heard, continues, offer, None, rng)
    }

    fn derive_from(
        &mut self,
        heard: &RemoteEphemeral,
        continues: Option<Token>,
        offer: Agreeable,
        answer: Option<beside::Sealed>,
        rng: &mut dyn CryptoRng,
    ) -> Option<LocalTokens> {
        let tokens = LocalTokens::of(&*self.exchange);
        let resume =
            continues.and_then(|session| resume_of(&self.sides, self.fresh.as_ref(), session));
        let context = context(self.local, self.remote, resume);
        let session = self.exchange.session(heard, &context, rng).ok()?;
        self.keep(heard, session, tokens, offer, answer);
        Some(tokens)
    }

    /// The bytes of our answer to this ephemeral, while they may be asked for.
    pub(super) fn answer_to(&self, remote: Token) -> Option<&[Vec<u8>]> {
        self.side(remote)?.answer.as_deref()
    }

    pub(super) fn drop_answer(&mut self, remote: Token) {
        if let Some(side) = self.side_mut(remote) {
            side.answer = None;
        }
    }

    /// Makes this session the one that sends. Returns what was agreed with it.
    pub(super) fn switch_to(&mut self, remote: Token) -> Option<Agreeable> {
        let offer = self.side(remote)?.offer;
        self.active = Some(remote);
        self.sides.sort_by_key(|side| side.token != remote);
        Some(offer)
    }

    /// This session, and whether its packets are cloaked only at their head.
    pub(super) fn session_mut(&mut self, remote: Token) -> Option<(&mut dyn Session, bool)> {
        let side = self.side_mut(remote)?;
        let head_only = side.offer.head_only;
        Some((&mut **side.session.as_mut()?, head_only))
    }

    /// The id of a session.
    pub(super) fn id_of(&self, remote: Token) -> Option<SessionId> {
        if let Some(muted) = self.muted(remote) {
            return Some(muted.session_id());
        }
        let session = self.side(remote)?.session.as_ref()?;
        Some(session.session_id())
    }

    /// The session with this id.
    pub(super) fn named(&self, id: SessionId) -> Option<Token> {
        let muted = self.fresh.as_ref()?.muted.iter().map(|(remote, _)| *remote);
        let held = self.sides.iter().map(|side| side.token);
        { held }
            .chain(muted)
            .find(|remote| self.id_of(*remote) == Some(id))
    }

    fn muted(&self, remote: Token) -> Option<&Resumption> {
        let (of, muted) = self.fresh.as_ref()?.muted.as_ref()?;
        (*of == remote).then_some(muted)
    }

    /// Erases the keys of a session, which can still be continued. Returns the tokens that are gone.
    pub(super) fn mute(&mut self, remote: Token) -> Vec<Token> {
        let session = self.side(remote).and_then(|side| side.session.as_deref());
        let muted = session.and_then(|session| Some((remote, Resumption::of(session)?)));
        let tokens = self.forget(remote);
        if let Some(fresh) = &mut self.fresh {
            fresh.muted = muted;
        }
        tokens
    }

    /// Erases a session, or what is left of it. Another one sends if it did. Returns the tokens that
    /// are gone.
    pub(super) fn forget(&mut self, remote: Token) -> Vec<Token> {
        if let Some(fresh) = &mut self.fresh {
            fresh.muted.take_if(|(muted, _)| *muted == remote);
        }
        let Some(at) = self.sides.iter().position(|side| side.token == remote) else {
            return Vec::new();
        };
        let side = self.sides.remove(at);
        if self.active == Some(remote) {
            self.active = self.sides.last().map(|side| side.token);
        }
        side.tokens().collect()
    }

    /// Erases all sessions, and our round. Returns the tokens that are gone.
    pub(super) fn forget_all(&mut self) -> Vec<Token> {
        self.erase_round();
        if let Some(fresh) = &mut self.fresh {
            fresh.muted = None;
        }
        self.active = None;
        self.sides
            .drain(..)
            .flat_map(|side| side.tokens())
            .collect()
    }

    /// When keys of a session have to be erased.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let sessions = self.sides.iter().filter_map(|side| side.session.as_ref());
        sessions.filter_map(|session| session.poll_timeout()).min()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        for side in &mut self.sides {
            if let Some(session) = &mut side.session {
                session.handle_timeout(now);
            }
        }
    }

    fn take_heard(&mut self, remote: Token) -> Option<RemoteEphemeral> {
        let heard = self.fresh.as_mut()?.heard.take()?;
        (heard.token() == remote).then_some(heard)
    }

    fn keep(
        &mut self,
        heard: &RemoteEphemeral,
        session: Box<dyn Session>,
        tokens: LocalTokens,
        offer: Agreeable,
        answer: Option<beside::Sealed>,
    ) {
        self.sides.reserve_exact(1);
        self.sides.push(Side {
            token: heard.token(),
            head_only: heard.head_only_token(),
            ephemeral: None,
            session: Some(session),
            local: Some(tokens),
            offer,
            answer,
        });
    }
}

/// The secret of the session that another one continues.
fn resume_of<'a>(
    sides: &'a [Side],
    fresh: Option<&'a FreshKeys>,
    continues: Token,
) -> Option<&'a [u8; 32]> {
    let muted = fresh.and_then(|fresh| fresh.muted.as_ref());
    match muted {
        Some((remote, muted)) if *remote == continues => Some(muted.secret()),
        _ => {
            let side = sides.iter().find(|side| side.token == continues)?;
            side.session.as_ref()?.resume()
        }
    }
}

/// Makes sure that nothing was sealed with the exchange's ephemeral.
fn make_unused(
    exchange: &mut dyn Exchange,
    spent: &mut bool,
    rng: &mut dyn CryptoRng,
) -> Option<()> {
    if *spent {
        exchange.fresh(rng).ok()?;
        *spent = false;
    }
    Some(())
}
