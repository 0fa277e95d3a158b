//! Channel packets: `00 00 TOKEN(16) COUNTER(8) ciphertext TAG(16)`.

use core::fmt;
use core::ops::Range;

use ring::aead::LessSafeKey;
use telehash_e3x::{
    Instant, OpenError, Overhead, ReplayWindow, SealError, Session, SessionId, Token,
};
use telehash_hashname::Csid;

use crate::crypto::{NONCE_LEN, Secret, TAG_LEN, cipher, open, seal};
use crate::keys::CSID;

const TOKEN: Range<usize> = 2..2 + Token::LEN;
const HEAD: usize = TOKEN.end + size_of::<u64>();

pub(crate) struct Cs10Session {
    id: SessionId,
    outgoing: LessSafeKey,
    incoming: LessSafeKey,
    local: [Token; 2],
    remote: Token,
    next: u64,
    window: ReplayWindow,
}

impl Cs10Session {
    pub(crate) fn new(
        id: SessionId,
        outgoing: &Secret,
        incoming: &Secret,
        local: [Token; 2],
        remote: Token,
    ) -> Self {
        let (outgoing, incoming) = (cipher(outgoing), cipher(incoming));
        Self {
            id,
            outgoing,
            incoming,
            local,
            remote,
            next: 0,
            window: ReplayWindow::new(),
        }
    }
}

impl Session for Cs10Session {
    fn csid(&self) -> Csid {
        CSID
    }

    fn session_id(&self) -> SessionId {
        self.id
    }

    fn overhead(&self) -> Overhead {
        Overhead {
            head: HEAD,
            tail: TAG_LEN,
        }
    }

    fn local_token(&self) -> Token {
        self.local[0]
    }

    fn remote_token(&self) -> Token {
        self.remote
    }

    fn set_remote_token(&mut self, token: Token) {
        self.remote = token;
    }

    fn seal(&mut self, _: Instant, packet: &mut [u8]) -> Result<(), SealError> {
        let no_room = SealError::NoRoom {
            needed: HEAD + TAG_LEN,
            actual: packet.len(),
        };
        let (rest, tag) = packet.split_last_chunk_mut::<TAG_LEN>().ok_or(no_room)?;
        let (head, text) = rest.split_first_chunk_mut::<HEAD>().ok_or(no_room)?;
        let counter = self.next;
        self.next = counter.checked_add(1).ok_or(SealError::Exhausted)?;
        head[..TOKEN.start].fill(0);
        head[TOKEN].copy_from_slice(self.remote.as_bytes());
        head[TOKEN.end..].copy_from_slice(&counter.to_be_bytes());
        *tag = seal(&self.outgoing, nonce(counter), head, text).ok_or(SealError::Library)?;
        Ok(())
    }

    fn open(&mut self, _: Instant, packet: &mut [u8]) -> Result<Range<usize>, OpenError> {
        let (head, text) = packet
            .split_first_chunk_mut::<HEAD>()
            .ok_or(OpenError::Malformed)?;
        let counter = head
            .last_chunk()
            .copied()
            .map(u64::from_be_bytes)
            .ok_or(OpenError::Malformed)?;
        let is_to_us = self
            .local
            .iter()
            .any(|token| head[TOKEN] == *token.as_bytes());
        if !head.starts_with(&[0, 0]) || !is_to_us {
            return Err(OpenError::Malformed);
        }
        let len = open(&self.incoming, nonce(counter), head, text).ok_or(OpenError::Forged)?;
        // Only now: a forged counter must not move the window.
        if !self.window.accept(counter) {
            return Err(OpenError::Replayed);
        }
        Ok(HEAD..HEAD + len)
    }

    fn exhausted(&self) -> bool {
        self.next == u64::MAX
    }
}

fn nonce(counter: u64) -> [u8; NONCE_LEN] {
    let mut nonce = [0; NONCE_LEN];
    nonce[NONCE_LEN - size_of::<u64>()..].copy_from_slice(&counter.to_be_bytes());
    nonce
}

impl fmt::Debug for Cs10Session {
    /// Shows nothing of the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cs10Session")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
