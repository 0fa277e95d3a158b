//! Standalone messages: encrypted and authenticated without a link, for recipients who read them
//! some time later.
//!
//! ```
//! # #[cfg(feature = "cs3a")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use telehash_e3x::{CipherSets, Identity, message};
//! use telehash_hashname::Csid;
//! # let mut rng = rand_chacha::ChaCha20Rng::from_seed([1; 32]);
//! # use rand_core::SeedableRng;
//!
//! let sets = CipherSets::default();
//! let alice = Identity::generate(&sets, &[Csid::CS3A], &mut rng)?;
//! let bob = Identity::generate(&sets, &[Csid::CS3A], &mut rng)?;
//!
//! let packet = message::seal(&alice, bob.keys(), b"the bytes of a LOB", &mut rng)?;
//!
//! let message = message::open(&bob, &packet)?;
//! assert_eq!(message.inner(), b"the bytes of a LOB");
//! // Until here anyone might have sent it.
//! message.verify(&bob, alice.keys(), &mut rng)?;
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "cs3a"))]
//! # fn main() {}
//! ```

use alloc::boxed::Box;
use alloc::vec::Vec;

use rand_core::CryptoRng;
use telehash_hashname::{Csid, KeySet};

use crate::{Exchange, ExchangeError, Identity, MessageError, Opened, Outer, SealError};

/// Seals an inner packet into a complete outer message packet, in the highest cipher set that both
/// sides have.
///
/// # Errors
///
/// [`Error::NoCommonSet`], [`Error::Unsupported`], [`Error::UnknownKey`], [`Error::Exchange`] or
/// [`Error::Seal`].
pub fn seal(
    from: &Identity,
    to: &KeySet,
    inner: &[u8],
    rng: &mut dyn CryptoRng,
) -> Result<Vec<u8>, Error> {
    let csid = from.keys().agreed(to).ok_or(Error::NoCommonSet)?;
    Ok(exchange(from, to, csid, rng)?.seal(inner, rng)?)
}

/// Decrypts a complete outer message packet. Ask [`Message::verify`] before believing who sent it.
///
/// # Errors
///
/// [`Error::Unsupported`] if we have no key in its cipher set, else [`Error::Message`].
pub fn open(to: &Identity, packet: &[u8]) -> Result<Message, Error> {
    let Some(Outer::Message { csid, body }) = Outer::parse(packet) else {
        return Err(MessageError::Malformed.into());
    };
    let opened = to
        .local(csid)
        .ok_or(Error::Unsupported { csid })?
        .open(body)?;
    Ok(Message {
        csid,
        body: body.to_vec(),
        opened,
    })
}

/// A decrypted message.
#[derive(Debug)]
pub struct Message {
    csid: Csid,
    body: Vec<u8>,
    opened: Opened,
}

impl Message {
    /// The cipher set it came in.
    #[must_use]
    pub const fn csid(&self) -> Csid {
        self.csid
    }

    /// The inner packet: the bytes of a LOB.
    #[must_use]
    pub fn inner(&self) -> &[u8] {
        &self.opened.inner
    }

    /// Proves that the endpoint with these keys sent the message.
    ///
    /// # Errors
    ///
    /// [`Error::Downgraded`] if it came in a lower cipher set than both sides have, else as
    /// [`seal`], or [`Error::Message`] if somebody else sent it.
    pub fn verify(
        &self,
        to: &Identity,
        from: &KeySet,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), Error> {
        if to.keys().agreed(from).ok_or(Error::NoCommonSet)? != self.csid {
            return Err(Error::Downgraded);
        }
        Ok(exchange(to, from, self.csid, rng)?.verify(&self.body, &self.opened)?)
    }
}

fn exchange(
    ours: &Identity,
    theirs: &KeySet,
    csid: Csid,
    rng: &mut dyn CryptoRng,
) -> Result<Box<dyn Exchange>, Error> {
    let local = ours.local(csid).ok_or(Error::Unsupported { csid })?;
    let remote = theirs.key(csid).ok_or(Error::UnknownKey { csid })?;
    Ok(local.exchange(remote, rng)?)
}

/// Why a standalone message could not be sealed, opened or verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The two endpoints share no cipher set.
    #[error(
        "the two endpoints have no cipher set in common; one of them needs a key in a set of the other"
    )]
    NoCommonSet,
    /// It takes a cipher set that we have no usable key in.
    #[error("cipher set {csid} is not supported here; enable its feature")]
    Unsupported {
        /// Which.
        csid: Csid,
    },
    /// Of the other endpoint's key only the intermediate is known.
    #[error("the other endpoint's key of cipher set {csid} is not known; ask for its link file")]
    UnknownKey {
        /// Of which cipher set.
        csid: Csid,
    },
    /// The message came in a weaker cipher set than both endpoints have.
    #[error("the message is in a lower cipher set than both endpoints have; it must be ignored")]
    Downgraded,
    /// The other endpoint's key cannot be used.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// Sealing failed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The message was not accepted.
    #[error(transparent)]
    Message(#[from] MessageError),
}
